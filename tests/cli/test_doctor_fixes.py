# SPDX-License-Identifier: MIT
"""Every refusal made for real: doctor and run give it the same code, and their advice, followed, makes it work."""
from support import *
from test_doctor import doctor, judge

OWN = ['unshare', '-Urm']  # root of a user namespace of its own, in every mode
UID = 54321
AS_USER = ['setpriv', '--reuid', str(UID), '--regid', str(UID), '--clear-groups']


def both(t, script, *args, pre=OWN, opts='', default_box=True, command='echo ran', **kw):
    """In one world: what doctor says (checks by name), and how `pidbox run` ends. The script comes before; "$@" are args."""
    run = f'{t.pidbox} run {opts} -- {command}'
    r = t.run([*pre, '/bin/sh', '-c', f'{script}\n{t.pidbox} doctor --json >{t.tmp}/said 2>&1; echo $? >{t.tmp}/status\nexec {run}', 'sh', *args],
              timeout=25, **kw)
    out = t.path('said')
    t.ok(os.path.exists(t.path('status')), f'the world was not made: {r.err!r}')
    said = Result(code=int(open(t.path('status')).read()), out=open(out).read(), err='', argv=['pidbox', 'doctor'])
    for name in 'said', 'status':
        os.unlink(t.path(name))
    return judge(t, said, default_box), r


def refused(t, check, code, script, *args, status='refused', has=(), **kw):
    """Both refuse, with one code; @return the check"""
    checks, r = both(t, script, *args, **kw)
    c = checks[check]
    t.eq((c['status'], c['code']), (status, code), f'doctor: {check} ({c["why"]})')
    m = t.error(r, code, has=has)
    if m:
        t.eq(m['code'], code, 'code of run')
        t.eq([m['why'], m['fix']], [f'\n  why: {c["why"]}', f'\n  fix: {c["fix"]}'], 'the words of both')
    return c


def works(t, check, script, *args, out='ran\n', **kw):
    checks, r = both(t, script, *args, **kw)
    t.eq(checks[check]['status'], 'works', f'doctor: {check} ({checks[check]["why"]})')
    t.good(r, 0, out)


# ---------------------------------------------------------------- namespaces

@each({k: k for k in 'user pid mnt uts ipc net cgroup time'.split()})
def limit_of_namespaces(t, kind):
    """namespaces(7): /proc/sys/user/max_*_namespaces; only ever of a user namespace that the test has made."""
    word = 'mount' if kind == 'mnt' else kind
    if not os.path.exists(f'/proc/sys/user/max_{kind}_namespaces'):
        t.skip('this kernel has no such kind')
    opts = '--map me' if kind == 'user' else '' if kind in ('pid', 'mnt', 'uts', 'ipc') else f'--unshare {kind}'
    zero = f'echo 0 >/proc/sys/user/max_{kind}_namespaces'
    c = refused(t, f'{word} namespace', 'NS_LIMIT', zero, opts=opts, default_box=bool(opts), has=f'max_{kind}_namespaces')
    m = re.match(r'sysctl user\.(\w+)=(\d+), ', c['fix'])
    if t.ok(m, f'the advice: {c["fix"]}'):
        works(t, f'{word} namespace', f'{zero}; echo {m[2]} >/proc/sys/user/{m[1]}', opts=opts)


@test
def no_user_namespace_for_an_ordinary_user(t):
    """Without CAP_SYS_ADMIN nothing can be had without one: no default box."""
    if not shutil.which('capsh'):
        t.skip('no capsh')
    ordinary = f'exec capsh --drop=cap_sys_admin -- -c "{t.pidbox} doctor --json"'
    for limit, code in ('0', 'NS_LIMIT'), ('15000', None):
        r = t.run([*OWN, 'sh', '-c', f'echo {limit} >/proc/sys/user/max_user_namespaces; {ordinary}'])
        checks = judge(t, r, default_box=code is None)
        for name in 'user namespace', 'default box', 'pid namespace', 'nesting', 'fresh /proc':
            t.eq(checks[name]['code'], code, f'{limit}: {name}')


