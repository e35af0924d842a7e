# SPDX-License-Identifier: MIT
"""Sessions: *.t files that read like a terminal.

    Words for people start in the first column and are ignored.
      $ a command of sh
      > its continuation
      what it prints, standard output and error together
      a pattern (re)          a whole line as a regular expression
      a pattern * (glob)      * and ? as in file names
      [3]                     its exit status, when it is not 0 (128+n for a signal)

All commands of a file go to one shell. `# modes: user userns` in the first column limits the file to those modes;
`# needs: COMMAND` skips it when that command fails."""
import fnmatch, os, re
from support import Fail, Skip, short, test


class Step:
    def __init__(self, line, cmd):
        self.line, self.cmd, self.want = line, cmd, []


def parse(path):
    steps, opts = [], {}
    with open(path, encoding='utf-8') as f:
        for no, line in enumerate(f.read().splitlines(), 1):
            m = re.match(r'#\s*(modes|needs):\s*(.*)', line)
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


def run(t, path, steps, opts):
    if 'needs' in opts and t.sh(opts['needs']).code:
        t.skip(f'needs {opts["needs"]}')
    salt = f'--{os.urandom(8).hex()}--'
    script = ''.join(f'{s.cmd}\necho "{salt} $?"\n' for s in steps)
    t.write('.script', script)
    r = t.sh('exec 2>&1; . ./.script', timeout=25)
    got = re.split(rf'{salt} (\d+)\n', r.out)
    for i, s in enumerate(steps):
        if 2 * i + 1 >= len(got):
            raise Fail(f'{os.path.basename(path)}:{s.line}: the shell ended before `{s.cmd}` was done: {short(r.out)}')
        out, status = got[2 * i], int(got[2 * i + 1])
        if out and not out.endswith('\n'):
            out += ' (no newline)\n'
        lines = out.splitlines() + ([f'[{status}]'] if status else [])
        if len(lines) != len(s.want) or not all(matches(w, g) for w, g in zip(s.want, lines)):
            t.note(f'{os.path.basename(path)}:{s.line}: $ {s.cmd}\n' + ''.join(f'      want {w}\n' for w in s.want) +
                   ''.join(f'      got  {g}\n' for g in lines).rstrip('\n'))


def load(path):
    steps, opts = parse(path)  # now: in a test there may be no right to read it, as in a private folder

    def session(t):
        run(t, path, steps, opts)
    test(session, name='session', modes=tuple(opts['modes'].split()) if 'modes' in opts else ('root', 'user', 'userns'))
    import support
    support.tests[-1].file = os.path.basename(path)
