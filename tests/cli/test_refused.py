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
    r = t.run([*deny, '--close-fds', '--timeout', '0.1', '--unshare', 'net', '--', 'sh', '-c', 'daemonize; sleep 100'])
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
