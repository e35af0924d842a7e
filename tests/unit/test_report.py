#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/report.py on made-up samples: numbers, ratios, tables, verdicts, the page, the pictures. Prints TAP."""
import contextlib
import io
import os
import shutil
import sys
import tempfile
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'bench'))
import plots  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402
from samples import Samples, median, number, quantile, ratio, ratio_text  # noqa: E402

LINES = '''machine\tprocessors\tnote\t2, a fast one
version\tbubblewrap\tnote\t0.8.0
version\tdocker-init\tmissing\tnot installed
launch.root\tfloor\t0\tus\t100\t200\t400\t100
launch.root\tpidbox run\t0\tus\t110\t240\t420\t130
launch.root\tunshare\t0\tus\t200\t500\t900\t260
launch.root\tbwrap\tmissing\tdoes not work here: no | bars
width.root\tfloor\t1\t1/s\t1000\t1000
width.root\tpidbox run\t1\t1/s\t950\t990
width.root\tfloor\t8\t1/s\t2000\t2000
width.root\tpidbox run\t8\t1/s\t1600\t1700
flat-boxes.root\tfloor\t10\tus\t100\t100
flat-boxes.root\tpidbox run\t10\tus\t110\t110
flat-boxes.root\tfloor\t1000\tus\t200\t200
flat-boxes.root\tpidbox run\t1000\tus\t231\t231
spawn.root\tpidbox_spawn\t10\tus\t100\t100\t100
spawn.root\tpidbox_spawn\t1024\tus\t130\t130\t130
list-100-calls\tpidbox ps BOX\t1000\tcalls\t300
list-1000-calls\tpidbox ps BOX\t10000\tcalls\t360
inits-idle.root\tpidbox-init\t0\tswitches\t1
idle-switches.root\tpidbox run, front\t0\tswitches\t0
size\tpidbox\t0\tbytes\t500000
private-dirty\tpidbox run, init\t0\tKiB\tnan\t33
memory\tfloor\t0\tKiB\t183
memory\tpidbox run\t0\tKiB\t200
end-kill.root\tPID 1 alone\t10\tms\t1\t1
end-kill.root\tfloor\t10\tms\t1.05\t1.05
end-kill.root\tpidbox run\t10\tms\t1.3\t1.3
end-kill.root\tPID 1 alone\t1000\tms\t10\t10
end-kill.root\tfloor\t1000\tms\t15\t15
end-kill.root\tpidbox run\t1000\tms\t16\t16
unheard-of\tsomebody\t0\tus\t5\t6
'''
count = failed = 0


def ok(fine, what):
    global count, failed
    count += 1
    failed += not fine
    print(('ok' if fine else 'not ok'), count, '-', what)


def eq(got, wanted, what):
    ok(got == wanted, what if got == wanted else f'{what}: {got!r} instead of {wanted!r}')


def fails(f, what):
    try:
        f()
    except ValueError:
        ok(True, what)
    else:
        ok(False, what)


s = Samples(io.StringIO(LINES))
eq(s.of('launch.root', 'floor'), [100, 200, 400, 100], 'samples stay in their order')
eq(s.of('private-dirty', 'pidbox run, init'), [33], 'what is no number is none of them')
eq(s.xs('width.root'), [1, 8], 'what a row varies')
eq(s.whos('launch.root'), ['floor', 'pidbox run', 'unshare', 'bwrap'], 'who is missing comes last')
fails(lambda: Samples(['launch.root\tfloor\n']), 'a line without samples is refused')
fails(lambda: Samples(['launch.root\tfloor\tmany\tus\t1\n']), 'and so is an X that is no number')

eq((median([3, 1, 2]), quantile(list(range(101)), 0.99), quantile([5], 0.99)), (2, 99, 5), 'quantiles')
eq([number(v) for v in (0, 1.234, 12.34, 1234.5, 12)], ['0', '1.23', '12.3', '1,234', '12'], 'numbers')
r = ratio(s.of('launch.root', 'pidbox run'), s.of('launch.root', 'floor'))
eq([round(v, 3) for v in r], [1.1, 1.05, 1.2], 'a ratio is that of the rounds, with its quartiles')
eq(ratio_text(r), '1.10 [1.05, 1.20]', 'and its text')
eq(ratio([4, 4, 4], [2, 2]), (2, None, None), 'with other rounds it is that of the medians, and has no spread')
eq((ratio([1], [0]), ratio(None, [1]), ratio([1], None)), (None, None, None), 'by nothing there is none')

