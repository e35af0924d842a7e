# SPDX-License-Identifier: MIT
"""What the tests of pidbox-init share. By another program's name, what is expected is asked of the real program too,
where there is one: each test runs with ours and with the real one, as PID 1 and not."""
from support import *
from test_tty import BASH, SHELL, Term

REAL = {'docker-init': 'tini'}
PLACES = {'ours': (True, False), 'ours as PID 1': (True, True), 'real': (False, False), 'real as PID 1': (False, True)}
FAULTS = (signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)
JOB = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
PLAIN = [s for s in range(1, 32) if s not in (9, 17, 19, *FAULTS, *JOB)]
SH = ('sh', '-c')
REALTIME = list(range(34, 62))  # the last three are the marks of Family


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
        """The helper of that name with args under an init with opts; or the whole command line, as argv."""
        return Family(self, opts, args, **kw)

    def terminal(self, *opts, redirect=''):
        """The same on a terminal, whose session it leads: (Term, facts of the command)."""
        box = [self.t.pidbox, 'run', '-t', '--as-pid1', '--'] if self.pid1 else []
        argv = [*box, self.path, *opts, '--', self.t.helper('family'), 'alone']
        if redirect:
            argv = ['sh', '-c', f'exec "$@" {redirect}', 'sh', *argv]
        s = Term(self.t, argv)
        return s, facts(s)

    def job(self, *opts):
        """The same as a shell's job: (Term, facts of the command). It is started again by \"fg\"."""
        if not BASH:
            self.t.skip('no /bin/bash')
        s = Term(self.t, SHELL)
        s.prompt()
        s.send(' '.join([self.path, *opts, '-- family alone\n']))
        return s, facts(s)


def manner(*names, places=PLACES, **kw):
    """A test for each of the programs in each of the places."""
    return each({f'{n}, {p}': (n, *row) for n in names for p, row in PLACES.items() if p in places}, **kw)


def gives_statuses(m, opts, refused, err=''):
    """Those of the command; refused(command, why): status and words for one that cannot be executed."""
    programs(m.t)
    for n in 0, 1, 2, 3, 127, 128, 200, 255:
        m.gives([*opts, '--', *SH, f'exit {n}'], n, err=err)
    for s in 1, 2, 6, 9, 10, 15, 34, 64:
        m.gives([*opts, '--', m.t.helper('die'), str(s)], 128 + s, err=err)
    m.gives([*opts, './script'], 9, err=err)
    for cmd, why in (('nonesuch', 'No such file or directory'), ('/nonesuch/x', 'No such file or directory'), ('', 'No such file or directory'),
                     ('./noexec', 'Permission denied'), ('/', 'Permission denied'), ('./noexec/x', 'Not a directory')):
        code, said = refused(cmd, why)
        m.gives([*opts, cmd], code, err=err + words(said))


def words(pattern):
    """Of a message that is one line."""
    return pattern + r'\n'


