# SPDX-License-Identifier: MIT
"""Every step of a box's set-up fails, in every way that it can (the errors are those of the manual pages)."""
import errno, platform

from errno import (E2BIG, EACCES, EAGAIN, EBADF, EBUSY, ECONNRESET, EFBIG, EHOSTUNREACH, EINVAL, EIO, EISDIR, ELIBBAD,
                   ELOOP, EMFILE, EMSGSIZE, ENAMETOOLONG, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOEXEC, ENOMEM, ENOSPC, ENOSYS,
                   ENOTCONN, ENOTDIR, ENOTTY, ENXIO, EPERM, EPIPE, ERANGE, EREMOTEIO, EROFS, ESRCH, ESTALE, ETIMEDOUT, ETXTBSY,
                   EUSERS, EXDEV)
from faultlib import NR, Skipped, check_message, check_record, injected, need

# Which calls there are differs: aarch64 has openat and dup3 alone, and a C library may use either.
X86 = platform.machine() == 'x86_64'
OPEN = 'open' if X86 else 'openat'
FORK = 'vfork' if X86 else 'clone'
TIOCSPTLCK, TIOCGPTPEER, TIOCSCTTY, SIOCSIFFLAGS = 0x40045431, 0x5441, 0x540e, 0x8914
F_ADD_SEALS = 1033

ROOT, USER, BOTH = ('root', ), ('user', ), ('root', 'user')

