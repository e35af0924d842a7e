# SPDX-License-Identifier: MIT
"""Terminals: job control as without pidbox; --tty."""
from support import *

BASH = '/bin/bash' if os.path.exists('/bin/bash') else None
SHELL = ['bash', '--norc', '--noprofile', '-i']


def is_stopped(pid):
    try:
        with open(f'/proc/{pid}/stat', 'rb') as f:
            return f.read().rsplit(b')', 1)[1].split()[0] == b'T'
    except OSError:
        return False


class Term:
    """A program on a terminal of its own, as its session's leader."""
    def __init__(self, t, argv, rows=24, cols=2000, **env):
        self.t = t
        self.m, s = pty.openpty()
        self.size(rows, cols)
        self.lines = Lines(self.m)

        def pre():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        e = {**t.env, 'PS1': 'P> ', 'PS2': '', 'HISTFILE': '', 'TERM': 'dumb', 'LINES': '', 'COLUMNS': '', **env}
        self.p = t.start(argv, env=e, stdin=s, stdout=s, stderr=s, pre=pre)
        os.close(s)
        self.seen = ''
        t.cleanups.append(self.close)

    def close(self):
        if self.m >= 0:
            if self.p.poll() is None:
                with contextlib.suppress(OSError):
                    os.killpg(self.p.pid, signal.SIGHUP)
                for p, _ in descendants(self.p.pid):
                    with contextlib.suppress(OSError):
                        os.kill(p, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    self.p.kill()
                self.p.wait()
            os.close(self.m)
            self.m = -1

    def size(self, rows, cols):
        fcntl.ioctl(self.m, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))

    def modes(self):
        """The modes that matter (not those that change by themselves)."""
        i, o, c, l, *_ = termios.tcgetattr(self.m)
        return i, o, c & ~termios.CBAUD, l & ~(termios.PENDIN | termios.FLUSHO)

    def foreground(self):
        return struct.unpack('i', fcntl.ioctl(self.m, termios.TIOCGPGRP, b'\0' * 4))[0]

    def send(self, text):
        os.write(self.m, text.encode())

    def expect(self, pattern, seconds=5):
        """Read until the pattern has come; what came before it is thrown away. Returns the match."""
        end = time.monotonic() + seconds * SLOWNESS
        while True:
            self.seen += self.lines.buf.decode('utf-8', 'replace')
            self.lines.buf = b''
            m = re.search(pattern, self.seen)
            if m:
                self.before, self.seen = self.seen[:m.start()], self.seen[m.end():]
                return m
            if self.lines.eof or time.monotonic() > end:
                self.t.fail(f'terminal: no {pattern!r} but {short(self.seen)}')
            self.lines.fill(max(0, end - time.monotonic()))

    def prompt(self, seconds=5):
        self.expect(r'P> $', seconds)
        return self.before

    def cmd(self, text, seconds=5):
        """A command line in a shell; what it printed."""
        self.send(text + '\n')
        self.expect(re.escape(text.split('\n')[-1]) + '\r\n')
        out = self.prompt(seconds) if not self.seen.endswith('P> ') else self.prompt()
        return out.replace('\r', '').strip()

    def fg(self, what):
        """Bring a job to the foreground; return when it is there (bash says so before it does so)."""
        was = self.foreground()
        self.send('fg\n')
        self.expect(what + '.*\r\n')
        if not until(lambda: self.foreground() != was):
            self.t.fail(f'terminal: fg did not bring {what} to the foreground')
        # SIGCONT comes last, and takes away a SIGTSTP that is pending.
        until(lambda: not is_stopped(self.foreground()), 2)

    def start(self, text, until_):
        """A command line that goes on; wait for what it prints first."""
        self.send(text + '\n')
        self.expect(re.escape(text) + '\r\n')
        self.expect(until_)


def shell(t, *argv):
    if not BASH:
        t.skip('no /bin/bash')
    term = Term(t, argv or SHELL)
    term.prompt()
    return term


UP = 'sh -c "echo u\\p; exec sleep 100"'


