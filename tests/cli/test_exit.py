# SPDX-License-Identifier: MIT
"""Exit statuses: the command's own, the same signal, 125, 126, 127; what is and is not a command."""
from support import *

FATAL = [s for s in range(1, 65) if s not in (17, 18, 19, 20, 21, 22, 23, 28)]  # CHLD CONT STOP TSTP TTIN TTOU URG WINCH


@test
def own_status_unchanged(t):
    for n in t.share(range(256)):
        r = t.box('--', 'sh', '-c', f'exit {n}')
        t.good(r, n, '')


def core_on():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


@test
def dies_of_the_same_signal(t):
    for s in FATAL:
        p = t.start([t.pidbox, 'run', '--', t.helper('die'), str(s)], pre=core_on)
        if not until(lambda: os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), 10):
            t.fail(f'signal {s}: did not end')
        si = os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
        t.eq((si.si_code, si.si_status), (os.CLD_KILLED, s), f'signal {s}: (CLD_KILLED=2, CLD_DUMPED=3; signal)')
        p.wait()


@test
def no_core_of_its_own(t):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    pattern = open('/proc/sys/kernel/core_pattern').read().strip()
    if not hard or '/' in pattern or '|' in pattern:
        t.skip('no core files in the working directory here')
    r, rec = t.report('--', t.helper('die'), 'fault', pre=core_on)
    t.eq(r.code, -11, 'status')
    t.eq(rec['core_dumped'], True, 'core_dumped in the record')
    cores = [f for f in os.listdir(t.tmp) if f.startswith('core')]
    t.eq(len(cores), 1, f'core files {cores}')
    data = b''.join(open(t.path(c), 'rb').read() for c in cores)
    t.ok(b'pidbox\0run' not in data, 'the core file is pidbox\'s own')
    r, rec = t.report('--', t.helper('die'), 'fault', pre=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, hard)))
    t.eq((r.code, rec['core_dumped']), (-11, False), 'without core files: status, core_dumped')


@test
def abort_inside_is_abrt(t):
    t.good(t.box('--', t.helper('die'), 'abort'), -6)


@test
def as_pid_1_it_exits_128_plus_n(t):
    for s in 15, 9, 11, 2:
        r = t.box('--as-pid1', '--', t.pidbox, 'run', '--', t.helper('die'), str(s))
        t.eq(r.code, 128 + s, f'a pidbox that is PID 1, its command dying of signal {s}')


@test
def cannot_be_executed(t):
    rows = {
        'plain file': t.write('plain', 'x', 0o644),
        'directory': '/usr',
        'directory in the working directory': './dir',
        'script without its interpreter': t.write('noint', '#!/nonexistent/interpreter\n', 0o755),
        'text without #!': t.write('text', 'echo hi\n', 0o755),
        'empty file': t.write('empty', '', 0o755),
        'broken ELF': t.write('elf', b'\x7fELF\x02\x01\x01' + b'\0' * 100, 0o755),
        'name too long': './' + 'n' * 300,
        'loop of links': './loop',
    }
    os.mkdir(t.path('dir'))
    os.symlink('loop', t.path('loop'))
    for name, path in rows.items():
        with t.case(name):
            if name == 'name too long':
                r = t.box('--', path)
                t.ok(r.code in (126, 127), f'status {r.code}')
                continue
            m = t.error(t.box('--', path), status=126, has=path)
            if name == 'script without its interpreter' and m:
                t.ok('/nonexistent/interpreter' in m[0], f'the error does not name the interpreter: {m[0]!r}')


@test
def not_found(t):
    for name, argv, env in (('no such name', ['no-such-command-here'], {}), ('no such path', ['/nonexistent/x'], {}),
                            ('relative', ['./nope'], {}), ('file as folder', ['/etc/passwd/x'], None), ('empty', [''], {})):
        with t.case(name):
            r = t.box('--', *argv)
            if env is None:
                t.ok(r.code in (126, 127), f'status {r.code}')
            else:
                t.error(r, 'NOT_FOUND', 127)
    with t.case('PATH of the box'):
        os.mkdir(t.path('p'))
        t.write('p/only-here', '#!/bin/sh\nexit 4\n', 0o755)
        t.good(t.box('-e', f'PATH={t.path("p")}', '--', 'only-here'), 4)
    with t.case('unexecutable earlier in PATH, executable later'):
        os.mkdir(t.path('q'))
        t.write('q/only-here', 'x', 0o644)
        t.good(t.box('-e', f'PATH={t.path("q")}:{t.path("p")}', '--', 'only-here'), 4)
    with t.case('unexecutable only'):
        t.error(t.box('-e', f'PATH={t.path("q")}', '--', 'only-here'), status=126)


@test
def options_end_at_the_first_operand(t):
    t.good(t.box('echo', '--hostname', '-x', '--'), 0, '--hostname -x --\n')
    t.good(t.box('--', 'echo', '--', 'a'), 0, '-- a\n')
    t.good(t.box('sh', '-c', 'exit 9'), 9, '')


@test
def without_command_a_shell(t):
    sh = t.write('myshell', '#!/bin/sh\necho mine; exit 5\n', 0o755)
    t.good(t.box(env={**t.env, 'SHELL': sh}), 5, 'mine\n')
    env = {k: v for k, v in t.env.items() if k != 'SHELL'}
    t.good(t.box(env=env, input='echo $$; exit 6\n'), 6, '2\n')
    t.good(t.box('--', env=env, input='exit 7\n'), 7)
    t.good(t.box(env={**t.env, 'SHELL': ''}, input='exit 8\n'), 8)


@test
def its_own_failure_is_125(t):
    rows = {
        'no such directory': (['-C', '/nonexistent', '--', 'true'], 'NOT_FOUND'),
        'directory is a file': (['-C', '/etc/passwd', '--', 'true'], None),
        'report into nothing': (['--report', '/nonexistent/f', '--', 'touch', 'ran'], None),
        'report to a directory': (['--report', '/usr', '--', 'touch', 'ran'], None),
        'report to a closed descriptor': (['--report', 'fd:77', '--', 'touch', 'ran'], None),
        'events to a closed descriptor': (['--events', 'fd:77', '--', 'touch', 'ran'], None),
        'hold on a closed descriptor': (['--hold-fd', '77', '--', 'touch', 'ran'], None),
        'no such user': (['--user', 'no-such-user-here', '--', 'touch', 'ran'], ('NOT_FOUND', 'USAGE')),
        'unknown option': (['--nope', '--', 'touch', 'ran'], 'USAGE'),
    }
    for name, (args, code) in rows.items():
        with t.case(name):
            t.error(t.box(*args), code)
            t.ok(not os.path.exists(t.path('ran')), 'the command has run')
    if t.mode == 'user':
        with t.case('directory out of reach'):
            os.mkdir(t.path('shut'), 0)
            t.error(t.box('-C', t.path('shut'), '--', 'true'))
            os.rmdir(t.path('shut'))


@test
def from_inside_init_cannot_be_ended(t):
    """R7: nothing that a process inside sends to PID 1 ends the box."""
    sigs = ' '.join(str(s) for s in range(1, 65) if s not in (18, 20, 21, 22, 32, 33))
    r = t.box('--', 'bash', '-c', f'for s in {{1..64}}; do trap "" $s; done 2>/dev/null; '
              f'for s in {sigs}; do kill -$s 1; done; sleep 0.05; kill -0 1; exit 5', timeout=10)
    t.eq(r.code, 5, 'status')
