# SPDX-License-Identifier: MIT
"""Who the command is: user maps, groups, capabilities, environment, directory, arguments, and all that is inherited."""
from support import *

UIDMAP = 'tr -s " " </proc/self/uid_map | sed "s/^ //"; tr -s " " </proc/self/gid_map | sed "s/^ //"; cat /proc/self/setgroups'
CAPS = 'grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status'


def lines(text):
    return [x.rstrip() for x in text.splitlines()]


def own_ids(t):
    return t.run([t.helper('showids')]).out


@test
def same_ids_by_default(t):
    for args in [], ['--map', 'me'], ['--unshare', 'user']:
        r = t.box(*args, '--', t.helper('showids'))
        t.good(r, 0, own_ids(t) if not args or t.mode == 'user' else None)
        t.eq(r.out.split()[:8], own_ids(t).split()[:8], f'{args}: ids')
    r = t.box('--', 'sh', '-c', UIDMAP)
    u, g = os.getuid(), os.getgid()
    if t.mode == 'user':
        t.eq(lines(r.out), [f'{u} {u} 1', f'{g} {g} 1', 'deny'], 'maps')
    else:
        t.eq(r.out, t.sh(UIDMAP).out, 'no user namespace: maps are the caller\'s')


@test
def map_makes_a_user_namespace(t):
    for kind in 'me', 'root':
        r = t.box('--map', kind, '--', 'readlink', '/proc/self/ns/user')
        t.good(r, 0)
        t.ok(r.out.strip() != ns('user'), f'--map {kind}: a user namespace of its own')


@test
def map_root(t):
    r = t.box('--map', 'root', '--', t.helper('showids'))
    t.eq(r.out.split()[:8], 'uid 0 0 0 gid 0 0 0'.split(), 'ids')
    r = t.box('--map=root', '--', 'sh', '-c', UIDMAP)
    t.eq([x.split()[0:2] for x in lines(r.out)[:1]], [['0', str(os.getuid())]], 'uid map')
    if t.mode != 'root':
        t.eq(lines(r.out)[1:], [f'0 {os.getgid()} 1', 'deny'], 'gid map, setgroups')
    r = t.box('--map', 'root', '--', 'sh', '-c', ': >made && stat -c %u:%g made')
    t.good(r, 0, '0:0\n')
    t.eq(os.stat(t.path('made')).st_uid, os.getuid(), 'owner outside')
    r = t.box('--map', 'root', '--', 'sh', '-c', CAPS)
    t.ok('CapEff:\t0000000000000000' not in r.out, f'root inside has capabilities: {r.out}')


@test
def capabilities_are_the_callers(t):
    r = t.box('--', 'sh', '-c', CAPS)
    t.good(r, 0, t.sh(CAPS).out)
    if t.mode == 'user':
        r = t.box('--map', 'me', '--unshare', 'all', '--', 'sh', '-c', CAPS)
        t.good(r, 0, t.sh(CAPS).out)
        t.good(t.box('--', 'sh', '-c', 'hostname x 2>/dev/null || echo no'), 0, 'no\n')


@test
def exact_maps(t):
    u, g = os.getuid(), os.getgid()
    for inside in 0, 5, 4294967294:
        r = t.box('--uid-map', f'{inside}:{u}:1', '--gid-map', f'{inside}:{g}:1', '--', t.helper('showids'))
        t.good(r, 0)
        t.eq(r.out.split()[:8], f'uid {inside} {inside} {inside} gid {inside} {inside} {inside}'.split(), f'ids as {inside}')
    if t.mode == 'root':
        r = t.box('--uid-map', '0:0:1', '--uid-map=1:100000:10', '--gid-map', '0:0:1', '--gid-map', '10:200000:5', '--',
                  'sh', '-c', UIDMAP)
        t.eq(lines(r.out)[:4], ['0 0 1', '1 100000 10', '0 0 1', '10 200000 5'], 'several ranges')
    for v in '0:0', 'a:b:c', '0:0:0', '-1:0:1', '0:0:1:1', '', '0:4294967296:1', '4294967295:0:2', '0:0:99999999999':
        t.error(t.box(f'--uid-map={v}', '--gid-map', f'0:{g}:1', '--', 'true'), 'USAGE', has='--uid-map')
    with t.case('overlapping'):
        t.error(t.box('--uid-map', f'0:{u}:1', '--uid-map', f'0:{u}:1', '--gid-map', f'0:{g}:1', '--', 'true'))
    for v in 'bogus', '', 'ME':
        t.error(t.box(f'--map={v}', '--', 'true'), 'USAGE', has='--map')


