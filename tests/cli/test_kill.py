# SPDX-License-Identifier: MIT
"""pidbox kill: the end of boxes, of PID namespaces that something else has made, and of single processes; signals."""
from support import *

SLEEP = ['sleep', '1000']
SCRIPT = 'trap "echo term; exit 7" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 1000 & wait; done'
STUBBORN = 'trap "echo term" TERM; echo up; while :; do sleep 1000 & wait; done'


def kill(t, *args, **kw):
    return t.run([t.pidbox, 'kill', *map(str, args)], **kw)


def up(t, *argv, options=()):
    """A box whose command has said that it is up."""
    p = t.start_box(*options, '--', *argv)
    t.eq(p.out.line(15), 'up', 'the command')
    return p


def foreign(t, *command, settled=True):
    """A namespace that is none of pidbox's: (PID 1 outside, Popen). It says that it is up."""
    user = [] if t.mode == 'root' else ['-Ur']
    p = t.start(['unshare', *user, '-fp', '--kill-child', '--mount-proc', *command], stdout=subprocess.PIPE)
    p.out = Lines(p.stdout)
    t.eq(p.out.line(15), 'up', 'the command')
    init = children(p.pid)[0]
    # A shell blocks all signals while it forks; what is blocked is not dropped at once.
    t.ok(not settled or until(lambda: blocks_nothing(init) and any(comm(c).startswith('sleep') for c in children(init)), 10), 'it sleeps')
    return init, p


def blocks_nothing(pid):
    return re.search(r'^SigBlk:\s+0+$', open(f'/proc/{pid}/status').read(), re.M)


def gone(pid):
    return not os.path.exists(f'/proc/{pid}')


def ident(pid):
    fd = os.pidfd_open(pid)
    try:
        return f'{pid}:{os.fstat(fd).st_ino}'
    finally:
        os.close(fd)


def pidfs():
    """Has this kernel inode numbers of processes?"""
    fd = os.pidfd_open(os.getpid())
    try:
        return os.readlink(f'/proc/self/fd/{fd}') == 'pidfd:' or os.fstat(fd).st_ino > 1 and kernel() >= (6, 9)
    finally:
        os.close(fd)


@test(limit=60)
def a_box_by_all_its_names(t):
    """Its stop signal to the command; nothing is left when kill returns."""
    names = {'front': lambda p: p.pid, 'init': t.init_of, 'command': t.command_of, 'ns': lambda p: f'ns:{os.stat(f"/proc/{t.command_of(p)}/ns/pid").st_ino}'}
    if pidfs():
        names['id'] = lambda p: ident(t.init_of(p))
    for what, name in names.items():
        with t.case(what):
            p = up(t, '/bin/sh', '-c', SCRIPT)
            init = t.init_of(p)
            t.good(kill(t, name(p)))
            t.ok(gone(init) or proc_table().get(init, (0, 'Z'))[1] == 'Z', 'the init is gone')
            t.eq(t.finish(p), 7, 'status of the front')
            t.eq(p.out.rest(), 'term\n', 'what the command got')


@test(limit=60)
def the_record_says_who(t):
    f = t.path('record.json')
    p = up(t, '/bin/sh', '-c', SCRIPT, options=['--report', f])
    k = t.start([t.pidbox, 'kill', str(p.pid)])
    t.eq((t.finish(k), t.finish(p)), (0, 7), 'statuses')
    rec = t.record(f)
    t.eq((rec['reason'], rec['ended_by']['signal'], rec['ended_by']['pid']), ('killed', 'SIGTERM', k.pid), 'record')


@test(limit=60)
def the_ladder(t):
    """After the grace, the box's own or that of the command line, SIGKILL."""
    for options, args, most in ((['--grace', '200ms'], [], 5), ([], ['--grace', '200ms'], 5), ([], ['--grace', '0'], 5)):
        with t.case(f'{options} {args}'):
            p = up(t, '/bin/sh', '-c', STUBBORN, options=options)
            r = t.good(kill(t, *args, p.pid))
            t.ok((0.2 if 0 not in args and '0' not in args else 0) <= r.took < most, f'took {r.took:.2f} s')
            t.eq(t.finish(p), -9, 'the command died of SIGKILL')
            t.eq(p.out.rest(), '' if '0' in args else 'term\n', 'what the command got')


