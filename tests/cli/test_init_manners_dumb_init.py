# SPDX-License-Identifier: MIT
"""pidbox-init by the name of dumb-init."""
from manners import *


@manner('dumb-init')
def dumb_init_statuses(t, *row):
    m = Manner(t, *row)
    for opts in [], ['-c']:
        gives_statuses(m, opts, lambda cmd, why: (2, rf'\[dumb-init\] {cmd}: {why}'))


@manner('dumb-init')
def dumb_init_words(t, *row):
    """Everything of its own goes to standard error."""
    m = Manner(t, *row)
    name, version = rf'\S*{m.name}', r'dumb-init v1\.2\.5' + (r'[^\n]*' if m.ours else '')
    options = '-c, --single-child', '-r, --rewrite s:r', '-v, --verbose', '-h, --help', '-V, --version'
    full = rf'{version}\nUsage: {name} \[option\] command \[\[arg\] ...\]\n.*{".*".join(options)}.*'
    for args in (['-h'], ['--help'], ['--he'], ['-cvh', 'true'], ['-hV'], ['-h', '-Z']):
        m.gives(args, 0, err=full)
    for args in (['-V'], ['--version'], ['--vers'], ['-cV'], ['-Vh']):
        r = m.gives(args, 0, err=words(version))
        t.ok('pidbox' in r.err or not m.ours, f'{args}: nothing about pidbox in {r.err!r}')
    for args in ([], ['--'], ['-v'], ['-c'], ['-r', '15:2']):
        m.gives(args, 1, err=rf'Usage: {name} \[option\] program \[args\]\nTry {name} --help for full usage\.\n')
    for args, why in ((['-Z'], '.*option.*Z.*'), (['-cZ', 'true'], '.*option.*Z.*'),
                      (['--nonesuch', 'true'], '.*option.*nonesuch.*'),
                      (['-r'], '.*requires an argument.*r.*'), (['--rewrite'], '.*requires an argument.*'),
                      (['--ver', 'true'], '.*option.*'),
                      (['--help=3'], '.*option.*')):
        m.gives(args, 1, err=rf'{name}: {why}\n')


@manner('dumb-init')
def dumb_init_options_end(t, *row):
    """At the first word that is none."""
    m = Manner(t, *row)
    m.gives(['echo', '-v', '--', '-Z', '--help'], 0, out='-v -- -Z --help\n')
    m.gives(['--', 'echo', '-v', '--'], 0, out='-v --\n')
    m.gives(['-c', '--', 'echo', '-V'], 0, out='-V\n')
    m.gives(['--', '--', 'true'], 2, err=words(r'\[dumb-init\] --: No such file or directory'))
    m.gives(['-c', 'sh', '-c', 'exit 3'], 3)


@manner('dumb-init')
def dumb_init_rewrite_words(t, *row):
    m = Manner(t, *row)
    for args in (['-r', '15:2'], ['-r15:2'], ['--rewrite', '15:2'], ['--rewrite=15:2'], ['--rew', '15:2'],
                 ['-r', '15:0'], ['-r', '31:31'], ['-r', '1:9'], ['-cr', '15:2'],
                 ['-r', '15:2', '-r', '1:0', '-r', '15:3']):
        m.gives([*args, *SH, 'exit 4'], 4)
    for v in '', '1', 'TERM:INT', 'SIGTERM:SIGINT', '15:', ':15', '15-2', '0:1', '32:1', '1:32', '-1:1', '1:-1', '15 2':
        m.gives(['-r', v, 'true'], 1, err=r'Usage: -r option takes <signum>:<signum>, where .* between 1 and 31\.\n.*')


@manner('dumb-init')
def dumb_init_debug(t, *row):
    m = Manner(t, *row)

    def says(args, env, how, code):
        """The lines that tell what happens, in their order; others between them."""
        with t.case((args, env)):
            r = m.run(*args, env=env)
            t.eq((r.code, r.out), (code, ''), 'status and output')
            want = [r'Child spawned with PID (\d+)\.', *([] if how is None else [rf'A child with PID \d+ {how}\.']),
                    rf'Child exited with status {code}\. Goodbye\.']
            line = r'(\[dumb-init\] [^\n]*\n)*'
            t.ok(re.fullmatch(line + line.join(rf'\[dumb-init\] {x}\n' for x in want), r.err),
                 f'standard error: {r.err!r}')
    debug = {'DUMB_INIT_DEBUG': '1'}
    three = [*SH, 'exit 3']
    for args, env in ((['-v'], {}), (['--verbose'], {}), (['--verb'], {}), (['-c', '-v'], {}), ([], debug),
                      (['-c'], debug), ([], {**debug, 'DUMB_INIT_SETSID': '0'}),
                      (['-v'], {'DUMB_INIT_SETSID': '0'}), (['-v'], {'DUMB_INIT_SETSID': ''}),
                      (['-v'], {'DUMB_INIT_SETSID': 'no'})):
        says([*args, *three], env, 'exited with exit status 3', 3)
    says(['-v', *SH, 'kill $$'], {}, 'was terminated by signal 15', 143)
    for v in '', '0', 'yes', '2':
        m.gives(three, 3, env={'DUMB_INIT_DEBUG': v})
    f = m.family('-v', '-r', '12:1', '-r', '10:0')
    os.kill(f.init, signal.SIGUSR2)
    f.upto(('me', 1), ('kid', 1))
    os.kill(f.init, signal.SIGUSR1)
    os.kill(f.init, signal.SIGTERM)
    f.upto(('me', 15), ('kid', 15))
    f.end()
    said = f.err.rest()
    for n in 12, 10, 15:
        t.ok(f'[dumb-init] Received signal {n}.\n' in said, f'nothing about signal {n} in {said!r}')


