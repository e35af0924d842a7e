# SPDX-License-Identifier: MIT
"""pidbox init, pidbox-init in its own manner: an init for one command, as PID 1 and not."""
from manners import *


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
        for option in ('-g, --group', '-c, --single-child', '--setsid', '-s, --subreaper', '-p, --parent-death-signal',
                       '-e, --remap-exit', '-r, --rewrite', '--signal-map',
                       '-w, --warn-on-reap', '-v, --verbose', '--grace', '--stop-signal', '--on-exit', '--timeout',
                       '--report'):
            t.ok(option in r.out, f'{args} does not mention {option}')
    for args in (['-V'], ['--version'], ['-gV', 'true']):
        m.gives(args, 0, out=r'pidbox-init [^\n]*\d+\.\d+[^\n]*\n')
    for args in (['-l'], ['--license']):
        m.gives(args, 0, out=r'.*\bMIT\b.*')


@both
def usage_errors(t, pid1):
    m = own(t, pid1)
    for args in ([], ['--'], ['-g'], ['-Z', 'true'], ['-gZ', 'true'], ['--nonesuch', 'true'], ['-'], ['-e'], ['-r'],
                 ['-p'], ['--grace'], ['--group=3', 'true']):
        r = m.run(*args)
        want = 127 if args == ['-'] else 125
        t.eq((r.code, r.out), (want, ''), f'{args}: status, output')
        t.ok(r.err.startswith('pidbox-init: '), f'{args}: {r.err!r}')
    for what, words in {'is no option': ['-Z', '-gZ', '--nonesuch', '-:'], 'lacks its value': ['-e', '--grace'], 'takes no value': ['--group=3']}.items():
        for word in words:
            r = m.run(word, *([] if what.startswith('lacks') else ['true']))
            t.eq((r.code, r.err), (125, f'pidbox-init: {word} {what}; `pidbox-init --help` has the options\n'), word)
    for option, values in {'-e': ['', 'x', '256', '-1', '3x', '0x3', '99999999999999999999'],
                           '--remap-exit': ['300'],
                           '-r': ['', '15', '15:', ':15', 'FOO:15', '15:FOO', '0:15', '65:1', '1:65', '-1:1', '15-2',
                                  '15:2x', 'TERM=INT'],
                           '--rewrite': ['1'],
                           '--signal-map': ['FOO=1', 'TERM=65', 'TERM', '0=1', '=TERM', 'TERM=FOO', '', 'TERM=1,',
                                            'TERM:INT'],
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
    t.good(t.run([t.pidbox, 'run', '--', NAME, 'sh', '-c', 'exit 4']), 4, '')


@both
def remaps_statuses(t, pid1):
    m = own(t, pid1)
    for args, code in ((['-e', '3'], 0), (['-e3'], 0), (['--remap-exit=3'], 0), (['-e', '4'], 3),
                       (['-e', '4', '-e', '3', '-e', '5'], 0), (['-e', '0'], 3), (['-e', '255'], 3)):
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
            t.ok(state(f.init) != 'T', f'{opts}: the init is stopped')
        t.eq(f.end(), [], f'{opts}: at the end')
    for opts, kid in (['-g'], 'own'), (['-g'], 'apart'), (['--setsid'], 'own'):
        f = m.family(*opts, args=[kid])
        f.check([1, 15, 40], 'me', f'{opts}, the grandchild has a group ({kid}): ')
        f.end()
    t.nothing_left()


@elsewhere
def signals_to_the_whole_group(t, pid1):
    """A signal to the group of the init arrives once as well."""
    m = own(t, pid1)
    for opts, who in ([], ['me']), (['-g'], ['kid', 'me']), (['--setsid'], ['kid', 'me']):
        f = m.family(*opts, pre=os.setpgrp)
        for s in 1, 2, 3, 15, 20, 40:
            os.killpg(f.init, s)
            t.eq(f.arrived(), [(w, s) for w in who], f'{opts}: signal {s} arrives as')
        f.end()


@both
def values_of_signals(t, pid1):
    f = own(t, pid1).family(args=['alone'])
    for i in range(200):
        sigqueue(f.init, 35, i + 1000)
    t.eq([f.out.line() for _ in range(200)], [f'me got 35 -1 {i}' for i in range(1000, 1200)],
         '200 of RTMIN+1, in order, with their values')
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


@both
def started_with_sigchld_ignored(t, pid1):
    m = own(t, pid1)
    m.gives([*SH, 'exit 3'], 3, pre=no_children_signal)
    m.gives([*SH, 'kill $$'], 143, pre=no_children_signal)
    ignored = m.run('grep', 'SigIgn', '/proc/self/status', pre=no_children_signal).out.split()
    t.eq(int(ignored[1], 16) & ~LEFT_BY_MAKE, 1 << 16, 'SIGCHLD is ignored by the command as well')
    m.gives(['daemonize'], 0, pre=no_children_signal)
    gone(t, m)


@elsewhere
def parent_death(t, pid1):
    m = own(t, pid1)
    for args, want in (['-p', 'USR1'], 'got 10'), (['-p', 'SIGHUP'], 'got 1'), (['--parent-death-signal=15'],
                                                                                'got 15'), (['-p', 'KILL'], None):
        with t.case(args):
            p = t.start(['sh', '-c', 'exec 8<&0; "$@" <&8 & echo $!; wait', 'sh', *m.argv(*args), 'sigcount'],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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
            init = until(lambda: next((c for c in children(p.pid) if is_first(c) and comm(c).startswith(m.path)), None),
                         5, 0)
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
    for script, code in (('daemonize; exit 3', 3), ('sleep 1000 & exit 4', 4), (DEAF.format(20), 0),
                         ('respawn; exit 5', 5), ('respawn; daemonize; respawn; kill -9 $$', 137),
                         ('(setsid sh -c "trap \'\' TERM HUP INT; sleep 1000" & ) ; exit 6', 6),
                         ('pidbox-init sh -c "daemonize; sleep 1000" & daemonize; exit 7', 7),
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
    inner = 'daemonize; echo up >up; sleep 1000'
    m.gives([*SH, f'(pidbox run -- sh -c "{inner}" &); until test -s up; do sleep 0.01; done; exit 3'], 3)
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
            f = m.family('--on-exit=term', '--grace', slow('300ms'), args=kid)
            t0 = time.monotonic()
            f.p.stdin.close()
            t.eq(f.out.line(), 'kid got 15 0 0', 'the rest gets')
            t.eq(t.finish(f.p, 5), 7, 'status')
            t.ok(0.3 <= (time.monotonic() - t0) / SLOWNESS < 3, f'took {time.monotonic() - t0:.2f} s')
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
    for opts, sig, got in ((['--grace', slow('300ms')], 15, 15), (['--grace=' + slow('0.3'), '--stop-signal', 'USR1'], 10, 10),
                           (['--grace', slow('300ms'), '--stop-signal=USR1'], 15, 15),
                           (['--grace', slow('300ms'), '-r', '15:2'], 15, 2)):
        for kid in [], ['apart']:
            with t.case((opts, sig, kid)):
                f = m.family(*opts, args=kid)
                t0 = time.monotonic()
                os.kill(f.init, sig)
                t.eq(f.next(), ('me', got), 'the command gets')
                t.eq(t.finish(f.p, 5), 137, 'status')
                t.ok(0.3 <= (time.monotonic() - t0) / SLOWNESS < 3, f'took {time.monotonic() - t0:.2f} s')
                gone(t, m)
    f = m.family('--grace', slow('100ms'), '-g')
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
        r = m.run('--grace', slow('20s'), *SH, 'trap "exit 9" TERM; kill $PPID; while :; do sleep 0.01; done')
        t.eq((r.code, r.err), (9, ''), 'status, standard error')
        t.ok(r.took / SLOWNESS < 5, f'took {r.took:.2f} s')
    with t.case('no grace at all'):
        r = m.run('--grace', '0', *SH, 'trap "" TERM; kill $PPID; sleep 100')
        t.eq(r.code, 137, 'status')
    gone(t, m)


@both
def time_limit(t, pid1):
    m = own(t, pid1)
    for opts, most in ((['--timeout', slow('200ms')], 3), (['--timeout=' + slow('0.2'), '--grace', slow('20s')], 3)):
        r = m.run(*opts, 'sleep', '100')
        t.eq((r.code, r.out), (124, ''), f'{opts}: status, output')
        t.ok(0.2 <= r.took / SLOWNESS < most, f'{opts}: took {r.took:.2f} s')
        gone(t, m)
    limits = ['--timeout', slow('200ms'), '--grace', slow('200ms')]
    for opts, sig in (limits, 15), ([*limits, '--stop-signal', 'INT'], 2):
        for kid in ['alone'], ['apart']:
            with t.case((opts, kid)):
                t0 = time.monotonic()
                f = m.family(*opts, args=kid)
                t.eq(f.next(), ('me', sig), 'the command gets')
                t.eq(t.finish(f.p, 5), 124, 'status')
                t.ok(0.4 <= (time.monotonic() - t0) / SLOWNESS < 4, f'took {time.monotonic() - t0:.2f} s')
                gone(t, m)
    m.gives(['--timeout', '20s', *SH, 'exit 3'], 3)
    m.gives(['--timeout', slow('0.2'), *SH, 'trap "exit 5" TERM; while :; do sleep 0.01; done'], 124)
    m.gives(['--timeout', '0.2', '-e', '124', 'sleep', '100'], 124)
    with t.case('it holds for those who are waited for, too'):
        r = m.run('--on-exit', 'wait', '--timeout', slow('300ms'), '--grace', '100ms', *SH, 'daemonize; exit 3')
        t.eq(r.code, 124, 'status')
        gone(t, m)


# ---- the record

KEYS = {'schema': int, 'reason': str, 'exit_code': (int, type(None)), 'signal': (str, type(None)), 'core_dumped': bool,
        'command': list, 'started': str, 'wall_us': int,
        'user_us': int, 'sys_us': int, 'max_rss_kib': int, 'reaped': int, 'leaked': list}


@both
def record(t, pid1):
    m = own(t, pid1)
    for args, script, status, want in (([], 'exit 3', 3, {'reason': 'exited', 'exit_code': 3, 'signal': None}),
                                       ([], 'kill $$', 143, {'reason': 'signaled', 'exit_code': None,
                                                             'signal': 'SIGTERM'}),
                                       (['--timeout', '100ms'], 'sleep 100', 124, {'reason': 'timeout'}),
                                       (['-e', '3'], 'exit 3', 0, {'reason': 'exited', 'exit_code': 3}),
                                       ([], 'cpuburn 60; forkstorm 50; daemonize; exit 4', 4,
                                        {'reason': 'exited', 'exit_code': 4})):
        with t.case((args, script)):
            f = t.path('report.json')
            t.write('report.json', 'x' * 20000)
            r = m.run(*args, '--report', f, *SH, script)
            t.eq((r.code, r.err), (status, ''), 'status, standard error')
            rec = t.record(f)
            for k, kinds in KEYS.items():
                t.ok(k in rec and isinstance(rec[k], kinds), f'{k} is {rec.get(k)!r}')
            for k, v in want.items():
                t.eq(rec.get(k), v, k)
            t.eq(rec.get('command'), [*SH, script], 'command')
            t.eq(rec.get('schema'), 1, 'schema')
            t.ok(re.fullmatch(r'[1-9]\d*[:@][1-9]\d*', rec.get('id') or ''), f'id {rec.get("id")!r}')
            t.ok(rec.get('wall_us', 0) <= r.took * 1e6 + 1, f'wall_us {rec.get("wall_us")}, it took {r.took:.3f} s')
            if 'cpuburn' in script:
                t.ok(rec['user_us'] + rec['sys_us'] >= 50000, f'CPU time {rec["user_us"]} + {rec["sys_us"]}')
                t.ok(rec['reaped'] >= 50, f'reaped {rec["reaped"]}')
    for bad in 'fd:', 'fd:x', 'fd:3x', 'fd:999':
        r = m.run('--report', bad, 'true')
        t.eq((r.code, r.err), (125, 'pidbox-init: opening the report: Bad file descriptor\n'), f'--report {bad}')
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
    if pid1:
        t.eq(m.run('zombies', str(n), timeout=50).out, f'made {n} left 0\n', 'zombies')
    else:
        f = m.family(argv=m.argv('sh', '-c', f'zombies {n} now >&2; exec family alone'))
        t.ok(until(lambda: children(f.init) == [f.me], 20), f'children of the init: {len(children(f.init))}')
        t.eq(f.err.line(), f'made {n}', 'zombies')
        f.end()


@each({'as PID 1': True, 'not PID 1': False}, modes='root', limit=60, serial=True)
def ten_thousand_zombies_at_once(t, pid1):
    many_zombies(t, pid1, 10000)


@both
def five_hundred_zombies_at_once(t, pid1):
    many_zombies(t, pid1, 500)


def stream_of_orphans(t, pid1, n, alive=64):
    """The next one comes only when one of the last 64 has been reaped: who falls behind, or forgets one, never ends it."""
    m = own(t, pid1)
    for opts in [], ['-w']:
        with t.case(opts):
            r = m.run(*opts, 'orphans', str(n), str(alive), timeout=80)
            found = re.fullmatch(r'made (\d+) most (\d+) left 0\n', r.out)
            if t.ok(r.code == 0 and found, f'status {r.code}, {r.out!r} {short(r.err)}'):
                t.eq(int(found[1]), n, 'orphans made')
                t.ok(int(found[2]) <= alive, f'{found[2]} zombies, and {alive} may be alive')
            t.ok(re.fullmatch(f'({ERROR})+' if opts else '', r.err), f'standard error: {short(r.err)}')
    gone(t, m)


@each({'as PID 1': True, 'not PID 1': False}, modes='root', limit=120, serial=True)
def twenty_thousand_orphans_in_a_stream(t, pid1):
    stream_of_orphans(t, pid1, 20000)


@both
def a_thousand_orphans_in_a_stream(t, pid1):
    stream_of_orphans(t, pid1, 1000)


def pidfds_remember():
    """How a process has ended that somebody has waited for (PIDFD_INFO_EXIT, Linux 6.15)."""
    pid = os.fork()
    if pid == 0:
        os._exit(5)
    fd, info = os.pidfd_open(pid), bytearray(struct.pack('Q56x', 1 << 3))
    os.waitpid(pid, 0)
    try:
        fcntl.ioctl(fd, 0xc040ff0b, info)
    except OSError:
        return False
    finally:
        os.close(fd)
    return bool(struct.unpack_from('Q', info)[0] & 1 << 3)


IGNORED = "sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/$1/status"
BEGUN = f'set 1; i=0; while [ $((0x$({IGNORED}) >> 16 & 1)) = 0 ] && [ $i -lt 1000 ]; do (true &); i=$((i+1)); done'  # by an orphan
WAKE_UPS = "sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' /proc/1/status"


@test
def orphans_wake_nobody(t):
    """As PID 1 it ignores SIGCHLD, which its command does not, and sleeps while others end. The command's end is known all the same."""
    if not pidfds_remember():
        t.skip('the pidfds of this kernel do not remember how their processes ended')
    m = own(t, True)
    r = m.run('sh', '-c', f'{BEGUN}; {IGNORED}; set self; {IGNORED}; {WAKE_UPS}; orphans 500 64; {WAKE_UPS}; exit 6')
    lines = r.out.splitlines()
    t.ok(r.code == 6 and len(lines) == 5 and lines[3] == 'made 500 most 0 left 0', f'status {r.code}, {r.out!r} {short(r.err)}')
    t.eq([int(lines[i], 16) >> 16 & 1 for i in (0, 1)], [1, 0], 'SIGCHLD is ignored by PID 1, by the command')
    t.ok(int(lines[4]) - int(lines[2]) <= 1, f'wake-ups: {lines[2]} before, {lines[4]} after')
    for opts in ['-w'], ['-vv'], ['--report', 'rep']:  # somebody hears of each
        r = m.run(*opts, 'sh', '-c', f'orphans 10 1; set 1; {IGNORED}; exit 6')
        t.eq((r.code, int(r.out.splitlines()[-1], 16) >> 16 & 1), (6, 0), f'{opts}: status, SIGCHLD ignored')


@test
def orphans_of_an_init_without_descriptors(t):
    """A command of the same user can take them away; then poll(2) does not work."""
    m = own(t, True)
    script = (BEGUN if pidfds_remember() else ':') + '; trap got=1 USR1; prlimit --pid 1 --nofile=0:0; kill -USR1 1; until [ "$got" ]; do :; done; orphans 100 64; exit 6'
    r = m.run('sh', '-c', script)
    t.ok(r.code == 6 and re.fullmatch(r'made 100 most \d+ left 0\n', r.out), f'status {r.code}, {r.out!r} {short(r.err)}')


@both
def warns_of_what_it_reaps(t, pid1):
    m = own(t, pid1)
    for args, warned in (['-w'], 5), (['--warn-on-reap'], 5), ([], 0):
        f = m.family(argv=m.argv(*args, 'sh', '-c', 'forkstorm 5; exec family alone'))
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
