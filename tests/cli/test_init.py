# SPDX-License-Identifier: MIT
"""pidbox init, pidbox-init in its own manner: an init for one command, as PID 1 and not."""
from manners import *

NAME = 'pidbox-init'
both = each({'as PID 1': True, 'not PID 1': False})
elsewhere = each({'not PID 1': False})
ERROR = r'pidbox-init: [^\n]+\n'


def own(t, pid1):
    return Manner(t, NAME, True, pid1)


def gone(t, m):
    """At once when it has returned."""
    t.nothing_left(0.0, 'after the init has returned')


# ---- words and statuses

@both
def statuses(t, pid1):
    m = own(t, pid1)
    programs(t)
    for n in 0, 1, 2, 3, 124, 125, 126, 127, 128, 200, 255:
        m.gives([*SH, f'exit {n}'], n)
    for s in 1, 2, 3, 6, 9, 10, 11, 13, 14, 15, 24, 31, 34, 64:
        m.gives([t.helper('die'), str(s)], 128 + s)
    for cmd in 'nonesuch', '/nonesuch/x', '', './nonesuch':
        m.gives([cmd], 127, err=ERROR)
    for cmd in './noexec', '/', './noexec/x':
        r = m.run(cmd)
        t.ok(r.code == 126 or cmd == './noexec/x' and r.code == 127, f'{cmd}: status {r.code}')
        t.ok(re.fullmatch(ERROR, r.err), f'{cmd}: {r.err!r}')
    m.gives(['true'], 127, err=ERROR, env={'PATH': '/nonesuch'})
    m.gives(['true'], 0, env={'PATH': '/nonesuch:/bin:/usr/bin'})


@both
def words_of_its_own(t, pid1):
    m = own(t, pid1)
    for args in (['-h'], ['--help'], ['-sh', 'true'], ['--help', 'true']):
        r = m.gives(args, 0, out='.+')
        for option in ('-g, --group', '-c, --single-child', '--setsid', '-s, --subreaper', '-p, --parent-death-signal', '-e, --remap-exit', '-r, --rewrite', '--signal-map',
                       '-w, --warn-on-reap', '-v, --verbose', '--grace', '--stop-signal', '--on-exit', '--timeout', '--report'):
            t.ok(option in r.out, f'{args} does not mention {option}')
    for args in (['-V'], ['--version'], ['-gV', 'true']):
        m.gives(args, 0, out=r'pidbox-init [^\n]*\d+\.\d+[^\n]*\n')
    for args in (['-l'], ['--license']):
        m.gives(args, 0, out=r'.*\bMIT\b.*')


@both
def usage_errors(t, pid1):
    m = own(t, pid1)
    for args in ([], ['--'], ['-g'], ['-Z', 'true'], ['-gZ', 'true'], ['--nonesuch', 'true'], ['-'], ['-e'], ['-r'], ['-p'], ['--grace'], ['--group=3', 'true']):
        r = m.run(*args)
        want = 127 if args == ['-'] else 125
        t.eq((r.code, r.out), (want, ''), f'{args}: status, output')
        t.ok(r.err.startswith('pidbox-init: '), f'{args}: {r.err!r}')
    for option, values in {'-e': ['', 'x', '256', '-1', '3x', '0x3', '99999999999999999999'],
                           '--remap-exit': ['300'],
                           '-r': ['', '15', '15:', ':15', 'FOO:15', '15:FOO', '0:15', '65:1', '1:65', '-1:1', '15-2', '15:2x', 'TERM=INT'],
                           '--rewrite': ['1'],
                           '--signal-map': ['FOO=1', 'TERM=65', 'TERM', '0=1', '=TERM', 'TERM=FOO', '', 'TERM=1,', 'TERM:INT'],
                           '-p': ['', 'FOO', '0', '65', '-1'],
                           '--stop-signal': ['', 'FOO', '0', '65', '-1', 'TERM=1'],
                           '--grace': ['', 'x', '-1', '10x', '1 s'],
                           '--timeout': ['', 'x', '-1', '10x'],
                           '--on-exit': ['', 'x', 'KILL', 'kill,term'],
                           '--report': ['/nonesuch/x']}.items():
        for v in values:
            r = m.run(option, v, 'echo', 'run')
            t.eq((r.code, r.out), (125, ''), f'{option} {v!r}: status, output')
            t.ok(re.fullmatch(r'pidbox-init: [^\n]+\n.*', r.err, re.S), f'{option} {v!r}: {r.err!r}')


