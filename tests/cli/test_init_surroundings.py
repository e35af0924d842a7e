# SPDX-License-Identifier: MIT
"""pidbox-init in its own manner: descriptors, stopped commands, terminals, odd places."""
from manners import *


# ---- descriptors

@both
def closed_streams(t, pid1):
    m = own(t, pid1)
    for closed in [0], [1], [2], [0, 1], [0, 1, 2]:
        for opts in [], ['-vvv', '-w'], ['--report', t.path('r')], ['--on-exit', 'term', '--grace', '1s']:
            with t.case((closed, opts)):
                def shut():
                    for fd in closed:
                        os.close(fd)
                if os.path.exists(t.path('fds')):
                    os.unlink(t.path('fds'))
                argv = ['sh', '-c', 'exec "$@" ' + ' '.join(f'{fd}>&-' for fd in closed), 'sh', m.path, *opts, 'sh',
                        '-c', f'forkstorm 3; fds {t.path("fds")}; exit 3']
                r = t.run(argv if not pid1 else [t.pidbox, 'run', '--as-pid1', '--', *argv])
                t.eq(r.code, 3, f'status (stderr {short(r.err)})')
                have = {int(x.split()[0]) for x in open(t.path('fds'))} if os.path.exists(t.path('fds')) else None
                t.ok(have is not None and not have & set(closed) and {0, 1, 2} - set(closed) <= have,
                     f'descriptors of the command {have}')
    gone(t, m)


