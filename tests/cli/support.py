# SPDX-License-Identifier: MIT
"""What the tests share. A test is a function marked @test (or @each, for a table of cases) that takes a T.

A test runs in a process of its own (forked by tests/run), in a session of its own, which is a subreaper: what escapes
from a box turns up as its descendant. t.eq and t.ok note a failure and go on; t.fail ends the test."""
import contextlib, json, os, re, select, signal, subprocess, sys, time, types
import calendar, ctypes, encodings.latin_1, errno, fcntl, hashlib, pty, random, resource, shutil, socket, struct, termios, _strptime  # noqa: all of
# them now: in a test there may be no right to read the standard library

ALL = ('root', 'user', 'userns')
SLOWNESS = float(os.environ.get('PIDBOX_TEST_SLOWNESS', 1))  # time limits are that many times longer: an emulated machine
BUSY = 2  # and others may be at work on the same machine
cfg = types.SimpleNamespace(bin=None, helpers=None, all=False)
tests = []
libc = ctypes.CDLL(None, use_errno=True)
SIGS = {s.name: int(s) for s in signal.Signals}
REASONS = ('exited', 'signaled', 'timeout', 'cpu-time', 'oom', 'killed', 'parent-gone', 'setup-failed')
CODES = set('''PROC_MASKED USERNS_DISABLED USERNS_APPARMOR USERNS_SECCOMP NEED_USERNS NS_LIMIT BOX_DEAD IDMAP TTY
    PID1_IGNORES_SIGNAL PROC_LIMIT NOT_FOUND NO_SUCH_BOX NAME_TAKEN OWN_NAMESPACE STATUS_UNKNOWN DENIED USAGE'''.split())


class Fail(Exception):
    pass


class Skip(Exception):
    pass


class Test(types.SimpleNamespace):
    pass


def test(fn=None, *, modes=ALL, limit=30, serial=False, name=None, args=()):
    """Register a test: the modes it is for, its time limit in seconds, and whether it wants the machine for itself."""
    def add(f):
        if isinstance(modes, str):
            m = tuple(modes.split(','))
        else:
            m = modes
        tests.append(Test(fn=f, name=name or f.__name__, file=os.path.basename(f.__code__.co_filename), modes=m,
                          limit=limit * BUSY * SLOWNESS, serial=serial, args=args))
        return f
    return add(fn) if fn else add


def each(rows, **kw):
    """A test for each row; rows: a dict name -> arguments (a tuple, or one value)."""
    def add(f):
        for name, row in rows.items():
            test(f, name=f'{f.__name__}[{name}]', args=row if isinstance(row, tuple) else (row,), **kw)
        return f
    return add


OTHER_TOOLS = 'bwrap', 'crun', 'podman'  # what a machine may be without


class Result(types.SimpleNamespace):
    """code: the exit status, negative for a signal; out, err: text; took: seconds."""


def children(pid='self'):
    """Direct children of a process (all its threads)."""
    out = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{task}/children') as f:
                out += map(int, f.read().split())
    return out


def proc_table():
    """pid -> (ppid, state) of everything in /proc."""
    table = {}
    for p in os.listdir('/proc'):
        if p.isdigit():
            with contextlib.suppress(OSError, IndexError):
                with open(f'/proc/{p}/stat', 'rb') as f:
                    rest = f.read().rsplit(b')', 1)[1].split()
                table[int(p)] = (int(rest[1]), rest[0].decode())
    return table


def descendants(root):
    table, out = proc_table(), []
    kids = {}
    for p, (pp, _) in table.items():
        kids.setdefault(pp, []).append(p)
    todo = [root]
    while todo:
        for k in kids.get(todo.pop(), ()):
            out.append(k)
            todo.append(k)
    return [(p, table[p][1]) for p in out]


def comm(pid):
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            return f.read().replace(b'\0', b' ').decode('utf-8', 'replace').strip() or '(no arguments)'
    except OSError:
        return '(gone)'


def slow(duration):
    """A time that a test gives somebody else (150ms, 0.3), as much longer as its own limits are."""
    return re.sub(r'[\d.]+', lambda m: f'{float(m[0]) * SLOWNESS:.10g}', str(duration))


def until(cond, seconds=5.0, step=0.003):
    """Poll until cond() is true; returns its value (false when time is up). The longer it takes the more seldom: many
    conditions read all of /proc."""
    start = time.monotonic()
    while True:
        v, took = cond(), time.monotonic() - start
        if v or took > seconds * SLOWNESS:
            return v
        time.sleep(max(step * SLOWNESS, min(took / 10, 0.05)))


