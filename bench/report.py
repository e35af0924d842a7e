#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the samples of one run of the benchmarks say (stats.h has their format): report.py [--write] [--docs DIR] SAMPLES

Prints tables, and whether the targets are met (targets.py). --write also replaces what stands between the lines
"<!-- bench:NAME -->" and "<!-- /bench:NAME -->" in BENCHMARKS.md of the folder DIR (docs) and in README.md above it, and draws the
pictures (plots.py) in its folder images. Then a target that is missed is a failure: a quick run is too short to be judged."""
import argparse
import collections
import os
import re
import sys

sys.dont_write_bytecode = True
import plots  # noqa: E402
from samples import Samples, median, number, quantile, ratio, ratio_text  # noqa: E402
from targets import BEYOND, verdicts  # noqa: E402

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
USERS = {'root': 'as root', 'user': 'as an ordinary user', '': ''}

# A table of the rows of one name, as root and as an ordinary user: one line for each X and each way. "ours" is compared with
# every other; "to" says what a way is compared with by itself: {way: other, None: what the rest is compared with}.
Part = collections.namedtuple('Part', 'name title x ours to')
# One line for each way, several rows beside each other: columns are (row, its title, shares).
Wide = collections.namedtuple('Wide', 'name title ours columns')
Table = collections.namedtuple('Table', 'title head rows')

FLOORS = {None: 'floor', 'pidbox run --as-pid1': 'floor -1', 'pidbox run --unshare=net': 'floor -n',
          'pidbox run --unshare=cgroup,user': 'floor -c -u', 'pidbox_spawn': 'floor, init copied'}
LISTED = {'pidbox ls': 'lsns', 'pidbox ps': 'ps -e', 'pidbox ps BOX': 'ps -e'}
COUNTS = [(n, f'{n:,} namespace{"s" if n > 1 else ""}') for n in (1, 100, 1000)]
PARTS = [
    Part('launch', 'Start to end of a box with a command that ends at once', '', 'pidbox run', FLOORS),
    Part('width', 'Launches a second, so many at a time', 'at a time', 'pidbox run', FLOORS),
    Part('flat-boxes', 'A launch beside so many live boxes', 'live boxes', 'pidbox run', FLOORS),
    Part('flat-mounts', 'A launch with so many mounts more', 'mounts', 'pidbox run', FLOORS),
    Part('spawn', 'pidbox_spawn and the wait in a host with so much touched heap', 'MiB', 'pidbox_spawn', FLOORS),
    Part('spawn-threads', 'The same in a host with 64 threads', 'MiB', 'pidbox_spawn', FLOORS),
    Part('end-exit', 'From the end of the command to that of a box with so many processes', 'processes', 'pidbox run',
         {None: 'PID 1 alone'}),
    Part('end-kill', 'The same, from a SIGKILL to its front', 'processes', 'pidbox run', {None: 'PID 1 alone'}),
    Part('private-dirty', 'Private dirty memory of those who stand between the caller and the command', '', None, {}),
    Part('signal', 'SIGUSR1 to the front, until the command has it', '', 'pidbox run', {None: 'floor: two relays'}),
    Part('pipe', 'A command\'s output through a pipe', '', 'pidbox run', {None: 'no box'}),
    Part('tty', 'A command\'s output through a terminal', '', None, {None: 'no box', 'pidbox run -t': 'script'}),
    Part('exec', 'A command in a box that is there', '', 'pidbox exec', {}),
    Part('translate', 'Translations of PIDs in a second of processor time', '', None, {}),
    *(Part(f'list-{n}', f'Listing, {words}', 'processes', None, LISTED) for n, words in COUNTS),
    *(Part(f'list-{n}-calls', f'System calls of that, {words}', 'processes', None, LISTED) for n, words in COUNTS),
    Part('size', 'The programs, stripped', '', None, {}),
    Part('size-part', 'What they are made of', '', None, {}),
]
ALL, MEDIAN = (0.5, 0.99), (0.5,)
WIDES = [
    Wide('memory', 'Memory that an idle box is charged', 'pidbox run',
         [('memory', 'all', MEDIAN), ('memory-kernel', 'the kernel\'s', MEDIAN), ('memory-anonymous', 'anonymous', MEDIAN),
          ('memory-file', 'files', MEDIAN)]),
    Wide('idle', 'A box whose command sleeps', None, [('idle-switches', 'scheduled away', MEDIAN), ('idle-cpu', 'time', MEDIAN)]),
    Wide('inits-start', 'From the clone, and from the exec of the init, to the command\'s first instruction', 'pidbox-init',
         [('inits-start', 'clone', ALL), ('inits-exec', 'exec', ALL)]),
    Wide('inits-memory', 'Memory of an init while its command sleeps', 'pidbox-init',
         [('inits-private', 'private', MEDIAN), ('inits-anonymous', 'anonymous', MEDIAN), ('inits-pss', 'Pss', MEDIAN)]),
    Wide('inits-reap', 'Reaping: orphans one by one, on one processor; by twice as many makers as processors', 'pidbox-init',
         [('reap-one', 'one processor', MEDIAN), ('reap-many', 'many makers', MEDIAN)]),
    Wide('inits-reap-idle', 'Where it is not the init that counts: one maker beside idle processors; all that end together', 'pidbox-init',
         [('reap', 'one maker', MEDIAN), ('reap-burst', 'together', MEDIAN)]),
    Wide('inits-reap-cpu', 'The init\'s processor time for one of these orphans', 'pidbox-init',
         [('reap-one-cpu', 'one processor', MEDIAN), ('reap-many-cpu', 'many makers', MEDIAN), ('reap-cpu', 'one maker', MEDIAN),
          ('reap-burst-cpu', 'together', MEDIAN)]),
    Wide('inits-backlog', 'Orphans at once, at most', 'pidbox-init', [('reap-backlog', 'one maker', (0.5, 1))]),
    Wide('inits-idle', 'An init while nothing happens for three seconds', 'pidbox-init',
         [('inits-idle', 'switches', MEDIAN), ('inits-idle-cpu', 'time', MEDIAN), ('inits-idle-ticks', 'ticks', MEDIAN)]),
    Wide('inits-signal', 'SIGUSR1 to the init, until the command has it', 'pidbox-init', [('inits-signal', 'signal', ALL)]),
]
SHARES = {0.5: 'median', 0.99: 'p99', 0.01: 'p1', 1: 'most'}
# Blocks of the page that are more than the table of that name.
BLOCKS = {'spawn': ['spawn', 'spawn-threads'], 'flat': ['flat-boxes', 'flat-mounts'], 'end': ['end-exit', 'end-kill'],
          'memory': ['memory', 'private-dirty'], 'output': ['pipe', 'tty'], 'size': ['size', 'size-part'],
          'list': [f'list-{n}{what}' for what in ('', '-calls') for n in (1, 100, 1000)],
          'inits': [w.name for w in WIDES if w.name.startswith('inits')]}


def row_names(samples):
    return [row for row in dict.fromkeys([*samples.times, *samples.missing]) if row not in samples.notes]


def split(row):
    """The name of a row, and whose it is."""
    base, dot, user = row.rpartition('.')
    return (base, user) if dot and user in USERS else (row, '')


def part_table(samples, part, row):
    whos, xs, unit = samples.whos(row), samples.xs(row) or [0.0], samples.units.get(row, '')
    # What a way is compared with by itself.
    to = {who: part.to.get(who, part.to.get(None)) for who in whos}
    to = {who: other for who, other in to.items() if other in whos and other != who}
    same = len(set(to.values())) == 1
    ours = part.ours if part.ours in whos else None
    many = any(len(t) > 1 for ways in samples.times.get(row, {}).values() for t in ways.values())
    # Of so many a second the bad ones are the few.
    worst = 0.01 if unit.endswith('/s') else 0.99
    with_x = len(xs) > 1 or part.x
    head = [*([part.x or 'X'] if with_x else []), '', *(['rounds'] if many else []), f'{"median, " if many else ""}{unit}',
            *([SHARES[worst]] if many else []), *([f'of {next(iter(to.values())) if same else ""}'.strip()] if to else []),
            *([f'{ours} of it'] if ours else [])]
    rows = []
    for x in xs:
        for who in whos:
            t, label = samples.of(row, who, x), [f'{x:,.0f}'] if with_x else []
            if t is None:
                continue
            cells = [*label, who, *([str(len(t))] if many else []), number(median(t)), *([number(quantile(t, worst))] if many else [])]
            if to:
                r = ratio_text(ratio(t, samples.of(row, to[who], x))) if who in to else ''
                cells.append(r + (f' {to[who]}' if r and not same else ''))
            if ours:
                cells.append(ratio_text(ratio(samples.of(row, ours, x), t)) if who != ours else '')
            rows.append(cells)
    rows += [[*(label and ['']), who, why] for who, why in samples.missing.get(row, {}).items()]
    return Table(', '.join(filter(None, [part.title, USERS[split(row)[1]]])), head, rows)


def wide_table(samples, wide, user):
    """Rows beside each other, each of which has one X."""
    rows = [(f'{row}.{user}' if user else row, title, shares) for row, title, shares in wide.columns]
    rows = [(row, title, shares) for row, title, shares in rows if row in samples.times]
    head = ['', 'rounds']
    for row, title, shares in rows:
        head += [f'{title}: {SHARES[s]}, {samples.units[row]}' for s in shares] + ([f'{wide.ours} of it'] if wide.ours else [])
    lines = []
    for who in dict.fromkeys(w for row, _, _ in rows for w in samples.whos(row)):
        if who in samples.missing.get(rows[0][0], {}):
            lines.append([who, samples.missing[rows[0][0]][who]])
            continue
        line = [who, '']
        for row, _, shares in rows:
            t = samples.of(row, who, (samples.xs(row, who) or [0.0])[0])
            line[1] = line[1] or (str(len(t)) if t else '')
            line += [number(quantile(t, s)) if t else '' for s in shares]
            if wide.ours:
                ours = samples.of(row, wide.ours, (samples.xs(row, who) or [0.0])[0])
                line.append(ratio_text(ratio(ours, t)) if who != wide.ours else '')
        lines.append(line)
    return Table(f'{wide.title}, {USERS[user]}' if user else wide.title, head, lines)


def tables(samples):
    """Name -> its tables. A row that nobody has described has one as well."""
    there = row_names(samples)
    found = {}
    in_wides = {row for w in WIDES for row, _, _ in w.columns}
    described = {p.name: p for p in PARTS}
    for name in dict.fromkeys([*described, *(split(row)[0] for row in there)]):
        part = described.get(name) or Part(name, name, '', 'pidbox run', FLOORS)
        mine = [row for row in there if split(row)[0] == name and name not in in_wides]
        if mine:
            found[name] = [part_table(samples, part, row) for row in mine]
    for wide in WIDES:
        users = [u for u in USERS if any((f'{row}.{u}' if u else row) in samples.times for row, _, _ in wide.columns)]
        if users:
            found[wide.name] = [wide_table(samples, wide, u) for u in users]
    return found


def summary_table(samples):
    """For the front page: what a launch takes, of each other way's time."""
    rows = [[f'launch.{user}', samples.of(f'launch.{user}', 'pidbox run')] for user in ('root', 'user')]
    others = [who for who in ('floor', 'unshare', 'unshare + tini-static', 'bwrap', 'firejail', 'crun', 'runc')
              if any(samples.of(row, who) for row, _ in rows)]
    cells = [[who, *(ratio_text(ratio(ours, samples.of(row, who))) or 'missing' for row, ours in rows)] for who in others]
    return Table('`pidbox run -- true`, of the time of', ['', *(USERS[u] for u in ('root', 'user'))], cells)


