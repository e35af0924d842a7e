"""What every test of tests/work stands on: a stage (one user's run), boxes, polling, and the look round afterwards."""
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

MARK = 'PIDBOX_WORK_MARK'
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
DEADLINE = 30                       # seconds that a condition may take on a loaded machine
TESTS = []


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def test(name, box=False):
    """Registers a test; `box`: it says nothing without pidbox."""
    def add(function):
        TESTS.append((name, box, function))
        return function
    return add


def check(condition, why):
    if not condition:
        raise Failure(why)


def equal(observed, expected, what):
    if observed != expected:
        raise Failure('%s: expected %r, observed %r' % (what, expected, observed))


def until(condition, what, deadline=DEADLINE, on_late=None):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure('not within %d s: %s%s' % (deadline, what, '\n' + on_late() if on_late else ''))
        time.sleep(0.02)


def read(path, default=''):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except OSError:
        return default


def write(path, text, mode=0o644):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def prctl(option, value):
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


class Process:
    """A line of /proc, as far as it may be read."""
    def __init__(self, pid):
        self.pid = pid
        stat = read('/proc/%d/stat' % pid)
        if not stat:
            raise ProcessLookupError(pid)
        self.comm = stat[stat.index('(') + 1:stat.rindex(')')]
        fields = stat[stat.rindex(')') + 2:].split()
        self.state, self.parent = fields[0], int(fields[1])
        self.group, self.foreground = int(fields[2]), int(fields[5])    # its process group, and its terminal's

    def command(self):
        return read('/proc/%d/cmdline' % self.pid).replace('\0', ' ').strip() or '[%s]' % self.comm

    def environ(self):
        return read('/proc/%d/environ' % self.pid)

    def pid_namespace(self):
        try:
            return int(re.sub(r'\D', '', os.readlink('/proc/%d/ns/pid' % self.pid)))
        except (OSError, ValueError):
            return None

    def uid(self):
        try:
            return os.stat('/proc/%d' % self.pid).st_uid
        except OSError:
            return None

    def __str__(self):
        return '%d (parent %d, %s) %s' % (self.pid, self.parent, self.state, self.command())


def processes():
    found = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                found[int(name)] = Process(int(name))
            except (ProcessLookupError, ValueError):
                pass
    return found


def descendants(root=None):
    """Every process below this one. The stage is a subreaper, so what loses its parent comes to it."""
    table, found = processes(), []
    below = {root or os.getpid()}
    grew = True
    while grew:
        grew = False
        for pid, process in table.items():
            if pid not in below and process.parent in below:
                below.add(pid)
                found.append(process)
                grew = True
    return found


class Done:
    def __init__(self, status, out, err, record):
        self.status, self.out, self.err, self.record = status, out, err, record

    def text(self):
        return 'status %s\nstdout: %s\nstderr: %s' % (self.status, self.out[-2000:], self.err[-2000:])


class Box:
    """A running `pidbox run`. In plain mode (which proves the scripts, not pidbox) the command runs by itself."""
    def __init__(self, stage, command, options=(), **popen):
        stage.count += 1
        self.stage = stage
        self.report = os.path.join(stage.tmp, 'record-%d.json' % stage.count)
        self.argv = stage.argv(command, ('--report', self.report) + tuple(options))
        popen.setdefault('stdin', subprocess.DEVNULL)
        popen.setdefault('env', stage.env)
        popen.setdefault('cwd', stage.tmp)
        self.out_path = self.report + '.out'
        self.err_path = self.report + '.err'
        for name, path in (('stdout', self.out_path), ('stderr', self.err_path)):
            if name not in popen:
                popen[name] = open(path, 'wb')
        self.front = subprocess.Popen(self.argv, **popen)
        for name in ('stdout', 'stderr'):
            if hasattr(popen[name], 'close'):
                popen[name].close()
        stage.boxes.append(self)

    def send(self, number):
        self.front.send_signal(number)

    def running(self):
        return self.front.poll() is None

    def record(self):
        if self.stage.plain:
            return None
        text = read(self.report, None)
        check(text, 'no record was written to --report: %s' % ' '.join(self.argv))
        try:
            return json.loads(text)
        except ValueError as error:
            raise Failure('the record is not JSON (%s): %s' % (error, text))

    def wait(self, timeout=DEADLINE):
        try:
            status = self.front.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure('pidbox did not return within %d s: %s\n%s' % (
                timeout, ' '.join(self.argv), '\n'.join(map(str, descendants()))))
        left = self.stage.inside(self)
        check(not left, 'pidbox returned and these still ran: %s' % '; '.join(map(str, left)))
        self.stage.ended(self)
        return status

    def log(self):
        return read(self.out_path) + read(self.err_path)


