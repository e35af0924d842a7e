# SPDX-License-Identifier: MIT
"""What others do to a box from outside: a stopped nsenter or a tracer that holds its end up, and the kernel short of memory."""
from support import *


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


def divisible():
    """Where this process is in a hierarchy that has the memory controller, and the file of the limit: version 2, else 1."""
    for line in open('/proc/self/cgroup').read().splitlines():
        number, names, path = line.split(':', 2)
        v2 = f'/sys/fs/cgroup{path}'.rstrip('/')
        with contextlib.suppress(OSError):
            if number == '0' and 'memory' in open(f'{v2}/cgroup.subtree_control').read().split():
                return v2, 'memory.max'
        v1 = f'/sys/fs/cgroup/memory{path}'.rstrip('/')
        if names == 'memory' and os.access(f'{v1}/memory.limit_in_bytes', os.W_OK):
            return v1, 'memory.limit_in_bytes'
    return None


@test(modes='root')
def out_of_memory(t):
    """A cgroup of our own below our own, with a limit: the record says oom (memory.events of version 2, memory.oom_control of 1)."""
    top, limit = divisible() or t.skip('no memory controller that is ours to divide; the kernel matrix has one')
    group = f'{top}/pidbox-test-{os.getpid()}'
    os.mkdir(group)
    try:
        open(f'{group}/{limit}', 'w').write(str(48 << 20))
        enter = lambda: open(f'{group}/cgroup.procs', 'w').write(str(os.getpid()))
        r, rec = t.report('--', '/usr/bin/env', 'python3', '-c', 'x = b"x" * (400 << 20)', pre=enter)
        t.eq((r.code, rec['reason'], rec['signal'], rec['limits']['oom_killed']), (-9, 'oom', 'SIGKILL', True), 'killed for want of memory')
        r, rec = t.report('--', 'sh', '-c', 'kill -KILL $$', pre=enter)
        t.eq((r.code, rec['reason'], rec['limits']['oom_killed']), (-9, 'signaled', False), 'killed by itself')
    finally:
        until(lambda: not open(f'{group}/cgroup.procs').read())
        os.rmdir(group)