# who; options; step; what the message is about; role; call; which one of its kind (0: all); errnos; argument
FATAL = [
    (BOTH, [], 'connect', 'socket', 'front', 'socketpair', 1, (EMFILE, ENFILE, ENOMEM, EACCES), None),
    (BOTH, [], 'connect', 'socket', 'front', 'setsockopt', 1, (ENOMEM, ), None),
    (BOTH, [], 'connect', 'socket', 'front', 'pidfd_open', 1, (EMFILE, ENOMEM, ENOSYS, EPERM, ENODEV, ESRCH), None),
    (BOTH, ['--as-pid1'], 'witness', 'witness', 'front', 'clone', 1, (EAGAIN, ENOMEM), None),
    (BOTH, ['--as-pid1'], 'witness', 'witness', 'front', 'socketpair', 2, (EMFILE, ENOMEM), None),
    (BOTH, [], 'load-init', 'loading the init', 'front', 'memfd_create', 0, (EPERM, EMFILE, ENFILE, ENOMEM, ENOSYS), None),
    (BOTH, [], 'load-init', 'loading the init', 'front', 'write', 1, (ENOSPC, ENOMEM, EIO, EPERM, EFBIG), None),
    (BOTH, [], 'load-init', 'loading the init', 'front', 'fcntl', 1, (EPERM, EINVAL, EBUSY), (1, F_ADD_SEALS)),
    (BOTH, ['--tty'], 'open-tty', 'terminal', 'front', OPEN, 1,
     (ENOENT, EACCES, EIO, ENOSPC, EMFILE, ENFILE, ENOMEM, ENODEV, ENXIO),
     ('path0' if X86 else 'path1', '/ptmx')),
    (BOTH, ['--tty'], 'open-tty', 'terminal', 'front', 'ioctl', 1, (EIO, EPERM), (1, TIOCSPTLCK)),
    (BOTH, ['--tty'], 'open-tty', 'terminal', 'front', 'ioctl', 1, (EIO, EINVAL, ENOTTY, EMFILE), (1, TIOCGPTPEER)),
    (BOTH, [], 'send-plan', 'plan', 'front', 'sendto', 1, (ENOMEM, ENOBUFS, EPIPE, ECONNRESET, EPERM), None),
    (BOTH, [], 'send-plan', 'plan', 'front', 'sendto', 0, (EMSGSIZE, ), None),
    (BOTH, [], 'clone', 'namespaces', 'front', 'clone', 1,
     (EPERM, EACCES, ENOSYS, ENOSPC, EUSERS, EAGAIN, ENOMEM, EINVAL, EMFILE), None),
    (USER, [], 'map-ids', 'mapping', 'child', 'openat', 1, (ENOENT, EMFILE, ENOMEM, EPERM, EROFS), ('path1', '/uid_map')),
    (USER, [], 'map-ids', 'mapping', 'child', 'write', 1, (EPERM, EINVAL, ENOMEM), None),
    (USER, [], 'map-ids', 'mapping', 'child', 'write', 2, (EPERM, EINVAL, ENOMEM), None),
    (USER, [], 'map-ids', 'mapping', 'child', 'write', 3, (EPERM, EINVAL, ENOMEM), None),
    (USER, ['--map', 'root'], 'map-ids', 'mapping', 'child', 'write', 2, (EPERM, ), None),
    (USER, [], 'raise-caps', 'capabilities', 'child', 'capget', 1, (EPERM, EINVAL), None),
    (USER, [], 'raise-caps', 'capabilities', 'child', 'capset', 1, (EPERM, EINVAL), None),
    (USER, [], 'raise-caps', 'capabilities', 'child', 'prctl', 1, (EPERM, EINVAL), None),
    (BOTH, [], 'exec-init', 'the init', 'child', 'execveat', 1,
     (EACCES, EPERM, ENOENT, ENOSYS, ENOMEM, ETXTBSY, EIO, ENOEXEC, EAGAIN, E2BIG), None),
    (BOTH, [], 'exec-init', 'the init', 'child', 'fcntl', 1, (EBADF, ), None),
    (ROOT, ['--map', 'root'], 'map-ids', 'mapping', 'front', 'openat', 1, (ENOENT, EACCES, EMFILE, ESRCH, EROFS),
     ('path1', '/uid_map')),
    (ROOT, ['--map', 'root'], 'map-ids', 'mapping', 'front', 'write', 1, (EPERM, EINVAL, ENOMEM), None),
    (ROOT, ['--map', 'root'], 'map-ids', 'mapping', 'front', 'write', 2, (EPERM, EINVAL, ENOMEM), None),
    (ROOT, ['--map', 'root'], 'go', 'init go on', 'front', 'sendto', 2, (ENOMEM, ESRCH, EAGAIN), None),
    (BOTH, ['--hostname', 'inside'], 'hostname', 'host name', 'init', 'sethostname', 1, (EPERM, EINVAL, ENOSYS), None),
    (BOTH, [], 'propagation', 'propagation', 'init', 'mount', 1, (EPERM, EACCES, EINVAL, ENOMEM, ENOSYS), None),
    (BOTH, ['--propagation', 'unchanged'], 'proc-private', '/proc', 'init', 'mount', 1,
     (EPERM, EINVAL, ENOMEM, ENOENT, ENOTDIR), None),
    (BOTH, [], 'mount-proc', 'mounting a fresh /proc', 'init', 'mount', 2,
     (EPERM, EACCES, ENOENT, EINVAL, ENODEV, ENOTDIR, ENOSPC, EBUSY, ENOMEM, ENOSYS, EIO), None),
    (BOTH, ['--proc', 'none'], 'hide-proc', '/proc', 'init', 'mount', 2,
     (EPERM, EACCES, ENOENT, ENODEV, ENOTDIR, ENOMEM, ENOSPC), None),
    (BOTH, ['--pid-max', '400'], 'pid-max', 'PID', 'front', 'clone', 1, (EAGAIN, ENOMEM), None),
    (BOTH, ['--pid-max', '400'], 'pid-max', 'PID', 'init', 'openat', 1, (EACCES, ENOENT, EROFS, EPERM),
     ('path1', '/pid_max')),
    (BOTH, ['--pid-max', '400'], 'pid-max', 'PID', 'init', 'write', 1, (EPERM, EINVAL, EIO), None),
    (BOTH, ['--time-offset', 'boottime=9'], 'time-ns', 'clocks', 'init', 'unshare', 1, (EPERM, EINVAL, ENOSPC, ENOMEM, ENOSYS),
     None),
    (BOTH, ['--time-offset', 'boottime=9'], 'time-ns', 'clocks', 'init', 'openat', 1, (EACCES, ENOENT, EROFS, EMFILE),
     ('path1', '/timens_offsets')),
    (BOTH, ['--time-offset', 'boottime=9'], 'time-ns', 'clocks', 'init', 'write', 1, (EPERM, ERANGE, EINVAL, EACCES), None),
    (BOTH, ['--first-pid', '100'], 'first-pid', "command's PID", 'init', 'openat', 1, (EROFS, ENOENT, EACCES),
     ('path1', '/ns_last_pid')),
    (BOTH, ['--first-pid', '100'], 'first-pid', "command's PID", 'init', 'write', 1, (EPERM, EINVAL), None),
    (BOTH, [], 'start', 'starting', 'init', FORK, 1, (EAGAIN, ENOMEM, ENOSYS), None),
    (BOTH, ['--unshare', 'time'], 'start', 'starting', 'init', 'clone', 1, (EAGAIN, ENOMEM), None),
    (BOTH, ['--tty'], 'session', 'terminal', 'command', 'setsid', 1, (EPERM, ), None),
    (BOTH, ['--tty'], 'session', 'terminal', 'command', 'ioctl', 1, (EPERM, EIO, ENOTTY, EINVAL), (1, TIOCSCTTY)),
    (BOTH, ['--tty'], 'stdio', 'standard streams', 'command', 'dup3', 1, (EBADF, EMFILE), None),
    (ROOT, ['--user', '12345:12345'], 'user', 'user', 'command', 'setgroups', 1, (EPERM, EINVAL, ENOMEM), None),
    (ROOT, ['--user', '12345:12345'], 'user', 'user', 'command', 'setresgid', 1, (EPERM, EINVAL), None),
    (ROOT, ['--user', '12345:12345'], 'user', 'user', 'command', 'setresuid', 1, (EPERM, EINVAL, EAGAIN), None),
    (BOTH, ['--chdir', '/usr'], 'chdir', 'directory /usr', 'command', 'chdir', 1,
     (ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EIO, ESTALE, ENOTCONN, EREMOTEIO, ETIMEDOUT, EHOSTUNREACH, ENOMEM), None),
    (USER, [], 'drop-caps', 'capabilities', 'command', 'capget', 1, (EPERM, ), None),
    (USER, [], 'drop-caps', 'capabilities', 'command', 'capset', 1, (EPERM, ), None),
    (BOTH, ['--close-fds', '--keep-fd', '0'], 'close-fds', 'descriptors', 'command', 'fcntl', 1, (EBADF, ), None),
    (BOTH, [], 'signals', 'signal', 'command', 'rt_sigprocmask', 2, (EINVAL, ), None),  # the first blocks all signals
    (BOTH, [], 'exec', 'executing /bin/echo', 'command', 'execve', 0, (ENOTDIR, EACCES, ENOEXEC, E2BIG, ETXTBSY, EPERM,
     ENOMEM, EIO, EINVAL, EISDIR, ELIBBAD, ELOOP, ENAMETOOLONG, EMFILE, ENFILE, EAGAIN, ESTALE), None),
]

