# SPDX-License-Identifier: MIT
"""--name, --replace, the runtime directory, and the control socket: who may use it, and what it bears."""
import contextlib, fcntl, glob, json, os, random, re, shutil, signal, socket, stat, struct, subprocess, threading, time
from support import children, comm, each, kernel, ns, proc_table, quote, test, until

SIGNAL, KILL, WAIT, EXEC, DONE, FAILED, ENDED = 1, 2, 3, 4, 64, 65, 68
EACCES, EPROTO, EOPNOTSUPP, EINVAL = 13, 71, 95, 22


def folder(t):
    return f'{t.env["PIDBOX_RUNTIME_DIR"]}/{os.stat("/proc/self/ns/pid").st_ino}'


def files(t):
    return sorted(os.listdir(folder(t))) if os.path.isdir(folder(t)) else []


def sockets(t):
    return [f for f in glob.glob(f'{folder(t)}/*') if stat.S_ISSOCK(os.stat(f).st_mode)]


def named(t, name, *args, **kw):
    """Start a box with a name, and wait until its command runs. The command ends with its input."""
    p = t.start_box('--name', name, *args, '--', 'sh', '-c', 'echo up; exec cat', stdin=subprocess.PIPE, **kw)
    t.eq(p.out.line(), 'up', 'the box is up')
    return p


def socket_of(t, name):
    with open(f'{folder(t)}/{name}') as f:
        fields = dict(line.rstrip('\n').split(' ', 1) for line in f if ' ' in line)
    return f'{folder(t)}/{fields["id"]}'


def stop(t, p, status=0):
    p.stdin.close()
    t.eq(t.finish(p), status, 'status of the box')


def request(kind, sig=0, grace=-1, magic=0x31584250, version=1):
    return struct.pack('<IIIiq5Q', magic, version, kind, sig, grace, 0, 0, 0, 0, 0)


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for option in socket.SO_SNDTIMEO, socket.SO_RCVTIMEO:  # settimeout would make connect(2) give up when others wait
        s.setsockopt(socket.SOL_SOCKET, option, struct.pack('ll', 20, 0))
    s.connect(path)
    return s


def listens(path):
    """A socket is there from bind(2) on, and refuses until listen(2)."""
    try:
        connect(path).close()
    except ConnectionRefusedError:
        return False
    return True


def answer(s):
    """(type, errnum, status) of what comes; None at the end."""
    for _ in range(3):
        try:
            data = s.recv(200)
            break
        except ConnectionResetError:
            data = b''
    if not data:
        return None
    fields = struct.unpack('<IIIiiiiiiiiiqqqqQ4Q', data)
    return fields[2], fields[3], fields[7]


def ask(path, kind, sig=0, grace=-1, fds=None):
    s = connect(path)
    me = os.pidfd_open(os.getpid())
    try:
        socket.send_fds(s, [request(kind, sig, grace)], [me] if fds is None else fds)
    except BrokenPipeError:
        pass
    os.close(me)
    got = answer(s)
    s.close()
    return got


# ------------------------------------------------------------ names

@test
def name_and_record(t):
    r, rec = t.report('--name', 'build', '--', 'true')
    t.good(r)
    t.eq(rec['name'], 'build', 'name in the record')
    t.eq(files(t), [], 'nothing is left of it')


@test
def taken_until_it_ends(t):
    p = named(t, 'one')
    t.ok({'one'} < set(files(t)), f'an entry and a socket: {files(t)}')
    for options in ['--name', 'one'], ['--name=one', '--idle'], ['-d', '--name', 'one']:
        t.error(t.box(*options, *([] if '--idle' in options else ['--', 'touch', 'ran'])), 'NAME_TAKEN', has=['one', '--replace'])
    t.ok(not os.path.exists(t.path('ran')), 'nothing ran')
    t.good(t.box('--name', 'two', '--', 'true'))
    stop(t, p)
    t.good(t.box('--name', 'one', '--', 'true'))
    t.eq(files(t), [], 'nothing is left')


@test
def inside_it_is_another_name(t):
    p = named(t, 'one')
    t.good(t.box('--name', 'two', '--', t.pidbox, 'run', '--name', 'one', '--', 'echo', 'fine'), out='fine\n')
    stop(t, p)


