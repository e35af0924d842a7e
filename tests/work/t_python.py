"""Python's own tests of processes and signals, from Debian's test-suite package: the same outcome inside and outside."""
import subprocess
import threading
import xml.etree.ElementTree

from worklib import Box, Failure, check, test

MODULES = ('test_signal', 'test_subprocess', 'test_os')
SLOW = ('test_siginterrupt_off', 'test_check_output_timeout')       # half a minute, and three seconds three times
PATIENCE = 250
OUTSIDE, INSIDE, USERNS = 'outside', 'inside', 'in a bare user namespace'

# Where the kernel itself answers differently in any user namespace that maps one id: a user or group that is not mapped
# is EINVAL to chown, setreuid and setregid, where these tests want the EPERM of outside. Accepted only when the test has
# the same outcome under `unshare --map-current-user` without pidbox.
UNMAPPED = ('test_os.ChownFileTests.test_chown_without_permission',
            'test_subprocess.POSIXProcessTestCase.test_user', 'test_subprocess.POSIXProcessTestCase.test_group')


class Part:
    """One module in one place, with the outcome of each of its tests."""
    def __init__(self, stage, module, where, match=()):
        self.stage, self.module, self.where = stage, module, where
        self.error, self.nameless = None, 0
        self.folder = stage.folder('python')
        self.xml = self.folder + '/result.xml'
        argv = ['unshare', '--map-current-user'] if where == USERNS else []
        argv += ['/usr/bin/python3', '-m', 'test', '-W', '--junit-xml', self.xml, '--tempdir', self.folder, module]
        for name in match:
            argv += ['--match', name]
        if stage.quick and not match:
            for name in SLOW:
                argv += ['--ignore', name]
        env = dict(stage.env, PYTHONPATH=stage.need('testsuite'), PYTHONDONTWRITEBYTECODE='1')
        plain, stage.plain = stage.plain, stage.plain or where != INSIDE
        try:
            self.box = Box(stage, argv, cwd=self.folder, env=env, start_new_session=True, stderr=subprocess.STDOUT)
        finally:
            stage.plain = plain

    def wait(self):
        try:
            self.status = self.box.front.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.error = '%s %s: not done within %d s\n%s' % (self.module, self.where, PATIENCE, self.box.log()[-1500:])

    def outcomes(self):
        """Each test's outcome and, when it was skipped, the reason."""
        if self.error:
            raise Failure(self.error)
        if self.where == INSIDE:
            left = self.stage.inside(self.box)
            check(not left, 'pidbox returned and these still ran: %s' % '; '.join(map(str, left)))
        self.stage.ended(self.box)
        try:
            tree = xml.etree.ElementTree.parse(self.xml)
        except (OSError, xml.etree.ElementTree.ParseError) as error:
            raise Failure('%s %s: status %s, no result (%s)\n%s' % (
                self.module, self.where, self.status, error, self.box.log()[-1500:]))
        found = {}
        for case in tree.iter('testcase'):
            if not case.get('name'):        # how this format shows a test of which a subtest failed
                self.nameless += 1
                continue
            outcome = 'ok'
            for child in case:
                if child.tag in ('skipped', 'failure', 'error'):
                    outcome = child.tag + ': ' + ' '.join((child.get('message') or child.text or '').split())[-300:]
            found[case.get('name')] = outcome
        return found


def run(stage, modules, where, match=()):
    parts = [Part(stage, module, where, match) for module in modules]
    threads = [threading.Thread(target=part.wait) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if stage.plain or where != INSIDE:
        for part in parts:
            stage.ended(part.box)
        stage.sweep()               # without a box these tests leave processes behind
    return parts


def kind(outcome):
    """What is compared: a reason to skip whole, of a failure only that it is one (its text has addresses and paths)."""
    return outcome if outcome.startswith('skipped') else outcome.split(':')[0].replace('error', 'failure')


class Pair:
    """The outcomes of one module in two places."""
    def __init__(self, one, other):
        self.one, self.other = one, other
        self.a, self.b = one.outcomes(), other.outcomes()
        for part, mine, yours in ((one, self.a, self.b), (other, self.b, self.a)):
            for name in yours:
                mine.setdefault(name, 'failure: in a subtest' if part.nameless else 'did not run')
        self.differ = sorted(n for n in self.a if kind(self.a[n]) != kind(self.b[n]))

    def show(self, name):
        return '%s\n  %s: %s\n  %s: %s' % (name, self.one.where, self.a[name], self.other.where, self.b[name])


def again(stage, module, names, where):
    return Pair(run(stage, [module], where, names)[0], run(stage, [module], INSIDE, names)[0])


def judge(stage, outside, inside):
    """What is wrong with one module, and a note on it."""
    first = last = Pair(outside, inside)
    check(len(first.a) > 20, '%s: only %d tests ran outside: %s' % (outside.module, len(first.a), outside.box.log()[-800:]))
    for _ in range(2):              # a loaded machine makes tests of time limits fail now and then: these alone, again
        if last.differ:
            last = again(stage, outside.module, last.differ, OUTSIDE)
    unsteady = [n for n in first.differ if n not in last.differ]
    wrong, kernel = list(last.differ), []
    if wrong and not stage.root and not stage.plain:
        bare = again(stage, outside.module, wrong, USERNS)
        kernel = [n for n in wrong if n.endswith(UNMAPPED) and n not in bare.differ]
        wrong = [n for n in wrong if n not in kernel]
    texts = [last.show(n) for n in wrong]
    if texts:
        texts.append(last.other.box.log()[-2500:])
    elif not first.differ and outside.status != inside.status:
        texts.append('%s: status %s outside, %s inside' % (outside.module, outside.status, inside.status))
    outcomes = list(first.b.values())
    note = '%s %d tests, %d skipped, %d failed inside' % (
        inside.module, len(outcomes), sum(o.startswith('skipped') for o in outcomes),
        sum(o.startswith(('failure', 'error')) for o in outcomes))
    if unsteady:
        note += ' (differed once, not again: %s)' % ', '.join(unsteady)
    if kernel:
        note += ' (differ as in any user namespace with one id, %s: %s)' % (USERNS, ', '.join(kernel))
    return texts, note


@test('python: %s from Debian\'s test suite, test by test the same outcome inside and outside' % ', '.join(MODULES))
def compare(stage):
    stage.need('python3'), stage.need('testsuite')
    outside, inside = run(stage, MODULES, OUTSIDE), run(stage, MODULES, INSIDE)
    wrong, notes = [], []
    for pair in zip(outside, inside):
        texts, note = judge(stage, *pair)
        wrong += texts
        notes.append(note)
    check(not wrong, 'outcomes differ (%s)\n%s' % ('; '.join(notes), '\n'.join(wrong)))
    return '; '.join(notes)
