# SPDX-License-Identifier: MIT
"""Containers that an OCI runtime has made (crun, and podman by way of it): every verb works on them from outside.

Each is in a cgroup of its own below the test's, which is where the name of the container comes from; neither image nor
network is needed: the root is the host's programs, bound read-only."""
from support import *
import tempfile
import test_ls

HOST = [d for d in ('/bin', '/sbin', '/lib', '/lib64', '/usr', '/etc') if os.path.isdir(d)]
# Ends by itself, as PID 1, when it is asked to: the status is then its own.
SCRIPT = 'trap "exit 7" TERM; echo up; sleep 1000 & while :; do wait; done'


def unified():
    """Where the cgroup of this process is in a hierarchy of cgroup v2 that it may divide; else why not."""
    own = next((line[3:].rstrip('\n') for line in open('/proc/self/cgroup') if line.startswith('0::/')), None)
    for line in open('/proc/self/mountinfo'):
        fields = line.split()
        if own and fields[fields.index('-') + 1] == 'cgroup2' and fields[3] == '/':
            group = fields[4] + own.rstrip('/')
            return (group, None) if os.access(f'{group}/cgroup.procs', os.W_OK) else (None, f'{group} is read-only')
    return None, 'no cgroup v2 is mounted'


def group_of_our_own(t):
    """A cgroup below ours, removed after the test with those that the runtime has made in it."""
    top, why_not = unified()
    if not top:
        t.skip(why_not)
    group = f'{top}/pidbox-test-{os.getpid()}'
    os.mkdir(group)

    def members():
        for d, _, _ in os.walk(group):
            with contextlib.suppress(OSError):  # the runtime removes its own at the end
                yield from (int(n) for n in open(f'{d}/cgroup.procs'))

    def remove():
        for pid in members():  # after a failure
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not list(members()), 10)
        for d, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(d)
    t.cleanups.append(remove)
    return group


def in_group(group, *argv):
    """A command in there that takes it for the root of all cgroups: what it makes is below it and nowhere else. What it
    mounts goes with it."""
    script = 'echo 0 >"$0/cgroup.procs" && exec unshare -Cm --propagation private sh -c \'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"\' sh "$@"'
    return ['sh', '-c', script, group, *argv]


def root_for(t, folder):
    for d in HOST + ['/proc', '/tmp', '/dev', '/sys']:
        os.makedirs(f'{folder}{d}')
    return folder


def config(name, path, args, mounts):
    """As little as the specification asks for: no limits and no devices, which need privileges that containers in CI lack."""
    bind = [{'destination': d, 'type': 'bind', 'source': os.path.realpath(d), 'options': ['rbind', 'ro']} for d in HOST]
    return {
        'ociVersion': '1.0.2', 'hostname': name,
        'process': {'terminal': False, 'user': {'uid': 0, 'gid': 0}, 'args': args, 'cwd': '/', 'env': ['PATH=/usr/bin:/bin', 'IN=oci']},
        'root': {'path': 'rootfs'},
        'mounts': [{'destination': '/proc', 'type': 'proc', 'source': 'proc'}, *bind, *mounts],
        'linux': {'cgroupsPath': path, 'namespaces': [{'type': k} for k in ('pid', 'mount', 'uts', 'ipc')]},
    }


