# SPDX-License-Identifier: MIT
"""pidbox tree: boxes and processes as one."""
import html
import xml.etree.ElementTree

from support import *
import test_ls

SCRIPT = 'readlink /proc/self/ns/pid; '


def nested(t):
    """A box with a box in it, each with a shell that waits for a line. (front, inode numbers)"""
    p = t.start_box('--', 'sh', '-c', f'{SCRIPT} {t.pidbox} run -- sh -c "{SCRIPT} read x; :"; :', stdin=subprocess.PIPE)
    inodes = [int(re.search(r'\d+', p.out.line(20)).group()) for _ in range(2)]
    until(lambda: [b['process_count'] for b in test_ls.ls(t)['boxes'] if b['pid_namespace'] == inodes[1]] == [2])
    return p, inodes


def end(t, p):
    p.stdin.write(b'\n')
    t.eq(t.finish(p), 0, 'the end of the boxes')


def tree(t, *args):
    r = t.good(t.run([t.pidbox, 'tree', '--json', *args]), err=None)
    t.ok(re.fullmatch(r'(pidbox: \d+ processes of other users could not be looked at\n)?', r.err), f'standard error: {r.err!r}')
    return json.loads(r.out)


@test
def json_of_a_box(t):
    p, inodes = nested(t)
    init = t.init_of(p)
    got = tree(t, str(p.pid))
    t.eq(list(got), ['schema', 'pid_namespace', 'id', 'init_pid', 'processes', 'children'], 'keys')
    t.eq((got['schema'], got['pid_namespace'], got['init_pid']), (1, inodes[0], init), 'the box')
    t.ok(re.fullmatch(rf'{init}[:@]\d+', got['id']), f'id {got["id"]}')
    t.eq([(q['inside_pid'], q['parent_inside_pid']) for q in got['processes']], [(1, 0), (2, 1), (got['processes'][2]['inside_pid'], 2)], 'PIDs inside')
    t.eq(got['processes'][0]['pid'], init, 'and outside')
    t.eq(len(got['children']), 1, 'boxes in it')
    inner = got['children'][0]
    t.eq((list(inner), inner['pid_namespace'], inner['children']), (list(got)[1:], inodes[1], []), 'the inner box')
    t.eq([(q['inside_pid'], q['parent_inside_pid']) for q in inner['processes']], [(1, 0), (2, 1)], 'its own PIDs, in its own numbers')
    t.eq(inner['processes'][1]['command'], ['sh', '-c', f'{SCRIPT} read x; :'], 'its command')
    for q in got['processes'] + inner['processes']:
        with open(f'/proc/{q["pid"]}/status') as f:
            t.eq(q['inside_pid'], int([x for x in f if x.startswith('NSpid')][0].split()[-1]), f'NSpid of {q["pid"]}')
    end(t, p)


@test
def all_of_it(t):
    p, inodes = nested(t)
    got = tree(t)
    t.eq((got['pid_namespace'], got['init_pid']), (test_ls.inode('pid'), 1), 'the own namespace is the root')
    t.ok(p.pid in [q['pid'] for q in got['processes']], 'the front is in it')
    child = [c for c in got['children'] if c['pid_namespace'] == inodes[0]]
    t.eq([len(c['children']) for c in child], [1], 'the box, and one in it')
    end(t, p)


@test
def for_people(t):
    p, inodes = nested(t)
    init = t.init_of(p)
    r = t.good(t.run([t.pidbox, 'tree', str(init)]))
    lines = r.out.splitlines()
    t.eq(lines[0].split(), ['INSIDE', 'OUTSIDE', 'USER', 'COMMAND'], 'titles')
    t.ok(re.match(rf' *1 +{init} +\S+ +\[{init}[:@]\d+\] pidbox-init', lines[1]), f'PID 1, with its box: {lines[1]!r}')
    t.ok(re.match(r' *2 +\d+ +\S+ +sh -c', lines[2]) and lines[2].index('sh -c') == lines[1].index('[') + 2, f'the command below it: {lines[2]!r}')
    t.ok(re.match(r' *1 +\d+ +\S+ +\[\d+[:@]\d+\] pidbox-init', lines[4]), f'the inner box below its front: {lines}')
    t.eq(len(lines), 6, 'lines')
    end(t, p)


@test(modes='root')
def entered_from_outside(t):
    """What nsenter has put into it hangs on its parent outside, and says where it is."""
    init = test_ls.unshare(t)
    inner = t.start(['nsenter', '-t', str(init), '-p', 'sleep', '1001'])
    until(lambda: [c for c in children(inner.pid) if comm(c) == 'sleep 1001'])
    child, = children(inner.pid)
    line = [x for x in t.good(t.run([t.pidbox, 'tree'])).out.splitlines() if f' {child} ' in x]
    t.ok(len(line) == 1 and re.search(rf'\(in {init}[:@]\d+\) sleep 1001$', line[0]), f'{line}')
    got = tree(t, str(init))
    t.eq([(q['pid'], q['parent_inside_pid']) for q in got['processes'] if q['pid'] == child], [(child, 0)], 'its parent is outside')
    os.kill(child, signal.SIGKILL)
    inner.wait()


