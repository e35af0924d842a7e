# SPDX-License-Identifier: MIT
"""README.md: its console blocks are typed again, each as whom it is for and in the world that it tells of, and compared
(session.py, transcript.py). BLOCKS has all of them."""
import platform
import session
import test_oci
from support import *
from transcript import blocks_of, commands_in

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
UID = 54321
CONTAINER = 'e27a420458aa' + 26 * '0b'  # its cgroup is of this test alone
with open(f'{TOP}/README.md', encoding='utf-8') as _file:
    README = _file.read()


class Block(types.SimpleNamespace):
    """How a block is typed: modes, who types it; needs, commands without which it is not; kernel, the oldest; before, blocks that
    come first; world(t), where the shell is: the head of its command line; shell; after, what ends it."""
    def __init__(self, modes='root user userns', needs='', kernel=(5, 10), before=(), world=lambda t: (), shell='sh', after=None):
        super().__init__(modes=modes, needs=needs.split(), kernel=kernel, before=before, world=world, shell=shell, after=after)


def filtered(t):
    """As in a container whose seccomp filter refuses namespaces."""
    return ['deny', 'EPERM', 'namespaces', '--']


def masked(t):
    """As in a container that covers /proc/keys, for an ordinary user."""
    os.chmod(t.tmp, 0o755)
    return ['unshare', '-m', 'sh', '-c', 'mount --bind /dev/null /proc/keys && exec "$@"', 'sh',
            'setpriv', '--reuid', str(UID), '--regid', str(UID), '--clear-groups']


def sources(t):
    """A checkout with its build, and the program that the README shows."""
    for name in 'include', 'build':
        os.symlink(f'{TOP}/{name}', t.path(name))
    t.write('prog.c', re.search(r'^```c\n(.*?)^```$', README, re.M | re.S)[1])
    return ()


def built(t):
    os.symlink(cfg.bin, t.path('build'))
    return ()


def container(t):
    test_oci.crun(t, f'/libpod_parent/libpod-{CONTAINER}')
    return ()


def alone(t):
    """With a make that goes on. The whole tree is of what the block has made: of a busy machine's dot makes no picture in time."""
    t.write('Makefile', 'all:\n\tsleep 1000\n')
    return ['unshare', '-fp', '--mount-proc', '--kill-child']


ALONE = '# mkdir -p root/bin'  # a root file system
INIT = {'modes': 'root', 'before': [ALONE], 'world': built}
OUTSIDE = {'modes': 'root userns'}
BLOCKS = {  # by how they begin
    '# pidbox run -- ps -ef': Block(),
    "$ pidbox run -- sh -c 'exit 3'": Block(),
    '$ time pidbox': Block(shell='bash', needs='bash'),
    '# pidbox run --fail-on-leak': Block(**OUTSIDE),
    '# pidbox run -d --name cache -- redis-server --port 0 --unixsocket ./s\ncache\n# pidbox run -d --name build -- sh -c \'sleep': Block(
        **OUTSIDE, needs='redis-server'),
    '# pidbox run -d --name cache -- redis-server --port 0 --unixsocket ./s\ncache\n# pidbox run -d --name build -- sh -c \'pidbox': Block(
        **OUTSIDE, needs='redis-server dot make pgrep', world=alone,
        after='grep -q "sleep 5001" tree.svg || echo not in the picture; pidbox kill --grace 0 cache build $(pgrep -P $!) && while pgrep -x pidbox >fronts; do :; done'),
    '# unshare -fp --mount-proc sleep': Block(**OUTSIDE, needs='pgrep'),
    '# bwrap --unshare-pid': Block(**OUTSIDE, needs='bwrap pgrep', kernel=(6, 9)),
    '# pidbox ls': Block(modes='root', needs='crun', kernel=(6, 9), world=container),
    '# pidbox run --report record.json': Block(**OUTSIDE, kernel=(6, 9)),
    '$ pidbox run --explain': Block(modes='user'),
    '$ pidbox run --dry-run': Block(modes='user'),
    '$ pidbox doctor | grep': Block(world=filtered),
    '$ pidbox doctor --semantics': Block(),
    '$ pidbox run -- id -u': Block(modes='user'),
    '$ pidbox run --pid-max': Block(needs='ip', kernel=(6, 14)),
    '# mkfifo go': Block(**OUTSIDE, kernel=(6, 9)),
    '$ pidbox run -- true': Block(modes='root', world=masked),
    'outer# pidbox run': None,  # job_control
    ALONE: Block(**{**INIT, 'before': ()}, needs='busybox'),
    '# unshare -fp --mount-proc=root/proc chroot root /pidbox-init --grace': Block(**INIT, needs='busybox'),
    "# unshare -fp --mount-proc=root/proc chroot root /pidbox-init sh": Block(**INIT, needs='busybox'),
    '$ pidbox run --fallback': Block(world=filtered, needs='pgrep'),
    '# unshare -fp --mount-proc=root/proc chroot root /tini': Block(**INIT, needs='busybox'),
    '$ pidbox init': Block(needs='pgrep'),
    '$ cc ': Block(modes='root', needs='cc', world=sources),
}
FOUND = {start: [b for b in blocks_of(README) if '\n'.join(b[1]).startswith(start)] for start in BLOCKS}


