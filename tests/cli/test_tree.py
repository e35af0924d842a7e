# SPDX-License-Identifier: MIT
"""pidbox tree: boxes and processes as one."""
from support import *
import test_ls

SCRIPT = 'readlink /proc/self/ns/pid; '


def nested(t):
    """A box with a box in it, each with a shell that waits for a line. (front, inode numbers)"""
    p = t.start_box('--', 'sh', '-c', f'{SCRIPT} {t.pidbox} run -- sh -c "{SCRIPT} read x; :"; :', stdin=subprocess.PIPE)
    inodes = [int(re.search(r'\d+', p.out.line(20)).group()) for _ in range(2)]
    until(lambda: [b['process_count'] for b in test_ls.ls(t)['boxes'] if b['pid_namespace'] == inodes[1]] == [2])
    return p, inodes


def end(t, p):
    p.stdin.write(b'\n')
    t.eq(t.finish(p), 0, 'the end of the boxes')


def tree(t, *args):
    return json.loads(t.good(t.run([t.pidbox, 'tree', '--json', *args])).out)


@test
def json_of_a_box(t):
    p, inodes = nested(t)
    init = t.init_of(p)
    got = tree(t, str(p.pid))
    t.eq(list(got), ['schema', 'pid_namespace', 'id', 'init_pid', 'processes', 'children'], 'keys')
    t.eq((got['schema'], got['pid_namespace'], got['init_pid']), (1, inodes[0], init), 'the box')
    t.ok(re.fullmatch(rf'{init}[:@]\d+', got['id']), f'id {got["id"]}')
    t.eq([(q['inside_pid'], q['parent_inside_pid']) for q in got['processes']], [(1, 0), (2, 1), (got['processes'][2]['inside_pid'], 2)], 'PIDs inside')
    t.eq(got['processes'][0]['pid'], init, 'and outside')
    t.eq(len(got['children']), 1, 'boxes in it')
    inner = got['children'][0]
    t.eq((list(inner), inner['pid_namespace'], inner['children']), (list(got)[1:], inodes[1], []), 'the inner box')
    t.eq([(q['inside_pid'], q['parent_inside_pid']) for q in inner['processes']], [(1, 0), (2, 1)], 'its own PIDs, in its own numbers')
    t.eq(inner['processes'][1]['command'], ['sh', '-c', f'{SCRIPT} read x; :'], 'its command')
    for q in got['processes'] + inner['processes']:
        with open(f'/proc/{q["pid"]}/status') as f:
            t.eq(q['inside_pid'], int([x for x in f if x.startswith('NSpid')][0].split()[-1]), f'NSpid of {q["pid"]}')
    end(t, p)


@test
def all_of_it(t):
    p, inodes = nested(t)
    got = tree(t)
    t.eq((got['pid_namespace'], got['init_pid']), (test_ls.inode('pid'), 1), 'the own namespace is the root')
    t.ok(p.pid in [q['pid'] for q in got['processes']], 'the front is in it')
    child = [c for c in got['children'] if c['pid_namespace'] == inodes[0]]
    t.eq([len(c['children']) for c in child], [1], 'the box, and one in it')
    end(t, p)


@test
def for_people(t):
    p, inodes = nested(t)
    init = t.init_of(p)
    r = t.good(t.run([t.pidbox, 'tree', str(init)]))
    lines = r.out.splitlines()
    t.eq(lines[0].split(), ['INSIDE', 'OUTSIDE', 'USER', 'COMMAND'], 'titles')
    t.ok(re.match(rf' *1 +{init} +\S+ +\[{init}[:@]\d+\] pidbox-init', lines[1]), f'PID 1, with its box: {lines[1]!r}')
    t.ok(re.match(r' *2 +\d+ +\S+ +sh -c', lines[2]) and lines[2].index('sh -c') == lines[1].index('[') + 2, f'the command below it: {lines[2]!r}')
    t.ok(re.match(r' *1 +\d+ +\S+ +\[\d+[:@]\d+\] pidbox-init', lines[4]), f'the inner box below its front: {lines}')
    t.eq(len(lines), 6, 'lines')
    end(t, p)


@test(modes='root')
def entered_from_outside(t):
    """What nsenter has put into it hangs on its parent outside, and says where it is."""
    init = test_ls.unshare(t)
    inner = t.start(['nsenter', '-t', str(init), '-p', 'sleep', '1001'])
    until(lambda: [c for c in children(inner.pid) if comm(c) == 'sleep 1001'])
    child, = children(inner.pid)
    line = [x for x in t.good(t.run([t.pidbox, 'tree'])).out.splitlines() if f' {child} ' in x]
    t.ok(len(line) == 1 and re.search(rf'\(in {init}[:@]\d+\) sleep 1001$', line[0]), f'{line}')
    got = tree(t, str(init))
    t.eq([(q['pid'], q['parent_inside_pid']) for q in got['processes'] if q['pid'] == child], [(child, 0)], 'its parent is outside')
    os.kill(child, signal.SIGKILL)
    inner.wait()


@test
def dot(t):
    evil = 'a"b\\c\x1b[31m\nd'
    p = t.start_box('--', 'sh', '-c', 'echo up; read x; :', evil, stdin=subprocess.PIPE)
    p.out.line()
    init, command = t.init_of(p), t.command_of(p)
    r = t.good(t.run([t.pidbox, 'tree', '--dot', str(p.pid)]))
    t.ok(f'p{init} -> p{command};' in r.out, 'an edge from parent to child')
    t.ok(re.search(rf'p{init} \[label="1 \({init}\)\\npidbox-init"\];', r.out), 'a node with both PIDs')
    t.ok('a\\"b\\\\c?[31m?d' in r.out and '\x1b' not in r.out, f'escaped: {r.out!r}')
    if shutil.which('dot'):
        svg = t.good(t.run(['dot', '-Tsvg'], input=r.out), err=None)
        t.ok(f'<title>p{init}&#45;&gt;p{command}</title>' in svg.out, 'graphviz draws it')
    end(t, p)


@test(limit=60)
def churn(t):
    stay = test_ls.unshare(t)
    storm = t.start(['sh', '-c', 'while :; do unshare ' + ('-Ur ' if t.mode != 'root' else '') + '-fp sh -c ":; :" & : & wait; done'])
    for _ in range(15):
        got = tree(t)
        t.eq([[q['inside_pid'] for q in c['processes']] for c in got['children'] if c['init_pid'] == stay], [[1]], 'what stays is there')
        for c in got['children']:
            t.eq([q['pid'] for q in c['processes'] if q['inside_pid'] == 1][:1] or [c['init_pid']], [c['init_pid']], 'PID 1 is PID 1')
        if t.problems:
            break
    storm.kill()


@test
def usage(t):
    for args, word in ((['--json', '--dot'], 'one'), (['-p'], 'PID'), (['--bogus'], '--help'), (['1', '2'], '--help')):
        t.error(t.run([t.pidbox, 'tree', *args]), 'USAGE', has=word)
    t.error(t.run([t.pidbox, 'tree', 'nosuchbox']), 'NO_SUCH_BOX')
    r = t.good(t.run([t.pidbox, 'tree', '--help']))
    t.ok('usage: pidbox tree' in r.out and '--dot' in r.out, '--help')