# ------------------------------------------------------------ --dot

def parse_dot(t, text):
    """The part of the DOT language (graphviz.org/doc/info/lang.html) that is needed: {node: label}, [(tail, head)] and the
    clusters as (label, [nodes], [clusters]). Anything else is a failure, whether or not graphviz would take it."""
    tokens, at = [], 0
    token = re.compile(r'\s*(?:([A-Za-z_]\w*|\d+)|"((?:[^"\\]|\\.)*)"|(->|[{}\[\]=;,]))', re.A)
    for i, line in enumerate(text.splitlines(keepends=True)):
        t.ok(not re.search(r'[\x00-\x09\x0b-\x1f\x7f]', line), f'no control characters in line {i}: {line!r}')
    while text[at:].strip():
        m = token.match(text, at)
        if not m:
            t.fail(f'no DOT: {short(text[at:])}')
        tokens.append(('word', m[1]) if m[1] is not None else ('text', unescape(t, m[2])) if m[2] is not None else ('sign', m[3]))
        at = m.end()
    nodes, edges = {}, []

    def take(kind, value=None):
        got = tokens.pop(0) if tokens else ('end', '')
        if got[0] not in kind.split() or value not in (None, got[1]):
            t.fail(f'DOT: {value or kind} expected, not {got}, before {tokens[:5]}')
        return got[1]

    def attributes():
        got = {}
        take('sign', '[')
        while tokens[0] != ('sign', ']'):
            key = take('word')
            take('sign', '=')
            got[key] = take('word text')
            if tokens[0] == ('sign', ','):
                take('sign')
        take('sign', ']')
        return got

    def graph():
        label, mine, clusters = None, [], []
        take('sign', '{')
        while tokens[0] != ('sign', '}'):
            word = take('word')
            if word == 'subgraph':
                t.ok(re.fullmatch(r'cluster_\d+', take('word')), 'graphviz frames what is called cluster_...')
                clusters.append(graph())
                continue
            if word in ('node', 'edge', 'graph'):
                attributes()
            elif tokens[0] == ('sign', '='):
                take('sign')
                value = take('word text')
                label = value if word == 'label' else label
            elif tokens[0] == ('sign', '->'):
                take('sign')
                edges.append((word, take('word')))
            else:
                t.ok(word not in nodes, f'{word} once')
                nodes[word] = attributes()['label']
                mine.append(word)
            take('sign', ';')
        take('sign', '}')
        return label, mine, clusters

    take('word', 'digraph')
    take('word')
    whole = graph()
    t.eq(tokens, [], 'after the graph')
    t.eq([e for e in edges if e[0] not in nodes or e[1] not in nodes], [], 'every end of an arrow is a node')
    return nodes, edges, whole


def unescape(t, text):
    """A label as it is drawn: escapes, then the entities of HTML, which graphviz knows in every label."""
    t.eq(re.findall(r'\\[^"\\n]', re.sub(r'\\\\', '', text)), [], f'escapes in {text!r}')
    return html.unescape(re.sub(r'\\(.)', lambda m: '\n' if m[1] == 'n' else m[1], text, flags=re.S))


def draw(t, dot):
    """By graphviz itself, where it is installed: {node: the lines of its text}, and the arrows."""
    if not shutil.which('dot'):
        return None, None
    r = t.good(t.run(['dot', '-Tsvg'], input=dot), err=None)
    root = xml.etree.ElementTree.fromstring(r.out.encode())
    groups = [g for g in root.iter('{http://www.w3.org/2000/svg}g') if g.get('class') in ('node', 'edge')]
    # Blanks are not kept as they are: XML, and so graphviz, writes several as entities.
    texts = {g[0].text: [e.text for e in g.iter('{http://www.w3.org/2000/svg}text')] for g in groups if g.get('class') == 'node'}
    return texts, sorted(tuple(g[0].text.split('->')) for g in groups if g.get('class') == 'edge')


def dot_of(t, *args):
    """What `pidbox tree --dot` draws, checked against graphviz."""
    text = t.good(t.run([t.pidbox, 'tree', '--dot', *args]), err=None).out  # others' processes that may not be seen are noted there
    nodes, edges, whole = parse_dot(t, text)
    drawn, arrows = draw(t, text)
    if drawn is not None:
        plain = lambda s: s.replace('\xa0', ' ')
        t.eq({k: plain('\n'.join(v)) for k, v in drawn.items()}, nodes, 'the texts that graphviz draws')
        t.eq(arrows, sorted(edges), 'the arrows that it draws')
    return nodes, edges, whole


def label_of(q):
    """Of a process in JSON: its own PID, the outer one, and what fits of the command."""
    words = re.sub(r'[\x00-\x1f\x7f]', '?', ' '.join(q['command']).rstrip(' '))
    kept = ''
    for c in words:
        if len(kept.encode()) >= 48:
            return f'{q["inside_pid"]} ({q["pid"]})\n{kept}...'
        kept += c
    return f'{q["inside_pid"]} ({q["pid"]})\n{kept}'