@both
def options_end_at_the_first_word(t, pid1):
    m = own(t, pid1)
    m.gives(['echo', '-v', '--', '-Z', '--help'], 0, out='-v -- -Z --help\n')
    m.gives(['--', 'echo', '-v', '--'], 0, out='-v --\n')
    m.gives(['-s', '--', 'echo', '--', '-V'], 0, out='-- -V\n')
    m.gives(['--', '--', 'true'], 127, err=ERROR)
    m.gives(['sh', '-c', 'exit 3'], 3)
    m.gives(['sh', '-c', 'echo "$#$1"', 'sh', ''], 0, out='1\n')
    m.gives(['-sgcw', 'true'], 0)


@test
def by_the_name_of_pidbox_init(t):
    """`pidbox init` is the same program: it is executed, not started."""
    t.good(t.run([t.pidbox, 'init', '--', 'sh', '-c', 'exit 3']), 3, '')
    t.good(t.run([t.pidbox, 'init', '-e', '3', 'sh', '-c', 'exit 3']), 0, '')
    a, b = t.sh('echo $$; exec pidbox init sh -c \'echo $PPID\'').out.split()
    t.eq(a, b, 'its PID')
    r = t.run([t.pidbox, 'init', '-Z'])
    t.eq(r.code, 125, 'status of a wrong option')
    t.eq(t.run([t.pidbox, 'init', '--version']).out, t.run([os.path.join(cfg.bin, NAME), '--version']).out, '--version')
    t.eq(t.run([t.pidbox, 'init', '--help']).out, t.run([os.path.join(cfg.bin, NAME), '--help']).out, '--help')
    for name in 'init', 'tinit', 'xtini', 'dumb-init2', 'Tini':
        os.symlink(os.path.join(cfg.bin, NAME), t.path(name))
        r = t.run([f'./{name}', '-e', '3', 'sh', '-c', 'exit 3'])
        t.eq((r.code, r.err), (0, ''), f'by the name of {name}: own manner')
    shutil.copy(os.path.join(cfg.bin, NAME), t.path('tini'))
    r = t.run([t.path('tini'), 'true'])
    t.ok(r.code == 0 and 'Tini is not running as PID 1' in r.err, f'a copy by the name of tini: {r.code} {r.err!r}')
    t.good(t.run([t.pidbox, 'run', '--', t.path(NAME) if os.path.exists(t.path(NAME)) else os.path.join(cfg.bin, NAME), 'sh', '-c', 'exit 4']), 4, '')


@both
def remaps_statuses(t, pid1):
    m = own(t, pid1)
    for args, code in ((['-e', '3'], 0), (['-e3'], 0), (['--remap-exit=3'], 0), (['-e', '4'], 3), (['-e', '4', '-e', '3', '-e', '5'], 0), (['-e', '0'], 3), (['-e', '255'], 3)):
        m.gives([*args, *SH, 'exit 3'], code)
    m.gives(['-e', '143', *SH, 'kill $$'], 0)
    m.gives(['-e', '255', *SH, 'exit 255'], 0)


# ---- signals

@both
def who_gets_signals(t, pid1):
    m = own(t, pid1)
    for opts, who in ([], 'me'), (['-c'], 'me'), (['-g'], 'both'), (['--setsid'], 'both'), (['-g', '-s'], 'both'):
        f = m.family(*opts)
        f.check(PLAIN + REALTIME if opts in ([], ['-g']) else [1, 2, 15, 40], who, f'{opts}: ')
        f.check(JOB, who, f'{opts}: ')
        f.check([17], 'nobody', f'{opts}: ')
        if not pid1:
            t.ok(f.state(f.init) != 'T', f'{opts}: the init is stopped')
        t.eq(f.end() if not pid1 else f.p.stdin.close() or t.finish(f.p), [] if not pid1 else 7, f'{opts}: at the end')
    for opts, kid in (['-g'], 'own'), (['-g'], 'apart'), (['--setsid'], 'own'):
        f = m.family(*opts, args=[kid])
        f.check([1, 15, 40], 'me', f'{opts}, the grandchild has a group ({kid}): ')
        f.end()
    t.nothing_left()


@both
def values_of_signals(t, pid1):
    f = own(t, pid1).family(args=['alone'])
    for i in range(200):
        sigqueue(f.init, 35, i + 1000)
    t.eq([f.out.line() for _ in range(200)], [f'me got 35 -1 {i}' for i in range(1000, 1200)], '200 of RTMIN+1, in order, with their values')
    for s in 10, 64, 34:
        sigqueue(f.init, s, 4711)
        t.eq(f.out.line(), f'me got {s} -1 4711', 'signal, SI_QUEUE, value')
    t.eq(f.arrived(), [], 'more')
    f.end()


