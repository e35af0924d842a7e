# SPDX-License-Identifier: MIT
"""An error at every system call of everybody in turn: either the command runs, or pidbox says why it does not."""
import errno

from errno import EACCES, EADDRINUSE, EAGAIN, EINTR, EINVAL, EIO, EMFILE, ENOENT, ENOLCK, ENOMEM, ENOSPC, ENOSYS, EPERM, EROFS
from faultlib import NAME, check_message, injected, need

# Errors that a call may have anywhere, on a full or a confined machine.
POSSIBLE = {
    **dict.fromkeys(('open', 'openat', 'openat2', 'socket', 'socketpair', 'pidfd_open', 'memfd_create', 'signalfd4', 'dup',
                     'dup2', 'dup3', 'pipe2', 'epoll_create1', 'fsopen', 'fsmount'), (EMFILE, ENOMEM)),
    **dict.fromkeys(('poll', 'ppoll'), (EINTR, ENOMEM)),
    **dict.fromkeys(('read', 'write'), (EINTR, )),
    **dict.fromkeys(('recvfrom', 'recvmsg', 'sendto', 'sendmsg', 'getdents64'), (ENOMEM, )),
    **dict.fromkeys(('wait4', 'waitid'), (EINTR, )),
    **dict.fromkeys(('mount', 'unshare', 'sethostname', 'setsid', 'capset', 'capget', 'setpgid', 'kill'), (EPERM, ENOSYS)),
    **dict.fromkeys(('clone', 'fork', 'vfork'), (EAGAIN, ENOMEM)),
    **dict.fromkeys(('mmap', 'mremap', 'munmap', 'brk'), (ENOMEM, )),
    **dict.fromkeys(('fcntl', 'ioctl'), (EINVAL, EMFILE)),
    **dict.fromkeys(('stat', 'newfstatat', 'fstat', 'statx', 'readlink', 'readlinkat', 'access', 'statfs', 'fstatfs'),
                    (ENOENT, EACCES)),
    **dict.fromkeys(('close_range', 'pidfd_send_signal', 'prctl', 'setsockopt', 'prlimit64', 'getrlimit', 'setrlimit'),
                    (EPERM, ENOSYS)),
    **dict.fromkeys(('execve', 'execveat'), (EACCES, ENOMEM)),
    **dict.fromkeys(('mkdir', 'mkdirat', 'bind', 'pwrite64'), (ENOSPC, EROFS)),
    **dict.fromkeys(('unlink', 'unlinkat', 'rmdir'), (EROFS, )),
    'listen': (EADDRINUSE, ), 'epoll_ctl': (ENOSPC, ENOMEM), 'flock': (ENOLCK, ), 'accept4': (EMFILE, ),
    'chdir': (EACCES, EIO), 'ftruncate': (ENOSPC, ), 'rt_sigaction': (EINVAL, ), 'setresuid': (EAGAIN, EPERM),
    'setresgid': (EPERM, ), 'setgroups': (EPERM, ),
}

# No kernel refuses these.
CERTAIN = {('front', 'munmap'), ('front', 'capget')}

BOXES = [
    ('plain', 'root', [], {}),
    ('plain', 'user', [], {}),
    ('a record', 'root', ['--fail-on-leak', '--timeout', '60', '--cpu-time', '50'], {}),
    ('a record', 'user', ['--fail-on-leak', '--timeout', '60', '--cpu-time', '50'], {}),
    ('map root', 'root', ['--map', 'root'], {}),
    ('tty', 'root', ['--tty', '--close-fds'], {}),
    ('tty', 'user', ['--tty', '--close-fds'], {}),
    ('hold', 'user', ['--hold-fd', 'HOLD'], {'hold': b'x'}),
    ('net and time', 'root', ['--unshare', 'net,time', '--time-offset', 'boottime=100'], {}),
    ('first PID', 'user', ['--first-pid', '100', '--chdir', '/usr'], {}),
    ('as-pid1', 'root', ['--as-pid1'], {}),
    ('as-pid1', 'user', ['--as-pid1'], {}),
    ('user', 'root', ['--user', '12345:12345'], {}),
    ('named', 'root', ['--name', 'n'], {}),
    ('named', 'user', ['--name', 'n'], {}),
]

COMMAND = ['/bin/echo', 'ran']

# Of the front's entry: a box without a name does without.
ENTRY = ('mkdir', 'mkdirat', 'bind', 'listen', 'epoll_create1', 'epoll_ctl', 'unlink', 'unlinkat', 'rmdir', 'accept4')


def failing(who, options, more, role, k, err, nr):
    o = injected(who, ['--fail', f'{role},{k},{err},{nr}'], [*options, '--', *COMMAND], **more)
    if not o.hit:
        return
    need(role != 'front' or NAME.get(nr) not in ENTRY or '--name' in options or o.status == 0, f'nobody would have missed it; {o}')
    ran = o.out.replace('\r', '') == 'ran\n'
    if o.status == 0:
        need(ran, f'status 0, but the command has not run; {o}')
        return
    need(o.status in (125, 126, 127), f'neither success nor an error of pidbox; {o}')
    need(not ran, f'status {o.status}, but the command has run; {o}')
    if not (': Out of memory' in o.err and o.err.count('\n') == 1):  # nothing is to be added to that
        check_message(o)


def cases(quick):
    for name, who, options, more in BOXES:
        def sweep(who=who, options=options, more=more):
            o = injected(who, ['--list'], [*options, '--', *COMMAND], **more)
            need(o.status == 0, f'without a fault: {o}')
            for role in 'front', 'child', 'init', 'command':
                for i, nr in enumerate(o.calls.get(role, ())):
                    call = NAME.get(nr, str(nr))
                    if (role, call) in CERTAIN or (quick and i % 6):
                        continue
                    for err in POSSIBLE.get(call, ())[:1 if quick else None]:
                        words = f'call {i + 1} of the {role}, {call}: {errno.errorcode[err]}'
                        yield words, failing, (who, options, more, role, i + 1, err, nr)
        yield f'an error at every call: {name}', who, sweep
