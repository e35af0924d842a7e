# SPDX-License-Identifier: MIT
"""PID numbers and /proc (R1, R4; --proc, --first-pid, --pid-max, --as-pid1)."""
from support import *

SELF = 'exec readlink /proc/self'


@test
def pids_start_at_one(t):
    t.good(t.box('--', 'sh', '-c', 'echo $$ $PPID; sh -c "echo \\$\\$ \\$PPID"; :'), 0, '2 1\n3 2\n')
    r = t.box('--', 'sh', '-c', 'for p in /proc/[0-9]*; do echo ${p#/proc/}; done')
    t.good(r, 0, '1\n2\n')
    t.good(t.box('--', 'sh', '-c', SELF), 0, '2\n')
    t.good(t.box('--', t.helper('orphan')), 0, 'ppid 1\n')


@test
def ps_shows_only_what_is_inside(t):
    if not shutil.which('ps'):
        t.skip('no ps')
    r = t.box('--', 'ps', '-ef')
    rows = r.out.splitlines()[1:]
    t.eq([x.split()[1:3] for x in rows], [['1', '0'], ['2', '1']], 'PID and PPID columns')
    t.ok(rows and rows[-1].endswith('ps -ef'), 'ps sees itself as the command')


@test
def outer_processes_are_out_of_reach(t):
    t.good(t.box('--', 'sh', '-c', f'kill -0 {os.getpid()}'), 1, '', None)
    t.good(t.box('--', 'sh', '-c', f'ls -d /proc/{os.getpid()}'), 2, '', None)


@test
def keep(t):
    r, rec = t.report('--proc', 'keep', '--', 'sh', '-c', 'echo $$; ' + SELF)
    out = r.out.split()
    t.good(r, 0)
    t.eq(out[:1], ['2'], 'PID')
    t.eq(out[1:], [str(rec['command_pid'])], '/proc/self is the outer PID')
    t.eq(rec['proc'], 'keep', 'record')


@test
def none(t):
    r, rec = t.report('--proc', 'none', '--', 'sh', '-c', 'echo $$; ls -A /proc; echo /proc/*')
    t.good(r, 0, '2\n/proc/*\n')
    t.eq(rec['proc'], 'none', 'record')


@test
def fresh(t):
    for args in [], ['--proc', 'fresh'], ['--proc=auto']:
        r, rec = t.report(*args, '--', 'sh', '-c', SELF)
        t.good(r, 0, '2\n')
        t.eq(rec['proc'], 'fresh', 'record')


@test
def the_new_proc_touches_nobody_else(t):
    was = open('/proc/self/mountinfo').read()
    p = t.start_box('--', 'sh', '-c', 'echo up; read x', stdin=subprocess.PIPE)
    t.eq(p.out.line(), 'up', 'start')
    t.eq(open('/proc/self/mountinfo').read(), was, 'mounts outside while a box runs')
    t.eq(os.readlink('/proc/self'), str(os.getpid()), '/proc outside')
    p.stdin.close()
    t.finish(p)


def proc_options(t, *args):
    r = t.box(*args, '--', 'grep', ' /proc proc ', '/proc/self/mounts')
    t.good(r, 0)
    return r.out.splitlines()[-1].split()[3].split(',') if r.out else []


@test
def hidepid(t):
    for values, want in ((('invisible', '2'), 'invisible'), (('noaccess', '1'), 'noaccess'), (('ptraceable', '4'), 'ptraceable'),
                         (('off', '0'), None)):
        for v in values:
            got = [o for o in proc_options(t, '--proc-hidepid', v) if o.startswith('hidepid')]
            t.ok(got == ([f'hidepid={want}'] if want else []), f'--proc-hidepid {v}: {got}')
    for v in '3', 'yes', '', '-1', '22':
        t.error(t.box(f'--proc-hidepid={v}', '--', 'true'), 'USAGE', has='--proc-hidepid')


@test
def subset(t):
    t.ok('subset=pid' in proc_options(t, '--proc-subset', 'pid'), 'mount option subset=pid')
    t.good(t.box('--proc-subset', 'pid', '--', 'sh', '-c', 'ls /proc/uptime /proc/meminfo 2>/dev/null; ' + SELF), 0, '2\n')
    t.error(t.box('--proc-subset', 'all', '--', 'true'), 'USAGE', has='--proc-subset')


