# SPDX-License-Identifier: MIT
"""pidbox ls: every PID namespace, whoever made it."""
from support import *

KEYS = '''name id pid_namespace parent depth init_pid process_count uid user started command pidbox status runtime container_id
    pod_uid cgroup'''.split()


def inode(kind, pid='self'):
    return os.stat(f'/proc/{pid}/ns/{kind}').st_ino


def ls(t, *args, **kw):
    r = t.good(t.run([t.pidbox, 'ls', '--json', *args], **kw))
    try:
        got = json.loads(r.out)
    except ValueError as e:
        t.fail(f'no JSON: {e}: {short(r.out)}')
    t.eq((r.out.count('\n'), r.out[-1:]), (1, '\n'), 'one document in one line')
    return got


def row(t, got, pid):
    rows = [b for b in got['boxes'] if b['init_pid'] == pid]
    if len(rows) != 1:
        t.fail(f'{len(rows)} rows with init_pid {pid}: {short(got)}')
    return rows[0]


def unshare(t, *script, **kw):
    """A namespace made by unshare; its init, which is a shell that waits for its input's end."""
    p = t.start(['unshare', *([] if t.mode == 'root' else ['-Ur']), '-fp', '--mount-proc', '--kill-child', *(script or ('sleep', '1000'))], **kw)
    kids = until(lambda: children(p.pid))
    if not kids or not until(lambda: not comm(kids[0]).startswith(('unshare ', '('))):
        t.fail(f'unshare does not work: {kids}')
    return kids[0]


@test
def own_namespace_alone(t):
    got = ls(t)
    t.eq(got['schema'], 1, 'schema')
    own = got['boxes'][0]
    t.eq(list(own), KEYS, 'keys, in their order')
    t.eq((own['pid_namespace'], own['parent'], own['depth'], own['init_pid'], own['name'], own['status']),
         (inode('pid'), None, 0, 1, None, 'running'), 'the own namespace is the first')
    t.ok(own['process_count'] >= 2, f'processes: {own["process_count"]}')
    t.eq(own['command'], open('/proc/1/cmdline').read().rstrip('\0').split('\0') if comm(1)[0] != '(' else own['command'], 'command of PID 1')
    t.eq([b['depth'] for b in got['boxes']], sorted(b['depth'] for b in got['boxes']), 'outermost first')


