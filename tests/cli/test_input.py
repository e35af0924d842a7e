# SPDX-License-Identifier: MIT
"""Bad input: one clear error of the contract's shape, the right status, nothing left."""
from support import *

# an option of another tool (with an argument where it takes one there) -> ours, which the error names
PEERS = {
    'unshare': {'--mount-proc': '--proc', '--map-root-user': '--map', '--map-current-user': '--map', '--map-auto': '--map', '--kill-child': None,
                '--monotonic=5': '--time-offset', '--boottime=5': '--time-offset', '--net': '--unshare', '--time': '--unshare', '--wd=/': '--chdir',
                '--fork': None, '--pid': None, '--setuid=1': '--user'},
    'bwrap': {'--unshare-net': '--unshare', '--unshare-user': '--unshare', '--setenv': '--env', '--unsetenv': '--unset-env', '--clearenv': '--clear-env',
              '--json-status-fd': '--report', '--info-fd': '--events', '--block-fd': '--hold-fd', '--as-pid-1': '--as-pid1', '--unshare-all': '--unshare',
              '--ro-bind-try': None, '--sync-fd': '--keep-fd'},
    'docker': {'--workdir=/': '--chdir', '-w': '--chdir', '--stop-timeout=5': '--grace', '--network=none': '--unshare', '--rm': None, '--init': None,
               '--volume=/a:/b': None, '--env-file=f': '--env', '--ulimit=nofile=9': None, '--cidfile=f': '--events'},
    'timeout': {'--kill-after=5': '--grace', '-k': '--grace', '--signal=INT': '--stop-signal', '-s': '--stop-signal',
                '--preserve-status': '--report', '--foreground': None},
    'env': {'--ignore-environment': '--clear-env', '--unset=K': '--unset-env', '-u': '--unset-env'},
    'firejail, nsjail': {'--time_limit=5': '--timeout', '--cwd=/': '--chdir', '--caps.drop=all': None, '--join=x': None,
                         '--disable_clone_newnet': '--unshare', '--rlimit_cpu=5': '--cpu-time', '--pass_fd=3': '--keep-fd'},
    'tini, minijail0': {'-g': '--on-exit', '-K': '--propagation', '-I': '--as-pid1'},
}


@each({f'{tool} {opt}': (opt, ours) for tool, row in PEERS.items() for opt, ours in row.items()}, modes='user')
def option_of_another_tool(t, opt, ours):
    m = t.error(t.box(opt, '--', 'touch', 'ran'), 'USAGE', has=[opt.split('=')[0]] + ([ours] if ours else []))
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@each({a or 'empty': a for a in ('--nope', '--nope=x', '-Z', '-tZ', '---', '--hostnam=x=', '--dry-run=yes', '--tty=x', '--close-fds=1')}, modes='user')
def unknown_option(t, opt):
    t.error(t.box(opt, '--', 'touch', 'ran'), 'USAGE', has='-Z' if opt.endswith('Z') else opt.split('=')[0])


@each({o: o for o in '''--hostname --unshare --share --propagation --map --uid-map --gid-map --proc --proc-hidepid --proc-subset --on-exit --stop-signal
    --grace --timeout --cpu-time --signal-map --first-pid --pid-max --time-offset --chdir --env --unset-env --user --keep-fd --hold-fd --report
    --leak-grace --events -C -e'''.split()}, modes='user')
def option_without_its_argument(t, opt):
    t.error(t.box(opt), 'USAGE', has={'-C': '--chdir', '-e': '--env'}.get(opt, opt))
    t.ok(opt in t.box('--help').out, f'--help names {opt}')


@each({o: o for o in '--as-pid1 --close-fds --fail-on-leak --summary --dry-run --explain --timing --tty --clear-env -t -i'.split()}, modes='user')
def flag(t, opt):
    if opt.startswith('--'):
        t.ok(opt in t.box('--help').out, f'--help names {opt}')
        t.error(t.box(opt + '=1', '--', 'true'), 'USAGE', has=opt)


