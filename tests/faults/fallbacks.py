# SPDX-License-Identifier: MIT
"""System calls that are not there, for the whole life of a box: what an old kernel or a container's filter takes away."""
import errno, json, os, re, subprocess, time

from errno import EINVAL, ENOSYS, EPERM
from faultlib import (NR, Skipped, as_user, cfg, check_message, check_record, children_gone, end_all, environment, filtered,
                      injected, need)

MFD_EXEC, CLOSE_RANGE_CLOEXEC, BOTH = 0x10, 4, ('root', 'user')
DAEMON = ['/bin/sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 & sleep 0.1; exit 0']


def rule(call, err, arg=None):
    if call not in NR:
        raise Skipped(f'this machine has no {call}')
    return f'{NR[call]}:{err}' + (f':{arg[0]}:{arg[1]}' if arg else '')


def runs(who, options, rules):
    o = filtered(who, rules, [*options, '--', '/bin/echo', 'ran'])
    need(o.status == 0 and o.out.replace('\r', '') == 'ran\n' and not o.err, f'{o}')


def runs_or_says_so(who, options, rules):
    """No fallback is promised: then the contract's error, promptly."""
    o = filtered(who, rules, [*options, '--', '/bin/echo', 'ran'], report=True, limit=10.0)
    if o.status != 0:
        need(o.status == 125 and o.out == '', f'{o}')
        check_message(o)
        check_record(o)


def leaks_named(who, options, rules):
    o = filtered(who, rules, ['--fail-on-leak', '--leak-grace', '0', *options, '--', *DAEMON], report=True)
    need(o.status == 123, f'expected status 123; {o}')
    leaked = json.loads(o.report)['leaked']
    need([x['command'][-2:] for x in leaked] == [['sleep', '1000']], f'leaked: {leaked}; {o}')  # setsid still, on a busy machine
    need('leaked: PID' in o.err and 'sleep 1000' in o.err, f'the leak is not named; {o}')


def cpu_time(who, options, rules):
    o = filtered(who, rules, ['--cpu-time', '200ms', '--grace', '0', *options, '--', '/bin/sh', '-c', 'while :; do :; done'],
                 limit=10.0)
    need(o.status == 124, f'expected status 124; {o}')


def closed(who, rules):
    """--close-fds without the call: the command has 0, 1, 2 and ls's own."""
    o = filtered(who, rules, ['--close-fds', '--', '/bin/ls', '/proc/self/fd'])
    need(o.status == 0 and o.out.split() == ['0', '1', '2', '3'], f'{o}')


def none_of_ours(who, rules):
    """None of pidbox's own is open inside: no socket, no pidfd, no memfd of the init's but what the caller gave."""
    o = filtered(who, rules, ['--', '/bin/ls', '-l', '/proc/self/fd'])
    names = re.findall(r'-> (.*)', o.out)
    need(o.status == 0 and not [n for n in names if 'socket' in n or 'pidfd' in n or 'pidbox-init' in n], f'{o}')


def pipe_ends(who, options, rules):
    """A pipe is at its end when the command has closed it, though the box runs on."""
    r, w = os.pipe()
    p = subprocess.Popen([cfg.filter, *as_user(who), *rules, '--', cfg.pidbox, 'run', *options, '--', '/bin/sh', '-c',
                          f'exec {w}>&- >&- 2>&-; sleep 1000'], pass_fds=[w], stdin=subprocess.DEVNULL, cwd='/',
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True)
    os.close(w)
    os.set_blocking(r, False)
    until, end = time.monotonic() + 3.0, False
    while not end and time.monotonic() < until:
        try:
            end = os.read(r, 1) == b''
        except BlockingIOError:
            time.sleep(0.01)
    early = p.poll()
    p.kill()
    p.wait()
    os.close(r)
    left = children_gone(5.0)
    end_all(left)
    need(early is None, f'the box ended by itself: status {early}')
    need(end, 'the pipe is held open by the box')
    need(not left, f'left: {left}')


def start_fails(who, rules):
    """A step fails, and the calls by which the front would end the init are not there: it must not wait for ever."""
    o = filtered(who, rules, ['--map', 'root', '--chdir', '/nowhere', '--', '/bin/echo', 'ran'], limit=10.0)
    need(o.status == 125 and o.out == '', f'{o}')
    check_message(o)


def map_fails(rules):
    """The front's own step fails, and its signal to the init does too."""
    o = filtered('root', rules, ['--uid-map', '0:0:1', '--gid-map', '0:0:1', '--gid-map', '0:5:1', '--', '/bin/echo', 'ran'],
                 limit=10.0)
    need(o.status == 125 and o.out == '', f'{o}')
    check_message(o)


