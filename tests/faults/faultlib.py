# SPDX-License-Identifier: MIT
"""Running a box with a fault in it, and looking for what it left. See inject.c and filter.c."""
import contextlib, ctypes, errno, json, os, re, signal, subprocess, time

UID = 54321  # an ordinary user
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER, CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_SHARED = 36, 0x20000, 0x4000, 1 << 18, 1 << 20


class Config:
    """Paths of the programs, filled by the runner."""
    pidbox = inject = filter = counter = base = marker = ''


cfg = Config()


def system_calls():
    """Numbers of the system calls by name, from the kernel's own header."""
    text = subprocess.run(['cc', '-E', '-dM', '-include', 'asm/unistd.h', '-x', 'c', '/dev/null'], capture_output=True,
                          text=True, check=True).stdout
    return {m[1]: int(m[2]) for m in re.finditer(r'#define __NR_(\w+) (\d+)$', text, re.M)}


NR = system_calls()
NAME = {v: k for k, v in NR.items()}


class Failed(Exception):
    """What a case found."""


class Skipped(Exception):
    """A case that cannot be had here."""


def need(cond, words):
    if not cond:
        raise Failed(words)


class Outcome:
    """How a front ended, what it said, and what the injector saw."""

    def __init__(self):
        self.status = self.signal = None
        self.out = self.err = self.report = ''
        self.hit, self.late = 0, False
        self.left, self.calls = [], {}
        self.took = 0.0

    def __str__(self):
        end = f'signal {self.signal}' if self.signal else f'status {self.status}'
        return f'{end}, stderr {self.err[:400]!r}, stdout {self.out[:80]!r}, after {self.took:.2f} s'

    def take_status(self, raw):
        self.signal = os.WTERMSIG(raw) if os.WIFSIGNALED(raw) else None
        self.status = os.WEXITSTATUS(raw) if os.WIFEXITED(raw) else None

    def take_log(self, text):
        for line in text.splitlines():
            word, *rest = line.split()
            if word == 'call':
                self.calls.setdefault(rest[0], []).append(int(rest[2]))
            elif word in ('hit', 'late'):
                self.hit, self.late = self.hit + 1, word == 'late'
            elif word == 'left':
                self.left.append(' '.join(rest))
            elif word == 'front':
                self.take_status(int(rest[0]))


def runtime(who):
    """The runtime directory of this worker's boxes of a user."""
    return f'{cfg.base}/run/{os.getpid()}-{who}'


def become(who):
    """For preexec_fn: be that user."""
    def change():
        if who == 'user' and os.getuid() == 0:
            os.setgroups([])
            os.setresgid(UID, UID, UID)
            os.setresuid(UID, UID, UID)
            libc.prctl(4, 1, 0, 0, 0)  # dumpable again
    return change


def swept(who):
    """What a front has left that was killed, the next pidbox sweeps away."""
    for options in ['--name', 'n'], []:
        p = subprocess.run([cfg.pidbox, 'run', *options, '--', '/bin/true'], env=environment(who), preexec_fn=become(who), capture_output=True)
        need(p.returncode == 0, f'the next box, {options}: status {p.returncode}, {p.stderr}')
    left = [f for _, _, files in os.walk(runtime(who)) for f in files]
    need(not left, f'left in the runtime directory: {left}')


def environment(who='root', **more):
    return {'PIDBOX_RUNTIME_DIR': runtime(who), 'PATH': '/usr/bin:/bin:/usr/sbin:/sbin', 'LC_ALL': 'C', 'SHELL': '/bin/sh', 'TERM': 'dumb', 'HOME': '/',
            'PIDBOX_FAULT_ID': cfg.marker, **more}


def children_gone(patience):
    """We are the subreaper of all that a case starts. @return PIDs of what is still there after that many seconds"""
    until = time.monotonic() + patience
    while True:
        try:
            got = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return []
        if got is None:
            if time.monotonic() > until:
                break
            time.sleep(0.002)
    return [int(p) for p in open(f'/proc/self/task/{os.getpid()}/children').read().split()]


def words_of(pid):
    with contextlib.suppress(OSError):
        with open(f'/proc/{pid}/comm') as f, open(f'/proc/{pid}/status') as g:
            return f'{f.read().strip()} ({re.search(r"State:.(.*)", g.read())[1]})'
    return 'gone'


def end_all(pids):
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    children_gone(2.0)


def mounts():
    with open('/proc/self/mountinfo') as f:
        return f.read()


def drain(fd):
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, 'rb') as f:
        return f.read().decode(errors='replace')


