# SPDX-License-Identifier: MIT
"""Sessions: files that read like a terminal. All commands of a file go to one shell, one after the other, and what each prints
is compared line by line. Two kinds.

*.t, for tests. Words for people start in the first column and are ignored.
      $ a command of sh
      > its continuation
      what it prints, standard output and error together
      a pattern (re)          a whole line as a regular expression
      a pattern * (glob)      * and ? as in file names
      [3]                     its exit status, when it is not 0 (128+n for a signal)
`# modes: user userns` in the first column limits the file to those modes; `# needs: COMMAND` skips it when that command fails.

*.md, for readers: the console blocks of a page, compared as transcript.py has it. `<!-- modes: root -->` and
`<!-- needs: COMMAND -->` above its title say the same there, `<!-- world: NAME -->` names a place that the tests make for the
shell. A section (##) that has such comments above its own title is a session of its own, skipped and shown as that. The
prompt is # where the reader must be root."""
import fnmatch, os, pwd, re, time
from support import SLOWNESS, Fail, Lines, comm, descendants, short, test, until
from transcript import Transcript, commands_of

SECONDS = 25 * SLOWNESS  # for all of a file: it is a limit for hangs
OPTION = r'(modes|needs|world):\s*(.*)'


class Step:
    def __init__(self, line, cmd, want=()):
        self.line, self.cmd, self.want = line, cmd, list(want)


class Patterns:
    """How a .t file is compared."""
    patient = False

    def typed(self, cmd):
        return cmd

    def difference(self, want, got, status):
        got = got + ([f'[{status}]'] if status else [])
        return None if len(got) == len(want) and all(matches(w, g) for w, g in zip(want, got)) else 'differs'


class Page(Transcript):
    """How a page of a guide is compared: its reader is ann, and her machine is desk. A status is what `echo $?` prints."""
    patient = True

    def __init__(self):
        try:
            user = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            user = str(os.getuid())
        super().__init__({'ann': user, 'desk': os.uname().nodename})

    def difference(self, want, got, status):
        return super().difference(want, got)


class Shell:
    """A shell that is given one command at a time. Standard input stays the test's, and no descriptor of ours is open in it."""

    def __init__(self, t, argv=('sh', )):
        self.t, self.end = t, time.monotonic() + SECONDS
        self.mark = f'--{os.urandom(8).hex()}--'
        self.file, fifo = t.path('.step'), t.path('.next')
        os.mkfifo(fifo)
        self.go = os.open(fifo, os.O_RDWR | os.O_CLOEXEC)
        loop = f'exec 2>&1; while read -r _ <"{fifo}"; do . "{self.file}"; echo "{self.mark} $?"; done'
        self.process = t.start([*argv, '-c', loop], stdout=-1)
        self.out = Lines(self.process.stdout)

    def give(self, cmd):
        """What a command has printed, and its status; None when the shell has ended."""
        self.t.write('.step', cmd + '\n')
        os.write(self.go, b'\n')
        while True:
            m = re.search(rb'%s (\d+)\n' % self.mark.encode(), self.out.buf)
            if m:
                printed, self.out.buf = self.out.buf[:m.start()], self.out.buf[m.end():]
                return printed.decode('utf-8', 'surrogateescape'), int(m[1])
            if self.out.eof or self.process.poll() is not None:
                return None
            if time.monotonic() > self.end:
                raise Fail(f'did not return within {SECONDS:g} s: `{cmd}`; so far: {short(self.out.buf)}')
            self.out.fill(min(0.5, self.end - time.monotonic()))

    def close(self):
        """End it; what still came from the background."""
        self.t.write('.step', 'exit\n')
        os.write(self.go, b'\n')
        late = self.out.rest(self.end - time.monotonic())
        self.t.finish(self.process)
        os.close(self.go)
        return late


