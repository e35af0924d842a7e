# SPDX-License-Identifier: MIT
"""--explain teaches: for every step the system call, who makes it, the PIDs on both sides, the rule. --dry-run names the command
lines of other tools that do about the same: those are run, and compared with the box."""
import shlex
from support import *

KINDS = 'user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup', 'time'
STEP = re.compile(r'(front|child|init|command) +(\S.*)\n {9}(\S.*)\n {9}\((.*)\)\n((?: {9}.*\n)*)')
RULE = re.compile(r'(?:R\d+(?:, R\d+)*|[a-z_]+\(\d\)): \S.*')  # the kernel's, by number, or where it stands; and what it is


def story(t, r):
    """The steps as told: (who, call, what for, rule, more)."""
    steps = STEP.findall(r.err)
    t.ok(len(steps) >= 9, f'a step has a call, what it is for, and a rule: {short(r.err, 2000)}')
    for who, call, does, rule, _ in steps:
        t.ok(RULE.fullmatch(rule), f'{who} {call}: the rule: {rule!r}')
    return steps


EXPLAINED = {
    'plain': (), 'named': ('--name', 'told'), 'tty': ('--tty', ), 'net': ('--unshare', 'net'), 'as-pid1': ('--as-pid1', ),
    'root inside': ('--map', 'root', '--hostname', 'x', '-C', '/', '--user', '0', '--close-fds'), 'clocks': ('--time-offset', 'boottime=1'),
    'first': ('--first-pid', '310'), 'no proc': ('--proc', 'none'), 'shared': ('--propagation', 'shared'),
}


@each(EXPLAINED)
def both_sides(t, *args):
    p = t.start_box('--explain', *args, '--report', t.path('rep'), '--', 'sh', '-c', 'echo $$')
    out, err = p.out.rest(), p.err.rest()
    t.eq(t.finish(p), 0, f'status ({short(err)})')
    steps, record = story(t, types.SimpleNamespace(err=err)), t.record(t.path('rep'))
    told = {call.split('(')[0]: more for _, call, _, _, more in steps}
    t.ok(f'the front is PID {p.pid} here' in told['socketpair'], f'the front: {told["socketpair"]!r}')
    t.ok(f'outside it is PID {record["init_pid"]}, inside PID 1; box {record["id"]}' in [m for w, c, _, _, m in steps if w == 'front' and
         'CLONE_NEWPID' in c][0], 'the init')
    if '--as-pid1' in args:
        t.eq(out.strip(), '1', 'the command is PID 1')
        t.ok('it is PID 1 itself' in told['execve'], f'the command: {told["execve"]!r}')
    else:
        t.ok(f'outside it is PID {record["command_pid"]}, inside PID {out.strip()}' in told['execve'], f'the command: {told["execve"]!r}')
        t.ok('when it ends, the kernel ends the rest' in err, 'the end')


