# SPDX-License-Identifier: MIT
"""pidbox-init says why a request to end comes to nothing: one line for each cause, once, and none when nothing is lost."""
from manners import *

WAITS = 'echo up; read x; exit 5'
IGNORES = f'trap "" TERM INT; {WAITS}'
NO_MORE = r'; with --grace it is ended all the same'


def warning(text):
    return 'pidbox-init: warning: ' + text


def ignored(*sigs):
    def pre():
        for s in sigs:
            signal.signal(s, signal.SIG_IGN)
    return pre


def blocked(*sigs):
    return lambda: signal.pthread_sigmask(signal.SIG_BLOCK, sigs)


def started(t, argv, pid1, **kw):
    """It runs, and its command has said "up": with .out, .err, .init."""
    p = t.start(argv, **dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.PIPE), **kw)
    p.out, p.err = Lines(p.stdout), Lines(p.stderr)
    t.eq(p.out.line(), 'up', 'the command')
    p.init = next(c for c in children(p.pid) if is_first(c)) if pid1 else p.pid
    return p


def ends(t, p, code=5):
    """Its command reads a line and ends; and what else was said."""
    if code == 5:
        p.stdin.write(b'\n')
    t.eq((t.finish(p), p.err.rest()), (code, ''), 'status, and what else is said')


@both
def ignored_requests(t, pid1):
    m = own(t, pid1)
    mine = r'PID \d+ ignores it' + NO_MORE
    for name, opts, script, pre, sent, want in (
            ('by the command', [], IGNORES, None, 'TERM', 'SIGTERM is lost: ' + mine),
            ('SIGINT', [], IGNORES, None, 'INT', 'SIGINT is lost: ' + mine),
            ('to the group', ['-g'], IGNORES, None, 'TERM', 'SIGTERM is lost: ' + mine),
            ('rewritten', ['-r', 'TERM:USR1'], f'trap "" USR1; {WAITS}', None, 'TERM', 'SIGUSR1 is lost: ' + mine),
            ('the stop signal', ['--stop-signal', 'USR2'], f'trap "" USR2; {WAITS}', None, 'USR2', 'SIGUSR2 is lost: ' + mine),
            ('by the caller, as in a shell\'s "&"', [], WAITS, ignored(signal.SIGINT, signal.SIGQUIT), 'INT',
             r'SIGINT is lost: PID \d+ ignores it \(pidbox-init was started so\)' + NO_MORE)):
        with t.case(name):
            p = started(t, m.argv(*opts, *SH, script), pid1, pre=pre)
            for _ in range(3):  # said once
                os.kill(p.init, SIGS['SIG' + sent])
                t.ok(taken(p.init), 'the init does not take its signals')
            line = p.err.line()
            t.ok(re.fullmatch(warning(want), line or ''), f'said: {line!r}')
            ends(t, p)


@both
def requests_that_are_not_taken(t, pid1):
    """Blocked since before the init, and a command that is stopped: told when they have not been taken for a second."""
    m = own(t, pid1)
    p = started(t, m.argv(*SH, WAITS), pid1, pre=blocked(signal.SIGTERM))
    os.kill(p.init, signal.SIGTERM)
    line = p.err.line()
    t.ok(re.fullmatch(warning(r'SIGTERM does not reach the command: PID \d+ blocks it \(pidbox-init was started so\)' + NO_MORE),
                      line or ''), f'blocked: {line!r}')
    ends(t, p)
    if pid1:  # else the init stops as well
        p = started(t, m.argv(*SH, WAITS), pid1)
        me = children(p.init)[0]
        os.kill(me, signal.SIGSTOP)
        t.ok(until(lambda: state(me) == 'T'), 'the command is not stopped')
        os.kill(p.init, signal.SIGTERM)
        line = p.err.line()
        t.ok(re.fullmatch(warning(r'SIGTERM does not reach the command: PID \d+ is stopped; SIGCONT lets it go on'), line or ''),
             f'stopped: {line!r}')
        os.kill(p.init, signal.SIGCONT)
        t.eq(t.finish(p), 143, 'status after SIGCONT')


@each({'as PID 1': True, 'not PID 1': False}, modes='root')
def requests_that_are_refused(t, pid1):
    """To a program that became root by its file's mode: kill(2) refuses that to an ordinary user."""
    if os.statvfs(t.tmp).f_flag & os.ST_NOSUID:
        t.skip('the test directory is on a file system that is mounted nosuid')
    os.chmod(t.tmp, 0o755)
    shutil.copy(shutil.which('setpriv', path=t.env['PATH']), t.path('root'))
    os.chmod(t.path('root'), 0o4755)
    box = [t.pidbox, 'run', '--as-pid1', '--'] if pid1 else []
    p = started(t, [*box, 'setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups', os.path.join(cfg.bin, NAME),
                    t.path('root'), '--reuid', '0', *SH, WAITS], pid1)
    for _ in range(2):
        os.kill(p.init, signal.SIGTERM)
        t.ok(taken(p.init), 'the init does not take its signals')
    line = p.err.line()
    t.ok(re.fullmatch(warning(r'SIGTERM does not reach the command: PID \d+ is not ours to signal \(Operation not permitted\)' + NO_MORE),
                      line or ''), f'said: {line!r}')
    ends(t, p)


