"""A script that leaks daemons: gone when pidbox returns, and named by the report."""
import os
import random
import signal
import time

from worklib import Box, Failure, check, equal, processes, test, until

KINDS = 4                           # what helpers/leaker.py leaves


def leaker(stage, status=0, *more):
    number = random.randrange(100, 90000) * 1000
    return number, ['/usr/bin/python3', os.path.join(stage.helpers, 'leaker.py'), str(status), str(number)] + list(more)


def alive(number):
    wanted = {str(number + n) for n in range(1, KINDS + 1)}
    return [p for p in processes().values() if p.comm == 'sleep' and wanted & set(p.command().split())]


def gone(number):
    left = alive(number)
    check(not left, 'still there: ' + '; '.join(map(str, left)))


def named(record, number):
    commands = [' '.join(x['command'] or []) for x in record['leaked']]
    for n in range(1, KINDS + 1):
        check('sleep %d' % (number + n) in commands, 'the record does not name "sleep %d": %r' % (number + n, record['leaked']))
    check(any('leaker.py' in c for c in commands), 'the record does not name the leaking keeper: %r' % commands)
    for entry in record['leaked']:
        check(entry['inside_pid'] > 2 and entry['pid'] > 0 and entry['age_us'] >= 0, 'odd entry: %r' % entry)
    equal(len(record['leaked']), KINDS + 1, 'number of leaked processes (%r)' % commands)


@test('leaks: daemons (double fork, setsid, deaf to SIGTERM) are gone when pidbox returns, its pipe is at end of file, '
      'and the record names each')
def leaks_gone(stage):
    number, command = leaker(stage, 7)
    reader, writer = os.pipe()
    box = Box(stage, command, stdout=writer)
    os.close(writer)
    status = box.wait()
    if stage.plain:                 # the script leaks indeed
        equal(len(alive(number)), KINDS, 'daemons that outlive a plain run')
        stage.sweep()
        return 'all %d daemons outlive it without pidbox' % KINDS
    gone(number)
    os.set_blocking(reader, False)
    equal(os.read(reader, 100), b'leaked\n', 'output')
    try:
        equal(os.read(reader, 100), b'', 'end of file at once')
    except BlockingIOError:
        raise Failure('its standard output is still open somewhere after pidbox has returned')
    finally:
        os.close(reader)
    equal(status, 7, 'exit status')
    record = box.record()
    equal((record['reason'], record['exit_code']), ('exited', 7), 'reason and exit code')
    named(record, number)


@test('leaks: --fail-on-leak is 123, the command\'s own failure goes before it, and no leak is the command\'s 0',
      box=True)
def leaks_fail(stage):
    for own, expected in ((0, 123), (7, 7)):
        number, command = leaker(stage, own)
        done = stage.run(command, ['--fail-on-leak'])
        gone(number)
        equal(done.status, expected, 'status with --fail-on-leak of a command that exits %d (%s)' % (own, done.err))
        named(done.record, number)
        if own == 0:
            check('sleep %d' % (number + 1) in done.err, '--fail-on-leak does not name the leaked: %r' % done.err)
    done = stage.run(['sh', '-c', 'sleep 0 & wait'], ['--fail-on-leak'])
    equal((done.status, done.record['leaked']), (0, []), 'status and leaked of a command that leaks nothing')


@test('leaks: --on-exit term with deaf daemons ends after the grace', box=True)
def leaks_term(stage):
    number, command = leaker(stage)
    start = time.monotonic()
    done = stage.run(command, ['--on-exit', 'term', '--grace', '500ms'])
    took = time.monotonic() - start
    gone(number)
    equal(done.status, 0, 'exit status (%s)' % done.err)
    check(0.5 <= took < 8, '--grace 500ms took %.2f s' % took)
    named(done.record, number)


@test('leaks: a time limit ends a command that ignores SIGTERM and its daemons: 124', box=True)
def leaks_timeout(stage):
    number, command = leaker(stage, 0, 'stay')
    done = stage.run(command, ['--timeout', '2s', '--grace', '200ms'])
    gone(number)
    equal((done.status, done.record['reason']), (124, 'timeout'), 'status and reason (%s)' % done.err)


@test('leaks: SIGKILL of pidbox itself: every daemon goes', box=True)
def leaks_killed(stage):
    number, command = leaker(stage, 0, 'stay')
    box = Box(stage, command)
    until(lambda: 'leaked' in box.log(), 'the daemons are up', on_late=box.log)
    equal(len(alive(number)), KINDS, 'daemons')
    box.send(signal.SIGKILL)
    equal(box.front.wait(), -signal.SIGKILL, 'status')
    until(lambda: not alive(number), 'the daemons are gone after SIGKILL of pidbox', 5)
    until(lambda: not stage.left(zombies=False), 'the init is gone after SIGKILL of pidbox', 5)
    stage.reap()
    equal(box.record()['reason'], 'parent-gone', 'reason in the record, which the init writes then')
    stage.ended(box)


@test('leaks: --summary names them on standard error', box=True)
def leaks_summary(stage):
    number, command = leaker(stage)
    done = stage.run(command, ['--summary'])
    gone(number)
    equal(done.status, 0, 'exit status')
    check('sleep %d' % (number + 1) in done.err, 'not named: %r' % done.err)
    equal(done.out, 'leaked\n', 'standard output')
