# SPDX-License-Identifier: MIT
"""What the project wants of its numbers, and whether a run has it."""
import collections

from samples import median, number, quantile, ratio, ratio_text

Verdict = collections.namedtuple('Verdict', 'what target measured met')  # met: True, False, BEYOND; None: not measured

BEYOND = 'beyond'  # the floor, which is the least that the kernel takes for the job, misses it as well


def missing(samples, row, who):
    return 'missing: ' + samples.missing[row][who] if who in samples.missing.get(row, {}) else 'not measured'


def judged(what, sign, limit, unit, value, text):
    """One number against its limit, and by how much it misses."""
    met = value <= limit if sign == '<=' else value >= limit
    miss = '' if met else f', missed by {abs(value - limit) / limit:.0%}' if limit else ', missed'
    return Verdict(what, f'{"≤" if sign == "<=" else "≥"} {number(limit) if unit else f"{limit:.2f}"}{unit}', text + miss, met)


class Of:
    """A row's value, or its ratio to somebody else's, for each X, within a limit. floor: who is the floor of that"""

    def __init__(self, row, who, sign, limit, to=None, to_row=None, xs=None, floor=None):
        self.row, self.who, self.sign, self.limit, self.to, self.to_row, self.xs = row, who, sign, limit, to, to_row or row, xs
        self.floor = floor
        self.what = f'{row}: {who}' + (f' by {to}' if to else '') + (f' of {to_row}' if to_row else '')

    def judge(self, samples):
        xs = [x for x in samples.xs(self.row, self.who) if self.xs is None or x in self.xs]
        if not xs:
            yield Verdict(self.what, '', missing(samples, self.row, self.who), None)
        for x in xs:
            what = self.what + (f', {x:,.0f}' if len(samples.xs(self.row)) > 1 else '')
            ours = samples.of(self.row, self.who, x)
            if self.to is None:
                value = median(ours)
                unit = ' ' + samples.units[self.row]
                yield self.with_floor(judged(what, self.sign, self.limit, unit, value, number(value) + unit),
                                      samples.of(self.row, self.floor, x), None)
                continue
            r = ratio(ours, samples.of(self.to_row, self.to, x))
            if r is None:
                yield Verdict(what, '', missing(samples, self.to_row, self.to), None)
            else:
                yield self.with_floor(judged(what, self.sign, self.limit, '', r.value, ratio_text(r)),
                                      samples.of(self.row, self.floor, x), samples.of(self.to_row, self.to, x))

    def with_floor(self, verdict, floors, theirs):
        """What is missed and has a floor: where that is."""
        if verdict.met or not floors:
            return verdict
        value = median(floors) if theirs is None else ratio(floors, theirs).value
        within = value <= self.limit if self.sign == '<=' else value >= self.limit
        text = f'{verdict.measured}; the floor: {number(value) if theirs is None else f"{value:.2f}"}'
        return verdict._replace(measured=text, met=False if within else BEYOND)


class Flat:
    """One way's values over all X of some rows: the greatest by the least. Lower quartiles: a busy neighbour moves them
    less than medians."""

    def __init__(self, rows, who, limit):
        self.rows, self.who, self.limit = rows, who, limit

    def judge(self, samples):
        what = f'{self.rows[0]}: {self.who}, flat'
        values = [quantile(samples.of(row, self.who, x), 0.25) for row in self.rows for x in samples.xs(row, self.who)]
        if len(values) < 2:
            yield Verdict(what, '', missing(samples, self.rows[0], self.who), None)
        else:
            flat = max(values) / min(values)
            yield judged(what, '<=', self.limit, '', flat, f'{flat:.2f}')


class Growth:
    """How one way grows from its least X on (or from x0 to x1, which may be in another row), by how somebody else does; of
    nobody else: by a factor."""

    def __init__(self, row, who, limit, to=None, x0=None, x1=None, row1=None):
        self.row, self.who, self.limit, self.to, self.x0, self.x1, self.row1 = row, who, limit, to, x0, x1, row1 or row
        self.what = f'{row}: {who} grows' + (f' as {to}' if to else '')

    def judge(self, samples):
        xs = samples.xs(self.row, self.who)
        x0 = self.x0 if self.x0 is not None else xs[0] if xs else None
        ahead = [self.x1] if self.x1 is not None else [x for x in xs if x > x0]
        if not ahead:
            yield Verdict(self.what, '', missing(samples, self.row, self.who), None)
        for x in ahead:
            what = f'{self.what}, {x0:,.0f} to {x:,.0f}'
            ends = [samples.of(row, who, at) for who in (self.who, self.to or self.who)
                    for row, at in ((self.row, x0), (self.row1, x))]
            if None in ends:
                yield Verdict(what, '', missing(samples, self.row, self.to or self.who), None)
                continue
            by = median(ends[1]) / median(ends[0])
            if self.to:  # the machine may be faster at one X than at the other, but in a round it is the same for both
                near, far = ratio(ends[0], ends[2]), ratio(ends[1], ends[3])
                by, text = far.value / near.value, f' ({near.value:.2f} and {far.value:.2f} of it)'
            yield judged(what, '<=', self.limit, '', by, f'{by:.2f}' + (text if self.to else ''))


