"""redis-server and nginx: start, use, reload by a signal to pidbox, stop by SIGTERM to pidbox."""
import http.client
import os
import re
import signal
import socket

from prepare import real_root
from worklib import Box, check, descendants, equal, read, test, until, write


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def stopped(stage, box, by):
    """Stops the box by a signal to pidbox and checks what the contract says of its end."""
    front = box.front.pid
    box.send(by)
    status = box.wait()
    equal(status, 0, 'exit status after %s to pidbox (%s)' % (by.name, box.log()[-1500:]))
    record = box.record()
    if record is None:
        return
    equal((record['exit_code'], record['signal'], record['leaked']), (0, None, []), 'exit code, signal and leaked in the record')
    check(record['reason'] in ('killed', 'exited'), 'reason %r' % record['reason'])
    if record['reason'] == 'killed':
        ended_by = record['ended_by'] or {}
        equal((ended_by.get('signal'), ended_by.get('pid'), ended_by.get('uid')), (by.name, os.getpid(), os.getuid()), 'ended_by')
    equal(record['command_pid'] in (None, front), False, 'command_pid is the front\'s')


class Redis:
    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(10)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile('rb')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        words = [str(w).encode() for w in words]
        self.socket.sendall(b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words))

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:].strip().decode()
        if kind == b'$':
            if rest == '-1':
                return None
            return self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b'*':
            return [self.reply() for _ in range(int(rest))]
        return int(rest) if kind == b':' else rest

    def __call__(self, *words):
        self.send(*words)
        return self.reply()

    def info(self, section, key):
        found = re.search(r'(?m)^%s:(.*?)\r?$' % key, self('INFO', section))
        return found and found.group(1)


def redis_up(address):
    try:
        with Redis(address) as redis:
            return redis('PING') == 'PONG'
    except OSError:
        return False


def start_redis(stage, program, folder, port):
    box = Box(stage, [program, '--port', str(port), '--bind', '127.0.0.1', '--unixsocket', folder + '/redis.sock', '--dir', folder,
                      '--appendonly', 'yes', '--save', '3600 1', '--daemonize', 'no'])
    until(lambda: redis_up(folder + '/redis.sock') or not box.running(), 'redis answers', on_late=box.log)
    check(box.running(), 'redis ended with status %s: %s' % (box.front.returncode, box.log()[-1500:]))
    return box


@test('redis: start, use by TCP and socket, save in a forked child, stop by SIGTERM to pidbox, data there again in the next box')
def redis(stage):
    program, folder, port = stage.need('redis'), stage.folder('redis'), free_port()
    box = start_redis(stage, program, folder, port)
    with Redis(('127.0.0.1', port)) as tcp, Redis(folder + '/redis.sock') as local:
        equal(tcp('SET', 'box', 'one'), 'OK', 'SET')
        equal(local('GET', 'box'), 'one', 'GET by the socket')
        for _ in range(1000):
            tcp.send('INCR', 'n')
        equal([tcp.reply() for _ in range(1000)], list(range(1, 1001)), '1000 INCR in a pipeline')
        equal(local('EVAL', 'return redis.call("INCRBY", KEYS[1], 5)', 1, 'n'), 1005, 'EVAL')
        if not stage.plain:
            equal(tcp.info('server', 'process_id'), '2', 'redis\'s own process number')
        tcp('BGSAVE')
        until(lambda: tcp.info('persistence', 'rdb_bgsave_in_progress') == '0', 'BGSAVE has ended')
        equal(tcp.info('persistence', 'rdb_last_bgsave_status'), 'ok', 'BGSAVE')
        check(os.path.exists(folder + '/dump.rdb'), 'BGSAVE wrote no dump.rdb')
        tcp('BGREWRITEAOF')
        until(lambda: tcp.info('persistence', 'aof_rewrite_in_progress') == '0'
              and tcp.info('persistence', 'aof_rewrite_scheduled') == '0', 'BGREWRITEAOF has ended')
        equal(tcp.info('persistence', 'aof_last_bgrewrite_status'), 'ok', 'BGREWRITEAOF')
    stopped(stage, box, signal.SIGTERM)
    check('Received SIGTERM' in box.log() and 'bye bye' in box.log(), 'redis did not shut down cleanly: %s' % box.log()[-1500:])
    equal(box.log().count('Received SIGTERM'), 1, 'SIGTERMs that reached redis')
    check(not redis_up(folder + '/redis.sock') and not redis_up(('127.0.0.1', port)), 'redis still answers')
    box = start_redis(stage, program, folder, port)
    with Redis(folder + '/redis.sock') as again:
        equal((again('GET', 'box'), again('GET', 'n')), ('one', '1005'), 'data after the restart')
    stopped(stage, box, signal.SIGTERM)


NGINX = '''%(user)sdaemon %(daemon)s;
pid %(folder)s/nginx.pid;
worker_processes 2;
error_log %(folder)s/error.log notice;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %(folder)s/t1; proxy_temp_path %(folder)s/t2; fastcgi_temp_path %(folder)s/t3;
  uwsgi_temp_path %(folder)s/t4; scgi_temp_path %(folder)s/t5;
  server {
    listen 127.0.0.1:%(port)d;
    listen unix:%(folder)s/nginx.sock;
    root %(folder)s/www;
    location = /say { return 200 "%(word)s\\n"; }
  }
}
'''


