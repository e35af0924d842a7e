# SPDX-License-Identifier: MIT
"""pidbox exec into boxes of pidbox's own: a true child of the box's init, as its command is, told apart only by when it
began. Into other namespaces: test_enter.py."""
from support import *
from test_tty import BASH, SHELL, UP, Term, shell


def sleeper(t, *options, command=('sleep', '1000')):
    """A box that sleeps; its front. It is there when its command is."""
    front = t.start_box(*options, '--', *command)
    t.command_of(front)
    if not until(lambda: entries(t), 10):
        t.fail(f'the box cannot be reached: {short(text(front.stderr.read()) if front.poll() is not None else "")}')
    return front


def entries(t):
    run = t.env['PIDBOX_RUNTIME_DIR']
    return [f for d, _, files in os.walk(run) for f in os.listdir(d) if re.fullmatch(r'\d+[:@]\d+', f)]


def exec_in(t, front, *args, **kw):
    return t.run([t.pidbox, 'exec', *args[:-1], str(front.pid), *args[-1]], **kw)


def inside(t, front, script, *options, **kw):
    return exec_in(t, front, *options, ['--', 'sh', '-c', script], **kw)


def end_box(t, front):
    front.terminate()
    t.eq(t.finish(front), -signal.SIGTERM, 'the end of the box')


@test
def a_child_of_the_init(t):
    """PPID 1, a session of its own, in the box's namespaces; by the front's PID, the init's, and any other's."""
    front = sleeper(t)
    r = t.good(inside(t, front, 'echo $PPID $$ $(cut -d" " -f5,6 /proc/$$/stat); readlink /proc/self/ns/*; ls /proc | grep -c "^[0-9]"'))
    words = r.out.split()
    t.eq(words[0], '1', 'its parent inside')
    t.ok(words[1] == words[2] == words[3] != '2', f'PID, group and session: {words[:4]}')
    command = t.command_of(front)
    with contextlib.suppress(PermissionError):
        for kind in 'pid', 'mnt', 'uts', 'ipc', 'user', 'net', 'cgroup', 'time':
            t.ok(ns(kind, command) in words, f'it is in the {kind} namespace of the command')
    for who in front.pid, t.init_of(front), command:
        t.good(t.run([t.pidbox, 'exec', str(who), 'echo', 'here']), out='here\n')
    t.eq([children(t.init_of(front))], [[command]], 'what the init has left')
    end_box(t, front)


@test
def identity_and_world(t):
    """The box's directory, environment, user, mask, limits; and what the options change of them."""
    d = t.path('work')
    os.mkdir(d)
    front = sleeper(t, '-C', d, '-e', 'BOX=yes', '-e', 'PATH=/bin:/usr/bin', '--unset-env', 'TERM', '--hostname', 'inner')
    env = {**t.env, 'BOX': 'not this', 'OUTER': 'x', 'TERM': 'vt100'}
    t.good(inside(t, front, 'pwd; echo $BOX/$OUTER/$TERM; hostname', env=env), out=f'{d}\nyes//vt100\ninner\n')
    t.good(inside(t, front, 'echo $BOX/$OUTER/$TERM/$NONE', '-e', 'BOX=other', '-e', 'OUTER', '-e', 'NONE', '-eTERM=x', env=env),
           out='other/x/x/\n')
    t.good(inside(t, front, 'echo "${BOX-unset}"', '--unset-env', 'BOX'), out='unset\n')
    t.good(inside(t, front, 'pwd', '-C', '/'), out='/\n')
    os.mkdir(d + '/below')
    t.good(inside(t, front, 'pwd', '--chdir=below'), out=d + '/below\n')
    of_command = open(f'/proc/{t.command_of(front)}/status').read()
    want = [l for l in of_command.splitlines() if re.match(r'(Uid|Gid|Groups|Sig(Blk|Ign)|Cap...|NoNewPrivs|Seccomp):', l)]
    got = inside(t, front, 'exec cat /proc/self/status').out.splitlines()
    if t.mode != 'userns':  # there ids are told as the reader sees them, and it is in another namespace
        for line in want:
            if not line.startswith(('Uid', 'Gid', 'Groups')) or ns('user') == ns('user', t.command_of(front)):
                t.ok(line in got, f'the command has {line!r}; got {[l for l in got if l.split(":")[0] == line.split(":")[0]]}')
    r = t.good(inside(t, front, 'ulimit -n; umask; ls -l /proc/self/fd | grep -c -e "->"'))
    t.eq(r.out.split()[2], '4', 'descriptors (0 to 2, and what ls has open)')
    limits = t.good(t.box('--', 'sh', '-c', 'ulimit -n; umask')).out.split()
    t.eq(r.out.split()[:2], limits, 'limit of descriptors and umask')
    end_box(t, front)


