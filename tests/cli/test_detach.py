# SPDX-License-Identifier: MIT
"""run -d: the caller gets a name and goes on; the box, its front and its record do too."""
import glob, json, os, re, signal, subprocess, time
from support import Lines, children, descendants, each, ns, slow, test, until
from test_names import DONE, ENDED, KILL, SIGNAL, WAIT, answer, ask, connect, files, folder, request, socket_of
import socket


def kept(t, name):
    """(status, signal, record) of a box that has ended, when it has."""
    try:
        with open(f'{folder(t)}/{name}:exit') as f:
            text = f.read()
    except OSError:
        return None
    m = re.fullmatch(r'exit (\d+) (\d+)\n(\{.*\})\n', text)
    return m and (int(m[1]), int(m[2]), json.loads(m[3]))


def until_kept(t, name, seconds=15, killed=False):
    """killed: the front, which leaves its files to the next pidbox's sweep; else there is the record and nothing more."""
    got = until(lambda: kept(t, name), seconds)
    t.ok(got, f'a record of {name} is kept: {files(t)}')
    if not killed:
        until(lambda: files(t) == [f'{name}:exit'], seconds)
    return got or (None, None, {})


def clean(t):
    """The records are the only thing that is left, and this takes them away."""
    t.eq([f for f in files(t) if not f.endswith(':exit')], [], 'nothing else is left')
    for f in files(t):
        os.unlink(f'{folder(t)}/{f}')
    os.path.isdir(folder(t)) and os.rmdir(folder(t))


def end(t, name):
    t.eq(ask(socket_of(t, name), KILL, 0, 0), (DONE, 0, 0), 'it is ended')
    got = until_kept(t, name)
    t.nothing_left(5)
    clean(t)
    return got


@test
def status_is_kept(t):
    r = t.good(t.box('-d', '--name', 'one', '--', 'sh', '-c', 'exit 5'), out='one\n')
    status, sig, rec = until_kept(t, 'one')
    t.eq((status, sig), (5, 0), 'status and signal')
    t.eq((rec['reason'], rec['exit_code'], rec['name'], rec['command']), ('exited', 5, 'one', ['sh', '-c', 'exit 5']), 'the record')
    t.nothing_left(5)
    t.good(t.box('--name', 'one', '--', 'true'))
    t.eq(files(t), [], 'it is kept until the name is used again')


@test
def a_name_is_made_up(t):
    names = [t.good(t.box('-d', '--', 'sleep', '1000')).out for _ in range(3)]
    for name in names:
        t.ok(re.fullmatch(r'[A-Za-z][A-Za-z0-9_.-]{0,63}\n', name), f'a name: {name!r}')
    t.eq(len(set(names)), 3, 'different ones')
    for name in names:
        t.eq(ask(socket_of(t, name.strip()), KILL, 0, 0), (DONE, 0, 0), 'it is ended')
        t.ok(until(lambda: kept(t, name.strip()), 10), 'its record')
    t.nothing_left(5)
    until(lambda: len(files(t)) == 3)
    clean(t)


@test
def substitution_does_not_hang(t):
    """Nothing of the caller's stays open: neither its output, nor a pipe above it, nor its directory."""
    r, w = os.pipe()
    result = t.sh('n=$(pidbox run -d -- sleep 1000 2>&1); echo "$n"', pass_fds=[w])
    os.close(w)
    name = t.good(result).out.strip()
    t.eq(os.read(r, 1), b'', 'the pipe is at its end')
    os.close(r)
    front = [p for p, _ in descendants(os.getpid()) if children(p)][0]
    t.eq(os.readlink(f'/proc/{front}/cwd'), '/', 'directory of the front')
    for fd in 0, 1, 2:
        t.eq(os.readlink(f'/proc/{front}/fd/{fd}'), '/dev/null', f'descriptor {fd} of the front')
    t.eq(os.getsid(front), front, 'it leads a session')
    t.eq(end(t, name)[0], 137, 'status')


@test
def what_the_command_has(t):
    r, w = os.pipe()
    name = 'one'
    t.good(t.box('-d', '--name', name, '--log', 'log', '--', 'sh', '-c', 'pwd; ls -l /proc/self/fd >&2; cat; echo end', pass_fds=[w]), out='one\n')
    os.close(w)
    os.close(r)
    t.eq(until_kept(t, name)[0], 0, 'status')
    with open(t.path('log')) as f:
        text = f.read()
    t.ok(text.startswith(t.tmp + '\n') and text.endswith('end\n'), f'its output: {text!r}')
    fds = dict(re.findall(r' (\d+) -> (\S+)', text))
    t.eq({k: v for k, v in fds.items() if k in '012'}, {'0': '/dev/null', '1': t.path('log'), '2': t.path('log')}, 'standard streams')
    t.eq([v for k, v in fds.items() if k not in '012' and 'proc' not in v and '/fd' not in v], [], 'nothing above')
    t.good(t.box('-d', '--name', name, '--log', 'log', '--', 'echo', 'more'))
    until_kept(t, name)
    t.eq(open(t.path('log')).read(), text + 'more\n', 'it is appended to')
    t.nothing_left(5)
    clean(t)


