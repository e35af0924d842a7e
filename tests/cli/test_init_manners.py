# SPDX-License-Identifier: MIT
"""pidbox-init by the name of tini, docker-init, dumb-init or catatonit. What is expected is asked of the real program
too, where there is one: each test runs with ours and with the real one, as PID 1 and not."""
from support import *
from test_tty import Term

REAL = {'docker-init': 'tini'}
PLACES = {'ours': (True, False), 'ours as PID 1': (True, True), 'real': (False, False), 'real as PID 1': (False, True)}
FAULTS = (signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)
JOB = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
PLAIN = [s for s in range(1, 32) if s not in (9, 17, 19, *FAULTS, *JOB)]
REALTIME = list(range(34, 65))
WARNING = r'\[WARN  tini \(\d+\)\] Tini is not running as PID 1 .*?-s option.*?TINI_SUBREAPER.*?\n'


class Manner:
    """One of the programs in one place: .run(…) to the end, .family(…) with a command that tells what it gets."""
    def __init__(self, t, name, ours, pid1):
        self.t, self.name, self.ours, self.pid1 = t, name, ours, pid1
        if ours:
            self.path = t.path(name)
            if not os.path.lexists(self.path):
                os.symlink(os.path.join(cfg.bin, 'pidbox-init'), self.path)
            if not os.path.exists(self.path):
                t.fail('there is no pidbox-init')
        else:
            self.path = shutil.which(REAL.get(name, name), path=t.env['PATH'])
            if not self.path:
                t.skip(f'the real {name} is not installed')
            if name in REAL:
                os.symlink(self.path, t.path(f'real-{name}'))
                self.path = t.path(f'real-{name}')

    def argv(self, *args):
        box = [self.t.pidbox, 'run', '--as-pid1', '--'] if self.pid1 else []
        return [*box, self.path, *args]

    def run(self, *args, env=(), **kw):
        return self.t.run(self.argv(*args), env={**self.t.env, **dict(env)}, **kw)

    def gives(self, args, code, out='', err='', env=(), **kw):
        """Run; its status, and what it said: each a regular expression for all of it."""
        with self.t.case(' '.join([*(f'{k}={v}' for k, v in dict(env).items()), *args]) or '(nothing)'):
            r = self.run(*args, env=env, **kw)
            self.t.eq(r.code, code, f'status (stderr {short(r.err)})')
            for what, text, want in ('standard output', r.out, out), ('standard error', r.err, err):
                self.t.ok(re.fullmatch(want, text, re.S), f'{what}: {text!r} is not {want!r}')
            return r

    def family(self, *opts, args=(), **kw):
        return Family(self, opts, args, **kw)


def manner(*names, places=PLACES, **kw):
    """A test for each of the programs in each of the places."""
    return each({f'{n}, {p}': (n, *row) for n in names for p, row in PLACES.items() if p in places}, **kw)


def words(pattern):
    """Of a message that is one line."""
    return pattern + r'\n'