@test
def share_mount_needs_proc_keep(t):
    t.error(t.box('--share', 'mount', '--', 'true'), 'USAGE', has='--proc')
    t.error(t.box('--share', 'mount', '--proc', 'none', '--', 'true'), 'USAGE')
    t.good(t.box('--share', 'mount', '--proc', 'keep', '--', 'sh', '-c', 'echo $$'), 0, '2\n')


@test
def mounts_do_not_get_out(t):
    if t.mode == 'user':
        t.skip('mounting needs a privilege inside')
    was = open('/proc/self/mountinfo').read()
    os.mkdir(t.path('m'))
    t.good(t.box('--', 'sh', '-c', 'mount -t tmpfs t m && : >m/f && ls m'), 0, 'f\n')
    t.eq(open('/proc/self/mountinfo').read(), was, 'mounts outside')
    t.eq(os.listdir(t.path('m')), [], 'the folder outside')


# what shows inside of a mount that is made outside later, and outside of one made inside
@each({'default': ([], 'yes', 'no'), 'slave': (['--propagation', 'slave'], 'yes', 'no'),
       'private': (['--propagation', 'private'], 'no', 'no'), 'shared': (['--propagation', 'shared'], 'yes', 'yes'),
       'unchanged': (['--propagation=unchanged'], 'yes', 'yes')}, modes='root,userns')
def propagation(t, args, comes_in, gets_out):
    os.mkdir(t.path('m'))
    os.mkfifo(t.path('up'))
    os.mkfifo(t.path('go'))
    script = '''mount -t tmpfs t m && mount --make-shared m && mkdir m/a m/b || exit 50
        pidbox run "$@" -- sh -c 'mount -t tmpfs t m/b; : >m/b/f; echo >up; read x <go; test -e m/a/f && echo in: yes || echo in: no' &
        read x <up; mount -t tmpfs t m/a; : >m/a/f; test -e m/b/f && echo out: yes || echo out: no; echo >go; wait $!'''
    r = t.run(['unshare', '-m', 'sh', '-c', script, 'sh', *args])
    t.good(r, 0, f'out: {gets_out}\nin: {comes_in}\n')


@test
def first_pid(t):
    t.good(t.box('--first-pid', '5000', '--', 'sh', '-c', 'echo $$ $PPID; sh -c "echo \\$\\$"; :'), 0, '5000 1\n5001\n')
    t.good(t.box('--first-pid=2', '--', 'sh', '-c', 'echo $$'), 0, '2\n')
    top = int(open('/proc/sys/kernel/pid_max').read())
    t.good(t.box('--first-pid', str(top - 1), '--', 'sh', '-c', 'echo $$'), 0, f'{top - 1}\n')
    r, rec = t.report('--first-pid', '300', '--', 'sh', '-c', 'exit $$')
    t.good(r, 300 & 255)
    for v in '0', '1', '-5', 'x', '', '2x', '4294967296', '99999999999999999999', str(1 << 22):
        t.error(t.box(f'--first-pid={v}', '--', 'true'), 'USAGE', has='--first-pid')
    r = t.box('--first-pid', str(top), '--', 'sh', '-c', 'echo $$')  # the namespace's own limit may be higher
    t.ok(r.out == f'{top}\n' or r.code == 125, f'the outer pid_max: that PID or an error, not {r.out!r} {r.code}')
    t.eq(open('/proc/sys/kernel/pid_max').read(), f'{top}\n', 'pid_max outside')


@test
def pid_max(t):
    outer = open('/proc/sys/kernel/pid_max').read()
    if kernel() < (6, 14):
        t.error(t.box('--pid-max', '400', '--', 'true'))
    else:
        r = t.box('--pid-max', '400', '--', 'sh', '-c', 'cat /proc/sys/kernel/pid_max; i=0; while [ $i -lt 450 ]; do '
                  '/bin/true & p=$!; [ $p -gt 400 ] && echo over; wait; i=$((i+1)); done; [ $p -lt 400 ] && echo wrapped')
        t.good(r, 0, '400\nwrapped\n')
        t.good(t.box('--pid-max', '301', '--', 'cat', '/proc/sys/kernel/pid_max'), 0, '301\n')
        t.good(t.box(f'--pid-max={outer.strip()}', '--', 'true'), 0)
        t.good(t.box('--proc', 'none', '--pid-max', '400', '--', 'sh', '-c', 'echo $$'), 0, '2\n')
        t.error(t.box('--pid-max', str(int(outer) + 1), '--', 'true'), has='--pid-max')
    for v in '300', '0', '1', '-1', 'x', '', '4194305000000':
        t.error(t.box(f'--pid-max={v}', '--', 'true'), 'USAGE', has='--pid-max')
    t.error(t.box('--pid-max', '400', '--first-pid', '500', '--', 'true'))
    t.eq(open('/proc/sys/kernel/pid_max').read(), outer, 'pid_max outside')