@test
def a_box(t):
    p = t.start_box('--', 'sh', '-c', 'sleep 1000 & echo up; wait; :', 'a b', '')
    p.out.line()
    init, command = t.init_of(p), t.command_of(p)
    until(lambda: len(children(command)) == 1)
    got = ls(t)
    b = row(t, got, init)
    t.eq((b['pid_namespace'], b['parent'], b['depth'], b['process_count'], b['pidbox'], b['status']),
         (inode('pid', init), inode('pid'), 1, 3, True, 'running'), 'the box')
    t.eq(b['command'], ['sh', '-c', 'sleep 1000 & echo up; wait; :', 'a b', ''], 'the command, not the init')
    t.eq(b['uid'], os.getuid(), 'uid')
    with open('/etc/passwd') as f:
        names = {int(x.split(':')[2]): x.split(':')[0] for x in f}
    t.eq(b['user'], names.get(os.getuid(), b['user']), 'user')
    age = time.time() - calendar.timegm(time.strptime(b['started'][:19], '%Y-%m-%dT%H:%M:%S'))
    t.ok(-2 < age < 20 and re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', b['started']), f'started {b["started"]}')
    t.ok(b['cgroup'] is None or b['cgroup'].startswith('/'), f'cgroup {b["cgroup"]}')
    if kernel() >= (6, 9):
        fd = os.pidfd_open(init)
        t.eq(b['id'], f'{init}:{os.fstat(fd).st_ino}', 'id')
        os.close(fd)
    p.terminate()
    t.finish(p)
    t.ok(not [x for x in ls(t)['boxes'] if x['id'] == b['id']], 'a box that has ended is not listed')


@test
def names(t):
    boxes = [t.start_box('--name', n, '--', 'sh', '-c', 'echo up; read x; :', stdin=subprocess.PIPE) for n in ('build', 'web-1.x')]
    boxes.append(t.start_box('--', 'sh', '-c', 'echo up; read x; :', stdin=subprocess.PIPE))
    for p in boxes:
        p.out.line()
    got = ls(t)
    inits = [t.init_of(p) for p in boxes]
    t.eq([row(t, got, i)['name'] for i in inits], ['build', 'web-1.x', None], 'names')
    quiet = t.good(t.run([t.pidbox, 'ls', '-q', '--own'])).out.split()
    t.ok('build' in quiet and 'web-1.x' in quiet and row(t, got, inits[2])['id'] in quiet, f'-q --own: {quiet}')
    t.ok(re.search(rf'^  build  .* {inits[0]} ', t.good(t.run([t.pidbox, 'ls'])).out, re.M), 'the table')
    for p in boxes:
        p.stdin.close()
        t.finish(p)
    t.ok('build' not in t.good(t.run([t.pidbox, 'ls', '-q'])).out.split(), 'no name is left')


@test
def ended_boxes(t):
    """With --all those whose record is kept."""
    t.good(t.box('-d', '--name', 'gone', '--', 'sh', '-c', 'exit 3', 'x\ty"z\\'), err=None)
    end = lambda: [b for b in ls(t, '--all')['boxes'] if b['name'] == 'gone' and b['status'] == 'ended']
    if not t.ok(until(end, 20), 'it is listed when it has ended'):
        return
    b = end()[0]
    t.eq((b['init_pid'], b['process_count'], b['pidbox'], b['uid'], b['depth'], b['command']),
         (None, 0, True, os.getuid(), 1, ['sh', '-c', 'exit 3', 'x\ty"z\\']), 'the row')
    age = time.time() - calendar.timegm(time.strptime(b['started'][:19], '%Y-%m-%dT%H:%M:%S'))
    t.ok(-2 < age < 60 and re.fullmatch(r'\d+[:@]\d+', b['id']), f'its id and start: {b}')
    t.ok('gone' in t.good(t.run([t.pidbox, 'ls', '-aq'])).out.split(), '-aq')
    t.eq([b for b in ls(t)['boxes'] if b['name'] == 'gone'], [], 'not without --all')
    folder, = os.listdir(t.env['PIDBOX_RUNTIME_DIR'])
    os.unlink(os.path.join(t.env['PIDBOX_RUNTIME_DIR'], folder, 'gone:exit'))


@test
def by_others(t):
    init = unshare(t)
    b = row(t, ls(t), init)
    t.eq((b['pid_namespace'], b['depth'], b['process_count'], b['pidbox'], b['command']),
         (inode('pid', init), 1, 1, False, ['sleep', '1000']), 'made by unshare')
    t.ok(b['id'] not in t.good(t.run([t.pidbox, 'ls', '-q', '--own'])).out.split(), '--own leaves it out')
    t.ok(b['id'] in t.good(t.run([t.pidbox, 'ls', '-q'])).out.split(), '-q has it')


@test
def by_bwrap(t):
    if not shutil.which('bwrap'):
        t.skip('bwrap is not installed')
    p = t.start(['bwrap', '--unshare-pid', '--dev-bind', '/', '/', '--proc', '/proc', '--', 'sh', '-c', 'echo up; read x'], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if Lines(p.stdout).line() != 'up':
        t.skip(f'bwrap does not work here: {p.stderr.read()}')
    kids = [k for k in descendants(p.pid) if ns('pid', k[0]) != ns('pid')]
    found = [b for b in ls(t)['boxes'] if b['pid_namespace'] == inode('pid', kids[0][0])]
    t.eq([(b['depth'], b['process_count'], b['pidbox']) for b in found], [(1, len(kids), False)], 'made by bwrap')


@test(limit=60)
def three_deep(t):
    """Boxes in boxes in boxes: seen from outside and from each."""
    script = f'readlink /proc/self/ns/pid; exec {t.pidbox} run -- '
    p = t.start_box('--', 'sh', '-c', script + f'sh -c "{script} sh -c \'readlink /proc/self/ns/pid; read x; {t.pidbox} ls --json; read x; :\'"',
                    stdin=subprocess.PIPE)
    inodes = [int(re.search(r'\d+', p.out.line(20)).group()) for _ in range(3)]
    # The innermost shell has ended the reader of its link when it waits for input.
    until(lambda: [b['process_count'] for b in ls(t)['boxes'] if b['pid_namespace'] == inodes[2]] == [2])
    boxes = {b['pid_namespace']: b for b in ls(t)['boxes']}
    own = inode('pid')
    t.eq([(boxes[i]['depth'], boxes[i]['parent']) for i in inodes], [(1, own), (2, inodes[0]), (3, inodes[1])], 'nesting')
    t.eq([boxes[i]['pidbox'] for i in inodes], [True] * 3, 'pidbox')
    t.eq([boxes[i]['process_count'] for i in inodes], [2, 2, 2], 'processes of each alone')
    p.stdin.write(b'\n')
    inside = json.loads(p.out.line(20))
    t.eq([(b['pid_namespace'], b['depth'], b['init_pid'], b['parent'], b['process_count']) for b in inside['boxes']],
         [(inodes[2], 0, 1, None, 3)], 'from inside the innermost: itself alone')
    p.stdin.write(b'\n')
    t.eq(t.finish(p), 0, 'its end')


@test(limit=60)
def churn(t):
    """Boxes and processes that come and go while it looks: no row is a mixture, none of what stays is missed."""
    stay = unshare(t)
    storm = [t.start(['sh', '-c', 'while :; do unshare ' + ('-Ur ' if t.mode != 'root' else '') + '-fp sh -c ":; :" & : & wait; done']) for _ in range(2)]
    seen = 0
    for _ in range(30):
        got = ls(t)
        ids = [b['id'] for b in got['boxes']]
        t.eq(len(set(ids)), len(ids), 'no id twice')
        t.eq([b['process_count'] for b in got['boxes'] if b['init_pid'] == stay], [1], 'what stays is there, with one process')
        for b in got['boxes'][1:]:
            t.ok(b['init_pid'] and b['id'].startswith(f'{b["init_pid"]}:') or b['id'].startswith(f'{b["init_pid"]}@'), f'a row without a PID 1: {b}')
            t.ok(b['command'] is None or b['command'][0] in ('sh', 'sleep', 'unshare', ':') or b['init_pid'] != stay and b['pid_namespace'] != inode('pid', stay),
                 f'somebody else\'s command: {b}')
            seen += b['init_pid'] != stay
        if t.problems:
            break
    for p in storm:
        p.kill()
    t.ok(seen > 0, 'no box of the storm was ever seen')


@test
def hostile_names(t):
    evil = 'a\x1b[31mb\nc\x07\x9b2J\u202eevil\xad \udcff\udcfe \u6f22\u5b57'
    init = unshare(t, 'sh', '-c', 'read x', evil, stdin=subprocess.PIPE)
    want = os.fsencode(evil).decode('utf-8', 'replace')
    t.eq(row(t, ls(t), init)['command'][-1], want, 'JSON: all of it, U+FFFD for what is no UTF-8')
    r = t.good(t.run([t.pidbox, 'ls']))
    line = [x for x in r.out.splitlines() if f' {init} ' in x][0]
    t.ok(line.endswith('a?[31mb?c??2J?evil? ?? \u6f22\u5b57'), f'the table: {line!r}')
    t.ok(not re.search('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]', r.out), 'nothing that a terminal obeys')


def on_terminal(t, *args, cols=80, **env):
    """pidbox ls on a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, cols, 0, 0))
    e = dict(t.env, TERM='xterm', LC_ALL='C.UTF-8')
    e.pop('NO_COLOR', None)
    e.update(env)
    p = t.start([t.pidbox, 'ls', *args], stdout=slave, env=e)
    os.close(slave)
    out = Lines(master).rest(20)
    t.eq(t.finish(p), 0, 'status')
    os.close(master)
    return out.replace('\r\n', '\n')


@test
def terminal(t):
    init = unshare(t, 'sh', '-c', 'sleep 1000; : ' + 'x\u6f22' * 100)
    out = on_terminal(t)
    t.ok('\x1b[1mNAME' in out and '\x1b[0m' in out, 'colours')
    lines = [re.sub(r'\x1b\[\d*m', '', x) for x in out.splitlines()]
    mine = [x for x in lines if f' {init} ' in x][0]
    t.ok(mine.startswith(('├─ -', '└─ -')), f'box drawing: {mine!r}')
    t.ok(mine.endswith('…'), f'cut: {mine!r}')
    t.ok(all(len(x) + len(re.findall('\u6f22', x)) <= 80 for x in lines), f'fits: {lines}')
    t.ok('\x1b' not in on_terminal(t, NO_COLOR='1'), 'NO_COLOR')
    dumb = on_terminal(t, TERM='dumb')
    t.ok(dumb.isascii() and '\x1b' not in dumb, f'TERM=dumb: {dumb!r}')
    ascii_only = on_terminal(t, LC_ALL='C')
    t.ok(ascii_only.isascii() and ('|- -' in ascii_only or '`- -' in ascii_only) and '~' in ascii_only, f'a locale without UTF-8: {ascii_only!r}')
    wide = on_terminal(t, cols=1000)
    t.ok('\u6f22' * 2 not in wide and 'x\u6f22' * 100 in wide, 'all of it where there is room')
    r = t.good(t.run([t.pidbox, 'ls']))
    t.ok('x\u6f22' * 100 in r.out and '\x1b' not in r.out and '─' not in r.out, 'a pipe: plain, and not cut')


@test(modes='user,userns', limit=60)
def processes_of_others(t):
    """What may not be looked at: its depth is seen all the same, where /proc shows the numbers."""
    got = {}
    # One that root has entered a box with is nobody's child there: it is not placed as long as another test has it.
    t.ok(until(lambda: not got.update(ls(t)) and got['unseen'] == 0, 40),
         f'all are placed here, /proc is not mounted with hidepid: {got["unseen"]} are not')
    t.ok(got['boxes'][0]['process_count'] > 1, 'root\'s processes are counted')


CLONE_NEWPID, CLONE_NEWUSER = 0x20000000, 0x10000000


def holder(t):
    """A process whose children are to begin in a PID namespace whose only process has ended. (its PID, the inode number)"""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.close(r)
            if t.mode != 'root' and libc.unshare(CLONE_NEWUSER) or libc.unshare(CLONE_NEWPID):
                os._exit(1)
            go, end = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(end)
                os.read(go, 1)
                os._exit(0)
            n = inode('pid', child)
            os.close(end)
            os.waitpid(child, 0)
            os.write(w, str(n).encode())
            while True:
                signal.pause()
        os._exit(2)
    os.close(w)
    t.cleanups.append(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))
    n = os.read(r, 64)
    os.close(r)
    if not n:
        t.fail('no namespace could be made')
    return pid, int(n)


def check_held(t, pid, n):
    t.eq([b for b in ls(t)['boxes'] if b['pid_namespace'] == n], [], 'without --all')
    b = [b for b in ls(t, '--all')['boxes'] if b['pid_namespace'] == n]
    t.eq([(x['status'], x.get('held_by'), x['init_pid'], x['process_count'], x['depth'], x['parent'], x['id'], x['pidbox']) for x in b],
         [('empty', pid, None, 0, 1, inode('pid'), None, False)], 'with --all')
    t.ok(f'(empty, held by process {pid})' in t.good(t.run([t.pidbox, 'ls', '-a'])).out, 'the table')
    t.ok(f'ns:{n}' in t.good(t.run([t.pidbox, 'ls', '-aq'])).out.split(), '-q')


@test
def held_for_children(t):
    check_held(t, *holder(t))


@test
def held_by_a_descriptor(t):
    init = unshare(t)
    fd = os.open(f'/proc/{init}/ns/pid', os.O_RDONLY)
    t.live[-1].kill()
    t.live[-1].wait()
    # It is this process's to reap, as nearest subreaper.
    t.ok(until(lambda: (t.left(), not os.path.exists(f'/proc/{init}'))[1]), 'the init has ended')
    check_held(t, os.getpid(), os.fstat(fd).st_ino)
    os.close(fd)


@test(modes='root')
def held_by_a_mount(t):
    place = t.write('place', '')
    t.good(t.run(['unshare', f'--pid={place}', '-f', 'true']))
    try:
        n = os.stat(place).st_ino
        b = [b for b in ls(t, '--all')['boxes'] if b['pid_namespace'] == n]
        t.eq([(x['status'], x['held_by'], x['depth']) for x in b], [('empty', None, 1)], 'a mount')
    finally:
        t.good(t.run(['umount', place]))


@test
def from_a_kept_proc(t):
    """A /proc of the outer namespace would show wrong numbers: either one of our own, or an error."""
    r = t.box('--proc', 'keep', '--', t.pidbox, 'ls', '--json')
    if r.code == 125:
        t.error(r, has='/proc')
        return
    t.good(r)
    t.eq([b['init_pid'] for b in json.loads(r.out)['boxes']], [1], 'our own numbers')


@test
def usage(t):
    for args, word in ((['-t'], 'PID'), (['--bogus'], '--help'), (['x'], '--help'), (['-q', '--json'], 'one'), (['--own=1'], '--help'),
                       (['--type=pid'], 'PID'), (['-J'], '--json'), (['--output', 'x'], '--json'), (['-qx'], '--help')):
        t.error(t.run([t.pidbox, 'ls', *args]), 'USAGE', has=word)
    r = t.good(t.run([t.pidbox, 'ls', '--help']), err='')
    for word in ('usage: pidbox ls', '--quiet', '--own', '--all', '--json', 'pidbox-ls(1)'):
        t.ok(word in r.out, f'--help has {word}')
    t.eq(t.run([t.pidbox, 'ls', '-h']).out, r.out, '-h')
    t.eq(t.run([t.pidbox, 'help', 'ls']).out, r.out, 'help ls')
    with open('/dev/full', 'w') as full:
        t.error(t.run([t.pidbox, 'ls'], stdout=full), out=None)
