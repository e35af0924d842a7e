# SPDX-License-Identifier: MIT
"""Refusals that are settings of the whole machine: Debian's switch, and AppArmor with a real apparmor_parser. Only the machines
of tests/vm/run (--engines) are the tests' to change; elsewhere test_doctor_fixes has a filter and files in their place."""
from support import *
from test_doctor import judge
from test_doctor_fixes import AS_USER

SWITCH = '/proc/sys/kernel/unprivileged_userns_clone'
KERNEL = '/sys/kernel/security/apparmor'  # securityfs: what is loaded, and what this kernel mediates
FOLDER = '/etc/apparmor.d'


def guest(t):
    if not is_guest():
        t.skip('it changes the whole machine, and this is none of tests/vm/run')
    os.chmod(t.tmp, 0o755)


def ask(t, pidbox, who=AS_USER, **kw):
    """pidbox of some user: his runtime directory is not the test's."""
    env = {**t.env, 'PIDBOX_RUNTIME_DIR': '/nonexistent'}
    return lambda *args: t.run([*who, pidbox, *args], env=env, cwd='/', timeout=25, **kw)


def refusals(t, call, checks, code, layer):
    """What doctor and run say: with the same words. @return the fix"""
    said = judge(t, call('doctor', '--json'), False)
    for name in checks:
        t.eq([said[name][k] for k in ('status', 'code', 'layer')], ['refused', code, layer], name)
    m = t.error(call('run', '--', '/bin/true'), code)
    c = said[checks[0]]
    t.eq(m and [m['why'], m['fix']], [f'\n  why: {c["why"]}', f'\n  fix: {c["fix"]}'], 'the words of both')
    r = call('doctor')
    told = f'refused  default box, by: {layer} [{code}]\n  why: {c["why"]}\n  fix: {c["fix"]}\n'
    t.ok(r.code == 1 and told in r.out, f'the text has not {told}')
    return c['fix']


def box_works(t, call, checks):
    said = judge(t, call('doctor', '--json'))
    for name in checks:
        t.eq(said[name]['status'], 'works', name)
    t.good(call('run', '--', 'echo', 'ran'), 0, 'ran\n')


@test(modes='root', serial=True)
def switch_of_debian(t):
    """A patch of Debian's: at 0, user namespaces take CAP_SYS_ADMIN."""
    guest(t)
    if not os.path.exists(SWITCH):
        t.skip('this kernel has not Debian\'s switch')
    was, call, checks = open(SWITCH).read(), ask(t, t.pidbox), ['user namespace', 'kernel.unprivileged_userns_clone', 'default box']

    def put(value):
        with open(SWITCH, 'w') as f:
            f.write(value)
    t.cleanups.append(lambda: put(was))
    put('1')
    box_works(t, call, checks)
    put('0')
    fix = refusals(t, call, checks, 'USERNS_DISABLED', 'sysctl')
    m = re.fullmatch(r'(sysctl \S+=1) \(as root of the machine\), or run as that root', fix)
    if t.ok(m, f'the advice: {fix}'):
        t.good(t.run([t.pidbox, 'run', '--', 'echo', 'ran']), 0, 'ran\n')  # as that root
        t.good(t.run(m[1].split()), 0, err=None)
        box_works(t, call, checks)


# ---------------------------------------------------------------- AppArmor

# All that there is to allow, but for user namespaces; and files in memory, which the init is.
FLAGS = 'flags=(attach_disconnected)'
RULES = 'file,', 'capability,', 'mount,', 'remount,', 'umount,', 'pivot_root,', 'signal,', 'ptrace,', 'unix,', 'network,', 'mqueue,', 'io_uring,'


def loaded():
    """name -> mode"""
    return dict(re.fullmatch(r'(.*) \((\w+)\)', x).groups() for x in open(f'{KERNEL}/profiles').read().splitlines())


def parser(t, option, text):
    """apparmor_parser(8): -r loads a profile or replaces it, -R removes it."""
    file = t.write('profile', text)
    t.good(t.run(['apparmor_parser', option, file], timeout=60), 0, err=None)