@test(limit=60)
def foreign_namespaces(t):
    """SIGTERM to PID 1; without a handler the kernel drops it, which is said; then SIGKILL."""
    init, p = foreign(t, '/bin/sh', '-c', SCRIPT)
    t.good(kill(t, init))
    t.eq((t.finish(p), p.out.rest()), (7, 'term\n'), 'a PID 1 with a handler')
    init, p = foreign(t, '/bin/sh', '-c', 'echo up; sleep 1000; :')
    r = kill(t, '--grace', '300ms', init)
    t.eq(r.code, 0, 'status')
    t.ok('[PID1_IGNORES_SIGNAL]' in r.err and 'SIGTERM' in r.err, f'said: {r.err!r}')
    t.ok(0.3 <= r.took < 10, f'took {r.took:.2f} s')
    t.finish(p)
    init, p = foreign(t, '/bin/sh', '-c', 'echo up; sleep 1000; :')
    t.good(kill(t, '--grace', '0', init))
    t.finish(p)


@test
def a_pid_1_that_waits_for_signals(t):
    """By sigtimedwait(2), as tini and pidbox-init: it has no handler, its status shows nothing blocked, and nothing is lost."""
    for pid1 in ('pidbox-init', '--'), ('tini', '--'):
        if shutil.which(pid1[0], path=t.env['PATH']):
            init, p = foreign(t, *pid1, '/bin/sh', '-c', SCRIPT, settled=False)
            t.good(kill(t, init))
            t.eq((t.finish(p), p.out.rest()), (7, 'term\n'), pid1[0])


@test(limit=60)
def several_in_parallel(t):
    """Their graces run at the same time."""
    boxes = [up(t, '/bin/sh', '-c', STUBBORN) for _ in range(3)]
    init, p = foreign(t, '/bin/sh', '-c', STUBBORN)
    r = t.good(kill(t, '--grace', f'{SLOWNESS:g}s', *[b.pid for b in boxes], init))
    t.ok(1 <= r.took / SLOWNESS < 2.5, f'took {r.took:.2f} s for four with a grace of {SLOWNESS:g} s')
    for b in boxes:
        t.eq(t.finish(b), -9, 'status')
    t.finish(p)


@each({'no descriptor': ('socket', errno.EMFILE), 'too many on their way': ('sendmsg', errno.ETOOMANYREFS)}, limit=60)
def short_of_descriptors(t, call, errnum):
    """Who cannot ask the front for a lack of his own (socket, sendmsg) ends the box as he would any other: it has its grace."""
    p = up(t, '/bin/sh', '-c', SCRIPT)
    t.good(t.run([t.helper('deny'), str(errnum), call, '--', t.pidbox, 'kill', str(p.pid)]))
    t.eq((t.finish(p), p.out.rest()), (7, 'term\n'), 'asked, and ended by itself')
    with t.case('--replace'):
        q = up(t, '/bin/sh', '-c', SCRIPT, options=('--name', 'one'))
        r = t.run([t.helper('deny'), str(errnum), call, '--', t.pidbox, 'run', '--name', 'one', '--replace', '--', 'true'])
        t.error(r, has='descriptors')
        t.eq(q.poll(), None, 'it is left alone')
        t.good(kill(t, 'one'))
        t.eq((t.finish(q), q.out.rest()), (7, 'term\n'), 'asked, and ended by itself')


