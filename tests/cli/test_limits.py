# SPDX-License-Identifier: MIT
"""Time limits, grace, stop signals, --on-exit."""
from support import *

IGNORE = 'trap "" TERM INT HUP; echo ready; while :; do sleep 0.02; done'


@test
def timeout_is_124(t):
    for name, args, script in (
            ('sleeping', ['--timeout', slow('0.15')], 'sleep 100'),
            ('by exec', ['--timeout', slow('150ms')], 'exec sleep 100'),
            ('exits 0 on TERM', ['--timeout', slow('150ms')], 'trap "exit 0" TERM; while :; do sleep 0.02; done'),
            ('exits 7 on TERM', ['--timeout=' + slow('150ms')], 'trap "exit 7" TERM; while :; do sleep 0.02; done'),
            ('ignores TERM', ['--timeout', slow('150000us'), '--grace', '100ms'], IGNORE),
            ('ignores TERM, no grace', ['--timeout', slow('0.15'), '--grace', '0'], IGNORE),
            ('ended, but others run on', ['--timeout', slow('0.3'), '--on-exit', 'wait', '--grace', '0.1'], 'daemonize; exit 3'),
            ('stopped command', ['--timeout', slow('0.15'), '--grace', '100ms'], 'kill -STOP $$; sleep 100')):
        with t.case(name):
            r = t.box(*args, '--', 'sh', '-c', script, timeout=12)
            t.eq(r.code, 124, 'status')
            t.ok(0.14 < r.took / SLOWNESS < 5, f'it took {r.took:.2f} s')
            t.nothing_left()


@test
def timeout_of_a_command_that_ends_in_time(t):
    t.good(t.box('--timeout', '10s', '--', 'sh', '-c', 'exit 3'), 3)
    t.good(t.box('--timeout', '0', '--', 'sh', '-c', 'sleep 0.1; exit 4'), 4)
    t.good(t.box('--cpu-time', '0', '--', 'sh', '-c', 'exit 5'), 5)
    t.good(t.box('--timeout', '10s', '--', t.helper('die'), '15'), -15)


@each({d: d for d in '500us 500ms 2s 1.5s 1m30s 1h 1d 3 0.25 0s 2h30m 1000000us'.split()}, modes='user')
def duration(t, d):
    t.good(t.box('--dry-run', '--timeout', d, '--', 'true'), 0, None, None)


@each({d or 'empty': d for d in ('', 'x', '1x', '-1', '-1s', '1s2', 's', '1e3', 'nan', 'inf', '0x10', '1 s', ' 1', '1,5', '1.5.5',
                                 '99999999999999999999', '9999999999999d', '+1', '1S')}, modes='user')
def not_a_duration(t, d):
    for opt in '--timeout', '--cpu-time', '--grace', '--leak-grace':
        t.error(t.box(f'{opt}={d}', '--', 'true'), 'USAGE', has=opt)


@test
def stop_signal(t):
    for name, args, want in (('default', [], 15), ('INT', ['--stop-signal', 'INT'], 2), ('number', ['--stop-signal', '10'], 10),
                             ('SIG prefix', ['--stop-signal', 'SIGUSR2'], 12),
                             ('real-time', ['--stop-signal', 'RTMIN+2'], 36),
                             ('mapped', ['--stop-signal', 'USR1', '--signal-map', 'USR1=USR2'], 12)):
        with t.case(name):
            rd, wr = pipe()
            with opened(rd, wr):
                r = t.box(*args, '--timeout', slow('150ms'), '--grace', '150ms', '--', 'sigcount', stdin=rd)
            t.eq(r.code, 124, 'status')
            t.eq([s for s in re.findall(r'^got (\d+)', r.out, re.M) if s != '18'], [str(want)], 'signals that the command got, but for CONT')


@test
def grace_is_kept(t):
    r = t.box('--timeout', slow('100ms'), '--grace', slow('400ms'), '--', 'sh', '-c', IGNORE)
    t.eq(r.code, 124, 'status')
    t.ok(0.48 < r.took / SLOWNESS < 3, f'took {r.took:.2f} s, want at least {slow(0.5)}')
    r = t.box('--timeout', slow('100ms'), '--grace', slow('5s'), '--', 'sh', '-c', 'trap "sleep 0.2; echo cleaned; exit" TERM; while :; do sleep 0.01; done')
    t.eq((r.code, r.out), (124, 'cleaned\n'), 'a handler that needs some of the grace')
    t.ok(r.took / SLOWNESS < 3, f'took {r.took:.2f} s though the command had ended')