@each({'not found': (['/nonexistent'], 127, 'NOT_FOUND'), 'a directory': (['/usr'], 126, None)})
def failures_are_the_callers(t, argv, status, code):
    t.error(t.box('-d', '--name', 'one', '--', *argv), code, status)
    t.eq(files(t), [], 'nothing is left')
    t.nothing_left(2)


@test
def other_failures(t):
    for args in ['-t'], ['--as-pid1'], ['--report', '-'], ['--report', 'fd:1'], ['--events', 'fd:2'], ['--replace']:
        t.error(t.box('-d', *args, '--', 'touch', 'ran'), 'USAGE')
    t.error(t.box('--log', 'x', '--', 'touch', 'ran'), 'USAGE')
    t.error(t.box('-d', '--log', 'missing/log', '--', 'touch', 'ran'), 'NOT_FOUND', has='missing/log')
    t.error(t.box('-d', '--log', '/', '--', 'touch', 'ran'), 'USAGE')
    t.error(t.box('-d', '--', 'touch', 'ran', env={**t.env, 'PIDBOX_RUNTIME_DIR': t.path('no/such')}))
    if os.path.exists('/dev/full'):
        r = t.sh('pidbox run -d -- sleep 1000 >/dev/full')
        t.error(r, has='standard output')
    t.ok(not os.path.exists(t.path('ran')), 'nothing ran')
    t.nothing_left(5)
    until(lambda: not [f for f in files(t) if not f.endswith(':exit')])
    clean(t)


@test
def time_limit_and_report(t):
    t.good(t.box('-d', '--name', 'one', '--timeout', '300ms', '--report', 'report', '--', 'sleep', '1000'))
    status, sig, rec = until_kept(t, 'one')
    t.eq((status, rec['reason']), (124, 'timeout'), 'what is kept')
    t.ok(until(lambda: os.path.getsize(t.path('report')) > 0), 'a report')
    t.eq(t.record(t.path('report')), rec, 'the report is the same')
    t.nothing_left(5)
    clean(t)


ENDS = {'a time limit': (['--timeout', '400ms', '--grace', '0'], ['cpuburn', '60000'], None, 'timeout'),
        'CPU time': (['--cpu-time', '200ms', '--grace', '0'], ['cpuburn', '60000'], None, 'cpu-time'),
        'kill': ([], ['sh', '-c', 'cpuburn 200; touch done; exec sleep 1000'], 0, 'killed')}


@each(ENDS)
def what_is_kept_is_counted_when_it_is_ended(t, args, argv, grace, reason):
    t.good(t.box('-d', '--name', 'one', *args, '--', *argv))
    if grace is not None:
        t.ok(until(lambda: os.path.exists(t.path('done')), 15), 'it has burnt')
        t.eq(ask(socket_of(t, 'one'), KILL, 0, grace), (DONE, 0, 0), 'it is ended')
    rec = until_kept(t, 'one')[2]
    t.eq(rec.get('reason'), reason, 'reason')
    t.ok(20000 < rec['user_us'] + rec['sys_us'] < 20e6, f'CPU time: {rec["user_us"]} + {rec["sys_us"]}')
    t.ok(rec['max_rss_kib'] > 100, f'max_rss_kib: {rec["max_rss_kib"]}')
    t.eq(rec['leaked'], [], 'nothing has outlived the command')
    t.nothing_left(5)
    clean(t)


@test
def what_nobody_knows_is_null(t):
    """An init that was killed has counted for nobody."""
    t.good(t.box('-d', '--name', 'one', '--', 'cpuburn', '60000'))
    os.kill(int(re.match(r'\d+', os.path.basename(socket_of(t, 'one')))[0]), signal.SIGKILL)  # its init
    status, _, rec = until_kept(t, 'one')
    t.eq((status, rec.get('reason')), (137, 'killed'), 'status, reason')
    t.eq({k: rec.get(k) for k in ('user_us', 'sys_us', 'max_rss_kib', 'reaped', 'leaked')},
         dict.fromkeys(('user_us', 'sys_us', 'max_rss_kib', 'reaped', 'leaked')), 'what nobody knows')
    t.ok(rec['wall_us'] > 0, 'the time is known')
    t.nothing_left(5)
    clean(t)