def profile(t, name, attached='', rules=RULES, flags=FLAGS):
    """It is loaded, and removed after the test."""
    text = f'abi <abi/4.0>,\nprofile {name} {attached} {flags} {{\n' + ''.join(f'\t{r}\n' for r in rules) + '}\n'
    parser(t, '-r', text)
    t.cleanups.append(lambda: name in loaded() and parser(t, '-R', text))
    return text


def apparmor(t, mediates=''):
    """A copy of pidbox: profiles go by the path, and the other tests' is not to get one."""
    guest(t)
    if not os.path.exists(f'{KERNEL}/profiles'):
        t.skip('AppArmor does not run here')
    if not shutil.which('apparmor_parser') or not os.path.exists(f'{FOLDER}/abi/4.0'):
        t.skip('AppArmor 4 is not installed')
    if mediates:
        with contextlib.suppress(OSError):
            if mediates in open(f'{KERNEL}/features/namespaces/mask').read().split():
                return shutil.copy(t.pidbox, t.path('own-pidbox'))
        t.skip(f'AppArmor of this kernel does not know {mediates}')
    return shutil.copy(t.pidbox, t.path('own-pidbox'))


LABEL = 'cat', '/proc/self/attr/current'


@test(modes='root', serial=True, limit=60)
def profile_for_one_program(t):
    """What --install-apparmor writes, by the real parser in the real kernel: it is of this one file, and gone when it is removed."""
    pidbox = apparmor(t)
    users = {'root': (), 'user': AS_USER}
    t.good(t.run([pidbox, 'doctor', '--install-apparmor'], timeout=60), 0, f'{FOLDER}/pidbox is written and loaded\n')
    t.cleanups.append(lambda: os.path.exists(f'{FOLDER}/pidbox') and t.run([pidbox, 'doctor', '--remove-apparmor'], timeout=60))
    t.eq((loaded().get('pidbox'), os.listdir(FOLDER).count('pidbox')), ('unconfined', 1), 'profile, file')
    for user, who in users.items():
        with t.case(user):
            t.good(ask(t, pidbox, who)('run', '--', *LABEL), 0, 'pidbox (unconfined)\n')
            t.good(ask(t, t.pidbox, who)('run', '--', *LABEL), 0, 'unconfined\n')
            box_works(t, ask(t, pidbox, who), ['user namespace', 'default box'])
    front = t.start([pidbox, 'run', '--', 'sleep', '1000'])
    t.ok(until(lambda: children(front.pid) and children(children(front.pid)[0])), 'a box')
    t.eq(open(f'/proc/{front.pid}/attr/current').read(), 'pidbox (unconfined)\n', 'the front')
    # Under the name that machines load at their start it is the same.
    t.good(t.run(['apparmor_parser', '-r', f'{FOLDER}/pidbox'], timeout=60), 0, '')
    t.good(t.run([pidbox, 'doctor', '--remove-apparmor'], timeout=60), 0, f'{FOLDER}/pidbox is removed\n')
    t.eq((loaded().get('pidbox'), os.path.exists(f'{FOLDER}/pidbox')), (None, False), 'profile, file')
    t.eq(open(f'/proc/{front.pid}/attr/current').read().strip(), 'unconfined', 'the front that runs still')
    front.terminate()
    t.finish(front)
    t.good(ask(t, pidbox)('run', '--', *LABEL), 0, 'unconfined\n')