@test
def replace(t):
    p = t.start_box('--name', 'one', '--', 'sh', '-c', 'trap "echo asked; exit 4" TERM; echo up; while :; do sleep 0.05; done')
    t.eq(p.out.line(), 'up', 'the box is up')
    r, rec = t.report('--name', 'one', '--replace', '--', 'echo', 'mine')
    t.good(r, out='mine\n')
    t.eq(p.out.rest(), 'asked\n', 'it was asked to end')
    t.eq(t.finish(p), 4, 'its status')
    t.good(t.box('--name', 'none', '--replace', '--', 'true'))


@test
def replace_when_its_front_is_stopped(t):
    p = named(t, 'one')
    p.send_signal(signal.SIGSTOP)
    r = t.start_box('--name', 'one', '--replace', '--', 'echo', 'mine')
    # Its box is ended, but the name is free only when the front has let go of it.
    t.ok(until(lambda: init_gone(p), 15), 'the box is ended')
    p.send_signal(signal.SIGCONT)
    t.eq(r.out.rest(15), 'mine\n', 'the new one runs')
    t.eq(t.finish(r), 0, 'its status')
    t.finish(p)


def init_gone(p):
    with open(f'/proc/{p.pid}/task/{p.pid}/children') as f:
        kids = f.read().split()
    table = proc_table()  # who is reaped meanwhile is in none
    return all(table.get(int(k), (0, 'Z'))[1] == 'Z' for k in kids)


