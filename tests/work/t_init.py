"""pidbox-init as PID 1 of a root file system of its own, with what a container has in it: a daemon that has left its
parent, orphans that end, and nginx as the command."""
import functools
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from prepare import real_root
from t_servers import NGINX, Nginx, free_port, get
from worklib import Box, Process, check, descendants, equal, processes, read, test, until, write

MANY, FEW = 200, 20                 # orphans that /leave leaves; one more is the shell that starts the daemon
# What a new mount namespace gets, before the root is changed: $0 is the root, the rest is what is executed in it.
# A /proc of this PID namespace, or the outer one's.
OWN_PROC, OUTER_PROC = 'mount -t proc proc "$0/proc"', 'mount --rbind /proc "$0/proc"'
ENTER = '%s && mount --bind /dev/null "$0/dev/null" && exec chroot "$0" "$@"'

START = '''#!/bin/sh
/leave
exec nginx -e /srv/error.log -p /srv -c /srv/nginx.conf
'''
LEAVE = '''#!/bin/sh
rm -f /daemon.log
(setsid sh -c '/daemon &' &)        # fork, setsid, fork
i=0
while [ $i -lt %d ]; do
    (: &)
    i=$((i + 1))
done
until [ -s /daemon.log ]; do
    sleep 0.01
done
'''
# Its parent as the kernel has it: a shell's $PPID stays what it was at the start.
DAEMON = '''#!/bin/sh
trap 'echo bye >> /daemon.log; exit 0' TERM
while :; do
    read -r pid name state parent rest < /proc/$$/stat
    echo "$pid $parent" >> /daemon.log
    sleep 0.1
done
'''
DEAF = '''#!/bin/sh
/leave
trap '' TERM
exec httpd -f -p 127.0.0.1:%d -h /srv/www
'''


