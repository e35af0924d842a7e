# SPDX-License-Identifier: MIT
"""pidbox pid: the numbers of a process, between any two namespaces. What is right comes from /proc: NSpid, and the links in ns."""
from support import *

SLEEP = ['sleep', '1000']
NO_IOCTL = ['deny', str(errno.ENOTTY), 'pidns', '--']  # what the kernel says before 6.11


def numbers(pid):
    """NSpid: the caller's own first."""
    return [int(n) for n in re.search(r'^NSpid:\s+(.*)$', open(f'/proc/{pid}/status').read(), re.M)[1].split()]


def inode(pid):
    return os.stat(f'/proc/{pid}/ns/pid').st_ino


def nested(t, depth=3):
    """Boxes in boxes; the innermost command is a sleep. Returns its PID, and the inits outermost first."""
    argv = SLEEP
    for _ in range(depth):
        argv = [t.pidbox, 'run', '--', *argv]
    p = t.start(argv)

    def end():  # from the inside out, so that each front clears up
        p.terminate()
        t.finish(p)
    t.cleanups.append(end)

    def down():
        found, pid = [], p.pid
        while pid:
            if comm(pid) == ' '.join(SLEEP):
                return pid, found
            pid = next(iter(children(pid)), None)
            if pid and numbers(pid)[-1] == 1:
                found.append(pid)
        return None
    got = until(lambda: quietly(down), 15)
    if not got or len(got[1]) != depth:
        t.fail(f'{depth} boxes do not come up: {got}')
    return (*got, p)


def quietly(f):
    with contextlib.suppress(OSError, TypeError):
        return f()


def foreign(t, *command):
    """A namespace that is none of pidbox's: (PID 1 outside, Popen)."""
    user = [] if t.mode == 'root' else ['-Ur']
    p = t.start(['unshare', *user, '-fp', '--kill-child', '--mount-proc', *(command or SLEEP)])
    kid = until(lambda: [k for k in children(p.pid) if comm(k) == ' '.join(command or SLEEP)], 10)
    return kid[0] if kid else t.fail('unshare has no child'), p


def pid(t, *args, deny=False, **kw):
    return t.run([*(NO_IOCTL if deny else []), t.pidbox, 'pid', *args], **kw)


def levels(t, p, inits):
    return [{'pid_namespace': inode('self'), 'pid': numbers(p)[0]}] + [{'pid_namespace': inode(i), 'pid': n} for i, n in zip(inits, numbers(p)[1:])]


@each({'ioctl': False, 'NSpid': True}, limit=60)
def every_level(t, deny):
    """Three boxes deep: every number, one a level, the caller's own first; and the one in each box."""
    p, inits, _ = nested(t)
    want = numbers(p)
    t.eq(len(want), 4, 'a process three boxes deep has four numbers')
    spaces = [inode('self'), *map(inode, inits)]
    r = t.good(pid(t, str(p), deny=deny))
    t.eq([line.split() for line in r.out.splitlines()], [[str(n), f'ns:{i}'] for n, i in zip(want, spaces)], 'numbers and namespaces')
    r = t.good(pid(t, '--json', str(p), deny=deny))
    t.eq(json.loads(r.out), {'schema': 1, 'pid': p, 'levels': levels(t, p, inits), 'container_id': None}, 'JSON')
    for level, init in enumerate(inits, 1):
        for box in str(init), f'ns:{inode(init)}':
            with t.case(f'--to {box}'):
                t.good(pid(t, str(p), '--to', box, deny=deny), out=f'{want[level]}\n')
            with t.case(f'{box}/{want[level]}'):
                t.good(pid(t, '--to', str(os.getpid()), f'{box}/{want[level]}', deny=deny), out=f'{p}\n')
                r = t.good(pid(t, '--json', f'{box}/{want[level]}', deny=deny))
                t.eq(json.loads(r.out)['levels'], levels(t, p, inits), 'levels')
    # Sideways: from the outermost box into the innermost, and one that is not in there.
    t.good(pid(t, '--to', str(inits[2]), f'{inits[0]}/{want[1]}', deny=deny), out=f'{want[3]}\n')
    r = pid(t, '--to', str(inits[2]), f'{inits[0]}/1', deny=deny)
    t.eq((r.code, r.out), (1, 'gone\n'), 'the outer init is not in the inner box')