@test(limit=60)
def one_winner(t):
    ps = [t.start([t.pidbox, 'run', '--name', 'race', '--', 'sh', '-c', 'echo won; exec cat'], stdin=subprocess.PIPE,
                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(50)]
    losers = [p for p in ps if until(lambda: p.poll() is not None or len([q for q in ps if q.poll() is None]) == 1, 40) and p.poll() is not None]
    t.eq(len(losers), 49, 'losers')
    t.ok(all(p.returncode == 125 and b'[NAME_TAKEN]' in p.stderr.read() for p in losers), 'each was told')
    t.ok(not any(p.stdout.read() for p in losers), 'nothing ran')
    for p in ps:
        if p.poll() is None:
            p.stdin.close()
            t.eq((t.finish(p), p.stdout.read()), (0, b'won\n'), 'the winner')
    t.eq(files(t), [], 'nothing is left')


@test
def front_killed(t):
    """The name is free when the box has ended, not before; what is left behind is swept."""
    p = t.start_box('--name', 'one', '--grace', '6s', '--', 'sh', '-c', 'trap "" TERM; echo up; sleep 1000')
    t.eq(p.out.line(), 'up', 'the box is up')
    init = t.init_of(p)
    t.good(t.run([t.pidbox, 'exec', 'one', 'true']))  # its init waits: one that still starts the command ends with its front
    p.kill()
    t.finish(p)
    t.error(t.box('--name', 'one', '--', 'true'), 'NAME_TAKEN')
    t.ok(os.path.exists(f'/proc/{init}'), 'its box lived on for its grace')
    t.nothing_left(20)
    t.good(t.box('--name', 'one', '--', 'true'))
    t.eq(files(t), [], 'nothing is left')


@test
def stale_entries(t):
    """Of another boot, of a number that is another's now, half written, nonsense: none of them has a name."""
    good = f'format 1\nid {os.getpid()}:1\npid_namespace 1\nboot_id \nstarted 1\nversion 0\ncommand []\nend\n'
    for words, text in {'another process': good, 'another boot': good.replace('boot_id ', 'boot_id 00000000-0000-0000-0000-000000000000'),
                        'half': good[:40], 'empty': '', 'nonsense': b'\0\xff' * 3000, 'huge': 'format 1\n' + 'x' * 100000}.items():
        with t.case(words):
            os.makedirs(folder(t), 0o700, exist_ok=True)
            t.write(f'{folder(t)}/one', text)
            t.good(t.box('--name', 'one', '--', 'echo', 'fine'), out='fine\n')
    os.makedirs(folder(t), 0o700, exist_ok=True)
    with open(f'{folder(t)}/one', 'w') as f:
        f.write(good)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.bind(f'{folder(t)}/{os.getpid()}:1')
    open(f'{folder(t)}/gone:exit', 'w').close()
    with open(f'{folder(t)}/old:exit', 'w') as f:
        f.write('exit 0 0\n{}\n')
    os.utime(f'{folder(t)}/old:exit', (1, 1))
    t.good(t.box('--', 'true'))
    t.eq(files(t), [], 'the next pidbox sweeps')


@each({'a link': (lambda d: os.symlink('/tmp', d), 'symbolic link'), 'a file': (lambda d: open(d, 'w').close(), 'no directory'),
       'open to others': (lambda d: (os.mkdir(d), os.chmod(d, 0o755)), 'chmod 700'), 'no parent': (lambda d: None, 'no such directory')})
def bad_directory(t, make, has):
    d = t.path('dir' if has != 'no such directory' else 'missing/dir')
    make(d)
    env = {**t.env, 'PIDBOX_RUNTIME_DIR': d}
    t.good(t.box('--', 'echo', 'fine', env=env), out='fine\n')
    t.error(t.box('--name', 'one', '--', 'touch', 'ran', env=env), 'DENIED' if has != 'no such directory' else None, has=has)
    t.ok(not os.path.exists(t.path('ran')), 'nothing ran')


@test
def a_folder_taken_away_as_it_is_made(t):
    """Who leaves an empty folder takes it away, perhaps between mkdir(2) and open(2) of who has just made it."""
    ended = threading.Event()

    def take_away():
        while not ended.is_set():
            with contextlib.suppress(OSError):
                os.rmdir(folder(t))
            time.sleep(random.random() / 1000)  # a front tries twenty times

    thief = threading.Thread(target=take_away)
    thief.start()
    try:
        for _ in range(100):
            t.good(t.box('--name', 'n', '--', 'true'))
    finally:
        ended.set()
        thief.join()


HOUR, DAY = 3600, 24 * 3600


@test
def folders_of_ended_namespaces(t):
    """What is left there goes when it cannot be anybody's: a socket that nobody listens at, what is older than a box's grace."""
    ended = f'{t.env["PIDBOX_RUNTIME_DIR"]}/1'
    held = []

    def add(name, age, kind):
        path = f'{ended}/{name}'
        if kind in ('bound', 'listening'):
            held.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            held[-1].bind(path)
            if kind == 'listening':
                held[-1].listen(1)
        else:
            held.append(open(path, 'w'))
            if kind == 'locked':
                fcntl.flock(held[-1], fcntl.LOCK_EX)
        os.utime(path, (time.time() - age,) * 2, follow_symlinks=False)

    for words, files, stays in (
            ('a front that is gone', [('7:8', HOUR, 'bound')], []),
            ('a front that begins', [('7:8', 0, 'bound')], ['7:8']),
            ('a front', [('7:8', 2 * DAY, 'listening')], ['7:8']),
            ('a name of long ago', [('one', 2 * DAY, 'file'), ('one:exit', 2 * DAY, 'file')], []),
            ('a name that may be of a box in its grace', [('one', HOUR, 'file'), ('one:exit', HOUR, 'file')], ['one', 'one:exit']),
            ('a name that a front holds', [('one', 2 * DAY, 'locked'), ('one:exit', 2 * DAY, 'file')], ['one', 'one:exit']),
            ('nothing', [], [])):
        with t.case(words):
            os.makedirs(folder(t), 0o700, exist_ok=True)
            os.makedirs(ended, 0o700)
            for name, age, kind in files:
                add(name, age, kind)
            t.good(t.box('--', 'true'))
            t.eq(sorted(os.listdir(ended)) if os.path.isdir(ended) else [], stays, 'what is left')
            t.eq(os.path.isdir(ended), bool(stays), 'the folder')
            while held:
                held.pop().close()
            shutil.rmtree(ended, ignore_errors=True)


@test
def a_folder_that_was_full(t):
    """A file system gives a folder's blocks back with the folder alone: a start would go through them for ever."""
    os.makedirs(folder(t), 0o700)
    for n in range(2000):
        open(f'{folder(t)}/{"x" * 60}{n}', 'w').close()
    for name in os.listdir(folder(t)):
        os.unlink(f'{folder(t)}/{name}')
    t.good(t.box('--name', 'one', '--', 'true'))
    t.eq([os.stat(d).st_size for d in (folder(t), ) if os.path.isdir(d) and os.stat(d).st_size > 65536], [], 'bytes')


@test
def a_box_in_another_namespace(t):
    """A start outside leaves alone what lives in a PID namespace that shares the runtime directory, however long it has."""
    outer = t.start_box('--', t.pidbox, 'run', '--name', 'inner', '--', 'sh', '-c', 'echo up; exec cat', stdin=subprocess.PIPE)
    t.eq(outer.out.line(), 'up', 'it is up')
    inner = [f for f in glob.glob(f'{t.env["PIDBOX_RUNTIME_DIR"]}/*/*') if os.path.dirname(f) != folder(t)]
    t.eq(sorted(stat.S_ISSOCK(os.stat(f).st_mode) for f in inner), [False, True], 'its socket and its name')
    for path in inner:
        os.utime(path, (1, 1))
    t.good(t.box('--', 'true'))
    t.eq([f for f in inner if not os.path.exists(f)], [], 'what is gone')
    outer.stdin.close()
    t.eq(t.finish(outer), 0, 'status')
    t.eq([f for f in inner if os.path.exists(f)], [], 'what is left')


@test(modes='root')
def others_directory(t):
    d = t.path('dir')
    os.mkdir(d, 0o700)
    os.chown(d, 12345, 12345)
    env = {**t.env, 'PIDBOX_RUNTIME_DIR': d}
    t.good(t.box('--', 'echo', 'fine', env=env), out='fine\n')
    t.error(t.box('--name', 'one', '--', 'true', env=env), 'DENIED', has='another user')


def waits(p):
    """Is it in its poll(2)?"""
    with contextlib.suppress(OSError):
        return open(f'/proc/{p.pid}/syscall').read().split()[0] in ('7', '271', '73')


def own_world(t, *argv, **kw):
    """A PID namespace of root's that is none of pidbox's: (Popen, its PID 1)."""
    p = t.start(['unshare', '-fp', '--kill-child', '--mount-proc', *argv], **kw)
    t.ok(until(lambda: children(p.pid) and comm(children(p.pid)[0]) == ' '.join(argv), 10), 'it is there')
    return p, children(p.pid)[0]


@test(modes='root', limit=60)
def entries_of_another_user(t):
    """What a user writes into his directory counts for his boxes, and for nobody else's."""
    uid, base = 54397, '/tmp/pidbox-54397'
    shutil.rmtree(base, ignore_errors=True)
    t.cleanups.append(lambda: shutil.rmtree(base, ignore_errors=True))
    env = {k: v for k, v in t.env.items() if k != 'PIDBOX_RUNTIME_DIR'}
    his = t.start_box('--name', 'his', '--', 'sh', '-c', 'echo up; exec sleep 1000', env=env, cwd='/',
                      user=uid, group=uid, extra_groups=[])
    t.eq(his.out.line(15), 'up', 'his own box')
    world, init = own_world(t, 'sleep', '1000')
    entry, = glob.glob(f'{base}/*/his')
    mark = os.fstat(os.pidfd_open(init)).st_ino
    forged = re.sub(r'^id .*$', f'id {init}:{mark}', open(entry).read(), flags=re.M)
    forged = re.sub(r'^pid_namespace .*$', f'pid_namespace {os.stat(f"/proc/{init}/ns/pid").st_ino}', forged, flags=re.M)
    if t.init_of(his) and ':' not in open(entry).read().split('id ')[1].split()[0]:
        t.skip('no inode numbers of processes here')
    for name, text in (('liar', forged), ('liar:exit', 'exit 42 0\n{"schema":1}\n')):
        with open(f'{os.path.dirname(entry)}/{name}', 'w') as f:
            f.write(text)
        os.chown(f.name, uid, uid)
    with t.case('ls'):
        boxes = {b['init_pid']: b for b in json.loads(t.good(t.run([t.pidbox, 'ls', '--json'])).out)['boxes']}
        t.eq((boxes[init]['name'], boxes[init]['pidbox']), (None, False), 'it is not called so')
        t.eq((boxes[t.init_of(his)]['name'], boxes[t.init_of(his)]['pidbox']), (f'his@{uid}', True), 'his is')
    with t.case('by that name'):
        for verb in 'kill', 'ps':
            t.error(t.run([t.pidbox, verb, f'liar@{uid}']), 'NO_SUCH_BOX')
        t.ok(os.path.exists(f'/proc/{init}/exe'), 'it lives')
    with t.case('by its PID'):
        t.good(t.run([t.pidbox, 'exec', str(init), '--', 'echo', 'in']), out='in\n')
        w = t.start([t.pidbox, 'wait', '--json', str(init)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        t.ok(until(lambda: waits(w), 10), 'it waits')
        t.good(t.run([t.pidbox, 'kill', '--grace', '0', str(init)]))
        out, err = w.communicate(timeout=15)
        t.ok(w.returncode == -9 or (w.returncode == 125 and b'STATUS_UNKNOWN' in err), f'its own end: {w.returncode}, {out}, {err}')
        t.finish(world)
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', f'his@{uid}']))
    t.eq(t.finish(his), -9, 'root ends his box by its name')


@test
def names_that_are_none(t):
    """Files that are called as no box can be have no say: a list of names has one a line."""
    p = named(t, 'one')
    text = open(f'{folder(t)}/one').read()
    os.unlink(f'{folder(t)}/one')
    odd = ['a\nline', '9num', '-rf', '\x1b[31mred', 'x' * 65]
    for name in odd:
        for file, what in ((name, text), (f'{name}:exit', 'exit 3 0\n{"schema":1}\n')):
            with open(f'{folder(t)}/{file}', 'w') as f:
                f.write(what)
    got = [b['name'] for b in json.loads(t.good(t.run([t.pidbox, 'ls', '--own', '--all', '--json'])).out)['boxes']]
    t.eq([n for n in got if n in odd], [], 'in a list')
    lines = t.good(t.run([t.pidbox, 'ls', '-aq'])).out.splitlines()
    t.ok(not {'line', *odd} & set(lines), f'by name: {lines}')
    for name in odd:
        for file in name, f'{name}:exit':
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f'{folder(t)}/{file}')
    stop(t, p)


@test(modes='root')
def full_directory(t):
    """A full file system, and a read-only one."""
    d = t.path('full')
    os.mkdir(d)
    script = f'mount -t tmpfs -o mode=700,nr_inodes=INODES tmpfs {d} && {{ PRE; PIDBOX_RUNTIME_DIR={d} pidbox run -- echo fine; PIDBOX_RUNTIME_DIR={d} pidbox run --name one -- touch ran; }}'
    for words, inodes, pre in ('full', 1, ':'), ('read-only', 0, f'mount -o remount,ro {d}'):
        with t.case(words):
            r = t.run(['unshare', '-m', '/bin/sh', '-c', script.replace('INODES', str(inodes)).replace('PRE', pre)])
            t.error(r, 'DENIED' if words == 'read-only' else None, out='fine\n', has=words)
            t.ok(not os.path.exists(t.path('ran')), 'nothing ran')


@test
def long_path(t):
    d = t.path('d' * 120)
    env = {**t.env, 'PIDBOX_RUNTIME_DIR': d}
    p = t.start_box('--name', 'one', '--', 'cat', stdin=subprocess.PIPE, env=env)
    sock = until(lambda: [f for f in glob.glob(f'{d}/*/*') if ':' in f])
    fd = os.open(os.path.dirname(sock[0]), os.O_PATH)
    path = f'/proc/self/fd/{fd}/{os.path.basename(sock[0])}'
    t.ok(until(lambda: listens(path)), 'it listens there')
    t.eq(ask(path, KILL, 0, 0), (DONE, 0, 0), 'it answers there')
    os.close(fd)
    t.eq(t.finish(p), -9, 'status')


@each({'--idle': ((), 'TERM', 'SIGTERM'), 'HUP': ((), 'HUP', 'SIGHUP'), 'mapped': (('--signal-map', 'USR1=INT'), 'USR1', 'SIGINT'),
       'on-exit wait': (('--on-exit', 'wait'), 'TERM', 'SIGTERM'), 'with an account': (('--fail-on-leak',), 'INT', 'SIGINT')})
def idle(t, options, sig, ends_by):
    f = t.path('report')
    p = t.start_box('--name', 'one', '--idle', '--report', f, *options)
    until(lambda: 'one' in files(t) and os.path.getsize(f'{folder(t)}/one') > 0)
    path = socket_of(t, 'one')
    t.ok(until(lambda: ask(path, SIGNAL, signal.SIGWINCH) == (DONE, 0, 0), 10), 'it takes signals')
    t.eq(p.poll(), None, 'SIGWINCH does not end it')
    t.eq(ask(path, SIGNAL, getattr(signal, 'SIG' + sig)), (DONE, 0, 0), 'the signal')
    t.eq(t.finish(p), -getattr(signal, ends_by), 'status')
    rec = t.record(f)
    t.eq((rec['reason'], rec['signal'], rec['command']), ('killed', ends_by, []), 'the record')
    t.eq(rec['ended_by'] and (rec['ended_by']['signal'], rec['ended_by']['pid']), ('SIG' + sig, os.getpid()), 'who did it')


@test
def idle_and_others(t):
    r, rec = t.report('--idle', '--timeout', '200ms')
    t.eq((r.code, rec['reason']), (124, 'timeout'), 'a time limit')
    t.error(t.box('--idle', '--', 'true'), 'USAGE', has='--idle')
    t.error(t.box('--idle', '--as-pid1'), 'USAGE')
    t.error(t.box('--replace', '--', 'true'), 'USAGE', has='--name')
    for name in '', '1a', 'a/b', 'a:exit', '..', '-x', 'a' * 65, 'a b':
        t.error(t.box(f'--name={name}', '--', 'true'), 'USAGE')


# ------------------------------------------------------------ the socket

@test
def orders(t):
    f = t.path('report')
    p = named(t, 'one', '--report', f)
    path = socket_of(t, 'one')
    waiter = connect(path)
    socket.send_fds(waiter, [request(WAIT)], [os.pidfd_open(os.getpid())])
    t.eq(ask(path, SIGNAL, 99), (FAILED, EINVAL, 0), 'no such signal')
    t.eq(ask(path, 77), (FAILED, EOPNOTSUPP, 0), 'no such request')
    t.eq(ask(path, EXEC), (FAILED, EINVAL, 0), 'an exec without its descriptors')
    t.eq(ask(path, KILL), (DONE, 0, 0), 'the end')
    t.eq(t.finish(p), -15, 'status')
    t.eq(answer(waiter), (ENDED, 0, 143), 'who waited is told')
    rec = t.record(f)
    t.eq((rec['reason'], rec['ended_by']), ('killed', {'signal': 'SIGTERM', 'pid': os.getpid(), 'uid': os.getuid()}), 'the record')


@test
def as_pid1(t):
    p = named(t, 'one', '--as-pid1')
    path = socket_of(t, 'one')
    t.eq(ask(path, EXEC, fds=[os.pidfd_open(os.getpid()), 0, 0, 1, 2]), (FAILED, EOPNOTSUPP, 0), 'nobody there to start it')
    t.eq(ask(path, KILL, 0, 0), (DONE, 0, 0), 'the end')
    t.eq(t.finish(p), -9, 'status')


@test
def held(t):
    r, w = os.pipe()
    p = t.start_box('--name', 'one', '--hold-fd', str(r), '--', 'touch', 'ran', pass_fds=[r])
    os.close(r)
    until(lambda: 'one' in files(t) and os.path.getsize(f'{folder(t)}/one') > 0)
    t.ok(until(lambda: ask(socket_of(t, 'one'), KILL, 0, 0) == (DONE, 0, 0)), 'a box that is held can be ended')
    t.eq(t.finish(p), 125, 'status')
    t.ok(not os.path.exists(t.path('ran')), 'it has not begun')
    os.close(w)


INSIDE = {'itself': [], 'without a pidfd': ['-n'], 'an orphan': ['-f'], 'no pidfd': ['-p', '0']}


@test(limit=60)
def nobody_inside(t):
    """From inside the box, from a box in it, from another one: everything is refused."""
    p = named(t, 'victim')
    path = socket_of(t, 'victim')
    control = t.helper('control')
    for kind in SIGNAL, KILL, WAIT, EXEC:
        for words, how in INSIDE.items():
            for place, before in {'a sibling': [], 'a box in a box': [t.pidbox, 'run', '--'], 'outer /proc': None}.items():
                options = ['--proc', 'keep'] if before is None else []
                r = t.box(*options, '--', *(before or []), control, *how, path, str(kind), '15', '0')
                t.ok(r.out == f'{FAILED} {EACCES} 0\n', f'{place}, {words}, request {kind}: {r.out!r} {r.err!r}')
    t.eq(p.poll(), None, 'it lives')
    stop(t, p)
    r = t.start_box('--name', 'own', '--', 'sh', '-c', f'until {control} "$(ls -d {folder(t)}/*:*)" 2 9 0; do :; done; {control} -f {folder(t)}/*:* 2 9 0')
    t.eq(r.out.rest(20), f'{FAILED} {EACCES} 0\n' * 2, 'from inside')
    t.eq(t.finish(r), 0, 'status')


@test
def borrowed(t):
    """Somebody outside has connected; somebody inside speaks, with his own pidfd or with another's."""
    p = named(t, 'victim')
    path = socket_of(t, 'victim')
    other = subprocess.Popen(['sleep', '1000'])
    stolen = os.pidfd_open(other.pid)
    for words, how in {'his own': [], 'of a third': ['-p', str(stolen)]}.items():
        s = connect(path)
        os.set_inheritable(s.fileno(), True)
        os.set_inheritable(stolen, True)
        r = t.box('--', t.helper('control'), '-s', str(s.fileno()), *how, path, str(KILL), '9', '0', pass_fds=[s.fileno(), stolen])
        # On a slow machine he has been dropped for his silence.
        t.ok(r.out in (f'{FAILED} {EACCES} 0\n', 'closed\n'), f'{words}: {r.out!r}')
        s.close()
    # The other way round: who connected is inside, and a pidfd of somebody outside comes with it.
    r = t.box('--', t.helper('control'), '-p', str(stolen), path, str(KILL), '9', '0', pass_fds=[stolen])
    t.eq(r.out, f'{FAILED} {EACCES} 0\n', 'a pidfd of somebody outside')
    other.kill()
    other.wait()
    t.eq(p.poll(), None, 'it lives')
    stop(t, p)


@test(modes='root')
def from_above(t):
    """The front lives in a box; who stands above that may give it orders (Linux 6.11)."""
    if kernel() < (6, 11):
        t.skip('before Linux 6.11 nobody can prove that')
    p = t.start_box('--', t.pidbox, 'run', '--name', 'deep', '--', 'sh', '-c', 'echo up; exec cat', stdin=subprocess.PIPE)
    t.eq(p.out.line(), 'up', 'it is up')
    inner = [f for f in glob.glob(f'{t.env["PIDBOX_RUNTIME_DIR"]}/*/*:*') if os.path.dirname(f) != folder(t)]
    t.eq(len(inner), 1, 'its socket')
    t.eq(ask(inner[0], SIGNAL, signal.SIGWINCH), (DONE, 0, 0), 'from above')
    r = t.box('--', t.helper('control'), inner[0], str(KILL), '9', '0')
    t.eq(r.out, f'{FAILED} {EACCES} 0\n', 'from a sibling of the box that its front is in')
    stop(t, p)


@test(limit=60)
def malformed(t):
    p = named(t, 'one')
    path = socket_of(t, 'one')
    rnd = random.Random(20261124)
    me = os.pidfd_open(os.getpid())
    good = request(SIGNAL, signal.SIGWINCH)
    cases = {f'{n} bytes': (good[:n] if n < 64 else good + bytes(n - 64), [me]) for n in (1, 4, 63, 65, 4096, 100000)}
    cases.update({'magic': (request(SIGNAL, magic=1), [me]), 'version': (request(SIGNAL, version=2), [me]),
                  '9 descriptors': (good, [me] * 9), '250 descriptors': (good, [me] * 250)})
    for i in range(40):
        cases[f'random {i}'] = (bytes(rnd.randrange(256) for _ in range(64)), [me])
    for words, (data, fds) in cases.items():
        with t.case(words):
            s = connect(path)
            socket.send_fds(s, [data], fds)
            got = answer(s)
            t.ok(got and got[0] == FAILED, f'refused: {got}')
            s.close()
    front = len(os.listdir(f'/proc/{p.pid}/fd'))
    t.ok(until(lambda: len(os.listdir(f'/proc/{p.pid}/fd')) <= front), 'no descriptor is left with the front')
    for s in [connect(path) for _ in range(20)]:
        s.close()  # hung up before a word
    t.eq(ask(path, SIGNAL, signal.SIGWINCH), (DONE, 0, 0), 'it serves still')
    stop(t, p)


@test(limit=60)
def flood(t):
    """Hundreds that say nothing hinder nobody, and are gone after two seconds."""
    p = named(t, 'one')
    path = socket_of(t, 'one')
    silent, t0 = [], time.monotonic()
    for _ in range(300):
        s = connect(path)
        s.setblocking(False)
        silent.append(s)
    t.eq(ask(path, SIGNAL, signal.SIGWINCH), (DONE, 0, 0), 'a client among them')
    p.send_signal(signal.SIGWINCH)

    def hung_up(s):
        try:
            return not s.recv(200)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
    t.ok(until(lambda: all(hung_up(s) for s in silent), 20), 'all are dropped')
    t.ok(time.monotonic() - t0 >= 1.9, 'not before their time')
    waiters = []
    for _ in range(60):
        s = connect(path)
        socket.send_fds(s, [request(WAIT)], [os.pidfd_open(os.getpid())])
        waiters.append(s)
    t.eq(ask(path, SIGNAL, signal.SIGWINCH), (DONE, 0, 0), 'a client beside many that wait')
    stop(t, p)
    got = [answer(s) for s in waiters]
    t.ok(set(got) == {(ENDED, 0, 0), (FAILED, 11, 0)} and got.count((ENDED, 0, 0)) == 48, f'who waited is told: {set(got)}')


@test
def few_descriptors(t):
    """No descriptors for clients: the box runs on, and serves when there are some again."""
    p = named(t, 'one')
    path = socket_of(t, 'one')
    import resource
    limit = resource.prlimit(p.pid, resource.RLIMIT_NOFILE)
    used = max(int(f) for f in os.listdir(f'/proc/{p.pid}/fd')) + 1
    resource.prlimit(p.pid, resource.RLIMIT_NOFILE, (used, limit[1]))
    s = [connect(path) for _ in range(10)]
    time.sleep(0.2)
    t.eq(p.poll(), None, 'it runs on')
    for c in s:
        c.close()
    resource.prlimit(p.pid, resource.RLIMIT_NOFILE, limit)
    t.eq(ask(path, SIGNAL, signal.SIGWINCH), (DONE, 0, 0), 'it serves')
    stop(t, p)


@test(limit=120)
def many_that_ended_without_a_word(t):
    """A start looks at a few entries only, so that it costs no more the more boxes live; now and then one looks at all of them."""
    keeper = t.start_box('--name', 'keeper', '--', 'sleep', '1000')
    folder = f'{t.env["PIDBOX_RUNTIME_DIR"]}/{os.stat("/proc/self/ns/pid").st_ino}'
    t.ok(until(lambda: os.path.exists(f'{folder}/keeper')), 'a folder')
    stale = [f'{folder}/{4194000 + i}:{i + 1}' for i in range(60)]
    for path in stale:
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(path)
    left = lambda: [x for x in stale if os.path.exists(x)]
    for _ in range(3000):
        t.good(t.box('--', 'true'))
        if not left():
            break
    t.eq(left(), [], 'left of what has ended')
    keeper.terminate()
    t.finish(keeper)