class Stage:
    """One user's run of the tests."""
    def __init__(self, who, tmp, given, pidbox, plain, quick, only):
        self.who, self.tmp, self.given = who, tmp, given
        self.pidbox, self.plain, self.quick, self.only = pidbox, plain, quick, only
        self.root = os.geteuid() == 0
        self.count, self.boxes = 0, []
        self.mark = '%d-%d' % (os.getpid(), time.monotonic_ns())
        self.home = os.path.join(tmp, 'home')
        self.run_tmp = os.path.join(tmp, 'tmp')
        self.helpers = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'helpers')
        os.makedirs(self.home, exist_ok=True)
        os.makedirs(self.run_tmp, exist_ok=True)
        self.env = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': self.home, 'LANG': 'C.UTF-8', 'TMPDIR': self.run_tmp,
                    'PIDBOX_RUNTIME_DIR': os.path.join(tmp, 'runtime'),  # the user's own one would stay in /tmp
                    'SHELL': '/bin/sh', MARK: self.mark}
        prctl(PR_SET_CHILD_SUBREAPER, 1)

    def need(self, what):
        """Path of something that the preparation got, or a skip with its reason."""
        value = self.given.get(what, {})
        if 'path' in value:
            return value['path']
        if value.get('fail'):
            raise Failure('preparing %s: %s' % (what, value['fail']))
        raise Skip(value.get('why', '%s was not prepared' % what))

    def argv(self, command, options=()):
        return list(command) if self.plain else [self.pidbox, 'run'] + list(options) + ['--'] + list(command)

    def folder(self, name):
        return tempfile.mkdtemp(prefix=name + '-', dir=self.tmp)

    def run(self, command, options=(), timeout=DEADLINE, **popen):
        box = Box(self, command, options, **popen)
        status = box.wait(timeout)
        return Done(status, read(box.out_path), read(box.err_path), box.record())

    def outside(self, command, timeout=DEADLINE, **popen):
        """The same command without a box."""
        plain, self.plain = self.plain, True
        try:
            return self.run(command, (), timeout, **popen)
        finally:
            self.plain = plain

    def inside(self, box):
        """What still runs of a box whose front has ended. Nothing is waited for: it must be gone by now."""
        if self.plain or not os.path.exists(box.report):
            return []
        try:
            record = json.loads(read(box.report))
        except ValueError:
            return []
        namespace = record.get('pid_namespace')
        if not namespace:
            return []
        # only below this stage: the kernel gives the number to somebody else's next box
        return [p for p in descendants() if p.pid_namespace() == namespace]

    def ended(self, box):
        if box in self.boxes:
            self.boxes.remove(box)

    def left(self, zombies=True):
        """Processes of this stage that ought to be gone: below it, or carrying its mark."""
        found = {p.pid: p for p in descendants() if zombies or p.state not in 'ZX'}
        for process in processes().values():
            if process.pid != os.getpid() and '%s=%s' % (MARK, self.mark) in process.environ():
                found[process.pid] = process
        return list(found.values())

    def sweep(self):
        """Ends what a test left, by its number; returns what there was."""
        for box in list(self.boxes):
            if box.running():
                box.front.kill()
                box.front.wait()
            self.ended(box)
        left = self.left()
        names = [str(p) for p in left]
        end = time.monotonic() + 10
        while left and time.monotonic() < end:
            for process in left:
                try:
                    os.kill(process.pid, signal.SIGKILL)
                except OSError:
                    pass
            self.reap()
            time.sleep(0.02)
            left = self.left()
        return names

    @staticmethod
    def reap():
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def one(self, name, needs_box, function):
        start = time.monotonic()
        outcome, why, note = 'pass', '', None
        if self.plain and needs_box:
            outcome, why = 'skip', 'says nothing without pidbox'
        else:
            try:
                note = function(self)
            except Skip as reason:
                outcome, why = 'skip', str(reason)
            except Failure as reason:
                outcome, why = 'fail', str(reason)
            except Exception:
                outcome, why = 'fail', traceback.format_exc()
            left = self.sweep()
            if left and outcome == 'pass':
                outcome, why = 'fail', 'left behind: ' + '; '.join(left)
        return {'outcome': outcome, 'name': '%s %s' % (self.who, name), 'why': why or note or '',
                'seconds': round(time.monotonic() - start, 1)}

    def all(self):
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            # one user's tests that mostly wait (Python's) fall together with the other's that compute (make)
            order = TESTS if self.root else TESTS[-1:] + TESTS[:-1]
            for name, needs_box, function in order:
                if self.only and not re.search(self.only, '%s %s' % (self.who, name)):
                    continue
                print(json.dumps(self.one(name, needs_box, function)), flush=True)
        finally:
            self.sweep()
