# SPDX-License-Identifier: MIT
"""Pictures of the samples, by gnuplot, as SVG that follows the reader's light or dark theme. The same samples make the same
bytes."""
import os
import re
import shutil
import subprocess

from samples import median, quantile

# Of a series: the same in all pictures, and to be told apart on white and on black.
COLOURS = {'pidbox run': '#2f81f7', 'pidbox_spawn': '#2f81f7', 'floor': '#2da44e', 'PID 1 alone': '#2da44e', 'unshare': '#d29922',
           'unshare + tini-static': '#bc6c25', 'bwrap': '#db61a2', 'pidbox run --as-pid1': '#8250df', 'fork-like clone': '#cf222e'}
OTHER = '#7d8590'
STYLE = ('<style>svg{color:#1f2328;background:#ffffff}@media (prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}}'
         '</style>')
COMMON = """set encoding utf8
set grid lc rgb "#808080" lw 0.4 dt 3
set border 3 lc rgb "black"
set tics nomirror scale 0.5
set mxtics 1
set mytics 1
set format "%'.0f"
"""
FONT = 'noenhanced font "sans-serif,13"'


def quoted(text):
    return '"' + text.replace('\\', '').replace('"', "'") + '"'


def tics(axis, labels, at):
    return f'set {axis}tics (' + ', '.join(f'{quoted(label)} {place:g}' for label, place in zip(labels, at)) + ')'


def lines(samples, row, title, x, y, log, whos=None):
    """Medians with quartiles over X, a line for each way. @return gnuplot's program; None: there is too little"""
    xs = samples.xs(row)
    whos = [w for w in samples.whos(row) if (whos is None or w in whos) and len(samples.xs(row, w)) > 1]
    if len(xs) < 2 or not whos:
        return None
    out, plots = [f'set logscale {log}' if log else '', f'set title {quoted(title)}', f'set xlabel {quoted(x)}',
                  f'set ylabel {quoted(y)}', 'set key outside right top Left reverse',
                  f'set terminal svg size 720,380 {FONT}', f'set xrange [{xs[0] * 0.9:g}:{xs[-1] * 1.1:g}]',
                  tics('x', [f'{v:,.0f}' for v in xs], xs)], []
    out.append('set yrange [0:*]' if 'y' not in log else 'set format y "%g"')
    for n, who in enumerate(whos):
        out.append(f'$d{n} << END')
        for v in samples.xs(row, who):
            t = samples.of(row, who, v)
            out.append(f'{v:g} {median(t):.6g} {quantile(t, 0.25):.6g} {quantile(t, 0.75):.6g}')
        out.append('END')
        plots.append(f'$d{n} using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.6 lc rgb "{COLOURS.get(who, OTHER)}" title {quoted(who)}')
    return '\n'.join([*out, 'plot ' + ', '.join(plots)])


def bars(samples, row, title, unit, whos=None, log=False):
    """A bar for each way from its median, with a whisker from the lower quartile to the 99th percentile."""
    whos = [w for w in samples.whos(row) if (whos is None or w in whos) and samples.of(row, w)]
    if len(whos) < 2:
        return None
    whos.sort(key=lambda w: median(samples.of(row, w)), reverse=True)
    low = median(samples.of(row, whos[-1])) / 2 if log else 0
    high = 1.05 * max(quantile(samples.of(row, w), 0.99) for w in whos)
    out = [f'set title {quoted(title)}', f'set xlabel {quoted(unit)}', 'unset key', f'set yrange [-0.6:{len(whos) - 0.4:g}]',
           f'set terminal svg size 720,{90 + 26 * len(whos)} {FONT}',
           tics('y', whos, range(len(whos))) + ' scale 0', 'set grid noytics xtics',
           f'low = {low:g}', f'set xrange [low:{high:g}]', *(['set logscale x'] if log else []), '$d << END']
    for n, who in enumerate(whos):
        t = samples.of(row, who)
        out.append(f'{n} {median(t):.6g} {quantile(t, 0.25):.6g} {quantile(t, 0.99):.6g} {int(COLOURS.get(who, OTHER)[1:], 16)}')
    return '\n'.join([*out, 'END', 'plot $d using (low):1:(low):2:($1-0.36):($1+0.36):5 with boxxyerror '
                      'fs solid 0.85 noborder lc rgb variable, '
                      '$d using 2:1:3:4 with xerrorbars pt 0 lw 1 lc rgb "black"'])


def pictures(samples):
    """Name -> gnuplot's program, for each picture that the run has something for; none without gnuplot."""
    def of(row):
        return f'{row}.root' if f'{row}.root' in samples.times else f'{row}.user' if f'{row}.user' in samples.times else row
    crowd = ('floor', 'pidbox run', 'unshare', 'bwrap')
    made = {
        'launch': bars(samples, of('launch'), 'Start to end of a box: median, and up to the 99th percentile',
                       'microseconds, logarithmic', log=True),
        'spawn': lines(samples, of('spawn'), 'pidbox_spawn and wait: the caller\'s touched memory', 'MiB', 'microseconds', 'xy'),
        'flat-boxes': lines(samples, of('flat-boxes'), 'A launch beside live boxes', 'live boxes', 'microseconds', 'x', crowd),
        'flat-mounts': lines(samples, of('flat-mounts'), 'A launch with mounts', 'mounts', 'microseconds', 'x', crowd),
        'memory': bars(samples, 'memory', 'Memory that an idle box is charged', 'KiB'),
        'width': lines(samples, of('width'), 'Launches a second, so many at a time', 'at a time', 'launches a second', 'x', crowd),
        'end-kill': lines(samples, of('end-kill'), 'From a SIGKILL to the end of a box', 'processes in it', 'milliseconds', 'xy',
                     ('PID 1 alone', 'pidbox run', 'unshare', 'bwrap')),
    }
    return {name: program for name, program in made.items() if program and shutil.which('gnuplot')}


def themed(svg):
    """What gnuplot draws in black has the colour of the page, which follows the theme; what it defines and does not use is left
    out."""
    svg = re.sub(r'<\?xml.*?\?>|<!DOCTYPE.*?>|<desc>.*?</desc>|<title>.*?</title>|<!--.*?-->|<filter.*?</filter>', '', svg, flags=re.S)
    svg = re.sub(r' color=(["\'])black\1', '', svg)
    svg = re.sub(r'(stroke|fill)( ?= ?)(["\'])(black|rgb\( *0, *0, *0\))\3', r'\1\2\3currentColor\3', svg)
    before = None
    while before != svg:
        before = svg
        svg = re.sub(r'<\w+ [^>]*\bid=\'(gpPt\d+|gpDot)\'[^>]*/>',
                     lambda m: m[0] if f"'#{m[1]}'" in svg.replace(m[0], '') else '', svg)
    svg = re.sub(r'<g [^>]*>\s*</g>', '', svg)
    svg = re.sub(r'\s*\n\s*', '\n', svg).strip()
    return re.sub(r'(<svg[^>]*>)', lambda m: m[1] + STYLE, svg, count=1) + '\n'


def draw(samples, folder):
    for name, program in pictures(samples).items():
        svg = subprocess.run(['gnuplot'], input=COMMON + program, check=True, stdout=subprocess.PIPE, text=True).stdout
        with open(os.path.join(folder, f'bench-{name}.svg'), 'w', encoding='utf-8') as f:
            f.write(themed(svg))
