# SPDX-License-Identifier: MIT
"""pidbox doctor: what works here and what does not."""
from support import *

KINDS = 'user', 'pid', 'mount', 'uts', 'ipc', 'net', 'cgroup', 'time'
LAYERS = {None, 'device', 'id map', 'kernel', 'limit', 'mount', 'namespace', 'seccomp', 'security module', 'sysctl'}
KEYS = ['name', 'status', 'code', 'layer', 'why', 'fix']


def doctor(t, *args, pre=(), **kw):
    return t.run([*pre, t.pidbox, 'doctor', *args], **kw)


def judge(t, r, default_box=True):
    """The document of --json, its shape looked at; the checks by name."""
    doc = json.loads(r.out)
    t.eq((r.code, r.err), (0 if default_box else 1, ''), 'status and standard error')
    t.eq((doc['schema'], doc['default_box']), (1, default_box), 'schema, default_box')
    checks = {c['name']: c for c in doc['checks']}
    t.eq(len(checks), len(doc['checks']), 'names that are there once')
    for c in doc['checks']:
        with t.case(c['name']):
            t.eq(list(c), KEYS, 'keys')
            t.ok(c['status'] in ('works', 'limited', 'refused'), f'status: {c}')
            t.ok(c['code'] is None or c['code'] in CODES, f'code: {c}')
            t.ok(c['layer'] in LAYERS, f'layer: {c}')
            if c['status'] == 'works':
                t.eq((c['code'], c['layer'], c['fix']), (None, None, None), 'nothing refuses')
            else:
                t.ok(c['why'] and c['fix'], f'why and fix: {c}')
    return checks


def healthy(t, **kw):
    return judge(t, doctor(t, '--json', **kw))


# ---------------------------------------------------------------- what it prints

@test
def where_boxes_work(t):
    checks = healthy(t)
    for name in ['default box', 'processes', 'fresh /proc', *(f'{k} namespace' for k in KINDS if os.path.exists(f'/proc/self/ns/{k.replace("mount", "mnt")}'))]:
        t.eq(checks[name]['status'], 'works', name)


@test
def limits_are_those_of_proc(t):
    """namespaces(7): /proc/sys/user/max_*_namespaces."""
    checks = healthy(t)
    for kind in KINDS:
        file = f'/proc/sys/user/max_{"mnt" if kind == "mount" else kind}_namespaces'
        if os.path.exists(file) and checks[f'{kind} namespace']['status'] == 'works':
            t.ok(open(file).read().strip() in checks[f'{kind} namespace']['why'], f'{kind}: {checks[f"{kind} namespace"]}')


@test
def text_and_json_say_the_same(t):
    r = doctor(t)
    checks = healthy(t)
    t.eq((r.code, r.err), (0, ''), 'status and standard error')
    lines = r.out.split('\n')
    for c in checks.values():
        line = next((x for x in lines if re.match(rf'{c["status"]} +{re.escape(c["name"])}($| \(|, by|\ \[)', x)), None)
        t.ok(line, f'no line for {c["name"]}')
        if c['code']:
            t.ok(f'[{c["code"]}]' in (line or ''), f'its code: {line}')
    t.ok('A default box works here' in r.out, f'the last line: {lines[-2:]}')


@test
def kernel_abilities(t):
    """What came with which version: ioctl_nsfs(2), pidfd_open(2), openat2(2), close_range(2), socket(7)."""
    since = {'pidfd_open': (5, 3), 'pidfd_send_signal': (5, 1), 'close_range': (5, 11), 'openat2 from the cache': (5, 12), 'SO_PEERPIDFD': (6, 5),
             'pidfs': (6, 9), 'pidfd of a thread': (6, 9), 'PIDs between namespaces': (6, 11), 'PIDFD_INFO_EXIT': (6, 15),
             'pid_max per namespace': (6, 14), 'procfs of another namespace': (6, 18)}
    checks = healthy(t)
    for name, version in since.items():
        if kernel() >= version:
            t.eq(checks[f'kernel: {name}']['status'], 'works', name)
        else:
            t.ok(checks[f'kernel: {name}']['status'] != 'works', f'{name} came later')


# What a filter takes away, and what is done without it.
@each({'close_range': ('close_range', ['close_range']), 'openat2': ('openat2', ['openat2 from the cache']),
       'fsopen': ('fsopen', ['fsmount of a procfs', 'procfs of another namespace']), 'setns of many': ('setns-many', ['setns of several kinds']),
       'ioctls': ('pidns', ['PIDs between namespaces', 'PID namespace of a pidfd', 'PIDFD_INFO_EXIT'])})
def without_a_call(t, call, lost):
    if os.uname().machine != 'x86_64':
        t.skip('the filter knows x86-64')
    deny = ['deny', 'ENOSYS', call, '--']
    before, checks = healthy(t), judge(t, doctor(t, '--json', pre=deny))
    t.eq({n for n, c in checks.items() if c['status'] != before[n]['status']}, {f'kernel: {n}' for n in lost if before[f'kernel: {n}']['status'] == 'works'}, 'what is lost')
    for name in lost:
        c = checks[f'kernel: {name}']
        t.eq((c['status'], c['layer'], 'ENOSYS, so ' in c['why']), ('limited', 'kernel', True), name)
    t.good(t.run([*deny, t.pidbox, 'run', '--', 'echo', 'ran']), 0, 'ran\n')


@test
def openat2_that_finds_the_cache_busy(t):
    """openat2(2): EAGAIN, when RESOLVE_CACHED was set and the open cannot be served from the cache; it is there all the same."""
    if os.uname().machine != 'x86_64':
        t.skip('the filter knows x86-64')
    t.eq(judge(t, doctor(t, '--json', pre=['deny', str(errno.EAGAIN), 'openat2', '--']))['kernel: openat2 from the cache']['status'], 'works', 'it')