class Family:
    """`family` under an init: .me and .kid are its two processes, seen from here."""
    def __init__(self, m, opts, args, env=(), pre=None, argv=None):
        self.m, self.t = m, m.t
        self.r, self.w = os.pipe()
        m.t.cleanups.append(self.close)

        def before():
            os.dup2(self.r, 9)
            if pre:
                pre()
        self.p = m.t.start(argv or m.argv(*opts, '--', m.t.helper('family'), *args), env={**m.t.env, **dict(env)}, pre=before,
                           pass_fds=(9,), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = Lines(self.p.stdout), Lines(self.p.stderr)
        self.facts = {}
        while True:
            line = self.out.line()
            if line is None:
                m.t.fail(f'the command did not start: {self.err.rest()}')
            if line == 'ready':
                break
            who, *rest = line.split()
            if rest[0] == 'pid':
                self.facts[who] = dict(zip(rest[::2], (int(x, 16 if k in ('blocked', 'ignored') else 10)
                                                       for k, x in zip(rest[::2], rest[1::2]))))
        self.init = next(p for p in children(self.p.pid) if is_first(p)) if m.pid1 else self.p.pid
        self.me = children(self.init)[0]
        self.kid = (children(self.me) or [None])[0]

    def close(self):
        for fd in self.r, self.w:
            if fd >= 0:
                os.close(fd)
        self.r = self.w = -1

    def state(self, pid):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/stat') as f:
            return f.read().rsplit(')', 1)[1].split()[0]

    def stopped(self, *pids):
        return until(lambda: all(self.state(p) == 'T' for p in pids))

    def taken(self):
        """The init has nothing pending any more."""
        def pending():
            with contextlib.suppress(OSError), open(f'/proc/{self.init}/status') as f:
                return [x for x in f if x.startswith(('ShdPnd', 'SigPnd')) and int(x.split()[1], 16)]
        return until(lambda: not pending())

    def next(self):
        line = self.out.line(5)
        if line is None:
            self.t.fail(f'the command has ended: {self.err.rest()}')
        who, got, *n = line.split()
        return (who, int(n[0]))

    def upto(self, *marks):
        got, marks = [], set(marks)
        while marks:
            g = self.next()
            if g in marks:
                marks.remove(g)
            elif g[1] != signal.SIGCHLD:
                got.append(g)
        return got

    def arrived(self, through=True):
        """Everything that has come so far: after a signal through the init, and two to each of the two themselves."""
        got = []
        if through:
            if not self.taken():
                self.t.fail('the init does not take its signals')
            os.kill(self.init, signal.SIGUSR1)
            got += self.upto(('me', signal.SIGUSR1))
        both = [('me', self.me)] + ([('kid', self.kid)] if self.kid else [])
        for _ in range(2):
            for _, p in both:
                os.kill(p, signal.SIGUSR2)
            got += self.upto(*((who, signal.SIGUSR2) for who, _ in both))
        return sorted(g for g in got if g[1] != signal.SIGUSR1)

    def send(self, sig, **kw):
        os.kill(self.init, sig)
        return self.arrived(**kw)

    def check(self, sigs, want, what=''):
        """Each of them, sent to the init, arrives as `want` says: signal -> what, or 'me', or 'both'."""
        for s in sigs:
            w = {'me': [('me', s)], 'both': [('kid', s), ('me', s)], 'nobody': []}.get(want, want)
            if s in (signal.SIGUSR1, signal.SIGUSR2):
                continue  # they are the marks
            self.t.eq(self.send(s), w, f'{what}signal {s} arrives as')

    def end(self, code=7):
        """The command ends by itself; what its kid said until descriptor 9 was closed."""
        self.p.stdin.close()
        self.t.eq(self.t.finish(self.p), code, 'status')
        os.close(self.w)
        self.w = -1
        rest = self.out.rest()
        return [tuple(int(x) if x.isdigit() else x for x in line.split()[::2])[:2] for line in rest.splitlines()]


def is_first(pid):
    """Is it PID 1 of a namespace inside ours?"""
    with open(f'/proc/{pid}/status') as f:
        return re.search(r'^NSpid:.*\t1$', f.read(), re.M)


def programs(t):
    t.write('noexec', 'x')
    t.write('script', 'exit 9\n', 0o755)


# ---- tini

TINI = ('tini', 'docker-init')
SH = ('sh', '-c')


def tini_warns(m):
    return '' if m.pid1 else WARNING


@manner(*TINI)
def tini_statuses(t, *row):
    m = Manner(t, *row)
    programs(t)
    w = tini_warns(m)
    for n in 0, 1, 3, 127, 128, 200, 255:
        m.gives(['--', *SH, f'exit {n}'], n, err=w)
    for s in 1, 2, 6, 9, 10, 15, 34, 64:
        m.gives(['--', t.helper('die'), str(s)], 128 + s, err=w)
    m.gives(['true'], 0, err=w)
    m.gives(['--', '/bin/echo', '-n', 'a  b', '--', '-h'], 0, out='a  b -- -h', err=w)
    m.gives(['./script'], 9, err=w)
    for cmd, code, why in (('nonesuch', 127, 'No such file or directory'), ('/nonesuch/x', 127, 'No such file or directory'), ('', 127, 'No such'),
                           ('./noexec', 126, 'Permission denied'), ('/', 126, 'Permission denied'), ('./noexec/x', 1, 'Not a directory')):
        m.gives([cmd], code, err=w + words(rf'\[FATAL tini \(\d+\)\] exec {cmd} failed: {why}.*'))


@manner(*TINI)
def tini_words(t, *row):
    m = Manner(t, *row)
    w, name = tini_warns(m), re.escape(m.name if m.ours or m.name == 'tini' else f'real-{m.name}')
    usage = rf'{name} \(tini version 0\.19\.0.*?\)\nUsage: {name} \[OPTIONS\] PROGRAM -- \[ARGS\].*' + \
        '.*'.join(f'-{o}' for o in ('h', 's', 'p SIGNAL', 'v', 'w', 'g', 'e EXIT_CODE', 'l')) + '.*TINI_SUBREAPER.*TINI_VERBOSITY.*TINI_KILL_PROCESS_GROUP.*'
    for args in (['-h'], ['-h', '-Z'], ['-sgh', 'true'], ['true', '-h']):
        m.gives(args, 0, out=usage)
    for args in ([], ['--'], ['-v'], ['-s', '-g', '--']):
        m.gives(args, 1, err=usage)
    for args, why in ((['-Z'], "invalid option -- '?Z'?"), (['-Z', '-h'], "invalid option -- '?Z'?"), (['--help'], '.*option.*'), (['--version', 'true'], '.*option.*'),
                      (['--nonesuch', 'true'], '.*option.*'), (['-e'], "option requires an argument -- '?e'?"), (['-p'], "option requires an argument -- '?p'?")):
        m.gives(args, 1, err=rf'\S*{name}: {why}\n{usage}')
    m.gives(['--version'], 0, out=words(r'tini version 0\.19\.0' + (r'.*pidbox.*' if m.ours else '')))
    m.gives(['--', '--version'], 127, err=w + words(r'\[FATAL tini \(\d+\)\] exec --version failed: .*'))
    for args in (['-l'], ['-l', 'true'], ['-sl']):
        m.gives(args, 0, out=r'.*\bMIT\b.*WITHOUT WARRANTY.*')


@manner(*TINI)
def tini_options_after_the_program(t, *row):
    """They are tini's own, but behind a --."""
    m = Manner(t, *row)
    w = tini_warns(m)
    r = m.gives(['sh', '-c', 'exit 3'], 1, err=r".*invalid option -- '?c'?\n.*Usage:.*")
    m.gives(['sh', '--', '-c', 'exit 3'], 3, err=w)
    m.gives(['echo', 'x', '--', '-s', '--'], 0, out='x -s --\n', err=w)
    m.gives(['--', 'sh', '-c', 'exit 3'], 3, err=w)
    m.gives(['--', '--', 'true'], 127, err=w + words(r'\[FATAL tini \(\d+\)\] exec -- failed: No such file or directory'))
    m.gives(['echo', '-s', 'x', '-e', '3', 'y'], 0, out='x y\n')
    m.gives(['true', '--'], 0, err=w)
    m.gives(['sh', '-c', 'exit 3'], 3, err=w, env={'POSIXLY_CORRECT': ''})
    del r


@manner('tini')
def tini_remaps_statuses(t, *row):
    m = Manner(t, *row)
    w = tini_warns(m)
    for args, code in ((['-e', '3'], 0), (['-e3'], 0), (['-ge', '3'], 0), (['-e', '4'], 3), (['-e', '4', '-e', '3', '-e', '5'], 0), (['-e', '+3'], 0),
                       (['-e', ' 3'], 0), (['-e', '003'], 0), (['-e', '0'], 3), (['-e', '255'], 3)):
        m.gives([*args, '--', *SH, 'exit 3'], code, err=w)
    m.gives(['-e', '143', '--', *SH, 'kill $$'], 0, err=w)
    m.gives(['-e', '255', '--', *SH, 'exit 255'], 0, err=w)
    m.gives(['-e', '127', 'nonesuch'], 0, err=w + words(r'\[FATAL .*'))
    for v in '256', '-1', 'x', '3x', '0x3', '3 ', '99999999999999999999':
        m.gives(['-e', v, 'true'], 1, err=words(rf'\[FATAL tini \(\d+\)\] Not a valid option for -e: {v}'))
        m.gives(['-e', v, 'true'], 1, err=words(rf'\[FATAL tini \(\d+\)\] Not a valid option for -e: {v}'), env={'TINI_VERBOSITY': '0'})


@manner('tini')
def tini_parent_death_signal(t, *row):
    m = Manner(t, *row)
    for s in ('HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF '
              'WINCH SYS').split():
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
                t.ok(until(lambda: not os.path.exists(f'/proc/{pid}') or open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] == 'Z'),
                     'tini did not die')
            p.stdin.close()
            t.eq(out.rest(), 'end\n', 'the command goes on until its input ends')
    t.nothing_left(3)


