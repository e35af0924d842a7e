# SPDX-License-Identifier: MIT
"""The record (--report), --summary, --events, --fail-on-leak, --hold-fd, --dry-run, --explain, --timing."""
from support import *

INT, STR, BOOL, NUL = int, str, bool, type(None)
SCHEMA = {'schema': INT, 'reason': STR, 'exit_code': (INT, NUL), 'signal': (STR, NUL), 'core_dumped': BOOL, 'ended_by': (dict, NUL),
          'containment': STR, 'proc': (STR, NUL), 'name': (STR, NUL), 'id': (STR, NUL), 'pid_namespace': (INT, NUL), 'command': list,
          'init_pid': (INT, NUL), 'command_pid': (INT, NUL), 'started': STR, 'wall_us': INT, 'user_us': INT, 'sys_us': INT,
          'max_rss_kib': INT, 'reaped': INT, 'leaked': list, 'limits': dict}
FAILED = {'step': STR, 'errno': (STR, NUL), 'code': (STR, NUL), 'why': STR, 'fix': STR}
MAYBE = {'exit_code', 'core_dumped', 'id', 'pid_namespace', 'init_pid', 'command_pid', 'wall_us', 'user_us', 'sys_us', 'max_rss_kib', 'reaped',
         'leaked', 'limits', 'started', 'proc'}  # null or absent is fine when the box never was


def kind_ok(v, kinds):
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(type(v) is k for k in kinds)


def valid(t, rec, **want):
    """Every key of the contract with its type; and the values wanted."""
    failed = rec.get('reason') == 'setup-failed'
    for key, kinds in {**SCHEMA, **(FAILED if failed else {})}.items():
        if key not in rec or failed and key in MAYBE and rec[key] is None:
            t.ok(failed and key in MAYBE, f'the record has no {key!r}')
        else:
            t.ok(kind_ok(rec[key], kinds), f'{key} is {rec[key]!r}')
    t.ok(rec.get('schema') == 1 and rec.get('reason') in REASONS, f'schema, reason: {rec.get("schema")} {rec.get("reason")}')
    t.eq(rec.get('containment'), 'pidns', 'containment')
    if rec.get('id') is not None:
        t.ok(re.fullmatch(r'\d+[:@]\d+', rec['id']), f'id {rec["id"]!r}')
        t.eq(int(re.split('[:@]', rec['id'])[0]), rec['init_pid'], 'the id starts with the init\'s PID')
    if rec.get('started') is not None:
        t.ok(re.fullmatch(r'20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', rec['started']), f'started {rec["started"]!r}')
    if isinstance(rec.get('limits'), dict):
        t.ok(rec['limits'].get('oom_killed') in (False, None), f'limits {rec["limits"]}')
    for leak in rec.get('leaked') or ():
        for key, kinds in {'pid': INT, 'inside_pid': INT, 'command': list, 'age_us': INT}.items():
            t.ok(kind_ok(leak.get(key), kinds), f'leaked: {key} is {leak.get(key)!r}')
        t.ok(leak.get('age_us', 0) >= 0 and leak.get('inside_pid', 0) > 1, f'leaked: {leak}')
    if rec.get('ended_by'):
        e = rec['ended_by']
        t.ok(kind_ok(e.get('signal'), (STR, NUL)) and kind_ok(e.get('pid'), (INT, NUL)) and kind_ok(e.get('uid'), (INT, NUL)), f'ended_by {e}')
    for key, value in want.items():
        t.eq(rec.get(key), value, key)