@test
def as_pid1(t):
    t.good(t.box('--as-pid1', '--', 'sh', '-c', 'echo $$ $PPID; ' + SELF), 0, '1 0\n1\n')
    for n in 0, 1, 77, 125, 255:
        t.good(t.box('--as-pid1', '--', 'sh', '-c', f'exit {n}'), n, '')
    t.good(t.box('--as-pid1', '--', t.helper('die'), 'fault'), -11, '', None)
    t.good(t.box('--as-pid1', '--', t.helper('die'), 'abort'), -11, '', None)  # 139 by the kernel's rule
    t.error(t.box('--as-pid1', '--', '/nonexistent'), 'NOT_FOUND', 127)
    t.error(t.box('--as-pid1', '--', '/usr'), status=126)
    r = t.box('--as-pid1', '--', 'sh', '-c', 'daemonize; exit 3')
    t.good(r, 3)
    t.nothing_left()


@each({'on-exit': ['--on-exit', 'term'], 'on-exit kill': ['--on-exit', 'kill'], 'fail-on-leak': ['--fail-on-leak'],
       'first-pid': ['--first-pid', '10'], 'detach': ['-d']})
def not_with_as_pid1(t, args):
    t.error(t.box('--as-pid1', *args, '--', 'touch', 'ran'), 'USAGE', has='-d' if args == ['-d'] else '--as-pid1')
    t.error(t.box(*args, '--as-pid1', '--', 'touch', 'ran'), 'USAGE')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test
def as_pid1_limits_and_lost_signals(t):
    r = t.box('--as-pid1', '--timeout', '0.2', '--grace', '0.2', '--', 'sleep', '100')
    t.eq(r.code, 124, 'timeout: status')
    r = t.box('--as-pid1', '--timeout', f'{0.2 * SLOWNESS}', '--', 'sh', '-c', 'trap "echo bye; exit 0" TERM; while :; do sleep 0.01; done')
    t.eq((r.code, r.out), (124, 'bye\n'), 'timeout with a handler')
    p = t.start_box('--as-pid1', '--signal-map', 'TERM=USR1', '--', 'sigcount', stdin=subprocess.PIPE)
    t.eq(p.out.line(), 'ready', 'sigcount')
    p.send_signal(signal.SIGTERM)
    t.eq((p.out.line() or '').split()[:2], ['got', '10'], '--signal-map TERM=USR1')
    p.stdin.close()
    t.eq(t.finish(p), 0, 'status')
    p = t.start_box('--as-pid1', '--', 'sh', '-c', 'echo up; exec sleep 100')
    t.eq(p.out.line(), 'up', 'start')
    t.ok(until(lambda: any(comm(k).startswith('sleep') for k in children(p.pid))), 'the command is a child of the front')
    p.send_signal(signal.SIGTERM)
    t.ok('PID1_IGNORES_SIGNAL' in (p.err.line() or ''), 'pidbox says so when a signal would be lost')
    p.err.line()
    fix = re.search(r'--signal-map [A-Z0-9]+=KILL', p.err.line() or '')
    t.ok(fix, 'the fix names the signal')
    p.kill()
    t.finish(p)
    t.nothing_left(5, 'after the front of an --as-pid1 box was killed')
    p = t.start_box('--as-pid1', *(fix[0].split() if fix else ()), '--', 'sh', '-c', 'echo up; exec sleep 100')
    t.eq(p.out.line(), 'up', 'start')
    p.send_signal(signal.SIGTERM)
    t.eq(t.finish(p), -9, 'the fix works: pid_namespaces(7), SIGKILL from outside is not ignored')
