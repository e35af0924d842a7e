# SPDX-License-Identifier: MIT
"""Two releases side by side: a box that was started before an upgrade stays listable, enterable and killable, and so
does a new box for the older command. The other side is wire1.py: pidbox 0.1, byte for byte."""
import traceback, wire1
from support import *
from wire1 import ANSWERS, Client, do_wait, refuse

CLONE_NEWUSER, CLONE_NEWPID, PR_SET_PDEATHSIG = 0x10000000, 0x20000000, 1
OLDEST = 'format 1\nid {id}\nend\n'
ENTRY = 'format 1\nid {id}\npid_namespace 0\nboot_id \nstarted 1764015302000000\nversion 0.1.0\ncommand ["make","-j8"]\nend\n'
NEWER = 'format 1\nid {id}\nsince_later some words\nversion 9.9\nend\n'
SCRIPT = 'trap "echo winch" WINCH; trap "exit 7" USR1; echo up; while :; do sleep 1000 & wait; done'


def folder_of(t):
    return os.path.join(t.env['PIDBOX_RUNTIME_DIR'], str(os.stat('/proc/self/ns/pid').st_ino))


# ------------------------------------------------------------ an older command, a box of today

def new_box(t, *options):
    """Its front, and the path of its socket, found as an older release does: by the entry of its name."""
    p = t.start_box('--name', 'today', *options, '--', '/bin/sh', '-c', SCRIPT)
    t.eq(p.out.line(15), 'up', 'the command')
    entry = open(os.path.join(folder_of(t), 'today')).read()
    lines = entry.split('\n')
    t.ok(lines[0] == 'format 1' and lines[-2:] == ['end', ''] and all(' ' in line for line in lines[:-2]), f'the entry: {entry!r}')
    keys = dict(line.split(' ', 1) for line in lines[:-2])
    init = t.init_of(p)
    t.eq(keys['id'], wire1.process_id(init), 'its id')
    t.eq(int(keys['pid_namespace']), os.stat(f'/proc/{init}/ns/pid').st_ino, 'its namespace')
    t.eq(keys['boot_id'], open('/proc/sys/kernel/random/boot_id').read().strip(), 'the boot')
    t.ok(abs(int(keys['started']) / 1e6 - time.time()) < 60, 'when it was started')
    t.eq(json.loads(keys['command']), ['/bin/sh', '-c', SCRIPT], 'its command')
    return p, os.path.join(folder_of(t), keys['id'])


def brief(r):
    return r and {k: v for k, v in r.items() if k in ('magic', 'version', 'type', 'errnum')}


def answer(type, errnum=0):
    return {'magic': wire1.MAGIC, 'version': 1, 'type': type, 'errnum': errnum}


@test(limit=60)
def an_older_command_signals_and_waits(t):
    p, path = new_box(t, '--report', 'r')
    waiting = Client(path)
    waiting.send(wire1.WAIT)
    t.eq(brief(Client(path).ask(wire1.SIGNAL, signal.SIGWINCH)), answer(wire1.DONE), 'a signal')
    t.eq(p.out.line(15), 'winch', 'the command has it')
    t.eq(brief(Client(path).ask(wire1.SIGNAL, 65)), answer(wire1.FAILED, errno.EINVAL), 'a signal that is none')
    t.eq(brief(Client(path).ask(99)), answer(wire1.FAILED, errno.EOPNOTSUPP), 'a request that nobody knows')
    t.eq(brief(Client(path).ask(wire1.SIGNAL, signal.SIGUSR1)), answer(wire1.DONE), 'the signal that ends it')
    t.eq(t.finish(p), 7, 'the box')
    r = waiting.receive()
    t.eq((brief(r), r['status'], r['signal'], r['exit_code'], r['reason']), (answer(wire1.ENDED), 7, 0, 7, 0), 'the end')
    t.eq(json.loads(os.pread(r['fd'], r['record'], 0)), t.record(t.path('r')), 'the record, in its descriptor')


@test(limit=60)
def an_older_command_ends_a_box(t):
    for grace, told in (-1, 3500000), (250000, 250000):
        with t.case(grace):
            p, path = new_box(t, '--grace', '3.5s', '--stop-signal', 'USR1')
            r = Client(path).ask(wire1.KILL, grace_us=grace)
            t.eq((brief(r), r['wall_us']), (answer(wire1.DONE), told), 'the grace')
            t.eq(t.finish(p), 7, 'by its stop signal')