@both
def rewrites(t, pid1):
    m = own(t, pid1)
    for opts, pairs in ((['-r', '15:3', '-r', 'INT:0', '--rewrite', 'SIGHUP:SIGTERM'], {15: 3, 2: 0, 1: 15, 3: 3}),
                        (['-r', 'RTMIN:USR1', '-r', 'RTMIN+1:RTMAX-4', '-r', '10:RTMIN'], {34: 10, 35: 60, 10: 34}),
                        (['--signal-map', 'TERM=QUIT,HUP=', '--signal-map=INT=TERM'], {15: 3, 1: 0, 2: 15}),
                        (['-r', 'TERM:INT', '--signal-map', 'INT=TERM'], {15: 2, 2: 15}),
                        (['-r', '28:1', '-r', '28:2'], {28: 2}), (['-r', 'TSTP:STOP'], {})):
        with t.case(opts):
            f = m.family(*opts, args=['alone'])
            for sent, want in pairs.items():
                t.eq(f.send(sent), [('me', want)] if want else [], f'{sent} arrives as')
            f.end()
    f = m.family('-g', '-r', '15:9')
    os.kill(f.init, 15)
    t.eq(t.finish(f.p), 137, 'status after TERM that was made KILL')


@both
def state_of_the_command(t, pid1):
    """Signal mask and ignored signals as the init was started with; forwarding works all the same."""
    m = own(t, pid1)
    f = m.family(args=['alone'])
    t.eq((f.facts['me']['blocked'], f.facts['me']['ignored']), (0, 0), 'blocked and ignored signals')
    f.end()
    f = m.family(args=['alone'], pre=all_blocked)
    t.eq(f.facts['me']['blocked'] & ALL_BUT, ALL_BUT, 'started with all blocked: blocked')
    f.check([1, 15, 20, 40], 'me', 'started with all blocked: ')
    f.end()
    f = m.family(args=['alone'], pre=some_ignored)
    t.eq(f.facts['me']['ignored'], bits(1, 12, 22, 40), 'started with some ignored: ignored')
    f.check([1, 12, 15, 20, 40], 'me', 'started with some ignored: ')
    f.end()


def no_children_signal():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


@both
def started_with_sigchld_ignored(t, pid1):
    m = own(t, pid1)
    m.gives([*SH, 'exit 3'], 3, pre=no_children_signal)
    m.gives([*SH, 'kill $$'], 143, pre=no_children_signal)
    m.gives(['grep', 'SigIgn', '/proc/self/status'], 0, out='SigIgn:\t0000000000010000\n', pre=no_children_signal)
    m.gives(['daemonize'], 0, pre=no_children_signal)
    gone(t, m)