@test(limit=60)
def one_process(t):
    """BOX/PID: that one only, in a box and elsewhere."""
    for where in 'box', 'foreign':
        with t.case(where):
            script = 'trap "" USR2; (trap "" TERM; exec sleep 1001) & a=$!; sleep 1002 & b=$!; sleep 1003 & echo up; echo $a $b $!; wait $b; echo b $?; wait $a; echo a $?; wait'
            if where == 'box':
                p = up(t, '/bin/sh', '-c', script)
                init = t.init_of(p)
            else:
                init, p = foreign(t, '/bin/sh', '-c', script)
            a, b, c = p.out.line().split()
            t.good(kill(t, f'{init}/{b}'))
            t.eq(p.out.line(), 'b 143', 'SIGTERM is enough')
            r = t.good(kill(t, '--grace', '200ms', f'{init}/{a}'))
            t.eq(p.out.line(), 'a 137', 'SIGKILL after the grace')
            t.ok(r.took >= 0.2, 'after the grace')
            r = kill(t, f'{init}/{a}')
            t.eq((r.code, r.out), (125, ''), 'nothing has that number any more')
            t.good(kill(t, '-INT', f'{init}/{c}'))
            t.good(kill(t, '--grace', '0', init))
            t.finish(p)


@test(limit=60)
def signals(t):
    """-s SIG, -SIG, -9: the one signal, to the command."""
    p = up(t, '/bin/sh', '-c', SCRIPT)
    for args in (['-s', 'USR1'], ['-USR1'], ['--signal=SIGUSR1'], [f'-{int(signal.SIGUSR1)}'], ['-sUSR1']):
        t.good(kill(t, *args, p.pid))
        t.eq(p.out.line(), 'usr1', str(args))
    t.good(kill(t, '-KILL', p.pid))
    t.eq(t.finish(p), -9, 'of SIGKILL')
    init, p = foreign(t, '/bin/sh', '-c', SCRIPT)
    t.good(kill(t, '-USR1', init))
    t.eq(p.out.line(), 'usr1', 'foreign')
    r = kill(t, '-HUP', init)
    t.ok(r.code == 0 and '[PID1_IGNORES_SIGNAL]' in r.err and 'SIGHUP' in r.err, f'dropped: {r.err!r}')
    t.good(kill(t, '-9', init))
    t.finish(p)


@test(limit=60)
def never_our_own(t):
    """The caller's own PID namespace is refused, whatever is typed: also from inside a box, where it is a box's."""
    me = os.getpid()
    own = os.stat('/proc/self/ns/pid').st_ino
    bystander = t.start(SLEEP)
    names = [me, '1', f'{me}/1', f'{me}/{bystander.pid}', f'ns:{own}', f'ns:{own}/{bystander.pid}', bystander.pid, os.getppid(), f'1/{me}']
    if pidfs():
        names += [ident(me), f'{ident(me)}/1']
    for name in names:
        for sig in [], ['-9'], ['--grace', '0']:
            with t.case(f'{sig} {name}'):
                t.error(kill(t, *sig, name), 'OWN_NAMESPACE')
    t.eq(bystander.poll(), None, 'the bystander')
    r = t.box('--', '/bin/sh', '-c', f'for n in 1 $$ 1/1 $$/$$ ns:{{}}; do {t.pidbox} kill --grace 0 $n; echo $?; done')
    t.eq(r.out, '125\n' * 5, 'from inside a box')
    t.eq(r.err.count('[OWN_NAMESPACE]'), 4, 'refusals')


@test(limit=60)
def a_shell_is_no_front(t):
    """A process that has started a box does not stand for it."""
    p = t.start(['/bin/sh', '-c', f'{t.pidbox} run -- sleep 1000; :'])
    front = until(lambda: children(p.pid), 10)
    t.ok(until(lambda: [c for c in children(front[0])], 10), 'a box')
    t.error(kill(t, p.pid), 'OWN_NAMESPACE')
    t.good(kill(t, front[0]))
    t.finish(p)


@test(limit=60)
def never_a_used_number(t):
    """An id that is not the process's: nothing is hit. What has ended is told."""
    p = up(t, '/bin/sh', '-c', SCRIPT)
    init = t.init_of(p)
    for name in f'{init}:1', f'{init}@1', f'{init}:1/2':
        t.error(kill(t, '--grace', '0', name), 'NO_SUCH_BOX')
    with open(f'/proc/{init}/stat') as f:
        start = f.read().rsplit(')', 1)[1].split()[19]
    t.good(kill(t, f'{init}@{start}'))
    t.eq(t.finish(p), 7, 'by the time of its start')
    t.error(kill(t, f'{init}@{start}'), 'NO_SUCH_BOX')
    t.error(kill(t, 'no-such-box'), 'NO_SUCH_BOX')


