# SPDX-License-Identifier: MIT
"""pidbox-init as PID 1 of an OCI runtime's containers: bound into them and put before the command, as dockerd does with
init-path, and podman with --init-path."""
from manners import *
import test_oci

# An orphan, then a command that ends by itself when it is asked to.
SCRIPT = '(sleep 1001 & ); ' + test_oci.SCRIPT


def lives(t, init, argv):
    """PID 1 is the init, adopts and reaps."""
    t.eq(comm(init), ' '.join([*argv, *SH, SCRIPT]), 'PID 1')
    t.ok(is_first(init), 'it is not PID 1')
    kids = lambda: sorted(comm(c) for c in children(init))
    t.ok(until(lambda: kids() == [f'sh -c {SCRIPT}', 'sleep 1001']), f'its children: {kids()}')
    orphan, = (c for c in children(init) if comm(c) == 'sleep 1001')
    os.kill(orphan, signal.SIGKILL)
    t.ok(until(lambda: orphan not in children(init)), 'the orphan is not reaped')


def lives_and_ends(t, init, argv):
    """It passes SIGTERM on, too."""
    lives(t, init, argv)
    os.kill(init, signal.SIGTERM)


@each({name: (name,) for name in ('/dev/init', '/dev/docker-init')}, modes='root', limit=90)
def of_crun_as_docker_has_it(t, name):
    cid = f'{os.getpid():08x}' + 'c0ffee' * 9 + '02'
    mount = {'destination': name, 'type': 'bind', 'source': os.path.join(cfg.bin, NAME), 'options': ['bind', 'ro']}
    p, init = test_oci.crun(t, f'/docker/{cid}', [name, '--', *SH, SCRIPT], [mount])
    lives_and_ends(t, init, [name, '--'])
    t.eq(t.finish(p), 7, 'status')


@test(modes='root', limit=200)
def of_podman(t):
    with test_oci.podman(t, '--init', '--init-path', os.path.join(cfg.bin, NAME), script=SCRIPT) as (pid, *_, name, ask):
        t.ok(until(lambda: len(children(pid)) == 2, 20), 'it does not start')
        lives_and_ends(t, pid, ['/run/podman-init', '--'])
        t.eq(ask('wait', name).out, '7\n', 'status')
