# SPDX-License-Identifier: MIT
"""pidbox ps: the processes of a box. What they are is taken from /proc by the test itself (proc(5))."""
from support import *


def ps(t, *args):
    r = t.good(t.run([t.pidbox, 'ps', '--json', *args]), err=None)
    t.ok(re.fullmatch(r'(pidbox: \d+ processes of other users could not be looked at.*\n)?', r.err), f'standard error: {r.err!r}')
    return json.loads(r.out)['processes']


def facts(pid):
    """What proc(5) says of a process."""
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    status = dict(line.split(':', 1) for line in open(f'/proc/{pid}/status').read().splitlines())
    return dict(state=fields[0], threads=int(fields[17]), uid=int(status['Uid'].split()[1]),
                inside=[int(n) for n in status['NSpid'].split()],
                command=open(f'/proc/{pid}/cmdline').read().rstrip('\0').split('\0'))


@test
def rows_are_true(t):
    p = t.start_box('--', 'sh', '-c', 'sleep 981 & sleep 982 & wait')
    until(lambda: {'sleep 981', 'sleep 982'} <= {comm(k) for k, _ in descendants(p.pid)})
    rows = ps(t, str(p.pid))
    t.eq(sorted(r['pid'] for r in rows), sorted(k for k, _ in descendants(p.pid)), 'all of the box, and nothing else')
    for r in rows:
        f = facts(r['pid'])
        t.eq((r['inside_pid'], r['uid'], r['threads'], r['command']), (f['inside'][-1], f['uid'], f['threads'], f['command']),
             f'PID {r["pid"]}')
    t.eq([(r['inside_pid'], r['parent_inside_pid']) for r in rows], [(1, 0), (2, 1), (3, 2), (4, 2)], 'by inside_pid, with parents')
    began = calendar.timegm(time.strptime(rows[1]['started'][:19], '%Y-%m-%dT%H:%M:%S'))
    t.ok(abs(time.time() - began) < 30, f'started {rows[1]["started"]}')
    for address in (str(t.init_of(p)), str(rows[3]['pid'])):
        t.eq([r['pid'] for r in ps(t, address)], [r['pid'] for r in rows], f'the same box by {address}')


@test
def for_people(t):
    p = t.start_box('--', 'sh', '-c', 'exec sleep 981')
    until(lambda: comm(t.command_of(p)) == 'sleep 981')
    lines = t.good(t.run([t.pidbox, 'ps', str(p.pid)])).out.splitlines()
    t.eq(lines[0].split(), ['PID', 'OUTSIDE', 'PARENT', 'USER', 'S', 'THREADS', 'MEMORY', 'CPU', 'START', 'COMMAND'], 'heading')
    t.ok(lines[1].endswith('pidbox-init') and lines[2].endswith('sleep 981'), f'rows: {lines[1:]}')
    t.eq(lines[2].split()[:3], ['2', str(t.command_of(p)), '1'], 'PIDs inside, outside, parent')


@test
def own_namespace(t):
    """Without BOX: the caller's own PID namespace, in which the numbers are the same."""
    r = t.box('--', t.pidbox, 'ps', '--json')
    rows = json.loads(t.good(r).out)['processes']
    t.eq([(r['pid'], r['inside_pid'], r['command'][0]) for r in rows], [(1, 1, 'pidbox-init'), (2, 2, t.pidbox)], 'inside a box')


@test
def nested_boxes_are_in_it(t):
    p = t.start_box('--', t.pidbox, 'run', '--', 'sleep', '981')
    sleeper = until(lambda: next((k for k, _ in descendants(p.pid) if comm(k) == 'sleep 981'), 0), 10)
    rows = ps(t, str(t.init_of(p)))
    t.eq([(r['inside_pid'], r['command'][-1]) for r in rows], [(1, 'pidbox-init'), (2, '981'), (3, 'pidbox-init'), (4, '981')],
         'the outer box shows all four, by its own numbers')
    t.eq([(r['inside_pid'], r['pid']) for r in ps(t, str(sleeper))][1:], [(2, sleeper)], 'the inner box by its own')
    os.kill(sleeper, signal.SIGKILL)  # each front in its turn then takes its entry away
    t.finish(p)


