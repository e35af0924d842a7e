# SPDX-License-Identifier: MIT
"""Signals to the front reach the command once; real-time ones one by one, with their values; --signal-map."""
from support import *

STANDARD = [s for s in range(1, 32) if s not in (9, 17, 18, 19, 20, 21, 22)]


def pending(pid):
    return [x for x in open(f'/proc/{pid}/status') if x.startswith(('ShdPnd', 'SigPnd')) and int(x.split()[1], 16)]


class Counter:
    """A box with `sigcount` in it."""
    def __init__(self, t, *args, **kw):
        self.t = t
        self.p = t.start_box(*args, '--', 'sigcount', stdin=subprocess.PIPE, process_group=0, **kw) \
            if sys.version_info >= (3, 11) else t.start_box(*args, '--', 'sigcount', stdin=subprocess.PIPE, pre=os.setpgrp, **kw)
        if self.p.out.line() != 'ready':
            t.fail(f'sigcount did not start: {self.p.err.rest()}')

    def next(self, seconds=3):
        try:
            got = self.p.out.line(seconds)
        except Fail:
            return None
        return tuple(int(x) for x in got.split()[1:]) if got and got.startswith('got') else got

    def fence(self, sig=signal.SIGUSR1):
        """Everything that arrived before some further signals to the front alone, which all arrive."""
        got = []
        until(lambda: not any(pending(p) for p in [self.p.pid, *children(self.p.pid)]), 2)  # else the kernel makes one of two
        for _ in range(3):
            self.p.send_signal(sig)
            while True:
                g = self.next()
                if g is None:
                    self.t.fail('the fence signal was lost')
                if g[0] == sig:
                    break
                got.append(g)
        return got

    def end(self):
        self.p.stdin.close()
        rest = self.p.out.rest().split('\n')
        self.t.eq(self.t.finish(self.p), 0, 'status')
        return [x for x in rest if x.startswith('got')]


@each({'by default': [], 'with a time limit': ['--timeout', '20'], 'as PID 1': ['--as-pid1']})
def each_to_the_front_alone(t, args):
    c = Counter(t, *args)
    for s in STANDARD:
        c.p.send_signal(s)
        got = c.next()
        t.eq(got and got[0], s, f'signal {s}')
    t.eq(c.fence(), [], 'arrived twice')
    t.eq(c.end(), [], 'after the end')


@each({'by default': [], 'as PID 1': ['--as-pid1']})
def each_to_the_whole_group(t, args):
    c = Counter(t, *args)
    for s in STANDARD * 2:
        if s == 28:
            continue
        os.killpg(c.p.pid, s)
        got = c.next()
        if not t.eq(got and got[0], s, f'signal {s}'):
            break
    t.eq(c.fence(), [], 'arrived twice')
    for i in range(40):  # quickly, front and command racing
        os.killpg(c.p.pid, signal.SIGHUP)
        t.eq((c.next() or [0])[0], 1, f'HUP {i}')
    t.eq(c.fence(), [], 'arrived twice')
    t.eq(c.fence(signal.SIGHUP), [], 'arrived twice')
    t.eq(c.end(), [], 'after the end')


@test
def real_time_each(t):
    c = Counter(t)
    for s in range(32, 65):
        os.kill(c.p.pid, s)
        t.eq((c.next() or [0])[0], s, f'signal {s}')
    t.eq(c.fence(), [], 'arrived twice')
    t.eq(c.end(), [], 'after the end')


@test
def real_time_one_by_one_with_values(t):
    c = Counter(t)
    for i in range(200):
        sigqueue(c.p.pid, 35, i + 1000)
    got = [c.next() for _ in range(200)]
    t.eq([g and g[0] for g in got], [35] * 200, '200 of RTMIN+1')
    t.eq([g and g[2] for g in got], list(range(1000, 1200)), 'their values, in order')
    for s in range(64, 40, -1):
        sigqueue(c.p.pid, s, s)
    t.eq(sorted(c.next() or (0, 0, 0) for _ in range(24)), [(s, -1, s) for s in range(41, 65)], 'different ones: signal, SI_QUEUE, value')
    sigqueue(c.p.pid, signal.SIGUSR2, 4711)
    t.eq((c.next() or (0, 0, 0))[::2], (12, 4711), 'a standard one with a value')
    t.eq(c.fence(), [], 'arrived twice')
    c.end()


@test
def real_time_to_the_group(t):
    c = Counter(t)
    for i in range(50):
        os.killpg(c.p.pid, 40)
    t.eq([(c.next() or [0])[0] for _ in range(50)], [40] * 50, '50 to the group')
    t.eq(c.fence(), [], 'arrived twice')
    c.end()


@test
def signal_map(t):
    for spec, sent, want in (('TERM=QUIT', 15, 3), ('SIGTERM=SIGQUIT', 15, 3), ('15=3', 15, 3), ('RTMIN=USR1', 34, 10),
                             ('RTMIN+1=RTMAX', 35, 64), ('HUP=RTMAX-1', 1, 63), ('INT=TERM,TERM=INT', 15, 2), ('INT=TERM,TERM=INT', 2, 15)):
        with t.case(spec):
            c = Counter(t, '--signal-map', spec)
            c.p.send_signal(sent)
            t.eq((c.next() or [0])[0], want, f'{sent} arrives as')
            t.eq(c.fence(signal.SIGWINCH), [], 'arrived twice')
            c.end()
    with t.case('drop'):
        c = Counter(t, '--signal-map', 'HUP=,INT=', '--signal-map=USR2=')
        for s in signal.SIGHUP, signal.SIGINT, signal.SIGUSR2:
            c.p.send_signal(s)
        t.eq(c.fence(), [], 'HUP, INT and USR2 are dropped')
        c.end()
    for v in 'FOO=1', 'TERM=65', 'TERM', '0=1', '=TERM', 'TERM=FOO', '', 'TERM=1,', '-1=1', 'RTMIN+40=1', 'RTMAX+1=1':
        t.error(t.box(f'--signal-map={v}', '--', 'true'), 'USAGE', has='--signal-map')
    for v in 'FOO', '0', '65', '', '-1', 'TERM=1', 'RTMIN-1':
        t.error(t.box(f'--stop-signal={v}', '--', 'true'), 'USAGE', has='--stop-signal')