@test
def events(t):
    r, w = os.pipe()
    t.good(t.box('-d', '--name', 'one', '--events', f'fd:{w}', '--', 'sh', '-c', 'exit 3', pass_fds=[w]))
    os.close(w)
    lines = Lines(r).rest().splitlines()
    os.close(r)
    t.eq([json.loads(x)['event'] for x in lines], ['created', 'ready', 'exec', 'exit'], 'events, to the end')
    t.eq(until_kept(t, 'one')[0], 3, 'status')
    t.nothing_left(5)
    clean(t)


@test
def waiting(t):
    t.good(t.box('-d', '--name', 'one', '--', 'sh', '-c', 'trap "exit 6" TERM; touch up; while :; do sleep 0.05; done'))
    t.ok(until(lambda: os.path.exists(t.path('up')), 15), 'it has its trap')
    s = connect(socket_of(t, 'one'))
    socket.send_fds(s, [request(WAIT)], [os.pidfd_open(os.getpid())])
    t.eq(ask(socket_of(t, 'one'), KILL), (DONE, 0, 0), 'the end')
    t.eq(answer(s), (ENDED, 0, 6), 'who waits is told')
    t.eq(kept(t, 'one')[0], 6, 'the record is there by then')
    t.eq(kept(t, 'one')[2]['ended_by']['pid'], os.getpid(), 'and says who it was')
    t.nothing_left(5)
    until(lambda: files(t) == ['one:exit'])
    clean(t)


@test
def front_killed(t):
    """The box ends, and its init writes the record."""
    t.good(t.box('-d', '--name', 'one', '--', 'sleep', '1000'))
    front = [p for p, _ in descendants(os.getpid()) if children(p)][0]
    os.kill(front, signal.SIGKILL)
    t.nothing_left(10)
    status, sig, rec = kept(t, 'one') or (None, None, {})
    t.eq((status, sig, rec.get('reason')), (137, 9, 'parent-gone'), 'what is kept')
    t.good(t.box('--', 'true'))
    t.eq(files(t), ['one:exit'], 'the rest is swept')
    t.eq(kept(t, 'one') and kept(t, 'one')[0], 137, 'the record stays')
    clean(t)


def state(pid):
    """The letter of proc_pid_stat(5)."""
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0]
    except OSError:
        return None


def processes_of(t, name):
    """Front, init and command of a box."""
    row = json.loads(t.good(t.run([t.pidbox, 'ps', '--json', name])).out)['processes']
    init, command = row[0]['pid'], row[1]['pid']
    with open(f'/proc/{init}/stat') as f:
        return int(f.read().rpartition(')')[2].split()[1]), init, command


@test
def a_command_that_stops_itself(t):
    """There is no shell that would let the front go on: it stays, and the box can be reached as ever."""
    t.good(t.run([t.pidbox, 'run', '-d', '--name', 'st', '--', 'sh', '-c', 'kill -STOP $$; exit 3']), out='st\n')
    front, _, command = processes_of(t, 'st')
    t.ok(until(lambda: state(command) == 'T', 10), 'the command is stopped')
    t.good(t.run([t.pidbox, 'exec', 'st', '--', 'echo', 'here']), out='here\n')
    t.ok(state(front) in 'SR', 'its front is not')
    t.good(t.run([t.pidbox, 'kill', '-CONT', 'st']))
    t.good(t.run([t.pidbox, 'wait', 'st']), code=3)
    until_kept(t, 'st')
    clean(t)


@test
def the_name_cannot_be_told(t):
    """Nobody would know of the box: it is ended."""
    for out in '>&-', '>/dev/full':
        r = t.run(['sh', '-c', f'"$0" run -d --name lost -- sleep 1008 {out}', t.pidbox])
        t.error(r, None, 125, has=['standard output'])
        t.nothing_left(5)
    for f in files(t):
        t.ok(f == 'lost:exit', f'nothing but a record is left: {f}')
    clean(t)


@test
def what_is_kept_is_counted(t):
    """Somebody will read the record of a detached box: it has the CPU time, and what leaked, without --report."""
    t.good(t.run([t.pidbox, 'run', '-d', '--name', 'busy', '--', 'sh', '-c', 'while :; do :; done & sleep 0.5; exit 4']), out='busy\n')
    status, _, record = until_kept(t, 'busy')
    t.eq(status, 4, 'its status')
    t.eq([leak['command'][0] for leak in record['leaked']], ['sh'], 'what has leaked')
    t.ok(record['user_us'] + record['sys_us'] > 10000, f'its CPU time is counted: {record}')
    clean(t)