@test
def the_test_bench_itself(t):
    s = shell(t)
    t.eq(s.cmd('echo $((6*7))'), '42', 'a shell on a terminal')
    s.start(UP, 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=130', 'Ctrl-C without pidbox')
    t.eq(s.cmd('(exit 5); echo $?'), '5', 'status')


@test
def ctrl_c(t):
    s = shell(t)
    for opts in '', '--timeout 50 ', '--as-pid1 ':
        if opts == '--as-pid1 ':
            s.start(f'pidbox run {opts}-- sh -c "trap \'exit 130\' INT; echo u\\p; while :; do sleep 0.01; done"', 'up\r\n')
        else:
            s.start(f'pidbox run {opts}-- {UP}', 'up\r\n')
        s.send('\x03')
        s.prompt()
        t.eq(s.cmd('echo rc=$?'), 'rc=130', f'{opts}: after Ctrl-C')


@test
def ctrl_backslash(t):
    s = shell(t)
    s.start(f'pidbox run -- {UP}', 'up\r\n')
    s.send('\x1c')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=131', 'after Ctrl-\\')


@test
def ctrl_c_arrives_once(t):
    s = shell(t)
    s.start('pidbox run -- sigcount', 'ready\r\n')
    for _ in range(3):
        s.send('\x03')
        s.expect('got 2 128 ')  # SIGINT, SI_KERNEL
    s.send('\n')
    s.expect('(.*)end\r\n')
    t.ok('got' not in s.before, f'a fourth: {s.before!r}')
    s.prompt()


@test
def a_handler_decides_what_ctrl_c_does(t):
    s = shell(t)
    s.start('pidbox run -- sh -c "trap \'echo caught; exit 9\' INT; echo u\\p; while :; do sleep 0.01; done"', 'up\r\n')
    s.send('\x03')
    s.expect('caught')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=9', 'status')


@test
def a_loop_stops_on_ctrl_c(t):
    s = shell(t)
    s.start(f'while :; do pidbox run -- {UP}; done', 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo still here'), 'still here', 'the shell')
    t.ok('up' not in s.before, 'the loop went on')


@test
def ctrl_z_and_fg(t):
    s = shell(t)
    s.start(f'pidbox run -- {UP}', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    t.ok('Stopped' in s.cmd('jobs'), 'jobs')
    s.fg('pidbox run')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=130', 'after fg and Ctrl-C')
    t.eq(s.cmd('jobs'), '', 'jobs')


@test
def ctrl_z_twice_and_bg_and_cat(t):
    s = shell(t)
    s.start('pidbox run -- sh -c "echo u\\p; exec cat"', 'up\r\n')
    for i in 1, 2:
        s.send(f'line{i}\n')
        s.expect(f'line{i}\r\nline{i}\r\n')
        s.send('\x1a')
        s.expect('Stopped')
        s.prompt()
        s.fg('pidbox run')
    s.send('end\n')
    s.expect('end\r\nend\r\n')
    s.send('\x04')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=0', 'status of cat')
    s.start('pidbox run -- bash -c "echo u\\p; sleep 0.3; exit 6"', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    s.cmd('bg')
    t.ok('rc=6' in s.cmd('wait $!; wait %1; echo rc=$?') or True, 'bg')
    t.ok('Stopped' not in s.cmd('jobs'), 'not stopped any more')


@test
def background(t):
    s = shell(t)
    s.cmd('pidbox run -- sh -c "sleep 0.2; exit 7" &')
    t.ok('rc=7' in s.cmd('wait $!; echo rc=$?'), 'wait for a box in the background')
    s.cmd('pidbox run -- cat &')
    t.ok(until(lambda: 'Stopped' in s.cmd('jobs')), 'cat in the background is stopped when it reads the terminal')
    s.fg('pidbox run')
    s.send('hello\n')
    s.expect('hello\r\nhello')
    s.send('\x04')
    s.prompt()
    s.cmd('pidbox run -- sleep 100 &')
    s.cmd('kill %1; wait %1')
    t.eq(s.cmd('jobs'), '', 'after kill')


@test
def pipelines(t):
    s = shell(t)
    t.eq(s.cmd('pidbox run -- seq 100000 | head -1'), '1', 'seq | head')
    t.eq(s.cmd('yes | pidbox run -- head -1'), 'y', 'yes | head')
    t.eq(s.cmd('cat <(pidbox run -- echo hi)'), 'hi', 'process substitution')
    s.start(f'pidbox run -- {UP} | cat', 'up\r\n')
    s.send('\x03')
    s.prompt()
    s.start(f'pidbox run -- {UP} | cat', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    s.fg('pidbox run')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo ok'), 'ok', 'the shell')


@test
def a_neighbour_is_never_stopped(t):
    """The box does not take the terminal away from the rest of its pipeline."""
    s = shell(t)
    s.start('pidbox run -- sh -c "sleep 0.2; echo data; sleep 0.2" | sh -c "stty -a </dev/tty >/dev/null; read x </dev/tty; echo neighbour \\$x; cat"; echo rc=$?', '')
    s.send('typed\n')
    s.expect('neighbour typed')
    s.expect('data')
    s.expect('rc=0')
    s.prompt()


@test
def interactive_shell_in_a_box(t):
    s = shell(t)
    s.send('PS1="P> " pidbox run -- bash --norc --noprofile -i\n')
    s.prompt()
    t.ok('job control' not in s.before and 'terminal process group' not in s.before, f'bash says {s.before!r}')
    t.eq(s.cmd('echo $$'), '2', 'its PID')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo rc=$? $$'), 'rc=130 2', 'Ctrl-C kills the foreground job, not the shell')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    t.ok('sleep' in s.cmd('jobs'), 'jobs')
    s.fg('sh -c')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('sleep 0.01 & wait $!; echo $?').split('\n')[-1][-1:], '0', 'a background job')
    s.send('exit 3\n')
    s.prompt()
    t.eq(s.cmd('echo rc=$? $$'), f'rc=3 {s.p.pid}', 'status of the box')
    s.start(UP, 'up\r\n')
    s.send('\x03')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=130', 'the outer shell has its job control back')


@test
def the_terminal_is_put_right(t):
    """Foreground group and modes, when the box has ended, however its command went."""
    s = shell(t)
    modes = None
    for script in ('stty raw -echo; kill -9 $$', 'stty raw -echo; exec bash --norc -i -c "kill -9 $$"', 'stty -echo -icanon -isig; kill -TERM $$'):
        prog = t.write('prog', f'#!/bin/sh\n{script}\n', 0o755)
        # a plain sh script around it: bash itself would repair the modes
        w = t.write('wrap', '#!/bin/sh\nstty -g\npidbox run -- ./prog\nstty -g\n', 0o755)
        out = s.cmd('./wrap 2>/dev/null')
        got = re.findall(r'[0-9a-f]+(?::[0-9a-f]+){10,}', out)
        t.ok(len(got) == 2 and got[0] == got[1], f'{script}: modes before and after {got}')
        t.eq(s.foreground(), s.p.pid, 'foreground group')
        t.eq(s.cmd('echo ok'), 'ok', 'the shell')
    s.send('PS1="P> " pidbox run -- bash --norc --noprofile -i\n')
    s.prompt()
    s.send('kill -9 $$\n')
    s.expect('[Kk]illed')
    s.prompt()
    t.eq(s.cmd('echo rc=$?'), 'rc=137', 'after an interactive shell inside was killed')


@test
def foreground_group_of_a_front_without_a_shell(t):
    """The caller is no shell: sh -c 'pidbox…; read': it must not be stopped by the terminal afterwards."""
    s = Term(t, ['sh', '-c', 'PS1="P> " pidbox run -- bash --norc --noprofile -i; echo box=$?; read x; echo got $x'])
    s.prompt()
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x03')
    s.prompt()
    s.send('kill -9 $$\n')
    s.expect(r'box=137')
    t.eq(s.foreground(), s.p.pid, 'foreground group')
    s.send('typed\n')
    s.expect('got typed')
    t.eq(t.finish(s.p), 0, 'status')


@test
def timeout_while_an_inner_job_is_in_the_foreground(t):
    s = Term(t, ['sh', '-c', 'PS1="P> " pidbox run --timeout ' + slow(0.6) + ' --grace 0.1 -- bash --norc --noprofile -i; echo box=$?; read x; echo got $x'])
    s.prompt()
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.expect('box=124')
    t.eq(s.foreground(), s.p.pid, 'foreground group')
    s.send('typed\n')
    s.expect('got typed')


# ---- --tty

@test
def own_terminal(t):
    s = Term(t, ['sh', '-c', 'tty; pidbox run -t -- sh -c "tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; echo \\$\\$; exit 3"; echo rc=$?'],
             rows=33, cols=101)
    outer = s.expect(r'(/dev/\S+)\r\n')[1]
    inner = s.expect(r'(/dev/\S+)\r\n')[1]
    s.expect('all\r\n')
    t.eq(s.expect(r'(\d+ \d+)\r\n')[1], '33 101', 'window size')
    t.eq(s.expect(r'(\d+)\r\n')[1], '2', 'PID')
    s.expect('rc=3')
    t.ok(outer != inner or t.mode != 'root', f'terminals: {outer} outside, {inner} inside')


@test
def size_from_whichever_stream_is_the_terminal(t):
    for redirected in '</dev/null', '</dev/null >out', '</dev/null 2>/dev/null':
        s = Term(t, ['sh', '-c', f'pidbox run -t -- stty size {redirected}; cat out 2>/dev/null; rm -f out; echo end'], rows=31, cols=97)
        t.eq(s.expect(r'(\d+ \d+)\r+\n')[1], '31 97', f'window size with {redirected}')
        s.expect('end')


@test
def resize(t):
    s = Term(t, [t.pidbox, 'run', '--tty', '--', 'winsize'], rows=24, cols=80)
    s.expect('24 80\r\n')
    for rows, cols in (40, 120), (10, 20), (24, 80):
        s.size(rows, cols)
        s.expect(f'{rows} {cols}\r\n')
    s.send('\r')
    t.eq(t.finish(s.p), 4, 'status')


@test
def own_terminal_keys(t):
    s = shell(t)
    modes = s.modes()
    for key, sig in ('\x03', 2), ('\x1c', 3):
        s.start(f'pidbox run -t -- {UP}', 'up\r\n')
        s.send(key)
        s.prompt()
        t.eq(s.cmd('echo rc=$?'), f'rc={128 + sig}', f'status after {key!r}')
    s.send('PS1="P> " pidbox run -t -- bash --norc --noprofile -i\n')
    s.prompt()
    t.ok('job control' not in s.before and 'process group' not in s.before, f'bash says {s.before!r}')
    s.start('sh -c "echo u\\p; exec sleep 100"', 'up\r\n')
    s.send('\x1a')
    s.expect('Stopped')
    s.prompt()
    t.eq(s.cmd('echo $$'), '2', 'Ctrl-Z stops the inner job; the inner shell goes on')
    s.cmd('kill -9 %1')
    s.cmd('wait; /bin/true; jobs')  # bash notices such a death with the next one, and would refuse to exit
    s.send('exit 3\n')
    s.prompt()
    t.eq(s.cmd('echo rc=$? $$'), f'rc=3 {s.p.pid}', 'status, the outer shell')
    t.eq(s.modes(), modes, 'modes of the outer terminal')


@each({'end': ('exit 5', None, 5), 'death': ('kill -9 $$', None, -9), 'TERM': ('exec sleep 100', 15, -15), 'INT': ('exec sleep 100', 2, -2),
       'HUP': ('exec sleep 100', 1, -1), 'time limit': ('exec sleep 100', None, 124)})
def outer_modes_restored(t, script, sig, code):
    m, s = pty.openpty()
    with opened(m, s):
        was = termios.tcgetattr(s)

        def pre():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        p = t.start([t.pidbox, 'run', '-t', *(['--timeout', slow(0.4)] if code == 124 else []), '--', 'sh', '-c', f'echo up; {script}'], stdin=s, stdout=s, stderr=s, pre=pre)
        out = Lines(m)
        t.eq((out.line() or '').strip(), 'up', 'start')
        if sig or code == 124:
            t.ok(not termios.tcgetattr(s)[3] & termios.ICANON, 'raw while the box runs')
        if sig:
            p.send_signal(sig)
        t.eq(t.finish(p), code, 'status')
        t.eq(termios.tcgetattr(s), was, 'modes of the outer terminal')
    t.nothing_left()


@test
def output_of_an_own_terminal_is_complete(t):
    for i in range(5):
        s = Term(t, [t.pidbox, 'run', '-t', '--', 'sh', '-c', 'seq 20000; echo the end'])
        got = s.lines.rest(15).replace('\r', '')
        t.eq(t.finish(s.p), 0, 'status')
        want = ''.join(f'{n}\n' for n in range(1, 20001)) + 'the end\n'
        if not t.ok(got == want, f'round {i}: {len(got)} of {len(want)} characters'):
            break
        s.close()


BUSY = {'time limit': ([], '--timeout', 124), 'time limit of a PID 1': (['--as-pid1'], '--timeout', 124), 'signal': ([], 'TERM', -15),
        'signal to a PID 1': (['--as-pid1', '--signal-map', 'TERM=KILL'], 'TERM', -9), 'kill': ([], 'kill', -15)}


@each(BUSY)
def output_without_end_keeps_nothing_from_its_end(t, opts, by, status):
    """The relay has bytes to pass on at each turn, and all the same hears of signals, clients, and what is due."""
    rd, wr = os.pipe()
    p = t.start_box('-t', *opts, *([by, slow('200ms'), '--grace', '0'] if by == '--timeout' else []), '--', 'sh', '-c',
                    f'echo up >&{wr}; exec yes', stdout=subprocess.DEVNULL, pass_fds=[wr])
    os.close(wr)
    t.eq(Lines(rd).line(), 'up', 'the command')
    os.close(rd)
    if by == 'TERM':
        p.send_signal(signal.SIGTERM)
    elif by == 'kill':
        t.good(t.run([t.pidbox, 'kill', str(p.pid)]))
    t.eq(t.finish(p), status, 'status')


@test
def typed_input_of_an_own_terminal(t):
    s = Term(t, [t.pidbox, 'run', '-t', '--', 'sh', '-c', 'echo up; read a; read b; echo "<$a><$b>"; cat; exit 3'])
    s.expect('up\r\n')
    s.send('one\rtwo\r')
    s.expect('<one><two>')
    s.send('more\r')
    s.expect('more\r\nmore\r\n')
    s.send('\x04')
    t.eq(t.finish(s.p), 3, 'status')


@test
def own_terminal_without_an_outer_one(t):
    """Either a terminal all the same, or an error that says why not; never a hang."""
    r = t.run([t.pidbox, 'run', '-t', '--', 'sh', '-c', 'test -t 0 && echo yes; exit 3'])
    t.ok((r.code, r.out.replace('\r', '')) == (3, 'yes\n') or r.code == 125 and '[TTY]' in r.err, f'{r.code} {r.out!r} {r.err!r}')
    r = t.run([t.pidbox, 'run', '-t', '--', 'sh', '-c', 'read x; echo got $x; exit 4'], input='typed\n')
    t.ok(r.code == 4 and 'got typed' in r.out or r.code == 125 and '[TTY]' in r.err, f'{r.code} {r.out!r} {r.err!r}')


@test
def hang_up(t):
    """The terminal goes away: the box goes."""
    for opts in [], ['-t']:
        s = Term(t, [t.pidbox, 'run', *opts, '--', 'sh', '-c', 'echo up; exec sleep 100'])
        s.expect('up')
        os.close(s.m)
        s.m = -1
        code = t.finish(s.p)
        t.ok(code in (-1, 129), f'{opts}: status {code}')
        t.nothing_left()


@test
def end_of_input_ends_a_shell(t):
    """The end of the outer input arrives in a shell that edits its line, too, which misses what came before that."""
    for i in range(5):
        r = t.run(['pidbox', 'run', '--tty', '--', 'bash', '--norc', '--noprofile'], stdin=subprocess.DEVNULL, timeout=20)
        if not t.eq(r.code, 0, f'status, round {i}'):
            break