def verdict_table(found):
    words = {True: 'met', False: 'MISSED', BEYOND: 'missed by the floor, too', None: ''}
    return Table('Targets', ['', 'target', 'measured', ''], [[v.what, v.target, v.measured, words[v.met]] for v in found])


def note_table(samples, topic, title):
    rows = [[k, v] for k, v in samples.notes.get(topic, {}).items()]
    rows += [[k, v] for k, v in samples.missing.get(topic, {}).items()]
    return Table(title, ['', ''], rows)


def filled(table):
    """Its rows, each as long as its head, and for each column whether it holds numbers. A shorter row says why one is missing."""
    whole = [row for row in table.rows if len(row) == len(table.head)]
    numbers = [all(re.fullmatch(r'-?[\d,.]*', row[i]) for row in whole) for i in range(len(table.head))]
    return [row + [''] * (len(table.head) - len(row)) for row in table.rows], numbers


def as_text(table):
    _, numbers = filled(table)
    lines = [table.head] * any(table.head) + table.rows
    width = [max(len(row[i]) for row in lines if i < len(row) and (i + 1 < len(row) or len(row) == len(table.head)))
             for i in range(len(table.head))]
    out = [table.title]
    for row in lines:
        short = len(row) < len(table.head)
        out.append('  ' + '  '.join(c.rjust(w) if n and not short else c.ljust(w) for c, w, n in zip(row, width, numbers)).rstrip())
    return '\n'.join(out)