def run(before, argv, *, who='root', report=False, hold=None, env=None, limit=20.0, input=None):
    """
    Run `before... -- argv...`, where before is the injector or the filter with its arguments; afterwards nothing may be
    left. report: argv gets --report. hold: None, b'' (end of file), b'x', or 'open' (nobody writes): becomes descriptor 3.
    """
    o = Outcome()
    files = [os.memfd_create(n, 0) for n in ('out', 'err', 'log', 'report')]
    pass_fds, close = [files[2], files[3]], []
    argv = list(argv)
    if report:
        argv[2:2] = ['--report', f'fd:{files[3]}']
    if hold is not None:
        r, w = os.pipe()
        close = [r, w]
        if hold != 'open':
            os.write(w, hold)
            os.close(close.pop())
        pass_fds.append(r)
        argv = [a.replace('HOLD', str(r)) for a in argv]
    head = [a.replace('LOG', str(files[2])) for a in before]
    was, t0 = mounts(), time.monotonic()
    p = subprocess.Popen(head + ['--', *argv], stdin=input or subprocess.DEVNULL, stdout=files[0], stderr=files[1],
                         pass_fds=pass_fds, env=environment(who, **(env or {})), start_new_session=True, cwd='/')
    late = False
    try:
        p.wait(limit)
    except subprocess.TimeoutExpired:
        late = True
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    o.took = time.monotonic() - t0
    o.take_status(p.returncode << 8 if p.returncode >= 0 else -p.returncode)
    for fd in close:
        os.close(fd)
    left = children_gone(0.5 if late else 5.0)
    names = [words_of(pid) for pid in left]
    end_all(left)
    o.out, o.err, log, o.report = map(drain, files)
    o.take_log(log)
    need(not late, f'no end within {limit:.0f} s; {o}; there were {names}')
    need(not left and not o.left, f'left behind: {names or o.left}; {o}')
    need(mounts() == was, f'the mounts outside have changed; {o}')
    return o


def as_user(mode):
    return ['-u', str(UID)] if mode == 'user' and os.getuid() == 0 else []


def injected(mode, action, argv, **more):
    return run([cfg.inject, '-l', 'LOG', *as_user(mode), *action], [cfg.pidbox, 'run', *argv], who=mode, **more)


def filtered(mode, rules, argv, **more):
    return run([cfg.filter, *as_user(mode), *rules], [cfg.pidbox, 'run', *argv], who=mode, **more)


# ------------------------------------------------------------ what the contract says of an error

CODES = set('''PROC_MASKED USERNS_DISABLED USERNS_APPARMOR USERNS_SECCOMP NEED_USERNS NS_LIMIT BOX_DEAD IDMAP TTY
PID1_IGNORES_SIGNAL PROC_LIMIT NOT_FOUND NO_SUCH_BOX NAME_TAKEN OWN_NAMESPACE STATUS_UNKNOWN DENIED USAGE'''.split())


def check_message(o, about='', foreseen=None):
    """The contract's shape: what was being done and the errno, why, one fix. foreseen: does the errno have words of its own?"""
    lines = o.err.splitlines()
    while lines and not lines[0].startswith('pidbox: '):  # the story of --explain
        del lines[0]
    need(lines, f'no message on standard error; {o}')
    first = re.fullmatch(r'pidbox: (.+?)(?:: ([^:\[]+?))?(?: \[([A-Z0-9_]+)\])?', lines[0])
    need(first, f'the first line has not the shape of the contract; {o}')
    need(first[3] is None or first[3] in CODES, f'{first[3]} is no code of the contract; {o}')
    need(first[3] != 'NS_LIMIT' or 'space left' not in lines[0], f'NS_LIMIT speaks of space on a device; {o}')
    need(about.lower() in first[1].lower(), f'the message does not say what was being done ("{about}"); {o}')
    need(len(lines) > 1 and lines[1].startswith('  why: '), f'no why; {o}')
    need(foreseen is None or foreseen == ('pidbox knows no more' not in lines[1]),
         f'{"a foreseen errno has no words of its own" if foreseen else "an errno that nobody foresaw is explained"}; {o}')
    need(len(lines) > 2 and lines[2].startswith('  fix: '), f'no fix; {o}')
    need(len(lines) == 3, f'more than one message; {o}')


def check_record(o, step=None, err=None):
    """The record of a set-up that failed: with step, errno as a name, code, why, fix."""
    need(o.report, f'no record; {o}')
    rec = json.loads(o.report)
    need(rec['reason'] == 'setup-failed', f'the record says {rec["reason"]}; {o}')
    for key in 'step', 'errno', 'code', 'why', 'fix':
        need(key in rec, f'the record has no {key}; {o}')
    need(step is None or rec['step'] == step, f'the record names the step {rec["step"]}, not {step}; {o}')
    need(err is None or rec['errno'] == errno.errorcode[err], f'the record has errno {rec["errno"]}; {o}')
    need(rec['code'] is None or rec['code'] in CODES, f'the record has the code {rec["code"]}')
    return rec