@test
def dot(t):
    """The same as --json: boxes are frames in one another, arrows go from parents to children."""
    p, inodes = nested(t)
    want = tree(t, str(p.pid))
    nodes, edges, whole = dot_of(t, str(p.pid))
    outer = want['processes']
    inner = want['children'][0]['processes']
    t.eq(nodes, {f'p{q["pid"]}': label_of(q) for q in outer + inner}, 'nodes')
    frames = whole[2]
    t.eq([(f[0], sorted(f[1]), [(g[0], sorted(g[1])) for g in f[2]]) for f in frames],
         [(want['id'], sorted(f'p{q["pid"]}' for q in outer), [(want['children'][0]['id'], sorted(f'p{q["pid"]}' for q in inner))])], 'frames')
    t.eq(sorted(edges), sorted((f'p{parent_of(q["pid"])}', f'p{q["pid"]}') for q in outer[1:] + inner), 'arrows')
    end(t, p)


def parent_of(pid):
    with open(f'/proc/{pid}/stat') as f:
        return int(f.read().rpartition(')')[2].split()[1])


@test
def dot_of_a_named_box(t):
    p = t.start_box('--name', 'a.b-c_D', '--', 'sh', '-c', 'echo up; read x; :', stdin=subprocess.PIPE)
    p.out.line()
    want = tree(t, 'a.b-c_D')
    frames = dot_of(t, 'a.b-c_D')[2][2]
    t.eq([f[0] for f in frames], [f'a.b-c_D  {want["id"]}'], 'its name and its id')
    end(t, p)


@test(limit=60)
def dot_hostile(t):
    """No command can end its label, add a node of its own, or be drawn as anything else than what it is."""
    names = ['a"b', 'a\\', '\\"', '\\N \\G \\l', '<b>x</b>', '<>&"', '&amp;', '&lt;&#60;&quot;', '"];\np1 -> p2 [label="', 'a\nb\r\tc',
             '\x1b[31mred', '\x7f', '{}[];=,->', '#include', '// no comment', '/* nor this */', 'é' * 40, 'x' * 47 + '\\', 'x' * 46 + '\\\\',
             'x' * 47 + '"' * 3, 'x' * 46 + '&&', '日本語', '%s%n', ' a  b ', '$(id)', "it's"]
    script = 'for a; do (exec -a "$a" sleep 1000) & done; echo up; read x; :'
    p = t.start_box('--', 'bash', '-c', script, 'bash', *names, stdin=subprocess.PIPE)
    p.out.line()
    init, command = t.init_of(p), t.command_of(p)
    until(lambda: sorted(argv0(c) for c in children(command)) == sorted(names))
    want = {f'p{q["pid"]}': label_of(q) for q in tree(t, str(init))['processes']}
    nodes, edges, _ = dot_of(t, str(init))
    t.eq(len(want), len(names) + 2, 'processes')
    for k, v in want.items():
        t.eq(nodes.get(k), v, f'the label of {k}')
    t.eq(sorted(edges), sorted([(f'p{init}', f'p{command}')] + [(f'p{command}', k) for k in want if k not in (f'p{init}', f'p{command}')]), 'arrows')
    end(t, p)


def argv0(pid):
    with open(f'/proc/{pid}/cmdline', 'rb') as f:
        return os.fsdecode(f.read().split(b'\0')[0])


@test
def dot_of_bytes(t):
    """What is no UTF-8 cannot make the picture none."""
    p = t.start_box('--', 'sh', '-c', 'echo up; read x; :', b'a\xff\xfeb\xc3', stdin=subprocess.PIPE)
    p.out.line()
    nodes = dot_of(t, str(p.pid))[0]
    t.eq([v for v in nodes.values() if 'sh -c' in v], [f'2 ({t.command_of(p)})\nsh -c echo up; read x; : a??b?'], 'its label')
    end(t, p)


@test(limit=60)
def churn(t):
    stay = test_ls.unshare(t)
    storm = t.start(['sh', '-c', 'while :; do unshare ' + ('-Ur ' if t.mode != 'root' else '') + '-fp sh -c ":; :" & : & wait; done'])
    for _ in range(15):
        got = tree(t)
        t.eq([[q['inside_pid'] for q in c['processes']] for c in got['children'] if c['init_pid'] == stay], [[1]], 'what stays is there')
        for c in got['children']:
            t.eq([q['pid'] for q in c['processes'] if q['inside_pid'] == 1][:1] or [c['init_pid']], [c['init_pid']], 'PID 1 is PID 1')
        if t.problems:
            break
    storm.kill()


@test
def usage(t):
    for args, word in ((['--json', '--dot'], 'one'), (['-p'], 'PID'), (['--bogus'], '--help'), (['1', '2'], '--help')):
        t.error(t.run([t.pidbox, 'tree', *args]), 'USAGE', has=word)
    t.error(t.run([t.pidbox, 'tree', 'nosuchbox']), 'NO_SUCH_BOX')
    r = t.good(t.run([t.pidbox, 'tree', '--help']))
    t.ok('usage: pidbox tree' in r.out and '--dot' in r.out, '--help')
