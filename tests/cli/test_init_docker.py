# SPDX-License-Identifier: MIT
"""pidbox-init under the engines themselves: dockerd with init-path, and as the ENTRYPOINT of an image of docker's and podman's.
dockerd is started only on a machine of tests/vm/run (--engines), which is nobody else's."""
from manners import *
import io, tarfile
import test_oci
from test_init_oci import SCRIPT, lives

APPLETS = 'cat', 'echo', 'sh', 'sleep'
ENTRYPOINT = 'ENTRYPOINT ["/pidbox-init", "--"]'


def image(t):
    """The root of a container as a tar: a static busybox, and pidbox-init."""
    busybox = shutil.which('busybox')
    if not busybox:
        t.skip('busybox is not installed')
    with tarfile.open(t.path('image.tar'), 'w') as tar:
        for name in 'bin', 'proc', 'sys', 'dev', 'tmp', 'etc':
            d = tarfile.TarInfo(name)
            d.type, d.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(d)
        for name in APPLETS:
            link = tarfile.TarInfo(f'bin/{name}')
            link.type, link.linkname = tarfile.SYMTYPE, 'busybox'
            tar.addfile(link)
        for source, name in (os.path.realpath(busybox), 'bin/busybox'), (os.path.join(cfg.bin, 'pidbox-init'), 'pidbox-init'):
            with open(source, 'rb') as f:
                data = f.read()
            file = tarfile.TarInfo(name)
            file.mode, file.size = 0o755, len(data)
            tar.addfile(file, io.BytesIO(data))
    return t.path('image.tar')


@contextlib.contextmanager
def dockerd(t):
    """A daemon of our own, whose init-path is ours; how to ask it."""
    if not is_guest():
        t.skip('dockerd changes the whole machine, and this is none of tests/vm/run')
    if not shutil.which('dockerd') or not shutil.which('docker'):
        t.skip('docker is not installed')
    group, address = test_oci.group_of_our_own(t), f'unix://{t.path("sock")}'
    t.write('containerd.toml', 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    # dockerd waits for a containerd of its own for fifteen seconds, which is nothing on an emulated machine.
    daemons = [daemon(t, 'containerd', 'successfully booted', '--config', t.path('containerd.toml'), '--address', t.path('containerd.sock'),
                      '--root', t.path('containerd.root'), '--state', t.path('containerd.state'))]
    try:
        # No kernel modules are there: neither a bridge nor filters of packets, nor overlayfs.
        daemons.append(daemon(t, 'dockerd', 'API listen on', '-H', address, '--containerd', t.path('containerd.sock'), '--data-root', t.path('data'),
                              '--exec-root', t.path('exec'), '--pidfile', t.path('dockerd.pid'), '--storage-driver', 'vfs', '--bridge', 'none',
                              '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--exec-opt', 'native.cgroupdriver=cgroupfs',
                              '--cgroup-parent', f'/{os.path.basename(group)}', '--init-path', os.path.join(cfg.bin, 'pidbox-init')))
        yield lambda *args: t.run(['docker', '-H', address, *args], timeout=120)
    finally:
        for p in reversed(daemons):
            p.terminate()
            t.finish(p, 60)


def daemon(t, name, up, *args):
    """Started, and it has said that it is up. What it mounts goes with it."""
    said = lambda: open(t.path(f'{name}.log'), errors='replace').read()
    with open(t.path(f'{name}.log'), 'wb') as log:
        p = t.start(['unshare', '-m', '--propagation', 'private', name, *args], stdout=log, stderr=log)
    until(lambda: up in said() or p.poll() is not None, 60)
    if up not in said():
        t.fail(f'{name} does not start: {said()[-1500:]}')
    return p


def container(t, ask, argv, *args):
    """Detached, it adopts and reaps, and ends by itself when the engine asks it to."""
    name = f'pidbox-test-{os.getpid()}'
    try:
        r = ask('run', '-d', '--name', name, '--network', 'none', *args, *SH, SCRIPT)
        if r.code:
            t.fail(f'run -d: {r.err[-1000:]}')
        init = int(t.good(ask('inspect', '--format', '{{.State.Pid}}', name), err=None).out)
        lives(t, init, argv)
        t.good(ask('stop', '-t', str(round(60 * SLOWNESS)), name), err=None)
        # Whoever has not ended by then was killed, and that is 137.
        t.eq(t.good(ask('inspect', '--format', '{{.State.ExitCode}}', name), err=None).out, '7\n', 'status')
    finally:
        ask('rm', '-f', name)


def foreground(t, ask, *args):
    run = lambda *command: ask('run', '--rm', '--network', 'none', *args, *command)
    t.good(run('sh', '-c', 'exit 7'), 7, err=None)
    t.good(run('sh', '-c', 'kill -9 $$'), 137, err=None)
    t.good(run('nosuch'), 127, err=None)


@test(modes='root', limit=300, serial=True)
def of_dockerd(t):
    with dockerd(t) as ask:
        tar = image(t)
        t.good(ask('import', tar, 'plain'), err=None)
        t.good(ask('import', '--change', ENTRYPOINT, tar, 'entry'), err=None)
        with t.case('run --init'):
            r = t.good(ask('run', '--rm', '--network', 'none', '--init', 'plain', '/sbin/docker-init', '--version'), err=None)
            t.ok(re.fullmatch(r'tini version 0\.19\.0.*\(pidbox-init .*\)\n', r.out), f'the init is pidbox-init: {r.out}')
            container(t, ask, ['/sbin/docker-init', '--'], '--init', 'plain')
            foreground(t, ask, '--init', 'plain')
        with t.case('ENTRYPOINT'):
            container(t, ask, ['/pidbox-init', '--'], 'entry')
            foreground(t, ask, 'entry')


@test(modes='root', limit=300)
def entrypoint_of_podman(t):
    with test_oci.engine(t) as ask:
        r = ask('import', '--change', ENTRYPOINT, image(t), 'entry')
        if r.code:
            t.skip(f'podman cannot import here: {short(r.err)}')
        options = ['--ulimit', 'host', '--security-opt', 'seccomp=unconfined']
        for cgroups in 'enabled', 'disabled':  # the first takes the right to raise limits
            r = ask('run', '--rm', '--network', 'none', '--cgroups', cgroups, *options, 'localhost/entry', 'sh', '-c', 'exit 7')
            if r.code == 7:
                break
        else:
            t.skip(f'podman cannot run here: {short(r.err)}')
        options += ['--cgroups', cgroups]
        container(t, ask, ['/pidbox-init', '--'], *options, '--log-driver', 'none', 'localhost/entry')
        foreground(t, ask, *options, 'localhost/entry')