@manner('tini')
def tini_verbosity(t, *row):
    m = Manner(t, *row)
    w, n = tini_warns(m), r'\(\d+\)\]'
    spawned, exited = rf"\[INFO  tini {n} Spawned child process '(true|sh)' with pid '\d+'\n", rf"\[INFO  tini {n} Main child exited normally \(with status '0'\)\n"
    debug = rf"\[DEBUG tini {n} [^\n]*\n"
    trace = rf"\[TRACE tini {n} [^\n]*\n"
    levels = '', spawned + exited, spawned + f'({debug})+' + exited, f'({trace})*' + spawned + f'({debug}|{trace})+' + exited + f'({trace})+'
    for i, out in enumerate(levels):
        m.gives(['-v'] * i + ['true'], 0, out=out, err=w)
        m.gives(['true'], 0, out=out, err=w, env={'TINI_VERBOSITY': str(i + 1)})
        if i:
            m.gives([f'-{"v" * i}', 'true'], 0, out=out, err=w)
        m.gives(['true', f'-{"v" * i}' if i else '--'], 0, out=out, err=w)
    m.gives(['-sv', '--', *SH, 'kill $$'], 143, out=spawned + rf"\[INFO  tini {n} Main child exited with signal \(with signal 'Terminated'\)\n")
    m.gives(['-svvvv', 'true'], 0, out=levels[3])
    # the variable instead of the options
    for v in '0', '', 'x':
        m.gives(['-vv', 'true'], 0, env={'TINI_VERBOSITY': v})
        m.gives(['nonesuch'], 127, err=words(rf'\[FATAL tini {n} exec nonesuch failed: No such file or directory'), env={'TINI_VERBOSITY': v})
    m.gives(['-vvv', 'true'], 0, err=w, env={'TINI_VERBOSITY': '1'})