# The profile is that of pidbox's own path, or pidbox is started under it by somebody else.
@each({'by the path': True, 'by aa-exec': False}, modes='root', serial=True, limit=60)
def profile_without_userns(t, attached):
    """apparmor.d(5): `userns,`; since Linux 6.7."""
    pidbox = apparmor(t, 'userns_create')
    name = f'pidbox-test-{os.getpid()}'
    text = profile(t, name, f'"{pidbox}"' if attached else '')
    call = ask(t, pidbox, AS_USER if attached else [*AS_USER, 'aa-exec', '-p', name, '--'])
    checks = ['user namespace', 'security modules', 'default box']
    fix = refusals(t, call, checks, 'USERNS_APPARMOR', 'security module')
    t.ok(fix.startswith(f'as root, put `userns,` into the AppArmor profile {name} and load it again (apparmor_parser -r)'), f'the advice: {fix}')
    t.ok('profile pidbox ' not in call('doctor').out, 'a profile of its own is no help')
    as_root = ask(t, pidbox, () if attached else ['aa-exec', '-p', name, '--'])
    t.good(as_root('run', '--', 'echo', 'ran'), 0, 'ran\n')
    t.error(as_root('run', '--map', 'root', '--', 'true'), 'USERNS_APPARMOR', has=name)
    parser(t, '-r', text.replace('\tfile,\n', '\tfile,\n\tuserns,\n'))
    box_works(t, call, checks)


@test(modes='root', serial=True, limit=60)
def profile_without_mount(t):
    """As docker's: containers may not mount."""
    pidbox = apparmor(t)
    name = f'pidbox-test-{os.getpid()}'
    text = profile(t, name, rules=[r for r in RULES if 'mount' not in r] + ['userns,'])
    for who in (), AS_USER:
        call = ask(t, pidbox, [*who, 'aa-exec', '-p', name, '--'])
        with t.case('user' if who else 'root'):
            fix = refusals(t, call, ['default box', 'fresh /proc'], 'DENIED', 'security module')
            t.ok(f'put `mount,` into the AppArmor profile {name}' in fix, f'the advice: {fix}')
    parser(t, '-r', text.replace('\tfile,\n', '\tfile,\n\tmount,\n\tremount,\n\tumount,\n'))
    for who in (), AS_USER:
        box_works(t, ask(t, pidbox, [*who, 'aa-exec', '-p', name, '--']), ['default box', 'fresh /proc'])


@test(modes='root', serial=True, limit=60)
def profile_without_capabilities(t):
    """capget(2) tells root, too, only of what the profile leaves him."""
    pidbox = apparmor(t)
    name = f'pidbox-test-{os.getpid()}'
    text = profile(t, name, rules=[r for r in RULES if r != 'capability,'] + ['userns,'])
    calls = {who: ask(t, pidbox, [*argv, 'aa-exec', '-p', name, '--']) for who, argv in {'root': (), 'user': AS_USER}.items()}
    for who, call in calls.items():
        with t.case(who):
            fix = refusals(t, call, ['default box', 'pid namespace'], 'USERNS_APPARMOR', 'security module')
            t.ok(f'put `capability sys_admin,` into the AppArmor profile {name}' in fix, f'the advice: {fix}')
    parser(t, '-r', text.replace('\tfile,\n', '\tfile,\n\tcapability sys_admin,\n'))
    for who, call in calls.items():
        with t.case(who):
            box_works(t, call, ['default box', 'pid namespace'])


@test(modes='root', serial=True, limit=60)
def profile_that_lists_its_programs(t):
    """Which programs it may execute is written down, as in most profiles; the init is pidbox itself, and none of them."""
    pidbox = apparmor(t)
    name = f'pidbox-test-{os.getpid()}'
    files = ['/** rwlk,', '/{usr,bin,lib,lib64}/** mrix,']
    text = profile(t, name, rules=[*files, *RULES[1:], 'userns,'], flags='')
    for who in (), AS_USER:
        with t.case('user' if who else 'root'):
            fix = refusals(t, ask(t, pidbox, [*who, 'aa-exec', '-p', name, '--']), ['default box'], 'DENIED', 'security module')
    lacks = re.match(rf'as root, put `(flags=\S+)` and `(\S+ mrix,)` into the AppArmor profile {name} and load it again', fix)
    if t.ok(lacks, f'the advice: {fix}'):
        parser(t, '-r', text.replace(' {\n', f' {lacks[1]} {{\n\t{lacks[2]}\n'))
        for who in (), AS_USER:
            box_works(t, ask(t, pidbox, [*who, 'aa-exec', '-p', name, '--']), ['default box'])