@manner('dumb-init')
def dumb_init_who_gets_signals(t, *row):
    m = Manner(t, *row)
    for opts, env, who in (([], {}, 'both'), (['-c'], {}, 'me'), (['--single-child'], {}, 'me'),
                           ([], {'DUMB_INIT_SETSID': '0'}, 'me'),
                           ([], {'DUMB_INIT_SETSID': '1'}, 'both'), (['-c'], {'DUMB_INIT_SETSID': '1'}, 'me')):
        f = m.family(*opts, env=env)
        full = not env and opts != ['--single-child']
        f.check(PLAIN + list(FAULTS) + REALTIME if full else [1, 15, 40], who, f'{opts} {env}: ')
        f.check([17], 'nobody')
        f.end()
    for kid in 'own', 'apart':
        f = m.family(args=[kid])
        f.check([1, 15, 40], 'me', f'the grandchild has a group ({kid}): ')
        f.end()


@manner('dumb-init')
def dumb_init_rewrites(t, *row):
    m = Manner(t, *row)
    for opts in [], ['-c']:
        def to(*sigs):
            return sorted((who, s) for who in ('me', 'kid') for s in sigs if who == 'me' or not opts)
        f = m.family(*opts, '-r', '15:3', '-r', '2:0', '--rewrite', '1:15', '-r', '28:1', '-r', '28:2', '-r', '14:14')
        for sent, got in (15, [3]), (2, []), (1, [15]), (28, [2]), (3, [3]), (14, [14]), (40, [40]):
            t.eq(f.send(sent), to(*got), f'{opts}: {sent} arrives as')
        f.end()
    f = m.family('-r', '15:9')
    os.kill(f.init, 15)
    t.eq(t.finish(f.p), 137, 'status after TERM that was made KILL')


@manner('dumb-init')
def dumb_init_suspends_itself(t, *row):
    """TSTP, TTIN and TTOU arrive as STOP in its session, as themselves otherwise; it stops as well (PID 1 cannot)."""
    m = Manner(t, *row)
    for s in JOB:
        with t.case(f'signal {s}'):
            f = m.family(args=['stay'])
            os.kill(f.init, s)
            t.ok(f.stopped(f.me, f.kid), 'the command and its child are stopped')
            f.suspended()
            os.kill(f.init, signal.SIGHUP)
            os.kill(f.init, signal.SIGCONT)
            f.upto(('me', 1), ('kid', 1))
            t.ok(state(f.init) != 'T', 'after CONT dumb-init is stopped')
            f.end()
        with t.case(f'signal {s}, -c'):
            f = m.family('-c')
            os.kill(f.init, s)
            t.eq(f.next(), ('me', s), 'the command gets')
            f.suspended()
            os.kill(f.init, signal.SIGCONT)
            t.eq(f.next(), ('me', 18), 'after CONT the command gets')
            f.check([1, 15], 'me')
            f.end()
        with t.case(f'signal {s}, rewritten'):
            f = m.family('-r', f'{s}:15')
            os.kill(f.init, s)
            f.upto(('me', 15), ('kid', 15))
            f.suspended()
            os.kill(f.init, signal.SIGCONT)
            f.upto(('me', 18), ('kid', 18))
            f.end()


@manner('dumb-init', places=('ours', 'real'))
def dumb_init_and_the_rest(t, *row):
    """SIGTERM, or what it is rewritten to, for what is left of the session's group when the command has ended; that is
    not waited for."""
    m = Manner(t, *row)
    for opts, args, env, got in (([], [], {}, [('kid', 15)]), (['-c'], [], {}, []), ([], ['own'], {}, []),
                                 ([], ['apart'], {}, []), ([], [], {'DUMB_INIT_SETSID': '0'}, []),
                                 (['-r', '15:2'], [], {}, [('kid', 2)]), (['-r', '15:0'], [], {}, [])):
        f = m.family(*opts, args=args, env=env)
        t.eq(f.end(), got, f'{opts} {args} {env}: what is left gets')
    f = m.family()
    os.kill(f.me, signal.SIGKILL)
    t.eq(f.end(137), [('kid', 15)], 'after the death of the command, what is left gets')


