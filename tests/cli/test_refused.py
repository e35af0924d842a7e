# SPDX-License-Identifier: MIT
"""What kernels, containers and limits refuse, and the code that each refusal gets."""
from support import *

MASK = 'mount --bind /dev/null /proc/uptime && '
RUN = 'exec pidbox run --map me "$@" -- sh -c "echo ran; exec readlink /proc/self"'


def in_userns(t, script, *args, **kw):
    """As root of a new user namespace with its own mounts (on top of the mode)."""
    return t.run(['unshare', '-Urm', '/bin/sh', '-c', script, 'sh', *args], **kw)


@test
def masked_proc(t):
    r = in_userns(t, MASK + RUN)
    t.error(r, 'PROC_MASKED', has='/proc/uptime')
    r = in_userns(t, MASK + 'mount --bind /dev/null /proc/version && ' + RUN)
    t.error(r, 'PROC_MASKED', has=['/proc/uptime', '/proc/version', '--proc'])
    r = in_userns(t, 'mount --bind -o ro /proc/sys /proc/sys && ' + RUN)
    if r.code:
        t.error(r, 'PROC_MASKED', has='/proc/sys')
    with t.case('masks from one user namespace further out'):
        r = in_userns(t, MASK + "exec unshare -Urm pidbox run -- sh -c 'echo ran'")
        t.error(r, 'PROC_MASKED', has='/proc/uptime')
    with t.case('its own masks hide nothing from it'):
        r = in_userns(t, MASK + "exec pidbox run -- sh -c 'echo ran; exec readlink /proc/self'")
        t.good(r, 0, 'ran\n2\n')
    with t.case('subset=pid'):
        r = in_userns(t, MASK + RUN, '--proc-subset', 'pid')
        if r.code:
            t.error(r, 'PROC_MASKED', has='/proc/uptime')
    with t.case('keep and none are not refused'):
        t.eq(in_userns(t, MASK + RUN, '--proc', 'none').out, 'ran\n', '--proc none')
        t.ok(in_userns(t, MASK + RUN, '--proc', 'keep').out.startswith('ran\n'), '--proc keep')
    with t.case('an odd name'):
        r = in_userns(t, 'mount -t tmpfs t /proc/irq && ' + RUN)
        if r.code:
            t.error(r, 'PROC_MASKED', has='/proc/irq')


@test
def masked_proc_auto(t):
    f = t.path('rec')
    r = in_userns(t, MASK + RUN, '--proc', 'auto', '--report', f)
    out = r.out.split()
    t.eq((r.code, out[:1]), (0, ['ran']), f'it runs ({r.err!r})')
    t.ok(out[1:] and out[1] != '2', f'/proc is the caller\'s: {out}')
    t.ok(r.err.startswith('pidbox:') and '/proc' in r.err, f'with a warning: {r.err!r}')
    t.eq(t.record(f)['proc'], 'keep', 'and in the record')


@test(modes='root')
def masked_proc_of_a_container(t):
    """Masks made by real root, the box by an ordinary user: refused; by root itself: not."""
    user = 'exec setpriv --reuid 54321 --regid 54321 --clear-groups pidbox run -- sh -c "echo ran"'
    r = t.run(['unshare', '-m', 'sh', '-c', MASK + user], env={**t.env, 'PIDBOX_RUNTIME_DIR': '/nonexistent'}, cwd='/')
    t.error(r, 'PROC_MASKED', has='/proc/uptime')
    r = t.run(['unshare', '-m', 'sh', '-c', MASK + RUN.replace('--map me', '')])
    t.good(r, 0, 'ran\n2\n')


@test(modes='user')
def seccomp(t):
    r = t.run(['deny', 'EPERM', 'namespaces', '--', t.pidbox, 'run', '--', 'touch', 'ran'])
    t.error(r, 'USERNS_SECCOMP', has='seccomp')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


# one call that is not there; a box works all the same
@each({c: c for c in '''clone3 close_range openat2 pidfd_getfd faccessat2 epoll_pwait2 mount_setattr process_mrelease statmount listmount open_tree
    move_mount fsopen splice'''.split()})