@test(modes='root', limit=60)
def a_pid_inside_that_is_used_again(t):
    """BOX/PID is held before it is signalled: the one that has the number next, outside or inside, is not hit."""
    script = 'echo up; i=0; while [ $i -lt 200 ]; do echo 99 >/proc/sys/kernel/ns_last_pid; sleep 1001 & wait; i=$((i+1)); done; exec sleep 1000'
    p = up(t, '/bin/sh', '-c', script)
    init = t.init_of(p)
    for _ in range(20):
        r = kill(t, '-TERM', f'{init}/100')
        t.ok(r.code in (0, 1, 125) and not p.poll(), f'status {r.code}')
    t.good(kill(t, '--grace', '0', init))
    t.finish(p)


@test(limit=60)
def partly(t):
    """1 when not all could be done; each failure has its error."""
    p = up(t, '/bin/sh', '-c', SCRIPT)
    r = kill(t, 'no-such-box', p.pid)
    t.eq(r.code, 1, 'status')
    t.ok('[NO_SUCH_BOX]' in r.err, 'the error')
    t.eq(t.finish(p), 7, 'the other has ended')
    for bad in [], ['-l'], ['-FOO', '1'], ['-s', '65', '1'], ['--grace', 'x', '1'], ['--grace'], ['--time', '1', '1'], ['a b']:
        with t.case(bad):
            t.error(kill(t, *bad), 'USAGE')


@test(limit=90)
def a_stopped_front(t):
    """It cannot pass the end on: the init is killed all the same."""
    p = up(t, '/bin/sh', '-c', SCRIPT)
    init = t.init_of(p)
    os.kill(p.pid, signal.SIGSTOP)
    r = kill(t, '--grace', '1s', init, timeout=60)
    os.kill(p.pid, signal.SIGCONT)
    t.eq(r.code, 0, f'status: {r.err}')
    t.ok(r.took < 30, f'took {r.took:.1f} s')
    t.finish(p)


@test(modes='root', limit=60)
def a_stopped_init(t):
    """Its clock does not run: it is killed a second after its time."""
    p = up(t, '/bin/sh', '-c', SCRIPT)
    init = t.init_of(p)
    os.kill(init, signal.SIGSTOP)
    r = kill(t, '--grace', '1s', init, timeout=50)
    t.eq(r.code, 0, f'status: {r.err}')
    t.ok(r.took < 30, f'took {r.took:.1f} s')
    t.finish(p)


@test(modes='root', limit=60)
def a_holdout_is_named(t):
    """pid_namespaces(7): a stopped nsenter holds the end up."""
    init, p = foreign(t, '/bin/sh', '-c', 'echo up; sleep 1000; :')
    inner = t.start(['nsenter', '-t', str(init), '-p', 'sleep', '1001'])
    t.ok(until(lambda: [c for c in children(inner.pid) if comm(c) == 'sleep 1001']), 'nsenter has a child in the box')
    t.ok(freeze(inner.pid), 'nsenter is stopped')
    r = kill(t, '--grace', '0', init, timeout=40)
    t.eq(r.code, 125, 'status')
    t.ok(9 <= r.took <= 30, f'it gave up after ten seconds: {r.took:.1f}')
    t.ok('nsenter' in r.err and str(inner.pid) in r.err, f'the holdout is named: {r.err!r}')
    os.kill(inner.pid, signal.SIGCONT)
    inner.wait()
    t.finish(p)


@test(modes='user,userns')
def not_ours_to_kill(t):
    """Another user's: DENIED, or not ours to tell what it is."""
    others = [p for p in map(int, filter(str.isdigit, os.listdir('/proc'))) if quietly_uid(p) == 0 and len(nspid(p)) == 2 and nspid(p)[1] == 1]
    if t.mode == 'userns' or not others:
        t.skip('no box of root here')
    for pid in others:
        r = kill(t, pid)
        if quietly_uid(pid) == 0:  # it has not ended meanwhile
            t.error(r, 'DENIED')
            return
    t.skip('no box of root that goes on')