def subids(uid):
    return any(x.split(':')[0] == str(uid) for f in ('/etc/subuid', '/etc/subgid') if os.path.exists(f) for x in open(f))


@test(modes='user')
def maps_that_need_subordinate_ids(t):
    u, g = os.getuid(), os.getgid()
    if subids(u):
        t.skip('this user has subordinate ids')
    t.error(t.box('--map', 'auto', '--', 'touch', 'ran'), 'IDMAP')
    t.error(t.box('--uid-map', f'0:{u}:1', '--uid-map', '1:100000:10', '--gid-map', f'0:{g}:1', '--', 'touch', 'ran'), 'IDMAP')
    t.error(t.box('--uid-map', '0:100000:10', '--gid-map', f'0:{g}:1', '--', 'touch', 'ran'), 'IDMAP')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


def own_helpers(t, script):
    """newuidmap and newgidmap of the test's own, and the options that need them."""
    os.mkdir(t.path('bin'))
    for name in 'newuidmap', 'newgidmap':
        t.write(f'bin/{name}', f'#!/bin/sh\n{script}\n', 0o755)
    maps = ['--uid-map', f'0:{os.getuid()}:1', '--uid-map', '1:100000:10', '--gid-map', f'0:{os.getgid()}:1']
    return maps, {**t.env, 'PATH': f'{t.path("bin")}:{t.env["PATH"]}'}


@test(modes='user')
def words_of_newuidmap_are_in_the_error(t):
    maps, env = own_helpers(t, 'grep SigBlk /proc/self/status >mask; echo said; echo "newuidmap: $2 is not allowed" >&2; echo more >&2; exit 1')
    r = t.box(*maps, '--', 'true', env=env, pre=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))
    t.error(r, 'IDMAP', has='why: newuidmap: 0 is not allowed (')
    t.ok(r.err.startswith('pidbox: ') and r.err.count('\n') == 3, f'nothing but the error: {r.err!r}')
    t.eq(open(t.path('mask')).read().split(), ['SigBlk:', '0' * 16], 'signals that it blocks')


@test(modes='user')
def newuidmap_that_is_not_installed(t):
    """execvp(3): EACCES of a directory that may not be searched is remembered; it does not say that there is a program."""
    os.mkdir(t.path('closed'), 0)
    os.mkdir(t.path('open'))
    maps, _ = own_helpers(t, 'exit 0')
    env = {**t.env, 'PATH': f'{t.path("closed")}:{t.path("open")}'}
    r = t.run([t.pidbox, 'run', *maps, '--', '/bin/true'], env=env)
    t.error(r, 'IDMAP', has='not installed')
    t.write('open/newuidmap', '#!/bin/sh\n', 0o644)
    r = t.run([t.pidbox, 'run', *maps, '--', '/bin/true'], env=env)
    t.ok('Permission denied' in r.err and 'not installed' not in r.err, f'it is there, and may not be executed: {r.err!r}')


@test(modes='user')
def ctrl_c_ends_a_slow_newuidmap(t):
    os.mkfifo(t.path('up'))
    maps, env = own_helpers(t, 'echo up >up; exec sleep 100')
    p = t.start_box(*maps, '--', 'touch', 'ran', env=env, pre=os.setpgrp)
    with open(t.path('up')) as f:
        t.eq(f.read(), 'up\n', 'start')
    os.killpg(p.pid, signal.SIGINT)
    t.eq(t.finish(p), -2, 'status')
    t.ok('a signal ended newuidmap' in p.err.rest(), 'the error says so')
    t.ok(not os.path.exists(t.path('ran')), 'the command has run')
    t.nothing_left()