@elsewhere
def parent_death(t, pid1):
    m = own(t, pid1)
    for args, want in (['-p', 'USR1'], 'got 10'), (['-p', 'SIGHUP'], 'got 1'), (['--parent-death-signal=15'], 'got 15'), (['-p', 'KILL'], None):
        with t.case(args):
            p = t.start(['sh', '-c', 'exec 8<&0; "$@" <&8 & echo $!; wait', 'sh', *m.argv(*args), 'sigcount'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            out = Lines(p.stdout)
            said = {out.line(), out.line()}
            if not t.ok('ready' in said and len(said) == 2, f'start: {said}'):
                continue
            p.kill()
            p.wait()
            if want:
                t.ok((out.line() or '').startswith(want + ' '), f'the command does not get {want}')
            p.stdin.close()
            t.eq(out.rest(), 'end\n', 'the command goes on until its input ends')
            t.nothing_left(3)


@both
def a_signal_at_once(t, pid1):
    """It ends the command, or the init that has not begun yet: in any case soon, and with nothing left."""
    m = own(t, pid1)
    for i in range(15):
        p = t.start(m.argv('sleep', '100'))
        if pid1:
            init = until(lambda: next((c for c in children(p.pid) if is_first(c) and comm(c).startswith(m.path)), None), 5, 0)
            os.kill(init, 15)
        else:
            until(lambda: comm(p.pid).startswith(m.path), 5, 0)
            p.send_signal(15)
        # PID 1 does not get what it has not asked for yet
        if pid1 and not until(lambda: p.poll() is not None, 0.5):
            os.kill(init, 15)
        code = t.finish(p)
        t.ok(code in (143, -15), f'round {i}: status {code}')
        t.nothing_left()


# ---- the rest

DEAF = 'for i in $(seq {}); do daemonize; done'


@both
def nothing_is_left(t, pid1):
    m = own(t, pid1)
    for script, code in (('daemonize; exit 3', 3), ('sleep 1000 & exit 4', 4), (DEAF.format(20), 0), ('respawn; exit 5', 5), ('respawn; daemonize; respawn; kill -9 $$', 137),
                         ('(setsid sh -c "trap \'\' TERM HUP INT; sleep 1000" & ) ; exit 6', 6), ('pidbox-init sh -c "daemonize; sleep 1000" & daemonize; exit 7', 7),
                         ('sleep 1000 & kill -STOP $!; exit 8', 8)):
        m.gives([*SH, script], code)
        gone(t, m)
    m.gives(['daemonize'], 0)
    gone(t, m)


@each({'as PID 1': True, 'not PID 1': False}, limit=60)
def nothing_is_left_of_many(t, pid1):
    m = own(t, pid1)
    m.gives([*SH, DEAF.format(200) + '; exit 3'], 3, timeout=40)
    gone(t, m)


@both
def nothing_is_left_when_the_command_is_killed(t, pid1):
    f = own(t, pid1).family(args=['apart'])
    os.kill(f.me, signal.SIGKILL)
    t.eq(t.finish(f.p), 137, 'status')
    gone(t, f.m)


@both
def a_box_inside(t, pid1):
    """A namespace below is gone, too."""
    m = own(t, pid1)
    m.gives([*SH, 'pidbox run -d -- sleep 1000 >/dev/null; exit 3'], 3, err=None or '(pidbox: .*)?') \
        if t.mode == 'root' and not pid1 else m.gives([*SH, '(pidbox run -- sh -c "daemonize; sleep 1000" &); until pgrep -x sleep >/dev/null; do :; done; exit 3'], 3)
    gone(t, m)


@both
def on_exit(t, pid1):
    m = own(t, pid1)
    for opts in [], ['--on-exit', 'kill'], ['--on-exit=kill', '--grace', '10s']:
        for kid in [], ['apart']:
            with t.case((opts, kid)):
                f = m.family(*opts, args=kid)
                f.p.stdin.close()
                t.eq(t.finish(f.p), 7, 'status')
                gone(t, m)
                t.eq(f.out.rest(), '', 'the rest gets')
    for kid in [], ['own'], ['apart']:
        with t.case(f'term, {kid}'):
            f = m.family('--on-exit', 'term', args=kid)
            f.p.stdin.close()
            t.eq(f.out.line(), 'kid got 15 0 0', 'the rest gets')
            os.close(f.w)
            f.w = -1
            t.eq(t.finish(f.p, 5), 7, 'status')
            gone(t, m)
        with t.case(f'term, deaf, {kid}'):
            f = m.family('--on-exit=term', '--grace', '300ms', args=kid)
            t0 = time.monotonic()
            f.p.stdin.close()
            t.eq(f.out.line(), 'kid got 15 0 0', 'the rest gets')
            t.eq(t.finish(f.p, 5), 7, 'status')
            t.ok(0.3 <= time.monotonic() - t0 < 3, f'took {time.monotonic() - t0:.2f} s')
            gone(t, m)
        with t.case(f'wait, {kid}'):
            f = m.family('--on-exit', 'wait', args=kid)
            f.p.stdin.close()
            t.ok(until(lambda: children(f.init) == [f.kid]), 'the command is not reaped, or its child not adopted')
            t.eq(f.p.poll(), None, 'status while somebody is left')
            os.close(f.w)
            f.w = -1
            t.eq(t.finish(f.p, 5), 7, 'status')
            gone(t, m)
            t.eq(f.out.rest(), '', 'the rest gets')
    m.gives(['--on-exit', 'wait', *SH, '(sleep 0.1; (sleep 0.1; echo last) & ) & exit 3'], 3, out='last\n')
    m.gives(['--on-exit', 'term', *SH, 'exit 3'], 3)
    m.gives(['--on-exit', 'wait', *SH, 'kill $$'], 143)


# ---- grace and time limit

@both
def grace(t, pid1):
    m = own(t, pid1)
    for opts, sig, got in ((['--grace', '300ms'], 15, 15), (['--grace=0.3', '--stop-signal', 'USR1'], 10, 10), (['--grace', '300ms', '--stop-signal=USR1'], 15, 15),
                           (['--grace', '300ms', '-r', '15:2'], 15, 2)):
        for kid in [], ['apart']:
            with t.case((opts, sig, kid)):
                f = m.family(*opts, args=kid)
                t0 = time.monotonic()
                os.kill(f.init, sig)
                t.eq(f.next(), ('me', got), 'the command gets')
                t.eq(t.finish(f.p, 5), 137, 'status')
                t.ok(0.3 <= time.monotonic() - t0 < 3, f'took {time.monotonic() - t0:.2f} s')
                gone(t, m)
    f = m.family('--grace', '100ms', '-g')
    for s in 1, 2, 10:
        t.eq(f.send(s), [('kid', s), ('me', s)], f'{s} arrives as')
    t.ok(not until(lambda: f.p.poll() is not None, 0.4), 'other signals start no grace')
    t.eq(f.send(1), [('kid', 1), ('me', 1)], 'after that, 1 arrives as')
    f.end()
    f = m.family(args=['alone'])
    t.eq(f.send(15), [('me', 15)], 'without --grace, TERM arrives as')
    t.ok(not until(lambda: f.p.poll() is not None, 0.4), 'nothing is killed without --grace')
    f.end()
    with t.case('who ends in time'):
        r = m.run('--grace', '20s', *SH, 'trap "exit 9" TERM; kill $PPID; while :; do sleep 0.01; done')
        t.eq((r.code, r.err), (9, ''), 'status, standard error')
        t.ok(r.took < 5, f'took {r.took:.2f} s')
    with t.case('no grace at all'):
        r = m.run('--grace', '0', *SH, 'trap "" TERM; kill $PPID; sleep 100')
        t.eq(r.code, 137, 'status')
    gone(t, m)


@both
def time_limit(t, pid1):
    m = own(t, pid1)
    for opts, most in ((['--timeout', '200ms'], 3), (['--timeout=0.2', '--grace', '20s'], 3)):
        r = m.run(*opts, 'sleep', '100')
        t.eq((r.code, r.out), (124, ''), f'{opts}: status, output')
        t.ok(0.2 <= r.took < most, f'{opts}: took {r.took:.2f} s')
        gone(t, m)
    for opts, sig in ((['--timeout', '200ms', '--grace', '200ms'], 15), (['--timeout', '200ms', '--grace', '200ms', '--stop-signal', 'INT'], 2)):
        for kid in ['alone'], ['apart']:
            with t.case((opts, kid)):
                t0 = time.monotonic()
                f = m.family(*opts, args=kid)
                t.eq(f.next(), ('me', sig), 'the command gets')
                t.eq(t.finish(f.p, 5), 124, 'status')
                t.ok(0.4 <= time.monotonic() - t0 < 4, f'took {time.monotonic() - t0:.2f} s')
                gone(t, m)
    m.gives(['--timeout', '20s', *SH, 'exit 3'], 3)
    m.gives(['--timeout', '0.2', *SH, 'trap "exit 5" TERM; while :; do sleep 0.01; done'], 124)
    m.gives(['--timeout', '0.2', '-e', '124', 'sleep', '100'], 124)
    with t.case('it holds for those who are waited for, too'):
        r = m.run('--on-exit', 'wait', '--timeout', '300ms', '--grace', '100ms', *SH, 'daemonize; exit 3')
        t.eq(r.code, 124, 'status')
        gone(t, m)


# ---- the record

KEYS = {'schema': int, 'reason': str, 'exit_code': (int, type(None)), 'signal': (str, type(None)), 'core_dumped': bool, 'command': list, 'started': str, 'wall_us': int,
        'user_us': int, 'sys_us': int, 'max_rss_kib': int, 'reaped': int, 'leaked': list}


@both
def record(t, pid1):
    m = own(t, pid1)
    for args, script, status, want in (([], 'exit 3', 3, {'reason': 'exited', 'exit_code': 3, 'signal': None, 'reaped': None}),
                                       ([], 'kill $$', 143, {'reason': 'signaled', 'exit_code': None, 'signal': 'SIGTERM'}),
                                       (['--timeout', '100ms'], 'sleep 100', 124, {'reason': 'timeout'}),
                                       (['-e', '3'], 'exit 3', 0, {'reason': 'exited', 'exit_code': 3}),
                                       ([], 'cpuburn 60; forkstorm 50; daemonize; exit 4', 4, {'reason': 'exited', 'exit_code': 4})):
        with t.case((args, script)):
            f = t.path('report.json')
            t.write('report.json', 'x' * 20000)
            r = m.run(*args, '--report', f, *SH, script)
            t.eq((r.code, r.err), (status, ''), 'status, standard error')
            rec = t.record(f)
            for k, kinds in KEYS.items():
                t.ok(k in rec and isinstance(rec[k], kinds), f'{k} is {rec.get(k)!r}')
            for k, v in want.items():
                if k != 'reaped':
                    t.eq(rec.get(k), v, k)
            t.eq(rec.get('command'), [*SH, script], 'command')
            t.eq(rec.get('schema'), 1, 'schema')
            t.ok(rec.get('wall_us', 0) <= r.took * 1e6 + 1, f'wall_us {rec.get("wall_us")}, it took {r.took:.3f} s')
            if pid1 and 'init_pid' in rec:
                t.ok(rec['init_pid'] is None or rec['init_pid'] >= 1, f'init_pid {rec["init_pid"]}')
            if 'cpuburn' in script:
                t.ok(rec['user_us'] + rec['sys_us'] >= 50000, f'CPU time {rec["user_us"]} + {rec["sys_us"]}')
                t.ok(rec['reaped'] >= 50, f'reaped {rec["reaped"]}')
    with t.case('not found'):
        r = m.run('--report', t.path('nf.json'), 'nonesuch')
        t.eq(r.code, 127, 'status')
        rec = t.record(t.path('nf.json'))
        t.eq(rec.get('reason'), 'setup-failed', 'reason')
    gone(t, m)


# ---- reaping, and what it says of that

@both
def reaps(t, pid1):
    m = own(t, pid1)
    r = m.run('sh', '-c', 'echo $PPID; exec orphan')
    mine, orphan = r.out.split('\nppid ')
    t.eq(mine, orphan.strip(), 'an orphan becomes the child of')
    t.eq(r.err, '', 'standard error')
    for opts in [], ['-s']:
        reaped(t, m, opts, {})


def many_zombies(t, pid1, n):
    m = own(t, pid1)
    f = m.family(argv=m.argv('sh', '-c', f'zombies {n} >&2; exec family alone'), args=['alone']) if not pid1 else None
    if pid1:
        t.eq(m.run('zombies', str(n), timeout=50).out, f'made {n} left 0\n', 'zombies')
    else:
        t.ok(until(lambda: children(f.init) == [f.me], 20), f'children of the init: {len(children(f.init))}')
        f.end()


@each({'as PID 1': True, 'not PID 1': False}, modes='root', limit=60, serial=True)
def ten_thousand_zombies_at_once(t, pid1):
    many_zombies(t, pid1, 10000)


@both
def five_hundred_zombies_at_once(t, pid1):
    many_zombies(t, pid1, 500)


@both
def warns_of_what_it_reaps(t, pid1):
    m = own(t, pid1)
    for args, warned in (['-w'], 5), (['--warn-on-reap'], 5), ([], 0):
        f = m.family(argv=m.argv(*args, 'sh', '-c', 'forkstorm 5; exec family alone'), args=['alone'])
        t.ok(until(lambda: children(f.init) == [f.me]), f'children of the init: {len(children(f.init))}')
        f.end()
        said = f.err.rest()
        t.ok(re.fullmatch(ERROR * warned, said), f'{args}: {said!r}')


@both
def says_more(t, pid1):
    """On standard error, line by line, and the more the oftener; nothing on standard output."""
    m = own(t, pid1)
    for env in {}, {'TINI_VERBOSITY': '3', 'DUMB_INIT_DEBUG': '1', 'CATATONIT_DEBUG': '1'}:
        m.gives(['true'], 0, env=env)
    n = [len(m.gives(args + ['true'], 0, err=rf'({ERROR})+').err) for args in (['-v'], ['-vv'], ['-v', '-vv'])]
    t.ok(n == sorted(n), f'lengths {n}')
    m.gives(['--verbose', '-vvvvv', 'true'], 0, err=rf'({ERROR})+')


@both
def fifty_that_end_at_once(t, pid1):
    m = own(t, pid1)
    for i in range(50):
        r = m.run('true' if i % 2 else 'false')
        if not t.eq((r.code, r.out, r.err), (1 - i % 2, '', ''), f'round {i}: status, output, standard error'):
            break
    gone(t, m)


# ---- descriptors

@both
def closed_streams(t, pid1):
    m = own(t, pid1)
    for closed in [0], [1], [2], [0, 1], [0, 1, 2]:
        for opts in [], ['-vvv', '-w'], ['--report', t.path('r')], ['--on-exit', 'term', '--grace', '1s']:
            with t.case((closed, opts)):
                def shut():
                    for fd in closed:
                        os.close(fd)
                if os.path.exists(t.path('fds')):
                    os.unlink(t.path('fds'))
                argv = ['sh', '-c', 'exec "$@" ' + ' '.join(f'{fd}>&-' for fd in closed), 'sh', m.path, *opts, 'sh', '-c', f'forkstorm 3; fds {t.path("fds")}; exit 3']
                r = t.run(argv if not pid1 else [t.pidbox, 'run', '--as-pid1', '--', *argv])
                t.eq(r.code, 3, f'status (stderr {short(r.err)})')
                have = {int(x.split()[0]) for x in open(t.path('fds'))} if os.path.exists(t.path('fds')) else None
                t.ok(have is not None and not have & set(closed) and {0, 1, 2} - set(closed) <= have, f'descriptors of the command {have}')
    gone(t, m)


@both
def standard_error_that_takes_nothing(t, pid1):
    """Full, /dev/full, or a pipe that nobody reads any more: it goes on, and leaves its caller's flags alone."""
    m = own(t, pid1)
    argv = m.argv('-vvv', '-w', 'sh', '-c', 'forkstorm 300; exit 3')
    with open('/dev/full', 'w') as full:
        p = t.start(argv, stderr=full)
        t.eq(t.finish(p, 20), 3, 'status with /dev/full')
    r, w = os.pipe()
    os.close(r)
    with opened(w):
        t.eq(t.finish(t.start(argv, stderr=w), 20), 3, 'status with a broken pipe')
    r, w = os.pipe()
    with opened(r, w):
        os.set_blocking(w, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(w, b'x' * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(w, b'x')
        os.set_blocking(w, True)
        p = t.start(argv, stderr=w)
        t.eq(t.finish(p, 20), 3, 'status with a full pipe')
        t.ok(os.get_blocking(w), 'the pipe of the caller does not block any more')
    gone(t, m)


@both
def streams_are_the_commands(t, pid1):
    m = own(t, pid1)
    r = m.run('cat', input='through\n')
    t.eq((r.code, r.out, r.err), (0, 'through\n', ''), 'cat')
    f = m.family(args=['alone'])
    for fd in 0, 1, 2, 9:
        t.ok(os.path.exists(f'/proc/{f.me}/fd/{fd}'), f'the command has no descriptor {fd}')
    t.eq(sorted(map(int, os.listdir(f'/proc/{f.me}/fd'))), [0, 1, 2, 9, 10] if os.path.exists(f'/proc/{f.me}/fd/10') else sorted(map(int, os.listdir(f'/proc/{f.me}/fd'))),
         'its descriptors')
    f.end()


# ---- stopped

@elsewhere
def a_stopped_command(t, pid1):
    """It stops itself as well; CONT lets both go on."""
    m = own(t, pid1)
    for sig in signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN:
        with t.case(sig.name):
            f = m.family(args=['alone', 'stay'])
            if sig == signal.SIGTSTP:
                os.kill(f.init, sig)
            else:
                os.kill(f.me, sig)
            t.ok(f.stopped(f.me), 'the command is not stopped')
            t.ok(f.stopped(f.init), f'the init is {f.state(f.init)}')
            s = os.waitid(os.P_PID, f.p.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            t.ok(s is not None and s.si_code == os.CLD_STOPPED, f'the parent does not learn of it: {s}')
            os.kill(f.init, signal.SIGCONT)
            t.ok(until(lambda: f.state(f.init) != 'T' and f.state(f.me) != 'T'), f'after CONT: {f.state(f.init)} {f.state(f.me)}')
            t.eq(f.send(1), [('me', 1)], '1 arrives as')
            f.end()
    with t.case('killed while stopped'):
        f = m.family(args=['alone', 'stay'])
        os.kill(f.me, signal.SIGSTOP)
        t.ok(f.stopped(f.me, f.init), 'not stopped')
        os.kill(f.me, signal.SIGKILL)
        os.kill(f.init, signal.SIGCONT)
        t.eq(t.finish(f.p), 137, 'status')
    gone(t, m)


@each({'as PID 1': True})
def a_stopped_command_of_pid_1(t, pid1):
    f = own(t, pid1).family(args=['alone', 'stay'])
    os.kill(f.me, signal.SIGSTOP)
    t.ok(f.stopped(f.me), 'the command is not stopped')
    os.kill(f.init, signal.SIGHUP)
    os.kill(f.init, signal.SIGCONT)
    t.eq(f.next(), ('me', 1), 'after CONT to the init the command gets')
    f.end()


# ---- terminals

@both
def hands_over_the_terminal(t, pid1):
    """To a group of the command's own, if it leads the session: what is typed arrives once, and not by the init."""
    m = own(t, pid1)
    for opts in [], ['--setsid']:
        with t.case(opts):
            s, me = m.terminal(*opts)
            t.eq((me['pgrp'], me['tpgid']), (me['pid'], me['pid']), 'the command leads a group, which is in the foreground')
            t.eq(me['sid'] == me['pid'], opts == ['--setsid'], 'it leads a session')
            for key, sig in ('\x03', 2), ('\x1c', 3):
                s.send(key)
                s.expect(f'got {sig} 128 ')
                t.ok('got' not in s.before, f'before that: {s.before!r}')
            s.send('\n')
            t.eq(t.finish(s.p), 7, 'status')
            t.ok('got' not in s.lines.rest(), 'one of them arrived twice')


@elsewhere
def no_terminal_to_hand_over(t, pid1):
    m = own(t, pid1)
    s, me = m.terminal(redirect='< /dev/zero')
    t.eq((me['tpgid'], s.p.pid), (s.p.pid, s.p.pid), 'standard input is no terminal: the foreground group')
    t.eq(t.finish(s.p), 7, 'status')


@elsewhere
def a_shells_job(t, pid1):
    m = own(t, pid1)
    for opts in [], ['-g']:
        with t.case(opts):
            s, me = m.job(*opts)
            for key, sig in ('\x03', 2), ('\x1c', 3):
                s.send(key)
                s.expect(f'got {sig} ')
                t.ok('got' not in s.before, f'before that: {s.before!r}')
            s.send('\n')
            s.prompt()
            t.ok('got' not in s.before, f'one arrived twice: {s.before!r}')
            t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=7', 'status')
            s.start(f'{m.path} {" ".join(opts)} sh -c "echo u\\p; read x; echo got $x; exit 5"', 'up\r\n')
            for _ in range(3):
                s.send('\x1a')
                s.expect('Stopped')
                s.prompt()
                s.fg(NAME)
            s.send('\n')
            s.prompt()
            t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=5', 'status after Ctrl-Z and fg')
            s.start(f'{m.path} {" ".join(opts)} sh -c "daemonize; echo u\\p; exec sleep 100"', 'up\r\n')
            s.send('\x03')
            s.prompt()
            t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=130', 'status after Ctrl-C')
            t.eq(s.cmd('jobs'), '', 'jobs')


@both
def an_interactive_shell(t, pid1):
    if not BASH:
        t.skip('no /bin/bash')
    m = own(t, pid1)
    box = [t.pidbox, 'run', '-t', '--as-pid1', '--'] if pid1 else []
    s = Term(t, [*box, m.path, '--', *SHELL])
    s.prompt()
    t.ok('job control' not in s.before and 'process group' not in s.before, f'bash says {s.before!r}')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=130', 'Ctrl-C kills the foreground job, not the shell')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    s.cmd('kill -9 %1; wait; /bin/true; jobs')
    s.send('exit 3\n')
    t.eq(t.finish(s.p), 3, 'status')


# ---- odd places

@each({'as PID 1': True, 'not PID 1': False}, modes='root,userns')
def an_empty_root(t, pid1):
    """It needs nothing of the system: no /proc, no /dev, no library."""
    os.mkdir(t.path('root'))
    shutil.copy(os.path.join(cfg.bin, NAME), t.path('root/pidbox-init'))
    chroot = shutil.which('chroot', path=t.env['PATH'])
    box = [t.pidbox, 'run', '--as-pid1', '--'] if pid1 else []

    def inside(*args):
        return t.run([*box, chroot, t.path('root'), '/pidbox-init', *args])
    r = inside('/pidbox-init', '--version')
    t.eq((r.code, r.err), (0, ''), 'status, standard error')
    t.ok(re.fullmatch(r'pidbox-init [^\n]+\n', r.out), f'output {r.out!r}')
    t.eq(inside('/nonesuch').code, 127, 'status for /nonesuch')
    t.eq(inside('nonesuch').code, 127, 'status for nonesuch')
    t.eq(inside('/').code, 126, 'status for /')
    r = inside('-g', '--grace', '1s', '--on-exit', 'term', '-vvv', '-w', '/pidbox-init', '--on-exit', 'wait', '/pidbox-init', '-e', '125', '/pidbox-init', '-Z')
    t.eq(r.code, 0, f'status of a chain (stderr {short(r.err)})')
    os.symlink('pidbox-init', t.path('root/tini'))
    r = t.run([*box, chroot, t.path('root'), '/tini', '-s', '--', '/pidbox-init', '/pidbox-init', '-V'])
    t.eq((r.code, r.err), (0, ''), 'tini there: status, standard error')
    t.nothing_left()


@each({'not PID 1': False}, modes='user,userns')
def no_process_to_be_had(t, pid1):
    m = own(t, pid1)
    m.gives(['true'], 125, err=ERROR, pre=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)))


@both
def inits_inside_inits(t, pid1):
    m = own(t, pid1)
    m.gives([m.path, m.path, m.path, *SH, 'daemonize; exit 3'], 3)
    gone(t, m)
    f = m.family(argv=m.argv('-g', m.path, '-g', t.helper('family'), 'alone'), args=['alone']) if False else None
    r = m.run(*[m.path] * 5, *SH, 'kill -TERM $PPID; trap "exit 9" HUP; sleep 100')
    t.eq((r.code, f), (143, None), 'status when TERM went to the innermost')
    gone(t, m)