SECOND = ['--timeout', '1500ms', '--grace', '5s']  # by the time of its stop signal the second is over


@both
def nothing_is_lost(t, pid1):
    m = own(t, pid1)
    for name, script, code in (('a death', WAITS, 143),
                               ('a handler', 'trap "exit 3" TERM; echo up; while :; do sleep 0.01; done', 3)):
        with t.case(name):
            p = started(t, m.argv(*SH, script), pid1)
            os.kill(p.init, 15)
            ends(t, p, code)
    inner = [os.path.join(cfg.bin, NAME), '-r', 'INT:0', *SH, WAITS]
    waiting = [(name, started(t, m.argv(*SECOND, *opts, *command), pid1, pre=pre), sigs) for name, opts, command, pre, sigs in (
        ('a hang-up that is ignored, as under nohup', [], [*SH, WAITS], ignored(signal.SIGHUP), [1]),
        ('what else is ignored', [], [*SH, f'trap "" USR1; {WAITS}'], None, [10]),
        ('what is to be dropped', ['-r', 'INT:0', '--signal-map', 'QUIT='], [*SH, f'trap "" INT QUIT; {WAITS}'], None, [2, 3]),
        ('ignored, and an init that waits by sigtimedwait', [], inner, ignored(signal.SIGINT), [2]),
        ('blocked, and an init that waits by sigtimedwait', [], inner, blocked(signal.SIGINT), [2]))]
    for _, p, sigs in waiting:
        for s in sigs:
            os.kill(p.init, s)
    families = []
    for name, pre in ('ignored, and a signalfd', ignored(signal.SIGINT)), ('blocked, and a signalfd', blocked(signal.SIGINT)):
        families.append((name, m.family(*SECOND, args=['alone'], pre=pre)))
        os.kill(families[-1][1].init, signal.SIGINT)
    for name, f in families:
        with t.case(name):
            t.eq([f.next(), f.next()], [('me', 2), ('me', 15)], 'the command gets')
            f.end(124)
            t.eq(f.err.rest(), '', 'said')
    for name, p, _ in waiting:
        t.eq((t.finish(p), p.err.rest()), (124, ''), f'{name}: status, said')


@both
def as_other_programs_nothing_is_said(t, pid1):
    for name in 'tini', 'docker-init', 'dumb-init', 'catatonit':
        with t.case(name):
            m = Manner(t, name, True, pid1)
            p = started(t, m.argv(*SH, IGNORES), pid1, env={**t.env, 'TINI_SUBREAPER': '1'})
            os.kill(p.init, signal.SIGTERM)
            t.ok(taken(p.init), 'the init does not take its signals')
            ends(t, p)


@test
def a_parent_that_is_pid_1(t):
    """The entrypoint is a script that starts the init instead of executing it: what is sent to PID 1 is lost (R7)."""
    init = os.path.join(cfg.bin, NAME)
    lost = warning(r'SIGTERM to PID 1 is lost \[PID1_IGNORES_SIGNAL\]: it is the parent of pidbox-init and has no handler; '
                   r'`exec pidbox-init` takes its place\n')
    command = f'{init} {" ".join(SECOND)} sleep 100'
    boxes = [(script, want, t.start_box('--as-pid1', '--', *SH, script)) for script, want in (
        (f'{command}; exit 3', lost), (f'{command.replace(init, t.pidbox + " init")}; exit 3', lost),
        (f'trap : TERM; {command}; exit 3', ''), (f'trap "" TERM; {command}; exit 3', ''),
        (f'exec {init} -e 124 sh -c "{command}; exit 3"', ''), (f'sh -c "{command}; :"; exit 3', ''),
        (f'{init} -e 124 true; exit 3', ''))]
    boxes.append(('an init under an init', '', t.start_box('--as-pid1', '--', init, *SH, f'exec {command}')))
    boxes.append(('in a box', '', t.start_box('--', *SH, f'{command}; exit 3')))
    if shutil.which('tini', path=t.env['PATH']):  # it waits by sigtimedwait(2) as well
        boxes.append(('tini', '', t.start_box('--as-pid1', '--', 'tini', '--', *SH, f'exec {command}')))
    for name, want, p in boxes:
        t.eq(t.finish(p), 3 if b'exit 3' in p.args[-1] else 124, f'{name}: status')
        said = p.err.rest()
        t.ok(re.fullmatch(want, said), f'{name}: said {said!r}')