@test(limit=60)
def an_older_command_enters(t):
    p, path = new_box(t)
    for argv, want in (['sh', '-c', 'echo $PPID $A; exit 9'], (9, 0, 9)), (['sh', '-c', 'kill -9 $$'], (137, 9, -1)):
        with t.case(argv):
            rd, wr = pipe()
            with opened(rd, wr), open('/dev/null') as null:
                c = Client(path)
                c.exec(argv, [null.fileno(), wr, wr], env=['A=b'])
                os.close(wr)
                r = c.receive()
                t.eq(brief(r), answer(wire1.STARTED), 'started')
                t.ok(r['inside_pid'] > 2, f'its PID inside: {r}')
                if want[1] == 0:
                    t.eq(Lines(rd).line(), '1 b', 'its output')
                r = c.receive()
                t.eq((brief(r), (r['status'], r['signal'], r['exit_code'])), (answer(wire1.ENDED), want), 'ended')
    with open('/dev/null', 'r+') as null:
        c = Client(path)
        c.exec(['sleep', '1000'], [null.fileno()] * 3)
        t.eq(brief(c.receive()), answer(wire1.STARTED), 'started')
        c.signal(signal.SIGTERM)
        r = c.receive()
        t.eq((brief(r), r['signal']), (answer(wire1.ENDED), signal.SIGTERM), 'a signal on its connection')
        c = Client(path)
        c.exec(['sleep', '1001'], [null.fileno()] * 3)
        t.eq(brief(c.receive()), answer(wire1.STARTED), 'started')
        c.sock.close()
        t.ok(until(lambda: not any(comm(k) == 'sleep 1001' for k, _ in descendants(p.pid)), 15), 'the end of the connection is its end')
        for bad, error in ({'flags': 1 << 20}, errno.EOPNOTSUPP), ({'version': 2}, errno.EOPNOTSUPP):
            c = Client(path)
            c.exec(['true'], [null.fileno()] * 3, **bad)
            t.eq(brief(c.receive()), answer(wire1.FAILED, error), f'{bad}: what it does not know it refuses')
    t.eq(brief(Client(path).ask(wire1.KILL, grace_us=0)), answer(wire1.DONE), 'its end')
    t.finish(p)


@test(limit=60)
def an_older_command_reads_the_record_kept(t):
    t.good(t.box('-d', '--name', 'kept', '--', 'sh', '-c', 'exit 9'), out='kept\n')
    t.eq(t.run([t.pidbox, 'wait', 'kept']).code, 9, 'status')
    path = os.path.join(folder_of(t), 'kept:exit')
    head, record, end = open(path).read().split('\n')
    t.eq((head, end), ('exit 9 0', ''), 'its first line')
    t.eq(json.loads(record)['exit_code'], 9, 'the record')
    os.unlink(path)


# ------------------------------------------------------------ a command of today, an older box

def old_box(t, answers=ANSWERS, entry=ENTRY, script='exec sleep 2001', name='old'):
    """A front of 0.1 with an init; (the outer PID of that, the front's)."""
    os.makedirs(folder_of(t), 0o700, exist_ok=True)
    rd, wr = os.pipe()
    front = os.fork()
    if front == 0:
        try:
            lead(t, answers, entry, script, name, wr)
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    os.close(wr)
    t.cleanups.append(lambda: end_front(front))
    init = Lines(rd).line(15)
    os.close(rd)
    if not init:
        t.skip('no PID namespace here')
    return int(init), front


def end_front(pid):
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def lead(t, answers, entry, script, name, wr):
    folder, parent = folder_of(t), os.getpid()
    locked = os.open(folder, os.O_RDONLY)
    fcntl.flock(locked, fcntl.LOCK_SH)
    flags = CLONE_NEWPID if t.mode == 'root' else CLONE_NEWPID | CLONE_NEWUSER
    if libc.unshare(flags):
        return
    r, w = os.pipe()
    ready, says = os.pipe()
    init = os.fork()
    if init == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.close(w)
        os.write(says, b'.')
        os.read(r, 1)
        os.execvpe('sh', ['sh', '-c', script], t.env)
    os.read(ready, 1)  # from here on it ends with us
    front = wire1.Front(init, folder, name, answers, entry)
    os.close(w)
    os.write(wr, f'{init}\n'.encode())
    os.close(wr)
    front.serve()
    assert os.getpid() == parent