@test
def streams_and_statuses(t):
    front = sleeper(t)
    t.good(exec_in(t, front, ['cat'], input='through\n'), out='through\n')
    r = inside(t, front, 'echo out; echo err >&2; exit 7')
    t.good(r, code=7, out='out\n', err='err\n')
    t.good(inside(t, front, 'kill -USR1 $$'), code=-signal.SIGUSR1)
    t.good(inside(t, front, 'ulimit -c 0; kill -SEGV $$'), code=-signal.SIGSEGV)
    t.error(exec_in(t, front, ['no-such-program']), 'NOT_FOUND', 127, 'no-such-program')
    t.error(exec_in(t, front, ['/']), 'DENIED', 126)
    t.error(exec_in(t, front, ['']), 'NOT_FOUND', 127)
    script = t.write('script', '#!/no/such/interpreter\n', 0o755)
    t.error(exec_in(t, front, [script]), None, 126)
    t.error(exec_in(t, front, '-C', '/no/such', ['true']), 'NOT_FOUND', 125, '/no/such')
    t.error(exec_in(t, front, '--user', 'nobody-of-that-name', ['true']), 'NOT_FOUND', 125)
    t.good(t.sh('"$1" exec "$2" sh -c "readlink /proc/self/fd/0" <&-', t.pidbox, str(front.pid)), code=1)
    for n in 50, 120000:
        word = 'x' * n
        t.good(exec_in(t, front, ['printf', '%s', word]), out=word)
    end_box(t, front)


@test(modes='root')
def user(t):
    front = sleeper(t)
    t.good(inside(t, front, 'id -u; id -g; id -G', '--user', '1234:4321'), out='1234\n4321\n4321\n')
    t.good(inside(t, front, 'id -un', '--user', 'nobody'), out='nobody\n')
    end_box(t, front)
    front = sleeper(t, '--user', '1234:4321')
    t.good(inside(t, front, 'id -u; id -g; id -G'), out='1234\n4321\n4321\n')
    t.good(inside(t, front, 'id -u; id -G', '--user', '0:0'), out='0\n0\n')
    end_box(t, front)


@test(modes='user')
def another_user_is_refused(t):
    front = sleeper(t)
    t.error(inside(t, front, 'id', '--user', '0'), 'IDMAP')
    t.good(inside(t, front, 'id -u', '--user', f'{os.getuid()}:{os.getgid()}'), out=f'{os.getuid()}\n')
    t.good(inside(t, front, 'id -u; id -g', '--user', str(os.getuid())), out=f'{os.getuid()}\n{os.getgid()}\n')  # without an entry
    end_box(t, front)


@test
def record_and_events(t):
    front = sleeper(t)
    f = t.path('record')
    inside(t, front, 'exit 3', '--report', f)
    rec = t.record(f)
    t.eq((rec['reason'], rec['exit_code'], rec['signal'], rec['command']), ('exited', 3, None, ['sh', '-c', 'exit 3']), 'record')
    t.eq((rec['init_pid'], rec['leaked'], rec['schema'], rec['containment']), (t.init_of(front), [], 1, 'pidns'), 'record')
    t.ok(rec['inside_pid'] > 2 and (rec['command_pid'] is None or rec['command_pid'] > 0), f'PIDs {rec["command_pid"]} {rec["inside_pid"]}')
    t.ok(re.fullmatch(rf'{t.init_of(front)}[:@]\d+', rec['id']), f'id {rec["id"]}')
    inside(t, front, 'kill -9 $$', '--report', f)
    t.eq((t.record(f)['reason'], t.record(f)['signal']), ('signaled', 'SIGKILL'), 'record')
    exec_in(t, front, '--report', f, ['no-such-program'])
    rec = t.record(f)
    t.eq((rec['reason'], rec['errno'], rec['code'], rec['step']), ('setup-failed', 'ENOENT', 'NOT_FOUND', 'exec'), 'record')
    r = t.sh('"$1" exec --events fd:3 "$2" sh -c "exit 5" 3>events', t.pidbox, str(front.pid))
    t.eq(r.code, 5, 'status')
    events = [json.loads(l) for l in open(t.path('events'))]
    t.eq([e['event'] for e in events], ['exec', 'exit'], 'events')
    t.eq(events[1]['record']['exit_code'], 5, 'the record in the last event')
    r = inside(t, front, 'exit 0', '--summary')
    t.ok('exited with 0' in r.err, f'the summary: {r.err!r}')
    end_box(t, front)


