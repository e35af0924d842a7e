# SPDX-License-Identifier: MIT
"""A command, or somebody outside, works against the init and the front: the limits and the end hold all the same."""
import os, signal, subprocess

from support import Lines, children, comm, each, opened, pipe, test, until

LIMITED = ['--timeout', '0.5', '--grace', '0']
ATTACKS = {'no descriptors': ['nofile'], 'a flood of a real-time signal': ['flood', '40'], 'a flood of SIGUSR1': ['flood', '10'],
           'a flood of SIGCHLD': ['flood', '17'], 'many signals at once': ['many', '40', '3000']}
TERMINAL = {'': [], ', its own terminal': ['--tty']}


def full_pipe():
    rd, wr = pipe()
    os.set_blocking(wr, False)
    try:
        while True:
            os.write(wr, b'x' * 4096)
    except BlockingIOError:
        os.set_blocking(wr, True)
    return rd, wr


@each({what + how: (attack, args) for what, attack in ATTACKS.items() for how, args in TERMINAL.items()}, modes='user,userns')
def time_limit(t, attack, args):
    t.eq(t.box(*LIMITED, *args, '--', t.helper('hostile'), *attack, timeout=15).code, 124, 'status')
    t.nothing_left()


@each(ATTACKS, modes='user,userns')
def the_box_ends_with_its_front(t, attack):
    rd, wr = pipe()
    p = t.start_box('--', t.helper('hostile'), *attack, stdout=wr)
    os.close(wr)
    with opened(rd):
        t.eq(Lines(rd).line(), 'ready', 'the command is there')
        p.kill()
        p.wait()
        t.nothing_left(10.0, 'after the end of the front')


@each(ATTACKS)
def a_stopped_front_stops_no_clock(t, attack):
    rd, wr = pipe()
    p = t.start_box('--timeout', '1', '--grace', '0', '--report', 'record.json', '--', t.helper('hostile'), *attack, stdout=wr)
    os.close(wr)
    with opened(rd):
        t.eq(Lines(rd).line(), 'ready', 'the command is there')
        init = t.init_of(p)
        p.send_signal(signal.SIGSTOP)
        t.ok(until(lambda: not children(init), 10.0), 'the box goes on while its front is stopped')
    p.send_signal(signal.SIGCONT)
    t.eq(t.finish(p), 124, 'status')
    t.eq(t.record('record.json')['reason'], 'timeout', 'reason')
    t.nothing_left()


@test(limit=120)
def a_stopped_front_and_many_leaks(t):
    """More to name than the socket holds: who is named must not outlive the box's end for that."""
    rd, wr = pipe()
    script = 'for i in $(seq 200); do daemonize $(printf %0900d $i); done; echo all'
    p = t.start_box('--report', 'record.json', '--', 'sh', '-c', script, stdout=wr)
    os.close(wr)
    with opened(rd):
        init = t.init_of(p)
        t.command_of(p)
        p.send_signal(signal.SIGSTOP)
        t.eq(Lines(rd).line(60), 'all', 'they are there')
        t.ok(until(lambda: not children(init), 15.0), 'the box has ended')
    p.send_signal(signal.SIGCONT)
    t.eq(t.finish(p), 0, 'status')
    t.eq(t.record('record.json')['reason'], 'exited', 'reason')
    t.nothing_left()


@test
def a_report_that_nobody_reads(t):
    """The init writes it when the front is gone, and must end all the same."""
    rd, wr = full_pipe()
    with opened(rd, wr):
        p = t.start_box('--report', f'fd:{wr}', '--', 'sleep', '1000', pass_fds=[wr])
        t.command_of(p)
        p.kill()
        p.wait()
        t.nothing_left(10.0, 'after the end of the front')