def without_the_call(t, call):
    if os.uname().machine != 'x86_64':
        t.skip('the filter knows x86-64')
    deny = ['deny', 'ENOSYS', call, '--', t.pidbox, 'run']
    r = t.run([*deny, '--hostname', 'h', '--fail-on-leak', '--', 'sh', '-c', 'uname -n; readlink /proc/self >/dev/null; exit 7'])
    t.good(r, 7, 'h\n')
    r = t.run([*deny, '--close-fds', '--timeout', slow(0.1), '--unshare', 'net', '--', 'sh', '-c', 'daemonize; sleep 100'])
    t.eq(r.code, 124, 'status of a time limit')
    t.nothing_left()


@each({c: c for c in 'pid mnt uts ipc net cgroup time'.split()})
def no_namespace_to_be_had(t, kind):
    f = f'/proc/sys/user/max_{kind}_namespaces'
    if not os.path.exists(f):
        t.skip(f'no {f}')
    extra = {'net': ['--unshare', 'net'], 'cgroup': ['--unshare', 'cgroup'], 'time': ['--unshare', 'time']}.get(kind, [])
    r = t.run(['unshare', '-Ur', 'sh', '-c', f'echo 0 >{f} && exec pidbox run "$@" -- touch ran', 'sh', *extra])
    m = t.error(r, 'NS_LIMIT', has=f'max_{kind}_namespaces')
    t.ok('No space left' not in r.err, f'never "no space left on device": {r.err!r}')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test
def user_namespaces(t):
    f = '/proc/sys/user/max_user_namespaces'
    r = t.run(['unshare', '-Ur', 'sh', '-c', f'echo 0 >{f} && exec pidbox run --map me -- touch ran'])
    t.error(r, ('USERNS_DISABLED', 'NS_LIMIT'), has='max_user_namespaces')
    r = t.run(['unshare', '-Ur', 'sh', '-c', f'echo 1 >{f} && exec pidbox run --map root -- pidbox run --map root -- touch ran'])
    t.error(r, 'NS_LIMIT', has='max_user_namespaces')
    r = t.run(['unshare', '-Ur', 'sh', '-c', f'echo 0 >{f} && exec pidbox run -- sh -c "exit 3"'])
    t.good(r, 3)  # none is needed with the privilege at hand
    r = t.run(['unshare', '-Ur', 'sh', '-c', f'echo 0 >{f} && exec capsh --drop=all -- -c "exec pidbox run -- touch ran"'] if shutil.which('capsh')
              else ['sh', '-c', 'exit 125'])
    if shutil.which('capsh'):
        t.error(r, ('USERNS_DISABLED', 'NS_LIMIT'), has='max_user_namespaces')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test(modes='user,userns')
def too_deep(t):
    """User namespaces nest no deeper than PID namespaces do."""
    opts = '--map root' if t.mode == 'userns' else ''
    nest = t.write('nest', f'#!/bin/sh\n[ $1 = 0 ] && exit 7\nexec pidbox run {opts} -- $0 $(($1 - 1))\n', 0o755)
    t.eq(t.run([nest, '20']).code, 7, '20 deep')
    r = t.run([nest, '33'], timeout=25)
    t.error(r, 'NS_LIMIT')
    t.ok('No space left' not in r.err, f'{r.err!r}')
    t.nothing_left()


@test(modes='root')
def which_limit_and_where(t):
    """namespaces(7): a namespace counts in its user namespace and in each above; which one is full is told as far as it can be seen."""
    me = 'unshare -Urm sh -c'.split()
    f = '/proc/sys/user/max_uts_namespaces'
    with t.case('here or above'):
        m = t.error(t.run([*me, f'echo 1 >{f} && exec pidbox run -- pidbox run -- touch ran']), 'NS_LIMIT', has='user.max_uts_namespaces is used up')
        t.ok(m and 'in this user namespace (1) or in one above' in m['why'] and 'max_pid' not in m['why'], f'the one limit, and where: {m and m["why"]}')
    with t.case('above'):
        m = t.error(t.run([*me, f'echo 1 >{f} && exec pidbox run --map root -- pidbox run --map root -- touch ran']), 'NS_LIMIT',
                    has='user.max_uts_namespaces is used up')
        t.ok(m and 'in a user namespace above this one' in m['why'], f'not here: {m and m["why"]}')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test(modes='root,userns')