v = {(x.what, x.target): x for x in targets.verdicts(s)}


def verdict(what):
    return [(x.met, x.measured) for (w, _), x in v.items() if w == what]


eq(verdict('launch.root: pidbox run by floor'), [(True, '1.10 [1.05, 1.20]')], 'a target that is met')
eq(verdict('launch.root: pidbox run by unshare'), [(True, '0.48 [0.47, 0.50]')], 'by somebody else')
eq(verdict('launch.root: pidbox run by bwrap'), [(None, 'missing: does not work here: no | bars')], 'a peer that is missing is no verdict')
eq(verdict('launch.user: pidbox run by floor'), [(None, 'not measured')], 'nor is what was not measured')
eq(verdict('width.root: pidbox run by floor, 1'), [(True, '0.95 [0.95, 0.95]')], 'each X has its own')
eq(verdict('width.root: pidbox run by floor, 8'), [(False, '0.80 [0.80, 0.80], missed by 11%')], 'and one of them is missed')
eq(verdict('spawn.root: pidbox_spawn, flat'), [(False, '1.30, missed by 8%')], 'flat within 20%')
eq(verdict('flat-boxes.root: pidbox run grows as floor, 10 to 1,000'), [(True, '1.05 (1.10 and 1.16 of it)')], 'growth by the floor\'s')
eq(verdict('list-100-calls: pidbox ps BOX grows, 1,000 to 10,000'), [(False, '1.20, missed by 9%')], 'growth from a row to another')
eq(verdict('flat-mounts.root: pidbox run grows as floor'), [(None, 'not measured')], 'of what was not measured')
eq(verdict('inits-idle.root: pidbox-init'), [(False, '1 switches, missed')], 'nothing is the limit')
eq(verdict('idle-switches.root: pidbox run, front'), [(True, '0 switches')], 'and it is kept')
eq(verdict('size: pidbox'), [(True, '500,000 bytes')], 'a number of its own')
eq(verdict('memory: pidbox run'), [('beyond', '200 KiB, missed by 14%; the floor: 183')], 'what the floor misses, too')
eq(verdict('end-kill.root: pidbox run by PID 1 alone, 1,000'), [('beyond', '1.60 [1.60, 1.60], missed by 45%; the floor: 1.50')], 'as a ratio')
eq(verdict('end-kill.root: pidbox run by PID 1 alone, 10'), [(False, '1.30 [1.30, 1.30], missed by 18%; the floor: 1.05')],
   'what the floor does not miss')
eq(verdict('private-dirty: pidbox run, init'), [(False, '33 KiB, missed by 3%')], 'which is too large')

PICTURES = ['end-kill', 'flat-boxes', 'launch', 'memory', 'spawn', 'width'] if shutil.which('gnuplot') else []
made = report.blocks(s, targets.verdicts(s))
eq(sorted(made), [
    'end', 'end-kill', 'flat', 'flat-boxes', 'idle', 'inits', 'inits-idle', 'launch', 'list', 'list-100-calls', 'list-1000-calls',
    'machine', 'memory', 'private-dirty', 'size', 'spawn', 'summary', 'targets', 'unheard-of', 'version', 'width'], 'blocks')
eq(made['launch'].splitlines(), [
    *(['![Start to end of a box with a command that ends at once, as root](images/bench-launch.svg)', ''] if PICTURES else []),
    'Start to end of a box with a command that ends at once, as root:', '',
    '|  | rounds | median, us | p99 | of floor | pidbox run of it |', '|---|--:|--:|--:|---|---|',
    '| floor | 4 | 100 | 200 |  | 1.10 [1.05, 1.20] |',
    '| pidbox run | 4 | 130 | 240 | 1.10 [1.05, 1.20] |  |',
    '| unshare | 4 | 260 | 500 | 2.25 [2.00, 2.50] | 0.48 [0.47, 0.50] |',
    '| bwrap | does not work here: no \\| bars |  |  |  |  |'], 'a table')