@functools.lru_cache(maxsize=None)
def libraries(program):
    """The shared libraries that a program needs, and what loads them. None for a static one."""
    done = subprocess.run(['ldd', program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={'PATH': '/usr/bin:/bin', 'LC_ALL': 'C'}, check=False)
    found = set(re.findall(r'(/\S+) \(0x', done.stdout.decode())) if done.returncode == 0 else set()
    for libc in [x for x in found if os.path.basename(x) == 'libc.so.6']:       # older ones find users by a plug-in
        found.update(glob.glob(os.path.join(os.path.dirname(libc), 'libnss_files.so.2')))
    return found


class Root:
    """A root file system."""
    def __init__(self, stage, orphans=FEW):
        self.stage, self.orphans, self.path = stage, orphans, stage.folder('root')
        os.chmod(self.path, 0o755)
        for name in ('bin', 'sbin', 'dev', 'proc', 'etc', 'tmp', 'srv/www'):
            os.makedirs(self.of(name))
        os.chmod(self.of('tmp'), 0o1777)
        write(self.of('dev/null'), '')
        write(self.of('etc/passwd'), 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n')
        write(self.of('etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
        busybox = stage.need('busybox')
        self.put(busybox, 'bin/busybox')
        for name in subprocess.run([busybox, '--list'], stdout=subprocess.PIPE, check=True).stdout.decode().split():
            if name != 'busybox':
                os.symlink('busybox', self.of('bin/' + name))
        self.put(stage.need('nginx'), 'sbin/nginx')
        self.put(os.path.join(os.path.dirname(stage.pidbox), 'pidbox-init'), 'pidbox-init')
        for name, text in (('start', START), ('leave', LEAVE % orphans), ('daemon', DAEMON)):
            write(self.of(name), text, 0o755)

    def of(self, name):
        return os.path.join(self.path, name)

    def put(self, program, name):
        shutil.copy(program, self.of(name))
        for path in libraries(program):
            target = self.of(path.lstrip('/'))
            if not os.path.exists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(path, target)

    def enter(self, argv, by='unshare'):
        """Executes argv in it: as PID 1 of a new PID namespace, or (`here`) in the caller's."""
        stage = self.stage
        inside = ['sh', '-c', ENTER % (OUTER_PROC if by == 'here' else OWN_PROC), self.path] + argv
        if by == 'pidbox':
            return Box(stage, inside, ['--as-pid1'] + ([] if stage.root else ['--map', 'root']))
        before = ['unshare', '-m'] + ([] if stage.root else ['-U', '-r']) + ([] if by == 'here' else ['-f', '-p'])
        plain, stage.plain = stage.plain, True
        try:
            return Box(stage, before + inside)
        finally:
            stage.plain = plain

    def inside(self):
        """Processes whose root it is."""
        own, found = os.stat(self.path), []
        for process in processes().values():
            try:
                root = os.stat('/proc/%d/root' % process.pid)
            except OSError:
                continue
            if (root.st_dev, root.st_ino) == (own.st_dev, own.st_ino):
                found.append(process)
        return found

    def check_left(self):
        """Nothing is waited for: it must be gone by now."""
        left = self.inside() + descendants()
        check(not left, 'left: ' + '; '.join(map(str, left)))
        mounts = [x for x in read('/proc/self/mountinfo').splitlines() if self.path in x]
        check(not mounts, 'mounts left outside: %r' % mounts)


def is_pid1(process):
    return re.search(r'(?m)^NSpid:.*\t1$', read('/proc/%d/status' % process.pid))


class Life(Nginx):
    """The life of an init in a root file system. `init`: its name inside and its options."""
    def __init__(self, root, init=('/pidbox-init', '--report', '/report', '--'), by='unshare', command='/start'):
        # pylint: disable=super-init-not-called
        self.root = root
        self.folder, self.port, self.daemon, self.by = self.root.of('srv'), free_port(), 'off', by
        # root of a user namespace cannot become another user
        self.user = 'user %s;\n' % ('nobody nogroup' if real_root() else 'root root')
        write(self.folder + '/www/file', 'from a file\n')
        write(self.root.of('deaf'), DEAF % self.port, 0o755)
        self.configure('one')
        self.box = self.root.enter(list(init) + ['/bin/sh', command], by)
        until(lambda: self.file() or not self.box.running(), 'the command answers', on_late=self.all_logs)
        check(self.box.running(), 'it ended with status %s: %s' % (self.box.front.returncode, self.all_logs()))
        found = [self.box.front.pid] if by == 'here' else [p.pid for p in descendants(self.box.front.pid) if is_pid1(p)]
        equal(len(found), 1, 'processes that are PID 1')
        self.init = Process(found[0])
        check(self.init.command().startswith(init[0] + ' '), 'the init is %s' % self.init)
        self.master = read(self.folder + '/nginx.pid').strip()      # as it is numbered inside

    def configure(self, word):
        write(self.folder + '/nginx.conf', NGINX % {
            'folder': '/srv', 'port': self.port, 'word': word, 'daemon': 'off', 'user': self.user})

    def file(self):
        return get(http.client.HTTPConnection('127.0.0.1', self.port, timeout=10), '/file')

    def send(self, number):
        os.kill(self.init.pid, number)

    def daemon_log(self):
        return read(self.root.of('daemon.log')).splitlines()

    def daemon_process(self):
        """As seen from outside."""
        found = [p for p in descendants(self.init.pid) if p.command() == '/bin/sh /daemon']
        return found[0] if len(found) == 1 else None

    def check_daemon(self):
        """It runs, and its parent is the init: in its own eyes, and from outside."""
        number = str(self.init.pid) if self.by == 'here' else '1'
        written = len(self.daemon_log())
        until(lambda: len(self.daemon_log()) > written + 1 and self.daemon_log()[-1].endswith(' ' + number),
              'the daemon goes on under the init', on_late=lambda: '\n'.join(self.daemon_log()[-5:]))
        equal(len({x.split()[0] for x in self.daemon_log()}), 1, 'daemons')
        daemon = until(self.daemon_process, 'the daemon is there')
        equal(daemon.parent, self.init.pid, 'the daemon\'s parent')
        return daemon

    def states(self):
        """State of each process, from the /proc that is mounted inside, or of those below the init."""
        if self.by == 'here':
            return {p.pid: p.state for p in descendants(self.init.pid)}
        folder = '/proc/%d/root/proc' % self.init.pid
        stats = {int(x): read('%s/%s/stat' % (folder, x)) for x in os.listdir(folder) if x.isdigit()}
        return {pid: stat[stat.rindex(')') + 2] for pid, stat in stats.items() if stat}

    def check_zombies(self):
        """None stays. The daemon's last `sleep` may be one for a moment."""
        until(lambda: 'Z' not in self.states().values(), 'no zombie is left', on_late=lambda: repr(self.states()))

    def check_children(self):
        """The command and the daemon, and nobody else."""
        def commands():
            return sorted(p.command().split(' -')[0] for p in processes().values() if p.parent == self.init.pid)
        until(lambda: commands() == ['/bin/sh /daemon', 'nginx: master process nginx'],
              'the init has these two children', on_late=lambda: repr(commands()))

    def received(self, number, who=r'\d+'):
        """What nginx's master or its workers say of a signal."""
        line = r' %s#\d+: signal %d \(%s\) received from \d+, (\w+)' % (who, number, number.name)
        return re.findall(line, self.log())

    def check_signal(self, number, word, count=1):
        """How often it has reached the master."""
        equal(self.received(number, self.master), [word] * count, '%s to nginx' % number.name)

    def end(self, status, what):
        equal(self.box.wait(), status, 'exit status %s (%s)' % (what, self.all_logs()))
        self.root.check_left()

    def record(self):
        text = read(self.root.of('report'), None)
        check(text, 'no record was written')
        return json.loads(text)


def whole_life(life, send, reached=1):
    """From the first answer to the end. `send` takes a signal to the init; `reached`: so many of nginx get SIGHUP."""
    equal(life.say(), (200, 'one\n'), 'by TCP')
    equal(life.say(local=True), (200, 'one\n'), 'by the socket')
    life.check_children()
    life.check_zombies()
    first = until(lambda: len(life.workers()) == 2 and life.workers(), 'two workers')
    life.configure('two')
    send(signal.SIGHUP)
    until(lambda: life.say() == (200, 'two\n'), 'the new configuration is served', on_late=life.all_logs)
    until(lambda: len(life.workers()) == 2 and not set(first) & set(life.workers()),
          'two new workers instead of the old', on_late=life.all_logs)
    life.check_signal(signal.SIGHUP, 'reconfiguring')
    equal(len(life.received(signal.SIGHUP)), reached, 'processes of nginx that got SIGHUP')
    life.check_daemon()
    life.check_zombies()
    send(signal.SIGTERM)
    life.end(0, 'after SIGTERM')
    life.check_signal(signal.SIGTERM, 'exiting')
    check(life.say() is None, 'nginx still answers: ' + life.all_logs())
    check(not os.path.exists(life.folder + '/nginx.pid'), 'nginx has left its PID file: ' + life.all_logs())
    check('bye' not in life.daemon_log(), 'the daemon got SIGTERM as well')


def check_record(life, leaked=('/bin/sh /daemon',), **more):
    """`leaked`: what outlived the command, without the daemon's child, which is `sleep` or about to be."""
    record, daemon = life.record(), life.daemon_log()[0].split()[0]
    commands = [(str(x['inside_pid']), ' '.join(x['command'] or []).split(' -')[0].rstrip()) for x in record['leaked']]
    counted = [x for pid, x in commands if x != 'sleep 0.1' and (x != '/bin/sh /daemon' or pid == daemon)]
    equal(sorted(counted), sorted(leaked), 'leaked (%r)' % commands)
    expected = {'schema': 1, 'reason': 'exited', 'exit_code': 0, 'signal': None, 'reaped': life.root.orphans + 1}
    expected.update(more)
    equal({key: record[key] for key in expected}, expected, 'the record (%r)' % record)


@test('init: PID 1 of a root file system by unshare and chroot: nginx answers, a daemon has it as parent, 200 orphans '
      'are reaped, SIGHUP reloads, SIGTERM stops nginx and all', box=True)
def init_unshare(stage):
    life = Life(Root(stage, MANY))
    whole_life(life, life.send)
    check_record(life)


@test('init: PID 1 by pidbox run --as-pid1 and chroot: the same, by signals to pidbox', box=True)
def init_as_pid1(stage):
    life = Life(Root(stage, MANY), by='pidbox')
    whole_life(life, life.box.send)
    check_record(life)
    record = life.box.record()
    equal((record['reason'], record['exit_code'], record['signal']), ('exited', 0, None), 'the record of pidbox')


@test('init: by the names of docker-init, catatonit and dumb-init, as symbolic links: the same; dumb-init gives SIGHUP '
      'to the workers as well', box=True)
def init_names(stage):
    for name, reached, orphans in ('docker-init', 1, MANY), ('catatonit', 1, FEW), ('dumb-init', 3, FEW):
        root = Root(stage, orphans)
        os.symlink('../pidbox-init', root.of('sbin/' + name))
        life = Life(root, ['/sbin/' + name, '--'])
        whole_life(life, life.send, reached)


@test('init: not PID 1 in a root file system, in its caller\'s PID namespace: the same, and nothing is left', box=True)
def init_here(stage):
    life = Life(Root(stage, MANY), by='here')
    whole_life(life, life.send)
    check_record(life, containment='subreaper')


class Held:
    """A request that is not finished: nginx waits for it before it stops gracefully."""
    def __init__(self, life):
        self.socket = socket.create_connection(('127.0.0.1', life.port), 10)
        self.socket.sendall(b'GET /say HTTP/1.0\r\n')
        until(self.is_read, 'nginx reads the beginning of a request')

    def is_read(self):
        """Nothing waits in the queue of nginx's end."""
        ours = ':%04X' % self.socket.getsockname()[1]
        ends = [x.split() for x in read('/proc/net/tcp').splitlines()[1:]]
        return [x[4].split(':')[1] for x in ends if x[2].endswith(ours) and x[3] == '01'] == ['00000000']

    def finish(self):
        self.socket.sendall(b'\r\n')
        with self.socket.makefile('rb') as file:
            return file.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


@test('init: --rewrite TERM:QUIT --grace: nginx finishes a request and ends with 0; one that is never finished '
      'ends with the grace, and nginx and all with it', box=True)
def init_grace(stage):
    for grace, finish in ('20s', True), ('1s', False):
        life = Life(Root(stage), ['/pidbox-init', '--report', '/report', '-r', 'TERM:QUIT', '--grace', grace, '--'])
        with Held(life) as request:
            start = time.monotonic()
            life.send(signal.SIGTERM)
            until(lambda: life.say() is None, 'nginx takes no more connections', on_late=life.all_logs)
            if finish:
                life.check_daemon()
                answer = request.finish()
                check(answer.startswith('HTTP/1.1 200') and answer.endswith('\r\n\r\none\n'), 'answer %r' % answer)
            life.end(0 if finish else 128 + signal.SIGKILL, 'after SIGTERM, --grace ' + grace)
            took = time.monotonic() - start
            check(took < 15 and (finish or took >= 1), '--grace %s: took %.2f s' % (grace, took))
        life.check_signal(signal.SIGQUIT, 'shutting')
        life.check_signal(signal.SIGTERM, '', 0)
        check('bye' not in life.daemon_log(), 'the daemon got SIGTERM as well')
        if finish:
            check_record(life)
        else:
            check_record(life, [], exit_code=None, signal='SIGKILL', reason='killed')


@test('init: --grace ends a command that is deaf to SIGTERM, and all with it', box=True)
def init_deaf(stage):
    life = Life(Root(stage), ['/pidbox-init', '--report', '/report', '--grace', '1s', '--'], command='/deaf')
    start = time.monotonic()
    life.send(signal.SIGTERM)
    answer = life.file()
    check(answer == (200, 'from a file\n') or time.monotonic() - start >= 1, 'answer after SIGTERM: %r' % (answer,))
    life.end(128 + signal.SIGKILL, 'after the grace')
    took = time.monotonic() - start
    check(1 <= took < 15, '--grace 1s took %.2f s' % took)
    check_record(life, [], reason='killed', signal='SIGKILL', exit_code=None)


@test('init: --on-exit term lets the daemon end by its own trap, wait waits until it ends; the status is nginx\'s',
      box=True)
def init_on_exit(stage):
    for how in 'term', 'wait':
        life = Life(Root(stage), ['/pidbox-init', '--report', '/report', '--on-exit', how, '--'])
        daemon = life.check_daemon()
        life.send(signal.SIGTERM)
        if how == 'wait':
            until(lambda life=life: not [p for p in descendants(life.init.pid) if 'nginx' in p.command()],
                  'nginx has ended')
            life.check_daemon()
            check('bye' not in life.daemon_log(), 'the daemon got SIGTERM')
            os.kill(daemon.pid, signal.SIGTERM)
        life.end(0, '--on-exit ' + how)
        equal(life.daemon_log()[-1], 'bye', 'the last that the daemon has written')
        reaped = life.record()['reaped']
        check(reaped >= life.root.orphans + 2, 'reaped %d, and the daemon is one of them' % reaped)


@test('init: nginx\'s own failure is the status: 1 for its configuration, 137 when its master gets SIGKILL; no worker '
      'is left', box=True)
def init_failures(stage):
    life = Life(Root(stage))
    master = [p for p in descendants(life.init.pid) if 'nginx: master' in p.command()]
    equal(len(master), 1, 'masters')
    until(lambda: len(life.workers()) == 2, 'two workers')
    os.kill(master[0].pid, signal.SIGKILL)
    life.end(128 + signal.SIGKILL, 'after SIGKILL to nginx')
    worker = 'nginx: worker process'
    check_record(life, [worker, worker, '/bin/sh /daemon'], reason='signaled', signal='SIGKILL', exit_code=None)
    life.configure('"; nonesuch on; return 200 "')
    box = life.root.enter(['/pidbox-init', '--report', '/report', '--', '/bin/sh', '/start'])
    equal(box.wait(), 1, 'exit status with a wrong configuration (%s)' % box.log())
    life.root.check_left()
    check('nonesuch' in box.log(), 'nginx does not say why: %r' % box.log())
    check_record(life, exit_code=1)