def children_elsewhere(t):
    """clone(2): CLONE_NEWPID needs a caller whose children stay in its own PID namespace; R9: a dead one stays dead."""
    new = ['unshare', '-p', 'sh', '-c']
    m = t.error(t.run(['unshare', '-p', t.pidbox, 'run', '--', 'touch', 'ran']), has='unshare --pid --fork')
    t.ok(m and not m['code'] and 'no child in the new one yet' in m['why'], f'nothing has ended: {m and m["why"]}')
    rd, wr = os.pipe()  # PID 1 there lives until we close it
    m = t.error(t.run([*new, 'cat <&3 >/dev/null 2>&1 & exec pidbox run -- touch ran 3<&-'], pre=lambda: os.dup2(rd, 3), pass_fds=[3, rd]), has='fork first')
    os.close(wr)
    os.close(rd)
    t.nothing_left(5, 'after its input has ended')
    t.ok(m and not m['code'] and 'has ended' not in m['why'], f'its init lives: {m and m["why"]}')
    m = t.error(t.run([*new, '/bin/true; exec pidbox run -- touch ran']), 'BOX_DEAD' if kernel() >= (6, 11) else None)
    m = t.error(t.run([*new, '/bin/true; exec pidbox run --as-pid1 -- touch ran']), 'BOX_DEAD', has='has ended')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test(modes='root')
def chroot_that_is_no_mount(t):
    """mount(2): EINVAL, the propagation of something that is no mount."""
    script = '''set -e
        for d in bin lib lib64 usr etc proc; do
            [ -e /$d ] || continue
            mkdir -p root/$d
            mount --rbind /$d root/$d
        done
        cp $PIDBOX root/pidbox
        exec chroot root /pidbox run "$@" -- /bin/echo ran'''.replace('$PIDBOX', t.pidbox)
    r = t.run(['unshare', '-m', 'sh', '-c', script, 'sh'])
    t.error(r, has=['propagation', 'chroot', '--propagation unchanged'])
    t.good(t.run(['unshare', '-m', 'sh', '-c', script, 'sh', '--propagation', 'unchanged']), 0, 'ran\n')


@test(modes='root')
def no_devpts(t):
    """The node is there, what it stands for is not."""
    dev = 'mount -t tmpfs dev /dev && mknod -m 666 /dev/ptmx c 5 2 && mknod -m 666 /dev/null c 1 3 && '
    run = f'exec {t.pidbox} run --tty -- true </dev/null'
    m = t.error(t.run(['unshare', '-m', 'sh', '-c', dev + run]), 'TTY', has='no devpts is mounted on /dev/pts')
    t.ok(m and 'there is no /dev/ptmx' not in m['why'], f'{m and m["why"]}')
    t.error(t.run(['unshare', '-m', 'sh', '-c', dev + 'mkdir /dev/pts && ' + run]), 'TTY', has='no devpts is mounted on /dev/pts')
    t.error(t.run(['unshare', '-m', 'sh', '-c', dev + 'rm /dev/ptmx && ' + run]), 'TTY', has='there is no /dev/ptmx')


@test(modes='root')
def root_without_capabilities(t):
    """Root that may do nothing (a stock container) is an ordinary user: a user namespace."""
    if not shutil.which('capsh'):
        t.skip('no capsh')
    r = t.run(['capsh', '--drop=cap_sys_admin', '--', '-c', 'exec pidbox run -- sh -c "id -u; readlink /proc/self/ns/user; exit 3"'])
    t.eq((r.code, r.out.split()[:1]), (3, ['0']), f'status, uid ({r.err!r})')
    t.ok(r.out.split()[1:] != [ns('user')], 'a user namespace')
    r = t.run(['deny', 'EPERM', 'namespaces', '--', 'capsh', '--drop=cap_sys_admin', '--', '-c', 'exec pidbox run -- true'])
    t.error(r, 'USERNS_SECCOMP')


@test
def network_without_loopback(t):
    """lo that cannot be brought up is reported, not fatal."""
    r = t.run(['deny', 'EPERM', '41', '--', t.pidbox, 'run', '--unshare', 'net', '--', 'sh', '-c', 'echo ran; exit 3']) \
        if os.uname().machine == 'x86_64' else t.skip('the filter knows x86-64')  # 41: socket
    t.eq((r.code, r.out), (3, 'ran\n'), f'it runs ({r.err!r})')
    t.ok('lo' in r.err, f'and says so: {r.err!r}')