@each({'as it was': ENTRY, 'the least that it may say': OLDEST, 'of a newer one': NEWER})
def an_older_box_is_listed(t, entry):
    init, front = old_box(t, entry=entry)
    rows = [b for b in json.loads(t.good(t.run([t.pidbox, 'ls', '--json']), err=None).out)['boxes'] if b['name'] == 'old']
    t.eq([(b['init_pid'], b['id'], b['pidbox'], b['status']) for b in rows], [(init, wire1.process_id(init), True, 'running')], 'its row')
    t.eq(json.loads(t.good(t.run([t.pidbox, 'ps', '--json', 'old']), err=None).out)['processes'][0]['pid'], init, 'its processes')
    t.eq(t.good(t.run([t.pidbox, 'pid', 'old/1', '--to', '1'])).out if t.mode == 'root' else f'{init}\n', f'{init}\n', 'a PID of it')
    t.error(t.box('--name', 'old', '--', 'true'), 'NAME_TAKEN')
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', 'old']))
    t.error(t.run([t.pidbox, 'ps', 'old']), 'NO_SUCH_BOX')


@test(limit=60)
def an_older_box_is_entered(t):
    init, front = old_box(t)
    t.good(t.run([t.pidbox, 'exec', '-e', 'A=b', 'old', 'sh', '-c', 'cat; exit 9'], input='through\n'), 9, 'through\n')
    t.eq(t.run([t.pidbox, 'exec', str(init), 'sh', '-c', 'kill -TERM $$']).code, -signal.SIGTERM, 'of a signal')
    t.good(t.run([t.pidbox, 'kill', 'old']))


@test(limit=60)
def an_older_box_is_waited_for(t):
    init, front = old_box(t, script='trap "exit 7" USR1; : > up; while :; do sleep 2002 & wait; done')
    t.ok(until(lambda: os.path.exists(t.path('up')), 15), 'its command')
    ws = [t.start([t.pidbox, 'wait', '--json', 'old'], stdout=subprocess.PIPE) for _ in range(3)]
    for w in ws:
        t.ok(until(lambda: open(f'/proc/{w.pid}/syscall').read().split()[0] in ('7', '271', '73'), 15), 'it waits')
    t.good(t.run([t.pidbox, 'kill', '-USR1', 'old']))
    t.eq([t.finish(w) for w in ws], [7, 7, 7], 'statuses')
    t.eq(json.loads(ws[0].stdout.read()), {'schema': 1, 'of': 'an old front'}, 'its record')


@test(limit=60)
def an_older_front_that_is_full(t):
    """It took 48 who wait, and refused others: who asks again has a place when there is one."""
    refused = t.path('refused')

    def busy(front, connection, values, fds):
        with open(refused, 'a') as f:
            f.write('x')
        return (refuse(errno.EAGAIN) if os.path.getsize(refused) < 3 else hang_up if os.path.getsize(refused) == 3 else do_wait)(
            front, connection, values, fds)

    def hang_up(*_):
        return False

    old_box(t, answers={**ANSWERS, wire1.WAIT: busy}, script='trap "exit 7" USR1; : > up; while :; do sleep 2003 & wait; done')
    t.ok(until(lambda: os.path.exists(t.path('up')), 15), 'its command')
    w = t.start([t.pidbox, 'wait', 'old'])
    t.ok(until(lambda: os.path.exists(refused) and os.path.getsize(refused) == 4, 20), 'it asks again')
    t.good(t.run([t.pidbox, 'kill', '-USR1', 'old']))
    t.eq(t.finish(w), 7, 'status')


@test(limit=60)
def an_older_front_that_knows_nothing(t):
    """Each verb does without, or says so; none hangs."""
    init, front = old_box(t, answers={})
    t.good(t.run([t.pidbox, 'exec', 'old', 'readlink', '/proc/self/ns/pid']), out=ns('pid', init) + '\n')  # by setns
    t.error(t.run([t.pidbox, 'kill', '-USR1', 'old']), has='another release')
    t.eq(t.run([t.pidbox, 'wait', '--timeout', '300ms', 'old']).code, 124, 'it is waited for all the same')
    os.kill(init, 0)
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', 'old']), err=None)
    t.ok(until(lambda: not os.path.exists(f'/proc/{init}'), 15), 'it is ended')


@test(limit=60)
def an_older_front_that_speaks_otherwise(t):
    """Answers that this release cannot understand: an error, not a guess."""
    def other_version(front, connection, values, fds):
        connection.send(wire1.reply(wire1.DONE, version=7))
        return False

    def cut_short(front, connection, values, fds):
        connection.send(wire1.reply(wire1.DONE)[:60])
        return False
    for name, way in ('version', other_version), ('short', cut_short):
        with t.case(name):
            init, front = old_box(t, answers={wire1.SIGNAL: way, wire1.EXEC: way}, name=name)
            t.error(t.run([t.pidbox, 'exec', name, 'true']), has='release')
            t.error(t.run([t.pidbox, 'kill', '-USR1', name]), has='release')
            end_front(front)