# ------------------------------------------------------------ its end

IGNORES = 'trap "" TERM; echo ready; while :; do sleep 1; done'


@test
def its_time_limit(t):
    """124, after the grace; the box goes on."""
    front = sleeper(t)
    t0 = time.monotonic()
    t.good(inside(t, front, 'sleep 100', '--timeout', '300ms'), code=124)
    t.ok(time.monotonic() - t0 < 8, 'SIGTERM is enough')
    r = inside(t, front, IGNORES, '--timeout', f'{0.2 * SLOWNESS}', '--grace', '200ms')
    t.good(r, code=124, out='ready\n')
    t.good(inside(t, front, 'trap "exit 9" TERM; sleep 100 & wait', '--timeout', '300ms'), code=124)
    t.good(inside(t, front, 'trap "exit 9" USR1; sleep 100 & wait', '--timeout', '300ms', '--stop-signal', 'USR1', '--grace', '60s'), code=124)
    t.ok(front.poll() is None, 'the box lives')
    command = t.command_of(front)
    t.ok(until(lambda: children(t.init_of(front)) == [command], 5), f'nothing is left of it: {descendants(t.init_of(front))}')
    end_box(t, front)


@each({'KILL': signal.SIGKILL, 'TERM': signal.SIGTERM, 'INT': signal.SIGINT, 'HUP': signal.SIGHUP})
def its_fronts_end(t, sig):
    """Its front killed, or a signal passed on: with all of its session it is gone, and the box is not."""
    front = sleeper(t)
    p = t.start([t.pidbox, 'exec', str(front.pid), 'sh', '-c', 'sleep 1001 & sleep 1002 & echo ready; wait'], stdout=subprocess.PIPE)
    t.eq(Lines(p.stdout).line(), 'ready', 'its first words')
    p.send_signal(sig)
    t.eq(t.finish(p), -sig, 'how the front ended')
    command = t.command_of(front)
    t.ok(until(lambda: children(t.init_of(front)) == [command], 5) or sig not in (signal.SIGKILL,),
         f'nothing is left of it: {[comm(p) for p in children(t.init_of(front))]}')
    t.ok(front.poll() is None, 'the box lives')
    end_box(t, front)


@each({'kill the front': ('front', signal.SIGKILL), 'end the front': ('front', signal.SIGTERM), 'kill the init': ('init', signal.SIGKILL),
       'the command ends': ('command', signal.SIGKILL)})
def the_boxs_end(t, who, sig):
    """It is told: killed, and nothing is left when its front returns."""
    front = sleeper(t)
    out, events = os.pipe()
    with os.fdopen(out, 'rb', 0) as out:
        p = t.start([t.pidbox, 'exec', '--events', f'fd:{events}', str(front.pid), 'sleep', '1003'], pass_fds=[events], stderr=subprocess.PIPE)
        os.close(events)
        # Not by words of the command's: it may say them before the client has heard that it runs.
        t.ok('"exec"' in Lines(out).line(), 'exec has been told of its start')
    pid = {'front': lambda: front.pid, 'init': lambda: t.init_of(front), 'command': lambda: t.command_of(front)}[who]()
    init = t.init_of(front)
    os.kill(pid, sig)
    t.eq(t.finish(p), -signal.SIGKILL, 'how exec ended')
    t.ok(b'the box has ended' in p.stderr.read(), 'it says that the box has ended')
    t.ok(not until(lambda: comm(init) == 'pidbox-init', 0.1), 'the init is gone')
    t.finish(front)
    t.error(t.run([t.pidbox, 'exec', str(init), 'true']), ('NO_SUCH_BOX', 'BOX_DEAD'))