@test(modes='root')
def user_option(t):
    for arg, want in (('12345', 'uid 12345 12345 12345 gid '), ('12345:23456', 'uid 12345 12345 12345 gid 23456 23456 23456'),
                      ('nobody', 'uid 65534'), ('nobody:12', 'uid 65534 65534 65534 gid 12 12 12')):
        r = t.box('--user', arg, '--', t.helper('showids'))
        t.good(r, 0)
        t.ok(r.out.startswith(want), f'--user {arg}: {r.out!r}')
        t.ok(arg == '12345' or ' 0' not in r.out.split('groups')[1], f'--user {arg}: root\'s groups are kept: {r.out!r}')
    r = t.box('--user', '12345:23456', '--', 'sh', '-c', CAPS)
    t.eq(set(re.findall(r':\t(\w+)', r.out)), {'0' * 16}, 'capabilities of an ordinary user inside')
    t.good(t.box('--user', '12345', '--', 'sh', '-c', 'echo $$; exit 3'), 3, '2\n')


@test(modes='root')
def every_group_of_the_user(t):
    """initgroups(3): all groups that list the user. The user databases are of the test's own, by mounts of its own."""
    want = [100, *range(3000, 3500)]
    t.write('passwd', 'root:x:0:0::/:/bin/sh\nmany:x:4000:100::/:/bin/sh\nmost:x:4001:100::/:/bin/sh\n')
    t.write('group', ''.join(f'g{g}:x:{g}:many\n' for g in want[1:]) + ''.join(f'h{g}:x:{g}:most\n' for g in range(5000, 6100)))
    mounts = 'mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec pidbox run --user "$1" -- "$2"'
    r = t.run(['unshare', '-m', 'sh', '-c', mounts, 'sh', 'many', t.helper('showids')])
    t.good(r, 0)
    t.eq(sorted(map(int, r.out.split('groups')[1].split())), want, 'groups')
    r = t.run(['unshare', '-m', 'sh', '-c', mounts, 'sh', 'most', t.helper('showids')])
    t.error(r, has=('most', '1024 groups'))


@test
def the_callers_own_ids_as_the_user(t):
    """setgroups is denied in an ordinary user's namespace (user_namespaces(7)), and not needed for this."""
    want = own_ids(t).split()[:8]
    for args in [], ['--map', 'me'], ['--as-pid1']:
        r = t.box(*args, '--user', f'{os.getuid()}:{os.getgid()}', '--', t.helper('showids'))
        t.good(r, 0)
        t.eq(r.out.split()[:8], want, f'{args}: ids')
    t.good(t.box('--map', 'root', '--user', '0:0', '--', 'sh', '-c', 'echo $(id -u):$(id -g)'), 0, '0:0\n')
    if t.mode == 'user':
        t.error(t.box('--user', '12345:12345', '--', 'true'), 'IDMAP')


@test(modes='user')
def the_callers_own_number(t):
    """It has no entry in passwd(5): its group is the caller's, as its other groups are, which nobody could change."""
    want = own_ids(t)
    t.good(t.box('--user', str(os.getuid()), '--', t.helper('showids')), 0, want)
    t.error(t.box('--user', str(os.getuid() + 1), '--', 'true'), 'IDMAP')


@test(modes='root')
def inheritable_capabilities_stay_that(t):
    """The set-up raises ambient ones for itself: the command has none that the caller had not (capabilities(7))."""
    run = t.path('run')
    os.mkdir(run, 0o700)
    os.chown(run, 54321, 54321)
    for ambient, had in ((), '0' * 16), (('--ambient-caps', '+kill'), f'{1 << 5:016x}'):
        who = ['setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups', '--inh-caps', '+kill,+sys_admin', *ambient]
        want = f'CapInh:\t{1 << 5 | 1 << 21:016x}\nCapPrm:\t{had}\nCapEff:\t{had}\nCapAmb:\t{had}\n'
        t.eq(t.run([*who, 'sh', '-c', CAPS]).out, want, 'without a box')
        r = t.run([*who, t.pidbox, 'run', '--', 'sh', '-c', CAPS], env={**t.env, 'PIDBOX_RUNTIME_DIR': run})
        t.good(r, 0, want)


@test(modes='root')
def his_own_groups_stay(t):
    """Who names himself and no group keeps what he is in: with CAP_SETGID gone, or setgroups denied, there is nothing else."""
    for ids, name in (('65534', 'nobody'), ('54321', '54321')):
        run = t.path(f'run-{ids}')
        os.mkdir(run, 0o700)
        os.chown(run, int(ids), int(ids))
        r = t.run(['setpriv', '--reuid', ids, '--regid', ids, '--groups', '7,8', t.pidbox, 'run', '--user', name, '--', 'sh', '-c', 'id -u; id -g'],
                  env={**t.env, 'PIDBOX_RUNTIME_DIR': run})
        t.good(r, 0, f'{ids}\n{ids}\n')