def crun(t, path, args=('sh', '-c', SCRIPT), mounts=()):
    """A container of crun's: its front, and its PID 1."""
    runtime = shutil.which('crun') or shutil.which('runc')
    if not runtime:
        t.skip('neither crun nor runc is installed')
    group = group_of_our_own(t)
    bundle, state, name = t.path('bundle'), t.path('state'), f'pidbox-test-{os.getpid()}'
    root_for(t, f'{bundle}/rootfs')
    with open(f'{bundle}/config.json', 'w') as f:
        json.dump(config(name, path, list(args), mounts), f)
    p = t.start(in_group(group, runtime, '--root', state, 'run', '--bundle', bundle, '--pid-file', f'{bundle}/pid', name),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.out = Lines(p.stdout)
    try:
        up = p.out.line(20)
    except Fail:
        up = None
    if up != 'up':
        p.kill()
        t.skip(f'{os.path.basename(runtime)} cannot run here: {short(text(p.stderr.read()))}')
    pid = until(lambda: os.path.exists(f'{bundle}/pid') and open(f'{bundle}/pid').read(), 10)  # when the command runs already
    return p, int(pid)


def works(t, init, cid, runtime, hostname):
    """Every verb that looks, and exec; by PID, and where it has one by the container's id."""
    t.ok(until(lambda: [comm(c) for c in children(init)] == ['sleep 1000'], 10), 'it is up')
    mine = [init, *children(init)]
    b = test_ls.row(t, test_ls.ls(t), init)
    t.eq((b['pid_namespace'], b['parent'], b['depth'], b['process_count'], b['pidbox'], b['status']),
         (test_ls.inode('pid', init), test_ls.inode('pid'), 1, 2, False, 'running'), 'ls: the namespace')
    t.eq((b['container_id'], b['runtime'], b['pod_uid'], b['command']), (cid, runtime, None, ['sh', '-c', SCRIPT]), 'ls: the container')
    line, = [x for x in t.good(t.run([t.pidbox, 'ls']), err=None).out.splitlines() if f' {b["id"]} ' in x]
    t.ok((f' {runtime or "id"}:{cid[:12]} ' if cid else ' -  ') in line, f'ls for people: {line!r}')
    for box in [str(init), b['id'], *([f'id:{cid[:14]}'] if cid else [])]:
        with t.case(box):
            got = json.loads(t.good(t.run([t.pidbox, 'tree', '--json', box])).out)
            t.eq([(q['pid'], q['inside_pid'], q['parent_inside_pid']) for q in got['processes']],
                 [(mine[0], 1, 0), (mine[1], int(nspid(mine[1])[-1]), 1)], 'tree')
            t.eq((got['id'], got['children']), (b['id'], []), 'the box, and nothing in it')
            ps = json.loads(t.good(t.run([t.pidbox, 'ps', '--json', box])).out)['processes']
            t.eq([(q['pid'], q['command']) for q in ps], [(mine[0], ['sh', '-c', SCRIPT]), (mine[1], ['sleep', '1000'])], 'ps')
            t.eq(t.good(t.run([t.pidbox, 'pid', f'{box}/1', '--to', str(os.getpid())])).out, f'{init}\n', 'pid')
            levels = json.loads(t.good(t.run([t.pidbox, 'pid', '--json', f'{box}/{nspid(mine[1])[-1]}'])).out)
            t.eq(([x['pid'] for x in levels['levels'] or []], levels['container_id']), ([int(n) for n in nspid(mine[1])], cid), 'pid: every number')
            # It is in every namespace, under the same root, and in the same cgroup as the container.
            r = t.good(t.run([t.pidbox, 'exec', box, '--', 'sh', '-c', 'hostname; for k in pid mnt uts ipc net user cgroup; do readlink /proc/self/ns/$k; done; cat /proc/self/cgroup; ls /']))
            words = r.out.split()
            t.eq(words[0], hostname, 'exec: the name of the host')
            t.eq(words[1:8], [os.readlink(f'/proc/{init}/ns/{k}') for k in ('pid', 'mnt', 'uts', 'ipc', 'net', 'user', 'cgroup')], 'exec: namespaces')
            t.ok(set(os.path.basename(d) for d in HOST) <= set(words[8:]) and 'home' not in words[8:], f'exec: the root: {words[8:]}')
            t.ok(cid is None or any(x.startswith('0::/') and cid in x for x in words), f'exec: the cgroup: {words}')
            t.good(t.run([t.pidbox, 'exec', box, '--', 'sh', '-c', 'exit 9']), code=9)
    t.eq(children(init), mine[1:], 'nothing is left of what was executed')


def nspid(pid):
    return re.search(r'^NSpid:\s+(.*)$', open(f'/proc/{pid}/status').read(), re.M)[1].split()


def holds_pidfd(pid):
    for n in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):  # it opens and closes others
            if re.match(r'pidfd:|anon_inode:\[pidfd\]$', os.readlink(f'/proc/{pid}/fd/{n}')):
                return True
    return False


