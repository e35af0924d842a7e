# SPDX-License-Identifier: MIT
"""pidbox wait: the exit status of boxes that are no children of the caller."""
from support import *


def wait(t, *args, **kw):
    return t.run([t.pidbox, 'wait', *map(str, args)], **kw)


def start_wait(t, *args):
    return t.start([t.pidbox, 'wait', *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def waits(p):
    """Is it in its poll(2)?"""
    with contextlib.suppress(OSError):
        return open(f'/proc/{p.pid}/syscall').read().split()[0] in ('7', '271', '73')


def foreign(t, script):
    """A namespace that is none of pidbox's, which ends when it gets SIGUSR1: (PID 1 outside, Popen)."""
    user = [] if t.mode == 'root' else ['-Ur']
    p = t.start(['unshare', *user, '-fp', '--kill-child', '--mount-proc', '/bin/sh', '-c', f'trap "{script}" USR1; echo up; while :; do sleep 1000 & wait; done'],
                stdout=subprocess.PIPE)
    p.out = Lines(p.stdout)
    t.eq(p.out.line(15), 'up', 'the command')
    return children(p.pid)[0], p


def box(t, script, *options):
    p = t.start_box(*options, '--', '/bin/sh', '-c', f'trap "{script}" USR1; echo up; while :; do sleep 1000 & wait; done')
    t.eq(p.out.line(15), 'up', 'the command')
    return p


def go(t, pid, waiter):
    t.ok(until(lambda: waits(waiter) or waiter.poll() is not None, 10), 'it waits')
    return t.run([t.pidbox, 'kill', '-USR1', str(pid)])


ENDS = {'zero': ('exit 0', 0), 'a status': ('exit 7', 7), '125 of its own': ('exit 125', 125), 'a signal': ('kill -KILL $$', -9)}


@each(ENDS, limit=60)
def own(t, script, want):
    """By the front's PID, by the init's, by a member's."""
    for name in t.init_of, t.command_of, lambda p: p.pid:
        p = box(t, script)
        w = start_wait(t, name(p))
        go(t, p.pid, w)
        t.eq((t.finish(w), t.finish(p)), (want, want), 'wait, and run')
        t.eq(w.stderr.read(), b'', 'standard error')


@test
def while_the_entry_is_made(t):
    """The command may begin while the front still makes the entry: here that waits for a lock of ours."""
    folder = os.path.join(t.env['PIDBOX_RUNTIME_DIR'], str(os.stat('/proc/self/ns/pid').st_ino))
    os.makedirs(folder, 0o700, exist_ok=True)
    for verb in 'wait', 'exec', 'kill':
        fd = os.open(folder, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        p = box(t, 'exit 7')
        if verb == 'wait':
            w = start_wait(t, p.pid)
            go(t, p.pid, w)
            t.eq((t.finish(w), t.finish(p)), (7, 7), 'wait, and run')
        elif verb == 'exec':
            r = t.run([t.pidbox, 'exec', str(t.init_of(p)), '--', 'sh', '-c', 'echo $PPID'])
            t.eq((r.code, r.out), (0, '1\n'), 'exec is done by the init')
            t.run([t.pidbox, 'kill', '-USR1', str(p.pid)])
            t.eq(t.finish(p), 7, 'run')
        else:
            r = t.run([t.pidbox, 'kill', '-USR1', str(t.command_of(p))])
            t.eq((r.code, t.finish(p)), (0, 7), 'kill, and run')
        os.close(fd)


@contextlib.contextmanager
def descriptors_in_flight(n):
    """So many that nobody has received yet: the kernel counts them for each user, against the limit of who sends (unix(7))."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        while n > 0:
            socket.send_fds(ours, [b'x'], [0] * min(n, 200))
            n -= 200
        yield


@test(limit=60)
def descriptors_of_a_user_are_all_in_flight(t):
    """The front then can pass nobody a descriptor: he is told all the same, on his own connection and without a record."""
    low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
    p = t.start_box('--', '/bin/sh', '-c', 'trap "exit 7" USR1; echo up; while :; do sleep 1000 & wait; done', pre=low)
    t.eq(p.out.line(15), 'up', 'the command')
    with descriptors_in_flight(400):
        w = start_wait(t, p.pid)
        go(t, p.pid, w)
        t.eq((t.finish(w), t.finish(p)), (7, 7), 'wait, and run')
        t.eq(w.stderr.read(), b'', 'standard error')


@test(limit=60)
def records(t):
    """--json: the record of a box, whole; an object for each."""
    f = t.path('record.json')
    p, q = box(t, 'exit 7', '--report', f), box(t, 'exit 8')
    w = start_wait(t, '--json', p.pid, q.pid)
    go(t, q.pid, w)
    t.eq(t.finish(q), 8, 'the second ends first')
    t.run([t.pidbox, 'kill', '-USR1', str(p.pid)])
    t.eq((t.finish(w), t.finish(p)), (8, 7), 'the status of the one named last')
    a, b = (json.loads(line) for line in w.stdout.read().decode().splitlines())
    t.eq(a, t.record(f), 'the record, as in the report')
    t.eq((b['reason'], b['exit_code']), ('exited', 8), 'the other')


@test(limit=60)
def foreign_ones(t):
    """The kernel tells how PID 1 ended, since 6.15; before it is unknown."""
    for script, want, reason in ('exit 7', 7, 'exited'), ('exit 0', 0, 'exited'):
        init, p = foreign(t, script)
        w = start_wait(t, '--json', init)
        go(t, init, w)
        status = t.finish(w)
        t.finish(p)
        if kernel() < (6, 15):
            t.eq(status, 125, 'unknown')
            t.ok(b'[STATUS_UNKNOWN]' in w.stderr.read(), 'said')
            continue
        t.eq(status, want, 'status')
        rec = json.loads(w.stdout.read())
        t.eq((rec['schema'], rec['reason'], rec['exit_code'], rec['signal'], rec['init_pid']), (1, reason, want, None, init), 'what is known')
    init, p = foreign(t, 'exit 7')
    w = start_wait(t, init)
    t.ok(until(lambda: waits(w), 10), 'it waits')
    t.good(t.run([t.pidbox, 'kill', '-9', str(init)]))
    t.finish(p)
    t.eq(t.finish(w), -9 if kernel() >= (6, 15) else 125, 'it was killed')


@test(limit=60)
def nobody_knows(t):
    """Where the kernel does not tell, that is the answer."""
    init, p = foreign(t, 'exit 7')
    w = t.start(['deny', str(errno.ENOTTY), 'pidns', '--', t.pidbox, 'wait', str(init)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    go(t, init, w)
    t.finish(p)
    t.eq(t.finish(w), 125, 'status')
    t.error(Result(code=125, out='', err=text(w.stderr.read()), argv=w.args), 'STATUS_UNKNOWN')


@test(limit=60)
def ended_unseen(t):
    """An id is never used again: what is not there has ended, nobody knows how. Of several boxes the last one counts."""
    init, p = foreign(t, 'exit 7')
    known = json.loads(t.good(t.run([t.pidbox, 'ls', '--json'])).out)['boxes']
    name = [b['id'] for b in known if b['init_pid'] == init][0]
    start = open(f'/proc/{init}/stat').read().rsplit(')', 1)[1].split()[19]
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', name]))
    t.finish(p)
    for gone in name, f'{init}@{start}':
        t.error(wait(t, gone), 'STATUS_UNKNOWN', has=gone)
        t.error(wait(t, '--json', gone), 'STATUS_UNKNOWN', has=gone)
    t.error(wait(t, f'{name}/1'), 'NO_SUCH_BOX')
    q = box(t, 'exit 8')
    w = start_wait(t, name, q.pid)
    go(t, q.pid, w)
    t.eq((t.finish(q), t.finish(w)), (8, 8), 'the one that is there, and named last')
    t.ok('[STATUS_UNKNOWN]' in w.stderr.read().decode(), 'the other')


@test(limit=60)
def the_front_is_killed(t):
    """Nothing is left to tell how it ended, and nothing is made up."""
    p = box(t, 'exit 7')
    w = start_wait(t, t.init_of(p))
    t.ok(until(lambda: waits(w), 10), 'it waits')
    p.kill()
    t.eq(t.finish(w), 125, 'status')
    t.ok(b'[STATUS_UNKNOWN]' in w.stderr.read(), 'said')
    t.finish(p)


@test(limit=200)
def many_at_once(t):
    """More than a front has descriptors for: all are told, and who wants something else is still served."""
    n = 400
    p = t.start_box('--report', 'r', '--', '/bin/sh', '-c', 'trap "exit 7" USR1; ulimit -n; echo up; while :; do sleep 1000 & wait; done',
                    pre=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200)))
    t.eq(p.out.line(15) + p.out.line(15), '200up', 'the command')
    with open(t.path('err'), 'wb') as err, open(t.path('out'), 'wb') as out:
        ws = [t.start([t.pidbox, 'wait', '--json', str(t.init_of(p))], stdout=out, stderr=err) for _ in range(n)]
    for w in ws:
        t.ok(until(lambda: waits(w) or w.poll() is not None, 60), 'it waits')
    t.eq(t.good(t.run([t.pidbox, 'exec', str(p.pid), 'echo', 'served'])).out, 'served\n', 'exec meanwhile')
    t.good(t.run([t.pidbox, 'kill', '-USR1', str(p.pid)]))
    t.eq(t.finish(p), 7, 'the box')
    got = [t.finish(w, 60) for w in ws]
    t.eq({c: got.count(c) for c in set(got)}, {7: n}, 'statuses, and how many have them')
    t.eq(open(t.path('err')).read()[:300], '', 'standard error')
    records = open(t.path('out')).read().splitlines()
    t.eq((len(records), len(set(records))), (n, 1), 'records, all of them alike')
    t.eq(json.loads(records[0]), t.record(t.path('r')), 'the record, as in the report')


@test(limit=60)
def time_limit(t):
    p = box(t, 'exit 7')
    r = wait(t, '--timeout', '300ms', p.pid)
    t.eq((r.code, r.out, r.err), (124, '', ''), 'over')
    t.ok(0.3 <= r.took < 10, f'took {r.took:.2f}')
    r = wait(t, '--timeout', '0', p.pid)
    t.eq(r.code, 124, 'at once')
    t.run([t.pidbox, 'kill', '-USR1', str(p.pid)])
    t.eq(t.finish(p), 7, 'it was not touched')


@test(limit=60)
def a_time_limit_of_the_box(t):
    p = t.start_box('--timeout', '4s', '--', 'sleep', '1000')  # it is waited for before that
    t.command_of(p)
    t.eq((wait(t, t.init_of(p)).code, t.finish(p)), (124, 124), 'the status of run')


@test
def refused(t):
    t.error(wait(t, os.getpid()), 'OWN_NAMESPACE')
    t.error(wait(t, '1'), 'OWN_NAMESPACE')
    t.error(wait(t, 'no-such-box'), 'NO_SUCH_BOX')
    for bad in [], ['--timeout'], ['--timeout', 'x', '1'], ['--no', '1'], ['a b']:
        with t.case(bad):
            t.error(wait(t, *bad), 'USAGE')


@test(limit=60)
def one_process(t):
    """BOX/PID: until that process has ended."""
    p = t.start_box('--', '/bin/sh', '-c', 'sleep 1001 & echo $!; wait $!; echo $?; exec sleep 1000')
    inside = p.out.line(15)
    w = start_wait(t, f'{p.pid}/{inside}')
    t.ok(until(lambda: waits(w), 10), 'it waits')
    t.good(t.run([t.pidbox, 'kill', f'{p.pid}/{inside}']))
    t.eq(p.out.line(), '143', 'it has ended')
    t.eq(t.finish(w), -15 if kernel() >= (6, 15) else 125, 'of what')
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', str(p.pid)]))
    t.finish(p)


@each(ENDS, limit=60)
def a_detached_box(t, script, want):
    """By its name: while it runs, and from the kept record as often as it is asked; by its id, too."""
    t.cleanups.append(t.forget_records)
    name = t.good(t.box('-d', '--', '/bin/sh', '-c', f'sleep 0.3; {script}')).out.strip()
    other = t.good(t.box('-d', '--name', 'other', '--', 'true')).out.strip()
    t.eq(other, 'other', 'the name')
    t.eq(wait(t, name).code, want, 'while it runs, or just after')
    r = wait(t, '--json', name)
    t.eq(r.code, want, 'from the record')
    rec = json.loads(r.out)
    t.eq((rec['name'], rec['exit_code']), (name, want if want >= 0 else None), 'the record')
    t.eq(wait(t, rec['id']).code, want, 'by its id')
    t.eq(wait(t, 'other', name).code, want, 'the last one named')
    t.eq(wait(t, name, 'other').code, 0, 'the last one named')
    r = t.run([t.pidbox, 'kill', name])
    t.eq((r.code, r.out), (1, ''), 'there is nothing to end any more')
    t.ok(name in r.err and '[' not in r.err, f'said: {r.err}')
    r = t.run([t.pidbox, 'pid', f'{name}/1'])
    t.eq((r.code, r.out), (1, 'gone\n'), 'its numbers')


@test(limit=60)
def killed_by_name(t):
    """NAME, NAME@USER and NAME@UID: the record says that it was killed."""
    t.cleanups.append(t.forget_records)
    for at in '', f'@{os.getuid()}':
        with t.case(at):
            t.good(t.box('-d', '--name', 'b', '--', 'sleep', '1000'), out='b\n')
            r = t.good(t.run([t.pidbox, 'pid', f'b{at}/2', '--json']))
            t.eq([v['pid'] for v in json.loads(r.out)['levels']][-1], 2, 'b/2')
            w = start_wait(t, '--json', f'b{at}')
            t.ok(until(lambda: waits(w), 10), 'it waits')
            t.good(t.run([t.pidbox, 'kill', f'b{at}']))
            t.eq(t.finish(w), -15, 'of its stop signal')
            t.eq(json.loads(w.stdout.read())['reason'], 'killed', 'reason')
    t.error(wait(t, 'b@no-such-user-here'), ('NO_SUCH_BOX', 'USAGE', 'NOT_FOUND'))


@test(limit=60)
def the_front_of_a_detached_box_is_killed(t):
    """The init writes the record down."""
    t.cleanups.append(t.forget_records)
    t.good(t.box('-d', '--name', 'b', '--grace', '0', '--', 'sleep', '1000'))
    r = t.good(t.run([t.pidbox, 'pid', 'b/1']))
    init = int(r.out.split()[0])
    front = int(open(f'/proc/{init}/stat').read().rsplit(')', 1)[1].split()[1])
    w = start_wait(t, '--json', 'b')
    t.ok(until(lambda: waits(w), 10), 'it waits')
    os.kill(front, signal.SIGKILL)
    t.finish(w)
    t.eq(json.loads(w.stdout.read())['reason'], 'parent-gone', 'reason')


@each({'by kill': True, 'by somebody': False}, limit=60)
def front_and_init_are_killed(t, by_kill):
    """Nobody was left to write it down: that is unknown, not a box that never was."""
    t.cleanups.append(t.forget_records)
    t.good(t.box('-d', '--name', 'b', '--grace', '100s', '--', 'sh', '-c', 'trap "" TERM; echo > up; while :; do sleep 0.1; done'))
    t.ok(until(lambda: os.path.exists(t.path('up')), 15), 'the command')
    init = int(t.good(t.run([t.pidbox, 'pid', 'b/1'])).out.split()[0])
    os.kill(int(open(f'/proc/{init}/stat').read().rsplit(')', 1)[1].split()[1]), signal.SIGKILL)
    if by_kill:
        t.good(t.run([t.pidbox, 'kill', '--grace', '200ms', 'b']))
    else:
        os.kill(init, signal.SIGKILL)
    t.nothing_left(10)
    r = wait(t, 'b')
    t.error(r, 'STATUS_UNKNOWN', 125, has='b has ended')
    t.ok(r.took < 1.5, f'there is nothing to wait for: {r.took:.2f} s')
    t.error(t.run([t.pidbox, 'exec', 'b', 'true']), 'BOX_DEAD')
    t.eq(t.run([t.pidbox, 'kill', 'b']).code, 1, 'kill: it has ended')
    t.error(wait(t, 'never-was'), 'NO_SUCH_BOX')
    t.good(t.box('-d', '--name', 'b', '--', 'sh', '-c', 'exit 4'), out='b\n')
    t.eq(wait(t, 'b').code, 4, 'the name can be used again')
    t.nothing_left(5)
