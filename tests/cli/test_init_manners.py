# SPDX-License-Identifier: MIT
"""pidbox-init by the name of tini or docker-init."""
from manners import *

WARNING = r'\[WARN  tini \(\d+\)\] Tini is not running as PID 1 .*?-s option.*?TINI_SUBREAPER.*?\n'
TINI = ('tini', 'docker-init')


def tini_warns(m):
    return '' if m.pid1 else WARNING


@manner(*TINI)
def tini_statuses(t, *row):
    m = Manner(t, *row)
    w = tini_warns(m)
    code = {'No such file or directory': 127, 'Permission denied': 126, 'Not a directory': 1}
    gives_statuses(m, [], lambda cmd, why: (code[why], rf'\[FATAL tini \(\d+\)\] exec {cmd} failed: {why}'), w)
    m.gives(['true'], 0, err=w)
    m.gives(['--', '/bin/echo', '-n', 'a  b', '--', '-h'], 0, out='a  b -- -h', err=w)


@manner(*TINI)
def tini_words(t, *row):
    m = Manner(t, *row)
    w, name = tini_warns(m), re.escape(m.name if m.ours or m.name == 'tini' else f'real-{m.name}')
    usage = rf'{name} \(tini version 0\.19\.0.*?\)\nUsage: {name} \[OPTIONS\] PROGRAM -- \[ARGS\].*' + \
        '.*'.join(f'-{o}' for o in ('h', 's', 'p SIGNAL', 'v', 'w', 'g', 'e EXIT_CODE',
                                    'l')) + '.*TINI_SUBREAPER.*TINI_VERBOSITY.*TINI_KILL_PROCESS_GROUP.*'
    for args in (['-h'], ['-h', '-Z'], ['-sgh', 'true']):
        m.gives(args, 0, out=usage)
    for args in ([], ['--'], ['-v'], ['-s', '-g', '--']):
        m.gives(args, 1, err=usage)
    for args, why in ((['-Z'], '.*option.*Z.*'), (['-Z', '-h'], '.*option.*Z.*'), (['--help'], '.*option.*'),
                      (['--version', 'true'], '.*option.*'),
                      (['--nonesuch', 'true'], '.*option.*'), (['-e'], 'option requires an argument.*e.*'),
                      (['-p'], 'option requires an argument.*p.*')):
        m.gives(args, 1, err=rf'\S*{name}: {why}\n{usage}')
    m.gives(['--version'], 0, out=words(r'tini version 0\.19\.0' + (r'.*pidbox.*' if m.ours else '')))
    m.gives(['--', '--version'], 127, err=w + words(r'\[FATAL tini \(\d+\)\] exec --version failed: .*'))
    for args in (['-l'], ['-l', 'true'], ['-sl']):
        m.gives(args, 0, out=r'.*\bMIT\b.*(?i:warranty).*')


@manner(*TINI)
def tini_options_after_the_program(t, *row):
    """Only what is behind a -- is safely the program's: a tini built with glibc takes the rest; ours, as one built with
    musl, does not."""
    m = Manner(t, *row)
    w = tini_warns(m)
    m.gives(['sh', '--', '-c', 'exit 3'], 3, err=w)
    m.gives(['--', 'sh', '-c', 'exit 3'], 3, err=w)
    m.gives(['--', 'echo', '--', '-s'], 0, out='-- -s\n', err=w)
    m.gives(['--', '--', 'true'], 127, err=w + words(r'\[FATAL tini \(\d+\)\] exec -- failed: No such file.*'))
    m.gives(['true', '--'], 0, err=w)
    m.gives(['sh', '-c', 'exit 3'], 3, err=w, env={'POSIXLY_CORRECT': ''})
    if m.ours:
        m.gives(['sh', '-c', 'exit 3'], 3, err=w)
        m.gives(['echo', '-s', 'x'], 0, out='-s x\n', err=w)
    elif b'musl' not in open(m.path, 'rb').read():
        m.gives(['sh', '-c', 'exit 3'], 1, err='.*option.*c.*')
        m.gives(['echo', '-s', 'x'], 0, out='x\n')