@test
def a_fatal_signal_to_the_front(t):
    for s in 15, 2, 1, 3, 10, 14, 13, 34, 64, 6, 11:
        p = t.start_box('--', 'sh', '-c', 'echo up; exec sleep 100')
        t.eq(p.out.line(), 'up', 'start')
        p.send_signal(s)
        t.eq(t.finish(p), -s, f'status after signal {s} to the front')
        t.nothing_left()


@test
def a_command_that_handles_it_decides(t):
    p = t.start_box('--', 'sh', '-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.01; done')
    t.eq(p.out.line(), 'up', 'start')
    p.send_signal(signal.SIGTERM)
    t.eq(t.finish(p), 7, 'status')
    p = t.start_box('--', 'sh', '-c', 'trap "" TERM; echo up; read x; exit 8', stdin=subprocess.PIPE)
    t.eq(p.out.line(), 'up', 'start')
    p.send_signal(signal.SIGTERM)
    p.stdin.close()
    t.eq(t.finish(p), 8, 'status of a command that ignores TERM')


@test
def stop_and_continue(t):
    """Ctrl-Z behaves: the front stops when its command stops, and CONT to the front wakes both."""
    for s in signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU:
        p = t.start_box('--', 'sh', '-c', 'echo up; read x; exit 4', stdin=subprocess.PIPE, pre=lambda: os.setpgid(0, 0))
        t.eq(p.out.line(), 'up', 'start')
        cmd = t.command_of(p)
        p.send_signal(s)
        stopped = lambda: os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
        t.ok(until(stopped), f'{s.name}: the front is stopped')
        state = lambda: proc_table().get(cmd, (0, 'gone'))[1]
        t.ok(until(lambda: state() == 'T'), f'{s.name}: the command is stopped (state {state()})')
        t.ok(select.select([p.stdout], [], [], 0)[0] == [], 'and does not go on')
        os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WNOHANG)
        p.send_signal(signal.SIGCONT)
        t.ok(until(lambda: state() not in 'Tt'), f'{s.name}: the command goes on after CONT')
        p.stdin.close()
        t.eq(t.finish(p), 4, f'{s.name}: status')


@test
def stop_of_the_whole_group(t):
    p = t.start_box('--', 'sh', '-c', 'echo up; read x; exit 4', stdin=subprocess.PIPE, pre=lambda: os.setpgid(0, 0))
    t.eq(p.out.line(), 'up', 'start')
    for s in signal.SIGTSTP, signal.SIGSTOP:
        os.killpg(p.pid, s)
        t.ok(until(lambda: os.waitid(os.P_PID, p.pid, os.WSTOPPED | os.WNOHANG)), f'{s.name}: stopped')
        os.killpg(p.pid, signal.SIGCONT)
        t.ok(until(lambda: proc_table().get(p.pid, (0, '?'))[1] != 'T'), f'{s.name}: goes on')
    p.stdin.close()
    t.eq(t.finish(p), 4, 'status')


@each({'CONT, TSTP': ('CONT', 'TSTP'), 'TSTP, CONT': ('TSTP', 'CONT'), 'CONT, TTIN': ('CONT', 'TTIN')})
def stop_and_continue_closely(t, first, second):
    """A stop signal discards a SIGCONT that is pending, and the other way round: front and init may each have seen
    another half of the pair. What came last is what the whole group does (Ctrl-Z just after fg)."""
    # Not a shell with a trap: a signal between its look at what has come and read(2) waits for the end of that.
    p = t.start_box('--', 'sigcount', 'stay', stdin=subprocess.PIPE, pre=lambda: os.setpgid(0, 0))
    t.eq(p.out.line(), 'ready', 'start')
    pids = p.pid, t.command_of(p)
    stopped = lambda: [open(f'/proc/{pid}/stat').read().rsplit(') ')[1][0] == 'T' for pid in pids]
    for i in range(250):
        os.killpg(p.pid, signal.Signals['SIG' + first])
        for _ in range(i % 25 * 100):  # the front, the init or neither has taken the first one by now
            pass
        os.killpg(p.pid, signal.Signals['SIG' + second])
        if not t.ok(until(lambda: stopped() == [second != 'CONT'] * 2, 2), f'round {i}: front, command: {stopped()}'):
            break
        if second == 'CONT':  # the front hears this one and passes it on
            p.send_signal(signal.SIGUSR1)
            if not t.eq(p.out.line(), f'got {int(signal.SIGUSR1)} 0 0', f'round {i}: all go on'):
                break
    os.killpg(p.pid, signal.SIGCONT)
    os.killpg(p.pid, signal.SIGTERM)
    t.eq(p.out.line(), f'got {int(signal.SIGTERM)} 0 0', 'a signal after that')
    p.stdin.close()
    t.eq(t.finish(p), 0, 'end')


@test
def a_sigchld_of_somebody_hides_no_end(t):
    """Standard signals merge: the kernel's SIGCHLD is dropped while somebody's is pending."""
    for i in range(40):
        if not t.eq(t.box('--', 'die', 'sigchld', timeout=20).code, 0, f'round {i}'):
            break