def named_errors(who, call, err, want):
    o = filtered(who, [rule(call, err)], ['--', '/bin/echo', 'ran'], report=True)
    need(o.status == 125 and o.out == '', f'{o}')
    rec = check_record(o)
    need(rec['code'] in want, f'expected one of {want}, the record says {rec["code"]}; {o}')
    check_message(o)


def not_masked():
    """As root without a user namespace the kernel asks for no visible /proc: PROC_MASKED would name the wrong layer."""
    o = injected('root', ['--fail-call', f'init,{NR["mount"]},2,{EPERM}'], ['--', '/bin/echo', 'ran'], report=True)
    need(o.hit and check_record(o)['code'] != 'PROC_MASKED', f'{o}')


TABLE = [
    ('close_range is ENOSYS', lambda: [rule('close_range', ENOSYS)]),
    ('close_range is EPERM', lambda: [rule('close_range', EPERM)]),
    ('close_range has no CLOEXEC', lambda: [rule('close_range', EINVAL, (2, CLOSE_RANGE_CLOEXEC))]),
]


def cases(quick):
    for who in BOTH:
        def works(who=who):
            for name, rules in TABLE:
                for options in [], ['--close-fds'], ['--tty'], ['--as-pid1']:
                    yield f'{name} {" ".join(options)}', runs, (who, options, rules())
            for words, rules in (
                    ('memfd_create knows no MFD_EXEC', [rule('memfd_create', EINVAL, (1, MFD_EXEC))]),
                    ('clone3 is ENOSYS', [rule('clone3', ENOSYS)]),
                    ('openat2, statx, faccessat2 are ENOSYS', [rule(c, ENOSYS) for c in ('openat2', 'statx', 'faccessat2')]),
                    ('pidfd_getfd is EPERM', [rule('pidfd_getfd', EPERM)]),
                    ('the new mount calls are ENOSYS', [rule(c, ENOSYS) for c in ('fsopen', 'fsconfig', 'fsmount')])):
                yield words, runs, (who, [], rules)
                yield f'{words} --timeout', runs, (who, ['--timeout', '60', '--fail-on-leak'], rules)
        yield 'works without', who, works

        def descriptors(who=who):
            for name, rules in TABLE:
                yield f'{name}: --close-fds', closed, (who, rules())
                yield f'{name}: none of ours inside', none_of_ours, (who, rules())
                for options in [], ['--as-pid1']:
                    yield f'{name}: a pipe ends {" ".join(options)}', pipe_ends, (who, options, rules())
            for options in [], ['--as-pid1']:
                yield f'all calls there: a pipe ends {" ".join(options)}', pipe_ends, (who, options, [])
        yield 'descriptors', who, descriptors

        def surveys(who=who):
            for call in 'fsopen', 'fsconfig', 'fsmount':
                for err in ENOSYS, EPERM:
                    words = f'{call} is {errno.errorcode[err]}'
                    for options in [], ['--proc', 'keep'], ['--proc', 'none']:
                        if options == ['--proc', 'none']:
                            continue  # nothing is left to read it from
                        yield f'leaks, {words} {" ".join(options)}', leaks_named, (who, options, [rule(call, err)])
                    yield f'CPU time, {words}', cpu_time, (who, [], [rule(call, err)])
            for options in [], ['--proc', 'keep'], ['--proc', 'none'], ['--map', 'root']:
                yield f'leaks, all calls there {" ".join(options)}', leaks_named, (who, options, [])
        yield 'a survey without a procfs of its own', who, surveys

        def absent(who=who):
            for call in ('pidfd_open', 'pidfd_send_signal', 'memfd_create', 'execveat', 'signalfd4', 'capset', 'mount'):
                for err in (ENOSYS, EPERM):
                    for options in [], ['--as-pid1'], ['--tty']:
                        words = f'{call} is {errno.errorcode[err]} {" ".join(options)}'
                        yield words, runs_or_says_so, (who, options, [rule(call, err)])
        yield 'the contract\'s error without', who, absent

        def ends(who=who):
            for call in 'pidfd_send_signal', 'kill':
                yield f'{call} is ENOSYS, the command cannot start', start_fails, (who, [rule(call, ENOSYS)])
        yield 'a failed start ends', who, ends

        def codes(who=who):
            yield 'clone is EPERM', named_errors, (who, 'clone', EPERM, ('USERNS_SECCOMP', ))
            yield 'clone is ENOSYS', named_errors, (who, 'clone', ENOSYS, ('USERNS_SECCOMP', ))
        yield 'the layer that refused', who, codes

    def root_only():
        yield 'a map of the front that fails, pidfd_send_signal is ENOSYS', map_fails, ([rule('pidfd_send_signal', ENOSYS)], )
        yield 'a map of the front that fails', map_fails, ([], )
        yield 'EPERM of mount is not PROC_MASKED', not_masked, ()
    yield 'a failed start of root\'s', 'root', root_only