@each({'ioctl': False, 'NSpid': True}, limit=60)
def the_same_of_others(t, deny):
    """A namespace by unshare, by its PID 1, and by bwrap."""
    init, _ = foreign(t)
    t.good(pid(t, str(init), '--to', str(init), deny=deny), out='1\n')
    t.good(pid(t, f'{init}/1', '--to', '1' if os.getpid() == 1 else str(os.getpid()), deny=deny), out=f'{init}\n')
    if not shutil.which('bwrap'):
        return
    p = t.start(['bwrap', '--die-with-parent', '--bind', '/', '/', '--unshare-pid', '--proc', '/proc', '--dev', '/dev', *SLEEP])
    inner = until(lambda: [d for d, _ in descendants(p.pid) if comm(d) == ' '.join(SLEEP)], 10)
    if not inner:
        t.skip('bwrap does not work here')
    n = numbers(inner[0])
    t.good(pid(t, str(inner[0]), '--to', str(inner[0]), deny=deny), out=f'{n[-1]}\n')
    t.good(pid(t, '-', deny=deny, input=f'{inner[0]}/{n[-1]}\n'), out=f'{" ".join(map(str, n))}\n')


@each({'ioctl': False, 'NSpid': True}, limit=60)
def threads(t, deny):
    """The number of a thread, both ways."""
    p = t.start_box('--', t.helper('thread'))
    tid = int(p.out.line(20))
    command = t.command_of(p)
    task = until(lambda: [k for k in os.listdir(f'/proc/{command}/task') if int(k) != command])[0]
    t.eq(numbers(f'{command}/task/{task}')[-1], tid, 'the thread has that number inside')
    t.good(pid(t, task, '--to', str(command), deny=deny), out=f'{tid}\n')
    t.good(pid(t, f'{command}/{tid}', '--to', str(os.getpid()), deny=deny), out=f'{task}\n')
    t.good(pid(t, '-', deny=deny, input=f'{task}\n{command}/{tid}'), out=f'{task} {tid}\n' * 2)


@test(limit=60)
def batch(t):
    """An answer for each line, in order: whatever is in the line."""
    p = t.start_box('--', *SLEEP)
    command = t.command_of(p)
    init = t.init_of(p)
    rows = [
        (str(command), f'{command} 2'), (f'{init}/1', f'{init} 1'), (f'{init}/2', f'{command} 2'), (f'{p.pid}/2', f'{command} 2'),
        (f'{init}/77', 'gone'), ('4194304', 'gone'), ('nobody-has-this-name/3', 'gone'), ('', 'gone'), ('x y', 'gone'), ('2147483648', 'gone'),
        (f'{command}\r', f'{command} 2'), (f'  {command}  ', f'{command} 2'), (f'{command}\0', 'gone'), ('a' * 100000, 'gone'), ('-1', 'gone'),
        (f'{os.getpid()}', f'{os.getpid()}'), (f'ns:{inode(init)}/2', f'{command} 2'), (f'{command}', f'{command} 2')]
    text = '\n'.join(a for a, _ in rows)
    for end in '', '\n':
        r = pid(t, '-', input=text + end)
        t.eq(r.code, 1, 'status')
        for (a, want), got in zip(rows, r.out.split('\n')):
            t.eq(got, want, f'answer to {short(a, 40)}')
        t.eq(r.out.count('\n'), len(rows), 'answers')
    t.good(pid(t, '-', '--to', str(init), input=f'{command}\n{init}/1\n'), out='2\n1\n')
    t.good(pid(t, '-', input=''), out='')
    r = pid(t, '-', '--json', input=f'{command}\n{init}/77\n\n')
    objects = [json.loads(line) for line in r.out.splitlines()]
    t.eq([(o['pid'], o['levels'] and [v['pid'] for v in o['levels']]) for o in objects], [(command, [command, 2]), (None, None), (None, None)], 'objects')


