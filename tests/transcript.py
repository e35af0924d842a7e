# SPDX-License-Identifier: MIT
"""Transcripts in documents: the commands of a page's console blocks, and whether a run printed what stands there.

A document shows real output. What differs from run to run is told by its looks (docs/guide/README.md tells readers):
  4711                a number of four digits or more: any number. The same number is the same one throughout the transcript;
                      within one output different numbers are different. In a command it is what the output before it showed
                      here; a number that a command names first stands for itself.
  5a85508db080        twelve hexadecimal digits, or 64 that begin so, the id of a container: as a number is
  12:34  1:02:03      any time of day. Right before it, in a row of ps -ef, any share of a CPU.
  0.2 s  0.603s       any number of seconds with a fraction
  0:00.00             any CPU time
  12s                 any age of less than a minute
  256K                any memory of less than 10 MiB
  2026-11-21T22:44:00.922774Z   any date and time
  names               those that the caller gives: what stands in the document, and what it is here
  blanks              any number of blanks
Everything else is compared letter by letter."""
import re

NUMBER = r'(?<!\d)\d{4,}(?!\d)'
ID = r'(?<![0-9A-Za-z])(?=\d*[a-f])[0-9a-f]{12}(?:[0-9a-f]{52})?(?![0-9A-Za-z])'
TIME = r'(?<![\d:])\d{1,2}:\d\d(?::\d\d)?(?![\d:.])'
SECONDS = r'(?<![\d.])\d+\.\d+(?= ?s\b)'
CPU = r'(?<![\d:])\d+:\d\d\.\d\d(?!\d)'
AGE = r'(?<= )\d{1,2}s(?= )'
MEMORY = r'(?<= )\d{1,4}K(?= )'
STAMP = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z'
SHARE = r'(?<= )\d+ (?=\d\d:\d\d )'
FORMS = {'stamp': STAMP, 'cpu': CPU, 'age': r'\d{1,2}s', 'memory': r'\d{1,4}K'}  # what is written in one way only
TIME_OR_DAY = r'(?:\d{1,2}:\d\d(?::\d\d)?|[A-Z][a-z][a-z]\d\d)'


class Command:
    """One command of a console block: its line in the page, its prompt ('$' or '#'), its text and what it printed."""

    def __init__(self, line, prompt, text):
        self.line, self.prompt, self.text, self.output = line, prompt, text, []


def blocks_of(page):
    """The console blocks of a page: the number of its first line, and the lines."""
    lines = page.splitlines()
    starts = [n for n, line in enumerate(lines) if line == '```console']
    return [(n + 2, lines[n + 1:lines.index('```', n + 1)]) for n in starts]


def commands_in(first, lines):
    commands, continues = [], False
    for no, line in enumerate(lines, first):
        if line[:2] in ('$ ', '# '):
            commands.append(Command(no, line[0], line[2:]))
            continues = True
        elif continues and line.startswith('> '):
            commands[-1].text += '\n' + line[2:]
        else:
            commands[-1].output.append(line)
            continues = False
    return commands


def commands_of(page):
    return [c for block in blocks_of(page) for c in commands_in(*block)]


def parts(number):
    """What of it stands for itself: a long id begins with the short one."""
    return (number[:12], number[12:]) if len(number) == 64 else (number,)


class Transcript:
    """What the numbers and names of a document are in this run."""

    def __init__(self, names={}):
        self.names, self.numbers = names, {}

    def typed(self, text):
        """A command of the document as it is to be given here."""
        return re.sub(f'{ID}|{NUMBER}', lambda m: ''.join(self.numbers.setdefault(part, part) for part in parts(m[0])), text)

    def pattern(self, line, new):
        """A line as a regular expression; new: number -> group, for those that no line before has shown."""
        def token(m):
            if m.lastgroup == 'blank':
                return ' +'
            if m.lastgroup == 'time':
                return TIME_OR_DAY
            if m.lastgroup == 'share':
                return r'\d+ +'
            if m.lastgroup == 'seconds':
                return r'\d+\.\d+'
            if m.lastgroup in FORMS:
                return FORMS[m.lastgroup]
            if m.lastgroup == 'name':
                return re.escape(self.names[m[0]])
            if m.lastgroup == 'other':
                return re.escape(m[0])
            return ''.join(number(part, f'[0-9a-f]{{{len(part)}}}' if m.lastgroup == 'id' else r'\d+') for part in parts(m[0]))

        def number(part, digits):
            if part in self.numbers:
                return re.escape(self.numbers[part])
            if part in new:
                return f'(?P={new[part]})'
            new[part] = f'n{len(new)}'
            return f'(?P<{new[part]}>{digits})'
        names = '|'.join(rf'\b{re.escape(n)}\b' for n in self.names) or '(?!)'
        kinds = rf'(?P<stamp>{STAMP})|(?P<cpu>{CPU})|(?P<age>{AGE})|(?P<memory>{MEMORY})|(?P<share>{SHARE})|(?P<time>{TIME})|(?P<seconds>{SECONDS})|(?P<id>{ID})|(?P<number>{NUMBER})'
        kinds += rf'|(?P<name>{names})|(?P<blank> +)|(?P<other>.)'
        return re.sub(kinds, token, line.strip(' '))

    def difference(self, want, got):
        """None, or how the lines that a command has printed differ from those of the document."""
        for w, g in zip(want, got):
            new = {}
            m = re.fullmatch(self.pattern(w, new), g.strip(' '))
            if not m:
                return f'want {w!r}, got {g!r}'
            self.numbers.update((number, m[group]) for number, group in new.items())
        if len(want) != len(got):
            return f'want {len(want)} lines, got {len(got)}: {(want + got)[min(len(want), len(got)):][:1]}'
        shown = {n for w in want for n in re.findall(f'{ID}|{NUMBER}', w)}
        if len({self.numbers[n] for n in shown if n in self.numbers}) != len([n for n in shown if n in self.numbers]):
            return f'numbers that differ in the document are the same here: {got}'
        return None