@manner('tini')
def tini_warns_of_what_it_reaps(t, *row):
    m = Manner(t, *row)
    for args, env, warned in ((['-w', '-s'], {}, True), (['-ws'], {'TINI_VERBOSITY': '0'}, False), (['-s'], {}, False), (['-w'], {'TINI_SUBREAPER': ''}, True),
                              (['-w'], {}, m.pid1)):
        with t.case((args, env)):
            r = m.run(*args, '--', t.helper('orphan'), env=env)
            t.eq(r.code, 0, 'status')
            said = re.findall(r'\[WARN  tini \((\d+)\)\] Reaped zombie process with pid=(\d+)\n', r.err)
            left = re.sub(r'\[WARN  tini \(\d+\)\] Reaped.*\n', '', r.err)
            # the orphan may end a little later than the command; `zombies` below waits
            t.ok(len(said) <= (1 if warned else 0), f'said {r.err!r}')
            t.ok(re.fullmatch('' if '-s' in args or '-ws' in args or env else tini_warns(m), left, re.S), f'standard error {r.err!r}')
            if warned:
                f = m.family(*args, args=['alone'], argv=m.argv(*args, '--', 'sh', '-c', 'forkstorm 5; exec family alone'), env=env)
                t.ok(until(lambda: children(f.init) == [f.me]), f'children of the init: {len(children(f.init))}')
                f.end()
                t.eq(f.err.rest().count('Reaped zombie process with pid='), 5, 'warnings of five orphans')


