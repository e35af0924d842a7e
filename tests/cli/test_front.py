# SPDX-License-Identifier: MIT
"""The PID of a front names the box that it leads: which processes are fronts."""
import glob
from support import *


@test
def front_by_another_name(t):
    """The PID of a front names its box whatever the program is called: there is an entry of that box, which it alone can have made."""
    other = t.path('px')
    shutil.copy(t.pidbox, other)
    p = t.start([other, 'run', '--', 'sh', '-c', 'echo up; exec sleep 1000'], stdout=subprocess.PIPE)
    t.eq(p.stdout.readline(), b'up\n', 'it is up')
    # The command of a box without a name does not wait for the entry.
    t.ok(until(lambda: any(':' in f for _, _, files in os.walk(t.env['PIDBOX_RUNTIME_DIR']) for f in files)), 'it has an entry')
    t.good(t.run([t.pidbox, 'exec', str(p.pid), '--', 'sh', '-c', 'echo $PPID']), out='1\n')
    world = t.start(['unshare', *([] if t.mode == 'root' else ['-Ur']), '-fp', '--kill-child', 'sleep', '1000'])
    t.ok(until(lambda: [c for c in children(world.pid) if comm(c) == 'sleep 1000'], 10), 'a namespace of unshare')
    t.error(t.run([t.pidbox, 'kill', str(world.pid)]), 'OWN_NAMESPACE')
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', str(p.pid)]))
    t.eq(t.finish(p), -9, 'ended by it')


@test(modes='root')
def front_that_another_user_claims(t):
    """Whose command runs under root's unshare cannot have that taken for a front of his box."""
    uid, base = 54396, '/tmp/pidbox-54396'
    shutil.rmtree(base, ignore_errors=True)
    t.cleanups.append(lambda: shutil.rmtree(base, ignore_errors=True))
    world = t.start(['unshare', '-fp', '--kill-child', '--mount-proc', 'setpriv', '--reuid', str(uid), '--clear-groups', 'sleep', '1000'])
    init = until(lambda: next((c for c in children(world.pid) if comm(c) == 'sleep 1000'), 0), 10)
    his = f'{base}/{os.stat("/proc/self/ns/pid").st_ino}'
    os.makedirs(his, 0o700)
    ticks = open(f'/proc/{init}/stat').read().rpartition(')')[2].split()[19]
    for mark in f':{os.fstat(os.pidfd_open(init)).st_ino}', f'@{ticks}':
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(f'{his}/{init}{mark}')
        s.listen()
    for path in base, his, *glob.glob(f'{his}/*'):
        os.chown(path, uid, uid)
    os.chmod(base, 0o700)
    t.error(t.run([t.pidbox, 'kill', '--grace', '0', str(world.pid)]), 'OWN_NAMESPACE')
    t.ok(world.poll() is None and comm(init) == 'sleep 1000', 'it lives')
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', str(init)]))
    t.finish(world)
