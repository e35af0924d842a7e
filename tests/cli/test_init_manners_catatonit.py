# SPDX-License-Identifier: MIT
"""pidbox-init by the name of catatonit."""
from manners import *


@manner('catatonit')
def catatonit_statuses(t, *row):
    m = Manner(t, *row)
    for opts in [], ['-g']:
        gives_statuses(m, opts, lambda _, why: (1, rf'ERROR \(catatonit:\d+\): failed to exec pid1: {why}'))


@manner('catatonit')
def catatonit_words(t, *row):
    m = Manner(t, *row)
    name, usage = rf'\S*{m.name}', r'usage: catatonit \[-ghLPV\] \[--\] <progname> \[<arguments>\.\.\.\]\n'
    for args in (['-h'], ['-gh', 'true'], ['-h', '-Z']):
        r = m.gives(args, 0, err=usage + '.*')
        t.ok(all(re.search(rf'^ *{o}\b', r.err, re.M) for o in ('-g', '-h', '-L', '-P', '-V')), f'{args}: {r.err!r}')
    for args in (['-V'], ['--version'], ['--vers'], ['-gV']):
        m.gives(args, 0, out=r'tini version \d+\.\d+\.\d+_catatonit' + (r'.*pidbox[^\n]*' if m.ours else '') + '\n')
    for args in (['-L'], ['-L', 'true']):
        m.gives(args, 0, out=r'(pidbox|catatonit).*(?i:warranty).*')
    for args in ([], ['--'], ['-g']):
        m.gives(args, 1, err=words(r'ERROR \(catatonit:\d+\): missing program name') + usage)
    for args, why in ((['-Z'], '.*option.*Z.*'), (['-v', 'true'], '.*option.*v.*'), (['--help'], '.*option.*help.*'),
                      (['--nonesuch', 'true'], '.*option.*'),
                      (['--version=3'], '.*option.*')):
        m.gives(args, 1, err=rf'{name}: {why}\n{usage}')


@manner('catatonit')
def catatonit_options_after_the_program(t, *row):
    """Only what is behind a -- is safely the program's: the real one takes the rest, ours does not."""
    m = Manner(t, *row)
    m.gives(['--', 'sh', '-c', 'exit 3'], 3)
    m.gives(['--', 'echo', '--', '-g'], 0, out='-- -g\n')
    m.gives(['--', '--', 'true'], 1, err=words(r'ERROR \(catatonit:\d+\): failed to exec pid1: No such file.*'))
    m.gives(['sh', '-c', 'exit 3'], 3, env={'POSIXLY_CORRECT': ''})
    if m.ours:
        m.gives(['sh', '-c', 'exit 3'], 3)
        m.gives(['echo', '-g', 'x'], 0, out='-g x\n')
    else:
        m.gives(['sh', '-c', 'exit 3'], 1, err='.*option.*c.*usage: .*')
        m.gives(['echo', '-g', 'x'], 0, out='x\n')


@manner('catatonit')
def catatonit_environment(t, *row):
    m = Manner(t, *row)
    for v in '', '0', '1':
        r = m.run('--', *SH, 'exit 3', env={'CATATONIT_DEBUG': v})
        t.eq((r.code, r.out), (3, ''), 'status and output')
        t.ok('(catatonit:' in r.err and re.search(r'pid1 \(\d+\) spawned: sh', r.err),
             f'CATATONIT_DEBUG={v}: {r.err!r}')
    for args in ['-h'], ['--', 'true'], []:
        m.gives(args, 1, env={'CATATONIT_LOG': ''}, err=words(r'ERROR \(catatonit:\d+\): CATATONIT_LOG is reserved for future use'))
    # LISTEN_PID that means catatonit means the command then
    script = ['--', 'sh', '-c', 'echo $LISTEN_PID $$ $LISTEN_FDS']
    for pid, same in ('1', m.pid1), ('4711', False), ('x', False):
        a, b, n = m.run(*script, env={'LISTEN_PID': pid, 'LISTEN_FDS': '2'}).out.split()
        t.eq((a, n), (b if same else pid, '2'), f'LISTEN_PID={pid} becomes')
    if not m.pid1:
        a, b = t.run(['sh', '-c', f'LISTEN_PID=$$ exec {m.path} -- sh -c \'echo $LISTEN_PID $$\'']).out.split()
        t.eq(a, b, 'LISTEN_PID of catatonit')