@test(modes='root')
def a_group_too_many_is_not_kept(t):
    """--user U:G is that group and no other: where setgroups is denied, an error says so."""
    u = ['setpriv', '--reuid', '54321', '--regid', '54321', '--groups', '54321,7']
    r = t.run([*u, t.pidbox, 'run', '--user', '54321:54321', '--', 'true'])
    t.error(r, 'IDMAP', has='supplementary groups')
    r = t.run(['setpriv', '--reuid', '54321', '--regid', '54321', '--groups', '54321', t.pidbox, 'run', '--user', '54321:54321', '--', 'true'])
    t.good(r, 0, '')


@test(modes='root')
def supplementary_groups_stay(t):
    r = t.run(['setpriv', '--groups', '7,8,1234', t.pidbox, 'run', '--', t.helper('showids')])
    t.ok(r.out.endswith('groups 7 8 1234\n'), r.out)


# ---- environment

ENV = '/usr/bin/env'


def env_of(t, *args, env=None):
    r = t.box(*args, '--', ENV, '-0', env=env)
    t.good(r, 0)
    return dict(x.split('=', 1) for x in r.out.split('\0') if x)


@test
def environment_is_the_callers(t):
    env = {**t.env, 'ODD': 'a b=c\n"$x', 'EMPTY': '', 'UTF': 'ä', 'BAD': b'\xff\xfe'}
    want = {k: os.fsdecode(v) for k, v in env.items()}
    t.eq(env_of(t, env=env), want, 'environment')


@test
def env_options(t):
    base, with_k = t.env, {**t.env, 'K': 'v', 'L': 'w'}
    t.eq(env_of(t, '-e', 'A=1', '--env', 'B=2', '--env=C=x=y', '-eD=', env=base), {**base, 'A': '1', 'B': '2', 'C': 'x=y', 'D': ''}, '-e')
    t.eq(env_of(t, '-e', 'K=1', '-e', 'K=2', env=with_k), {**with_k, 'K': '2'}, 'the last one wins')
    t.eq(env_of(t, '--clear-env', env=with_k), {}, '--clear-env')
    t.eq(env_of(t, '--clear-env', '-e', 'K', '-e', 'A=1', env=with_k), {'K': 'v', 'A': '1'}, '-e K under --clear-env')
    t.eq(env_of(t, '-e', 'K', '--clear-env', env=with_k), {'K': 'v'}, 'in the other order')
    t.eq(env_of(t, '--unset-env', 'K', '--unset-env=NOT_THERE', env=with_k), {k: v for k, v in with_k.items() if k != 'K'}, '--unset-env')
    t.eq(env_of(t, '--clear-env', '-e', 'NOT_THERE', env=with_k), {}, '-e of a variable that is not set')
    for args in ['-e', '=x'], ['-e', ''], ['--unset-env', 'A=B'], ['--unset-env', '']:
        t.error(t.box(*args, '--', 'true'), 'USAGE')


# ---- directory, arguments

@test
def directory(t):
    os.mkdir(t.path('d'))
    pwd = ['--', 'readlink', '/proc/self/cwd']
    t.good(t.box(*pwd), 0, t.tmp + '\n')
    t.good(t.box('-C', '/usr', *pwd), 0, '/usr\n')
    t.good(t.box('--chdir=d', *pwd), 0, t.path('d') + '\n')
    t.good(t.box('-Cd', '--', 'sh', '-c', 'echo x >f'), 0)
    t.ok(os.path.exists(t.path('d/f')), 'file in the directory')
    t.write('d/prog', '#!/bin/sh\nexit 3\n', 0o755)
    t.good(t.box('-C', 'd', '--', './prog'), 3)
    with t.case('deleted'):
        os.mkdir(t.path('gone'))
        r = t.sh('cd gone && rmdir ../gone && exec pidbox run -- sh -c "exit 3"')
        t.eq(r.code, 3, f'status ({r.err!r})')