@manner('tini')
def tini_who_gets_signals(t, *row):
    m = Manner(t, *row)
    for opts, env, who in (([], {}, 'me'), (['-g'], {}, 'both'), ([], {'TINI_KILL_PROCESS_GROUP': ''}, 'both'), ([], {'TINI_KILL_PROCESS_GROUP': '0'}, 'both')):
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


@manner('tini', places=('ours', 'real'))
def tini_dies_of_faults(t, *row):
    m = Manner(t, *row)
    for s in FAULTS:
        f = m.family('-s', args=['alone'], pre=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
        os.kill(f.init, s)
        t.eq(t.finish(f.p), -s, f'status after signal {s} to tini')
        f.p.stdin.close()
        f.out.rest()
    t.nothing_left(3)


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


def all_blocked():
    signal.pthread_sigmask(signal.SIG_SETMASK, set(range(1, 65)) - {32, 33})


def some_ignored():
    for s in signal.SIGHUP, signal.SIGTTOU, signal.SIGUSR2, 40:
        signal.signal(s, signal.SIG_IGN)


def bits(*sigs):
    return sum(1 << s - 1 for s in sigs)


ALL_BUT = bits(*range(1, 65)) & ~bits(9, 19, 32, 33)


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


def reaped(t, m, args, env):
    """What an init that is not PID 1 has adopted does not stay a zombie."""
    f = m.family(*args, args=['alone'], argv=m.argv(*args, '--', 'sh', '-c', 'forkstorm 100; exec family alone'), env=env)
    t.ok(until(lambda: children(f.init) == [f.me]), f'children of the init: {len(children(f.init))}')
    f.end()


@manner('tini')
def tini_and_the_rest(t, *row):
    """It does not look after what is left; as PID 1 the kernel does."""
    m = Manner(t, *row)
    for opts in [], ['-g'], ['-s']:
        f = m.family(*opts)
        if m.pid1:
            kid = f.kid
            f.p.stdin.close()
            t.eq(t.finish(f.p), 7, 'status')
            t.ok(not os.path.exists(f'/proc/{kid}'), 'the grandchild is still there')
        else:
            t.eq(f.end(), [], f'{opts}: the grandchild gets')


@manner('tini')
def tini_stays_awake(t, *row):
    m = Manner(t, *row)
    f = m.family('-s', args=['alone', 'stay'])
    os.kill(f.me, signal.SIGSTOP)
    t.ok(f.stopped(f.me), 'the command is stopped')
    t.ok(f.state(f.init) != 'T', 'tini is stopped too')
    os.kill(f.init, signal.SIGHUP)
    os.kill(f.init, signal.SIGCONT)
    t.eq(f.next(), ('me', 1), 'after CONT to tini the command gets')
    f.taken()
    os.kill(f.init, signal.SIGTSTP)
    t.ok(f.stopped(f.me), 'TSTP stops the command')
    t.ok(f.state(f.init) != 'T', 'and tini')
    os.kill(f.me, signal.SIGCONT)
    f.end()