LEFT_BY_MAKE = 0x180000000  # signals 32 and 33: GNU make leaves them ignored, and no C library's call can change that


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
        self.p = m.t.start(argv or m.argv(*opts, '--', m.t.helper('family'), *args), env={**m.t.env, **dict(env)},
                           pre=before, pass_fds=(9,), **dict.fromkeys(('stdin', 'stdout', 'stderr'), subprocess.PIPE))
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
                self.facts[who]['ignored'] &= ~LEFT_BY_MAKE
        self.init = next(p for p in children(self.p.pid) if is_first(p)) if m.pid1 else self.p.pid
        self.me = children(self.init)[0]
        self.kid = (children(self.me) or [None])[0]

    def close(self):
        for fd in self.r, self.w:
            if fd >= 0:
                os.close(fd)
        self.r = self.w = -1

    def stopped(self, *pids):
        return until(lambda: all(state(p) == 'T' for p in pids))

    def suspended(self):
        """The init has stopped itself; PID 1 has tried to (and CONT before that would be lost)."""
        if not self.m.pid1:
            return self.t.ok(self.stopped(self.init), f'the init is not stopped but {state(self.init)}')
        os.kill(self.init, 62)
        taken(self.init)
        return self.t.ok(state(self.init) != 'T', 'PID 1 is stopped')

    def next(self):
        line = self.out.line(5)
        if line is None:
            self.t.fail(f'the command has ended: {self.err.rest()}')
        who, _, sig, *_ = line.split()
        return (who, int(sig)) if sig not in ('17', '62') else self.next()

    def upto(self, *marks):
        got, marks = [], set(marks)
        while marks:
            g = self.next()
            if g in marks:
                marks.remove(g)
            else:
                got.append(g)
        return got

    def arrived(self):
        """What has come so far: up to a signal through the init and one to each of the two (of several pending ones the
        lowest is first)."""
        if not taken(self.init):
            self.t.fail('the init does not take its signals')
        os.kill(self.init, 63)
        got = self.upto(('me', 63))
        both = [('me', self.me)] + ([('kid', self.kid)] if self.kid else [])
        for _, p in both:
            os.kill(p, 64)
        got += self.upto(*((who, 64) for who, _ in both))
        return sorted(g for g in got if g[1] < 63)

    def send(self, sig):
        os.kill(self.init, sig)
        return self.arrived()

    def check(self, sigs, want, what=''):
        """Each of them, sent to the init, arrives as `want` says: signal -> what, or 'me', or 'both'."""
        for s in sigs:
            w = {'me': [('me', s)], 'both': [('kid', s), ('me', s)], 'nobody': []}.get(want, want)
            self.t.eq(self.send(s), w, f'{what}signal {s} arrives as')

    def end(self, code=7):
        """The command ends by itself; what its kid said until descriptor 9 was closed."""
        self.p.stdin.close()
        self.t.eq(self.t.finish(self.p), code, 'status')
        os.close(self.w)
        self.w = -1
        rest = self.out.rest()
        return [tuple(int(x) if x.isdigit() else x for x in line.split()[::2])[:2] for line in rest.splitlines()]


def facts(s):
    m = s.expect(r'me pid (\d+) ppid (\d+) pgrp (\d+) sid (\d+) tpgid (-?\d+) [^\n]*\n')
    s.expect('ready\r\n')
    return dict(zip(('pid', 'ppid', 'pgrp', 'sid', 'tpgid'), map(int, m.groups())))


def state(pid):
    """The letter of /proc, or None."""
    with contextlib.suppress(OSError), open(f'/proc/{pid}/stat') as f:
        return f.read().rsplit(')', 1)[1].split()[0]


def taken(pid):
    """It has no signal pending any more, within some seconds."""
    def pending():
        with contextlib.suppress(OSError), open(f'/proc/{pid}/status') as f:
            return [x for x in f if x.startswith(('SigPnd', 'ShdPnd')) and int(x.split()[1], 16)]
    return until(lambda: not pending())


def is_first(pid):
    """Is it PID 1 of a namespace inside ours?"""
    with open(f'/proc/{pid}/status') as f:
        return re.search(r'^NSpid:.*\t1$', f.read(), re.M)


def programs(t):
    t.write('noexec', 'x')
    t.write('script', 'exit 9\n', 0o755)


def no_children_signal():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def all_blocked():
    signal.pthread_sigmask(signal.SIG_SETMASK, set(range(1, 65)) - {32, 33})


def some_ignored():
    for s in signal.SIGHUP, signal.SIGTTOU, signal.SIGUSR2, 40:
        signal.signal(s, signal.SIG_IGN)


def bits(*sigs):
    return sum(1 << s - 1 for s in sigs)


def reaped(t, m, args, env):
    """What an init that is not PID 1 has adopted does not stay a zombie."""
    f = m.family(argv=m.argv(*args, '--', 'sh', '-c', 'forkstorm 100; exec family alone'), env=env)
    t.ok(until(lambda: children(f.init) == [f.me]), f'children of the init: {len(children(f.init))}')
    f.end()


ALL_BUT = bits(*range(1, 65)) & ~bits(9, 19, 32, 33)


# ---- its own manner

NAME = 'pidbox-init'
both = each({'as PID 1': True, 'not PID 1': False})
elsewhere = each({'not PID 1': False})
ERROR = r'pidbox-init: [^\n]+\n'


def own(t, pid1):
    return Manner(t, NAME, True, pid1)


def gone(t, m):
    """At once when it has returned."""
    t.nothing_left(0.0, 'after the init has returned')
