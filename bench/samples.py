# SPDX-License-Identifier: MIT
"""Samples of the benchmarks, as the programs say them (stats.h), and what is computed of them."""
import collections
import math

Ratio = collections.namedtuple('Ratio', 'value low high')  # low and high: its quartiles; None: it has no rounds


class Samples:
    """times[row][x][who]: list of samples, units[row], missing[row][who]: why, notes[topic][what]: text."""

    def __init__(self, lines):
        self.times, self.units, self.missing, self.notes = {}, {}, {}, {}
        for number, line in enumerate(lines, 1):
            fields = line.rstrip('\n').split('\t')
            if fields == ['']:
                continue
            if len(fields) < 4:
                raise ValueError(f'line {number}: {len(fields)} fields: {line.rstrip()}')
            row, who, x = fields[:3]
            if x == 'missing':
                self.missing.setdefault(row, {})[who] = fields[3]
            elif x == 'note':
                self.notes.setdefault(row, {})[who] = fields[3]
            else:
                samples = [v for v in map(float, fields[4:]) if not math.isnan(v)]
                if samples:
                    self.times.setdefault(row, {}).setdefault(float(x), {}).setdefault(who, []).extend(samples)
                    self.units[row] = fields[3]

    def of(self, row, who, x=0.0):
        return self.times.get(row, {}).get(x, {}).get(who)

    def xs(self, row, who=None):
        return sorted(x for x, whos in self.times.get(row, {}).items() if who is None or who in whos)

    def whos(self, row):
        """In the order in which they came, those that are missing last."""
        found = dict.fromkeys(who for x in self.xs(row) for who in self.times[row][x])
        return [*found, *(who for who in self.missing.get(row, {}) if who not in found)]


def quantile(samples, share):
    """The value below which this share lies, as the C programs have it."""
    return sorted(samples)[int((len(samples) - 1) * share)]


def median(samples):
    return quantile(samples, 0.5)


def ratio(a, b):
    """Of a to b: round by round when both have the same, and more than one; else of the medians. None: it has no meaning."""
    if not a or not b or min(b) <= 0:
        return None
    if len(a) != len(b) or len(a) < 2:
        return Ratio(median(a) / median(b), None, None)
    each = [p / q for p, q in zip(a, b)]
    return Ratio(median(each), quantile(each, 0.25), quantile(each, 0.75))


def number(value):
    """Three digits or more, no more than needed."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f'{value:,.{digits}f}'


def ratio_text(r):
    if r is None:
        return ''
    return f'{r.value:.2f}' + (f' [{r.low:.2f}, {r.high:.2f}]' if r.low is not None else '')