@test
def stop_and_continue_of_the_command_alone(t):
    """The front stops with its command, and is woken for the end even when the command was continued behind its back."""
    p = t.start_box('--', 'sleep', '1')
    command = t.command_of(p)
    t.ok(until(lambda: comm(command) == 'sleep 1'), 'it has been executed')
    os.kill(command, signal.SIGSTOP)
    os.waitid(os.P_PID, p.pid, os.WSTOPPED)
    os.kill(command, signal.SIGCONT)
    t.eq(t.finish(p), 0, 'status')


@test(modes='root')
def as_pid1_of_another_user_ends_with_its_front(t):
    """A change of ids clears the parent-death signal (prctl(2))."""
    p = t.start_box('--as-pid1', '--user', '54321:54321', '--', 'sleep', '1000')
    t.ok(until(lambda: any(comm(c) == 'sleep 1000' for c in children(p.pid))), 'the command is there')
    p.kill()
    p.wait()
    t.nothing_left(5.0, 'after the end of the front')


@test
def a_time_limit_runs_while_held(t):
    rd, wr = pipe()
    with opened(rd, wr):
        r = t.box('--hold-fd', f'{rd}', '--report', 'record.json', *LIMITED, '--', 'echo', 'ran', pass_fds=[rd], timeout=10)
        t.eq((r.code, r.out, r.err), (124, '', ''), 'status, output')
        t.eq(t.record('record.json')['reason'], 'timeout', 'reason')


@test
def a_set_up_that_hangs_is_ended_by_a_signal(t):
    rd, wr = pipe()
    with opened(rd, wr):
        p = t.start_box('--hold-fd', f'{rd}', '--', 'echo', 'ran', pass_fds=[rd], stderr=subprocess.DEVNULL)
        init = t.init_of(p)
        t.ok(until(lambda: comm(init) == 'pidbox-init'), 'the init is there')
        os.kill(init, signal.SIGSTOP)
        os.write(wr, b'x')
        p.terminate()
        t.eq(t.finish(p), -15, 'status')
        t.nothing_left()


@each({'by a time limit': (['--timeout', '0.5', '--grace', '0'], None, 124), 'by a signal': ([], signal.SIGTERM, -15)})
def output_of_a_terminal_that_nobody_reads(t, args, sig, want):
    """What the box has written waits for a reader, but whoever ends it does not."""
    rd, wr = full_pipe()
    with opened(rd, wr):
        p = t.start_box('--tty', *args, '--', 'yes', stdout=wr)
        if sig:
            t.command_of(p)
            p.send_signal(sig)
        t.eq(t.finish(p, 20), want, 'status')
        t.nothing_left()


@each({'events': '--events', 'report': '--report'})
def a_report_that_waits_is_ended_by_a_signal(t, option):
    rd, wr = full_pipe()
    with opened(rd, wr):
        p = t.start_box(option, f'fd:{wr}', '--', 'sleep', '0.1', pass_fds=[wr], stderr=subprocess.DEVNULL)
        t.ok(until(lambda: p.terminate() or p.poll() is not None, 20.0, 0.1), 'it has ended')
        t.ok(t.finish(p) in (0, -15), 'status')
        t.nothing_left()


@test
def a_terminal_whose_reader_has_gone(t):
    """As when a terminal's user leaves: writes fail, whatever the command does about SIGHUP."""
    r = t.sh('(trap "" HUP PIPE; pidbox run --tty -- yes 2>/dev/null; echo $? >status) | head -1; cat status', timeout=20)
    t.eq(r.out.replace('\r', ''), 'y\n1\n', 'output, status')


@test
def explain_tells_how_far_it_got(t):
    r = t.box('--explain', '-C', '/no/such/place', '--', 'true')
    t.eq(r.code, 125, 'status')
    t.ok('command  chdir("/no/such/place")' in r.err and 'it failed (No such file or directory)' in r.err, r.err)
    t.ok('execve' not in r.err.split('chdir(')[1], 'nothing that was not done')
    r = t.box('--explain', '--hostname', 'x' * 64, '--time-offset', 'boottime=-99999999999', '--', 'true')
    t.ok(r.code == 125 and 'sethostname' in r.err and 'timens_offsets' in r.err and 'it failed' in r.err, r.err)
