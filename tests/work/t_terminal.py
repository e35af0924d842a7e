"""An interactive bash under tmux, in a box on the caller's terminal and in one with a terminal of its own (--tty): job
control, Ctrl-C, Ctrl-Z, exit status, resize, vim, less; and the outer shell afterwards."""
import contextlib
import os
import re
import signal
import subprocess

from worklib import Failure, Skip, check, descendants, equal, read, test, until, write

MODES = (('on the caller\'s terminal', ''), ('--tty', '--tty'))


class Pane:
    """An outer bash in tmux, 80 by 24. `box OPTIONS -- COMMAND` is pidbox run; `inner OPTIONS` a bash in a box."""
    def __init__(self, stage, options=''):
        stage.need('tmux'), stage.need('bash')
        self.stage, self.options, self.asked = stage, options, 0
        self.folder = stage.folder('t')
        self.socket = self.folder + '/s'
        programs = self.folder + '/bin'
        os.mkdir(programs)
        run = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"' if stage.plain else 'exec %s run "$@"' % stage.pidbox
        write(programs + '/box', '#!/bin/sh\n%s\n' % run, 0o755)
        write(programs + '/inner', '#!/bin/sh\nexec box %s "$@" -- env PS1="in$ " bash --norc --noprofile -i\n' % options, 0o755)
        write(programs + '/waiter', '#!/bin/sh\nexec /usr/bin/python3 %s/waiter.py "$@"\n' % stage.helpers, 0o755)
        write(self.folder + '/inputrc', 'set enable-bracketed-paste off\n')
        env = dict(stage.env, PATH=programs + ':' + stage.env['PATH'], PS1='out$ ', INPUTRC=self.folder + '/inputrc', HISTFILE='',
                   BASH_SILENCE_DEPRECATION_WARNING='1', SHELL='/bin/sh')
        env.pop('TMUX', None)
        self.env = env
        write(self.folder + '/conf', 'set -g status off\nset -g default-size 80x24\nset -g escape-time 0\n'
              'set -g history-limit 5000\nset -g destroy-unattached off\n')
        self.tmux('-f', self.folder + '/conf', 'new-session', '-d', '-x', '80', '-y', '24', '-c', self.folder,
                  'exec bash --norc --noprofile -i')
        self.wait(r'(?m)^out\$ $')

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, Failure):
            error.args = (error.args[0] + '\nscreen:\n' + self.screen(),)
        try:
            self.tmux('kill-server')
        except Failure:
            pass
        # the terminal is gone: so is everything that ran on it, the box too
        if kind is None:
            until(lambda: not self.stage.left(zombies=False), 'nothing runs after the terminal has gone',
                  on_late=lambda: '; '.join(map(str, self.stage.left())))
            self.stage.reap()

    def tmux(self, *words):
        done = subprocess.run(['tmux', '-S', self.socket] + list(words), env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise Failure('tmux %s: %s' % (words[0], done.stderr.decode(errors='replace')))
        return done.stdout.decode(errors='replace')

    def screen(self, history=False):
        try:
            return self.tmux('capture-pane', '-p', '-J', *(('-S', '-') if history else ())).rstrip('\n')
        except Failure as error:
            return str(error)

    def wait(self, pattern, history=True):
        # joined lines keep their trailing blanks; a prompt at the end of the screen must match too
        def seen():
            return re.search(pattern, self.screen(history))
        return until(seen, 'the screen shows %r' % pattern, 15)

    def count(self, pattern):
        return len(re.findall(pattern, self.screen(True)))

    def keys(self, *names):
        self.tmux('send-keys', *names)

    def type(self, text):
        self.tmux('send-keys', '-l', text)
        self.keys('Enter')

    def ask(self, command=':'):
        """Runs a command line and returns its (or, for none, the last) status and its output."""
        self.asked += 1
        start, end = '<%d>' % self.asked, '<%d ' % self.asked
        if command == ':':
            self.type('echo "%s$?>"' % end)
            found = self.wait(r'%s(\d+)>' % end)
            return int(found.group(1)), ''
        self.type('echo "<"%d">"; %s; echo "%s$?>"' % (self.asked, command, end))
        found = self.wait(r'(?s)%s\n(.*?)\n?%s(\d+)>' % (start, end))
        return int(found.group(2)), found.group(1).strip()

    @contextlib.contextmanager
    def prompt(self, when, pattern=r'(?m)^(?:\^.)?(?:in|out)\$'):
        """What is done in it brings a new prompt."""
        before = self.count(pattern)
        yield
        until(lambda: self.count(pattern) > before, 'a new prompt ' + when, 15)

    def tty(self):
        """The terminal's modes and foreground, as the outer shell gives them to a command."""
        status, modes = self.ask('stty -g')
        equal(status, 0, 'stty -g')
        return modes

    def enter(self, *more):
        with self.prompt('of the shell in the box', r'(?m)^in\$'):
            self.type('inner ' + ' '.join(more))
        text = self.screen(True)
        check('no job control' not in text and 'cannot set terminal' not in text, 'bash has no job control')

    def leave(self, status=3):
        with self.prompt('of the outer shell', r'(?m)^out\$'):
            self.type('exit %d' % status)
        equal(self.ask()[0], status, 'status of pidbox after `exit %d`' % status)

    def after(self, before):
        """The outer shell has its terminal, with its modes, and job control."""
        equal(self.tty(), before, 'modes of the outer terminal (stty -g)')
        self.stopped_and_killed('after')

    def start(self, command, word):
        self.type(command)
        self.wait('<%s up' % word)

    def in_foreground(self, word):
        """Seen from outside: inside, a process group of outside has no number to compare."""
        until(lambda: any(p.group == p.foreground and p.command().endswith('waiter.py ' + word) for p in descendants()),
              'the command of the box is in the foreground', 15)

    def stop(self):
        count = self.count('Stopped')
        self.keys('C-z')
        until(lambda: self.count('Stopped') > count, 'Ctrl-Z stops it', 15)

    def interrupt(self, key, status, what):
        with self.prompt('after ' + what):
            self.keys(key)
        equal(self.ask()[0], status, 'status after ' + what)

    def stopped_and_killed(self, word):
        self.start('waiter ' + word, word)
        self.stop()
        self.type('fg')
        self.wait('<%s cont>' % word)
        self.interrupt('C-c', 130, 'Ctrl-C')


def each_mode(name, needs=()):
    """One test a mode. Each has a tmux and a box of its own."""
    def add(function):
        for title, options in MODES:
            def run(stage, options=options):
                found = [stage.need(what) for what in needs]
                with Pane(stage, options) as pane:
                    return function(pane, *found)
            test('terminal, %s: %s' % (title, name))(run)
        return function
    return add


@each_mode('job control in bash: Ctrl-Z, jobs, bg, fg, Ctrl-C, Ctrl-\\, kill %1')
def jobs(pane):
    before = pane.tty()
    pane.enter()
    if not pane.stage.plain:
        equal(pane.ask('echo $$')[1], '2', 'the shell\'s own process number')
    pane.start('waiter one', 'one')
    pane.stop()
    check(re.search(r'(?m)^\[1\]\+ +Stopped', pane.ask('jobs')[1]), 'jobs does not say Stopped')
    pane.type('bg')
    pane.wait('<one cont>')
    check('Running' in pane.ask('jobs')[1], 'jobs does not say Running')
    pane.type('fg')
    pane.wait('<one fg>')
    pane.interrupt('C-c', 130, 'Ctrl-C after bg and fg')
    pane.start('waiter two', 'two')
    pane.interrupt('C-\\', 131, 'Ctrl-\\')
    pane.type('waiter three &')
    pane.wait('<three up')
    pane.type('kill %1; wait %1')
    pane.wait('Terminated')
    pane.start('waiter four | cat', 'four')
    pane.stop()
    pane.type('fg')
    pane.wait('<four cont>')
    pane.interrupt('C-c', 130, 'Ctrl-C of a pipeline')
    pane.leave()
    pane.after(before)


@each_mode('`exit 3` is 3, Ctrl-D ends it, Ctrl-C at its prompt does not')
def leaving(pane):
    before = pane.tty()
    for _ in range(2):
        pane.enter()
        with pane.prompt('after Ctrl-C at the prompt'):
            pane.keys('C-c')
        equal(pane.ask('echo alive')[1], 'alive', 'after Ctrl-C at the prompt')
        pane.leave(3)
    pane.enter()
    with pane.prompt('of the outer shell after Ctrl-D', r'(?m)^out\$'):
        pane.keys('C-d')
    equal(pane.ask()[0], 0, 'status after Ctrl-D')
    pane.after(before)


@each_mode('a resize of the window arrives')
def resize(pane):
    pane.enter()
    equal(pane.ask('stty size')[1], '24 80', 'size at the start')
    pane.ask("trap 'echo WINCH' WINCH")
    for columns, lines in ((100, 30), (60, 20), (132, 43)):
        pane.tmux('resize-window', '-x', str(columns), '-y', str(lines))
        wanted = '%d %d' % (lines, columns)
        until(lambda: pane.ask('stty size')[1].endswith(wanted), 'stty size says ' + wanted, 15)
    pane.wait(r'(?m)^(\^.)?.*WINCH$')
    equal(pane.ask('tput lines; tput cols')[1].split(), ['43', '132'], 'tput inside')
    pane.leave()
    equal(pane.ask('stty size')[1], '43 132', 'size outside afterwards')


@each_mode('vim edits a file, is stopped and continued', ['vim'])
def vim(pane, program):
    before = pane.tty()
    pane.enter()
    file = pane.folder + '/text'
    pane.type('%s -u NONE -N -i NONE -n text' % program)
    pane.wait(r'(?m)^~\s*$', history=False)
    pane.keys('i')
    pane.wait('-- INSERT --', history=False)
    pane.tmux('send-keys', '-l', 'first line')
    pane.keys('Enter')
    pane.tmux('send-keys', '-l', 'second line')
    pane.wait('second line', history=False)
    pane.keys('Escape')
    until(lambda: '-- INSERT --' not in pane.screen(), 'vim leaves insert mode')
    pane.stop()
    equal(pane.ask('echo outside vim')[1], 'outside vim', 'shell while vim is stopped')
    pane.type('fg')
    pane.wait(r'(?m)^first line\nsecond line\n~', history=False)
    pane.tmux('resize-window', '-x', '90', '-y', '28')
    until(lambda: len(re.findall(r'(?m)^~', pane.screen())) == 28 - 2 - 1, 'vim fills the resized window', 15)
    pane.type(':wq')
    pane.wait(r'(?m)^in\$ ?\Z', history=False)
    equal(read(file), 'first line\nsecond line\n', 'what vim wrote')
    pane.leave()
    pane.after(before)


@each_mode('less pages through a file', ['less'])
def less(pane, program):
    before = pane.tty()
    write(pane.folder + '/lines', ''.join('line %d\n' % n for n in range(1, 501)))
    pane.enter()
    pane.type('%s lines' % program)
    pane.wait(r'(?m)^line 23\n', history=False)
    pane.keys('Space')
    pane.wait(r'(?m)^line 46\n', history=False)
    pane.keys('G')
    pane.wait(r'(?m)^line 500\n', history=False)
    pane.keys('q')
    pane.wait(r'(?m)^in\$ ?\Z', history=False)
    pane.leave()
    pane.after(before)


@each_mode('the terminal goes away: the box goes with it')
def hangup(pane):
    pane.enter()
    pane.type('(trap "" HUP TERM; waiter deaf) & waiter two')
    pane.wait('<two up')
    pane.wait('<deaf up')
    # Pane.__exit__ ends tmux and then wants nothing left
    if pane.stage.plain:
        raise Skip('says nothing without pidbox')


@each_mode('a shell loop around pidbox stops on Ctrl-C')
def loop(pane):
    before = pane.tty()
    pane.type('for i in 1 2 3; do box %s -- waiter w$i; done' % pane.options)
    pane.wait('<w1 up')
    pane.interrupt('C-c', 130, 'Ctrl-C')
    check('<w2 up' not in pane.screen(True), 'the loop went on')
    pane.after(before)


@test('terminal: the outer shell stops a box with Ctrl-Z, continues it with bg and fg, ends it with Ctrl-C')
def outer(stage):
    with Pane(stage) as pane:
        before = pane.tty()
        pane.start('box -- waiter one', 'one')
        pane.stop()
        check(re.search(r'(?m)^\[1\]\+ +Stopped', pane.ask('jobs')[1]), 'jobs does not say Stopped')
        equal(pane.tty(), before, 'modes while it is stopped')
        pane.type('bg')
        pane.wait('<one cont>')
        check('Running' in pane.ask('jobs')[1], 'jobs does not say Running')
        pane.type('fg')
        pane.in_foreground('one')
        pane.stop()
        pane.type('fg')
        until(lambda: pane.count('<one cont>') >= 2, 'it goes on after fg', 15)
        pane.interrupt('C-c', 130, 'Ctrl-C')
        pane.start('box -- waiter quit', 'quit')
        pane.interrupt('C-\\', 131, 'Ctrl-\\')
        pane.type('box -- waiter back &')
        pane.wait('<back up')
        pane.type('fg')
        pane.in_foreground('back')
        pane.interrupt('C-c', 130, 'Ctrl-C after & and fg')
        pane.after(before)


@test('terminal: `pidbox run … | less` and `pidbox run … | cat` with Ctrl-Z, fg and Ctrl-C')
def pipeline(stage):
    stage.need('less')
    with Pane(stage) as pane:
        before = pane.tty()
        pane.type('box -- seq 100000 | less')
        pane.wait(r'(?m)^23\n', history=False)
        pane.keys('Space')
        pane.wait(r'(?m)^46\n', history=False)
        pane.keys('q')
        pane.wait(r'(?m)^out\$ ?\Z', history=False)
        equal(pane.ask('box -- seq 100000 | head -n 1; echo ${PIPESTATUS[0]}')[1].split(), ['1', '141'], 'output and SIGPIPE status')
        pane.type('box -- waiter p | cat')
        pane.wait('<p up')
        pane.stop()
        pane.type('fg')
        pane.wait('<p cont>')
        pane.interrupt('C-c', 130, 'Ctrl-C')
        pane.after(before)


@each_mode('a box that ends in the middle of vim, by a time limit or SIGTERM, leaves the terminal as it was', ['vim'])
def cut_off(pane, program):
    if pane.stage.plain:
        raise Skip('says nothing without pidbox')
    before = pane.tty()

    def start(more):
        """@return has vim drawn anything?"""
        pane.type('(echo $BASHPID >front; exec box %s %s -- %s -u NONE -N -i NONE -n text); s=$?; echo "<"over">"' % (
            pane.options, more, program))
        return pane.wait(r'(?m)^~\s*$|<over>', history=False).group() != '<over>'

    def ended(statuses):
        front = read(pane.folder + '/front').strip()
        until(lambda: not os.path.exists('/proc/' + front), 'the outer shell has waited for pidbox')
        pane.type('tput rmcup; clear')
        pane.wait(r'\Aout\$ ?\Z', history=False)
        status = int(pane.ask('echo $s')[1])
        check(status in statuses, 'status %d, not %s' % (status, statuses))
        equal(pane.tty(), before, 'modes of the outer terminal (stty -g)')

    def start_with_limit():
        """Its time begins with the box: on a loaded machine it can be over before vim has drawn anything."""
        for limit in 3, 9, 27:
            if start('--timeout %ds --grace 0' % limit):
                return
            ended([124])
        raise Failure('vim has drawn nothing within %d s' % limit)

    start_with_limit()
    ended([124])
    check(start(''), 'vim has not begun')
    os.kill(int(read(pane.folder + '/front')), signal.SIGTERM)
    ended([1, 143])                 # vim's own way out is 1
    pane.after(before)


@each_mode('after a box that had taken the foreground a script without job control reads the terminal')
def foreground_back(pane):
    if pane.stage.plain:
        raise Skip('says nothing without pidbox')
    write(pane.folder + '/script', 'inner --timeout 8s --grace 0\necho "<script $?>"\nread line\necho "<got $line>"\n')
    pane.type('sh script')
    pane.wait(r'(?m)^in\$ ')
    pane.type('waiter gone')
    pane.wait('<gone up')
    pane.wait('<script 124>')
    pane.type('words')
    pane.wait('<got words>')
    equal(pane.ask('echo alive')[1], 'alive', 'the outer shell')
