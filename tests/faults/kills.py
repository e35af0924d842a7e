# SPDX-License-Identifier: MIT
"""Whoever is killed first, and at whatever moment: nothing of the box is left."""
import json, os, signal, subprocess, time

from faultlib import (NR, Failed, Skipped, become, cfg, check_message, children_gone, end_all, environment, injected, libc, need, swept,
                      words_of)

# A command that leaves a daemon behind, so that set-up, running and end are all in one run.
LEAVER = ['/bin/sh', '-c', 'setsid sleep 1000 >/dev/null 2>&1 & exit 3']

# name, who, options, more for run()
BOXES = [
    ('plain', 'root', [], {}),
    ('plain', 'user', [], {}),
    ('report', 'root', ['--report', '/dev/null'], {}),
    ('report', 'user', ['--report', '/dev/null'], {}),
    ('map me', 'root', ['--map', 'me'], {}),
    ('map root', 'user', ['--map', 'root'], {}),
    ('hold, a byte', 'root', ['--hold-fd', 'HOLD'], {'hold': b'x'}),
    ('hold, a byte', 'user', ['--hold-fd', 'HOLD'], {'hold': b'x'}),
    ('hold, its end', 'root', ['--hold-fd', 'HOLD'], {'hold': b''}),
    ('tty', 'root', ['--tty'], {}),
    ('tty', 'user', ['--tty'], {}),
    ('as-pid1', 'root', ['--as-pid1'], {}),
    ('as-pid1', 'user', ['--as-pid1'], {}),
    ('net and time', 'root', ['--unshare', 'net,time', '--time-offset', 'boottime=100'], {}),
    ('on-exit term', 'root', ['--on-exit', 'term', '--grace', '50ms'], {}),
    ('explain', 'user', ['--explain'], {}),
    ('named', 'root', ['--name', 'n'], {}),
    ('named', 'user', ['--name', 'n'], {}),
]


# The front of a detached box, which is the one that makes the calls.
DETACHED = ['--detach', '--name', 'n', '--', *LEAVER]


def counted(who, options, more, role):
    """How many system calls the role makes, when nothing happens to it."""
    o = injected(who, ['--list'], [*options, '--', *LEAVER], **more)
    want = (125,) if more.get('hold') == b'' else (3,)
    need(o.status in want, f'without a fault: {o}')
    return len(o.calls.get(role, ()))


def front_killed(who, options, more, k, settle):
    o = injected(who, ['--kill', f'front,{k},front,{settle}'], [*options, '--', *LEAVER], **more)
    # Runs differ by a few calls of the last phase: then it was not hit, and has ended by itself.
    need(o.signal == signal.SIGKILL if o.hit else o.status is not None, f'{o}')
    if o.hit:
        swept(who)