@test
def schema_of_a_plain_end(t):
    before = time.time()
    r, rec = t.report('--', 'sh', '-c', 'cpuburn 60; readlink /proc/self/ns/pid; exit 3')
    t.good(r, 3)
    valid(t, rec, reason='exited', exit_code=3, signal=None, core_dumped=False, ended_by=None, proc='fresh', name=None, leaked=[])
    t.eq(rec['command'], ['sh', '-c', 'cpuburn 60; readlink /proc/self/ns/pid; exit 3'], 'command')
    t.eq(f'pid:[{rec["pid_namespace"]}]', r.out.strip(), 'pid_namespace')
    t.ok(0.05e6 < rec['wall_us'] < r.took * 1e6 + 1, f'wall_us {rec["wall_us"]}, it took {r.took:.3f} s')
    t.ok(50000 <= rec['user_us'] + rec['sys_us'] < 1e6 * SLOWNESS, f'CPU time {rec["user_us"]} + {rec["sys_us"]}')
    t.ok(300 < rec['max_rss_kib'] < 100000, f'max_rss_kib {rec["max_rss_kib"]}')
    started = calendar.timegm(time.strptime(rec['started'][:19], '%Y-%m-%dT%H:%M:%S'))
    t.ok(before - 2 < started < time.time() + 1, f'started {rec["started"]}')
    t.ok(rec['init_pid'] != 1 and rec['command_pid'] not in (2, rec['init_pid']), 'PIDs are the caller\'s')


def sender(rec):
    return {k: v for k, v in (rec.get('ended_by') or {}).items()}


@test
def every_reason(t):
    died = t.helper('die')
    for want, args in (({'reason': 'signaled', 'exit_code': None, 'signal': 'SIGUSR1'}, ['--', died, '10']),
                       ({'reason': 'signaled', 'signal': 'SIGKILL'}, ['--', died, '9']),
                       ({'reason': 'signaled', 'signal': 'SIGRTMIN+3'}, ['--', died, '37']),
                       ({'reason': 'exited', 'exit_code': 124}, ['--', 'sh', '-c', 'exit 124']),
                       ({'reason': 'exited', 'exit_code': 125}, ['--', 'sh', '-c', 'exit 125']),
                       ({'reason': 'timeout', 'signal': 'SIGTERM'}, ['--timeout', slow('0.1'), '--', 'sleep', '100']),
                       ({'reason': 'timeout', 'exit_code': 7}, ['--timeout', slow('0.1'), '--', 'sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.01; done']),
                       ({'reason': 'cpu-time'}, ['--cpu-time', slow('0.1'), '--', 'cpuburn']),
                       ({'reason': 'exited', 'proc': 'none', 'exit_code': 0}, ['--proc', 'none', '--', 'true']),
                       ({'reason': 'exited', 'proc': 'keep'}, ['--proc', 'keep', '--', 'true']),
                       ({'reason': 'exited', 'exit_code': 4}, ['--as-pid1', '--', 'sh', '-c', 'exit 4']),
                       ({'reason': 'timeout'}, ['--as-pid1', '--timeout', slow('0.1'), '--grace', '0', '--', 'sleep', '100'])):
        with t.case(quote(args)):
            r, rec = t.report(*args)
            valid(t, rec, **want)


@test
def the_end_of_a_quick_command_is_never_lost(t):
    for i in range(rounds(75, 150)):
        r = t.box('--report', '-', '--', 'sh', '-c', f'exit {i}')
        rec = json.loads(r.err)
        if not t.eq((r.code, rec['reason'], rec['exit_code']), (i, 'exited', i), f'round {i}'):
            break


@test
def reason_killed(t):
    for sig in 'SIGTERM', 'SIGINT', 'SIGHUP':
        f = t.path('rec' + sig)
        p = t.start_box('--report', f, '--', 'sh', '-c', 'echo up; exec sleep 100')
        t.eq(p.out.line(), 'up', 'start')
        p.send_signal(SIGS[sig])
        t.eq(t.finish(p), -SIGS[sig], 'status')
        rec = t.record(f)
        valid(t, rec, reason='killed', signal=sig)
        t.eq(rec['ended_by'], {'signal': sig, 'pid': os.getpid(), 'uid': os.getuid()}, 'ended_by')


