# SPDX-License-Identifier: MIT
"""However the box ends, and whoever is killed first, nothing of it is left. And: the init reaps."""
from support import *

HOLD = 'daemonize; trap "" TERM HUP INT; while :; do sleep 1; done'


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def gone_after(t, kill, args=(), n=60, longest=0.005, code=None, settle=5.0):
    """Start boxes, do kill(Popen) after 0..longest seconds; all must be gone, pipe and all."""
    n = rounds(n // 2, n)
    for i in range(n):
        rd, wr = pipe()
        p = t.start_box(*args, '--', 'sh', '-c', HOLD, stdout=wr, stderr=subprocess.DEVNULL)
        os.close(wr)
        spin(longest * i / n)
        kill(p)
        got = t.finish(p)
        if code is not None and not t.eq(got, code, f'round {i}: status'):
            break
        t.where = f'round {i}, {longest * i / n * 1e3:.1f} ms after the start'
        t.nothing_left(settle, 'after the end of the front')
        t.ok(at_eof(rd), 'the pipe is not at end of file')
        t.where = ''
        os.close(rd)
        if t.problems:
            break


OPTIONS = {'default': [], 'many options': ['--unshare', 'all', '--timeout', '100', '--map', 'root', '--time-offset', 'boottime=5'],
           'report': ['--fail-on-leak', '--summary', '--on-exit', 'term'], 'as PID 1': ['--as-pid1']}


@each(OPTIONS)
def sigkill_of_the_front_at_any_moment(t, args):
    gone_after(t, lambda p: p.kill(), args, 60 if not args else 40, 0.005 if not args else 0.008, -9)


@each({'to the front': (os.kill, -15), 'to its group': (os.killpg, -15), 'to its group, handled': (os.killpg, 7)})
def sigterm_at_any_moment(t, kill, want):
    """Not one is lost, before, while and after the box is set up."""
    args = ['--', 'die', 'handled' if want == 7 else 'later']
    n = rounds(50, 100)
    for i in range(n):
        p = t.start_box(*args, stderr=subprocess.DEVNULL, pre=lambda: os.setpgid(0, 0))
        spin(0.004 * i / n)
        kill(p.pid, signal.SIGTERM)
        t.where = f'round {i}, TERM {0.004 * i / n * 1e3:.2f} ms after the start'
        try:
            code = p.wait(2 * SLOWNESS)
        except subprocess.TimeoutExpired:
            t.fail('it is lost: the box runs on')
        t.ok(code in (want, -15), f'status {code}')
        t.nothing_left()
        if t.problems:
            break


@test
def ctrl_c_at_any_moment(t):
    n = rounds(40, 80)
    for i in range(n):
        m, s = pty.openpty()
        with opened(m):
            p = t.start_box('--', 'die', 'later', stdin=s, stdout=s, stderr=s,
                            pre=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))
            os.close(s)
            spin(0.004 * i / n)
            os.write(m, b'\x03')
            try:
                code = p.wait(2 * SLOWNESS)
            except subprocess.TimeoutExpired:
                t.fail(f'round {i}: Ctrl-C {0.004 * i / n * 1e3:.2f} ms after the start is lost')
            if not t.eq(code, -2, f'round {i}: status'):
                break