def both(make):
    return [t for user in ('root', 'user') for t in make(user)]


TARGETS = [
    *both(lambda u: [
        Of(f'launch.{u}', 'pidbox run', '<=', 1.15, 'floor'),
        Of(f'launch.{u}', 'pidbox run', '<=', 0.50, 'unshare', floor='floor'),
        Of(f'launch.{u}', 'pidbox run', '<=', 0.36, 'unshare + tini-static', floor='floor'),
        Of(f'launch.{u}', 'pidbox run', '<=', 0.28, 'bwrap', floor='floor'),
        Of(f'launch.{u}', 'pidbox run --as-pid1', '<=', 1.15, 'floor -1'),
        Of(f'launch.{u}', 'pidbox run --unshare=net', '<=', 1.15, 'floor -n'),
        Of(f'launch.{u}', 'pidbox run --unshare=cgroup,user', '<=', 1.15, 'floor -c -u'),
        # A host has no file of the init: it comes from sealed memory.
        Of(f'spawn.{u}', 'pidbox_spawn', '<=', 1.15, 'floor, init copied'),
        Of(f'spawn-threads.{u}', 'pidbox_spawn', '<=', 1.15, 'floor, init copied'),
        Flat([f'spawn.{u}', f'spawn-threads.{u}'], 'pidbox_spawn', 1.20),
        Of(f'width.{u}', 'pidbox run', '>=', 0.90, 'floor'),
        Growth(f'flat-boxes.{u}', 'pidbox run', 1.10, 'floor'),
        Growth(f'flat-mounts.{u}', 'pidbox run', 1.10, 'floor'),
        Of(f'exec.{u}', 'pidbox exec', '<=', 0.50, 'nsenter'),
        *(Of(f'translate.{u}', who, '>=', 100000) for who in (
            'pidbox_translate, inside to outside', 'pidbox_translate, outside to inside', 'pidbox_levels, every number',
            'pidbox pid - --to BOX, of PID', 'pidbox pid - --to BOX, of BOX/PID', 'pidbox pid -, every number of PID',
            'pidbox pid -, every number of BOX/PID')),
        Of(f'inits-idle.{u}', 'pidbox-init', '<=', 0),
        # Ahead of each other init in each row, where the init is what counts (docs/BENCHMARKS.md, Inits).
        *(Of(f'{row}.{u}', 'pidbox-init', '<=', 1, init)
          for row in ('inits-start', 'inits-private', 'reap-one', 'reap-many', 'inits-signal')
          for init in ('tini', 'tini-static', 'docker-init', 'dumb-init', 'catatonit')),
        # The least that an end can take is the kernel's, from a SIGKILL to a bare PID 1.
        Of(f'end-exit.{u}', 'pidbox run', '<=', 1.10, 'PID 1 alone', to_row=f'end-kill.{u}', floor='floor'),
        Of(f'end-kill.{u}', 'pidbox run', '<=', 1.10, 'PID 1 alone', floor='floor'),
        *(Of(f'idle-switches.{u}', f'{box}, {whose}', '<=', 0) for box, whose in (
            ('pidbox run', 'front'), ('pidbox run', 'init'), ('pidbox run -d --log', 'front'), ('pidbox run -d --log', 'init'),
            ('pidbox run -t', 'front'), ('pidbox run -t', 'init'), ('pidbox_spawn', 'host'), ('pidbox_spawn', 'init'))),
        Of(f'pipe.{u}', 'pidbox run', '>=', 0.95, 'no box'),
        Of(f'tty.{u}', 'pidbox run -t', '>=', 0.90, 'script'),
    ]),
    Of('memory', 'pidbox run', '<=', 175, floor='floor'),
    Of('private-dirty', 'pidbox run, front', '<=', 32),
    Of('private-dirty', 'pidbox run, init', '<=', 32),
    Of('size', 'pidbox', '<=', 600 * 1024),
    *(Of(f'list-{n}', 'lsns', '>=', 3, 'pidbox ls', xs=[10000]) for n in (1, 100, 1000)),
    # Ten times the processes in as many namespaces cost ten times as much, and a little for what does not scale.
    Growth('list-1', 'pidbox ls', 12, x0=1000, x1=10000),
    # Boxes of ten processes, alone and among a thousand: a box's listing costs what is in it.
    Growth('list-100-calls', 'pidbox ps BOX', 1.1, x0=1000, x1=10000, row1='list-1000-calls'),
]


def verdicts(samples):
    return [v for t in TARGETS for v in t.judge(samples)]