class Local(http.client.HTTPConnection):
    """HTTP over a unix socket."""
    def __init__(self, path):
        super().__init__('localhost')
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def get(connection, path):
    try:
        connection.request('GET', path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Nginx:
    def __init__(self, stage, options=(), daemon='off'):
        program, self.folder, self.port, self.daemon = stage.need('nginx'), stage.folder('nginx'), free_port(), daemon
        # root of a user namespace cannot become nginx's own user
        self.user = 'user root root;\n' if stage.root and not real_root() else ''
        os.chmod(self.folder, 0o755)
        os.mkdir(self.folder + '/www')
        write(self.folder + '/www/file', 'from a file\n')
        self.configure('one')
        self.box = Box(stage, [program, '-e', self.folder + '/error.log', '-p', self.folder, '-c', self.folder + '/nginx.conf'],
                       options)
        until(lambda: self.say() or not self.box.running(), 'nginx answers', on_late=self.all_logs)
        check(self.box.running() or daemon == 'on', 'nginx ended: ' + self.all_logs())

    def configure(self, word):
        write(self.folder + '/nginx.conf', NGINX % {
            'folder': self.folder, 'port': self.port, 'word': word, 'daemon': self.daemon, 'user': self.user})

    def say(self, local=False):
        return get(Local(self.folder + '/nginx.sock') if local else http.client.HTTPConnection('127.0.0.1', self.port, timeout=10), '/say')

    def log(self):
        return read(self.folder + '/error.log')

    def all_logs(self):
        return self.box.log()[-800:] + self.log()[-800:]

    def masters(self):
        return [p.pid for p in descendants(self.box.front.pid) if 'nginx: master' in p.command()]

    def workers(self):
        return [p.pid for p in descendants(self.box.front.pid) if 'nginx: worker' in p.command() and p.state not in 'ZX']

    def check_signal(self, number, word, count=1):
        found = re.findall(r'signal %d \(%s\) received[^\n]*' % (number, number.name), self.log())
        check(len(found) == count, '%s reached nginx %d times, not %d: %r' % (number.name, len(found), count, found))
        check(not found or word in found[0], 'log of %s: %r' % (number.name, found))


@test('nginx: start, use by TCP and socket, reload by SIGHUP and reopen logs by SIGUSR1 through pidbox, stop by SIGTERM')
def nginx(stage):
    server = Nginx(stage)
    equal(server.say(), (200, 'one\n'), 'by TCP')
    equal(server.say(local=True), (200, 'one\n'), 'by the socket')
    equal(get(http.client.HTTPConnection('127.0.0.1', server.port), '/file'), (200, 'from a file\n'), 'a file')
    first = until(lambda: len(server.workers()) == 2 and server.workers(), 'two workers')
    if not stage.plain:
        equal(read(server.folder + '/nginx.pid').strip(), '2', 'nginx\'s own process number')
    server.configure('two')
    server.box.send(signal.SIGHUP)
    until(lambda: server.say() == (200, 'two\n'), 'the new configuration is served', on_late=server.all_logs)
    until(lambda: len(server.workers()) == 2 and not set(first) & set(server.workers()), 'two new workers instead of the old',
          on_late=server.all_logs)
    server.check_signal(signal.SIGHUP, 'reconfiguring')
    os.rename(server.folder + '/error.log', server.folder + '/error.log.1')
    server.box.send(signal.SIGUSR1)
    until(lambda: os.path.exists(server.folder + '/error.log'), 'a new log after SIGUSR1', on_late=server.all_logs)
    check(server.box.running(), 'nginx ended')
    equal(server.say(local=True), (200, 'two\n'), 'by the socket after the reload')
    stopped(stage, server.box, signal.SIGTERM)
    server.check_signal(signal.SIGTERM, 'exiting')
    check(server.say() is None and not os.path.exists(server.folder + '/nginx.pid'), 'nginx still there: ' + server.log()[-800:])


@test('nginx: --signal-map TERM=QUIT makes SIGTERM to pidbox a graceful stop', box=True)
def nginx_quit(stage):
    server = Nginx(stage, ['--signal-map', 'TERM=QUIT'])
    equal(server.say(), (200, 'one\n'), 'answer')
    server.box.send(signal.SIGTERM)
    equal(server.box.wait(), 0, 'exit status')
    server.check_signal(signal.SIGQUIT, 'shutting down')
    server.check_signal(signal.SIGTERM, '', 0)


@test('nginx: as a daemon under --on-exit wait it keeps the box until it has ended', box=True)
def nginx_daemon(stage):
    server = Nginx(stage, ['--on-exit', 'wait'], daemon='on')
    equal(server.say(), (200, 'one\n'), 'answer')
    check(server.box.running(), 'pidbox returned while the daemon ran: ' + server.all_logs())
    # A worker is called as its master is until it has given itself a name.
    until(lambda: len(server.masters()) == 1, 'one master', on_late=lambda: str([str(p) for p in descendants(server.box.front.pid)]))
    os.kill(server.masters()[0], signal.SIGQUIT)
    equal(server.box.wait(), 0, 'exit status')
    check(server.say() is None, 'nginx still answers')