@manner('dumb-init')
def dumb_init_places_its_child(t, *row):
    m = Manner(t, *row)
    f = m.family()
    me, kid = f.facts['me'], f.facts['kid']
    t.eq((me['pgrp'], me['sid']), (me['pid'], me['pid']), 'group and session of the command')
    t.eq((kid['pgrp'], kid['sid']), (me['pid'], me['pid']), 'group and session of its child')
    t.eq((me['blocked'], me['ignored'] & ~bits(13, 25)), (0, 0), 'signal mask and ignored signals')
    f.end()
    for args, env in (['-c'], {}), ([], {'DUMB_INIT_SETSID': '0'}):
        f = m.family(*args, env=env)
        t.eq((os.getpgid(f.me), os.getsid(f.me)), (os.getpgid(f.init), os.getsid(f.init)),
             f'{args} {env}: group and session are the init\'s')
        f.end()


@manner('dumb-init')
def dumb_init_reaps(t, *row):
    """As PID 1; it does not become a subreaper."""
    m = Manner(t, *row)
    for opts in [], ['-c']:
        r = m.run(*opts, 'sh', '-c', 'echo $PPID; exec orphan')
        mine, orphan = r.out.split('\nppid ')
        t.eq(mine == orphan.strip(), m.pid1, f'an orphan becomes its child ({r.out!r})')
        if m.pid1:
            t.eq(m.run(*opts, 'zombies', '300').out, 'made 300 left 0\n', 'zombies')


@manner('dumb-init')
def dumb_init_started_oddly(t, *row):
    m = Manner(t, *row)
    for pre in all_blocked, some_ignored, no_children_signal:
        f = m.family('-c', pre=pre)
        f.check([15, 3, 14], 'me')
        f.end()


@manner('dumb-init')
def dumb_init_hands_over_the_terminal(t, *row):
    """To the command's session, if it leads the one that has it."""
    m = Manner(t, *row)
    s, me = m.terminal()
    t.eq((me['sid'], me['pgrp'], me['tpgid']), (me['pid'], ) * 3,
         'session and group of the command, group in the foreground')
    for key, sig in ('\x03', 2), ('\x1c', 3), ('\x1a', 20):
        s.send(key)
        s.expect(f'got {sig} 128 ')  # from the terminal, not from dumb-init
        t.ok('got' not in s.before, f'before that: {s.before!r}')
    s.send('\n')
    t.eq(t.finish(s.p), 7, 'status')
    t.ok('got' not in s.lines.rest(), 'one of them arrived twice')


def all_stopped(t, s):
    """The shell knows of dumb-init; the command may be on its way still, and read what is typed now."""
    t.ok(until(lambda: all(x == 'T' for _, x in descendants(s.p.pid))), 'the command is not stopped')


@manner('dumb-init', places=('ours', 'real'))
def dumb_init_as_a_job(t, *row):
    """The shell's terminal stays the shell's: what comes from it arrives through dumb-init."""
    m = Manner(t, *row)
    s, me = m.job()
    t.eq((me['sid'], me['tpgid']), (me['pid'], -1), 'session, foreground group')
    t.eq(s.foreground(), me['ppid'], 'the foreground is dumb-init\'s group')
    for key, sig in ('\x03', 2), ('\x1c', 3):
        s.send(key)
        s.expect(f'got {sig} 0 ')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    all_stopped(t, s)
    s.fg('dumb-init')
    s.expect('got 18 0 ')
    s.send('\x03')
    s.expect('got 2 0 ')
    os.kill(me['pid'], signal.SIGKILL)
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=137', 'status')


@manner('dumb-init', places=('ours', 'real'))
def dumb_init_in_its_job(t, *row):
    """-c: the command belongs to the job; Ctrl-Z stops both, fg lets both go on."""
    m = Manner(t, *row)
    s, me = m.job('-c')
    t.eq((me['pgrp'], me['tpgid'], me['sid']), (me['ppid'], me['ppid'], s.p.pid), 'group, foreground group, session')
    s.send('\n')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=7', 'status')
    s.start(f'{m.path} -c sh -c "echo u\\p; read x; exit 5"', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    all_stopped(t, s)
    s.fg('dumb-init')
    s.send('\n')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=5', 'status after Ctrl-Z and fg')