@test
def answers_at_once(t):
    """In a pipe that somebody else writes slowly, each question is answered before the next is waited for."""
    p = t.start([t.pidbox, 'pid', '-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out = Lines(p.stdout)
    for ask in (os.getpid(), 4194304, os.getppid()):
        p.stdin.write(f'{ask}\n'.encode())
        t.eq(out.line(10), 'gone' if ask == 4194304 else str(ask), 'answer')
    p.stdin.close()
    t.eq(t.finish(p), 1, 'status')


@test
def gone_and_wrong(t):
    r = pid(t, '4194304')
    t.eq((r.code, r.out, r.err), (1, 'gone\n', ''), 'nothing has that number')
    r = pid(t, '--json', '4194304')
    t.eq((r.code, json.loads(r.out)), (1, {'schema': 1, 'pid': 4194304, 'levels': None, 'container_id': None}), 'JSON of what is gone')
    p = t.start_box('--', *SLEEP)
    init = t.init_of(p)
    t.command_of(p)
    r = pid(t, f'{init}/77')
    t.eq((r.code, r.out), (1, 'gone\n'), 'nothing has that number inside')
    r = pid(t, str(os.getpid()), '--to', str(init))
    t.eq((r.code, r.out), (1, 'gone\n'), 'we have no number inside')
    t.error(pid(t, 'no-such-box/3'), 'NO_SUCH_BOX')
    t.error(pid(t, f'{init}:1'), 'NO_SUCH_BOX')
    t.error(pid(t, '1', '--to', 'no-such-box'), 'NO_SUCH_BOX')
    for bad in ['x y'], ['/3'], ['1/x'], ['0'], [], ['1', '2'], ['1', '--to'], ['1', '--to', f'{init}/1'], ['--no', '1']:
        with t.case(bad):
            t.error(pid(t, *bad), 'USAGE')
    t.error(t.sh('pidbox pid 1 >/dev/full'), has='standard output')


@test
def the_front_is_itself(t):
    """As a box a front's PID stands for what it leads; its number is its own."""
    p = t.start_box('--', *SLEEP)
    command = t.command_of(p)
    t.good(pid(t, '-', input=f'{p.pid}\n'), out=f'{p.pid}\n')
    t.good(pid(t, f'{p.pid}/2', '--to', str(os.getpid())), out=f'{command}\n')


@test(limit=60)
def inside_a_box_with_the_outer_proc(t):
    """--proc keep: the numbers in that /proc are not the caller's. They are never taken for it."""
    r = t.box('--proc', 'keep', '--', '/bin/sh', '-c', f'echo $$; {t.pidbox} pid - </dev/null; echo $$ | {t.pidbox} pid -')
    mine = r.out.split()
    if r.code == 0:
        t.eq(mine, ['2', '2'], 'PID 2 is PID 2')
    else:
        t.error(r, ('DENIED', 'NOT_FOUND'), out=None)


@test(modes='root', limit=480)
def a_number_that_is_used_again(t):
    """The same number inside, all the time, of one process after the other: whoever it is, its own numbers belong together."""
    script = 'while :; do echo 99 >/proc/sys/kernel/ns_last_pid; /bin/true & wait; done'
    p = t.start_box('--proc', 'fresh', '--', '/bin/sh', '-c', script)
    init = t.init_of(p)
    t.command_of(p)
    t.ok(until(lambda: ' 100' in pid(t, '-', input=f'{init}/100\n' * 20).out, 15), 'it has begun')
    for deny, n in (False, 20000), (True, rounds(1000, 3000)):
        r = pid(t, '-', input=f'{init}/100\n' * n, deny=deny, timeout=300)
        answers = set(r.out.splitlines())
        t.ok(len(r.out.splitlines()) == n and len(answers) > 1, f'answers: {short(sorted(answers))}')
        for a in answers - {'gone'}:
            t.ok(re.fullmatch(r'\d+ 100', a), f'numbers of two processes: {a}')


@test(modes='root', limit=60)
def an_outer_number_that_is_used_again(t):
    """Our own PID namespace is a box in which one number is used again and again, by processes inside an inner box and outside of it."""
    inner = t.write('churn', '#!/bin/sh\nwhile :; do echo 199 >/proc/sys/kernel/ns_last_pid; unshare -fp true; done\n', 0o755)
    script = f'{inner} & sleep 1 & i=0; while [ $i -lt 4000 ]; do echo 200; echo 201; i=$((i+1)); done | {t.pidbox} pid -'
    r = t.box('--proc', 'fresh', '--', '/bin/sh', '-c', script, timeout=40)
    for a in set(r.out.splitlines()) - {'gone'}:
        t.ok(re.fullmatch(r'20[01]( 1)?', a), f'numbers of two processes: {a}')
    t.eq(len(r.out.splitlines()), 8000, 'answers')


@contextlib.contextmanager
def container(t, cid, path='docker/{}'):
    """A cgroup such as docker makes, with a PID namespace in it: its PID 1. path: what it is called."""
    top = next((d for d in ('/sys/fs/cgroup/systemd', '/sys/fs/cgroup/pids', '/sys/fs/cgroup') if os.access(f'{d}/cgroup.procs', os.W_OK)), None)
    if not top:
        t.skip('no cgroup that we may divide')
    group = f'{top}/{path.format(cid)}'
    above = os.path.dirname(group)
    had = os.path.isdir(above)
    os.makedirs(group)
    try:
        init, p = foreign(t)
        open(f'{group}/cgroup.procs', 'w').write(str(init))
        yield init
    finally:
        p.kill()
        p.wait()
        until(lambda: not open(f'{group}/cgroup.procs').read())
        os.rmdir(group)
        if not had:
            os.rmdir(above)


@test(modes='root', limit=60, serial=True)  # they share a folder
def containers(t):
    """A process tells its container; a container is named by the beginning of its id, in any letters, when there is one that begins so."""
    tag = f'{os.getpid():08x}'
    one, two = (f'{tag}{c * 56}' for c in 'ab')
    with container(t, one) as init, container(t, two) as other:
        r = t.good(pid(t, str(init), '--json'))
        t.eq(json.loads(r.out)['container_id'], one, 'container')
        t.eq(t.good(pid(t, str(init))).out.split()[-1], f'id:{one}', 'container in words')
        t.good(pid(t, f'id:{one[:9]}/1', '--to', str(os.getpid())), out=f'{init}\n')
        t.good(pid(t, f'id:{two[:9].upper()}/1', '--to', str(os.getpid())), out=f'{other}\n')
        t.error(pid(t, f'id:{tag}/1'), 'NO_SUCH_BOX', has=(one, two))
        t.error(pid(t, f'id:{one[:-1]}c/1'), 'NO_SUCH_BOX')


@test(modes='root', limit=60, serial=True)  # they share a folder
def a_container_that_is_not_it(t):
    """Who may make a cgroup may call it as he likes: of two that call themselves the same none is taken for the other."""
    cid = f'{os.getpid():08x}{"a" * 56}'
    for true, false in (('docker/{}', 'user.d/docker-{}.scope'), ('user.d/docker-{}.scope', 'docker/{}')):
        with container(t, cid, true) as init, container(t, cid, false) as other:
            t.error(pid(t, f'id:{cid}/1'), 'NO_SUCH_BOX', has=(f'ns:{inode(init)}', f'ns:{inode(other)}'))
            t.error(t.run([t.pidbox, 'kill', '--grace', '0', f'id:{cid[:12]}']), 'NO_SUCH_BOX', has='PID namespaces')
            t.ok(os.path.exists(f'/proc/{init}/exe') and os.path.exists(f'/proc/{other}/exe'), 'both live')
            t.good(pid(t, f'ns:{inode(init)}/1', '--to', str(os.getpid())), out=f'{init}\n')


@test(modes='user,userns')
def not_ours_to_see(t):
    """Another user's process: its numbers may be seen, its namespaces not; never a guess."""
    r = pid(t, '1', '--json')
    if r.code == 0:
        t.eq(json.loads(r.out)['levels'], [{'pid_namespace': inode('self'), 'pid': 1}], 'PID 1 has one number')


@test
def standard_input_is_closed(t):
    """read(2): EBADF, and nothing that pidbox has opened itself is read instead."""
    for options in '', '--json':
        r = t.run(['/bin/sh', '-c', f'"$0" pid {options} - <&-', t.pidbox])
        t.error(r, has=['reading standard input', 'Bad file descriptor'])