def ends(t, init, args, want):
    """kill, and wait: what PID 1 of the container has ended with, where the kernel tells (6.15)."""
    w = t.start([t.pidbox, 'wait', str(init)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    t.ok(until(lambda: holds_pidfd(w.pid), 10), 'it waits')
    t.good(t.run([t.pidbox, 'kill', *args, str(init)], timeout=30), err=None)
    t.eq(t.finish(w), want if kernel() >= (6, 15) else 125, 'status of wait')


PATHS = {
    'podman': ('/libpod_parent/libpod-{}', 'podman'),
    'docker': ('/docker/{}', 'docker'),
    'containerd': ('/default/{}', 'containerd'),
    'docker of systemd': ('/system.slice/docker-{}.scope', 'docker'),
    'of nobody': ('/elsewhere/{}', None),
}


@each(PATHS, modes='root', limit=90)
def a_container(t, path, runtime):
    cid = f'{os.getpid():08x}' + 'c0ffee' * 9 + '01'
    p, init = crun(t, path.format(cid))
    works(t, init, cid, runtime, f'pidbox-test-{os.getpid()}')
    ends(t, init, [], 7)
    t.eq(t.finish(p), 7, 'crun says the same')


@test(modes='root', limit=90)
def killed(t):
    """A signal to PID 1, and a process of it alone."""
    cid = f'{os.getpid():08x}' + 'deadbeef' * 7
    p, init = crun(t, f'/libpod_parent/libpod-{cid}')
    child, = until(lambda: children(init))
    t.good(t.run([t.pidbox, 'kill', '-KILL', f'id:{cid[:12]}/{nspid(child)[-1]}']))
    t.ok(until(lambda: not os.path.exists(f'/proc/{child}') or child not in children(init), 10), 'the process has ended')
    t.ok(os.path.exists(f'/proc/{init}'), 'the container has not')
    ends(t, init, ['-KILL'], -9)
    t.eq(t.finish(p), 137, 'crun says the same')


# ------------------------------------------------------------ podman

def settings(t, more=''):
    """A cgroup, a folder for all that podman keeps with its settings, and the head of its command line. Nothing is where podman keeps its own."""
    if not shutil.which('podman') or not shutil.which('crun'):
        t.skip('podman and crun are not installed')
    group = group_of_our_own(t)
    top = tempfile.mkdtemp(prefix='pb-', dir='/tmp')  # podman takes no long names
    with open(f'{top}/containers.conf', 'w') as f:
        f.write('[containers]\ndefault_ulimits = []\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n' +
                (more.format(top) or 'runtime = "crun"\n'))
    return group, top, ['podman', '--root', f'{top}/root', '--runroot', f'{top}/run', '--tmpdir', f'{top}/tmp', '--storage-driver', 'vfs']


@contextlib.contextmanager
def engine(t):
    """How to ask podman."""
    group, top, base = settings(t)
    env = {**t.env, 'CONTAINERS_CONF': f'{top}/containers.conf'}
    try:
        yield lambda *args: t.run(in_group(group, *base, *args), env=env, timeout=60)
    finally:
        until(lambda: not t.left(), 10)
        shutil.rmtree(top, ignore_errors=True)


# crun, for containers that ask for no limits and no devices, as config() has it.
PLAIN = """#!/usr/bin/env python3
import json, os, sys
for option, bundle in zip(sys.argv, sys.argv[1:]):
    if option == '--bundle':
        with open(f'{bundle}/config.json') as f:
            config = json.load(f)
        config['linux'].pop('resources', None)
        with open(f'{bundle}/config.json', 'w') as f:
            json.dump(config, f)
os.execvp('crun', ['crun', *sys.argv[1:]])
"""
# podman, with what it needs here and no reader of a lesson would type. That its own part is in no cgroup apart is a warning.
READER = """#!/bin/sh
export CONTAINERS_CONF={top}/containers.conf
case $1 in
run) shift; set -- run --ulimit host --network host --security-opt seccomp=unconfined --log-driver none "$@" ;;
esac
exec {podman} --log-level error "$@"
"""


def reader(t):
    """The world of who reads about podman and types it: the head of a command line."""
    busybox = shutil.which('busybox') or t.skip('busybox is not installed')
    group, top, base = settings(t, 'runtime = "plain"\n[engine.runtimes]\nplain = ["{}/plain"]\n')
    os.mkdir(f'{top}/bin')
    for name, script in ('plain', PLAIN), ('bin/podman', READER.format(top=top, podman=' '.join([shutil.which('podman'), *base[1:]]))):
        with open(f'{top}/{name}', 'w') as f:
            f.write(script)
        os.chmod(f'{top}/{name}', 0o755)
    head = in_group(group, 'env', f'PATH={top}/bin:{t.env["PATH"]}')

    def remove():
        t.run([*head, 'podman', 'rm', '-a', '-f', '-t', '0'], timeout=60)
        until(lambda: not t.left(), 10)
        shutil.rmtree(top, ignore_errors=True)
    t.cleanups.append(remove)
    os.makedirs(t.path('tried/bin'))
    shutil.copy(busybox, t.path('tried/bin'))
    r = t.run([*head, 'podman', 'run', '--rm', '--rootfs', t.path('tried'), 'busybox', 'echo', 'it runs'], timeout=60)
    if r.out != 'it runs\n':
        t.skip(f'podman cannot run here: {short(r.err)}')
    return head


@contextlib.contextmanager
def podman(t, *options, script=SCRIPT):
    """A container of podman's own: PID 1, its id, the runtime as its cgroup tells it, its name, and how to ask podman."""
    name = f'pidbox-test-{os.getpid()}'
    bind = [x for d in HOST for x in ('-v', f'{os.path.realpath(d)}:{d}:ro')]
    with engine(t) as ask:
        root = root_for(t, t.path('rootfs'))
        try:
            for cgroups in 'enabled', 'disabled':  # the first takes the right to raise limits
                r = ask('run', '-d', '--name', name, '--hostname', name, '--ulimit', 'host', '--cgroups', cgroups, '--network', 'host',
                        '--security-opt', 'seccomp=unconfined', '--log-driver', 'none', '--stop-timeout', '0', *options, *bind, '--rootfs', root, 'sh', '-c', script)
                if r.code == 0:
                    break
                ask('rm', '-f', '-t', '0', name)
            else:
                t.skip(f'podman cannot run here: {short(r.err)}')
            cid = r.out.strip()
            init = int(t.good(ask('inspect', '--format', '{{.State.Pid}}', name), err=None).out)
            yield init, *((cid, 'podman') if cgroups == 'enabled' else (None, None)), name, ask
        finally:
            ask('rm', '-f', '-t', '0', name)


@test(modes='root', limit=200)
def of_podman(t):
    with podman(t) as (init, cid, runtime, name, _):
        works(t, init, cid, runtime, name)
        ends(t, init, [], 7)