def rounds(sample, every):
    """How often something is tried that only a race would break. The sample is spread over the same time as all of it, at
    wider distances: it finds a window of half a millisecond at the first run, --all a narrower one."""
    return every if cfg.all else sample


def freeze(pid):
    """SIGSTOP, and it has stopped: a process that a signal wakes from wait(2) looks for dead children once more."""
    os.kill(pid, signal.SIGSTOP)
    return until(lambda: proc_table()[pid][1] == 'T')


def ns(kind, pid='self'):
    return os.readlink(f'/proc/{pid}/ns/{kind}')


def kernel():
    return tuple(int(x) for x in re.findall(r'\d+', os.uname().release)[:2])


def is_guest():
    """Is this a machine of tests/vm/run? Only there is a setting of the whole machine a test's to change: our runner has told its
    kernel so, and it is QEMU's."""
    def read(file):
        with contextlib.suppress(OSError), open(file) as f:
            return f.read()
        return ''
    return os.environ.get('PIDBOX_TEST_GUEST') == '1' and ' init=/pidbox/tests/vm/guest PIDBOX_TEST_GUEST=1 ' in read('/proc/cmdline') and \
        read('/sys/class/dmi/id/sys_vendor') == 'QEMU\n'


class Lines:
    """Lines from a descriptor, with a deadline. Never blocks for ever."""
    def __init__(self, fd):
        self.fd = fd if isinstance(fd, int) else fd.fileno()
        self.buf, self.eof = b'', False

    def fill(self, seconds):
        r = select.poll()
        r.register(self.fd, select.POLLIN | select.POLLHUP)
        if not r.poll(max(0, seconds * 1000)):
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            data = b''
        self.eof = not data
        self.buf += data
        return True

    def line(self, seconds=10.0):
        """The next line without its newline; None at end of file."""
        end = time.monotonic() + seconds * SLOWNESS
        while b'\n' not in self.buf:
            if self.eof:
                out, self.buf = self.buf, b''
                return out.decode('utf-8', 'surrogateescape') or None
            if not self.fill(end - time.monotonic()) and time.monotonic() >= end:
                raise Fail(f'no line within {seconds} s; so far: {self.buf!r}')
        out, self.buf = self.buf.split(b'\n', 1)
        return out.decode('utf-8', 'surrogateescape')

    def rest(self, seconds=10.0):
        """Everything up to end of file."""
        end = time.monotonic() + seconds * SLOWNESS
        while not self.eof:
            if not self.fill(end - time.monotonic()) and time.monotonic() >= end:
                raise Fail(f'no end of file within {seconds} s; so far: {self.buf[-200:]!r}')
        out, self.buf = self.buf, b''
        return out.decode('utf-8', 'surrogateescape')