# What belongs to no step, or ends the init without a word: only the shape is checked.
SHAPE_ONLY = [
    (BOTH, [], 'init', 'recvfrom', 1, (ENOMEM, )),
    (ROOT, ['--map', 'root'], 'init', 'recvfrom', 2, (ENOMEM, )),
    (BOTH, ['--hold-fd', 'HOLD'], 'init', 'recvfrom', 2, (ENOMEM, )),
    (BOTH, [], 'front', 'capget', 1, (EPERM, )),
]

# An errno that nobody foresaw: the three lines of the contract, too.
UNFORESEEN = [
    (BOTH, [], 'init', 'mount', 1, EXDEV),
    (BOTH, [], 'command', 'execve', 0, EXDEV),
]

# who; options; role; call; which; errnos; argument: the box goes on, and what is said begins with these words
NOT_FATAL = [
    (BOTH, ['--unshare', 'net'], 'init', 'socket', 1, (EPERM, EMFILE, ENOMEM), None, 'pidbox: warning: the step loopback'),
    (BOTH, ['--unshare', 'net'], 'init', 'ioctl', 1, (EPERM, ENODEV), (1, SIOCSIFFLAGS), 'pidbox: warning: the step loopback'),
    (BOTH, ['--proc', 'auto'], 'init', 'mount', 2, (EPERM, EACCES, ENOMEM, EINVAL), None, 'pidbox: warning: the step mount-proc'),
    (BOTH, [], 'front', 'openat', 1, (ENOENT, EACCES, EPERM, EMFILE, ENOMEM), ('path1', '/proc/self/exe'), ''),
    (BOTH, [], 'front', 'memfd_create', 1, (EINVAL, ), None, ''),  # MFD_EXEC, before Linux 6.3
    (BOTH, ['--close-fds'], 'command', 'close_range', 1, (EINVAL, ENOSYS, EMFILE, ENOMEM), None, ''),  # then one by one
    (BOTH, ['--unshare', 'cgroup'], 'init', 'prctl', 0, (EINVAL, ), None, ''),
]