@test
def somebody_was_there_first(t):
    """A command that was held may not be PID 2 any more: what is told is its number all the same."""
    os.mkfifo(t.path('go'))
    p = t.start(['sh', '-c', 'exec "$@" 3<>go', 'sh', t.pidbox, 'run', '--map', 'me', '--explain', '--hold-fd', '3', '--', 'sh', '-c',
                 'echo $$; exec sleep 1000'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    err = Lines(p.stderr)
    said = list(iter(lambda: err.line() or t.fail('it ended'), '         makes the process that becomes the command'))
    init = re.search(r'outside it is PID (\d+), inside PID 1;', '\n'.join(said))[1]
    t.good(t.run(['nsenter', '-t', init, '-U', '--preserve-credentials', '-p', 'true']))
    with open(t.path('go'), 'w') as go:
        go.write('\n')
    number = Lines(p.stdout).line()
    t.ok(number != '2', f'somebody else has been 2: {number!r}')
    told = next(line for line in iter(err.line, None) if 'outside it is' in line)
    t.ok(told.endswith(f', inside PID {number}'), f'{told!r}')
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', init]))
    t.finish(p)


@each({'chdir': ('-C', '/no/such/place'), 'exec': (), 'host name': ('--time-offset', 'boottime=-99999999999')})
def a_failure(t, *args):
    """The story ends with the step that failed."""
    r = t.box('--explain', *args, '--', 'true' if args else '/no/such/command')
    t.ok(r.code in (125, 127), f'status {r.code}')
    *_, (who, call, _, _, more) = story(t, r)
    t.ok(more.startswith('         it failed ('), f'{who} {call}: {more!r}')
    t.eq(r.err.count('it failed'), 1, 'it is told once')


# ------------------------------------------------------------ about the same

LINKS = '; '.join(f'readlink /proc/self/ns/{k}' for k in KINDS)
LOOK = f'{LINKS}; pwd; id -u; id -g; echo $$; readlink /proc/self; cat /proc/1/comm'


def seen(out):
    """Of what LOOK has printed: which namespaces are new; directory and ids; its PID twice; who is PID 1."""
    lines = out.splitlines()
    n = len(KINDS)
    return {k for k, line in zip(KINDS, lines) if line != ns(k)}, lines[n:n + 3], lines[n + 3:n + 5], lines[n + 5:]


SAME = {
    'plain': ((), ''), 'as-pid1': (('--as-pid1', ), ''), 'net': (('--unshare', 'net,cgroup'), 'loopback'), 'root inside': (('--map', 'root'), ''),
    'me': (('--map', 'me'), ''), 'elsewhere': (('-C', '/usr/bin', '--propagation', 'private'), ''), 'clocks': (('--time-offset', 'boottime=9'), ''),
    'named': (('--name', 'x', '--hostname', 'crate', '--first-pid', '400'), 'claim, hostname, first-pid'), 'kept': (('--proc', 'keep'), ''),
    'shared': (('--share', 'uts,ipc'), ''),
}


@each(SAME)
def about_the_same(t, args, without):
    """Each command line that is printed makes the same kinds of namespaces, with the same ids, directory and PIDs."""
    command = ['sh', '-c', LOOK]
    plan = t.good(t.box('--dry-run', *args, '--', *command)).out
    lines = re.findall(r'^about the same: (.*)\n(?:  without: (.*)\n)?', plan, re.M)
    t.ok(lines and lines[0][0].startswith('unshare '), f'unshare: {plan}')
    t.eq(lines[0][1], without, 'what unshare is without')
    ours = t.good(t.box(*args, '--', *command)).out
    for line, _ in lines:
        tool = line.split()[0]
        if not shutil.which(tool):
            continue
        with t.case(tool):
            t.eq(shlex.split(line)[-len(command):], command, 'the command, as the shell reads it')
            r = t.sh(f'export PATH={os.path.dirname(t.pidbox)}:$PATH; {line}')
            t.eq(r.code, 0, f'status ({short(r.err)})')
            (new, who, pids, one), (their_new, them, their_pids, their_one) = seen(ours), seen(r.out)
            t.ok(len(one) == len(their_one) == 1, f'all of it: {ours!r}, {r.out!r}')
            t.eq(their_new, new, 'which namespaces are new')
            t.eq(them, who, 'its directory, its ids')
            if not {'--first-pid', '--proc'} & set(args):
                t.eq(their_pids, pids, 'its PID, and what its /proc says')
            if '--as-pid1' not in args and tool == 'unshare':
                t.eq(their_one, one, 'who is PID 1')


ENVIRONMENTS = {
    'set': ('-e', 'A=b  c', '-e', "IT=it's"), 'unset': ('--unset-env', 'WAS'), 'cleared': ('--clear-env', '-e', 'A=$b', '-e', 'WAS', '-e', 'NOT_THERE'),
    'both': ('--unset-env', 'WAS', '-e', 'WAS=new'),
}


@each(ENVIRONMENTS)
def about_the_same_environment(t, *args):
    env = {**t.env, 'WAS': 'of  old'}
    words = 'A', 'IT', 'WAS', 'NOT_THERE', 'HOME'
    command = ['/bin/sh', '-c', '; '.join(f'echo "${{{w}-unset}}"' for w in words)]
    ours = t.good(t.box(*args, '--', *command, env=env)).out
    lines = re.findall(r'^about the same: (.*)$', t.good(t.box('--dry-run', '--map', 'me', *args, '--', *command)).out, re.M)
    t.eq([x.split()[0] for x in lines], ['unshare', 'bwrap'], 'the tools')
    for line in lines:
        if shutil.which(line.split()[0]):
            t.good(t.sh(f'export PATH={os.path.dirname(t.pidbox)}:$PATH; {line}', env=env), out=ours)


@test
def about_the_same_limits(t):
    """What holds while it runs is done by our init, under unshare; of what nobody does it is told."""
    def lines(*args):
        plan = t.good(t.box('--dry-run', '--map', 'me', *args)).out
        return re.findall(r'^about the same: (.*)\n(?:  without: (.*)\n)?', plan, re.M)
    stubborn = 'trap "echo QUIT; exit 3" QUIT; trap "" TERM; echo up; while :; do sleep 0.01; done'
    (ours, lost), (_, without) = lines('--timeout', '1s', '--grace', '1m', '--stop-signal', 'QUIT', '--', 'sh', '-c', stubborn)
    t.eq((lost, without), ('', 'timeout, grace, stop-signal'), 'without')
    t.good(t.sh(f'export PATH={os.path.dirname(t.pidbox)}:$PATH; {ours}'), 124, 'up\nQUIT\n')
    script = 'trap "echo QUIT; : >over; exit 3" QUIT; (until [ -e over ]; do sleep 0.01; done; echo late) & kill -HUP 1; kill -USR1 1; ' \
             'while :; do sleep 0.01; done'
    (ours, lost), _ = lines('--signal-map', 'USR1=QUIT,HUP=', '--on-exit', 'wait', '--cpu-time', '1m', '--fail-on-leak', '--', 'sh', '-c', script)
    t.eq(lost, 'cpu-time, fail-on-leak', 'without')
    t.good(t.sh(f'export PATH={os.path.dirname(t.pidbox)}:$PATH; {ours}'), 3, 'QUIT\nlate\n')
    t.eq([w for _, w in lines('--as-pid1', '--timeout', '1.5s', '--', 'true')], ['timeout'] * 2, 'nobody is there for it')


@test(modes='user')
def nothing_about_the_same(t):
    """Where no command line does it, none is printed: an init alone, ids that are mapped one by one, a /proc with options."""
    for args in ('--idle', ), ('--uid-map', f'0:{os.getuid()}:1', '--', 'true'), ('--proc-subset', 'pid', '--', 'true'):
        t.ok('about the same' not in t.good(t.box('--dry-run', *args)).out, f'{args}')
    r = t.good(t.box('--dry-run', '--map', 'root', '--hostname', 'a b', '--', 'echo', "it's"))
    t.ok(re.search(r"^about the same: bwrap .*--uid 0 --gid 0 --hostname 'a b' -- echo 'it'\\''s'$", r.out, re.M), f'as the shell has it: {r.out}')
