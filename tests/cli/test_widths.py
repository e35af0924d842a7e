# SPDX-License-Identifier: MIT
"""What ls, ps and tree print fits the terminal, however narrow: cut with an ellipsis, numbers whole or not at all."""
from support import *
import test_ls

LONG = 'n' * 64
WIDE = 'x\u6f22' * 100


def columns(line):
    return sum(0 if 0x300 <= ord(c) <= 0x36f else 2 if '\u3041' <= c <= '\ua4cf' else 1 for c in line)


def on_terminal(t, *args, cols, **env):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, cols, 0, 0))
    p = t.start([t.pidbox, *args], stdout=slave, env={**t.env, 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8', **env})
    os.close(slave)
    out = Lines(master).rest(20)
    t.eq(t.finish(p), 0, 'status')
    os.close(master)
    return re.sub('\x1b\\[\\d*m', '', out.replace('\r\n', '\n')).splitlines()


def world(t):
    """A box of a long name and another in it; one of a long command. (the PID to ask for, the PIDs inside and outside)"""
    p = t.start_box('--name', LONG, '--', t.pidbox, 'run', '--', 'sh', '-c', 'echo up; read x; :', WIDE, stdin=subprocess.PIPE)
    t.eq(p.out.line(20), 'up', 'the boxes')
    return p


def whole(lines, heading, numbers):
    """The cells of a column of numbers are whole ones: right-aligned below its title."""
    at = lines[0].find(heading)
    if at < 0:
        return True
    return all(re.fullmatch(r' *(\d+|-)', x[:at + len(heading)].split('  ')[-1]) and (x[:at + len(heading)].split() or ['-'])[-1] in numbers
               for x in lines[1:])


@test(limit=120)
def ls_fits(t):
    p = world(t)
    t.good(t.box('-d', '--name', 'e' * 64, '--', 'true'), err=None)
    t.cleanups.append(lambda: shutil.rmtree(t.env['PIDBOX_RUNTIME_DIR'], ignore_errors=True))
    until(lambda: [b for b in test_ls.ls(t, '-a')['boxes'] if b['status'] == 'ended' and b['name'] == 'e' * 64], 20)
    inits = [b['init_pid'] for b in test_ls.ls(t)['boxes'] if b['init_pid'] in {k for k, _ in descendants(p.pid)}]
    ids = {b['init_pid']: b['id'] for b in test_ls.ls(t)['boxes']}
    t.eq(len(inits), 2, 'boxes')
    for width in t.share(range(20, 201)):
        lines = on_terminal(t, 'ls', *(['-a'] if width % 4 == 0 else []), cols=width)
        with t.case(width):
            t.ok(all(columns(x) <= width for x in lines), f'fits: {[x for x in lines if columns(x) > width]}')
            for i in inits:
                line = [x for x in lines if re.search(rf'(^| ){i} ', x)]
                t.ok(len(line) == 1, f'PID {i} is whole: {lines}')
                cells = [x for x in line[0].split() if re.fullmatch(r'\d+[:@]\d+.?', x)] if line else []
                t.ok(cells in ([], [ids[i]]), f'so is the id: {cells}')
            titles = lines[0].split()
            if width >= 40:
                t.ok({'NAME', 'PID', 'COMMAND'} <= set(titles), f'titles: {titles}')
                t.ok(any('nnnn' in x and '…' in x for x in lines), f'the name is there, cut: {lines}')
            if width == 200:
                t.eq(titles, ['NAME', 'ID', 'DEPTH', 'PID', 'PROCESSES', 'USER', 'AGE', 'CONTAINER', 'COMMAND'], 'all of them')
        if t.problems:
            break
    p.kill()


@each({'ps': ('ps', 'PID'), 'tree': ('tree', 'INSIDE')}, limit=120)
def a_box_fits(t, verb, first):
    p = world(t)
    inside = {str(q['inside_pid']): str(q['pid']) for q in json.loads(t.good(t.run([t.pidbox, 'ps', '--json', LONG]), err=None).out)['processes']}
    t.ok(len(inside) >= 4, f'processes: {inside}')
    numbers = {*inside, *inside.values(), '0'}
    for width in t.share(range(20, 201)):
        lines = on_terminal(t, verb, LONG, cols=width)
        with t.case(width):
            t.ok(all(columns(x) <= width for x in lines), f'fits: {[x for x in lines if columns(x) > width]}')
            t.eq(len(lines), 1 + len(inside), 'rows')
            for title in first, 'OUTSIDE', 'PARENT':
                t.ok(whole(lines, title, numbers), f'{title} is whole: {lines}')
            t.ok(lines[0].split()[0] == first, f'{first} is there')
            if width >= 40:
                t.ok('COMMAND' in lines[0] and 'OUTSIDE' in lines[0], f'titles: {lines[0]}')
        if t.problems:
            break
    p.kill()


@test
def what_tells_the_width(t):
    """The terminal; when that does not know, COLUMNS; else it is 80."""
    p = world(t)
    for cols, said, want in ((60, '100', 60), (0, '100', 100), (0, '30', 30), (0, '', 80), (0, 'x', 80), (0, '0', 80), (0, '-5', 80), (0, '99999999999', 80)):
        lines = on_terminal(t, 'ps', LONG, cols=cols, COLUMNS=said)
        # The command with the many letters of two columns fills the line but for one.
        t.ok(max(map(columns, lines)) in (want, want - 1), f'terminal {cols}, COLUMNS={said!r}: {max(map(columns, lines))}, want {want}')
    r = t.good(t.run([t.pidbox, 'ps', LONG], env={**t.env, 'COLUMNS': '40'}))
    t.ok(max(map(columns, r.out.splitlines())) > 300, 'a pipe has no width')
    p.kill()