class Page(session.Page):
    """A line of JSON is broken in the document, and "..." is anything. What sleeps is told by how long: that is of one test."""
    def __init__(self, commands):
        super().__init__()
        self.numbers[CONTAINER[:12]] = CONTAINER[:12]
        for c in commands:
            self.numbers.update((n, str(random.randint(20000, 10**9))) for n in re.findall(r'\bsleep (\d{4,})', c.text))

    def pattern(self, line, new):
        parts = line.split('...') if line.startswith('{') else [line]
        return '.*'.join(super(Page, self).pattern(part, new) for part in parts)

    def difference(self, want, got, status):
        if want and want[0].startswith('{') and not want[0].endswith('}'):
            want = [''.join(line[line.startswith(' '):] for line in want)]
        return super().difference(want, got, status)


SETTLE = """import os, sys, time
def look():
    table = {}
    for p in filter(str.isdigit, os.listdir('/proc')):
        try:
            rest = open(f'/proc/{p}/stat').read()
            table[int(p)] = rest[rest.index('('):rest.rindex(')')], *rest[rest.rindex(')') + 2:].split()[:2]
        except OSError:
            pass
    below = {int(sys.argv[1])}
    while more := {p for p, (_, _, parent) in table.items() if int(parent) in below} - below:
        below |= more
    return {p: table[p] for p in below - {os.getpid()} if p in table}
was, same = None, 0
while same < 5:
    time.sleep(0.01)
    now = look()
    same = same + 1 if now == was and all(state in 'STZ' for _, state, _ in now.values()) else 0
    was = now
"""


def typed(t, start, block):
    """The commands of a block, as whoever types them has them; the world of the shell. A reader's pause is for as long as it takes
    until nothing moves any more."""
    for command in block.needs:
        if not shutil.which(command, path=t.env['PATH']):
            t.skip(f'{command} is not installed')
    if kernel() < block.kernel:
        t.skip(f'it is from a newer kernel than {block.kernel}')
    if block.world is filtered and platform.machine() != 'x86_64':
        t.skip('the filter knows x86-64')
    t.write('.settle', SETTLE)
    steps = [session.Step(0, f'sleep() {{ if [ "$1" = 0.3 ]; then python3 {t.path(".settle")} $$; else command sleep "$@"; fi; }}')]
    for s in [*block.before, start]:
        commands = commands_in(*FOUND[s][0])
        mine = [c for c in commands if (c.prompt == '$') == (t.mode == 'user')]
        for c in mine or commands:
            if c.text.startswith('pidbox tree'):  # of what has just been started
                steps.append(session.Step(0, 'sleep 0.3'))
            steps.append(session.Step(c.line, c.text, c.output))
    if block.after:
        steps.append(session.Step(0, block.after))
    return steps


def a_block(t, start, block):
    world = block.world(t)
    steps = typed(t, start, block)
    session.run(t, 'README.md', steps, {}, Page(commands_in(*FOUND[start][0])), [*world, block.shell])


for _start, _block in BLOCKS.items():
    if _block:
        test(a_block, name=f'a_block[{_start.splitlines()[-1]}]', modes=tuple(_block.modes.split()), args=(_start, _block), limit=60)


@test(modes='root,userns', limit=60)
def job_control(t):
    """The block whose prompts are outer# and inner#: an interactive bash on a terminal, keys included. What is there at the end is the block."""
    want = FOUND['outer# pidbox run'][0][1]
    os.mkdir(t.path('bin'))
    t.write('bin/pidbox', f"#!/bin/sh\nPS1='inner# ' exec {t.pidbox} \"$@\"\n", 0o755)
    t.write('inputrc', 'set enable-bracketed-paste off\n')
    env = {**t.env, 'PATH': f'{t.path("bin")}:{t.env["PATH"]}', 'PS1': 'outer# ', 'HISTFILE': '', 'INPUTRC': t.path('inputrc')}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))

    def take_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    p = t.start(['bash', '--norc', '--noprofile', '-i'], env=env, pre=take_terminal, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    screen, shown = Lines(master), 0

    def see(prompt):
        nonlocal shown
        while not screen.buf[shown:].endswith(prompt):
            if not screen.fill(10 * SLOWNESS):
                t.fail(f'no {prompt!r} after {screen.buf!r}')
        shown = len(screen.buf)

    def sleeps():
        return any(state == 'S' and comm(pid).startswith('sleep ') for pid, state in descendants(p.pid))
    for line in want + ['outer# exit']:
        prompt, _, text = line.partition('# ')
        if prompt in ('outer', 'inner'):
            see(f'{prompt}# '.encode())
            os.write(master, f'{text}\n'.encode())
        elif line in ('^Z', '^C'):
            t.ok(until(sleeps, 10), f'what gets {line} runs')
            os.write(master, bytes([ord(line[1]) - 64]))
    got = screen.rest().replace('\r', '').splitlines()
    t.eq(t.finish(p), 0, 'status of the outer shell')
    t.eq([x.rstrip() for x in got], [*want, 'outer# exit', 'exit'], 'the screen')


@test(modes='root')
def every_block_is_typed(t):
    blocks = blocks_of(README)
    t.eq({start: len(found) for start, found in FOUND.items() if len(found) != 1}, {}, 'entries that are not of one block')
    t.eq([b[1][0] for b in blocks if not any(b in found for found in FOUND.values())], [], 'blocks without an entry')
