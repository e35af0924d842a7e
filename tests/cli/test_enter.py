# SPDX-License-Identifier: MIT
"""pidbox exec into namespaces that others have made: by setns(2). The command is what a child of the process would be."""
from support import *

READY = 'echo up; exec sleep 300'
CREDS = ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')
BIND = ('--dev-bind', '/', '/', '--proc', '/proc')
WORLDS = {
    'unshare': ('unshare', '-fp', '--mount-proc'),
    'unshare with a user': ('unshare', '-Urpf', '--mount-proc'),
    'users in users': ('unshare', '-Ur', 'unshare', '-Urpf', '--mount-proc'),
    'a user without ids': ('unshare', '-U'),
    'the PID namespace alone': ('unshare', '-Urpf'),
    'everything': ('unshare', '-UrpfmuinC', '--mount-proc'),
    'a time namespace': ('unshare', '-UrpfT', '--mount-proc', '--monotonic', '1000'),
    'bwrap': ('bwrap', '--unshare-all', *BIND),
    'bwrap with a nested user namespace': ('bwrap', '--unshare-all', *BIND, '--dev', '/dev'),  # util-linux#1592
    'bwrap with capabilities': ('bwrap', '--unshare-user', '--unshare-pid', '--cap-add', 'CAP_SYS_ADMIN', *BIND),
    'bwrap with another user': ('bwrap', '--unshare-user', '--unshare-pid', '--uid', '77', '--gid', '78', *BIND),
    'pidbox as PID 1': ('pidbox', 'run', '--as-pid1', '--'),
    'pidbox as PID 1 with a name': ('pidbox', 'run', '--as-pid1', '--name', 'enter-me', '--'),
    'pidbox with root inside': ('pidbox', 'run', '--as-pid1', '--map', 'root', '--'),
}


def status(pid):
    with open(f'/proc/{pid}/status') as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)


def spaces(pid):
    return {k: ns(k, pid) for k in os.listdir(f'/proc/{pid}/ns') if not k.endswith('for_children')}


def deepest(pid):
    while kids := children(pid):
        pid = kids[0]
    return pid


def settled(pid):
    """In the middle of its exec a process shows nothing of itself."""
    until(lambda: comm(pid) not in ('(no arguments)', 'sh -c ' + READY))
    return pid