@each({'proc': ('--proc', 'bogus'), 'propagation': ('--propagation', 'bogus'), 'on-exit': ('--on-exit', 'bogus'), 'map': ('--map', 'bogus'),
       'on-exit empty': ('--on-exit', ''), 'proc empty': ('--proc', ''), 'propagation empty': ('--propagation', ''),
       'hostname empty': ('--hostname', ''), 'on-exit case': ('--on-exit', 'KILL')}, modes='user')
def not_a_value(t, opt, value):
    t.error(t.box(f'{opt}={value}', '--', 'touch', 'ran'), 'USAGE', has=opt)
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test(modes='user')
def verbs(t):
    t.error(t.run([t.pidbox, 'frobnicate']), 'USAGE', has='frobnicate')
    t.error(t.run([t.pidbox, '--frobnicate']), 'USAGE', has='--frobnicate')
    t.error(t.run([t.pidbox, '']), 'USAGE')
    r = t.run([t.pidbox])
    t.eq(r.code, 125, 'status of pidbox without a verb')
    for argv in ['--version'], ['--help'], ['run', '--help']:
        r = t.run([t.pidbox, *argv])
        t.good(r, 0)
        t.ok(r.out, f'{argv}: on standard output')
    t.ok(re.search(r'\d+\.\d+', t.run([t.pidbox, '--version']).out), '--version')
    r = t.sh('pidbox run --help >/dev/full')
    t.ok(r.code != 0, f'help to a full disk: status {r.code}')


@test(modes='user')
def long_options_both_ways_and_short_ones_joined(t):
    for args in ['--chdir', '/usr'], ['--chdir=/usr'], ['-C', '/usr'], ['-C/usr']:
        t.good(t.box(*args, '--', 'pwd'), 0, '/usr\n')
    t.good(t.box('-i', '--', 'sh', '-c', 'exit 3'), 3)
    with t.case('the last one wins'):
        t.good(t.box('-C', '/', '-C', '/usr', '--hostname', 'a', '--hostname', 'b', '--', 'sh', '-c', 'pwd; uname -n'), 0, '/usr\nb\n')