class T:
    def __init__(self, mode, tmp, env):
        self.mode, self.tmp, self.env = mode, tmp, env
        self.problems, self.where, self.cleanups, self.live, self.shapeless = [], '', [], [], []
        self.pidbox = os.path.join(cfg.bin, 'pidbox')

    # ---- judging
    def note(self, msg):
        self.problems.append((self.where + ': ' if self.where else '') + msg)

    def ok(self, cond, msg):
        if not cond:
            self.note(msg)
        return bool(cond)

    def eq(self, got, want, what):
        return self.ok(got == want, f'{what}: got {short(got)}, want {short(want)}')

    def fail(self, msg):
        raise Fail((self.where + ': ' if self.where else '') + msg)

    def skip(self, why):
        raise Skip(why)

    @contextlib.contextmanager
    def case(self, name):
        """A named part of a test: its failure does not stop the others."""
        was, self.where = self.where, str(name)
        try:
            yield
        except Fail as e:
            self.problems.append(str(e) if str(e).startswith(self.where) else f'{self.where}: {e}')
        finally:
            self.where = was

    def share(self, cases):
        """A third for each kind of user of many cases that do not depend on it; with --all everybody has them all."""
        return cases if cfg.all else cases[ALL.index(self.mode)::len(ALL)]

    # ---- running
    def helper(self, name):
        return os.path.join(cfg.helpers, name)

    def path(self, name):
        return os.path.join(self.tmp, name)

    def write(self, name, text, mode=0o644):
        p = self.path(name)
        with open(p, 'wb') as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(p, mode)
        return p

    def start(self, argv, env=None, pre=None, **kw):
        """Popen in the test's directory; killed at the end of the test if need be."""
        kw.setdefault('stdin', subprocess.DEVNULL)
        kw.setdefault('cwd', self.tmp)
        if argv[0] in OTHER_TOOLS and not shutil.which(argv[0]):
            self.skip(f'{argv[0]} is not installed')
        p = subprocess.Popen([os.fsencode(a) if isinstance(a, str) else a for a in argv],
                             env=self.env if env is None else env, preexec_fn=pre, bufsize=0, **kw)
        self.live.append(p)
        return p

    def run(self, argv, input=None, timeout=15, **kw):
        """Run to the end with standard output and error captured."""
        kw.setdefault('stdout', subprocess.PIPE)
        kw.setdefault('stderr', subprocess.PIPE)
        if input is not None:
            kw['stdin'] = subprocess.PIPE
        t0 = time.monotonic()
        p = self.start(argv, **kw)
        try:
            out, err = p.communicate(input.encode() if isinstance(input, str) else input, timeout * SLOWNESS)
        except subprocess.TimeoutExpired as e:
            how = 'did not return' if p.poll() is None else 'returned but its pipes stay open'
            raise Fail(f'{how} within {timeout} s: {quote(argv)}; stderr {short(text(e.stderr))}') from None
        return Result(code=p.returncode, out=text(out), err=text(err), took=time.monotonic() - t0, argv=argv)

    def box(self, *args, **kw):
        """pidbox run ARGS"""
        return self.run([self.pidbox, 'run', *args], **kw)

    def sh(self, script, *args, **kw):
        """A shell script, outside, with pidbox and the helpers in PATH."""
        return self.run(['/bin/sh', '-c', script, 'sh', *args], **kw)

    def start_box(self, *args, **kw):
        """pidbox run ARGS in the background; .out and .err are Lines."""
        for k in 'stdout', 'stderr':
            kw.setdefault(k, subprocess.PIPE)
        p = self.start([self.pidbox, 'run', *args], **kw)
        p.out = p.stdout and Lines(p.stdout)
        p.err = p.stderr and Lines(p.stderr)
        return p

    def finish(self, p, seconds=15):
        """Wait for a Popen; its return code."""
        try:
            return p.wait(seconds * SLOWNESS)
        except subprocess.TimeoutExpired:
            raise Fail(f'did not end within {seconds} s: {quote(p.args)}') from None

    def init_of(self, front):
        """The outer PID of a running box's init, from its front's PID."""
        kids = until(lambda: children(front.pid))
        if len(kids) != 1:
            self.fail(f'the front has {len(kids)} children, not 1')
        return kids[0]

    def command_of(self, front):
        init = self.init_of(front)
        for k in until(lambda: children(init)) or ():
            return k
        self.fail('the init has no child')

    # ---- what pidbox promises
    def good(self, r, code=0, out=None, err=''):
        """It went well: status, and (when given) output; nothing on standard error unless told."""
        self.eq(r.code, code, f'status of {quote(r.argv)} (stderr {short(r.err)})')
        if out is not None:
            self.eq(r.out, out, f'output of {quote(r.argv)}')
        if err is not None:
            self.eq(self.said(r), err, f'standard error of {quote(r.argv)}')
        return r

    def said(self, r):
        """Its standard error. What else runs on the machine, in a namespace of root's, is not a test's to forbid."""
        return r.err if self.mode == 'root' else re.sub(r'^pidbox: \d+ processes of other users could not be looked at\n', '', r.err, flags=re.M)

    def error(self, r, code=None, status=125, has=(), out=''):
        """It failed with one error of the contract's shape (three lines), and the right code and status."""
        self.eq(r.code, status, f'status of {quote(r.argv)}')
        if out is not None:
            self.eq(r.out, out, f'output of {quote(r.argv)}')
        m = re.search(r'^pidbox: (?P<what>\S.*?)(?: \[(?P<code>[A-Z0-9_]+)\])?(?P<why>\n  why: \S.*)?(?P<fix>\n  fix: \S.*)?\n\Z', self.said(r), re.M)
        if not m:
            self.note(f'not an error of the contract\'s shape: {short(r.err)} of {quote(r.argv)}')
            return None
        for line in 'why', 'fix':
            if not m[line]:
                self.shapeless.append(f'{line}: {short(r.err, 150)} of {quote(r.argv)}')
        if code:
            self.ok(m['code'] in ((code,) if isinstance(code, str) else code),
                    f'code [{m["code"]}], want [{code}]: {short(r.err)} of {quote(r.argv)}')
        if m['code']:
            self.ok(m['code'] in CODES, f'unknown code [{m["code"]}]')
        for word in (has,) if isinstance(has, str) else has:
            self.ok(word in r.err, f'the error does not mention {word!r}: {short(r.err)}')
        return m

    def report(self, *args, **kw):
        """Run a box with --report FILE; (Result, record)."""
        f = self.path(f'report-{len(self.live)}.json')
        r = self.box('--report', f, *args, **kw)
        return r, self.record(f)

    def record(self, file):
        try:
            with open(file, encoding='utf-8') as f:
                return json.load(f)
        except (OSError, ValueError) as e:
            with contextlib.suppress(OSError):
                e = f'{e}: {short(open(file, errors="replace").read())}'
            raise Fail(f'no record: {e}') from None

    def unshared(self, *script, user=True):
        """The argv of a shell script that is root of a new user namespace (with a mount namespace)."""
        return ['unshare', '-Urm', '/bin/sh', '-c', *script]

    # ---- nothing left
    def forget_records(self):
        """Those of detached boxes are kept for a day; the runner looks for what is left."""
        for d, _, files in os.walk(self.env['PIDBOX_RUNTIME_DIR']):
            for f in files:
                if f.endswith(':exit'):
                    os.unlink(os.path.join(d, f))

    def left(self):
        """Descendants of this test that are still there, but for those that it started itself and still knows."""
        known = {p.pid for p in self.live if p.returncode is None}
        while True:
            try:
                s = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if not s or s.si_pid in known:
                break
            os.waitpid(s.si_pid, 0)
        if not children():
            return []
        out = descendants(os.getpid())
        mine = set(known)
        return [p for p, s in out if p not in mine and s != 'Z']

    def nothing_left(self, seconds=0.0, what='after pidbox has returned'):
        """Not one process of the box: at once by default."""
        left = until(lambda: not self.left(), seconds) or self.left() == []
        if not left:
            procs = [(p, comm(p)) for p in self.left()]
            if procs:
                self.note(f'processes left {what}: {procs[:5]}')

    def end(self):
        """After the test: what it still has running goes; anything else that runs is a failure."""
        for fn in reversed(self.cleanups):
            fn()
        if self.shapeless:
            self.note(f'not the three-line shape of an error, {len(self.shapeless)} lines missing, the first: {self.shapeless[0]}')
        for p in self.live:
            if p.returncode is None and p.poll() is None:
                with contextlib.suppress(OSError):
                    p.kill()
            if p.returncode is None:
                p.wait()
            for f in p.stdin, p.stdout, p.stderr:
                if f:
                    f.close()
        self.nothing_left(3.0, 'after the test')
        for p in self.left():
            with contextlib.suppress(OSError):
                os.kill(p, signal.SIGKILL)
        until(lambda: not self.left(), 3.0)