@test
def reason_parent_gone(t):
    """The init writes the record when the front is gone."""
    f = t.path('rec')
    p = t.start_box('--report', f, '--', 'sh', '-c', 'daemonize; echo up; exec sleep 100')
    t.eq(p.out.line(), 'up', 'start')
    p.kill()
    t.finish(p)
    t.nothing_left(5, 'after SIGKILL of the front')
    t.ok(until(lambda: os.path.getsize(f) > 0, 3), 'a record')
    valid(t, t.record(f), reason='parent-gone')


@test
def reason_setup_failed(t):
    for args, code, errno_, status in ((['--', '/nonexistent/cmd'], 'NOT_FOUND', 'ENOENT', 127), (['-C', '/nonexistent', '--', 'true'], 'NOT_FOUND', 'ENOENT', 125),
                                       (['--', '/usr'], None, 'EACCES', 126)):
        with t.case(quote(args)):
            f = t.path('rec')
            t.error(t.box('--report', f, *args), code, status)
            rec = t.record(f)
            valid(t, rec, reason='setup-failed', errno=errno_, command=args[args.index('--') + 1:])
            if code:
                t.eq(rec['code'], code, 'code')
            os.unlink(f)


@test
def a_failed_record_has_what_is_known(t):
    """Only what is unknown is null: PID 1 was there."""
    for args, proc in (['--', '/nonexistent/cmd'], 'fresh'), (['--proc', 'none', '-C', '/nonexistent', '--', 'true'], 'none'), (['--proc', 'auto', '--', '/nonexistent/cmd'], None):
        for events in False, True:
            with t.case(f'{quote(args)}, events {events}'):
                f, e = t.path('rec'), os.open(t.path('events'), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
                before = time.time()
                with opened(e):
                    t.box('--report', f, *([f'--events=fd:{e}'] if events else ()), *args, pass_fds=[e])
                rec = t.record(f)
                valid(t, rec, reason='setup-failed', command_pid=None, exit_code=None)
                if proc or events:
                    t.eq(rec['proc'], proc or 'fresh', 'proc')
                # The namespace of an init that has ended already is known to nobody; the checkpoint of events keeps it.
                t.ok(rec['init_pid'] and rec['id'] and (rec['pid_namespace'] or not events), f'who it was: {rec}')
                t.ok(0 < rec['wall_us'] < (time.time() - before) * 1e6, f'wall_us {rec["wall_us"]}')
                if events:
                    lines = [json.loads(x) for x in open(t.path('events'))]
                    t.eq([x['event'] for x in lines], ['created', 'ready', 'exit'], 'events')
                    t.eq([lines[0][k] for k in ('init_pid', 'id', 'pid_namespace')], [rec[k] for k in ('init_pid', 'id', 'pid_namespace')], 'the same box')
    f = t.path('rec')
    t.box('--report', f, '--share', 'net', '--', 'true')
    rec = t.record(f)
    t.eq([rec[k] for k in ('reason', 'init_pid', 'id', 'pid_namespace', 'proc')], ['setup-failed'] + 4 * [None], 'there was no box')


@test
def where_the_report_goes(t):
    f = t.write('old', 'x' * 5000)
    t.good(t.box('--report', f, '--', 'true'), 0)
    valid(t, t.record(f), reason='exited')
    t.eq(len(open(f).read().splitlines()), 1, 'lines: one document')
    r = t.box('--report', '-', '--', 'sh', '-c', 'echo out')
    t.eq((r.code, r.out), (0, 'out\n'), '--report -: standard output is the command\'s')
    valid(t, json.loads(r.err), reason='exited')
    rd, wr = pipe()
    with opened(rd):
        r = t.box(f'--report=fd:{wr}', '--', 'true', pass_fds=[wr])
        os.close(wr)
        t.good(r, 0)
        valid(t, json.loads(Lines(rd).rest()), reason='exited')
    r = t.box('--report', '/dev/full', '--', 'sh', '-c', 'echo out; exit 3')
    t.eq((r.code, r.out), (3, 'out\n'), '/dev/full: the status is left alone')
    t.ok('report' in r.err and 'No space left' in r.err, f'/dev/full: a warning: {r.err!r}')
    for v in '', 'fd:', 'fd:x', 'fd:-1':
        t.error(t.box(f'--report={v}', '--', 'true'), None, has='--report')
    with t.case('opened before the start'):
        r = t.box('--report', 'rel.json', '-C', '/', '--', 'sh', '-c', f'test -e {t.tmp}/rel.json')
        t.good(r, 0)
        valid(t, t.record(t.path('rel.json')), reason='exited')
    with t.case('a reader that has gone'):
        rd, wr = pipe()
        os.close(rd)
        with opened(wr):
            t.eq(t.box(f'--report=fd:{wr}', '--', 'sh', '-c', 'exit 3', pass_fds=[wr]).code, 3, 'status')


@test
def a_report_that_cannot_be_written(t):
    """Refused before the start: by the mode of a descriptor (fcntl(2), F_GETFL), by the errno of open(2)."""
    rd, wr = os.pipe()
    fifo = os.open(t.tmp, os.O_PATH)
    with opened(rd, wr, fifo):
        for fd in rd, fifo:
            for option in f'--report=fd:{fd}', f'--events=fd:{fd}':
                with t.case(option):
                    r = t.box(option, '--', 'touch', 'ran', pass_fds=[fd])
                    t.error(r, 'USAGE', has=[option.split('=')[0], f'descriptor {fd}', 'for writing'])
    t.write('file', '')
    for where, code, has in (('no/r', 'NOT_FOUND', 'directory'), ('file/r', 'NOT_FOUND', 'not a directory'), (t.tmp, 'USAGE', 'is a directory')):
        with t.case(where):
            t.error(t.box('--report', where, '--', 'touch', 'ran'), code, has=[where, has])
    if t.mode == 'user':
        t.error(t.box('--report', '/etc/r', '--', 'touch', 'ran'), 'DENIED', has=['/etc/r', 'may not write'])
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')


@test
def text_in_the_record(t):
    r, rec = t.report('--', 'sh', '-c', 'exit 0', 'quote"back\\slash', 'tab\tnl\n\x01', 'ä€𝄞', b'\xff\xc3')
    t.eq(rec['command'][3:], ['quote"back\\slash', 'tab\tnl\n\x01', 'ä€𝄞', '\ufffd\ufffd'], 'command')


# By default it is 100 ms, within which an emulated machine ends nothing: there the option says it, so much longer.
DEFAULT_GRACE = ['--leak-grace', slow('100ms')] if SLOWNESS > 1 else []


@test
def leaked_daemon_is_named(t):
    for args in [], ['--proc', 'none'], ['--on-exit', 'term', '--grace', '0.1'], ['--proc', 'keep']:
        with t.case(' '.join(args)):
            r, rec = t.report(*args, '--', 'sh', '-c', 'daemonize 1234; exit 0')
            t.good(r, 0)
            valid(t, rec, reason='exited', exit_code=0)
            t.eq([x['command'] for x in rec['leaked']], [['daemonize', '1234']], 'leaked')
            t.nothing_left()
    with t.case('no leaks'):
        # On a loaded machine its 20 ms may take more than 100; without a grace it is a leak every time.
        got = (t.report(*DEFAULT_GRACE, '--', 'sh', '-c', '(sleep 0.02 &) ; exit 0')[1]['leaked'] for _ in range(10))
        t.ok(any(leaked == [] for leaked in got), 'what ends within the default of 100 ms is no leak')
        r, rec = t.report('--', 'sh', '-c', 'zombies 50 >/dev/null; exit 0')
        t.eq(rec['leaked'], [], 'zombies are no leaks')
    with t.case('a moving target'):
        r, rec = t.report('--', 'respawn')
        t.ok(rec['leaked'], 'a process that forks on and on is found')
        t.nothing_left()
    with t.case('many'):
        r, rec = t.report('--', 'sh', '-c', 'i=0; while [ $i -lt 30 ]; do sleep 100 & i=$((i+1)); done; exit 0')
        t.eq(len(rec['leaked']), 30, 'leaks named')
        t.eq(len({x['inside_pid'] for x in rec['leaked']}), 30, 'each once')


@test
def cpu_time_includes_the_leaked(t):
    r, rec = t.report('--', 'sh', '-c', 'cpuburn 250 done & until [ -e done ]; do sleep 0.01; done; exit 0')
    t.eq([x['command'] for x in rec['leaked']], [['cpuburn', '250', 'done']], 'leaked')
    t.ok(rec['user_us'] + rec['sys_us'] > 245000, f'CPU time {rec["user_us"]} + {rec["sys_us"]}: the leaked one used 250000')


@test
def fail_on_leak(t):
    for args in [], ['--report', t.path('r')], ['--summary']:
        r = t.box('--fail-on-leak', *args, '--', 'sh', '-c', 'daemonize 4321; exit 0')
        t.eq((r.code, r.out), (123, ''), f'{args}: status')
        t.ok('daemonize' in r.err and '4321' in r.err, f'{args}: the leaked are named on standard error: {r.err!r}')
        t.nothing_left()
    t.eq(t.box('--fail-on-leak', '--', 'sh', '-c', 'daemonize; exit 7').code, 7, 'a command that failed itself')
    t.eq(t.box('--fail-on-leak', '--', 'sh', '-c', 'daemonize; kill -9 $$').code, -9, 'a command that died')
    t.eq(t.box('--fail-on-leak', '--timeout', slow('0.2'), '--', 'sh', '-c', 'daemonize; sleep 100').code, 124, '124 goes before')
    t.good(t.box('--fail-on-leak', '--', 'sh', '-c', 'exit 0'), 0)
    t.good(t.box('--fail-on-leak', *DEFAULT_GRACE, '--', 'sh', '-c', '(sleep 0.03 &); exit 0'), 0)
    t.good(t.box('--fail-on-leak', '--leak-grace', slow('5s'), '--', 'sh', '-c', '(sleep 0.3 &); exit 0'), 0)
    r = t.box('--fail-on-leak', '--leak-grace', '0', '--', 'sh', '-c', f'(sleep {slow(0.3)} &); exit 0')
    t.eq(r.code, 123, '--leak-grace 0')
    r = t.box('--fail-on-leak', '--leak-grace', slow('10s'), '--', 'true')
    t.ok(r.code == 0 and r.took / SLOWNESS < 3, f'at once when the box is empty: {r.took:.2f} s')


@test
def leak_grace_is_waited_for_only_when_asked(t):
    r = t.box('--leak-grace', slow('5s'), '--', 'sh', '-c', 'daemonize; exit 0')
    t.ok(r.code == 0 and r.took / SLOWNESS < 2, f'no report asked for: took {r.took:.2f} s')


@test
def events(t):
    rd, wr = pipe()
    with opened(rd):
        r = t.box(f'--events=fd:{wr}', '--', 'sh', '-c', 'readlink /proc/self/ns/pid; exit 3', pass_fds=[wr])
        os.close(wr)
        t.good(r, 3)
        got = [json.loads(x) for x in Lines(rd).rest().splitlines()]
    t.eq([e['event'] for e in got], ['created', 'ready', 'exec', 'exit'], 'events')
    if t.problems:
        return
    created, ready, exec_, exit_ = got
    t.ok(type(created['init_pid']) is int and re.fullmatch(r'\d+[:@]\d+', created['id']), f'created: {created}')
    t.eq(f'pid:[{created["pid_namespace"]}]', r.out.strip(), 'created: pid_namespace')
    times = [e.get('time_us') for e in got[:3]]
    t.ok(all(type(x) is int for x in times) and times == sorted(times) and times[0] >= 0, f'time_us {times}')
    t.ok(type(exec_['command_pid']) is int, f'exec: {exec_}')
    valid(t, exit_['record'], reason='exited', exit_code=3, init_pid=created['init_pid'], command_pid=exec_['command_pid'], id=created['id'])


@test
def events_as_they_happen(t):
    rd, wr = pipe()
    with opened(rd):
        p = t.start_box('--events', f'fd:{wr}', '--', 'sh', '-c', 'read x', stdin=subprocess.PIPE, pass_fds=[wr])
        os.close(wr)
        ev = Lines(rd)
        got = [json.loads(ev.line()) for _ in range(3)]
        t.eq([e['event'] for e in got], ['created', 'ready', 'exec'], 'while it runs')
        t.eq((got[0]['init_pid'], got[2]['command_pid']), (t.init_of(p), t.command_of(p)), 'PIDs')
        p.stdin.close()
        t.finish(p)
        t.eq(json.loads(ev.line())['event'], 'exit', 'at the end')
    rd, wr = pipe()
    with opened(rd):
        t.error(t.box(f'--events=fd:{wr}', '--', '/nonexistent', pass_fds=[wr]), 'NOT_FOUND', 127)
        os.close(wr)
        got = [json.loads(x) for x in Lines(rd).rest().splitlines()]
        t.ok('exec' not in [e['event'] for e in got], f'no exec event of a command that was not found: {got}')
    for v in '', 'x', 'fd:', 'fd:x', '/tmp/f':
        t.error(t.box(f'--events={v}', '--', 'true'), None, has='--events')


@test
def hold(t):
    """After `ready`, the command starts when a byte arrives; end of file first ends the box."""
    for byte in True, False:
        rd, wr = pipe()
        erd, ewr = pipe()
        with opened(erd):
            p = t.start_box('--hold-fd', str(rd), '--events', f'fd:{ewr}', '--', 'sh', '-c', 'echo ran; exit 3', pass_fds=[rd, ewr])
            os.close(rd)
            os.close(ewr)
            ev = Lines(erd)
            t.eq([json.loads(ev.line())['event'] for _ in range(2)], ['created', 'ready'], 'events')
            init = t.init_of(p)
            t.eq(children(init), [], 'no command yet')
            t.ok(not select.select([erd, p.stdout], [], [], 0.05)[0], 'nothing happens before the byte')
            if byte:
                os.write(wr, b'!')
            os.close(wr)
            code = t.finish(p)
            t.eq((code, p.out.rest()), (3, 'ran\n') if byte else (125, ''), 'status and output, ' + ('a byte' if byte else 'end of file'))
        t.nothing_left()
    for v in '', 'x', '-1':
        t.error(t.box(f'--hold-fd={v}', '--', 'true'), 'USAGE', has='--hold-fd')


@test
def a_hold_that_fails_names_its_descriptor(t):
    rd, wr = os.pipe()
    with opened(rd, wr):
        t.error(t.box('--hold-fd', str(wr), '--', 'true', pass_fds=[wr]), 'USAGE', has=['--hold-fd', f'descriptor {wr}', 'for reading'])
        os.close(wr)
        t.error(t.box('--hold-fd', str(rd), '--', 'true', pass_fds=[rd]), has=[f'--hold-fd {rd}', 'its end'])


@test
def a_signal_while_held_leaves_a_record(t):
    for sig in signal.SIGTERM, signal.SIGINT:
        rd, wr = pipe()
        erd, ewr = pipe()
        f = t.path('rec')
        with opened(rd, wr, erd):
            p = t.start_box('--hold-fd', str(rd), '--report', f, '--events', f'fd:{ewr}', '--', 'touch', 'ran', pass_fds=[rd, ewr])
            os.close(ewr)
            ev = Lines(erd)
            t.eq([json.loads(ev.line())['event'] for _ in range(2)], ['created', 'ready'], 'events')
            p.send_signal(sig)
            t.eq(t.finish(p), -sig, 'status')
            rec = t.record(f)
            valid(t, rec, reason='setup-failed', step='hold', command=['touch', 'ran'])
            t.ok(sig.name in rec['why'], f'why: {rec["why"]!r}')
            last = json.loads(ev.line())
            t.eq((last['event'], last['record']), ('exit', rec), 'the last event')
        t.nothing_left()
    t.ok(not os.path.exists(t.path('ran')), 'the command has run')


@test
def hold_on_a_standard_stream(t):
    """It is the command's as well, as with --report fd:1 and --events fd:1."""
    r = t.box('--hold-fd', '0', '--', 'cat', input='!rest')
    t.good(r, 0, 'rest')
    r = t.box('--events', 'fd:1', '--', 'echo', 'hi')
    t.good(r, 0, None)
    t.ok('hi\n' in r.out and '"exec"' in r.out, f'output {r.out!r}')


@test
def hold_and_the_front_killed(t):
    rd, wr = pipe()
    with opened(rd, wr):
        p = t.start_box('--hold-fd', str(rd), '--', 'true', pass_fds=[rd])
        t.init_of(p)
        p.kill()
        t.finish(p)
        t.nothing_left(5, 'after SIGKILL of the front')
        p = t.start_box('--hold-fd', str(rd), '--', 'true', pass_fds=[rd])
        t.init_of(p)
        p.terminate()
        t.eq(t.finish(p), -15, 'status of TERM while held')
        t.nothing_left()


@test
def summary(t):
    r = t.box('--summary', '--', 'sh', '-c', 'echo out; daemonize 77; exit 3')
    t.eq((r.code, r.out), (3, 'out\n'), 'status, output')
    t.ok(r.err.strip() and '{' not in r.err and len(r.err) < 2000, f'a short text: {r.err!r}')
    t.ok('3' in r.err and 'daemonize' in r.err, f'status and leaked are in it: {r.err!r}')
    r = t.box('--summary', '--timeout', '0.1', '--', 'sleep', '100')
    t.ok(r.code == 124 and 'time' in r.err, f'{r.err!r}')
    t.good(t.box('--summary', '--', 'sh', '-c', 'exit 5', stderr=open('/dev/full', 'w')), 5, '', None)


@test
def dry_run_does_nothing(t):
    r = t.box('--dry-run', '--hostname', 'xyz', '--unshare', 'net', '--report', t.path('rep'), '--', 'touch', t.path('ran'))
    t.good(r, 0)
    t.ok(len(r.out.splitlines()) >= 4, f'the plan on standard output: {r.out!r}')
    for word in 'proc', 'clone', 'xyz', 'touch':
        t.ok(word in r.out, f'the plan does not mention {word!r}')
    t.ok(not os.path.exists(t.path('ran')), 'the command ran')
    t.ok(not os.path.exists(t.path('rep')), 'the report was opened')
    t.error(t.box('--dry-run', '--nope', '--', 'true'), 'USAGE')
    t.eq(children(), [], 'processes')


@test
def explain_and_timing(t):
    for opt in '--explain', '--timing':
        r = t.box(opt, '--hostname', 'xyz', '--', 'sh', '-c', 'uname -n; exit 3')
        t.eq((r.code, r.out), (3, 'xyz\n'), f'{opt}: status, output')
        t.ok(len(r.err.splitlines()) >= 4 and 'proc' in r.err, f'{opt}: on standard error: {short(r.err)}')
    t.ok(re.search(r'\d', r.err), f'--timing has numbers: {short(r.err)}')
    r = t.box('--explain', '--timing', '--', 'cat', input='data')
    t.eq((r.code, r.out), (0, 'data'), 'both')
