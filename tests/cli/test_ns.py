# SPDX-License-Identifier: MIT
"""Namespaces: host name, IPC, net, cgroup, time, user; --unshare and --share."""
from support import *

KINDS = 'cgroup ipc mnt net pid time user uts'.split()
OPTION = {'mnt': 'mount'}


def changed(t, *args, **kw):
    """The kinds of namespace that differ inside."""
    r = t.box(*args, '--', 'sh', '-c', 'for k in ' + ' '.join(KINDS) + '; do readlink /proc/self/ns/$k; done', **kw)
    t.good(r, 0)
    return {k for k, inside in zip(KINDS, r.out.split()) if inside != ns(k)}


def default(t):
    return {'pid', 'mnt', 'uts', 'ipc'} | ({'user'} if t.mode == 'user' else set())


@test
def by_default(t):
    t.eq(changed(t), default(t), 'new namespaces')


@each({k: k for k in 'net user cgroup time all net,time cgroup,user'.split()})
def unshare(t, kinds):
    want = set(KINDS) if kinds == 'all' else default(t) | set(kinds.split(','))
    t.eq(changed(t, '--unshare', kinds), want, f'--unshare {kinds}')
    t.eq(changed(t, *(a for k in kinds.split(',') for a in ('--unshare', k))), want, 'given one by one')


@each({k: k for k in ('uts', 'ipc', 'uts,ipc', 'mount', 'uts,ipc,mount')})
def share(t, kinds):
    gone = {k if k != 'mount' else 'mnt' for k in kinds.split(',')}
    t.eq(changed(t, '--share', kinds, *(['--proc', 'keep'] if 'mount' in kinds else [])), default(t) - gone, f'--share {kinds}')


@test
def all_but_what_is_shared(t):
    for args in ['--unshare', 'all', '--share', 'ipc'], ['--share=ipc', '--unshare=all'], ['--unshare', 'net,all', '--share', 'ipc']:
        t.eq(changed(t, *args), set(KINDS) - {'ipc'}, f'{args}')
    for args in ['--unshare', 'ipc', '--share', 'ipc'], ['--unshare', 'all,ipc', '--share', 'ipc'], ['--unshare=all', '--share=net']:
        t.error(t.box(*args, '--', 'true'), 'USAGE', has='--share')


@test
def not_a_kind(t):
    for opt, v in (('--unshare', 'bogus'), ('--unshare', ''), ('--unshare', 'net,'), ('--unshare', 'net,bogus'), ('--share', 'pid'),
                   ('--share', 'user'), ('--share', 'bogus'), ('--share', '')):
        t.error(t.box(f'{opt}={v}', '--', 'true'), 'USAGE', has=opt)


@test
def hostname(t):
    name = os.uname().nodename
    t.good(t.box('--', 'uname', '-n'), 0, name + '\n')
    t.good(t.box('--hostname', 'box-1.test', '--', 'uname', '-n'), 0, 'box-1.test\n')
    t.good(t.box('--hostname=' + 'h' * 64, '--', 'uname', '-n'), 0, 'h' * 64 + '\n')
    t.eq(os.uname().nodename, name, 'host name outside')
    if t.mode != 'user':
        r = t.box('--', 'sh', '-c', 'hostname changed && uname -n')
        t.good(r, 0, 'changed\n')
    t.good(t.box('--map', 'root', '--', 'sh', '-c', 'hostname changed && uname -n'), 0, 'changed\n')
    t.eq(os.uname().nodename, name, 'host name outside (R5)')
    t.error(t.box('--hostname', 'h' * 65, '--', 'true'), 'USAGE', has='--hostname')
    t.error(t.box('--share', 'uts', '--hostname', 'x', '--', 'true'), 'USAGE')
    t.eq(os.uname().nodename, name, 'host name outside after --share uts --hostname')