def world(t, *argv, script=READY, **kw):
    """Start a box of somebody's; the PID of the process in it, and what was started."""
    if not shutil.which(argv[0], path=t.env['PATH']):
        t.skip(f'no {argv[0]} here')
    kw.setdefault('env', {**t.env, 'BOX_MARK': 'of the box'})
    p = t.start([*argv, 'sh', '-c', script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if Lines(p.stdout).line() != 'up':
        t.skip(f'{argv[0]} does not work here: {short(text(p.stderr.read()))}')
    t.cleanups.append(lambda: end(p))
    return settled(deepest(p.pid)), p


def end(p):
    for pid, _ in descendants(p.pid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def dead(pid):
    """Gone, or a zombie that somebody else has to reap."""
    with contextlib.suppress(OSError):
        return status(pid)['State'][0] == 'Z'
    return True


def user_args(t):
    """What makes a PID namespace for anybody."""
    return ('unshare', '-pf', '--mount-proc') if t.mode == 'root' else ('unshare', '-Urpf', '--mount-proc')


def execute(t, *args, **kw):
    return t.run([t.pidbox, 'exec', *map(str, args)], **kw)


def start_exec(t, *args, under=(), **kw):
    """In the background: the front, and the outer PID of the command, which has said a line."""
    p = t.start([*under, t.pidbox, 'exec', *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    p.out, p.err = Lines(p.stdout), Lines(p.stderr)
    if p.out.line() != 'up':
        t.fail(f'the command did not start: {p.err.rest()}')
    helper = children(p.pid)[0]
    return p, helper, settled(children(helper)[0])


@each(WORLDS)
def as_its_child(t, *argv):
    """Namespaces, root, directory, ids, capabilities: all are those of the process that is addressed."""
    pid, _ = world(t, *argv, cwd='/usr')
    front, _, command = start_exec(t, pid, 'sh', '-c', READY)
    t.eq(spaces(command), spaces(pid), 'namespaces')
    mine, its = status(command), status(pid)
    for key in CREDS:
        t.eq(mine[key].split(), its[key].split(), key)
    for link in 'root', 'cwd':
        t.eq(os.readlink(f'/proc/{command}/{link}'), os.readlink(f'/proc/{pid}/{link}'), link)
    t.eq(len(mine['NSpid'].split()), len(its['NSpid'].split()), 'how many PIDs it has')
    with open(f'/proc/{command}/environ') as f:
        t.ok('BOX_MARK=of the box' in f.read().split('\0'), 'the environment is not the box\'s')
    front.kill()
    front.wait()
    t.ok(until(lambda: dead(command)), 'the command outlives its front')


@each({f'{name}, {error}': (error, *world) for error in ('EPERM', 'ENOSYS', '22') for name, world in WORLDS.items()
       if error == 'EPERM' or 'user' in name})
def one_by_one(t, error, *argv):
    """A seccomp filter that knows setns(2) as it was before Linux 5.8: one namespace at a time, by its descriptor."""
    pid, _ = world(t, *argv, cwd='/usr')
    front, _, command = start_exec(t, pid, 'sh', '-c', READY, under=('deny', error, 'setns-many', '--'))
    t.eq(spaces(command), spaces(pid), 'namespaces')
    mine, its = status(command), status(pid)
    for key in CREDS[:-1]:  # the filter takes no_new_privs
        t.eq(mine[key].split(), its[key].split(), key)
    for link in 'root', 'cwd':
        t.eq(os.readlink(f'/proc/{command}/{link}'), os.readlink(f'/proc/{pid}/{link}'), link)
    front.kill()


@test
def setns_is_refused(t):
    """All of it: an error, not a command that is somewhere else."""
    pid, _ = world(t, *user_args(t))
    r = t.run(['deny', 'EPERM', 'setns', '--', t.pidbox, 'exec', str(pid), 'echo', 'ran'])
    t.error(r, 'DENIED', has='seccomp')


@test
def inside(t):
    pid, _ = world(t, *user_args(t))
    script = 'echo $$ $PPID; ps ax -o pid= | wc -l; [ -t 0 ] || echo no terminal'
    r = t.good(execute(t, pid, 'sh', '-c', script))
    t.eq(r.out.split('\n')[0], '2 0', 'its PID and its parent inside')
    t.eq(r.out.split('\n')[2], 'no terminal', 'standard input')
    t.ok(2 < int(r.out.split('\n')[1]) < 8, f'ps shows what is inside: {r.out}')
    t.good(execute(t, pid, 'cat', input='through\n'), out='through\n')


@test
def terminal(t):
    """One of its own, opened outside, whatever the box has in /dev."""
    pid, _ = world(t, *user_args(t))
    r = t.good(execute(t, '-t', pid, 'sh', '-c', 'tty >/dev/null; test -t 0 && test -t 1 && ps -o tty= -p $$ && stty size </dev/tty'), err=None)
    t.ok('?' not in r.out and r.out.split(), f'no controlling terminal: {r.out}')


@test
def statuses(t):
    pid, _ = world(t, *user_args(t))
    t.good(execute(t, pid, 'sh', '-c', 'exit 7'), 7)
    t.eq(execute(t, pid, 'sh', '-c', 'kill -TERM $$').code, -signal.SIGTERM, 'it died of a signal')
    t.eq(execute(t, '--timeout', '0.2', pid, 'sleep', '300').code, 124, 'time limit')
    t.error(execute(t, pid, 'no-such-command'), 'NOT_FOUND', 127)
    t.error(execute(t, '-C', '/no/such', pid, 'true'), 'NOT_FOUND')
    t.error(execute(t, '--user', 'nobody-knows-him', pid, 'true'), 'NOT_FOUND')
    t.good(execute(t, '-C', '/usr', '-e', 'A=b', pid, 'sh', '-c', 'pwd; echo $A'), out='/usr\nb\n')
    os.kill(pid, 0)


@test
def without_proc_and_shell(t):
    lib = [x for d in ('/lib', '/lib64') if os.path.isdir(d) for x in ('--ro-bind', d, d)]
    box = ('bwrap', '--unshare-user', '--unshare-pid', '--tmpfs', '/', '--ro-bind', shutil.which('sleep') or '', '/sleep', *lib)
    p = t.start([*box, '/sleep', '300'], stderr=subprocess.PIPE)
    t.cleanups.append(lambda: end(p))
    pid = until(lambda: (d := deepest(p.pid)) != p.pid and comm(d) == '/sleep 300' and d)
    if not pid:
        t.skip('bwrap does not work here')
    t.error(execute(t, pid), 'NOT_FOUND', 127)
    t.error(execute(t, pid, '/bin/sh'), 'NOT_FOUND', 127)
    t.good(execute(t, pid, '/sleep', '0'))


@test
def only(t):
    pid, _ = world(t, 'unshare', '-Urpfmnu')
    front, _, command = start_exec(t, '--only', 'user,net,pid', pid, 'sh', '-c', READY)
    own, its, mine = spaces('self'), spaces(pid), spaces(command)
    for kind in mine:
        want = its if kind in ('user', 'net', 'pid') else own
        t.eq(mine[kind], want[kind], kind)
    with open(f'/proc/{command}/environ') as f:
        t.ok('BOX_MARK' not in f.read(), 'the environment is the box\'s')
    t.eq(os.readlink(f'/proc/{command}/cwd'), t.tmp, 'directory')
    front.kill()
    r = execute(t, '--only', 'net', pid, 'readlink', '/proc/self/ns/net')
    if t.mode == 'user':
        t.error(r, 'DENIED', has='--only')
    else:
        t.good(r, out=its['net'] + '\n')
    t.error(execute(t, '--only', 'nets', pid, 'true'), 'USAGE')


@test
def unshare_itself(t):
    """R3: the process that called unshare is outside of the PID namespace that its children are in (util-linux#1510)."""
    pid, p = world(t, *user_args(t))
    t.ok(pid != p.pid and ns('pid', p.pid) == ns('pid'), 'unshare is outside')
    t.good(execute(t, p.pid, 'readlink', '/proc/self/ns/pid'), out=ns('pid', pid) + '\n')


@test
def end_of_pid_1(t):
    """R9: its children's PID namespace has lost PID 1. And what is not there at all."""
    args = ('unshare', '-p') if t.mode == 'root' else ('unshare', '-Urp')
    pid, _ = world(t, *args, script='sleep 0 & wait; echo up; exec sleep 300')
    t.error(execute(t, pid, 'true'), 'BOX_DEAD', has='R9')
    t.error(execute(t, 0x7fffffff, 'true'), 'NO_SUCH_BOX')


@test(modes='user')
def denied(t):
    t.error(execute(t, 1, 'true'), 'DENIED')


@test(modes='root')
def root_that_lacks_a_capability(t):
    """ptrace(2), setns(2): who is root already is told what he lacks, not to become root."""
    pid, _ = world(t, 'unshare', '-pf', '--mount-proc')
    for name in 'SYS_PTRACE', 'SYS_ADMIN':
        r = t.run(['setpriv', '--bounding-set', f'-{name.lower()}', t.pidbox, 'exec', str(pid), 'true'])
        t.error(r, 'DENIED', has=f'this root lacks CAP_{name}')
        t.ok('run pidbox as root,' not in r.err and 'run pidbox as root (' not in r.err, r.err)


@test(modes='root')
def other_users_box(t):
    """Root takes the ids of the process outside: inside they may have no number, and it must not be root to files."""
    as_user = ('setpriv', '--reuid', '54322', '--regid', '54322', '--clear-groups')
    pid, _ = world(t, *as_user, 'unshare', '-U')
    front, _, command = start_exec(t, pid, 'sh', '-c', READY)
    t.eq(status(command)['Uid'].split(), ['54322'] * 4, 'ids as the machine sees them')
    front.kill()
    pid, _ = world(t, *as_user, 'unshare', '-Urpf', '--mount-proc')
    t.good(execute(t, pid, 'id', '-u'), out='0\n')
    t.good(execute(t, '--user', '0', pid, 'id', '-u'), out='0\n')
    t.error(execute(t, '--user', '5', pid, 'id', '-u'), 'IDMAP')
    t.error(t.run(['setpriv', '--reuid', '54323', '--clear-groups', t.pidbox, 'exec', str(pid), 'true']), 'DENIED')


@test(modes='root')
def another_user(t):
    pid, _ = world(t, 'unshare', '-pf', '--mount-proc')
    r = t.good(execute(t, '--user', '33:44', pid, 'sh', '-c', 'id -u; id -g; grep CapEff /proc/self/status'))
    t.eq(r.out.split(), ['33', '44', 'CapEff:', '0' * 16], 'ids and capabilities')
    pid, _ = world(t, 'unshare', '-pf', '--mount-proc', 'setpriv', '--reuid', '33', '--regid', '44', '--groups', '45',
                   '--bounding-set', '-sys_admin', '--no-new-privs')
    r = t.good(execute(t, pid, 'sh', '-c', 'id -u; id -g; id -G'))
    t.eq(r.out, '33\n44\n44 45\n', 'the ids of the process')
    r = t.good(execute(t, '--user', '0', pid, 'grep', 'CapEff', '/proc/self/status'))
    t.eq(int(r.out.split()[1], 16), 0, 'root, but by no_new_privs without what the process has not')


@test
def chrooted(t):
    """A process may have another root than its mount namespace."""
    os.mkdir(root := t.path('root'))
    args = ('unshare', '-pfm') if t.mode == 'root' else ('unshare', '-Urpfm')
    pid, _ = world(t, *args, 'sh', '-c', f'mount --rbind / {root} && cd / && exec chroot {root} "$@"', 'sh', script=READY)
    front, _, command = start_exec(t, pid, 'sh', '-c', READY)
    t.eq(os.readlink(f'/proc/{pid}/root'), root, 'root of the process')
    t.eq(os.readlink(f'/proc/{command}/root'), root, 'root of the command')
    front.kill()


@test
def three_deep(t):
    one = user_args(t)
    pid, _ = world(t, *one, *one, *one)
    r = t.good(execute(t, pid, 'grep', 'NSpid', '/proc/self/status'))
    t.eq(len(r.out.split()), 2, 'seen from inside, it has one PID')
    front, _, command = start_exec(t, pid, 'sh', '-c', READY)
    t.eq(len(status(command)['NSpid'].split()), 4 + (len(status('self')['NSpid'].split()) - 1), 'outside it has one a level')
    front.kill()


# ---------------------------------------------------------------- how it ends

JOBS = 'sleep 301 & sleep 302 & echo up; wait'


@test
def front_killed(t):
    """Whenever that is: nothing of the command is left, nor the helper."""
    pid, _ = world(t, *user_args(t))
    front, helper, command = start_exec(t, pid, 'sh', '-c', JOBS)
    front.kill()
    front.wait()
    t.ok(until(lambda: dead(helper)), 'the helper is left')
    t.ok(until(lambda: not inside_of(pid)), f'left inside: {inside_of(pid)}')
    for i in range(40):  # at any time of the start
        p = t.start([t.pidbox, 'exec', str(pid), 'sleep', '303'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: False, i * 0.0005, 0.0002)
        p.kill()
        p.wait()
    t.ok(until(lambda: not inside_of(pid)), f'left inside: {inside_of(pid)}')


def inside_of(pid):
    """What else lives in its PID namespace. (A PID 1 that does not reap has zombies.)"""
    out = []
    for p in proc_table():
        with contextlib.suppress(OSError):
            if ns('pid', p) == ns('pid', pid) and p != pid and not dead(p):
                out.append((p, comm(p)))
    return out


@test
def box_killed(t):
    """R8: the box's end is not held up by what has entered it, though the front is stopped."""
    pid, p = world(t, *user_args(t))
    front, _, command = start_exec(t, pid, 'sh', '-c', JOBS)
    front.send_signal(signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    t.finish(p)
    t.ok(until(lambda: dead(command)), 'the command is left')
    front.send_signal(signal.SIGCONT)
    t.eq(t.finish(front), -signal.SIGKILL, 'status of the front')


@test
def helper_stopped_or_killed(t):
    pid, _ = world(t, *user_args(t))
    front, helper, command = start_exec(t, pid, 'sh', '-c', READY)
    os.kill(helper, signal.SIGSTOP)
    front.kill()
    front.wait()
    t.ok(until(lambda: dead(command)), 'a stopped helper does not wake when its front has ended')
    front, helper, command = start_exec(t, pid, 'sh', '-c', READY)
    os.kill(helper, signal.SIGKILL)
    t.ok(t.finish(front) != 0, 'the front ends well without its helper')
    said = front.err.rest()  # nothing; it may not know yet that the command has begun
    t.ok(said == '' or 'killed pidbox\'s own process' in said, f'the box has not ended: {said}')
    t.ok(until(lambda: dead(command)), 'the command outlives the helper')


@test
def signals(t):
    """The front's signals go to the command."""
    pid, _ = world(t, *user_args(t))
    front, _, command = start_exec(t, pid, 'sh', '-c', 'trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.1; done')
    front.send_signal(signal.SIGTERM)
    t.eq(t.finish(front), 3, 'status')
    t.eq(front.out.rest(), 'got\n', 'output')


# ---------------------------------------------------------------- cgroups

def own_cgroup(t):
    """A new cgroup of our own: version 2 where it can be written, else the pids hierarchy."""
    for top in '/sys/fs/cgroup/unified', '/sys/fs/cgroup', '/sys/fs/cgroup/pids':
        path = f'{top}/pidbox-test-{os.getpid()}'
        if os.path.exists(f'{top}/cgroup.procs'):
            with contextlib.suppress(OSError):
                os.mkdir(path)
                t.cleanups.append(lambda: until(lambda: not gone(path)))
                return path
    t.skip('no cgroup can be made here')


def gone(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return os.path.exists(path)


@test(modes='root')
def cgroup(t):
    path = own_cgroup(t)
    enter = f'echo 0 > {path}/cgroup.procs; '
    pid, p = world(t, 'unshare', '-pf', '--mount-proc', script=enter + READY)
    front, helper, command = start_exec(t, pid, 'sh', '-c', READY)
    name = os.path.basename(path)
    read = lambda x: [c for c in open(f'/proc/{x}/cgroup').read().split('\n') if name in c]  # noqa: E731
    t.ok(read(pid) != [], 'the process is in the cgroup')
    t.eq(read(command), read(pid), 'cgroup of the command')
    t.eq(read(helper), [], 'cgroup of the helper')
    front.kill()
    front.wait()
    t.good(execute(t, '--only', 'pid', pid, 'grep', '-c', name, '/proc/self/cgroup'), 1, out='0\n')
    os.kill(pid, signal.SIGKILL)
    t.finish(p)


@test(modes='root')
def cgroup_of_another(t):
    """An ordinary user may not join it: that is said, once, and the command runs all the same."""
    path = own_cgroup(t)
    as_user = ('setpriv', '--reuid', '54322', '--regid', '54322', '--clear-groups')
    pid, p = world(t, *as_user, 'unshare', '-Urpf', '--mount-proc')
    with open(f'{path}/cgroup.procs', 'w') as f:
        f.write(str(pid))
    r = t.good(t.run([*as_user, t.pidbox, 'exec', str(pid), 'echo', 'done']), out='done\n', err=None)
    t.ok(re.fullmatch(r'pidbox: note: .*cgroup.*: Permission denied\n', r.err), f'standard error: {r.err}')
    os.kill(pid, signal.SIGKILL)
    t.finish(p)
