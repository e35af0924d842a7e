# SPDX-License-Identifier: MIT
"""The guide, docs/guide: every chapter is a session that is given again and compared (session.py, transcript.py). And the
comparison itself: no line of a chapter can be changed, left out or added without being found."""
import session
import test_oci
from support import *
from transcript import AGE, CPU, ID, NUMBER, SECONDS, STAMP, TIME, Transcript, commands_of

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs', 'guide')
PAGES = {}
for _f in sorted(os.listdir(GUIDE)):
    if re.fullmatch(r'\d\d-[a-z0-9-]+\.md', _f):
        session.load(os.path.join(GUIDE, _f), {'podman': test_oci.reader})
        with open(os.path.join(GUIDE, _f), encoding='utf-8') as _page:
            PAGES[_f] = _page.read()


def follows(commands, outputs):
    """Does a run that prints these outputs follow the page?"""
    rules = Transcript()
    for c, out in zip(commands, outputs):
        rules.typed(c.text)
        if rules.difference(c.output, out):
            return False
    return True


def wrong_lines(line):
    """The line with a letter changed, for every letter that is not part of what may differ from run to run."""
    free = [m.span() for m in re.finditer(rf'{STAMP}|{AGE}|{CPU}|{ID}|{NUMBER}|{TIME}|{SECONDS}|\d+ (?=\d\d:\d\d )', line)]
    for i, c in enumerate(line):
        if c != ' ' and not any(a <= i < b for a, b in free):
            yield line[:i] + ('x' if c != 'x' else 'y') + line[i + 1:]


@each(PAGES, modes='root')
def a_wrong_line_is_found(t, page):
    commands = commands_of(page)
    t.ok(sum(len(c.output) for c in commands) > 5, 'there is something to compare')
    rules = Transcript()
    for c in commands:
        rules.typed(c.text)
        known = dict(rules.numbers)

        def passes(out):
            rules.numbers = dict(known)
            return not rules.difference(c.output, out)
        for n, line in enumerate(c.output):
            for wrong in [[x] for x in wrong_lines(line)] + [[], [line, line]]:
                t.ok(not passes(c.output[:n] + wrong + c.output[n + 1:]), f'line {c.line}: {wrong} instead of {line!r}')
        t.ok(not passes(c.output + ['more']), f'line {c.line}: a line more')
        t.ok(passes(c.output), f'line {c.line}: what it says is what it says')


@test(modes='root')
def a_number_is_the_same_throughout(t):
    """What a number stands for is seen from where it comes up first; then it is that."""
    page = commands_of('```console\n$ a 1000\n4711 1000\n$ b 4711\n4711 4712\n```\n')
    def judge(*outs):
        return follows(page, [[o] for o in outs])
    t.ok(judge('8 1000', '8 9'), 'other numbers')
    t.ok(not judge('8 1001', '8 9'), 'what a command named is itself')
    t.ok(not judge('8 1000', '9 10'), 'another number than before')
    t.ok(not judge('8 1000', '8 8'), 'the same number where there were two')
    rules = Transcript()
    t.eq(rules.difference(['4711'], ['23']), None, 'it is bound')
    t.eq(rules.typed('kill 4711 4713'), 'kill 23 4713', 'and typed as it is here')


@test(modes='root')
def an_id_is_the_same_throughout(t):
    """That of a container, whose digits are no numbers. A shorter or a longer one is a word, letter by letter."""
    page = commands_of('```console\n$ a\nid:5a85508db080 up\n$ b 5a85508db080\n5a85508db080 5a85508db081\n```\n')
    def judge(*outs):
        return follows(page, [[o] for o in outs])
    t.ok(judge('id:123456abcdef up', '123456abcdef 000000000000'), 'other ids')
    t.ok(not judge('id:123456abcdef up', '123456abcdee 000000000000'), 'another id than before')
    t.ok(not judge('id:123456abcdef up', '123456abcdef 123456abcdef'), 'the same id where there were two')
    page = commands_of('```console\n$ a\n5a85508db080{0}\n$ b\n5a85508db080 5a85508db080{0}\n```\n'.format('0' * 52))
    long = '123456abcdef' + 26 * '1b'
    t.ok(judge(long, f'123456abcdef {long}'), 'a long one begins with the short one')
    t.ok(not judge(long, f'123456abcdee {long}'), 'with another')
    t.ok(not judge(long, f'123456abcdef 123456abcdef{26 * "1c"}'), 'and is the same one')
    for wrong in 'id:123456abcde up', 'id:123456abcdef0 up', 'id:123456abcdeg up', 'id:123456ABCDEF up':
        t.ok(Transcript().difference(['id:5a85508db080 up'], [wrong]), wrong)
    rules = Transcript()
    t.eq(rules.difference(['5a85508db080'], ['123456abcdef']), None, 'it is bound')
    t.eq(rules.typed('a id:5a85508db080 5a8550'), 'a id:123456abcdef 5a8550', 'and typed as it is here')


@test(modes='root')
def a_section_is_a_session_of_its_own(t):
    """When comments stand above it: up to the next section, and for those whom it says. The rest of the page is another."""
    block = '```console\n{}\n```\n'.format
    page = f'<!-- modes: user -->\n# A\n{block("$ a")}<!-- a remark -->\n## B\n{block("$ b")}\n<!-- modes: root -->\n' \
        f'<!-- needs: it -->\n## C d\n{block("# c")}### E\n{block("# e")}## F\n{block("$ f")}'
    got = {title: session.parse_page(part) for title, part in session.parts_of(page).items()}
    t.eq({title: ([s.cmd for s in steps], opts) for title, (steps, opts) in got.items()},
         {None: (['a', 'b', 'f'], {'modes': 'user'}), 'C d': (['c', 'e'], {'modes': 'root', 'needs': 'it'})}, 'sessions')
    lines = page.splitlines()
    t.eq([(s.line, lines[s.line - 1][2:]) for steps, _ in got.values() for s in steps],
         [(s.line, s.cmd) for steps, _ in got.values() for s in steps], 'lines of the page')
    t.eq(session.parts_of(f'# A\n{block("$ a")}## B\n'), {None: f'# A\n{block("$ a")}## B\n'}, 'a page that is one')


@test
def a_wrong_page_fails(t):
    """The whole way, from the page to the failure."""
    good = '```console\n$ echo $$\n4711\n$ test $$ = 4711; echo $?\n0\n$ printf a\na (no newline)\n```\n'
    wrong = {'nothing': (good, 0), 'a letter': (good.replace('\na (', '\nb ('), 1), 'a status': (good.replace('\n0\n', '\n1\n'), 1),
             'a line less': (good.replace('\n0\n', '\n'), 1), 'a number': (good.replace('= 4711;', '= 4712;'), 1),
             'late words': (good.replace('printf', '(until [ -e .over ]; do :; done; echo late) & trap ": >.over" EXIT; printf'), 1)}
    for name, (page, failures) in wrong.items():
        with t.case(name):
            steps, opts = session.parse_page(page)
            had, t.problems = t.problems, []
            session.run(t, name, steps, opts, session.Page())
            had, t.problems = t.problems, had
            t.eq(len(had), failures, f'failures: {had}')
            os.unlink(t.path('.next'))
    with t.case('an end'):
        try:
            session.run(t, 'end', *session.parse_page('```console\n$ exit 3\n```\n'), session.Page())
            t.note('a shell that has ended was not noticed')
        except Fail as e:
            t.ok('the shell ended' in str(e), f'{e}')
    try:
        session.parse_page('```console\n# id\n```\n')
        t.note("root's prompt for an ordinary user")
    except SyntaxError:
        pass
