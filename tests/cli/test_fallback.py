# SPDX-License-Identifier: MIT
"""run --fallback subreaper, in a seccomp filter as container runtimes have it: clone and unshare with any namespace are refused."""
from support import *

DENY = ['deny', 'EPERM', 'namespaces', '--']


def run(t, *args, deny=True, **kw):
    return t.run([*(DENY if deny else []), t.pidbox, 'run', *args], **kw)


def fallen(t, *args, code=0, out='', **kw):
    """It runs, and says why it is no box."""
    r = run(t, '--fallback', 'subreaper', *args, **kw)
    t.eq((r.code, r.out), (code, out), f'{args}: status and output (stderr {short(r.err)})')
    t.ok(re.match(r'pidbox: warning: .*Operation not permitted; the command runs under a subreaper', r.err), f'{args}: the warning: {r.err!r}')
    return r


@test
def refused_without_it(t):
    r = run(t, '--', 'echo', 'ran')
    t.eq((r.code, r.out), (125, ''), 'without --fallback nothing runs')


@test
def a_box_where_there_can_be_one(t):
    r = run(t, '--fallback', 'subreaper', '--report', '-', '--', 'sh', '-c', 'echo $PPID', deny=False)
    t.eq((r.code, r.out), (0, '1\n'), 'a box')
    t.eq(json.loads(r.err)['containment'], 'pidns', 'the record, and no warning')


@test
def statuses(t):
    fallen(t, '--', 'true')
    fallen(t, '--', 'sh', '-c', 'exit 7', code=7)
    fallen(t, '--', 'sh', '-c', 'kill -KILL $$', code=137)
    fallen(t, '--', 'nonesuch', code=127)
    fallen(t, '--', '/', code=126)
    fallen(t, '--timeout', '100ms', '--', 'sleep', '100', code=124)


@test
def nothing_is_left(t):
    script = 'for i in 1 2 3 4 5; do daemonize; done; (trap "" TERM HUP; setsid sleep 1000 & setsid sh -c "sleep 1000 & sleep 1000" &); exit 3'
    for how in [], ['--on-exit', 'term', '--grace', '100ms']:
        r = fallen(t, *how, '--report', 'record', '--', 'sh', '-c', script, code=3)
        t.eq(descendants(os.getpid()), [], f'{how}: what is left')
        rec = t.record(t.path('record'))
        t.eq((rec['containment'], rec['reason'], rec['exit_code'], rec['proc']), ('subreaper', 'exited', 3, 'keep'), 'record')
        t.ok(len(rec['leaked']) >= 5, f'leaks: {rec["leaked"]}')


@test
def signals_arrive_once(t):
    p = t.start([*DENY, t.pidbox, 'run', '--fallback', 'subreaper', '--signal-map', 'HUP=USR2', '--', 'sh', '-c',
                 'trap "echo got 10" USR1; trap "echo got 12" USR2; trap "echo got 15; exit 5" TERM; echo up; while :; do sleep 1000 & wait; done'],
                stdout=subprocess.PIPE)
    p.out = Lines(p.stdout)
    t.eq(p.out.line(15), 'up', 'start')
    for sig, got in (signal.SIGUSR1, 10), (signal.SIGHUP, 12), (signal.SIGUSR1, 10), (signal.SIGTERM, 15):
        p.send_signal(sig)
        t.eq(p.out.line(), f'got {got}', sig.name)
    t.eq((p.out.rest(), t.finish(p)), ('', 5), 'no more, and the status')
    t.eq(descendants(os.getpid()), [], 'what is left')


@test
def the_commands_world(t):
    os.mkdir(t.path('dir'))
    fallen(t, '-C', 'dir', '-e', 'A=1', '-e', 'A=2', '-e', 'B=', '--unset-env', 'GONE', '--', 'sh', '-c', 'echo "${PWD##*/} $A ${B-x} ${GONE-unset}"',
           env={**t.env, 'GONE': 'here'}, out='dir 2  unset\n')
    r = fallen(t, '--clear-env', '-e', 'KEEP', '-e', 'NEW=1', '--', '/usr/bin/env', env={**t.env, 'KEEP': 'kept', 'LOST': 'x'}, out='KEEP=kept\nNEW=1\n')
    r, w = os.pipe()
    os.set_inheritable(w, True)
    script = ['--', 'sh', '-c', f'[ -e /proc/self/fd/{w} ] && echo open || echo closed']
    fallen(t, *script, out='open\n', close_fds=False)
    fallen(t, '--close-fds', *script, out='closed\n', close_fds=False)
    fallen(t, '--close-fds', '--keep-fd', str(w), *script, out='open\n', close_fds=False)
    os.close(w)
    os.close(r)


@test
def namespaces_of_the_command_line_say_nothing(t):
    fallen(t, '--hostname', 'h', '--unshare', 'net', '--proc', 'fresh', '--first-pid', '100', '--', 'true')


@test
def what_only_a_box_can_do(t):
    for args in (['-t'], ['--user', 'nobody'], ['--cpu-time', '5'], ['--fail-on-leak'], ['--summary'], ['--name', 'x'], ['-d', '--name', 'y'], ['--events', 'fd:2']):
        r = run(t, '--fallback', 'subreaper', *args, '--', 'echo', 'ran')
        t.eq((r.code, r.out), (125, ''), f'{args}: status and output')
        t.ok('[USAGE]' in r.err and 'is something that only a box can do' in r.err, f'{args}: {r.err!r}')


@test
def bad_values(t):
    for v in '', 'subreaperx', 'SUBREAPER', 'none':
        r = run(t, '--fallback', v, '--', 'true', deny=False)
        t.eq((r.code, '[USAGE]' in r.err), (125, True), f'{v!r}')