@both
def standard_error_that_takes_nothing(t, pid1):
    """Full, /dev/full, or a pipe that nobody reads any more: it goes on, and leaves its caller's flags alone."""
    m = own(t, pid1)
    argv = m.argv('-vvv', '-w', 'sh', '-c', 'forkstorm 300; exit 3')
    with open('/dev/full', 'w') as full:
        p = t.start(argv, stderr=full)
        t.eq(t.finish(p, 20), 3, 'status with /dev/full')
    r, w = os.pipe()
    os.close(r)
    with opened(w):
        t.eq(t.finish(t.start(argv, stderr=w), 20), 3, 'status with a broken pipe')
    r, w = os.pipe()
    with opened(r, w):
        os.set_blocking(w, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(w, b'x' * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(w, b'x')
        os.set_blocking(w, True)
        p = t.start(argv, stderr=w)
        t.eq(t.finish(p, 20), 3, 'status with a full pipe')
        t.ok(os.get_blocking(w), 'the pipe of the caller does not block any more')
    gone(t, m)


@both
def no_room_for_the_report(t, pid1):
    """A full disk, /dev/full: the status is left alone, and it is said; the same when the command could not be executed."""
    m = own(t, pid1)
    said = 'pidbox-init: warning: writing the report: No space left on device\n'
    for command, code, more in ([*SH, 'daemonize; exit 3'], 3, ''), (['/nonesuch'], 127, 'pidbox-init: /nonesuch: [^\n]*\n'):
        m.gives(['--report', '/dev/full', *command], code, err=more + said)
    gone(t, m)
    with open('/dev/full', 'w') as full:
        r = m.run('--report', '/dev/full', *SH, 'exit 4', stderr=full)
        t.eq(r.code, 4, 'status with nowhere to say it')


@each({'as PID 1': True, 'not PID 1': False}, modes='root,userns')
def a_full_file_system(t, pid1):
    """A tmpfs of one page, filled: the report is cut, which is said; words for standard error there are lost."""
    m = own(t, pid1)
    script = 'mount -t tmpfs -o size=4k,mode=755 none full && head -c 4096 /dev/zero >full/filled; "$@"'
    os.mkdir(t.path('full'))
    end = ['unshare', '-m', *SH, script, 'sh']
    r = t.run([*end, *m.argv('--report', t.path('full/report'), *SH, 'exit 3')])
    t.eq((r.code, r.err), (3, 'pidbox-init: warning: writing the report: No space left on device\n'), 'status, standard error')
    r = t.run([*end, *SH, 'exec "$@" 2>full/log', 'sh', *m.argv('-vvv', '-w', *SH, 'forkstorm 50; exit 3')])
    t.eq((r.code, r.out, r.err), (3, '', ''), 'status, output, standard error of what logs there')
    gone(t, m)


@both
def a_terminal_that_is_gone(t, pid1):
    """Standard error is a terminal whose master is closed: write(2) gives EIO."""
    m = own(t, pid1)
    master, slave = pty.openpty()
    os.close(master)
    with opened(slave):
        r = m.run('-vvv', '-w', '--report', f'fd:{slave}', *SH, 'forkstorm 50; exit 3', stderr=slave, pass_fds=(slave,))
        t.eq((r.code, r.out), (3, ''), 'status, output')
        m.gives(['--report', f'fd:{slave}', *SH, 'exit 3'], 3, pass_fds=(slave,),
                err='pidbox-init: warning: writing the report: (I/O error|Input/output error)\n')
    with t.case('it goes while the init runs'):
        master, slave = pty.openpty()
        with opened(slave):
            p = t.start(m.argv('-vvv', *SH, 'echo up; read x; exit 3'), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=slave)
        t.eq(Lines(p.stdout).line(), 'up', 'the command')
        os.close(master)
        init = next(c for c in children(p.pid) if is_first(c)) if pid1 else p.pid
        os.kill(init, signal.SIGWINCH)
        t.ok(taken(init), 'the init does not take its signals')
        p.stdin.write(b'\n')
        t.eq(t.finish(p), 3, 'status')
    gone(t, m)


@both
def streams_are_the_commands(t, pid1):
    m = own(t, pid1)
    r = m.run('cat', input='through\n')
    t.eq((r.code, r.out, r.err), (0, 'through\n', ''), 'cat')
    with open('/dev/null') as null:
        os.dup2(null.fileno(), 9)
        out = [{line.split()[0] for line in r.out.splitlines()} for r in (t.run(['fds'], pass_fds=(9,)),
                                                                          m.run('fds', pass_fds=(9,)))]
        os.close(9)
    t.eq(out[1], {'0', '1', '2', '9'}, 'its descriptors')
    t.eq(out[1], out[0], 'its descriptors, and those without an init')


# ---- stopped

@elsewhere
def a_stopped_command(t, pid1):
    """It stops itself as well; CONT lets both go on."""
    m = own(t, pid1)
    for sig in signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN:
        with t.case(sig.name):
            f = m.family(args=['alone', 'stay'], pre=os.setpgrp)  # a group that is not orphaned: there TSTP stops
            if sig == signal.SIGTSTP:
                os.kill(f.init, sig)
            else:
                os.kill(f.me, sig)
            t.ok(f.stopped(f.me), 'the command is not stopped')
            t.ok(f.stopped(f.init), f'the init is {state(f.init)}')
            s = os.waitid(os.P_PID, f.p.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            t.ok(s is not None and s.si_code == os.CLD_STOPPED, f'the parent does not learn of it: {s}')
            os.kill(f.init, signal.SIGCONT)
            t.ok(until(lambda: state(f.init) != 'T' and state(f.me) != 'T'),
                 f'after CONT: {state(f.init)} {state(f.me)}')
            t.eq(f.send(1), [('me', 1)], '1 arrives as')
            f.end()
    with t.case('killed while stopped'):
        f = m.family(args=['alone', 'stay'], pre=os.setpgrp)
        os.kill(f.me, signal.SIGSTOP)
        t.ok(f.stopped(f.me, f.init), 'not stopped')
        os.kill(f.me, signal.SIGKILL)
        os.kill(f.init, signal.SIGCONT)
        t.eq(t.finish(f.p), 137, 'status')
    gone(t, m)


@each({'as PID 1': True})
def a_stopped_command_of_pid_1(t, pid1):
    f = own(t, pid1).family(args=['alone', 'stay'])
    os.kill(f.me, signal.SIGSTOP)
    t.ok(f.stopped(f.me), 'the command is not stopped')
    os.kill(f.init, signal.SIGHUP)
    os.kill(f.init, signal.SIGCONT)
    t.eq(f.next(), ('me', 1), 'after CONT to the init the command gets')
    f.end()


# ---- terminals

@both
def hands_over_the_terminal(t, pid1):
    """To a group of the command's own, if it leads the session: what is typed arrives once, and not by the init."""
    m = own(t, pid1)
    for opts in [], ['--setsid']:
        with t.case(opts):
            s, me = m.terminal(*opts)
            t.eq((me['pgrp'], me['tpgid']), (me['pid'], me['pid']),
                 'the command leads a group, which is in the foreground')
            t.eq(me['sid'] == me['pid'], opts == ['--setsid'], 'it leads a session')
            for key, sig in ('\x03', 2), ('\x1c', 3):
                s.send(key)
                s.expect(f'got {sig} 128 ')
                t.ok('got' not in s.before, f'before that: {s.before!r}')
            s.send('\n')
            t.eq(t.finish(s.p), 7, 'status')
            t.ok('got' not in s.lines.rest(), 'one of them arrived twice')


@elsewhere
def no_terminal_to_hand_over(t, pid1):
    m = own(t, pid1)
    s, me = m.terminal(redirect='< /dev/zero')
    t.eq((me['tpgid'], s.p.pid), (s.p.pid, s.p.pid), 'standard input is no terminal: the foreground group')
    t.eq(t.finish(s.p), 7, 'status')


@elsewhere
def a_shells_job(t, pid1):
    m = own(t, pid1)
    for opts in [], ['-g']:
        with t.case(opts):
            s, me = m.job(*opts)
            for key, sig in ('\x03', 2), ('\x1c', 3):
                s.send(key)
                s.expect(f'got {sig} ')
                t.ok('got' not in s.before, f'before that: {s.before!r}')
            s.send('\n')
            s.prompt()
            t.ok('got' not in s.before, f'one arrived twice: {s.before!r}')
            t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=7', 'status')
            s.start(f'{m.path} {" ".join(opts)} sh -c "echo u\\p; read x; echo got $x; exit 5"', 'up\r\n')
            for _ in range(3):
                s.send('\x1a')
                s.expect('Stopped')
                s.prompt()
                s.fg(NAME)
            s.send('\n')
            s.prompt()
            t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=5', 'status after Ctrl-Z and fg')
            s.start(f'{m.path} {" ".join(opts)} sh -c "daemonize; echo u\\p; exec sleep 100"', 'up\r\n')
            s.send('\x03')
            s.prompt()
            t.eq(s.cmd('echo rc=$?').split('\n')[-1], 'rc=130', 'status after Ctrl-C')
            t.eq(s.cmd('jobs'), '', 'jobs')


@both
def an_interactive_shell(t, pid1):
    if not BASH:
        t.skip('no /bin/bash')
    m = own(t, pid1)
    box = [t.pidbox, 'run', '-t', '--as-pid1', '--'] if pid1 else []
    s = Term(t, [*box, m.path, '--', *SHELL])
    s.prompt()
    t.ok('job control' not in s.before and 'process group' not in s.before, f'bash says {s.before!r}')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=130', 'Ctrl-C kills the foreground job, not the shell')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    s.cmd('kill -9 %1; wait; /bin/true; jobs')
    s.send('exit 3\n')
    t.eq(t.finish(s.p), 3, 'status')


# ---- odd places

@each({'as PID 1': True, 'not PID 1': False}, modes='root,userns')
def an_empty_root(t, pid1):
    """It needs nothing of the system: no /proc, no /dev, no library."""
    os.mkdir(t.path('root'))
    shutil.copy(os.path.join(cfg.bin, NAME), t.path('root/pidbox-init'))
    chroot = shutil.which('chroot', path=t.env['PATH'])
    box = [t.pidbox, 'run', '--as-pid1', '--'] if pid1 else []

    def inside(*args):
        return t.run([*box, chroot, t.path('root'), '/pidbox-init', *args])
    # Without a right to a procfs of its own it says what it cannot promise.
    blind = '' if pid1 or t.mode == 'root' else 'pidbox-init: warning: /proc does not show the processes here: ' \
        'what leaves the command\'s group may be left at the end\n'
    r = inside('/pidbox-init', '--version')
    t.eq((r.code, r.err), (0, blind), 'status, standard error')
    t.ok(re.fullmatch(r'pidbox-init [^\n]+\n', r.out), f'output {r.out!r}')
    t.eq(inside('/nonesuch').code, 127, 'status for /nonesuch')
    t.eq(inside('nonesuch').code, 127, 'status for nonesuch')
    t.eq(inside('/').code, 126, 'status for /')
    r = inside('-g', '--grace', '1s', '--on-exit', 'term', '-vvv', '-w', '/pidbox-init', '--on-exit', 'wait',
               '/pidbox-init', '-e', '125', '/pidbox-init', '-Z')
    t.eq(r.code, 0, f'status of a chain (stderr {short(r.err)})')
    os.symlink('pidbox-init', t.path('root/tini'))
    r = t.run([*box, chroot, t.path('root'), '/tini', '-s', '--', '/pidbox-init', '/pidbox-init', '-V'])
    t.eq((r.code, r.err), (0, blind), 'tini there: status, standard error')
    t.nothing_left()


@each({'not PID 1': False}, modes='user,userns')
def no_process_to_be_had(t, pid1):
    m = own(t, pid1)
    m.gives(['true'], 125, err=ERROR, pre=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)))


@both
def inits_inside_inits(t, pid1):
    m = own(t, pid1)
    m.gives([m.path, m.path, m.path, *SH, 'daemonize; exit 3'], 3)
    gone(t, m)
    r = m.run(*[m.path] * 5, *SH, 'kill -TERM $PPID; trap "exit 9" HUP; sleep 100')
    t.eq(r.code, 143, 'status when TERM went to the innermost')
    gone(t, m)


@test
def gives_the_foreground_back(t):
    """A script goes on with the terminal, also when the command could not be executed."""
    if not BASH:
        t.skip('no /bin/bash')
    s = Term(t, SHELL)
    s.prompt()
    for command in 'true', '/nonesuch':
        said = s.cmd(f'sh -c "pidbox-init {command} 2>/dev/null; ps -o pgid=,tpgid= -p \\$\\$"').split()
        t.ok(len(said) == 2 and said[0] == said[1], f'after {command}: group of the script, and the one in the foreground: {said}')


@test
def in_a_pipeline(t):
    """Where it cannot have the terminal for its command alone, that shares it: it reads, and Ctrl-C arrives once."""
    if not BASH:
        t.skip('no /bin/bash')
    s = Term(t, SHELL)
    s.prompt()
    up = 'pidbox-init -- sh -c "echo u\\p >&2; '
    s.start(f'{up}exec cat" | cat', 'up\r\n')
    s.send('line\n')
    s.expect('line\r\nline\r\n')
    s.send('\x04')
    s.prompt()
    s.start(f'{up}exec cat" >out', 'up\r\n')
    s.send('to a file\n')
    s.expect('to a file\r\n')
    s.send('\x04')
    s.prompt()
    t.eq(open(t.path('out')).read(), 'to a file\n', 'standard output redirected')
    s.start('pidbox-init -- sh -c "trap \'echo int >>ints\' INT; echo u\\p >&2; while :; do sleep 0.02; done" | (trap "" INT; cat)', 'up\r\n')
    s.send('\x03')
    t.ok(until(lambda: os.path.exists(t.path('ints')) and os.path.getsize(t.path('ints')) > 0), 'Ctrl-C did not arrive')
    s.send('\x1c')
    s.prompt()
    t.eq(open(t.path('ints')).read(), 'int\n', 'Ctrl-C arrived once')
