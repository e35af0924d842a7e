# SPDX-License-Identifier: MIT
"""pidbox doctor --semantics: the rules of pid_namespaces(7), played on this kernel."""
from support import *
from test_doctor import doctor

RULES = [f'R{i}' for i in range(1, 11)]


def rules(t, **kw):
    r = doctor(t, '--semantics', '--json', **kw)
    t.ok(r.code in (0, 1) and r.err == '', f'status {r.code}, {r.err!r}')
    rows = json.loads(r.out)['semantics']
    t.eq([list(x) for x in rows], [['rule', 'holds', 'observed']] * 10, 'keys')
    t.eq([x['rule'] for x in rows], RULES, 'rules')
    return {x['rule']: types.SimpleNamespace(**x) for x in rows}


def seen(t, rule, pattern):
    m = re.fullmatch(pattern, rule.observed)
    t.ok(m, f'{rule.rule}: {rule.observed}')
    return [int(x) for x in m.groups()] if m else None


@test
def they_hold(t):
    """What the kernel promises in pid_namespaces(7), user_namespaces(7), uts_namespaces(7), with the numbers that were seen."""
    r = rules(t)
    for x in r.values():
        t.eq(x.holds, True, f'{x.rule}: {x.observed}')
    inside, outside = seen(t, r['R1'], r'getpid\(\) in the child: (\d+); its parent sees (\d+)') or (0, 0)
    t.ok(inside == 1 < outside, 'R1: the numbers')
    before, = seen(t, r['R2'], r'one clone made 4 of 4 namespaces new; while the child waited its parent mapped it: uid (\d+) became 7') or (0,)
    t.eq(before, int(open('/proc/sys/kernel/overflowuid').read()), 'R2: an id without a map')
    still, other = seen(t, r['R3'], r'unshare: still PID (\d+), its next child is 1; setns: still PID (\d+), its next child is 2') or (0, 0)
    t.ok(still > 1 < other, 'R3: the numbers')
    before, outside = seen(t, r['R4'], r'/proc/self inside: (\d+) before .* 1 after; outside it is (\d+) all the time') or (0, 0)
    t.ok(before > 1 < outside, 'R4: the numbers')
    t.ok(f'outside it is "{os.uname().nodename}" still' in r['R5'].observed, f'R5: {r["R5"].observed}')
    seen(t, r['R6'], 'orphan 3: its parent was 2, then 1; PID 1 got SIGCHLD from 3 and reaped 3')
    t.ok('5 sent, PID 1 still there; handled 1, pending 1; from outside: SIGTERM sent, still there; SIGKILL ended it; a fault' in r['R7'].observed,
         f'R7: {r["R7"].observed}')
    seen(t, r['R8'], r'SIGKILL to PID 1 \((\d+) outside\): 2 and 3 ended with it; its end was not reported until (\d+), which had entered by setns, was reaped')
    seen(t, r['R9'], r'PID 1 \((\d+) outside\) has ended; the next fork there: ENOMEM')
    m = re.fullmatch(r'a process 3 levels below has the PIDs ([\d ]+) 3 2 1; (\d+) levels could be nested below this one, then ENOSPC', r['R10'].observed)
    if t.ok(m, f'R10: {r["R10"].observed}'):
        t.ok(0 < int(m[2]) <= 32, f'R10: {m[2]} levels')
        t.eq(len(m[1].split()), len(re.search(r'NSpid:\s*(.*)', open('/proc/self/status').read())[1].split()), 'R10: a number for each level above')


@test
def text_and_status(t):
    r = doctor(t, '--semantics')
    t.eq((r.code, r.err), (0, ''), 'status and standard error')
    for i in RULES:
        t.eq(len(re.findall(rf'^holds +{i}: \S.*\n  seen: \S', r.out, re.M)), 1, i)
    t.ok('semantics' not in json.loads(doctor(t, '--json').out), 'without --semantics there are none')


@test
def nothing_is_left_of_them(t):
    t.eq(doctor(t, '--semantics').code, 0, 'status')
    t.nothing_left()


# seccomp(2): SECCOMP_RET_ERRNO with 0 makes a call succeed that does nothing, as emulations of Linux have them.
@each({'hostname': ('sethostname', 'R5'), 'mount': ('mount', 'R4'), 'setns': ('setns', 'R3')})
def one_that_does_not_hold(t, call, rule):
    if os.uname().machine != 'x86_64':
        t.skip('the filter knows x86-64')
    r = rules(t, pre=['deny', '0', call, '--'])
    t.eq((r[rule].holds, r['R1'].holds), (False, True), f'{rule}: {r[rule].observed}; R1')
    out = doctor(t, '--semantics', pre=['deny', '0', call, '--'])
    t.ok(re.search(rf'^broken +{rule}: ', out.out, re.M), 'in the text')
    t.eq(out.code, 0 if 'A default box works here' in out.out else 1, 'the status is the default box\'s')


@test
def what_cannot_be_played(t):
    """A refusal is not a broken rule: null, and the call."""
    r = rules(t, pre=['deny', 'EPERM', 'namespaces', '--'])
    for x in r.values():
        t.eq(x.holds, None, x.rule)
        t.ok(re.search(r': (EPERM|ENOSYS)$', x.observed), f'{x.rule}: {x.observed}')
    r = rules(t, pre=['deny', 'EPERM', 'setns', '--'])
    t.eq((r['R3'].holds, r['R3'].observed, r['R9'].holds), (None, 'setns(CLONE_NEWPID): EPERM', True), 'setns alone')
    out = doctor(t, '--semantics', pre=['deny', 'EPERM', 'setns', '--']).out
    t.ok(re.search(r'^untried +R3: ', out, re.M), 'in the text')


@test
def without_the_calls_of_newer_kernels(t):
    """Before Linux 6.11: ENOTTY of an ioctl(2) that a pidfd does not know."""
    if os.uname().machine != 'x86_64':
        t.skip('the filter knows x86-64')
    r = rules(t, pre=['deny', str(errno.ENOTTY), 'pidns', '--'])
    t.eq([x.rule for x in r.values() if x.holds is not True], [], 'rules that do not hold')


@test
def callers_dispositions(t):
    """signal(7): ignored signals and the mask are inherited by who is executed; sigaction(2): ignored SIGCHLD loses a child's status."""
    def odd():
        for sig in signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGBUS:
            signal.signal(sig, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGBUS})
    r = json.loads(t.run([t.pidbox, 'doctor', '--semantics', '--json'], pre=odd).out)
    t.eq([x['rule'] for x in r['semantics'] if x['holds'] is not True], [], 'rules that do not hold')
    t.eq([c['name'] for c in r['checks'] if c['name'].startswith('kernel') and c['status'] != 'works'],
         [c['name'] for c in json.loads(doctor(t, '--json').out)['checks'] if c['name'].startswith('kernel') and c['status'] != 'works'], 'abilities')