@each({'unshare': ['unshare', '-Urfp', '--mount-proc', '--kill-child'], 'without a /proc': ['unshare', '-Urfp', '--kill-child'],
       'bwrap': ['bwrap', '--dev-bind', '/', '/', '--proc', '/proc', '--unshare-pid', '--unshare-user', '--die-with-parent']})
def of_other_tools(t, argv):
    p = t.start([*argv, 'sh', '-c', 'sleep 981 & sleep 982; wait'], stderr=subprocess.DEVNULL)
    if not until(lambda: [k for k, _ in descendants(p.pid) if comm(k) == 'sleep 982'], 10):
        t.skip(f'{argv[0]} makes no box here')
    inside = [k for k, _ in descendants(p.pid) if len(facts(k)['inside']) > len(facts(os.getpid())['inside'])]
    rows = ps(t, str(inside[-1]))
    t.eq(sorted(r['pid'] for r in rows), sorted(inside), 'all of it')
    t.eq([r['inside_pid'] for r in rows], sorted(facts(k)['inside'][-1] for k in inside), 'numbers inside')


@test
def hides_its_proc(t):
    """A box that hides processes from its own /proc hides them from nobody outside."""
    p = t.start_box('--proc-hidepid', 'invisible', '--', 'sleep', '981')
    until(lambda: comm(t.command_of(p)) == 'sleep 981')
    t.eq([r['inside_pid'] for r in ps(t, str(p.pid))], [1, 2], 'hidepid')
    q = t.start_box('--unshare', 'user', '--map', 'root', '--', 'sh', '-c', 'mount -t tmpfs none /proc && exec sleep 981')
    if until(lambda: comm(t.command_of(q)) == 'sleep 981', 5):
        t.eq([r['inside_pid'] for r in ps(t, str(q.pid))], [1, 2], 'something else mounted over it')


@test
def without_a_procfs_of_our_making(t):
    """Where the kernel makes none, the box's own is read, or all that we see: the same rows."""
    p = t.start_box('--', 'sh', '-c', 'sleep 981 & sleep 982; wait')
    until(lambda: {'sleep 981', 'sleep 982'} <= {comm(k) for k, _ in descendants(p.pid)})
    for denied, error in ('fsopen', errno.ENOSYS), ('fsopen,openat2', errno.ENOSYS), ('fsopen,pidns', errno.ENOTTY):
        with t.case(denied):
            rows = json.loads(t.good(t.run(['deny', str(error), denied, '--', t.pidbox, 'ps', '--json', str(p.pid)]), err=None).out)['processes']
            t.eq(sorted(r['pid'] for r in rows), sorted(k for k, _ in descendants(p.pid)), 'all of the box')
    q = t.start_box('--proc-hidepid', 'invisible', '--', 'sleep', '983')
    until(lambda: comm(t.command_of(q)) == 'sleep 983')
    rows = json.loads(t.good(t.run(['deny', 'ENOSYS', 'fsopen', '--', t.pidbox, 'ps', '--json', str(q.pid)]), err=None).out)['processes']
    t.eq([r['inside_pid'] for r in rows], [1, 2], 'hidepid')
NO_PROC_OF_OURS = ['ENOSYS', 'fsopen'], ['ENOSYS', 'fsopen,openat2']  # before Linux 6.18 there is none of another namespace


