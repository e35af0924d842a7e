# SPDX-License-Identifier: MIT
"""The story that the README tells of boxes from outside: two boxes, seen, entered, translated, ended; then the same
against a namespace of another tool. Written from the contract."""
from support import *


def verb(t, *args, **kw):
    return t.run([t.pidbox, *args], **kw)


def json_of(t, *args):
    return json.loads(t.good(verb(t, *args), err=None).out)  # others' processes are counted on standard error


def by_name(t, name):
    return next((b for b in json_of(t, 'ls', '--json')['boxes'] if b['name'] == name), None)


def foreign(t, argv):
    """A box of another tool that runs `sleep 987`: the outer PID of that, and the tool."""
    p = t.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    def sleeper():
        return next((k for k, _ in descendants(p.pid) if comm(k) == 'sleep 987'), 0)
    pid = until(sleeper, 10)
    if not pid:
        t.skip(f'{argv[0]} makes no box here')
    return pid, p


FOREIGN = {
    'unshare': lambda t: ['unshare', *([] if t.mode == 'root' else ['-Ur']), '-fp', '--mount-proc', '--kill-child', 'sleep', '987'],
    'bwrap': lambda t: ['bwrap', '--dev-bind', '/', '/', '--proc', '/proc', '--unshare-pid', '--unshare-user', '--die-with-parent',
                        'sleep', '987'],
}


