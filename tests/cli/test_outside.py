# SPDX-License-Identifier: MIT
"""What others do to a box from outside: a stopped nsenter or a tracer that holds its end up, and the kernel short of memory."""
from support import *

MEMORY = '/sys/fs/cgroup/memory'


@test(modes='root', limit=60)
def stopped_nsenter_holds_the_end_up(t):
    """pid_namespaces(7): init's end waits for processes that entered by setns to be reaped. Bounded, and named."""
    p = t.start_box('--', 'sleep', '1000')
    until(lambda: t.command_of(p))
    inner = t.start(['nsenter', '-t', str(t.init_of(p)), '-p', 'sleep', '1001'])
    t.ok(until(lambda: [c for c in children(inner.pid) if comm(c) == 'sleep 1001']), 'nsenter has a child in the box')
    t.ok(freeze(inner.pid), 'nsenter is stopped')
    start = time.monotonic()
    p.send_signal(signal.SIGTERM)
    t.eq(t.finish(p, 40), -15, 'status')
    took = time.monotonic() - start
    err = p.stderr.read() if p.stderr else ''
    err = err.decode() if isinstance(err, bytes) else err
    t.ok(9 <= took <= 30, f'it gave up after ten seconds: {took:.1f}')
    t.ok('nsenter' in err and str(inner.pid) in err and '(sleep)' in err, f'the holdout is named: {err!r}')
    os.kill(inner.pid, signal.SIGCONT)
    inner.wait()


@test(modes='root')
def out_of_memory(t):
    """A cgroup of our own below our own, with a limit: the record says oom (memory.oom_control, cgroup v1)."""
    own = next((line.split(':', 2)[2] for line in open('/proc/self/cgroup').read().splitlines() if line.split(':')[1] == 'memory'), None)
    if own is None or not os.access(f'{MEMORY}{own}/memory.limit_in_bytes', os.W_OK):
        t.skip('no memory controller of cgroup v1 that is ours to divide; v2 is tested in the VMs of the kernel matrix')
    group = f'{MEMORY}{own.rstrip("/")}/pidbox-test-{os.getpid()}'
    os.mkdir(group)
    try:
        open(f'{group}/memory.limit_in_bytes', 'w').write(str(48 << 20))
        enter = lambda: open(f'{group}/cgroup.procs', 'w').write(str(os.getpid()))
        r, rec = t.report('--', '/usr/bin/env', 'python3', '-c', 'x = b"x" * (400 << 20)', pre=enter)
        t.eq((r.code, rec['reason'], rec['signal'], rec['limits']['oom_killed']), (-9, 'oom', 'SIGKILL', True), 'killed for want of memory')
        r, rec = t.report('--', 'sh', '-c', 'kill -KILL $$', pre=enter)
        t.eq((r.code, rec['reason'], rec['limits']['oom_killed']), (-9, 'signaled', False), 'killed by itself')
    finally:
        until(lambda: not open(f'{group}/cgroup.procs').read())
        os.rmdir(group)
