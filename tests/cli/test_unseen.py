# SPDX-License-Identifier: MIT
"""What may not be looked at does not look as if nothing were there: ps and tree of other users' boxes."""
from support import *

ANN = 54321
ANN_HERE = ('setpriv', '--reuid', str(ANN), '--regid', str(ANN), '--clear-groups')
UP = 'echo up; exec sleep 1000'


def as_ann(t, *args):
    return t.run([*ANN_HERE, t.pidbox, *args], cwd='/')


def start(t, *command):
    p = t.start_box('--', *command)
    t.eq(p.out.line(20), 'up', 'the box')
    return p, t.init_of(p)


def id_of(t, init):
    found = [b['id'] for b in json.loads(t.run([t.pidbox, 'ls', '--json']).out)['boxes'] if b['init_pid'] == init]
    return found[0] if found else t.fail(f'{init} is not listed')


VIEWS = ('ps',), ('ps', '--json'), ('tree',), ('tree', '--json'), ('tree', '--dot')


@test(modes='root', limit=60)
def a_box_that_nothing_is_seen_of(t):
    """It has an address, which ls shows; that is all."""
    p, init = start(t, 'sh', '-c', UP)
    for view in VIEWS:
        for box in str(p.pid), str(init), id_of(t, init), str(t.command_of(p)):
            with t.case(f'{view} {box}'):
                t.error(as_ann(t, *view, box), 'DENIED', has='another user')
            t.good(t.run([t.pidbox, *view, box]), out=None)


@test(modes='root', limit=60)
def a_box_that_something_is_seen_of(t):
    """One process of the user's in a box of root's is enough: the kernel tells who else is in that PID namespace."""
    if kernel() < (6, 11):
        t.skip('the kernel does not translate PIDs')
    other, _ = start(t, 'sh', '-c', UP)
    p, init = start(t, 'sh', '-c', f'{" ".join(ANN_HERE)} sh -c "{UP}" & wait')
    want = [int(x) for x in (init, t.command_of(p), *children(t.command_of(p)))]
    inode = os.stat(f'/proc/{init}/ns/pid').st_ino
    for box in str(p.pid), id_of(t, init), str(want[2]), f'ns:{inode}':
        with t.case(box):
            for verb in 'ps', 'tree':
                got = json.loads(t.good(as_ann(t, verb, '--json', box)).out or '{}')
                t.eq(sorted(q['pid'] for q in got.get('processes', ())), sorted(want), f'{verb} --json')
                r = t.good(as_ann(t, verb, box))
                t.eq(len(r.out.splitlines()), 4, f'{verb}: the title, and who is in it')


@test(modes='root', limit=60)
def before_pids_were_translated(t):
    """Then nobody tells which box the processes of others are in; how many they are would be of the whole machine."""
    if kernel() < (6, 11):
        t.skip('it is such a kernel, without a filter')
    other, _ = start(t, 'sh', '-c', UP)
    old = ['deny', str(errno.ENOTTY), 'pidns', '--', *ANN_HERE, t.pidbox]
    p = t.start([*ANN_HERE, t.pidbox, 'run', '--', 'sh', '-c', UP], cwd='/', stdout=subprocess.PIPE)
    t.eq(Lines(p.stdout).line(20), 'up', 'a box of his own')
    for verb in 'ps', 'tree':
        r = t.run([*old, verb, '--json', str(t.init_of(p))], cwd='/')
        if not t.eq(r.code, 0, f'{verb}: {r.err}'):
            continue
        t.eq((r.code, [q['inside_pid'] for q in json.loads(r.out)['processes']]), (0, [1, 2]), f'{verb} shows what is seen')
        t.ok('may be more' in r.err and not re.search(r'\d', r.err), f'no number: {r.err!r}')
    p, init = start(t, 'sh', '-c', f'{" ".join(ANN_HERE)} sh -c "{UP}" & wait')
    his, = children(t.command_of(p))
    t.error(t.run([*old, 'ps', str(his)], cwd='/'), 'DENIED', has='shows which process its PID 1 is only to who may trace it')


@test(modes='root', limit=60)
def a_proc_that_shows_others_by_name_alone(t):
    """hidepid=1: every number is there, and nothing behind it (proc(5))."""
    def run(*args):
        return t.run(['unshare', '-m', 'sh', '-c', 'mount -t proc -o hidepid=1 proc /proc && exec "$@"', 'sh',
                      *ANN_HERE, t.pidbox, *args], cwd='/')
    for args in ('ps',), ('ps', '--json'), ('tree',), ('tree', '--json'), ('ls',):
        r = run(*args)
        with t.case(args):
            t.eq(r.code, 0, f'status ({r.err})')
            t.ok(re.fullmatch(r'pidbox: \d+ processes of other users could not be looked at\n', r.err), f'said: {r.err!r}')