@test
def environment_over_the_limit(t):
    """execve inside fails with E2BIG: the command was found but cannot be executed."""
    deep = '/'.join(['.'] * 1900)
    env = {**t.env, 'PATH': f'{cfg.bin}:/bin/{deep}'}
    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    room = (limit if limit != resource.RLIM_INFINITY else 1 << 40) // 4
    room = min(room, 6 << 20)
    low, high = 0, room

    def fill(n):
        return {**env, **{f'F{i}': 'x' * 65000 for i in range(n // 65010)}, 'G': 'x' * (n % 65010)}

    def fits(n):  # does pidbox itself start?
        try:
            return t.run([t.pidbox, '--version'], env=fill(n)).code == 0
        except OSError as e:
            if e.errno != errno.E2BIG:
                raise
            return False
    while high - low > 256:
        mid = (low + high) // 2
        low, high = (mid, high) if fits(mid) else (low, mid)
    t.ok(low > 100000, f'the limit is {low}')
    r = t.box('--', 'true', env=fill(low - 512))
    t.error(r, status=126)
    t.good(t.box('--', '/bin/true', env=fill(low - 512)), 0)
    t.good(t.box('--', 'true', env=fill(low - 10000)), 0)


@test
def full_process_table(t):
    """RLIMIT_NPROC, at every point where a process is made: PROC_LIMIT."""
    if t.mode == 'root':
        def pre(n):
            os.setgroups([])
            os.setresgid(54399, 54399, 54399)
            os.setresuid(54399, 54399, 54399)
            resource.setrlimit(resource.RLIMIT_NPROC, (n, n))
        seen = set()
        for n in range(1, 6):
            r = t.box('--', 'true', pre=lambda: pre(n), cwd='/', env={**t.env, 'PIDBOX_RUNTIME_DIR': '/nonexistent'})
            seen.add(r.code)
            if r.code:
                t.error(r, 'PROC_LIMIT')
        t.eq(seen, {0, 125}, 'statuses for limits of 1 to 5')
    else:
        r = t.box('--', 'touch', 'ran', pre=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (1, 1)))
        t.error(r, 'PROC_LIMIT')
        t.ok(not os.path.exists(t.path('ran')), 'the command ran')
    t.nothing_left()


@test
def full_descriptor_table(t):
    """RLIMIT_NOFILE: whatever is too few, one clear error and nothing left."""
    for n in range(3, 20):
        r = t.box('--', 'true', pre=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
        if r.code:
            t.error(r)
        t.nothing_left()
    r = t.box('--', 'true', pre=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    t.good(r, 0)


@test
def little_memory(t):
    for mib in 1, 2, 4, 8:
        r = t.box('--', 'true', pre=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)))
        t.ok(r.code in (0, 125, 126, 127, -11, -9), f'{mib} MiB: status {r.code}')
        t.nothing_left()


@test
def file_size_limit_of_zero(t):
    """The report cannot be written: a warning, the status is left alone (and SIGXFSZ kills nobody)."""
    inf = resource.RLIM_INFINITY
    for name, limit in ('soft', (0, inf)), ('hard', (0, 0)):
        with t.case(name):
            r = t.box('--report', t.path('rec'), '--', 'sh', '-c', 'ulimit -f; exit 3', pre=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
            if name == 'hard' and r.code == 125:  # not even the init can be put into memory: an error that says so
                t.ok('RLIMIT_FSIZE' in r.err and '\n  fix: ' in r.err, r.err)
                continue
            t.eq((r.code, r.out), (3, '0\n'), f'status, the limit inside ({r.err!r})')
            t.ok('report' in r.err, f'a warning: {r.err!r}')


@test(modes='user')
def fuzz_of_options(t):
    """Words of the options, put together wildly: never anything but 0, the command's status, or one clear error."""
    rnd = random.Random(20260101)
    opts = re.findall(r'(?<!\S)--[a-z0-9-]+', t.box('--help').out) + ['-C', '-e', '-t', '--nope', '--']
    vals = ['', '0', '1', '-1', 'x', 'net', 'A=B', '1s', 'fd:1', 'fd:999', '/', 'me', 'root', 'TERM', '99999999999999999999', 'kill', 'é', 'a' * 300]
    for i in range(150):
        args = []
        for _ in range(rnd.randrange(1, 5)):
            o = rnd.choice(opts)
            if o in ('--detach', '--idle', '--tty', '-t', '--help', '--replace', '--name', '--log'):
                continue
            args += rnd.choice(([o], [o, rnd.choice(vals)], [f'{o}={rnd.choice(vals)}']))
        r = t.box('--timeout', '5', *args, '--', 'true', timeout=12)
        if r.code == 125:
            t.ok(re.search(r'^pidbox: .+\n  why: .+\n  fix: .+\n\Z', r.err, re.M), f'{quote(args)}: {r.err!r}')
        else:
            t.ok(r.code in (0, 1, 126, 127), f'{quote(args)}: status {r.code} {r.err!r}')
        if len(t.problems) > 5:
            break


@each({' '.join(args): (args, has) for args, has in (
    (('--hostname', ''), '1 to 64 bytes'), (('--hostname', 'h' * 65), '1 to 64 bytes'), (('--hostname', 'a\nb'), 'control character'),
    (('--first-pid', '1'), '2 to 4194303'), (('--pid-max', '300'), '301 to 4194304'),
    (('--proc-hidepid', '3'), 'ptraceable'), (('--proc-hidepid', 'foo'), 'ptraceable'),
    (('--share', 'net'), 'shared is the default'), (('--share', 'cgroup'), 'shared is the default'), (('--share', 'pid'), 'leave it out'),
    (('--share', 'user'), 'leave it out'), (('--share', 'all'), 'leave it out'), (('--share', 'mount'), 'add --proc keep'),
    (('--uid-map', '0:0:1') * 34, 'at most 32'), (('--keep-fd', '0') * 70, 'at most 64'),
    (('--as-pid1', '--on-exit', 'kill'), 'leave one of them out'), (('--map', 'root', '--uid-map', '0:0:1'), 'leave one of them out'),
    (('--as-pid1', '--fail-on-leak'), 'leave one of them out'), (('--timeout', '9223372036854775807'), '106751991d'),
    (('--grace', '106751992d'), '106751991d'), (('--user', '4294967295'), '4294967294'), (('--user', '99999999999'), '4294967294'),
    (('--user', ':0'), 'empty'),
    (('--replace',), 'add --name'), (('--log', 'x'), 'add -d'), (('--report', '-', '-d'), 'name a file'), (('--events', 'fd:1', '-d'), 'name a file'),
    (('--log', '', '-d'), '/dev/null'), (('--log', '-', '-d'), './-'), (('--log', 'fd:1', '-d'), './fd:N'),
    (('--name', ''), 'it is empty'), (('--name', '9a'), '"9a" is no name that a box can have: it begins with a digit'),
    (('--name', 'a:b'), "it has ':' in it"), (('--name', 'b/c'), "it has '/' in it"), (('--name', '.a'), "it begins with '.'"),
    (('--name', 'n' * 65), 'it is 65 bytes long'), (('--name', 'b\xf6x'), 'a byte in it that no name has'), (('--name', 'a\tb'), 'a byte in it'))}, modes='user')
def a_fix_of_its_own(t, args, has):
    """What is out of range is told the range; "one or the other" is for two things only."""
    r = t.box(*args, '--', 'touch', 'ran')
    t.error(r, 'USAGE', has=[has, args[0]])
    t.ok('one or the other' not in r.err, f'fix: {r.err!r}')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test(modes='root')
def the_longest_duration(t):
    """2^63-1 microseconds are 106751991.167 days."""
    t.good(t.box('--timeout', '106751991d', '--', 'true'))


@test
def who_is_missing(t):
    me = f'{os.getuid()}' if t.mode == 'user' else 'root'
    t.error(t.box('--user', f'{me}:nosuch', '--', 'true'), 'NOT_FOUND', has=['the group "nosuch"', '/etc/group'])
    t.error(t.box('--user', 'nosuch:root', '--', 'true'), 'NOT_FOUND', has=['the user "nosuch"', '/etc/passwd'])
    t.error(t.box('--user', 'nosuch', '--', 'true'), 'NOT_FOUND', has=['the user "nosuch"', 'UID:GID'])


@test(modes='user')
def subordinate_ids_without_an_entry(t):
    """usermod(8) takes only a name of passwd(5): without one the line of subuid(5) is told."""
    r = t.box('--map', 'auto', '--', 'true')
    t.error(r, 'IDMAP', has=[f'{os.getuid()}:100000:65536', '/etc/subgid'])
    t.ok('usermod' not in r.err, r.err)


@test(modes='root')
def an_id_that_no_map_has(t):
    """The fix does not ask for what was given."""
    ids = [f'--{x}id-map=0:100000:1000' for x in 'ug']
    r = t.box(*ids, '--user', '70000', '--', 'true')
    t.error(r, 'IDMAP', has='larger ranges')
    t.ok('use --map auto' not in r.err, r.err)


@test
def an_empty_name_is_quoted(t):
    """execve(2), chdir(2): an empty path is ENOENT."""
    t.error(t.box('--', ''), 'NOT_FOUND', 127, has='executing "": No such file')
    t.error(t.box('-C', '', '--', 'true'), 'NOT_FOUND', has='directory "": No such file')