STATUS = {ENOENT: 127, ENOTDIR: 127}


def action(role, call, which, err, arg):
    if call not in NR:
        raise Skipped(f'this machine has no {call}')
    match = f',{arg[0]},{arg[1]}' if arg else ''
    return ['--fail-call', f'{role},{NR[call]},{which},{err}{match}']


def no_file():
    """The command's init is the command's own file; without it comes the one in sealed memory."""
    return ['--first', action('front', 'openat', 1, EACCES, ('path1', '/proc/self/exe'))[1]]


def fatal(who, options, step, about, role, call, which, err, arg):
    before = no_file() if step == 'load-init' else []
    o = injected(who, before + action(role, call, which, err, arg), [*options, '--', '/bin/echo', 'ran'], report=True)
    need(o.hit > len(before) // 2, f'there is no such call: {o}')
    want = 125 if step != 'exec' else STATUS.get(err, 126)
    need(o.status == want, f'expected status {want}; {o}')
    need(o.out == '', f'something of the command ran; {o}')
    check_record(o, step, err)
    check_message(o, about, foreseen=True)


def shape_only(who, options, role, call, which, err):
    hold = b'x' if 'HOLD' in options else None
    o = injected(who, action(role, call, which, err, None), [*options, '--', '/bin/echo', 'ran'], hold=hold, report=True)
    need(o.hit, f'there is no such call: {o}')
    check_record(o)
    need(o.status == 125 and o.out == '', f'expected status 125; {o}')
    check_message(o)


def unforeseen(who, options, role, call, which, err):
    o = injected(who, action(role, call, which, err, None), [*options, '--', '/bin/echo', 'ran'])
    need(o.hit and o.out == '', f'{o}')
    check_message(o, foreseen=False)


def not_fatal(who, options, role, call, which, err, arg, words):
    before = no_file() if call == 'memfd_create' else []
    o = injected(who, before + action(role, call, which, err, arg), [*options, '--', '/bin/echo', 'ran'])
    need(o.hit > len(before) // 2, f'there is no such call: {o}')
    need(o.status == 0 and o.out == 'ran\n', f'the box should go on; {o}')
    need(o.err.startswith(words) and (words or not o.err), f'expected "{words}"; {o}')


def cases(quick):
    for whos, options, step, about, role, call, which, errs, arg in FATAL:
        variants = [options]
        # Without an init the same steps are done by the process that was PID 1 all along.
        if role == 'command' and not quick:
            variants.append(['--as-pid1', *options])
        for who in whos:
            def batch(who=who, variants=variants, rest=(step, about, role, call, which), errs=errs, arg=arg):
                for opts in variants:
                    for err in errs[:2] if quick else errs:
                        args = list(rest)
                        if args[2] == 'command' and '--as-pid1' in opts:
                            args[2] = 'init'
                            if args[3] == 'fcntl':
                                continue
                        yield f'{" ".join(opts)} {errno.errorcode[err]}', fatal, (who, opts, *args, err, arg)
            yield f'the step {step} fails at {call}', who, batch
    for whos, options, role, call, which, errs in SHAPE_ONLY:
        for who in whos:
            def shapes(who=who, options=options, rest=(role, call, which), errs=errs):
                for err in errs:
                    yield f'{" ".join(options)} {errno.errorcode[err]}', shape_only, (who, options, *rest, err)
            yield f'the {role} cannot {call}', who, shapes
    for whos, *rest in UNFORESEEN:
        for who in whos:
            def strict(args=(who, *rest)):
                yield f'{args[3]}', unforeseen, args
            yield 'an unforeseen errno has the three lines', who, strict
    for whos, options, role, call, which, errs, arg, words in NOT_FATAL:
        for who in whos:
            def warned(who=who, options=options, rest=(role, call, which), errs=errs, arg=arg, words=words):
                for err in errs:
                    yield f'{" ".join(options)} {errno.errorcode[err]}', not_fatal, (who, options, *rest, err, arg, words)
            yield f'not fatal: {call} of the {role}', who, warned