@test
def sigkill_of_the_whole_group_at_any_moment(t):
    for i in range(30):
        p = t.start(['setsid', t.pidbox, 'run', '--', 'sh', '-c', HOLD], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        spin(0.007 * i / 30)
        with contextlib.suppress(OSError):
            os.killpg(p.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            p.kill()
        t.finish(p)
        t.nothing_left(5, f'{0.007 * i / 30 * 1e3:.1f} ms after the start')


def running(t, *args):
    p = t.start_box(*args, '--', 'sh', '-c', 'daemonize; echo up; ' + HOLD)
    t.eq(p.out.line(), 'up', 'start')
    return p


@test
def sigkill_of_the_front_when_it_runs(t):
    for args in [], ['--grace', '0'], ['--on-exit', 'wait'], ['--timeout', '50'], ['--fail-on-leak'], ['--as-pid1']:
        p = running(t, *args)
        p.kill()
        t.eq(t.finish(p), -9, 'status')
        t.nothing_left(5, f'{args} after SIGKILL of the front')
        t.ok(p.out.rest(5) == '', 'end of file')


@test
def sigkill_of_the_init(t):
    for args in [], ['--timeout', '50'], ['--fail-on-leak', '--on-exit', 'wait']:
        p = running(t, *args)
        os.kill(t.init_of(p), signal.SIGKILL)
        t.ok(t.finish(p) not in (0, None), 'status of a box whose init was killed')
        t.nothing_left()


@test
def sigkill_of_the_command(t):
    p = running(t)
    os.kill(t.command_of(p), signal.SIGKILL)
    t.eq(t.finish(p), -9, 'status')
    t.nothing_left()


@test
def stopped_ones_go_too(t):
    with t.case('a stopped command, its front killed'):
        p = running(t)
        os.kill(t.command_of(p), signal.SIGSTOP)
        p.kill()
        t.finish(p)
        t.nothing_left(5, 'after SIGKILL of the front')
    with t.case('a stopped init, its front killed'):
        p = running(t)
        os.kill(t.init_of(p), signal.SIGSTOP)
        p.kill()
        t.finish(p)
        t.nothing_left(5, 'after SIGKILL of the front')
    for q in t.left():
        with contextlib.suppress(OSError):
            os.kill(q, signal.SIGKILL)
    with t.case('a stopped front killed'):
        p = running(t)
        p.send_signal(signal.SIGSTOP)
        p.kill()
        t.finish(p)
        t.nothing_left(5, 'after SIGKILL of the front')


@test
def the_callers_death_in_a_box_of_a_box(t):
    """One box inside another: ending the outer one ends both."""
    p = t.start_box('--', t.pidbox, 'run', '--', 'sh', '-c', 'daemonize; echo up; ' + HOLD)
    t.eq(p.out.line(), 'up', 'start')
    p.kill()
    t.finish(p)
    t.nothing_left(5, 'after SIGKILL of the outer front')


@test
def the_box_ends_with_the_front_even_if_its_caller_forked(t):
    """A copy of the front's descriptors elsewhere does not keep a box."""
    rd, wr = pipe()
    with opened(rd, wr):
        p = t.start(['sh', '-c', 'sleep 3 & exec pidbox run -- sh -c "daemonize; echo up; sleep 100"'], stdout=subprocess.PIPE)
        out = Lines(p.stdout)
        t.eq(out.line(), 'up', 'start')
        p.kill()
        t.finish(p)
        t.ok(until(lambda: not [q for q in t.left() if not comm(q).startswith('sleep 3')], 5), 'gone')
    for q in t.left():
        os.kill(q, signal.SIGKILL)


@test
def a_moving_target_goes(t):
    for args in [], ['--on-exit', 'term', '--grace', '0'], ['--fail-on-leak']:
        r = t.box(*args, '--', 'sh', '-c', 'respawn; respawn; respawn; exit 0', timeout=10)
        t.ok(r.code in ((123,) if args[:1] == ['--fail-on-leak'] else (0,)), f'{args}: status {r.code}')
        t.nothing_left()


@test(limit=240)
def fork_storm(t):
    r, rec = t.report('--', t.helper('forkstorm'), '4000', timeout=200)
    t.good(r, 0)
    t.ok(rec['reaped'] >= 3990, f'reaped {rec["reaped"]} of 4000 orphans')


@test
def many_zombies_at_once(t):
    r = t.box('--', 'sh', '-c', 'zombies 2000; exit 3')
    t.eq((r.code, r.out), (3, 'made 2000 left 0\n'), 'zombies')


@test
def orphans_are_the_inits(t):
    t.good(t.box('--', 'orphan'), 0, 'ppid 1\n')
    t.good(t.box('--', 'sh', '-c', f'daemonize {slow(1)}; ps -o ppid= -C daemonize | tr -d " "'), 0, '1\n')


@test
def statuses_under_load(t):
    """The command's status is not lost among those of thousands of orphans."""
    for i in range(5):
        r = t.box('--', 'sh', '-c', '(forkstorm 300 &) ; forkstorm 200; exit 42')
        t.eq(r.code, 42, f'round {i}')


@test(modes='user')
def the_init_is_out_of_reach(t):
    """The command can neither trace the init nor take its descriptors."""
    r = t.box('--', 'sh', '-c', 'ls /proc/1/fd; cat /proc/1/environ; readlink /proc/1/exe; readlink /proc/1/cwd')
    t.eq(r.out, '', 'what /proc/1 gives')
    t.ok(r.err.count('ermission denied') >= 1, r.err)


@test
def many_at_once(t):
    ps = [t.start_box('--', 'sh', '-c', f'daemonize; exit {i}', stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(60)]
    t.eq([t.finish(p) for p in ps], list(range(60)), 'statuses')
    t.nothing_left()


@test(modes='root')
def nested_32_deep(t):
    level = len([x for x in open('/proc/self/status') if x.startswith('NSpid')][0].split()) - 1
    nest = t.write('nest', '#!/bin/sh\n[ $1 = 0 ] && exec sh -c "echo bottom; exit 7"\nexec pidbox run -- $0 $(($1 - 1))\n', 0o755)
    free = 32 - level + 1
    r = t.run([nest, str(free)], timeout=25)
    t.eq((r.code, r.out), (7, 'bottom\n'), f'{free} boxes in one another ({short(r.err)})')
    r = t.run([nest, str(free + 1)], timeout=25)
    t.error(r, 'NS_LIMIT', has='32')


@test
def the_init_is_the_command_itself(t):
    """`ls` knows the box by its file, after an upgrade as well."""
    file = t.path('pidbox')
    shutil.copy(t.pidbox, file)
    p = t.start([file, 'run', '--', 'sleep', '1000'])
    t.ok(until(lambda: comm(t.command_of(p)) == 'sleep 1000', 10), 'the command is executed')
    init = t.init_of(p)
    if t.mode == 'root':
        t.eq(os.readlink(f'/proc/{init}/exe'), file, 'the file of the init')
    os.unlink(file)
    rows = [r for r in json.loads(t.run([t.pidbox, 'ls', '--json']).out)['boxes'] if r['init_pid'] == init]
    t.eq([(r['command'], r['pidbox'] is not None) for r in rows], [(['sleep', '1000'], True)], 'ls')
    p.terminate()
    t.eq(t.finish(p), -15, 'status')


@test(modes='user')
def a_command_that_may_not_be_read(t):
    """Then the init comes from sealed memory."""
    file = t.path('pidbox')
    shutil.copy(t.pidbox, file)
    os.chmod(file, 0o111)
    t.good(t.run([file, 'run', '--', 'cat', '/proc/1/comm']), 0, 'pidbox-init\n')