@test
def nested_as_deep_as_can_be(t):
    """pid_namespaces(7): up to 32 levels; user namespaces likewise (user_namespaces(7))."""
    room = int(re.match(r'(\d+) more levels', healthy_nesting(t))[1])
    t.ok(1 <= room <= 32, f'{room} levels')
    opts = '--map root' if t.mode == 'userns' else ''
    nest = t.write('nest', f'#!/bin/sh\n[ $1 = 0 ] && exec {t.pidbox} doctor --json\nexec pidbox run {opts} -- $0 $(($1 - 1))\n', 0o755)
    r = t.run([nest, str(room)], timeout=25)
    checks = judge(t, r, default_box=False)
    for name in 'pid namespace', 'nesting', 'default box':
        t.eq((checks[name]['status'], checks[name]['code']), ('refused', 'NS_LIMIT'), name)
    t.ok('nest less deep' in checks['pid namespace']['fix'], f'the advice: {checks["pid namespace"]["fix"]}')
    t.error(t.run([nest, str(room + 1)], timeout=25), 'NS_LIMIT')
    checks = judge(t, t.run([nest, str(room - 1)], timeout=25))
    t.eq(checks['pid namespace']['status'], 'works', 'one less deep')
    t.ok(checks['nesting']['why'].startswith('1 more levels'), f'what is left: {checks["nesting"]["why"]}')


def healthy_nesting(t):
    return judge(t, doctor(t, '--json'))['nesting']['why']


@each({'EPERM': 'EPERM', 'ENOSYS': 'ENOSYS'})
def seccomp(t, errno_name):
    """A filter as container runtimes have it (seccomp(2)); and one that is active and refuses nothing of this."""
    deny = ['deny', errno_name, 'namespaces', '--']
    c = refused(t, 'user namespace', 'USERNS_SECCOMP', '', pre=deny, default_box=False, has='Seccomp: 2')
    t.ok('allows clone and unshare' in c['fix'], f'the advice: {c["fix"]}')
    c = judge(t, doctor(t, '--json', pre=deny), False)['seccomp filter']
    t.eq((c['status'], c['code'], c['layer']), ('refused', 'USERNS_SECCOMP', 'seccomp'), 'the filter')
    works(t, 'seccomp filter', '', pre=['deny', 'EPERM', 'statmount', '--'])


@test
def own_id_without_a_number(t):
    """clone(2): EPERM, when an effective id of the caller has no mapping in his user namespace."""
    world = ['unshare', '-U', 'sh', '-c', 'exec "$@"', 'sh']  # no map at all: the exec leaves no capability
    c = refused(t, 'user namespace', 'IDMAP', '', pre=world, default_box=False, has=['uid has no number', 'clone(2)'])
    t.eq(c['layer'], 'id map', 'layer')
    if shutil.which('capsh'):
        works(t, 'user namespace', '', pre=['unshare', '-Ur', 'capsh', '--drop=cap_sys_admin', '--', '-c', 'exec "$0" "$@"'])


@test(modes='root,userns')
def dead_namespace(t):
    """pid_namespaces(7): after the end of PID 1, fork fails with ENOMEM."""
    if kernel() < (6, 11):
        t.skip('before Linux 6.11 a namespace whose PID 1 has ended cannot be told from one where it has not begun')
    # Nothing can be forked there, so each is executed by a shell of its own.
    world = ['unshare', '-p', 'sh', '-c', '/bin/true; exec "$@"', 'sh', t.pidbox]
    c = judge(t, t.run([*world, 'doctor', '--json']), False)['processes']
    t.eq((c['status'], c['code'], c['layer']), ('refused', 'BOX_DEAD', 'namespace'), 'doctor')
    m = t.error(t.run([*world, 'run', '--', 'touch', 'ran']), 'BOX_DEAD')
    t.eq(m and m['fix'], f'\n  fix: {c["fix"]}', 'the same advice')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')
    t.good(t.run([t.pidbox, 'run', '--', 'echo', 'ran']), 0, 'ran\n')  # from a process that has not called unshare