@test(limit=60)
def two_boxes(t):
    name = t.good(verb(t, 'run', '-d', '--name', 'web', '--', 'sh', '-c', 'sleep 987 & exec sleep 986')).out
    t.eq(name, 'web\n', '-d prints the name alone')
    second = t.good(verb(t, 'run', '-d', '--', 'sleep', '985')).out.strip()
    t.ok(re.fullmatch(r'[A-Za-z][A-Za-z0-9_.-]{0,63}', second), f'a name is made up: {second!r}')

    with t.case('ls'):
        boxes = json_of(t, 'ls', '--json')['boxes']
        t.eq(boxes[0]['depth'], 0, 'outermost first: our own namespace')
        own = os.stat('/proc/self/ns/pid').st_ino
        t.eq(boxes[0]['pid_namespace'], own, 'our own namespace')
        web = next(b for b in boxes if b['name'] == 'web')
        t.eq((web['parent'], web['depth'], web['process_count'], web['pidbox'], web['status'], web['uid']),
             (own, 1, 3, True, 'running', os.getuid()), 'web')
        t.eq(web['command'], ['sleep', '986'], 'what runs as its command')
        t.eq(os.stat(f'/proc/{web["init_pid"]}/ns/pid').st_ino, web['pid_namespace'], 'its init and its namespace')
        t.eq(web['id'].split(':')[0].split('@')[0], str(web['init_pid']), 'id')
        t.ok(second in [b['name'] for b in boxes], 'the other one is there')
        listed = t.good(verb(t, 'ls'), err=None).out
        t.ok('web' in listed and second in listed, f'ls for people: {listed!r}')
        t.ok({'web', second} <= set(t.good(verb(t, 'ls', '-q', '--own'), err=None).out.split()), 'ls -q --own')

    with t.case('ps'):
        rows = json_of(t, 'ps', '--json', 'web')['processes']
        t.eq([r['inside_pid'] for r in rows], sorted(r['inside_pid'] for r in rows), 'by inside_pid')
        t.eq([(r['inside_pid'], r['parent_inside_pid'], r['command']) for r in rows if r['inside_pid'] != 1],
             [(2, 1, ['sleep', '986']), (3, 2, ['sleep', '987'])], 'who is inside')
        for r in rows:
            t.eq(comm(r['pid']).split()[-1:], r['command'][-1:], f'PID {r["pid"]} outside is {r["inside_pid"]} inside')
        text = t.good(verb(t, 'ps', 'web')).out
        t.ok('sleep 986' in text and 'sleep 987' in text and 'sleep 985' not in text, f'ps for people: {text!r}')

    with t.case('tree'):
        tree = json_of(t, 'tree', '--json', 'web')
        t.eq(tree['id'], by_name(t, 'web')['id'], 'the tree of web')
        t.eq([r['inside_pid'] for r in tree['processes']], [1, 2, 3], 'its processes')
        t.ok(t.good(verb(t, 'tree', '--dot', 'web'), err=None).out.lstrip().startswith('digraph'), 'a graph for graphviz')
        t.ok('sleep 987' in t.good(verb(t, 'tree', 'web'), err=None).out, 'tree for people')

    with t.case('pid'):
        inner = next(r for r in json_of(t, 'ps', '--json', 'web')['processes'] if r['inside_pid'] == 3)
        t.good(verb(t, 'pid', 'web/3', '--to', 'web'), out='3\n')
        levels = json_of(t, 'pid', '--json', 'web/3')['levels']
        t.eq([lv['pid'] for lv in levels], [inner['pid'], 3], 'outermost first')
        t.good(verb(t, 'pid', '--to', 'web', str(inner['pid'])), out='3\n')
        r = verb(t, 'pid', '--to', 'web', '-', input=f'{inner["pid"]}\n4194303\nweb/2\n')
        t.eq((r.code, r.out), (1, '3\ngone\n2\n'), 'a batch, in order; one was gone')

    with t.case('exec'):
        t.good(verb(t, 'exec', 'web', '--', 'sh', '-c', 'echo $PPID; exit 7'), code=7, out='1\n')
        t.good(verb(t, 'exec', 'web', 'cat', input='through\n'), out='through\n')
        t.good(verb(t, 'exec', '-e', 'A=b c', '-C', '/', 'web', 'sh', '-c', 'echo "$A"; pwd'), out='b c\n/\n')
        r = verb(t, 'exec', '--timeout', slow('300ms'), 'web', 'sleep', '984')
        t.eq(r.code, 124, 'its time limit')
        t.eq([r['command'] for r in json_of(t, 'ps', '--json', 'web')['processes'] if r['command'] == ['sleep', '984']], [],
             'and nothing of it is left')
        t.ok(by_name(t, 'web'), 'but the box goes on')
        t.error(verb(t, 'exec', 'web', 'no-such-command'), 'NOT_FOUND', 127)
        t.error(verb(t, 'exec', 'nobody', 'true'), 'NO_SUCH_BOX')

    with t.case('kill and wait'):
        waiter = t.start([t.pidbox, 'wait', 'web'], stderr=subprocess.PIPE)
        t.good(verb(t, 'kill', 'web/3'))
        t.ok(until(lambda: [r['state'] for r in json_of(t, 'ps', '--json', 'web')['processes'] if r['inside_pid'] == 3] in ([], ['Z'])),
             'one process inside has ended; its parent does not wait for it')
        init = by_name(t, 'web')['init_pid']
        t.good(verb(t, 'kill', 'web', second))
        t.ok(comm(init) in ('(gone)', '(no arguments)'), 'its init has ended when kill returns')
        t.eq(t.finish(waiter), -15, 'wait dies of the signal that the command died of')
        t.eq(verb(t, 'wait', second).code, -15, 'from the kept record')
        record = json.loads(verb(t, 'wait', '--json', second).out)
        t.eq((record['reason'], record['signal'], record['name'], record['ended_by']['uid']), ('killed', 'SIGTERM', second, os.getuid()),
             'the record says who wanted it')
        t.eq(verb(t, 'kill', 'web').code, 1, 'gone already')
        t.ok('web' not in t.good(verb(t, 'ls', '-q'), err=None).out.split(), 'ended boxes are not listed')
        ended = [b for b in json_of(t, 'ls', '--json', '--all')['boxes'] if b['name'] == 'web']
        t.eq([b['status'] for b in ended], ['ended'], '... but with --all')
    t.forget_records()