@test(limit=60)
def a_proc_that_is_not_whole(t):
    """The box's own procfs is only believed when it is that, and all of it."""
    p = t.start_box('--unshare', 'user', '--map', 'root', '--', 'sh', '-c', 'mount --bind /proc/1/task /proc && echo up; exec sleep 981')
    if p.out.line() != 'up':
        t.skip('no mount in a box here')
    until(lambda: comm(t.command_of(p)) == 'sleep 981')
    for how in NO_PROC_OF_OURS:
        r = t.good(t.run([t.helper('deny'), *how, '--', t.pidbox, 'ps', '--json', str(p.pid)]), err=None)  # others', where we cannot look
        t.eq([row['inside_pid'] for row in json.loads(r.out)['processes']], [1, 2], f'a part of it, {how}')


@test(limit=60)
def a_proc_that_hangs(t):
    """A file system that answers nothing, where the box's procfs is looked for, hinders nobody outside."""
    p = t.start_box('--unshare', 'user', '--map', 'root', '--', t.helper('hungfs'), '/proc')
    if p.out.line() != 'up':
        t.skip('no FUSE in a box here')
    for how in NO_PROC_OF_OURS:
        r = t.good(t.run([t.helper('deny'), *how, '--', t.pidbox, 'ps', '--json', str(p.pid)], timeout=15), err=None)
        t.eq([row['inside_pid'] for row in json.loads(r.out)['processes']], [1, 2], f'{how}')
    for verb in ['ps'], ['tree'], ['ls', '--all'], ['pid'], ['exec']:
        of = [] if verb[0] == 'ls' else [str(p.pid)]
        r = t.run([t.pidbox, *verb, *of, *(['--', '/bin/true'] if verb == ['exec'] else [])], timeout=15)
        t.eq(r.code, 0, f'{verb}: {r.err}')
    t.good(t.run([t.pidbox, 'kill', '--grace', '0', str(p.pid)]))
    t.eq(t.finish(p), -9, 'status')


@test
def hostile_names(t):
    """No byte of a command line does anything to a terminal."""
    name = b'\x1b[31mred\x07\r\n\xe2\x80\xaeback\xff'
    p = t.start_box('--', 'sh', '-c', 'exec sleep 981 2>/dev/null || exec sleep 981')
    q = t.start_box('--', 'bash', '-c', 'exec -a "$0" sleep 981', name)
    until(lambda: comm(t.command_of(q)).endswith('981'))
    out = t.run([t.pidbox, 'ps', str(q.pid)]).out
    t.ok(not re.search('[\x00-\x09\x0b-\x1f\x7f\u202e]', out) and len(out.splitlines()) == 3, f'harmless: {out!r}')
    t.ok('?[31mred???' in out, f'and still to be known: {out!r}')
    row = ps(t, str(q.pid))[1]
    t.eq(row['command'], ['\x1b[31mred\x07\r\n\u202eback\ufffd', '981'], 'JSON has it as it is')
    t.ok(p.poll() is None, 'the other box')


@test(limit=60)
def churn(t):
    """Processes come and go while it reads: each row is true, none is twice."""
    p = t.start_box('--', 'sh', '-c', 'while :; do /bin/true & /bin/true; done')
    until(lambda: t.command_of(p))
    for _ in range(40):
        rows = ps(t, str(p.pid))
        t.ok({1, 2} <= {r['inside_pid'] for r in rows}, 'those that stay are there')
        t.eq(len({r['pid'] for r in rows}), len(rows), 'no PID twice')
        t.eq(len({r['inside_pid'] for r in rows}), len(rows), 'no PID inside twice')
        t.ok(all(r['command'][0] in ('pidbox-init', 'sh', '/bin/true', '[sh]', '[true]') for r in rows),
             f'nothing that is not of the box: {[r["command"] for r in rows]}')


@test
def errors(t):
    t.error(t.run([t.pidbox, 'ps', '4194304']), 'NO_SUCH_BOX')
    t.error(t.run([t.pidbox, 'ps', '?']), 'USAGE')
    t.error(t.run([t.pidbox, 'ps', '1', '2']), 'USAGE')
    t.error(t.run([t.pidbox, 'ps', '-ef']), 'USAGE', has='all of the box')