@test
def ipc(t):
    key = str(0x70000000 + os.getpid())
    q = lambda what, *a: t.run([*a, t.helper('ipcq'), what, key]).out.strip()
    box = [t.pidbox, 'run', '--']
    shared = [t.pidbox, 'run', '--share', 'ipc', '--']
    t.cleanups.append(lambda: q('drop'))
    t.eq(q('make', *box), 'yes', 'made inside')
    t.eq(q('find'), 'no', 'seen outside')
    t.eq(q('make'), 'yes', 'made outside')
    t.eq(q('find', *box), 'no', 'seen inside')
    t.eq(q('find', *shared), 'yes', 'seen inside with --share ipc')


@test
def net(t):
    t.good(t.box('--unshare', 'net', '--', t.helper('loopback')), 0, 'ok\n')
    r = t.box('--unshare', 'net', '--', 'cat', '/proc/net/dev')
    t.eq({x.split(':')[0].strip() for x in r.out.splitlines() if ':' in x and 'lo' in x.split(':')[0]}, {'lo'}, 'interfaces')


@test
def cgroup(t):
    r = t.box('--unshare', 'cgroup', '--', 'cat', '/proc/self/cgroup')
    t.good(r, 0)
    t.eq({x.split(':', 2)[2] for x in r.out.splitlines()}, {'/'}, 'cgroup paths inside')


def clocks(t, *args):
    """Offsets of the clocks inside from those outside, in seconds, as ranges."""
    now = lambda: [time.clock_gettime_ns(c) for c in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME)]
    before = now()
    r = t.box(*args, '--', t.helper('clocks'))
    after = now()
    t.good(r, 0)
    inside = [int(x) for x in r.out.split()[1::2]]
    return [((i - a) / 1e9, (i - b) / 1e9) for i, a, b in zip(inside, after, before)]


@test
def time_offset(t):
    for arg, mono, boot in (('boottime=1000000.5', 0, 1000000.5), ('monotonic=5', 5, 0), ('monotonic=-3.25', -3.25, 0),
                            ('monotonic=100000.000000001,boottime=86400.25', 100000.000000001, 86400.25), ('boottime=-2', 0, -2)):
        got = clocks(t, '--time-offset', arg)
        for name, (lo, hi), want in zip(('monotonic', 'boottime'), got, (mono, boot)):
            t.ok(lo <= want + 1e-6 and want - 1e-6 <= hi, f'{arg}: {name} is off by {lo:.6f}..{hi:.6f}, want {want}')
    with t.case('the rest is as ever'):
        r = t.box('--time-offset', 'boottime=1000', '--', 'sh', '-c', 'echo $$ $PPID; readlink /proc/self/ns/time; exit 3')
        t.eq((r.code, r.out.split()[:2]), (3, ['2', '1']), 'status, PIDs')
        t.ok(r.out.split()[2:] != [ns('time')], 'the command is in a time namespace of its own')
        t.good(t.box('--time-offset', 'boottime=1000', '--', t.helper('die'), '9'), -9)
        up = float(t.box('--time-offset', 'boottime=1000000', '--', 'cat', '/proc/uptime').out.split()[0])
        t.ok(up > 1000000, f'/proc/uptime {up}')
    t.good(t.box('--unshare', 'time', '--', 'true'), 0)
    for v in ('', 'boottime', 'boottime=', 'boottime=x', 'realtime=5', '5', 'boottime=1,', 'boottime=99999999999999999999',
              'boottime=1.0000000001', 'monotonic=1e3'):
        t.error(t.box(f'--time-offset={v}', '--', 'true'), 'USAGE', has='--time-offset')
    with t.case('a clock before its zero'):
        t.error(t.box('--time-offset', 'monotonic=-999999999', '--', 'true'))


@test
def entered_namespaces_are_the_boxes(t):
    """R3, R10: from outside, a box's processes have one PID a level."""
    p = t.start_box('--', 'sh', '-c', 'echo up; exec sleep 100')
    t.eq(p.out.line(), 'up', 'start')
    init, cmd = t.init_of(p), t.command_of(p)
    for pid, inside in (init, '1'), (cmd, '2'):
        line = [x for x in open(f'/proc/{pid}/status') if x.startswith('NSpid')][0].split()
        t.eq(line[-2:], [str(pid), inside], 'NSpid')
    t.ok(ns('pid', cmd) != ns('pid') and ns('pid', cmd) == ns('pid', init) if t.mode == 'root' else True, 'one PID namespace')