@manner('tini')
def tini_remaps_statuses(t, *row):
    m = Manner(t, *row)
    w = tini_warns(m)
    for args, code in ((['-e', '3'], 0), (['-e3'], 0), (['-ge', '3'], 0), (['-e', '4'], 3),
                       (['-e', '4', '-e', '3', '-e', '5'], 0),
                       (['-e', '003'], 0), (['-e', '+3'], 0), (['-e', ' 3'], 0), (['-e', '0'], 3), (['-e', '-0'], 3), (['-e', '255'], 3)):
        m.gives([*args, '--', *SH, 'exit 3'], code, err=w)
    m.gives(['-e', '143', '--', *SH, 'kill $$'], 0, err=w)
    m.gives(['-e', '255', '--', *SH, 'exit 255'], 0, err=w)
    m.gives(['-e', '127', 'nonesuch'], 0, err=w + words(r'\[FATAL .*'))
    for v in '256', '-1', 'x', '3x', '0x3', '3 ', '99999999999999999999':
        m.gives(['-e', v, 'true'], 1, err=words(rf'\[FATAL tini \(\d+\)\] Not a valid option for -e: {v}'))
        m.gives(['-e', v, 'true'], 1, err=words(rf'\[FATAL tini \(\d+\)\] Not a valid option for -e: {v}'),
                env={'TINI_VERBOSITY': '0'})


@manner('tini')
def tini_parent_death_signal(t, *row):
    m = Manner(t, *row)
    for s in ('HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM CHLD CONT STOP TSTP TTIN TTOU '
              'URG XCPU XFSZ VTALRM PROF WINCH SYS').split():
        m.gives(['-p', f'SIG{s}', 'true'], 0, err=tini_warns(m))
    for s in '', '0', 'x', 'SIGx', 'SIGTERM ':
        m.gives(['-p', s, 'true'], 1, err=words(rf'\[FATAL tini \(\d+\)\] Not a valid option for -p: {s}'))