@test
def without_what_every_box_needs(t):
    if os.uname().machine != 'x86_64':
        t.skip('the filter knows x86-64')
    deny = ['deny', 'ENOSYS', 'pidfd_open', '--']
    checks = judge(t, doctor(t, '--json', pre=deny), False)
    t.eq((checks['kernel: pidfd_open']['status'], checks['default box']['status']), ('refused', 'refused'), 'both')
    m = t.error(t.run([*deny, t.pidbox, 'run', '--', 'touch', 'ran']))
    t.eq(m and f'{checks["default box"]["why"]}', m and m['why'][8:], 'the same words')


@each({'no terminal': False, 'terminal': True})
def descriptors_used_up(t, terminal):
    """getrlimit(2): RLIMIT_NOFILE. However few there are, doctor says of a default box what run does with it, and never dies of it."""
    master, slave = pty.openpty() if terminal else (-1, subprocess.DEVNULL)
    refused = worked = 0
    for n in range(3, 15):
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))  # noqa: E731, B023
        r = t.box('--', 'true', pre=few, stdin=slave)
        said = t.run([t.pidbox, 'doctor', '--json'], pre=few, stdin=slave)
        t.ok(r.code in (0, 125), f'{n}: status of run {r.code}, {r.err!r}')
        with t.case(f'{n} descriptors'):
            box = judge(t, said, r.code == 0)['default box']
            if r.code == 0:
                worked += 1
                continue
            refused += 1
            m = t.error(r, has='RLIMIT_NOFILE')
            t.eq([box[k] for k in ('status', 'code', 'layer')], ['refused', m and m['code'], 'limit'], 'doctor')
            t.eq(m and (m['why'], m['fix']), (f'\n  why: {box["why"]}', f'\n  fix: {box["fix"]}'), 'the words of both')
    t.ok(refused >= 5 and worked, f'{refused} are too few, with {worked} more it works')
    for fd in (master, slave) if terminal else ():
        os.close(fd)


# ---------------------------------------------------------------- what it leaves

@test
def it_changes_nothing(t):
    """Mounts, settings, host name and files are what they were; in a mount namespace that nobody else changes."""
    look = 'cat /proc/self/mountinfo /proc/sys/kernel/pid_max /proc/sys/kernel/hostname /proc/sys/user/max_*_namespaces; ls -a'
    world = ['unshare', *(['-m'] if t.mode == 'root' else ['-Urm']), '--propagation', 'private', 'sh', '-c']
    for option in '', '--semantics':
        r = t.run([*world, f'{look}; {t.pidbox} doctor {option} >/dev/null && echo BETWEEN; {look}'])
        before, between, after = r.out.partition('BETWEEN\n')
        t.ok((r.code, r.err) == (0, '') and between and len(before) > 500, f'{option}: {r.code}, {r.err!r}, {len(before)} bytes')
        t.eq(set(before.split('\n')) ^ set(after.split('\n')), set(), f'{option}: what is different')
        t.nothing_left()


@test
def no_inherited_descriptor_in_its_children(t):
    """A pipe whose writing end is inherited is at its end when doctor is, and nothing of it is left to hold it."""
    rd, wr = os.pipe()
    os.set_inheritable(wr, True)
    p = t.start([t.pidbox, 'doctor', '--json'], stdout=subprocess.DEVNULL, close_fds=False)
    os.close(wr)
    t.eq(t.finish(p), 0, 'status')
    r = select.poll()
    r.register(rd, select.POLLIN)
    t.eq([e for _, e in r.poll(0)], [select.POLLHUP], 'the pipe at once after the end')
    os.close(rd)


@test(modes='root,user')
def few_processes(t):
    """What it costs is bounded: namespaces nest 32 deep, and all else takes some twenty processes."""
    if not shutil.which('strace'):
        t.skip('strace is not installed; CI installs it')
    log = t.path('log')
    r = t.run(['strace', '-f', '-qq', '-e', 'trace=clone,clone3,fork,vfork', '-e', 'signal=none', '-o', log, t.pidbox, 'doctor'], timeout=60)
    t.eq(r.code, 0, f'status ({r.err})')
    made = len(re.findall(r'= [1-9]\d*$', open(log).read(), re.M))
    t.ok(10 <= made <= 33 + 33, f'{made} processes')


# ---------------------------------------------------------------- bad circumstances

@test
def standard_streams_that_are_closed(t):
    for fd in '<&-', '2>&-', '<&- 2>&-':
        r = t.sh(f'pidbox doctor --json {fd}')
        t.eq((r.code, json.loads(r.out)['default_box']), (0, True), fd)
    t.error(t.sh('pidbox doctor >&-'), has='standard output')
    t.eq(t.sh('exec pidbox doctor <&- >&- 2>&-').code, 125, 'all three')


@test
def output_that_cannot_be_written(t):
    for option in '', '--json':
        t.error(t.sh(f'pidbox doctor {option} >/dev/full'), has='writing to standard output: No space left on device')


@test(modes='user')
def usage(t):
    for args in ['--jsonn'], ['x'], ['--json=1'], ['-j'], ['--install-apparmor', '--remove-apparmor'], ['--json', '--install-apparmor'], ['--fix']:
        t.error(doctor(t, *args), 'USAGE')
    r = doctor(t, '--help')
    t.eq((r.code, r.err), (0, ''), '--help')
    for option in '--json', '--install-apparmor', '--remove-apparmor':
        t.ok(option in r.out, f'--help: {option}')