@test
def the_box_waits(t):
    """--on-exit wait: until what exec has started has ended; it is no leak."""
    front = sleeper(t, '--on-exit', 'wait', '--report', 'r', command=('sh', '-c', 'sleep 0.5; exit 4'))
    p = t.start([t.pidbox, 'exec', str(front.pid), 'sh', '-c', 'echo ready; read x; exit 6'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    t.eq(Lines(p.stdout).line(), 'ready', 'its first words')
    p.stdin.write(b'\n')
    t.eq(t.finish(p), 6, 'its status')
    t.eq(t.finish(front), 4, 'the status of the box')
    t.eq(t.record(t.path('r'))['leaked'], [], 'leaked')


@test
def no_leak(t):
    front = sleeper(t, '--fail-on-leak', '--report', 'r', command=('sh', '-c', 'sleep 0.5; exit 0'))
    p = t.start([t.pidbox, 'exec', str(front.pid), 'sh', '-c', 'sleep 1004 & echo ready; wait'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    t.eq(Lines(p.stdout).line(), 'ready', 'its first words')
    t.eq(t.finish(front), 0, 'the status of the box')
    t.eq(t.record(t.path('r'))['leaked'], [], 'leaked')
    t.eq(t.finish(p), -signal.SIGKILL, 'how exec ended')


# ------------------------------------------------------------ how it is made


KCMP, KCMP_VM = 312 if os.uname().machine == 'x86_64' else 272, 1  # kcmp(2)


def shares_memory(a, b):
    """None: the kernel does not say."""
    r = ctypes.CDLL(None, use_errno=True).syscall(KCMP, a, b, KCMP_VM, 0, 0)
    return None if r < 0 else r == 0


@contextlib.contextmanager
def slow_to_open(path):
    """Who opens it waits until the lease is given back (fcntl(2)); the kernel takes it after lease-break-time, 45 s."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, before)


@test
def a_start_that_hangs(t):
    """One that is held up in its exec borrows the init's memory; the init, and others that start, go on."""
    slow, front = t.path('slow'), sleeper(t)
    shutil.copy('/bin/sh', slow)
    init, command = t.init_of(front), t.command_of(front)
    with slow_to_open(slow):
        held = []
        for _ in range(2):
            p = t.start([t.pidbox, 'exec', str(front.pid), slow, '-c', 'echo at last; exit 5'], stdout=subprocess.PIPE)
            known = [command, *(pid for _, pid in held)]
            t.ok(until(lambda: set(children(init)) - set(known), 10), 'it has been cloned')
            held.append((p, (set(children(init)) - set(known)).pop()))
        if t.mode == 'root' and shares_memory(init, init):
            t.eq([shares_memory(init, pid) for _, pid in held], [True, False], 'the first shares the memory of the init, the second has its own')
        for i in range(5):
            t.good(inside(t, front, f'echo {i}'), out=f'{i}\n')
        t.error(exec_in(t, front, ['nosuch']), 'NOT_FOUND', 127)
    for p, _ in held:
        t.eq((p.stdout.read(), t.finish(p)), (b'at last\n', 5), 'when it may open its file')
    # One that is killed while it borrows; the next one borrows again.
    with slow_to_open(slow):
        for _ in range(2):
            p = t.start([t.pidbox, 'exec', str(front.pid), slow], stderr=subprocess.DEVNULL)
            t.ok(until(lambda: set(children(init)) - {command}, 10), 'it has been cloned')
            pid = (set(children(init)) - {command}).pop()
            if t.mode == 'root' and shares_memory(init, init):
                t.ok(shares_memory(init, pid), 'it shares the memory of the init')
            p.kill()
            t.finish(p)
            t.ok(until(lambda: children(init) == [command], 10), 'it ended with its client')
    end_box(t, front)


@test
def what_it_borrows_is_given_back(t):
    """Arguments that fill more than what the init lends; after many starts it has the memory that it had."""
    front = sleeper(t)
    large = ['true', *('x' * 1000 for _ in range(300))]
    size = lambda: inside(t, front, 'grep VmSize /proc/1/status').out
    t.good(exec_in(t, front, large))
    before = size()
    for _ in range(10):
        t.good(exec_in(t, front, large))
    t.eq(size(), before, 'its memory')
    r = inside(t, front, 'env', '--env', 'LONG=' + 'y' * 100000, '--env', 'LAST=z')
    t.ok('LONG=' + 'y' * 100000 + '\n' in r.out and 'LAST=z\n' in r.out, 'what was to be set')
    r = inside(t, front, 'env')
    t.ok('LONG' not in r.out and 'LAST' not in r.out, 'nothing of the one before')
    end_box(t, front)
def leftovers(t, *options, scripts):
    """Run a box until each script has been run in it by exec: (its status, what has leaked)."""
    front = t.start_box('--report', 'r', *options, '--', 'sh', '-c', 'read x; exit 0', stdin=subprocess.PIPE)
    t.command_of(front)
    t.ok(until(lambda: entries(t), 10), 'it can be reached')
    for script in scripts:
        t.good(inside(t, front, f'exec <&- >&- 2>&-; {script}'))
    front.stdin.write(b'\n')
    return t.finish(front), [m['command'] for m in t.record(t.path('r'))['leaked']]


@test
def what_it_has_left_is_no_leak(t):
    """Processes of its session that outlive it: of its group, in a group of their own, orphans."""
    got = leftovers(t, '--fail-on-leak', scripts=['sleep 1011 & exit 0', 'set -m; sleep 1012 & exit 0', '(sleep 1013 & sleep 1014 &); exit 0'])
    t.eq(got, (0, []), 'status, leaked')


@test
def what_leaves_its_session_is_the_boxs(t):
    """It has become one of the box's own, as if the command had started it."""
    t.eq(leftovers(t, scripts=['setsid sleep 1015 & exit 0', 'sleep 1016 & exit 0']), (0, [['sleep', '1015']]), 'status, leaked')


@test(modes='root,user')
def a_number_that_is_used_again_is_judged_anew(t):
    """A session that ended with its exec: who gets its number later is a stranger, and leaks."""
    script = r'''read s; echo $((s - 1)) > /proc/sys/kernel/ns_last_pid || exit 9; setsid sh -c 'echo $$; sleep 1017 >&- & exit 0' & wait; exit 0'''
    front = t.start_box('--report', 'r', '--map', 'root', '--', 'sh', '-c', script, stdin=subprocess.PIPE)
    t.command_of(front)
    t.ok(until(lambda: entries(t), 10), 'it can be reached')
    was = t.good(inside(t, front, 'echo $$')).out
    front.stdin.write(was.encode())
    t.eq(t.finish(front), 0, 'status')
    t.eq(front.out.rest(), was, 'the number was used again')
    t.eq([m['command'] for m in t.record(t.path('r'))['leaked']], [['sleep', '1017']], 'leaked')


# ------------------------------------------------------------ terminals

@test
def a_terminal_of_its_own(t):
    """By default when standard input and output are one: sized, resized, and the outer one is put right."""
    front = sleeper(t)
    term = Term(t, [t.pidbox, 'exec', str(front.pid), 'sh', '-c', 'trap "stty size" WINCH; tty; stty size; while :; do sleep 0.05; done'], 30, 100)
    fresh, other = pty.openpty()
    i, o, c, l, *_ = termios.tcgetattr(fresh)
    os.close(fresh), os.close(other)
    before = i, o, c & ~termios.CBAUD, l & ~(termios.PENDIN | termios.FLUSHO)
    term.expect(r'(/dev/pts/\d+|not a tty)\r\n30 100\r\n')
    term.size(40, 120)
    os.kill(term.p.pid, signal.SIGWINCH)
    term.expect(r'40 120\r\n')
    t.ok(term.modes() != before, 'the outer terminal is raw meanwhile')
    term.send('\x03')
    t.eq(t.finish(term.p), -signal.SIGINT, 'Ctrl-C ends it')
    t.eq(term.modes(), before, 'modes of the outer terminal')
    end_box(t, front)


@test
def a_shell_in_a_box(t):
    """The box's shell, with job control of its own."""
    if not BASH:
        t.skip('no /bin/bash')
    front = sleeper(t, '-e', 'PS1=P> ')
    term = Term(t, [t.pidbox, 'exec', '-it', '-e', 'PS1', str(front.pid), *SHELL])
    term.prompt()
    t.eq(term.cmd('echo $PPID'), '1', 'the parent of the shell')
    term.start('sh -c "echo u\\p; exec cat"', 'up\r\n')  # (a loop of a shell's could be stopped in a vfork, and hang)
    term.send('\x1a')
    term.expect('Stopped')
    term.prompt()
    t.ok('Stopped' in term.cmd('jobs'), 'jobs')
    term.send('fg\n')
    term.expect('exec cat.*\r\n')
    term.send('line\n')
    term.expect('line\r\nline\r\n')  # it has the terminal
    term.send('\x03')
    term.prompt()
    t.eq(term.cmd('echo rc=$?'), 'rc=130', 'after Ctrl-C')
    term.send('sleep 1007 &\n')
    term.prompt()
    term.send('exit 6\n')
    t.eq(t.finish(term.p), 6, 'the status of the shell')
    end_box(t, front)


@test
def job_control_outside(t):
    """Without a terminal of its own (in a pipeline): Ctrl-C, Ctrl-Z and fg as for any command."""
    front = sleeper(t)
    s = shell(t)
    s.start(f'pidbox exec {front.pid} {UP} | cat', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    stopped = [k for k in children(t.init_of(front)) if k != t.command_of(front)]
    t.ok(stopped and until(lambda: proc_table().get(stopped[0], (0, ''))[1] == 'T'), 'it is stopped in the box, too')
    s.fg('pidbox exec')
    t.ok(until(lambda: proc_table().get(stopped[0], (0, ''))[1] == 'S'), 'and goes on')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo ${PIPESTATUS[0]}'), '130', 'after fg and Ctrl-C')
    t.eq(s.cmd(f'pidbox exec {front.pid} true; echo rc=$?'), 'rc=0', 'a command that has a terminal')
    s.start(f'while :; do pidbox exec {front.pid} {UP}; done', 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo still here'), 'still here', 'a loop stops on Ctrl-C')
    end_box(t, front)


@test
def a_terminal_for_a_pipe(t):
    """-t without a terminal outside: what goes in comes out of one."""
    front = sleeper(t)
    r = inside(t, front, 'test -t 0 && test -t 1 && echo yes; cat', '-t', input='word\n')
    t.eq((r.code, sorted(r.out.replace('\r', '').split())), (0, ['word', 'word', 'yes']), 'output, and the echo')
    p = t.start([t.pidbox, 'exec', '-t', str(front.pid), 'sh', '-c', 'echo ready; exec sleep 1008'], stdout=subprocess.PIPE)
    t.eq(Lines(p.stdout).line(), 'ready\r', 'its first words')
    p.terminate()
    t.eq(t.finish(p), -signal.SIGTERM, 'a signal to the front reaches it')
    end_box(t, front)


# ------------------------------------------------------------ kinds of boxes

@each({'time': ('--time-offset', 'boottime=100000'), 'proc none': ('--proc', 'none'), 'net': ('--unshare', 'net'), 'map root': ('--map', 'root'),
       'cgroup': ('--unshare', 'cgroup'), 'tty': ('--tty',), 'cpu-time': ('--cpu-time', '100s'), 'first-pid': ('--first-pid', '50')})
def kinds_of_boxes(t, *options):
    front = sleeper(t, *options)
    kinds = 'pid mnt uts ipc net time cgroup user'.split()
    if options[0] == '--proc':
        t.good(inside(t, front, 'echo $PPID'), out='1\n')
    else:
        r = t.good(inside(t, front, f'for k in {" ".join(kinds)}; do readlink /proc/self/ns/$k; done'))
        command = t.command_of(front)
        with contextlib.suppress(PermissionError):
            t.eq(r.out.split(), [ns(k, command) for k in kinds], 'namespaces')
    t.good(exec_in(t, front, ['false']), code=1)
    end_box(t, front)


@test
def nested_three_deep(t):
    """From each level into the next; from outside into each, by who can see that far."""
    front = t.start_box('sh', '-c', 'exec "$0" run "$0" run sh -c "echo ready; exec sleep 1005"', t.pidbox)
    t.eq(front.out.line(), 'ready', 'first words')
    script = 'echo $PPID $(grep -c . /proc/self/ns/pid 2>/dev/null; tr "\\0" " " </proc/2/cmdline)'
    for depth, want in enumerate(('run', 'run', 'sleep 1005')):
        argv = [t.pidbox, 'exec', str(front.pid)] + [t.pidbox, 'exec', '2'] * depth + ['sh', '-c', script]
        r = t.good(t.run(argv))
        t.ok(r.out.startswith('1 ') and want in r.out, f'level {depth + 1}: {r.out!r}')
    pid = front.pid
    for depth in range(2 if t.mode == 'root' else 0):
        pid = children(children(pid)[0])[0]
        r = t.good(t.run([t.pidbox, 'exec', str(pid), 'sh', '-c', 'echo $PPID; grep NSpid: /proc/self/status']))
        # Before Linux 6.11 nobody can prove to a front in a box that he is above it: the box is entered then, by setns.
        t.eq((r.out.split()[0], len(r.out.split())), ('1' if kernel() >= (6, 11) else '0', 3), f'from outside, level {depth + 2}: {r.out!r}')
    end_box(t, front)


# Asks the front that listens at a socket for a command; says what it is told.
INTRUDER = ('import socket, struct, sys, os\n'
            's = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n'
            's.settimeout(10)\n'
            's.connect(sys.argv[1])\n'
            'f = os.open("/dev/null", os.O_RDONLY)\n'
            'p = os.pidfd_open(os.getpid())\n'
            'socket.send_fds(s, [struct.pack("<IIIiqQ4Q", 0x31584250, 1, 4, 0, -1, 100, 0, 0, 0, 0)], [p, f, f, f, f])\n'
            'try:\n  d = s.recv(200)\nexcept OSError as e:\n  d = b""\n'
            'print(struct.unpack("<IIIi", d[:16])[2:] if len(d) >= 16 else "closed")\n')


def refused(t, r):
    t.ok(r.code == 0 and (r.out == 'closed\n' or r.out == f'(65, {errno.EACCES})\n'), f'it is refused: {r.out} {r.err[-300:]}')


def socket_of(t):
    return [os.path.join(d, f) for d, _, files in os.walk(t.env['PIDBOX_RUNTIME_DIR']) for f in files if re.fullmatch(r'\d+[:@]\d+', f)][0]


@test
def from_inside(t):
    """Nobody inside can use a control socket, its own box's or a sibling's, to leave."""
    other = sleeper(t)
    path = socket_of(t)
    refused(t, t.box('--', 'python3', '-c', INTRUDER, path))
    refused(t, t.run([t.pidbox, 'exec', str(other.pid), 'python3', '-c', INTRUDER, path]))
    r = t.run(['python3', '-c', INTRUDER, path])
    t.ok(r.out.startswith('(65, ') and r.out != f'(65, {errno.EACCES})\n', f'outside only its request is wrong: {r.out}')
    t.ok(other.poll() is None, 'the box lives')
    end_box(t, other)


@test
def from_inside_before_linux_6_11(t):
    """The kernel does not say of a pidfd in which PID namespace it is: who is outside is known by his numbers."""
    front = t.start(['deny', str(errno.ENOTTY), 'pidns', '--', t.pidbox, 'run', '--', 'sleep', '1000'])
    t.command_of(front)
    t.ok(until(lambda: entries(t), 10), 'it can be reached')
    t.good(inside(t, front, 'echo $PPID'), out='1\n')
    path = socket_of(t)
    refused(t, t.run([t.pidbox, 'exec', str(front.pid), 'python3', '-c', INTRUDER, path]))
    refused(t, t.box('--', 'python3', '-c', INTRUDER, path))
    end_box(t, front)


@test
def many(t):
    """A few dozen at once, and some that are killed in the middle; the box goes on, nothing of them is left."""
    front = sleeper(t)
    ps = [t.start([t.pidbox, 'exec', str(front.pid), 'sh', '-c', 'exit $1', 'x', str(i)]) for i in range(40)]
    t.eq([t.finish(p, 30) for p in ps], list(range(40)), 'statuses')
    ps = [t.start([t.pidbox, 'exec', str(front.pid), 'sleep', '1006'], stderr=subprocess.DEVNULL) for _ in range(20)]
    for i, p in enumerate(ps):
        time.sleep(0.001 * i)
        p.kill()
        t.finish(p)
    t.ok(until(lambda: len(children(t.init_of(front))) == 1, 10), 'all are gone')
    t.good(inside(t, front, 'echo fine'), out='fine\n')
    end_box(t, front)


@test
def usage(t):
    t.error(t.run([t.pidbox, 'exec']), 'USAGE')
    for theirs, ours in {'-m': '--only mount', '--workdir=/': '--chdir', '-w/': '--chdir', '--target=1': 'pidbox exec', '-a': '--only',
                         '--setuid=1': '--user', '-d': 'pidbox run -d'}.items():
        t.error(t.run([t.pidbox, 'exec', theirs, '1', 'true']), 'USAGE', has=ours)
    t.error(t.run([t.pidbox, 'exec', '--timeout', 'x', '1', 'true']), 'USAGE', has='--timeout')
    t.error(t.run([t.pidbox, 'exec', '--only', 'pid,sofa', '1', 'true']), 'USAGE', has='--only')
    t.error(t.run([t.pidbox, 'exec', '-e', '=x', '1', 'true']), 'USAGE', has='--env')
    t.error(t.run([t.pidbox, 'exec', 'nobody-has-this-name', 'true']), 'NO_SUCH_BOX')
    t.ok('usage: pidbox exec' in t.run([t.pidbox, 'exec', '--help']).out, 'help')


@test
def by_name_and_idle(t):
    """A detached box, and one without a command: what is started there has what the box was given."""
    t.good(t.box('-d', '--name', 'away', '--', 'sleep', '1009'), out='away\n')
    t.good(t.run([t.pidbox, 'exec', 'away', 'sh', '-c', 'echo $PPID']), out='1\n')
    name = [b['id'] for b in json.loads(t.run([t.pidbox, 'ls', '--own', '--json']).out)['boxes'] if b['name'] == 'away'][0]
    t.good(t.run([t.pidbox, 'kill', 'away']))
    for ended in 'away', name:
        t.error(t.run([t.pidbox, 'exec', ended, 'true']), 'BOX_DEAD', has=[f'the box {ended} has ended', 'SIGTERM'])
    t.good(t.box('-d', '--name', 'away', '--', 'sh', '-c', 'exit 3'), out='away\n')
    t.run([t.pidbox, 'wait', 'away'])
    t.error(t.run([t.pidbox, 'exec', 'away', 'true']), 'BOX_DEAD', has='exit status 3')
    d = t.path('place')
    os.mkdir(d)
    t.good(t.box('-d', '--idle', '--name', 'empty', '-C', d, '-e', 'A=b'), out='empty\n')
    for _ in range(3):
        t.good(t.run([t.pidbox, 'exec', 'empty', 'sh', '-c', 'echo $PPID $A; pwd']), out=f'1 b\n{d}\n')
    p = t.start([t.pidbox, 'exec', 'empty', 'sh', '-c', 'echo ready; exec sleep 1010'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    t.eq(Lines(p.stdout).line(), 'ready', 'its first words')
    t.good(t.run([t.pidbox, 'kill', 'empty']))
    t.eq(t.finish(p), -signal.SIGKILL, 'its end with the box')
    t.forget_records()


@test
def a_box_that_is_held(t):
    """Its init waits for one thing only: whoever comes too early is told so."""
    r, w = pipe()
    with opened(r, w):
        p = t.start_box('--name', 'held', '--hold-fd', str(r), '--events', 'fd:1', '--', 'true', pass_fds=(r, ))
        while '"ready"' not in (p.out.line() or t.fail('it ended')):
            pass
        t.error(t.run([t.pidbox, 'exec', 'held', 'true']), has=['held', 'try again'])
        os.write(w, b'x')
        t.eq(t.finish(p), 0, 'it goes on')