def ask(who, *argv):
    """A verb of pidbox's, as that user."""
    p = subprocess.run([cfg.pidbox, *argv], env=environment(who), preexec_fn=become(who), capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def detached_killed(who, role, k, settle):
    """A front that goes on by itself. Its caller has been told of the box or of its failure; either way the box has ended."""
    o = injected(who, ['--kill', f'{role},{k},helper,{settle}'], DETACHED)
    need(o.status in (0, 125), f'{o}')
    need(o.out == ('n\n' if o.status == 0 else ''), f'{o}')
    if o.status == 125:
        check_message(o)
    code, out, err = ask(who, 'ls', '--own', '--json')
    need(code == 0 and not any(b['name'] == 'n' for b in json.loads(out)['boxes']), f'it is listed: {out}; {o}')
    code, out, err = ask(who, 'kill', 'n')
    need(code in (1, 125), f'kill: status {code}, {err}; {o}')
    # How it ended, when the init could write that down; else nobody knows. The command itself ends with 3.
    code, out, err = ask(who, 'wait', '--json', 'n')
    if code == 125:
        need(out == '' and ('STATUS_UNKNOWN' in err or 'NO_SUCH_BOX' in err), f'wait: {err}; {o}')
    else:
        rec = json.loads(out)
        # One that has ended by itself, and is not reaped yet when the front goes, keeps its status.
        need((rec['reason'], code) in (('parent-gone', -9), ('parent-gone', 3), ('exited', 3)), f'wait: status {code}, {out}; {o}')
    swept(who)


def init_killed(who, options, more, role, k):
    o = injected(who, ['--kill', f'{role},{k},init,5'], [*options, '--', *LEAVER], report='--report' not in options, **more)
    if not o.hit:
        return
    if o.status == 125:
        check_message(o)
    else:
        # It had started the command, or had sent its result already.
        need(o.signal == signal.SIGKILL or o.status in (3, 137), f'{o}')
        if o.signal == signal.SIGKILL and o.report:
            rec = json.loads(o.report)
            # With --as-pid1 it is the command that died; who killed it nobody knows.
            need(rec['reason'] in ('killed', 'signaled') and rec['signal'] == 'SIGKILL', f'{o.report}; {o}')
    need(o.took < 4.0, f'the front was not prompt; {o}')


def without_tracer(who, options, delay_us):
    """The same by the clock, without ptrace's stops, which change who runs when."""
    if os.getuid() != 0 and who == 'root':
        raise Skipped('not root')

    null = subprocess.DEVNULL
    p = subprocess.Popen([cfg.pidbox, 'run', *options, '--', '/bin/sleep', '1000'], stdin=null, stdout=null, stderr=null,
                         env=environment(who), start_new_session=True, preexec_fn=become(who), cwd='/')
    until = time.monotonic() + delay_us / 1e6
    while time.monotonic() < until:
        pass
    p.kill()
    p.wait()
    left = children_gone(5.0)
    names = [words_of(pid) for pid in left]
    end_all(left)
    need(not left, f'left behind: {names}')
    swept(who)


def stopped_front(who, options):
    """Time limits run in the init: a stopped front must not stop the clock."""
    null = subprocess.DEVNULL
    p = subprocess.Popen([cfg.pidbox, 'run', '--timeout', '300ms', '--grace', '0', *options, '--', '/bin/sleep', '1000'],
                         stdin=null, stdout=null, stderr=subprocess.PIPE, env=environment(), start_new_session=True, cwd='/')
    init = None
    until = time.monotonic() + 5.0
    while init is None and time.monotonic() < until:
        with open(f'/proc/{p.pid}/task/{p.pid}/children') as f:
            pids = f.read().split()
        with_command = pids and open(f'/proc/{pids[0]}/task/{pids[0]}/children').read().split()
        init = int(pids[0]) if with_command else None
    os.kill(p.pid, signal.SIGSTOP)
    until = time.monotonic() + 3.0
    while time.monotonic() < until and state_of(init) not in 'ZX':
        time.sleep(0.01)
    state = state_of(init)
    os.kill(p.pid, signal.SIGCONT)
    try:
        status = p.wait(5.0)
    except subprocess.TimeoutExpired:
        p.kill()
        raise Failed('the front does not end after SIGCONT')
    finally:
        p.stderr.close()
        left = children_gone(5.0)
        end_all(left)
    need(state in 'ZX', f'the box lived on while its front was stopped (state {state})')
    need(status == 124 and not left, f'status {status}, left {left}')


def state_of(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0]
    except OSError:
        return 'X'


def cases(quick):
    """Batches (name, who, function giving (words, call, arguments)...): counting comes first, so they are lazy."""
    for name, who, options, more in BOXES:
        def fronts(who=who, options=options, more=more):
            n = counted(who, options, more, 'front')
            step = 5 if quick else 1
            for k in range(0, n + 1, step):
                for settle in ((3,) if quick else (0, 10)):
                    yield f'before call {k}, {settle} ms', front_killed, (who, options, more, k, settle)
        yield f'SIGKILL of the front: {name}', who, fronts
    for who in 'root', 'user':
        def detached(who=who):
            o = injected(who, ['--list'], DETACHED)
            need(o.status == 0, f'without a fault: {o}')
            for k in range(1, len(o.calls.get('helper', ())) + 1, 7 if quick else 1):
                settle = 3 if quick else k % 2 * 10
                yield f'before call {k}, {settle} ms', detached_killed, (who, 'helper', k, settle)
            # Its caller has printed the name, and is about to let it go.
            k = o.calls['front'].index(NR['sendto']) + 1
            yield f'before call {k} of its caller', detached_killed, (who, 'front', k, 10)
        yield 'SIGKILL of the front: detached', who, detached
    for name, who, options, more in BOXES:
        def inits(who=who, options=options, more=more):
            for role in 'child', 'init':
                n = counted(who, options, more, role)
                for k in range(0 if role == 'init' else 1, n + 1, 4 if quick else 1):
                    yield f'before call {k} of the {role}', init_killed, (who, options, more, role, k)
        yield f'SIGKILL of the init: {name}', who, inits
    for who in 'root', 'user':
        for options in [], ['--tty'], ['--as-pid1'], ['--map', 'root']:
            def timed(who=who, options=options):
                for us in range(0, 8000, 1600 if quick else 100):
                    yield f'after {us} us', without_tracer, (who, options, us)
            yield f'SIGKILL of the front by the clock: {" ".join(options) or "plain"}', who, timed
    for options in [], ['--map', 'root']:
        def stopped(options=options):
            yield ' '.join(options) or 'plain', stopped_front, ('root', options)
        yield 'SIGSTOP of the front stops no time limit', 'root', stopped
