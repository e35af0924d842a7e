# SPDX-License-Identifier: MIT
"""What pidbox 0.1 speaks and writes down, as bytes: its client, its front, its entry. Nothing here is taken from the
sources of today: it is what boxes and commands of that release do after an upgrade of the other."""
import array, fcntl, os, select, signal, socket, struct, subprocess

MAGIC, VERSION = 0x31584250, 1
SIGNAL, KILL, WAIT, EXEC = 1, 2, 3, 4
DONE, FAILED, STARTED, STOPPED, ENDED = 64, 65, 66, 67, 68
REQUEST = struct.Struct('<IIIiqQ32x')  # magic version type signal grace_us payload
REPLY = struct.Struct('<12i5q32x')  # magic version type errnum step aux inside_pid status signal exit_code reason core, times, record
REPLY_KEYS = 'magic version type errnum step aux inside_pid status signal exit_code reason core_dumped wall_us user_us sys_us max_rss_kib record'.split()
PAYLOAD = struct.Struct('<3I 3I3I3I 4I iI qq 64x')  # magic version flags, argv env chdir (offset size count), uid gid n groups, signal, grace timeout
PAYLOAD_MAGIC = 0x45584250
SEALS = 0xf
assert (REQUEST.size, REPLY.size, PAYLOAD.size) == (64, 120, 152)


def reply(type, **values):
    return REPLY.pack(*({'magic': MAGIC, 'version': VERSION, 'type': type, **values}.get(k, 0) for k in REPLY_KEYS))


# ------------------------------------------------------------ the client

class Client:
    """One connection of a command of that release."""
    def __init__(self, path, seconds=15):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(seconds)
        self.sock.connect(path)

    def send(self, type, signal=0, grace_us=-1, payload=0, fds=()):
        me = os.pidfd_open(os.getpid())
        self.sock.sendmsg([REQUEST.pack(MAGIC, VERSION, type, signal, grace_us, payload)],
                          [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [me, *fds]))])
        os.close(me)

    def signal(self, number):
        """On the connection of an exec: without a pidfd, that has been shown."""
        self.sock.send(REQUEST.pack(MAGIC, VERSION, SIGNAL, number, 0, 0))

    def receive(self):
        """A reply as a dictionary, with the descriptor that came; None: hung up."""
        for _ in range(3):
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 4096, 4)
                break
            except ConnectionResetError:
                data, fds = b'', []
        if not data:
            return None
        assert len(data) == REPLY.size, f'{len(data)} bytes'
        return {**dict(zip(REPLY_KEYS, REPLY.unpack(data))), 'fd': fds[0] if fds else None}

    def ask(self, *args, **kw):
        self.send(*args, **kw)
        return self.receive()

    def exec(self, argv, stdio, flags=0, version=1, env=()):
        """Send a request to run a command."""
        strings = b''.join(os.fsencode(a) + b'\0' for a in argv)
        changes = b''.join(os.fsencode(e) + b'\0' for e in env)
        head = PAYLOAD.pack(PAYLOAD_MAGIC, version, flags, PAYLOAD.size, len(strings), len(argv),
                            PAYLOAD.size + len(strings), len(changes), len(env), 0, 0, 0, 0, 0, 0, 0, signal.SIGTERM, 0, 10000000, 0)
        fd = os.memfd_create('payload', os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        os.write(fd, head + strings + changes)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        self.send(EXEC, payload=PAYLOAD.size + len(strings) + len(changes), fds=[fd, *stdio])
        os.close(fd)


# ------------------------------------------------------------ the front

def inode_of(pid):
    fd = os.pidfd_open(pid)
    inode = os.fstat(fd).st_ino
    os.close(fd)
    return inode


def process_id(pid):
    """PID:INODE; before pidfs, where all pidfds have one inode, PID@STARTTICKS."""
    if inode_of(pid) != inode_of(os.getpid()):
        return f'{pid}:{inode_of(pid)}'
    with open(f'/proc/{pid}/stat') as f:
        return f'{pid}@{f.read().rsplit(")", 1)[1].split()[19]}'


class Front:
    """A front of that release, in a process of its own: `answers` says what it does with each type of request, by a
    function of (front, connection, values of the request, descriptors) that returns whether it keeps the connection."""
    def __init__(self, init, folder, name, answers, entry):
        self.init, self.answers, self.waiting = init, answers, []
        self.id = process_id(init)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(os.path.join(folder, self.id))
        self.listener.listen(128)
        self.claim = os.open(os.path.join(folder, name), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self.claim, entry.format(id=self.id).encode())
        self.files = [os.path.join(folder, self.id), os.path.join(folder, name)]

    def serve(self):
        """Until the init has ended; then tell those who wait."""
        ended = os.pidfd_open(self.init)
        held = set()
        while True:
            ready, _, _ = select.select([ended, self.listener, *held], [], [])
            if ended in ready:
                break
            for s in ready:
                if s is self.listener:
                    s = self.listener.accept()[0]
                    held.add(s)
                data, fds, _, _ = socket.recv_fds(s, 4096, 8)
                values = REQUEST.unpack(data) if len(data) == REQUEST.size else None
                answer = self.answers.get(values[2], refuse(95)) if values else hung_up
                if not answer(self, s, values, fds):
                    held.remove(s)
                    s.close()
                for fd in fds:
                    os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(self.init, 0)[1])
        for f in self.files:
            os.unlink(f)
        record = b'{"schema":1,"of":"an old front"}'
        for s in self.waiting:
            fd = os.memfd_create('record')
            os.write(fd, record)
            socket.send_fds(s, [reply(ENDED, status=status if status >= 0 else 128 - status, signal=max(-status, 0),
                                      exit_code=max(status, -1), record=len(record))], [fd])


def hung_up(front, connection, values, fds):
    if connection in front.waiting:
        front.waiting.remove(connection)
    return False


def refuse(errnum):
    def answer(front, connection, values, fds):
        connection.send(reply(FAILED, errnum=errnum))
        return False
    return answer


def do_signal(front, connection, values, fds):
    os.kill(front.init, values[3])
    connection.send(reply(DONE))
    return False


def do_kill(front, connection, values, fds):
    connection.send(reply(DONE, wall_us=0))
    os.kill(front.init, signal.SIGKILL)
    return False


def do_wait(front, connection, values, fds):
    front.waiting.append(connection)
    return True


def do_exec(front, connection, values, fds):
    """As the init would; where it runs makes no difference here."""
    payload = os.pread(fds[1], values[5] + 1, 0)
    head = PAYLOAD.unpack_from(payload)
    if len(payload) != values[5] or head[:2] != (PAYLOAD_MAGIC, VERSION) or fcntl.fcntl(fds[1], fcntl.F_GET_SEALS) & SEALS != SEALS:
        return refuse(74)(front, connection, values, fds)
    if head[2] & ~0x3f:
        return refuse(95)(front, connection, values, fds)
    argv = payload[head[3]:head[3] + head[4]].split(b'\0')[:head[5]]
    p = subprocess.Popen(argv, stdin=fds[2], stdout=fds[3], stderr=fds[4])
    connection.send(reply(STARTED, inside_pid=77))
    status = p.wait()
    connection.send(reply(ENDED, status=status if status >= 0 else 128 - status, signal=max(-status, 0), exit_code=max(status, -1)))
    return False


ANSWERS = {SIGNAL: do_signal, KILL: do_kill, WAIT: do_wait, EXEC: do_exec}