@test(limit=60)
def a_front_that_is_stopped(t):
    """exec says so, in the time that it was given; what lets the box go on, or ends it, reaches the front."""
    t.good(t.run([t.pidbox, 'run', '-d', '--name', 'sf', '--', 'sleep', '1007']), out='sf\n')
    front, init, command = processes_of(t, 'sf')
    os.kill(front, signal.SIGSTOP)
    t.ok(until(lambda: state(front) == 'T', 10), 'it is stopped')
    # What it would have got lies with the front until that goes on: no pipe of ours.
    with open(t.path('err'), 'w+') as err:
        p = t.start([t.pidbox, 'exec', '--timeout', slow('300ms'), 'sf', '--', 'touch', t.path('was-run')], stdout=err, stderr=err)
        t.eq(t.finish(p), 125, 'status of exec')
        err.seek(0)
        said = err.read()
    t.ok(f'PID {front}, is stopped' in said and f'kill -CONT {front}' in said, said)
    t.good(t.run([t.pidbox, 'kill', '-CONT', 'sf']))
    t.ok(until(lambda: state(front) in 'SR', 10), 'it goes on')
    t.good(t.run([t.pidbox, 'exec', 'sf', '--', 'echo', 'here']), out='here\n')
    t.ok(not os.path.exists(t.path('was-run')), 'what was given up is not run later')
    for args in ['--grace', '5s'], ['-KILL']:
        os.kill(front, signal.SIGSTOP)
        t.ok(until(lambda: state(front) == 'T', 10), 'it is stopped')
        t.good(t.run([t.pidbox, 'kill', *args, 'sf']))
        t.eq(t.run([t.pidbox, 'wait', 'sf']).code, -15 if args[0] == '--grace' else -9, f'how it ended: {args}')
        until_kept(t, 'sf')
        if args[0] == '--grace':
            t.good(t.run([t.pidbox, 'run', '-d', '--name', 'sf', '--', 'sleep', '1007']), out='sf\n')
            front, init, command = processes_of(t, 'sf')
    clean(t)


@test(limit=60)
def killed_in_its_own_grace(t):
    """Its front was killed: the init keeps the grace of the box, and kill the one that it was given."""
    script = 'trap "echo term; sleep 0.5; exit 6" TERM; echo up; while :; do sleep 0.1; done'
    for how in ['--grace', '20s'], []:
        t.good(t.run([t.pidbox, 'run', '-d', '--name', 'g', '--grace', '20s', '--log', 'log', '--', 'sh', '-c', script]), out='g\n')
        t.ok(until(lambda: os.path.exists(t.path('log')) and 'up' in open(t.path('log')).read(), 10), 'its trap is set')
        front, init, command = processes_of(t, 'g')
        os.kill(front, signal.SIGKILL)
        t.ok(until(lambda: 'term' in open(t.path('log')).read(), 10), 'it is asked to end')
        t.good(t.run([t.pidbox, 'kill', *how, 'g']))
        got = until_kept(t, 'g', killed=True)
        t.eq(got[:2], (6, 0), f'it ended by itself: {how}')
        t.good(t.run([t.pidbox, 'wait', 'g']), code=6)
        os.unlink(t.path('log'))
        t.good(t.box('--', 'true')) # sweeps what a front that was killed has left
        clean(t)


@test(limit=60)
def caller_killed(t):
    """At any moment: either the box is there and its name is known, or nothing is."""
    for ms in range(0, 60, 3):
        p = t.start_box('-d', '--name', 'one', '--', 'sleep', '1000')
        end_at = time.monotonic() + ms / 1000
        while time.monotonic() < end_at:
            pass
        p.kill()
        said = p.out.rest()
        t.finish(p)
        if said:
            t.eq(said, 'one\n', 'what it said')
        # It may have been killed between the name and the word to go on.
        until(lambda: not t.left() or (said and 'one' in files(t)), 5)
        if t.left():
            t.ok(said, f'a box that nobody knows of, after {ms} ms')
            until(lambda: ask_to_end(t), 5)
        t.nothing_left(10, f'after {ms} ms')
    t.good(t.box('--', 'true'))
    clean(t)


def ask_to_end(t):
    try:
        return ask(socket_of(t, 'one'), KILL, 0, 0) == (DONE, 0, 0)
    except OSError:
        return not t.left()


@test
def idle(t):
    t.good(t.box('-d', '--name', 'one', '--idle'), out='one\n')
    t.eq(ask(socket_of(t, 'one'), SIGNAL, signal.SIGTERM), (DONE, 0, 0), 'a signal')
    status, sig, rec = until_kept(t, 'one')
    t.eq((status, sig, rec['reason'], rec['signal'], rec['command']), (143, 15, 'killed', 'SIGTERM', []), 'what is kept')
    t.nothing_left(5)
    clean(t)


@test
def in_a_box(t):
    """Detached in a box: it ends with that."""
    r = t.box('--', 'sh', '-c', 'pidbox run -d --name inner -- sleep 1000')
    t.good(r, out='inner\n')
    t.nothing_left(2)
    for f in glob.glob(f'{t.env["PIDBOX_RUNTIME_DIR"]}/*/*'):
        os.unlink(f)
    for d in glob.glob(f'{t.env["PIDBOX_RUNTIME_DIR"]}/*'):
        os.rmdir(d)