def quietly_uid(pid):
    with contextlib.suppress(OSError):
        return os.stat(f'/proc/{pid}').st_uid


def nspid(pid):
    with contextlib.suppress(OSError):
        return [int(n) for n in re.search(r'^NSpid:\s+(.*)$', open(f'/proc/{pid}/status').read(), re.M)[1].split()]
    return []


@test(limit=60)
def three_deep(t):
    """A box in a box in a box: the middle one's end takes the inner one, and leaves the outer one."""
    p = t.start_box('--', '/bin/sh', '-c', f'{t.pidbox} run -- {t.pidbox} run -- sleep 1000; echo outer $?; exec sleep 1001')
    outer = t.init_of(p)
    middle = until(lambda: [d for d, _ in descendants(outer) if len(nspid(d)) == 3 and nspid(d)[-1] == 1], 15)
    inner = until(lambda: [d for d, _ in descendants(outer) if len(nspid(d)) == 4 and nspid(d)[-1] == 1], 15)
    t.ok(until(lambda: children(inner[0]), 10), 'the inner command runs')
    t.good(kill(t, '--grace', '5s', middle[0]))
    t.ok(until(lambda: gone(inner[0]) and gone(middle[0]), 10), 'middle and inner are gone')
    t.ok(p.out.line(10).startswith('outer '), 'the outer one goes on')
    t.good(kill(t, '--grace', '0', outer))
    t.finish(p)


@test(limit=60)
def before_the_ioctls(t):
    """A kernel before 6.11: boxes and processes in them are found in /proc."""
    deny = ['deny', str(errno.ENOTTY), 'pidns', '--', t.pidbox, 'kill']
    p = up(t, '/bin/sh', '-c', SCRIPT)
    command = t.command_of(p)
    t.good(t.run([*deny, '-USR1', f'{p.pid}/2']))
    t.eq(p.out.line(), 'usr1', 'BOX/PID')
    t.good(t.run([*deny, str(command)]))
    t.eq(t.finish(p), 7, 'by its command')
    init, p = foreign(t, '/bin/sh', '-c', SCRIPT)
    t.good(t.run([*deny, f'{init}/1']))
    t.eq(t.finish(p), 7, 'a foreign PID 1')
    t.error(t.run([*deny, '1']), 'OWN_NAMESPACE')


@test(limit=60)
def how_a_signal_is_written(t):
    """As kill(1) takes it: -hup, -HUP, -SIGHUP, -1, -s hup; and what is none is refused as that, and nothing is sent."""
    p = up(t, '/bin/sh', '-c', 'trap "echo hup" HUP; echo up; while :; do sleep 1000 & wait; done')
    for args in ['-hup'], ['-HUP'], ['-SIGHUP'], ['-sighup'], ['-1'], ['-s', 'hup'], ['-sHUP'], ['--signal=SIGHUP']:
        with t.case(args):
            t.good(kill(t, *args, p.pid))
            t.eq(p.out.line(15), 'hup', 'the command')
    for args, word in {('-FOO',): '"FOO" is not a signal', ('-9x',): '"9x" is not a signal', ('-s', '9x'): '"9x" is not a signal',
                       ('-sKILLED',): '"KILLED" is not a signal', ('-65',): '"65" is not a signal', ('-0',): 'pidbox ps',
                       ('-RTMIN+31',): '"RTMIN+31"', ('-F',): 'unknown option -F', ('-hupp',): '"hupp" is not a signal', ('-l',): 'signal(7)'}.items():
        with t.case(args):
            t.error(kill(t, *args, p.pid), 'USAGE', has=word)
    t.ok(t.good(kill(t, '-h')).out.startswith('usage: pidbox kill'), 'help')
    t.eq(p.poll(), None, 'nothing was sent')
    t.good(kill(t, '--grace', '0', p.pid))
    t.finish(p)