def parts_of(page):
    """The sessions of a page: None, or the title of the section, -> its text, where the other sessions' lines are empty."""
    lines, of, comments = page.splitlines(), [], 0
    for line in lines:
        title = re.match('## (.*)', line)
        own = title[1] if title and comments else None
        if title:
            of[len(of) - comments:] = [own] * comments
        of.append(own if title or not of else of[-1])
        comments = comments + 1 if re.fullmatch(f'<!-- {OPTION} -->', line) else 0
    return {part: ''.join((line if whose == part else '') + '\n' for line, whose in zip(lines, of)) for part in dict.fromkeys(of)}


def parse_page(text):
    opts = dict(re.findall(rf'^<!-- {OPTION} -->$', text, re.M))
    commands = commands_of(text)
    if any(c.prompt == '#' for c in commands) and 'user' in opts.get('modes', 'user').split():
        raise SyntaxError('a page whose prompt is # is not for an ordinary user')
    return [Step(c.line, c.text, c.output) for c in commands], opts


def parse_lines(path, text):
    steps, opts = [], {}
    for no, line in enumerate(text.splitlines(), 1):
        m = re.match(rf'#\s*{OPTION}', line)
        if m:
            opts[m[1]] = m[2]
        elif line.startswith('  $ '):
            steps.append(Step(no, line[4:]))
        elif line.startswith('  > '):
            steps[-1].cmd += '\n' + line[4:]
        elif line.startswith('  '):
            if not steps:
                raise SyntaxError(f'{path}:{no}: output before the first command')
            steps[-1].want.append(line[2:])
    return steps, opts


def matches(want, got):
    if want.endswith(' (re)'):
        return re.fullmatch(want[:-5], got)
    if want.endswith(' (glob)'):
        return fnmatch.fnmatchcase(got, want[:-7])
    return want == got


def settled():
    """Nobody has anything to do, or is in the middle of an exec, when there are no arguments to be seen. A reader never types
    that fast."""
    return all(state == 'Z' or state not in 'RD' and comm(pid) != '(no arguments)' for pid, state in descendants(os.getpid()))


def run(t, name, steps, opts, rules, argv=('sh', )):
    if 'needs' in opts and t.sh(opts['needs']).code:
        t.skip(f'needs {opts["needs"]}')
    shell = Shell(t, argv)
    for s in steps:
        result = shell.give(rules.typed(s.cmd))
        if result is None:
            raise Fail(f'{name}:{s.line}: the shell ended before `{s.cmd}` was done: {short(shell.out.buf)}')
        out, status = result
        if rules.patient and 'run -d' in s.cmd:
            until(settled)
        if out and not out.endswith('\n'):
            out += ' (no newline)\n'
        lines = out.splitlines()
        wrong = rules.difference(s.want, lines, status)
        if wrong:
            t.note(f'{name}:{s.line}: $ {s.cmd}\n' + ''.join(f'      want {w}\n' for w in s.want) +
                   ''.join(f'      got  {g}\n' for g in lines) + f'      status {status}; {wrong}')
    late = shell.close()
    t.forget_records()
    t.eq(late, '', f'{name}: printed after the last command had returned')


def load(path, worlds={}):
    """worlds: name -> what makes it for a test, and gives the head of the shell's command line."""
    name = os.path.basename(path)
    with open(path, encoding='utf-8') as f:  # now: in a test there may be no right to read it, as in a private folder
        text = f.read()
    if not path.endswith('.md'):
        return load_part(name, 'session', parse_lines(path, text), Patterns, worlds)
    name = f'{os.path.basename(os.path.dirname(path))}/{name}'
    for title, part in parts_of(text).items():
        load_part(name, f'session[{title}]' if title else 'session', parse_page(part), Page, worlds)


def load_part(file, name, parsed, rules, worlds):
    steps, opts = parsed
    if not steps:
        raise SyntaxError(f'{file}: {name}: no command')
    world = worlds[opts['world']] if 'world' in opts else lambda t: ()

    def session(t):
        run(t, file, steps, opts, rules(), [*world(t), 'sh'])
    test(session, name=name, modes=tuple(opts['modes'].split()) if 'modes' in opts else ('root', 'user', 'userns'))
    import support
    support.tests[-1].file = file
