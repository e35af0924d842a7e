# SPDX-License-Identifier: MIT
"""Standard streams and descriptors: inherited, closed, kept; none of pidbox's own inside."""
from support import *


def inside(t, *args, pre=None, helper_args=(), **kw):
    """fd -> identity inside."""
    r = t.box(*args, '--', t.helper('fds'), *helper_args, pre=pre, **kw)
    t.good(r, 0)
    return {int(x.split()[0]): x.split()[1] for x in r.out.splitlines()}


def ident(fd):
    st = os.fstat(fd)
    return f'{st.st_dev:x}:{st.st_ino}'


def files(t, count):
    """count open files, each another one."""
    out = []
    for i in range(count):
        out.append(os.open(t.path(f'file{i}'), os.O_RDWR | os.O_CREAT))
        os.write(out[-1], b'%d' % i)
    return out


@test
def nothing_of_its_own_inside(t):
    for args in ([], ['--as-pid1'], ['--timeout', '10'], ['--unshare', 'all'], ['--map', 'root'], ['--proc', 'none'],
                 ['--summary'], ['--fail-on-leak'], ['--report', t.path('r')], ['--time-offset', 'boottime=5'], ['--proc', 'keep']):
        with t.case(' '.join(args)):
            r = t.box(*args, '--', t.helper('fds'))
            t.eq([x.split()[0] for x in r.out.splitlines()], ['0', '1', '2'], 'open inside')


@test
def inherited_under_their_numbers(t):
    fds = files(t, 40)
    with opened(*fds):
        want = {fd: ident(fd) for fd in fds}
        got = inside(t, pass_fds=fds)
        t.eq({k: v for k, v in got.items() if k > 2}, want, 'descriptors above 2')
        got = inside(t, '--report', t.path('r'), '--timeout', '9', pass_fds=fds)
        t.eq({k: v for k, v in got.items() if k > 2}, want, 'with a report')
    high = 700
    with opened(*files(t, 1), high):
        os.dup2(os.open(t.path('file0'), os.O_RDONLY), high)
        t.eq(sorted(inside(t, pass_fds=[high])), [0, 1, 2, high], 'a high number')


@test
def close_and_keep(t):
    fds = files(t, 4)
    a, b, c, d = fds
    with opened(*fds):
        t.eq(sorted(inside(t, '--close-fds', pass_fds=fds)), [0, 1, 2], '--close-fds')
        t.eq(sorted(inside(t, '--close-fds', '--keep-fd', str(b), pass_fds=fds)), [0, 1, 2, b], '--keep-fd')
        got = inside(t, '--keep-fd', str(a), '--close-fds', f'--keep-fd={d}', pass_fds=fds)
        t.eq(got.get(d), ident(d), 'identity')
        t.eq(sorted(got), [0, 1, 2, a, d], 'two of them')
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def open_high():
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            os.dup2(a, 19000 if hard == resource.RLIM_INFINITY else min(19000, hard - 1))
        t.eq(sorted(inside(t, '--close-fds', pre=open_high, pass_fds=fds)), [0, 1, 2], 'a high one')
    for v in '-1', 'x', '', '99999999999':
        t.error(t.box('--close-fds', f'--keep-fd={v}', '--', 'true'), 'USAGE', has='--keep-fd')
    for opts in [], ['--close-fds']:
        t.error(t.box(*opts, '--keep-fd', '99', '--', 'true'), 'USAGE', has='--keep-fd 99')


@test
def used_by_pidbox_not_inherited(t):
    """--report fd:N, --events fd:N, --hold-fd N: pidbox's, none of it inside."""
    fds = files(t, 3)
    rd, wr = pipe()
    os.write(wr, b'x')
    with opened(*fds, rd, wr):
        for args, fd in (['--report', f'fd:{fds[0]}'], fds[0]), (['--events', f'fd:{fds[1]}'], fds[1]), (['--hold-fd', str(rd)], rd):
            got = inside(t, *args, pass_fds=[*fds, rd])
            t.eq(sorted(got), sorted({0, 1, 2, *fds, rd} - {fd}), f'{args[0]}: open inside')