@manner('tini', places=('ours', 'real'))
def tini_parent_death(t, *row):
    m = Manner(t, *row)
    for args, dies in ((['-p', 'SIGUSR1'], False), (['-pSIGKILL'], True)):
        with t.case(args):
            # the shell is tini's parent: it says its number and is killed
            p = t.start(['sh', '-c', 'exec 8<&0; "$@" <&8 & echo $!; wait', 'sh', *m.argv('-s', *args), 'sigcount'],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            out = Lines(p.stdout)
            said = {out.line(), out.line()}
            if not t.ok('ready' in said and len(said) == 2, f'start: {said}'):
                continue
            pid = int((said - {'ready'}).pop())
            p.kill()
            p.wait()
            if not dies:
                t.eq((out.line() or '').split()[:2], ['got', '10'], 'the command gets')
            else:
                t.ok(until(lambda: state(pid) in (None, 'Z')), 'tini did not die')
            p.stdin.close()
            t.eq(out.rest(), 'end\n', 'the command goes on until its input ends')
    t.nothing_left(3)


@manner('tini')
def tini_verbosity(t, *row):
    m = Manner(t, *row)
    w, n = tini_warns(m), r'\(\d+\)\]'
    spawned = rf"\[INFO  tini {n} Spawned child process '(true|sh)' with pid '\d+'\n"
    exited = rf"\[INFO  tini {n} Main child exited normally \(with status '0'\)\n"
    killed = rf"\[INFO  tini {n} Main child exited with signal \(with signal 'Terminated'\)\n"
    more = rf'(\[(DEBUG|TRACE) tini {n} [^\n]*\n)'
    levels = '', spawned + exited, f'{spawned}{more}+{exited}', f'{more}*{spawned}{more}+{exited}{more}*'
    for i, out in enumerate(levels):
        m.gives(['-v'] * i + ['true'], 0, out=out, err=w)
        m.gives(['true'], 0, out=out, err=w, env={'TINI_VERBOSITY': str(i + 1)})
        if i:
            m.gives([f'-{"v" * i}', 'true'], 0, out=out, err=w)
    m.gives(['-sv', '--', *SH, 'kill $$'], 143, out=spawned + killed)
    m.gives(['-svvvv', 'true'], 0, out=levels[3])
    for v, i in ('+2', 1), (' 2', 1), ('2x', 1), ('-1', 3), ('-7', 3):
        m.gives(['true'], 0, out=levels[i], err=w, env={'TINI_VERBOSITY': v})
    # the variable instead of the options
    for v in '0', '', 'x':
        m.gives(['-vv', 'true'], 0, env={'TINI_VERBOSITY': v})
        m.gives(['nonesuch'], 127, err=words(rf'\[FATAL tini {n} exec nonesuch failed: No such file or directory'),
                env={'TINI_VERBOSITY': v})
    m.gives(['-vvv', 'true'], 0, err=w, env={'TINI_VERBOSITY': '1'})


@manner('tini')
def tini_warns_of_what_it_reaps(t, *row):
    m = Manner(t, *row)
    for args, env, warned in ((['-w', '-s'], {}, True), (['-ws'], {'TINI_VERBOSITY': '0'}, False), (['-s'], {}, False),
                              (['-w'], {'TINI_SUBREAPER': ''}, True),
                              (['-w'], {}, m.pid1)):
        with t.case((args, env)):
            r = m.run(*args, '--', t.helper('orphan'), env=env)
            t.eq(r.code, 0, 'status')
            said = re.findall(r'\[WARN  tini \((\d+)\)\] Reaped zombie process with pid=(\d+)\n', r.err)
            left = re.sub(r'\[WARN  tini \(\d+\)\] Reaped.*\n', '', r.err)
            # the orphan may end a little later than the command; `zombies` below waits
            t.ok(len(said) <= (1 if warned else 0), f'said {r.err!r}')
            t.ok(re.fullmatch('' if '-s' in args or '-ws' in args or env else tini_warns(m), left, re.S),
                 f'standard error {r.err!r}')
            if warned:
                f = m.family(argv=m.argv(*args, '--', 'sh', '-c', 'forkstorm 5; exec family alone'), env=env)
                t.ok(until(lambda: children(f.init) == [f.me]), f'children of the init: {len(children(f.init))}')
                f.end()
                t.eq(f.err.rest().count('Reaped zombie process with pid='), 5, 'warnings of five orphans')


@manner('tini')
def tini_who_gets_signals(t, *row):
    m = Manner(t, *row)
    for opts, env, who in (([], {}, 'me'), (['-g'], {}, 'both'), ([], {'TINI_KILL_PROCESS_GROUP': ''}, 'both'),
                           ([], {'TINI_KILL_PROCESS_GROUP': '0'}, 'both')):
        f = m.family('-s', *opts, env=env)
        sigs = PLAIN + [20] + REALTIME if not env else [1, 15, 20, 40]
        f.check(sigs, who, f'{opts} {env}: ')
        f.check([21, 22], 'nobody', f'{opts} {env}: ')
        if m.pid1:
            f.check(FAULTS, 'nobody', f'{opts} {env}: ')
        f.check([17], 'nobody')
        f.end()
    for kid in 'own', 'apart':
        f = m.family('-gs', args=[kid])
        f.check([1, 15, 40], 'me', f'-g, the grandchild has a group ({kid}): ')
        f.end()


@manner('tini')
def tini_places_its_child(t, *row):
    m = Manner(t, *row)
    f = m.family('-s')
    me, kid = f.facts['me'], f.facts['kid']
    t.eq(me['pgrp'], me['pid'], 'the group of the command')
    t.eq(kid['pgrp'], me['pid'], 'the group of its child')
    t.ok(me['sid'] != me['pid'], 'it has a session of its own')
    t.eq(os.getsid(f.me), os.getsid(f.init), 'the session of the command')
    t.eq((me['blocked'], me['ignored']), (0, 0), 'signal mask and ignored signals')
    f.end()


@manner('tini')
def tini_gives_back_the_mask(t, *row):
    m = Manner(t, *row)
    f = m.family('-s', pre=all_blocked)
    t.eq(f.facts['me']['blocked'] & ALL_BUT, ALL_BUT, 'blocked signals')
    f.check([1, 15, 20, 40], 'me', 'started with all blocked: ')
    f.end()
    f = m.family('-s', pre=some_ignored)
    t.eq(f.facts['me']['ignored'], bits(1, 12, 22, 40), 'ignored signals')
    f.check([1, 15, 20, 40], 'me', 'started with some ignored: ')
    f.end()


@manner('tini', 'docker-init')
def tini_reaps(t, *row):
    m = Manner(t, *row)
    for args, env, adopts in (([], {}, m.pid1), (['-s'], {}, True), ([], {'TINI_SUBREAPER': ''}, True)):
        with t.case((args, env)):
            inner = 'echo $PPID; exec orphan'
            r = m.run(*args, '--', 'sh', '-c', inner, env=env)
            mine, orphan = r.out.split('\nppid ')
            t.eq(mine == orphan.strip(), adopts, f'an orphan becomes its child ({r.out!r})')
            if adopts:
                t.eq(m.run(*args, '--', 'zombies', '300', env=env).out, 'made 300 left 0\n', 'zombies') if m.pid1 else \
                    reaped(t, m, args, env)


@manner('tini')
def tini_stays_awake(t, *row):
    m = Manner(t, *row)
    f = m.family('-s', args=['alone', 'stay'])
    os.kill(f.me, signal.SIGSTOP)
    t.ok(f.stopped(f.me), 'the command is stopped')
    t.ok(state(f.init) != 'T', 'tini is stopped too')
    os.kill(f.init, signal.SIGHUP)
    os.kill(f.init, signal.SIGCONT)
    t.eq(f.next(), ('me', 1), 'after CONT to tini the command gets')
    taken(f.init)
    os.kill(f.init, signal.SIGTSTP)
    t.ok(f.stopped(f.me), 'TSTP stops the command')
    t.ok(state(f.init) != 'T', 'and tini')
    os.kill(f.me, signal.SIGCONT)
    f.end()


@manner(*TINI)
def tini_hands_over_the_terminal(t, *row):
    m = Manner(t, *row)
    s, me = m.terminal('-s')
    t.eq((me['pgrp'], me['tpgid']), (me['pid'], me['pid']), 'the command leads a group, which is in the foreground')
    for key, sig in ('\x03', 2), ('\x1c', 3), ('\x1a', 20):
        s.send(key)
        s.expect(f'got {sig} 128 ')  # from the terminal, not from tini
    os.kill(s.p.pid, signal.SIGHUP)
    t.ok('got' not in s.expect('(?s).*got 1 ')[0].replace('got 1 ', ''), 'one of them arrived twice')
    s.send('\n')
    t.eq(t.finish(s.p), 7, 'status')


@manner('tini', places=('ours', 'real'))
def tini_without_a_terminal_on_its_input(t, *row):
    m = Manner(t, *row)
    s, me = m.terminal('-s', redirect='< /dev/zero')
    t.eq((me['pgrp'], me['tpgid']), (me['pid'], s.p.pid), 'group of the command, group in the foreground')
    t.eq(t.finish(s.p), 7, 'status')


@manner('tini', places=('ours', 'real'))
def tini_as_a_job(t, *row):
    m = Manner(t, *row)
    s = a_job_in_the_foreground(t, m, '-s')
    script = 'trap \'exit 5\' INT; kill -INT \\$PPID; while :; do sleep 0.01; done'
    t.eq(s.cmd(f'{m.path} -s -- sh -c "{script}"; echo rc=$?'), 'rc=5', 'a signal to tini')
    t.eq(s.cmd(f'{m.path} -s -- true & wait; echo rc=$?').split('\n')[-1], 'rc=0', 'in the background')


# ---- tini and catatonit

def a_job_in_the_foreground(t, m, *opts):
    """Its command has the terminal for itself; the shell's Term, at its prompt again."""
    s, me = m.job(*opts)
    t.eq((me['pgrp'], me['tpgid'], s.foreground()), (me['pid'], me['pid'], me['pid']), 'the command has the foreground')
    s.send('\x03')
    s.expect('got 2 128 ')
    s.send('\n')
    s.prompt()
    t.ok('got' not in s.before, f'one arrived twice: {s.before!r}')
    t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=7', 'status')
    return s


@manner('catatonit', places=('ours', 'real'))
def catatonit_as_a_job(t, *row):
    a_job_in_the_foreground(t, Manner(t, *row))


@manner('tini', 'catatonit', places=('ours', 'real'))
def dies_of_faults(t, *row):
    m = Manner(t, *row)
    for s in FAULTS:
        f = m.family(args=['alone'], pre=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        os.kill(f.init, s)
        t.eq(t.finish(f.p), -s, f'status after signal {s} to the init')
        f.p.stdin.close()
        f.out.rest()
    t.nothing_left(3)


@manner('tini', 'catatonit')
def the_rest(t, *row):
    """They do not look after what is left, as a subreaper either; as PID 1 the kernel does."""
    m = Manner(t, *row)
    for opts in [], ['-g'], *([['-s']] if m.name == 'tini' else []):
        f = m.family(*opts)
        if m.pid1:
            kid = f.kid
            f.p.stdin.close()
            t.eq(t.finish(f.p), 7, 'status')
            t.ok(not os.path.exists(f'/proc/{kid}'), 'the grandchild is still there')
        else:
            t.eq(f.end(), [], f'{opts}: the grandchild gets')


# ---- all of them

ALL_NAMES = ('tini', 'docker-init', 'dumb-init', 'catatonit')


@manner(*ALL_NAMES, places=('ours', 'ours as PID 1'))
def sigchld_ignored_by_the_caller(t, *row):
    """The real tini and catatonit wait for ever then; ours do not."""
    m = Manner(t, *row)
    for script, code in ('exit 3', 3), ('kill $$', 143), ('forkstorm 50; exit 4', 4):
        r = m.run('--', *SH, script, pre=no_children_signal)
        t.eq((r.code, r.out), (code, ''), f'{script}: status, output')


@manner(*ALL_NAMES, places=('ours as PID 1', 'real as PID 1'), modes='root')
def first_in_a_plain_namespace(t, *row):
    """One that unshare(1) has made; what is left goes with it."""
    m = Manner(t, *row)
    unshare = ['unshare', '--fork', '--pid', '--mount-proc', m.path, '--']
    for script, code in ('exit 3', 3), ('kill -9 $$', 137), ('daemonize; sleep 9 & exit 5', 5), ('forkstorm 200; exit 6', 6):
        t.good(t.run([*unshare, *SH, script]), code, '')
        t.nothing_left()
    t.good(t.run([*unshare, 'orphan']), 0, 'ppid 1\n')
    t.good(t.run([*unshare, 'zombies', '200']), 0, 'made 200 left 0\n')
    r = t.run([*unshare, *SH, 'trap "exit 9" HUP; kill -HUP 1; while :; do sleep 0.01; done'])
    t.eq((r.code, r.out), (9, ''), 'after HUP to PID 1: status, output')