@each(FOREIGN, limit=60)
def of_another_tool(t, argv):
    pid, tool = foreign(t, argv(t))
    box = next(b for b in json_of(t, 'ls', '--json')['boxes'] if b['pid_namespace'] == os.stat(f'/proc/{pid}/ns/pid').st_ino)
    t.eq((box['pidbox'], box['name'], box['depth']), (False, None, 1), 'not one of ours')
    inside = json_of(t, 'pid', '--json', str(pid))['levels'][-1]['pid']
    t.good(verb(t, 'pid', '--to', box['id'], str(pid)), out=f'{inside}\n')
    rows = {r['inside_pid']: r for r in json_of(t, 'ps', '--json', box['id'])['processes']}
    t.eq((rows[inside]['pid'], rows[inside]['command']), (pid, ['sleep', '987']), 'ps of it')
    r = t.good(verb(t, 'exec', box['id'], 'sh', '-c', 'readlink /proc/self/ns/pid; ps -e | grep -c sleep'), err=None)
    t.eq(r.out, f'pid:[{box["pid_namespace"]}]\n1\n', 'exec goes in, with its /proc')
    t.good(verb(t, 'exec', f'ns:{box["pid_namespace"]}', 'true'), err=None)
    t.error(verb(t, 'kill', '1'), 'OWN_NAMESPACE')
    waiter = t.start([t.pidbox, 'wait', box['id']], stderr=subprocess.PIPE)
    until(lambda: comm(waiter.pid).startswith(t.pidbox))
    t.good(verb(t, 'kill', '--grace', '0', box['id']), err=None)
    t.ok(not os.path.exists(f'/proc/{box["init_pid"]}') or comm(box['init_pid']) == '(no arguments)', 'it has ended')
    tool.wait(10)
    t.ok(t.finish(waiter) in (-9, 125), 'its status, or that nobody knows it')
    t.error(verb(t, 'ps', box['id']), 'NO_SUCH_BOX')


@test(limit=60)
def three_deep(t):
    """Boxes in boxes: every one is listed, translated, entered and ended from the outermost."""
    inner = f'{t.pidbox} run --name c -- sleep 987'
    p = t.start_box('--name', 'a', '--', t.pidbox, 'run', '--name', 'b', '--', 'sh', '-c', f'{inner}; exit 3')
    pid = until(lambda: next((k for k, _ in descendants(p.pid) if comm(k) == 'sleep 987'), 0), 10)
    levels = json_of(t, 'pid', '--json', str(pid))['levels']
    t.eq([lv['pid'] for lv in levels[:1] + levels[3:]], [pid, 2], 'outermost and innermost of four')
    t.eq(len(levels), 4, 'one number a level')
    boxes = {b['pid_namespace']: b for b in json_of(t, 'ls', '--json')['boxes']}
    t.eq([boxes[lv['pid_namespace']]['depth'] for lv in levels], [0, 1, 2, 3], 'depths')
    deepest = boxes[levels[3]['pid_namespace']]
    t.eq((deepest['parent'], deepest['process_count']), (levels[2]['pid_namespace'], 2), 'the innermost box')
    t.good(verb(t, 'exec', deepest['id'], 'readlink', '/proc/self/ns/pid'), out=f'pid:[{levels[3]["pid_namespace"]}]\n', err=None)
    t.good(verb(t, 'exec', 'a', t.pidbox, 'exec', 'b', t.pidbox, 'exec', 'c', 'sh', '-c', 'echo $PPID'), out='1\n')
    outside = verb(t, 'exec', 'a', t.pidbox, 'kill', 'a')
    t.error(outside, ('NO_SUCH_BOX', 'OWN_NAMESPACE'), status=outside.code)
    t.ok(outside.code in (1, 125), 'from inside nobody ends the box that he is in')
    t.good(verb(t, 'kill', deepest['id']), err=None)
    t.eq(t.finish(p), 3, 'the others end as they do')