@test(modes='root,userns')
def no_child_where_it_would_be_pid_1(t):
    """unshare(2): the first child is PID 1 of the new namespace, and its end is the namespace's. Doctor makes none."""
    r = t.run(['unshare', '-p', t.pidbox, 'doctor', '--json'])
    c = judge(t, r, False)['processes']
    t.ok('no child in the new one yet' in c['why'] and c['fix'] == 'fork first: unshare --pid --fork', f'{c}')
    works(t, 'processes', '', pre=['unshare', '--pid', '--fork', '--mount-proc'])


# ---------------------------------------------------------------- processes

@test(modes='user')
def process_limit_of_a_user(t):
    """getrlimit(2): RLIMIT_NPROC, the soft limit, which its owner may raise again."""
    def low():
        resource.setrlimit(resource.RLIMIT_NPROC, (1, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
    c = judge(t, t.run([t.pidbox, 'doctor', '--json'], pre=low), False)['processes']
    t.eq((c['status'], c['code'], c['layer']), ('refused', 'PROC_LIMIT', 'limit'), 'doctor')
    t.ok('RLIMIT_NPROC is 1 ' in c['why'], f'which limit: {c["why"]}')
    m = t.error(t.box('--', 'touch', 'ran', pre=low), 'PROC_LIMIT')
    t.eq(m and (m['why'], m['fix']), (f'\n  why: {c["why"]}', f'\n  fix: {c["fix"]}'), 'the words of both')
    t.ok('ulimit -u' in c['fix'], f'the advice: {c["fix"]}')
    r = t.run(['bash', '-c', f'ulimit -Su hard; {t.pidbox} doctor --json && exec {t.pidbox} run -- true'], pre=low)
    t.eq(judge(t, r)['processes']['status'], 'works', 'with the limit raised')


@test
def file_size_limit(t):
    """getrlimit(2): RLIMIT_FSIZE holds for files in memory, too. The command needs none of them for a box."""
    def none():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    c = judge(t, t.run([t.pidbox, 'doctor', '--json'], pre=none), True)['default box']
    t.eq((c['status'], c['layer']), ('works', None), 'default box')
    t.good(t.box('--', 'sh', '-c', 'ulimit -f', pre=none), 0, '0\n')


@test(modes='root')
def process_limit_of_a_cgroup(t):
    """pids.max of a group of our own (cgroups(7))."""
    group = next((f'{top}/pidbox-doctor-{os.getpid()}' for top in ('/sys/fs/cgroup/pids', '/sys/fs/cgroup') if pids_group(f'{top}/pidbox-doctor-{os.getpid()}')), None)
    if group is None:
        t.skip('no pids cgroup can be made here')
    t.cleanups.append(lambda: until(lambda: not gone(group)))
    enter = ['sh', '-c', f'echo $1 >{group}/pids.max && echo 0 >{group}/cgroup.procs && shift && exec "$@"', 'sh']
    c = judge(t, t.run([*enter, '1', t.pidbox, 'doctor', '--json']), False)['processes']
    t.eq((c['status'], c['code'], c['layer']), ('refused', 'PROC_LIMIT', 'limit'), 'doctor')
    m = t.error(t.run([*enter, '1', t.pidbox, 'run', '--', 'touch', 'ran']), 'PROC_LIMIT')
    t.eq(m and m['fix'], f'\n  fix: {c["fix"]}', 'the same advice')
    t.ok('pids.max' in c['fix'], f'the advice: {c["fix"]}')
    for n in range(2, 8):  # with few more, some steps work and others do not: for both the same
        r = t.run([*enter, str(n), t.pidbox, 'run', '--', 'echo', 'ran'])
        box = judge(t, t.run([*enter, str(n), t.pidbox, 'doctor', '--json']), r.code == 0)['default box']
        t.eq(box['code'], None if r.code == 0 else 'PROC_LIMIT', f'{n} processes (run: {r.err!r})')
    checks = judge(t, t.run([*enter, '10', t.pidbox, 'doctor', '--json']))
    t.eq(checks['processes']['status'], 'works', 'with the limit raised')
    t.ok('a limit of processes' in checks['nesting']['why'], f'ten are too few to nest 32 deep: {checks["nesting"]}')
    t.good(t.run([*enter, '10', t.pidbox, 'run', '--', 'echo', 'ran']), 0, 'ran\n')


def pids_group(path):
    with contextlib.suppress(OSError):
        os.mkdir(path)
        if os.path.exists(f'{path}/pids.max'):
            return True
        os.rmdir(path)
    return False


def gone(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return os.path.exists(path)


# ---------------------------------------------------------------- /proc

@test
def masked_proc(t):
    """As containers have it: a mount on top of /proc, and no new procfs in a user namespace."""
    mask = 'mount --bind /dev/null /proc/uptime'
    c = refused(t, 'fresh /proc', 'PROC_MASKED', mask, status='limited', opts='--map me', has='/proc/uptime')
    t.ok('/proc/uptime' in c['why'] and '--proc keep' in c['fix'], f'{c}')
    checks, r = both(t, mask, opts='--map me --proc keep')
    t.good(r, 0, 'ran\n')
    t.ok('/proc/uptime' in checks['/proc']['why'], f'what lies on it: {checks["/proc"]}')
    t.eq(c['layer'], 'mount', 'layer')
    works(t, 'fresh /proc', f'{mask} && umount /proc/uptime', opts='--map me')


@test(modes='root')
def masked_proc_of_a_container(t):
    """Masks that root has made, and an ordinary user inside: no default box."""
    world = ['unshare', '-m', 'sh', '-c', 'mount --bind /dev/null /proc/uptime; exec "$@"', 'sh', *AS_USER, t.pidbox]
    env = {**t.env, 'PIDBOX_RUNTIME_DIR': '/nonexistent'}
    checks = judge(t, t.run([*world, 'doctor', '--json'], env=env, cwd='/'), False)
    for name in 'default box', 'fresh /proc':
        t.eq((checks[name]['status'], checks[name]['code']), ('refused', 'PROC_MASKED'), name)
        t.ok('/proc/uptime' in checks[name]['why'], f'the mask: {checks[name]["why"]}')
    t.eq(checks['pid namespace']['status'], 'works', 'that is all that is refused')
    t.error(t.run([*world, 'run', '--', '/bin/true'], env=env, cwd='/'), 'PROC_MASKED')


@test
def read_only_proc_sys(t):
    ro = 'mount --bind -o ro /proc/sys /proc/sys'
    checks, r = both(t, ro, opts='--proc keep --first-pid 100', command="sh -c 'echo $$'")
    c = checks['/proc/sys']
    t.eq((c['status'], c['layer']), ('limited', 'mount'), 'doctor')
    m = t.error(r, has='read-only')
    t.eq(m and (m['code'], m['why'], m['fix']), (None, f'\n  why: {c["why"]}', f'\n  fix: {c["fix"]}'), 'the words of both')
    t.eq(c['fix'], 'use --proc fresh', 'the advice')
    _, r = both(t, ro, opts='--proc fresh --first-pid 100', command="sh -c 'echo $$'")
    t.good(r, 0, '100\n')


@test
def proc_not_mounted(t):
    cover = 'mount -t tmpfs none /proc'
    checks, r = both(t, cover, opts='--map me')
    c = checks['user namespace']
    t.eq((c['status'], c['code']), ('refused', 'IDMAP'), 'doctor')
    t.eq(checks['/proc']['status'], 'limited', '/proc')
    m = t.error(r, 'IDMAP', has='/proc')
    t.ok('mount' in c['fix'] and m and 'mount' in m['fix'], f'the advice: {c["fix"]}, {m and m["fix"]}')
    works(t, '/proc', f'{cover} && umount /proc', opts='--map me')


@test(modes='root')
def proc_is_mounted_as_told(t):
    """For real: the command of the advice, in a PID namespace of its own."""
    world = ['unshare', '-mpf', '--propagation', 'private']
    cover = 'umount -l /proc && mkdir -p /proc'
    checks, r = both(t, cover, pre=world, opts='--map me')
    m = t.error(r, 'IDMAP')
    c = checks['/proc']
    t.eq((c['code'], m and m['fix']), ('IDMAP', f'\n  fix: {c["fix"]}'), 'the same advice')
    told = re.match(r'(mount [^,]*?)(,|$)', c['fix'])
    if t.ok(told, f'a command: {c["fix"]}'):
        works(t, '/proc', f'{cover} && {told[1]}', pre=world, opts='--map me')


# ---------------------------------------------------------------- a chroot

@test(modes='root')
def chroot_of_an_ordinary_user(t):
    """clone(2): EPERM, a user namespace in a chroot, with a /proc or without. By pivot_root(2), as the advice says, it works."""
    script = f"""set -e
        mkdir -p root && mount -t tmpfs -o mode=755 none root && cd root && mkdir -p new/old
        for d in bin lib lib64 usr etc proc; do [ ! -e /$d ] || {{ mkdir new/$d && mount --rbind /$d new/$d; }}; done
        cp {t.pidbox} new/pidbox
        how=$1 && shift
        case $how in
        bare) umount -l new/proc ;;
        pivot) mount --rbind new new && cd new && pivot_root . old && umount -l old && exec {' '.join(AS_USER)} "$@" ;;
        esac
        exec chroot --userspec={UID}:{UID} new "$@\""""

    def world(*argv):
        return t.run(['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', *argv])
    for how in 'proc', 'bare':
        with t.case(how):
            checks = judge(t, world(how, '/pidbox', 'doctor', '--json'), False)
            for check in 'default box', 'user namespace':
                t.eq([checks[check][k] for k in ('status', 'code', 'layer')], ['refused', 'DENIED', 'kernel'], check)
            t.eq(checks['root directory']['status'], 'refused', 'root directory')
            m = t.error(world(how, '/pidbox', 'run', '--', '/bin/true'), 'DENIED', has=['chroot', 'pivot_root'])
            t.eq(m and (m['why'], m['fix']), tuple(f'\n  {k}: {checks["default box"][k]}' for k in ('why', 'fix')), 'the words of both')
    with t.case('pivot_root, as it says'):
        t.good(world('pivot', '/pidbox', 'run', '--', '/bin/echo', 'ran'), 0, 'ran\n')


# ---------------------------------------------------------------- ids

ETC = '''set -e
    for f in subuid subgid; do
        cp /etc/passwd {tmp}/$f && printf "$1" >{tmp}/$f && mount --bind {tmp}/$f /etc/$f
    done
    mkdir -p {tmp}/bin && mount -t tmpfs -o mode=755 none {tmp}/bin
    if [ "$2" = helpers ]; then
        cp {helper} {tmp}/bin/newuidmap && cp {helper} {tmp}/bin/newgidmap
        chown 0:0 {tmp}/bin/* && chmod "${{3-4755}}" {tmp}/bin/*
    fi
    shift 3
    PATH={tmp}/bin:/usr/bin:/bin exec "$@"'''


def world_of_ids(t, ranges, helpers, mode='4755'):
    """An ordinary user, /etc/subuid and /etc/subgid as told, and newuidmap or none (set user ID root, by its mode)."""
    script = ETC.format(tmp=t.tmp, helper=t.helper('newuidmap'))
    return ['unshare', '-m', 'sh', '-c', script, 'sh', ranges, 'helpers' if helpers else 'none', mode, *AS_USER, t.pidbox]


@test(modes='root')
def subordinate_ids(t):
    """subuid(5), newuidmap(1): first no range, then nobody to write the maps, then one without the right, then it works."""
    if not os.path.exists('/etc/subuid') or shutil.which('newuidmap'):
        t.skip('this machine has no /etc/subuid, or has newuidmap')
    os.chmod(t.tmp, 0o755)
    ask = lambda world: (judge(t, t.run([*world, 'doctor', '--json'], cwd='/')), t.run([*world, 'run', '--map', 'auto', '--', '/bin/cat', '/proc/self/uid_map'], cwd='/'))  # noqa: E731
    t.env = {**t.env, 'PIDBOX_RUNTIME_DIR': '/nonexistent'}
    line = f'{UID}:100000:65536\\n'
    with t.case('no range'):
        checks, r = ask(world_of_ids(t, '', True))
        c, m = checks['subordinate ids'], t.error(r, 'IDMAP', has=f'uid {UID}')
        t.eq((c['status'], c['code'], f'\n  fix: {c["fix"]}'), ('refused', 'IDMAP', m and m['fix']), 'doctor')
        t.ok(line[:-2] in c['fix'], f'the line to add: {c["fix"]}')
        t.eq(checks['newuidmap and newgidmap']['why'], 'setuid root; setuid root', 'the helpers')
    with t.case('no newuidmap'):
        checks, r = ask(world_of_ids(t, line, False))
        c, m = checks['newuidmap and newgidmap'], t.error(r, 'IDMAP', has='not installed')
        t.eq((c['status'], c['code'], f'\n  fix: {c["fix"]}'), ('refused', 'IDMAP', m and m['fix']), 'doctor')
        t.eq(checks['subordinate ids']['fix'], c['fix'], 'the same of the whole')
    with t.case('one without a right'):
        checks, r = ask(world_of_ids(t, line, True, '755'))
        t.error(r, 'IDMAP')
        c = checks['newuidmap and newgidmap']
        t.eq((c['status'], c['code']), ('refused', 'IDMAP'), 'doctor')
        t.ok('neither setuid root' in c['why'], f'{c["why"]}')
    with t.case('all there'):
        checks, r = ask(world_of_ids(t, line, True))
        t.eq(t.good(r, 0).out.split(), ['0', str(UID), '1', '1', '100000', '65536'], 'the map')
        t.eq(checks['subordinate ids']['why'], 'uids 100000-165535; gids 100000-165535', 'the ranges')
        t.eq(checks['newuidmap and newgidmap']['status'], 'works', 'the helpers')
    with t.case('no_new_privs'):
        world = world_of_ids(t, line, True)
        at = world.index(t.pidbox)
        c = judge(t, t.run([*world[:at], 'setpriv', '--no-new-privs', t.pidbox, 'doctor', '--json'], cwd='/'))['newuidmap and newgidmap']
        t.ok(c['status'] == 'refused' and 'no_new_privs' in c['why'], f'{c}')


# ---------------------------------------------------------------- terminal

@test
def no_ptmx(t):
    """devpts in Documentation/filesystems: /dev/ptmx may be a link to the ptmx of a devpts."""
    dev = '''for f in null tty; do [ -e /dev/$f ] && touch {0}/$f && mount --bind /dev/$f {0}/$f; done
             mount --rbind {0} /dev'''.format(t.path('dev'))
    os.mkdir(t.path('dev'))
    c = refused(t, 'terminal', 'TTY', dev, opts='--tty', has='there is no /dev/ptmx')
    t.eq(c['layer'], 'device', 'layer')
    told = re.match(r'as root: (.*); or run without --tty$', c['fix'])
    if t.ok(told, f'the advice: {c["fix"]}'):
        works(t, 'terminal', f'{dev}; {told[1]}', opts='--tty', out='ran\r\n')
    _, r = both(t, dev)
    t.good(r, 0, 'ran\n')  # without --tty


# ---------------------------------------------------------------- switches that this machine has not

@each({'Debian': ('unprivileged_userns_clone', '0', 'USERNS_DISABLED', 'sysctl'),
       'Ubuntu': ('apparmor_restrict_unprivileged_userns', '1', 'USERNS_APPARMOR', 'security module')}, modes='root')
def switch_of_a_distribution(t, name, value, code, layer):
    """The file is put over /proc/sys/kernel, and a filter stands in for what refuses; kernels that do are in tests/vm."""
    os.mkdir(t.path('kernel'))
    t.write(f'kernel/{name}', f'{value}\n')
    env = {**t.env, 'PIDBOX_RUNTIME_DIR': '/nonexistent'}
    world = ['unshare', '-m', 'sh', '-c', f'mount --bind {t.path("kernel")} /proc/sys/kernel && exec "$@"', 'sh', *AS_USER, 'deny', 'EPERM', 'namespaces',
             '--', t.pidbox]
    os.chmod(t.tmp, 0o755)
    checks = judge(t, t.run([*world, 'doctor', '--json'], env=env, cwd='/'), False)
    for check in 'user namespace', f'kernel.{name}', 'default box':
        t.eq([checks[check][k] for k in ('status', 'code', 'layer')], ['refused', code, layer], check)
    m = t.error(t.run([*world, 'run', '--', '/bin/true'], env=env, cwd='/'), code)
    t.eq(m and m['fix'], f'\n  fix: {checks["user namespace"]["fix"]}', 'the same advice')
    out = t.run([*world, 'doctor'], env=env, cwd='/').out
    t.eq('profile pidbox ' in out, code == 'USERNS_APPARMOR', 'the profile is the fix, and printed')


# ---------------------------------------------------------------- AppArmor's profile

PARSER = '#!/bin/sh\necho "$@" >>{tmp}/asked\ncp "$2" {tmp}/loaded\n{does}\n'


class Etc:
    """A copy of /etc for each command, in a mount namespace of its own, with an apparmor_parser that notes what it is asked."""
    def __init__(self, t, parser='exit 0', folder=True):
        self.t, self.etc = t, t.path('etc')
        os.makedirs(f'{self.etc}/apparmor.d' if folder else self.etc)
        for f in 'passwd', 'group':
            shutil.copy(f'/etc/{f}', self.etc)
        os.mkdir(t.path('bin'))
        self.parser(parser)

    def parser(self, does):
        if does:
            self.t.write('bin/apparmor_parser', PARSER.format(tmp=self.t.tmp, does=does), 0o755)
        else:
            os.unlink(self.t.path('bin/apparmor_parser'))

    def doctor(self, *args, pre=()):
        return self.t.run(['unshare', '-m', 'sh', '-c', f'mount --bind {self.etc} /etc && PATH={self.t.path("bin")}:/usr/bin:/bin exec "$@"', 'sh',
                           *pre, self.t.pidbox, 'doctor', *args], cwd='/')

    def asked(self):
        with contextlib.suppress(OSError), open(self.t.path('asked')) as f:
            text = f.read()
            os.unlink(self.t.path('asked'))
            return text
        return ''

    def files(self):
        return {f: open(f'{self.etc}/apparmor.d/{f}').read() for f in sorted(os.listdir(f'{self.etc}/apparmor.d'))}


@test(modes='root')
def apparmor_profile(t):
    """apparmor.d(5): one profile, for one program, with the rule userns; -r and -R in apparmor_parser(8)."""
    e = Etc(t)
    t.good(e.doctor('--install-apparmor'), 0, '/etc/apparmor.d/pidbox is written and loaded\n')
    t.eq(e.asked(), '-r /etc/apparmor.d/.pidbox.new\n', 'the parser')
    t.eq(list(e.files()), ['pidbox'], 'files')
    text = e.files()['pidbox']
    t.ok(re.search(rf'^profile pidbox "{re.escape(t.pidbox)}" flags=\(unconfined\) \{{\n\s*userns,\n\}}\n\Z', text, re.M), f'the profile: {text}')
    t.eq(len(re.findall('^profile ', text, re.M)), 1, 'profiles')
    t.eq(os.stat(f'{e.etc}/apparmor.d/pidbox').st_mode & 0o7777, 0o644, 'mode')
    t.eq(open(t.path('loaded')).read(), text, 'what was loaded is what is there')
    t.good(e.doctor('--install-apparmor'), 0)
    t.eq(e.files(), {'pidbox': text}, 'once more')
    e.asked()
    t.good(e.doctor('--remove-apparmor'), 0, '/etc/apparmor.d/pidbox is removed\n')
    t.eq((e.asked(), e.files()), ('-R /etc/apparmor.d/pidbox\n', {}), 'the parser, and what is left')
    t.good(e.doctor('--remove-apparmor'), 0, 'there is no /etc/apparmor.d/pidbox\n')


@test(modes='root')
def apparmor_profile_for_a_real_parser(t):
    """apparmor_parser(8) of AppArmor 4 compiles it, also for a program with an odd path; nothing is loaded (-Q)."""
    abi = '/etc/apparmor.d/abi/4.0'
    if not shutil.which('apparmor_parser', path=t.env['PATH']) or not os.path.exists(abi):
        t.skip('AppArmor 4 is not installed')
    os.makedirs(t.path('a b/{x}[y]*'))
    odd = shutil.copy(t.pidbox, t.path('a b/{x}[y]*/pid\\box?'))
    for d in '', 'a b', 'a b/{x}[y]*':
        os.chmod(t.path(d), 0o755)
    for program in t.pidbox, odd:
        text = t.run([*AS_USER, program, 'doctor', '--install-apparmor'], cwd='/').out.partition('\n\n')[2]
        for profile, status in (text, 0), (text.replace('userns,', 'usernz,'), 1):
            r = t.run(['apparmor_parser', '-Q', '-K', '--kernel-features', abi, t.write('profile', profile)])
            t.eq((r.code, r.out), (status, ''), f'{program}: {profile!r}: {r.err!r}')


@test(modes='root')
def apparmor_profile_that_cannot_be(t):
    e = Etc(t, 'echo "AppArmor parser error: syntax error" >&2; exit 1')
    with t.case('the parser refuses it'):
        t.error(e.doctor('--install-apparmor'), has='syntax error')
        t.eq(e.files(), {}, 'nothing is written')
    with t.case('the parser refuses another one'):
        e.parser('exit 0')
        e.doctor('--install-apparmor')
        was = e.files()
        e.parser('exit 1')
        t.error(e.doctor('--install-apparmor'), has='apparmor_parser refuses it')
        t.eq(e.files(), was, 'the one that was there stays')
    with t.case('no parser'):
        e.parser(None)
        r = t.good(e.doctor('--install-apparmor'), 0)
        t.ok('no apparmor_parser' in r.out, f'it says so: {r.out}')
        t.eq(e.files(), was, 'it is written')
        t.good(e.doctor('--remove-apparmor'), 0)
        t.eq(e.files(), {}, 'and removed')
    with t.case('somebody else\'s'):
        with open(f'{e.etc}/apparmor.d/pidbox', 'w') as f:
            f.write('profile pidbox /opt/pidbox { }\n')
        was = e.files()
        for option in '--install-apparmor', '--remove-apparmor':
            t.error(e.doctor(option), has='pidbox has not written it')
        t.eq(e.files(), was, 'it stays')
        os.rename(f'{e.etc}/apparmor.d/pidbox', t.path('elsewhere'))
        os.symlink(t.path('elsewhere'), f'{e.etc}/apparmor.d/pidbox')
        for option in '--install-apparmor', '--remove-apparmor':
            t.error(e.doctor(option), has='pidbox has not written it')
        t.eq((os.readlink(f'{e.etc}/apparmor.d/pidbox'), list(e.files().values())), (t.path('elsewhere'), list(was.values())), 'a link stays, too')


@test(modes='root')
def apparmor_profile_where_there_is_none(t):
    e = Etc(t, folder=False)
    t.error(e.doctor('--install-apparmor'), has='AppArmor is not installed here')
    t.good(e.doctor('--remove-apparmor'), 0, 'there is no /etc/apparmor.d/pidbox\n')


@test(modes='root')
def apparmor_profile_of_an_ordinary_user(t):
    """He is shown it, and nothing is written."""
    e = Etc(t)
    r = e.doctor('--install-apparmor', pre=AS_USER)
    t.error(r, 'DENIED', has='run it as root', out=None)
    t.ok('profile pidbox ' in r.out and '\tuserns,\n' in r.out, f'the profile: {r.out}')
    t.good(e.doctor('--install-apparmor'), 0)
    t.error(e.doctor('--remove-apparmor', pre=AS_USER), 'DENIED')
    t.eq(list(e.files()), ['pidbox'], 'files')
