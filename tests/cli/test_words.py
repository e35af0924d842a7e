# SPDX-License-Identifier: MIT
"""What pidbox says of itself: the manual has what the headers have, and its errors the fix that helps."""
from support import *

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
# Read now: the clone may be in a folder that the user of a test may not enter.
HEADERS = ''.join(open(os.path.join(TOP, 'include', f)).read() for f in sorted(os.listdir(os.path.join(TOP, 'include'))))
MANUAL = open(os.path.join(TOP, 'man', 'pidbox.1')).read()


def verb(t, *args, **kw):
    return t.run([t.pidbox, *args], **kw)


@test(modes='user')
def every_code_has_a_meaning(t):
    """pidbox(1) has each code of the headers, once, with words below it."""
    codes = set(re.findall(r'^\tPIDBOX_CODE_([A-Z0-9_]+),', HEADERS, re.M)) - {'NONE', 'MAX_'}
    t.eq(codes, CODES, 'the codes of the headers')
    entries = re.findall(r'^\.It Li ([A-Z0-9_]+)\n([^.\n].*)?', MANUAL[MANUAL.index('.Sh DIAGNOSTICS'):], re.M)
    t.eq(sorted(code for code, _ in entries), sorted(codes), 'the codes of the manual')
    t.eq([code for code, meaning in entries if not meaning], [], 'codes without a meaning')


@test(modes='user')
def version_names_the_verbs(t):
    verbs = [line.split()[0] for line in verb(t, 'help').out.splitlines() if line.startswith('  ')]
    r = t.good(verb(t, '--version'))
    t.eq(re.search(r'^built in: (.*?);', r.out, re.M)[1].split(), [v for v in verbs if v not in ('help', 'version')], 'what is built in')


VERBS = {'lss': 'ls', 'exce': 'exec', 'rnu': 'run', 'kil': 'kill', 'wiat': 'wait', 'tre': 'tree', 'versoin': 'version', 'bogus': None, 'x' * 100: None}


@each({word[:20]: (word, verb) for word, verb in VERBS.items()}, modes='user')
def misspelt_verb(t, word, want):
    r = verb(t, word)
    t.error(r, 'USAGE', has=[word, f'did you mean `pidbox {want}`?' if want else '`pidbox help`'])
    t.ok(want or 'did you mean' not in r.err, r.err)


@test(modes='user')
def misspelt_options(t):
    for args, want in {('run', '--nmae', 'x'): '--name', ('run', '--nam', 'x'): '--name', ('run', '--tiemout', '1'): '--timeout',
                       ('ps', '--jsno'): '--json', ('exec', '--usre', 'x', 'b'): '--user', ('kill', '--signla', '9', 'b'): '--signal'}.items():
        t.error(verb(t, *args), 'USAGE', has=[args[1], f'did you mean {want}?'])


@test(modes='user')
def options_of_exec(t):
    """The parser is that of run: the errors speak of exec all the same, and say what is right."""
    for args, has in {('--events', '3'): 'fd:3', ('--report', ''): 'name a file', ('--report', 'fd:x'): '3>FILE', ('--timeout', 'x'): '1m30s',
                      ('--grace', 'x'): '1m30s', ('--stop-signal', 'x'): 'RTMIN+1'}.items():
        r = verb(t, 'exec', *args, '1', 'true')
        t.error(r, 'USAGE', has=['pidbox exec', args[0], has])
        t.ok('pidbox run' not in r.err, r.err)


@test(modes='user')
def kept_descriptors_in_the_plan(t):
    for args, want in {('-d',): '0, 1, 2', ('--close-fds', '--keep-fd', '7', '--keep-fd', '9'): '0, 1, 2, 7, 9'}.items():
        r = t.good(t.box('--dry-run', *args, 'true'))
        t.eq(re.findall(r'close_range\(\) but for (.*)', r.out), [want], f'{args}: what stays open')


@test
def options_behind_the_box(t):
    """They are the command there, as under docker and nsenter: when there is no such command that is the likely mistake."""
    p = t.start_box('--', '/bin/sh', '-c', 'echo up; exec sleep 1000')
    t.eq(p.out.line(15), 'up', 'the command')
    t.error(verb(t, 'exec', str(p.pid), '--timeout', '1s', 'true'), 'NOT_FOUND', 127, has=f'pidbox exec --timeout ... {p.pid}')
    for args in ['--', '--timeout', '1s'], ['no-such-command']:
        r = verb(t, 'exec', str(p.pid), *args)
        t.error(r, 'NOT_FOUND', 127)
        t.ok('options go before' not in r.err, r.err)
    t.good(verb(t, 'kill', '--grace', '0', str(p.pid)))
    t.finish(p)