@test
def cpu_time_of_all_processes(t):
    r, rec = t.report('--cpu-time', '0.4', '--grace', '0', '--', 'sh', '-c', 'cpuburn & cpuburn & cpuburn & wait')
    t.eq(r.code, 124, 'status')
    t.eq(rec['reason'], 'cpu-time', 'reason')
    cpu = (rec['user_us'] + rec['sys_us']) / 1e6
    t.ok(0.38 < cpu < 1.5, f'CPU time in the record {cpu:.2f} s, the limit was 0.4')
    with t.case('time of what has ended counts'):
        r = t.box('--cpu-time', '0.3', '--', 'sh', '-c', 'while :; do cpuburn 20; done')
        t.eq(r.code, 124, 'status')
    with t.case('sleeping is free'):
        t.good(t.box('--cpu-time', '0.1', '--', 'sleep', '0.4'), 0)
    with t.case('of a double-forked daemon too'):
        r = t.box('--cpu-time', '0.3', '--grace', '0', '--on-exit', 'wait', '--', 'sh', '-c', '(setsid cpuburn &) ; exit 0')
        t.eq(r.code, 124, 'status')


@test
def a_stopped_front_does_not_stop_the_clock(t):
    p = t.start_box('--timeout', slow('0.3'), '--grace', '0', '--', 'sleep', '100')
    init = t.init_of(p)
    fd = os.pidfd_open(init)
    p.send_signal(signal.SIGSTOP)
    t.ok(select.select([fd], [], [], 5 * SLOWNESS)[0], 'the box goes on while its front is stopped')
    os.close(fd)
    p.send_signal(signal.SIGCONT)
    t.eq(t.finish(p), 124, 'status')
    t.nothing_left()


@test
def on_exit_kill(t):
    for args in [], ['--on-exit', 'kill']:
        r = t.box(*args, '--', 'sh', '-c', 'daemonize; sleep 100 & exit 3')
        t.good(r, 3, '')
        t.ok(r.took / SLOWNESS < 3, f'took {r.took:.2f} s')
        t.nothing_left()


@test
def on_exit_term(t):
    """SIGTERM and, after the grace, SIGKILL."""
    tidy = '(trap "echo tidy; exit" TERM; echo up >&3; while :; do sleep 0.01; done) 3>f & until [ -s f ]; do sleep 0.01; done; exit 3'
    r = t.box('--on-exit', 'term', '--', 'sh', '-c', tidy)
    t.good(r, 3, 'tidy\n', None)
    r = t.box('--on-exit', 'term', '--grace', slow('200ms'), '--', 'sh', '-c', 'daemonize; exit 4')
    t.good(r, 4)
    t.ok(0.19 < r.took / SLOWNESS < 4, f'took {r.took:.2f} s, the grace was {slow(0.2)}')
    t.nothing_left()
    r = t.box('--on-exit', 'term', '--grace', '0', '--', 'sh', '-c', 'daemonize; exit 4')
    t.good(r, 4)
    r = t.box('--on-exit', 'term', '--grace', slow('5s'), '--', 'sh', '-c', 'exit 5')
    t.good(r, 5)
    t.ok(r.took / SLOWNESS < 2, 'nothing was left to wait for')


@test
def on_exit_wait(t):
    r = t.box('--on-exit', 'wait', '--', 'sh', '-c', '(sleep 0.3; echo done) & exit 4')
    t.good(r, 4, 'done\n')
    r = t.box('--on-exit', 'wait', '--', 'sh', '-c', 'daemonize 1; exit 6')
    t.good(r, 6)
    t.ok(r.took > 0.9, f'returned after {r.took:.2f} s, before the daemon')


@test
def the_stop_goes_to_the_command_then_on_exit_decides(t):
    """--stop-signal: to the command; when that has ended, --on-exit decides for the rest, within what is left of the grace."""
    script = '(trap "echo rest; exit" TERM; echo up >&3; while :; do sleep 0.01; done) 3>f & until [ -s f ]; do sleep 0.01; done; sleep 100'
    r = t.box('--timeout', slow('0.3'), '--on-exit', 'term', '--grace', slow('5s'), '--', 'sh', '-c', f'trap "exit 0" TERM; {script} & wait')
    t.eq((r.code, r.out), (124, 'rest\n'), 'term')
    r = t.box('--timeout', slow('0.3'), '--on-exit', 'wait', '--grace', slow('0.4'), '--', 'sh', '-c', 'daemonize; sleep 100')
    t.eq(r.code, 124, 'wait')
    t.ok(0.65 < r.took / SLOWNESS < 4, f'wait: took {r.took:.2f} s, want {slow(0.7)}')
    r = t.box('--timeout', slow('0.3'), '--grace', slow('8s'), '--', 'sh', '-c', 'daemonize; sleep 100')
    t.eq(r.code, 124, 'kill')
    t.ok(r.took / SLOWNESS < 3, f'kill: took {r.took:.2f} s, want {slow(0.3)}')