CLOSED = {'stdin': (0,), 'stdout': (1,), 'stderr': (2,), 'in and out': (0, 1), 'all': (0, 1, 2)}


@each(CLOSED)
def closed_streams(t, *closed):
    def pre():
        for fd in closed:
            os.close(fd)
    out = t.path('list')
    for args in [], ['--report', t.path('rec')], ['--timeout', '10'], ['--close-fds']:
        r = t.box(*args, '--', t.helper('fds'), out, pre=pre)
        t.eq(r.code, 0, f'{args}: status ({r.err})')
        got = [int(x.split()[0]) for x in open(out)]
        t.eq(got, [fd for fd in (0, 1, 2) if fd not in closed], f'{args}: open inside')
        os.unlink(out)
    t.eq(t.box('--', 'sh', '-c', 'exit 9', pre=pre).code, 9, 'status')
    t.eq(t.box('--', '/nonexistent', pre=pre).code, 127, 'status of an error')
    t.eq(t.box('--nope', pre=pre).code, 125, 'status of a usage error')
    t.eq(t.box('--timeout', '0.1', '--', 'sleep', '100', pre=pre).code, 124, 'time limit')


@test
def writing_to_a_closed_stdout_is_the_commands_matter(t):
    r = t.sh('pidbox run -- sh -c "echo hi" >&-')
    t.ok(r.code in (1, 2), f'status {r.code}: dash says 2, others 1')
    r = t.sh('pidbox run -- true >/dev/full')
    t.good(r, 0)


@test
def streams(t):
    data = os.urandom(300000)
    r = t.run([t.pidbox, 'run', '--', 'sha256sum'], input=data)
    t.eq(r.out.split()[:1], [hashlib.sha256(data).hexdigest()], 'a pipe on standard input')
    f = t.write('in', 'one\ntwo\nthree\n')
    r = t.sh(f'exec <in; read a; pidbox run -- sh -c "read b; echo \\$b"; cat')
    t.good(r, 0, 'two\nthree\n')
    r = t.sh('pidbox run -- sh -c "echo out; echo err >&2"')
    t.good(r, 0, 'out\n', 'err\n')
    a, b = socket.socketpair()
    with a, b:
        p = t.start_box('--', 'cat', stdin=b, stdout=b)
        b.close()
        a.sendall(b'ping\n')
        t.eq(a.recv(100), b'ping\n', 'a socket as both')
        a.shutdown(socket.SHUT_WR)
        t.eq(t.finish(p), 0, 'status')
        t.eq(a.recv(100), b'', 'end of file')
    r = t.run(['bash', '-c', 'pidbox run -- cat <(echo subst); cat <(pidbox run -- echo from box)'])
    t.good(r, 0, 'subst\nfrom box\n')
    r = t.run(['bash', '-c', 'set -o pipefail; pidbox run -- echo a | pidbox run -- cat | pidbox run -- sed s/a/b/'])
    t.good(r, 0, 'b\n')


@test
def end_of_file_when_it_returns(t):
    """The guarantee: its pipes are at end of file when `pidbox run` returns, whatever holds them inside."""
    for i in range(40):
        rd, wr = pipe()
        with opened(rd):
            p = t.start_box('--', 'sh', '-c', 'daemonize; daemonize; sleep 100 & exit 0', stdout=wr, pass_fds=[wr])
            os.close(wr)
            code = t.finish(p)
            p.stderr.close()
            if not t.ok(code == 0, f'round {i}: status {code}') or not t.ok(at_eof(rd), f'round {i}: the pipe is not at end of file'):
                break
            t.nothing_left()


@test
def make_jobserver(t):
    if not shutil.which('make'):
        t.skip('no make')
    t.write('Makefile', 'all: a b c\na b c:\n\t+@pidbox run -- $(MAKE) --no-print-directory -f inner $@\n')
    t.write('inner', 'a b c: %: x-% y-%\n\t@echo done $@\nx-% y-%:\n\t@true\n')
    r = t.run(['make', '-j3'])
    t.eq((r.code, sorted(r.out.splitlines()), r.err), (0, ['done a', 'done b', 'done c'], ''), 'make -j3 with the inner make in boxes')