def as_markdown(table):
    def line(cells):
        return '| ' + ' | '.join(c.replace('|', '\\|') for c in cells) + ' |'
    rows, numbers = filled(table)
    return '\n'.join([f'{table.title}:', '', line(table.head), '|' + '|'.join('--:' if n else '---' for n in numbers) + '|',
                      *map(line, rows)])


def blocks(samples, found):
    """Name -> Markdown, for each block that this run has something for."""
    made, drawn = tables(samples), plots.pictures(samples)
    parts = {name: [*([f'![{ts[0].title}](images/bench-{name}.svg)'] if name in drawn else []), *map(as_markdown, ts)]
             for name, ts in made.items()}
    for name, members in BLOCKS.items():
        mine = [text for m in members for text in parts.get(m, [])]
        if mine:
            parts[name] = mine
    parts['targets'] = [as_markdown(verdict_table(found))]
    for topic, title in ('machine', 'The machine'), ('version', 'What was measured'):
        if samples.notes.get(topic):
            parts[topic] = [as_markdown(note_table(samples, topic, title))]
    if samples.of('launch.root', 'pidbox run') or samples.of('launch.user', 'pidbox run'):
        parts['summary'] = [as_markdown(summary_table(samples))]
    return {name: '\n\n'.join(texts) for name, texts in parts.items()}