def text(b):
    return (b or b'').decode('utf-8', 'surrogateescape')


def short(x, n=300):
    s = x if isinstance(x, (int, type(None))) else repr(x)
    return s if not isinstance(s, str) or len(s) <= n else f'{s[:n // 2]}…{s[-n // 2:]}'


def quote(argv):
    s = ' '.join(os.fsdecode(a) if re.fullmatch(r'[\w/.,:=+@%-]+', os.fsdecode(a)) else repr(os.fsdecode(a))
                 for a in argv[:40])
    s = re.sub(r'(?<!\w)/tmp/pidbox-test-\w+/(bin|helpers)/', '', s)
    return '`' + (s if len(s) < 300 else s[:300] + '…') + '`'


def pipe():
    """A pipe whose ends children can inherit by pass_fds."""
    return os.pipe()


@contextlib.contextmanager
def opened(*fds):
    try:
        yield
    finally:
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)


def at_eof(fd):
    """Is the read end of a pipe at end of file right now? (what was written is thrown away)"""
    os.set_blocking(fd, False)
    try:
        while os.read(fd, 65536):
            pass
        return True
    except BlockingIOError:
        return False


def sigqueue(pid, sig, value):
    libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    if libc.sigqueue(pid, sig, value):
        raise OSError(ctypes.get_errno(), 'sigqueue')