@manner('catatonit')
def catatonit_who_gets_signals(t, *row):
    m = Manner(t, *row)
    for opts, who in ([], 'me'), (['-g'], 'both'):
        f = m.family(*opts)
        f.check(PLAIN + REALTIME, who, f'{opts}: ')
        f.check([17, *JOB], 'nobody', f'{opts}: ')
        if m.pid1:
            f.check(FAULTS, 'nobody', f'{opts}: ')
        f.end()
    for kid in 'own', 'apart':
        f = m.family('-g', args=[kid])
        f.check([1, 15, 40], 'me', f'-g, the grandchild has a group ({kid}): ')
        f.end()


@manner('catatonit')
def catatonit_places_its_child(t, *row):
    m = Manner(t, *row)
    f = m.family()
    me, kid = f.facts['me'], f.facts['kid']
    t.eq((me['pgrp'], kid['pgrp']), (me['pid'], me['pid']), 'the group of the command and of its child')
    t.ok(me['sid'] != me['pid'], 'it has a session of its own')
    t.eq(os.getsid(f.me), os.getsid(f.init), 'the session of the command')
    t.eq(me['blocked'], bits(*JOB), 'blocked signals: TSTP, TTIN, TTOU')
    f.end()
    f = m.family(pre=all_blocked)
    t.eq(f.facts['me']['blocked'] & ALL_BUT, ALL_BUT, 'started with all blocked: blocked signals')
    f.check([1, 15, 40], 'me', 'started with all blocked: ')
    f.end()
    f = m.family(pre=some_ignored)
    t.eq(f.facts['me']['ignored'] & ~bits(13, 25), bits(1, 12, 22, 40), 'started with some ignored: ignored signals')
    f.check([1, 15, 40], 'me', 'started with some ignored: ')
    f.end()


@manner('catatonit')
def catatonit_reaps(t, *row):
    """As PID 1 and, being a subreaper, elsewhere."""
    m = Manner(t, *row)
    r = m.run('--', 'sh', '-c', 'echo $PPID; exec orphan')
    mine, orphan = r.out.split('\nppid ')
    t.eq(mine, orphan.strip(), 'an orphan becomes the child of')
    if m.pid1:
        t.eq(m.run('zombies', '300').out, 'made 300 left 0\n', 'zombies')
    else:
        reaped(t, m, [], {})


@manner('catatonit')
def catatonit_holds_no_descriptors(t, *row):
    m = Manner(t, *row)
    f = m.family(args=['alone'])
    t.ok(until(lambda: not os.path.exists(f'/proc/{f.init}/fd/9')), 'catatonit has descriptor 9 of its caller open')
    t.ok(os.path.exists(f'/proc/{f.me}/fd/9'), 'the command has not')
    f.end()


@manner('catatonit')
def catatonit_pause(t, *row):
    m = Manner(t, *row)
    for args in ['-P'], ['-gP', 'echo', 'not run'], ['-P', '--', 'echo', 'not run']:
        for s in signal.SIGTERM, signal.SIGINT:
            with t.case((args, s)):
                p = t.start(m.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                init = until(lambda: next((p for p in children(p.pid) if is_first(p) and comm(p).startswith(m.path)),
                                          None)) if m.pid1 else p.pid

                t.ok(until(lambda: comm(init).startswith(m.path) and state(init) == 'S'), 'not ready')
                for other in 1, 10, 20, 28, 3, 40:
                    os.kill(init, other)
                    t.ok(taken(init), f'signal {other} stays pending')
                t.eq(p.poll(), None, 'status after other signals')
                os.kill(init, s)
                t.eq(t.finish(p), 0, 'status')
                t.eq((p.stdout.read(), p.stderr.read()), (b'', b''), 'what it said')


@manner('catatonit')
def catatonit_hands_over_the_terminal(t, *row):
    m = Manner(t, *row)
    for redirect in '', '< /dev/zero':  # it is the session's terminal, not the one on standard input
        if redirect and m.pid1:
            continue  # what stands in the way there is pidbox's -t
        s, me = m.terminal(redirect=redirect)
        t.eq((me['pgrp'], me['tpgid']), (me['pid'], me['pid']), 'the command leads a group, which is in the foreground')
        if not redirect:
            for key, sig in ('\x03', 2), ('\x1c', 3):
                s.send(key)
                s.expect(f'got {sig} 128 ')  # from the terminal, not from catatonit
                t.ok('got' not in s.before, f'before that: {s.before!r}')
            s.send('\n')
        t.eq(t.finish(s.p), 7, 'status')
        t.ok('got' not in s.lines.rest(), 'one of them arrived twice')