def replace_blocks(page, made):
    """The page with what the run has in its blocks; the names of the blocks for which it has nothing stay as they are.
    @return the page, and their names"""
    kept = []

    def put(m):
        if m[1] not in made:
            kept.append(m[1])
            return m[0]
        return f'<!-- bench:{m[1]} -->\n{made[m[1]]}\n<!-- /bench:{m[1]} -->'
    done = re.sub(r'<!-- bench:([\w-]+) -->\n.*?<!-- /bench:\1 -->', put, page, flags=re.S)
    if len(re.findall(r'<!-- /?bench:', done)) != 2 * len(re.findall(r'<!-- bench:([\w-]+) -->\n.*?<!-- /bench:\1 -->', done, re.S)):
        raise ValueError('a block of the page has no end, or no beginning')
    return done, kept


def write_page(path, made):
    with open(path, encoding='utf-8') as f:
        page = f.read()
    page, kept = replace_blocks(page, made)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(page)
    for name in kept:
        print(f'{os.path.basename(path)}: nothing was measured for its block "{name}", which stays as it is')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--write', action='store_true')
    ap.add_argument('--docs', metavar='DIR', default=os.path.join(TOP, 'docs'))
    ap.add_argument('samples')
    opt = ap.parse_args()
    with open(opt.samples, encoding='utf-8') as f:
        samples = Samples(f)
    found = verdicts(samples)
    shown = [note_table(samples, 'machine', 'The machine'), note_table(samples, 'version', 'Versions')]
    shown += [t for ts in tables(samples).values() for t in ts]
    print('\n\n'.join(map(as_text, [*shown, verdict_table(found)])))
    if opt.write:
        made = blocks(samples, found)
        for page in os.path.join(opt.docs, 'BENCHMARKS.md'), os.path.join(opt.docs, '..', 'README.md'):
            write_page(page, made)
        plots.draw(samples, os.path.join(opt.docs, 'images'))
    return 1 if opt.write and any(v.met is False for v in found) else 0


if __name__ == '__main__':
    sys.exit(main())