@test
def arguments(t):
    for args in ([], ['', ' ', 'a b', '"', "'", '\n', '*', '$HOME', '-x', '--', 'ä'], [b'\xff\xfe'], ['x' * 100000]):
        r = t.run([t.pidbox, 'run', '--', 'argv', *args])
        want = '\0'.join(['argv', *(text(a) if isinstance(a, bytes) else a for a in args)]) + '\0'
        t.eq((r.code, r.out), (0, want), f'arguments {short(args, 60)}')
    r = t.box('--', '../' + os.path.basename(t.tmp) + '/x', 'y') if os.symlink(t.helper('argv'), t.path('x')) else \
        t.box('--', '../' + os.path.basename(t.tmp) + '/x', 'y')
    t.eq(r.out.split('\0')[0], '../' + os.path.basename(t.tmp) + '/x', 'argv[0] as given')


@test
def a_hundred_thousand_arguments(t):
    def many():
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, (64 << 20 if hard == resource.RLIM_INFINITY else hard, hard))
    r = t.box('--', 'sh', '-c', 'echo $#', 'sh', *['a'] * 100000, pre=many)
    t.good(r, 0, '100000\n')
    r, rec = t.report('--', 'sh', '-c', 'exit 3', 'sh', *['a'] * 100000, pre=many)
    t.eq((r.code, len(rec['command'])), (3, 100004), 'status, arguments in the record')


# ---- inherited

EVERY = set(range(1, 65)) - {32, 33}  # which libc keeps to itself


def strange():
    os.umask(0o137)
    os.nice(3)
    for res, soft in (resource.RLIMIT_NOFILE, 777), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_STACK, 4 << 20), (resource.RLIMIT_AS, 8 << 30):
        resource.setrlimit(res, (soft, resource.getrlimit(res)[1]))
    for s in signal.SIGPIPE, signal.SIGUSR1, signal.SIGHUP, signal.SIGCHLD, 40:
        signal.signal(s, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2, signal.SIGCHLD, 34, 63})
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with open('/proc/self/oom_score_adj', 'w') as f:
        f.write('500')
    with open('/proc/self/timerslack_ns', 'w') as f:
        f.write('77777')


def everything():
    for s in range(1, 65):
        if s not in (9, 19, 32, 33):
            signal.signal(s, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, EVERY)


@each({'plain': None, 'strange': strange, 'all signals blocked and ignored': everything})
def all_that_a_process_inherits(t, pre):
    want = t.run([t.helper('state')], pre=pre, **({'close_fds': True}))
    for args in [], ['--as-pid1'], ['--timeout', '10']:
        got = t.box(*args, '--', t.helper('state'), pre=pre)
        diff = [f'{g} (outside: {w})' for g, w in zip(lines(got.out), lines(want.out))
                if g != w and not (t.mode == 'user' and g.startswith('CapBnd')  # full in any new user namespace
                                   or '--as-pid1' in args and g == 'pdeathsig 9')]  # by contract
        t.ok(got.code == 0 and not diff and len(got.out) == len(want.out), f'{args}: differs: {diff[:6]} status {got.code} {got.err!r}')


@test
def statuses_with_sigchld_ignored_or_all_blocked(t):
    for pre in everything, lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN), \
            lambda: signal.pthread_sigmask(signal.SIG_BLOCK, EVERY):
        t.eq(t.box('--', 'sh', '-c', 'exit 7', pre=pre).code, 7, 'status')
        t.eq(t.box('--', t.helper('die'), '9', pre=pre).code, -9, 'signal')
        t.eq(t.box('--as-pid1', '--', 'sh', '-c', 'exit 7', pre=pre).code, 7, 'status with --as-pid1')
        t.eq(t.box('--', t.helper('die'), '15', pre=pre).code, -15, 'signal, itself ignored or blocked by the caller')
        t.eq(t.box('--timeout', '0.1', '--', 'sleep', '100', '--grace', '0', pre=pre).code in (124, 1), True, 'time limit')


@test
def sigpipe(t):
    r = t.sh('trap "" PIPE; pidbox run -- sh -c "yes 2>/dev/null; echo \\$? >&2" | head -1')
    t.eq((r.out, r.err), ('y\n', '1\n'), 'ignored SIGPIPE stays ignored: yes gets EPIPE')
    r = t.run(['bash', '-c', 'pidbox run -- yes | head -1; echo ${PIPESTATUS[0]}'])
    t.eq((r.out, r.err), ('y\n141\n', ''), 'default SIGPIPE: yes dies of it, and pidbox too')