ok('| 8 | pidbox run | 2 | 1,600 | 1,600 | 0.80 [0.80, 0.80] |  |' in made['width'].splitlines(), 'a table over X')
ok('| docker-init | not installed |' in made['version'].splitlines(), 'a peer that is missing is named')
ok('| launch.root: pidbox run by floor | ≤ 1.15 | 1.10 [1.05, 1.20] | met |' in made['targets'].splitlines(), 'targets')

page = 'before\n<!-- bench:launch -->\nold\n<!-- /bench:launch -->\nbetween\n<!-- bench:absent -->\nstays\n<!-- /bench:absent -->\n'
done, kept = report.replace_blocks(page, made)
eq(done, page.replace('old', made['launch']), 'a block is replaced, and nothing else')
eq(kept, ['absent'], 'what was not measured stays')
eq(report.replace_blocks(done, made), (done, ['absent']), 'once more it is the same')
fails(lambda: report.replace_blocks('<!-- bench:launch -->\nno end\n', made), 'a block without an end is refused')
fails(lambda: report.replace_blocks('<!-- bench:launch -->\n<!-- /bench:other -->\n', made), 'and one with the end of another')

with tempfile.TemporaryDirectory(prefix='pidbox-report-') as d:
    docs, front = f'{d}/docs', '<!-- bench:summary -->\n<!-- /bench:summary -->\n'
    os.makedirs(f'{docs}/images')
    for name, text in ('samples.tsv', LINES), ('docs/BENCHMARKS.md', page), ('README.md', front):
        with open(f'{d}/{name}', 'w', encoding='utf-8') as f:
            f.write(text)
    said = io.StringIO()
    draw, drawn = plots.draw, []
    plots.draw = lambda samples, folder: drawn.append(folder)
    for argv, status in ([], 0), (['--write'], 1):
        sys.argv = ['report.py', *argv, '--docs', docs, f'{d}/samples.tsv']
        with contextlib.redirect_stdout(said):
            eq(report.main(), status, f'exit status {status} with {argv}')
        with open(f'{docs}/BENCHMARKS.md', encoding='utf-8') as f:
            eq(f.read(), done if argv else page, 'the page is ' + ('written' if argv else 'left alone'))
        with open(f'{d}/README.md', encoding='utf-8') as f:
            eq('| unshare | 0.48 [0.47, 0.50] | missing |' in f.read().splitlines(), bool(argv), 'and so is the front page')
    eq(drawn, [f'{docs}/images'], 'pictures are drawn beside it')
    ok('\n  bwrap       does not work here: no | bars\n' in said.getvalue(), 'the terminal has the tables')
eq(sorted(plots.pictures(s)), PICTURES, 'pictures of what was measured')
theme = plots.themed('<?xml version="1.0"?>\n<svg width="1">\n<title>t</title>\n<g color="black" fill = \'black\'>a</g></svg>')
eq(theme, f'<svg width="1">{plots.STYLE}\n<g fill = \'currentColor\'>a</g></svg>\n', 'a picture has the colours of its reader')
xml.etree.ElementTree.fromstring(theme)
if not PICTURES:
    print('# gnuplot is not installed: no picture is drawn')
else:
    with tempfile.TemporaryDirectory(prefix='pidbox-report-') as d:
        twice = []
        for _ in range(2):
            draw(s, d)
            twice.append({f: open(f'{d}/{f}', encoding='utf-8').read() for f in sorted(os.listdir(d))})
        eq(list(twice[0]), [f'bench-{n}.svg' for n in PICTURES], 'they are drawn')
        eq(twice[0], twice[1], 'twice the same')
        ok(all('pidbox' in t and xml.etree.ElementTree.fromstring(t).tag.endswith('svg') for t in twice[0].values()), 'and well-formed')
print(f'1..{count}')
sys.exit(1 if failed else 0)
