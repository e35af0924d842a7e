# SPDX-License-Identifier: MIT
"""What ls and tree print as a name is what the other verbs take: it names that very box, for whoever asks, where he asks."""
from support import *

ANN, BEN = 54321, 54322
SLEEP = ('sh', '-c', 'echo up; exec sleep 1000')


class Place:
    """Somebody, and where he has his boxes: uid, and a runtime directory (None: the default one)."""
    def __init__(self, t, uid, run=None):
        self.t, self.uid, self.who = t, uid, [] if uid == os.geteuid() else ['setpriv', '--reuid', str(uid), '--regid', str(uid), '--clear-groups']
        self.env = {k: v for k, v in t.env.items() if k != 'PIDBOX_RUNTIME_DIR'}
        if run:
            os.mkdir(run, 0o700)
            os.chown(run, uid, -1)
            self.env['PIDBOX_RUNTIME_DIR'] = run

    def pidbox(self, *args):
        return self.t.run([*self.who, self.t.pidbox, *args], env=self.env, cwd='/')

    def box(self, name):
        """A live one. @return its init's PID"""
        p = self.t.start([*self.who, self.t.pidbox, 'run', *(['--name', name] if name else []), '--', *SLEEP], env=self.env, cwd='/',
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.out = Lines(p.stdout)
        if p.out.line(20) != 'up':
            self.t.fail(f'no box: {p.stderr.read()}')
        return self.t.init_of(p)

    def ended(self, name, status):
        """One that has ended, and whose record is kept."""
        self.t.good(self.pidbox('run', '-d', '--name', name, '--', 'sh', '-c', f'exit {status}'), err=None)
        self.t.eq(self.pidbox('wait', name).code, status, f'{name} ends')

    def listed(self, *args):
        return json.loads(self.t.good(self.pidbox('ls', '--json', *args)).out)['boxes']

    def named_as(self, inits):
        """How ls calls these: by name, by id (''), as its three forms tell alike."""
        t, quiet = self.t, self.t.good(self.pidbox('ls', '-q')).out.split('\n')
        table, found = self.t.good(self.pidbox('ls'), err=None).out.splitlines(), {}
        for b in self.listed():
            if b['init_pid'] not in inits:
                continue
            word = b['name'] or b['id']
            t.ok(word in quiet, f'-q has {word}')
            t.ok(b['name'] is None or b['id'] not in quiet, f'-q has one word for each: {b["name"]}, {b["id"]}')
            line, = [x for x in table if f' {b["id"]} ' in x]
            t.eq(line.split()[0], b['name'] or '-', 'the table')
            found[b['init_pid']] = b['name'] or ''
            # The invariant.
            r = self.pidbox('ps', '--json', word)
            if r.code == 125 and 'DENIED' in r.err:
                t.ok(b['uid'] != self.uid and not b['name'], f'{word} may be looked at: {r.err}')
                continue
            if not t.eq(r.code, 0, f'ps {word}: {r.err}'):
                continue
            t.eq([p['pid'] for p in json.loads(r.out)['processes'] if p['inside_pid'] == 1], [b['init_pid']], f'who is meant by {word}')
            t.eq(self.pidbox('kill', '-s', 'CONT', word).code, 0, f'kill takes {word}')
        return [found.get(i, 'not listed') for i in inits]

    def ended_as(self):
        """name -> status of the ended ones that are listed, each as wait tells it."""
        names = [b['name'] for b in self.listed('--all') if b['status'] == 'ended']
        self.t.ok(set(names) <= set(self.t.good(self.pidbox('ls', '-aq')).out.split('\n')), '-aq has them')
        return sorted((n, self.pidbox('wait', n).code) for n in names)


def own_run(t):
    """A /run of the test's own (mounts are: tests/run), with a directory for each of the users."""
    if libc.mount(b'tmpfs', b'/run', b'tmpfs', 0, b'mode=755'):
        t.skip('no tmpfs can be mounted')
    t.cleanups.append(lambda: libc.umount2(b'/run', 2))
    for uid in ANN, BEN:
        os.makedirs(f'/run/user/{uid}')
        os.chmod(f'/run/user/{uid}', 0o700)
        os.chown(f'/run/user/{uid}', uid, uid)


@test(modes='root', limit=90)
def of_several_users(t):
    """Equal names of three users, and of one in two runtime directories: each is called by what he who asks can say."""
    own_run(t)
    os.chmod(t.tmp, 0o755)
    root, other, ann, bens = Place(t, 0), Place(t, 0, t.path('other')), Place(t, ANN), Place(t, BEN)
    anns_other = Place(t, ANN, t.path('anns'))
    inits = [root.box('dupe'), other.box('dupe'), ann.box('dupe'), bens.box('dupe'), anns_other.box('dupe'),
             root.box('mine'), other.box('only'), ann.box('users'), ann.box(None)]
    with t.case('root'):
        t.eq(root.named_as(inits), ['dupe', '', f'dupe@{ANN}', f'dupe@{BEN}', '', 'mine', '', f'users@{ANN}', ''], 'names')
    with t.case('root, another directory'):
        t.eq(other.named_as(inits), ['', 'dupe', f'dupe@{ANN}', f'dupe@{BEN}', '', '', 'only', f'users@{ANN}', ''], 'names')
    with t.case('a user'):
        t.eq(ann.named_as(inits), ['', '', 'dupe', '', '', '', '', 'users', ''], 'names')
    with t.case('a user, another directory'):
        t.eq(anns_other.named_as(inits), ['', '', '', '', 'dupe', '', '', '', ''], 'names')
    with t.case('tree'):
        for place, want in (root, f'dupe@{ANN}'), (ann, 'dupe'):
            out = t.good(place.pidbox('tree'), err=None).out
            line, = [x for x in out.splitlines() if re.match(rf' *1 +{inits[2]} ', x)]
            t.ok(f'[{want}] ' in line, f'{want}: {line}')


@test(modes='root', limit=90)
def ended_of_several_users(t):
    own_run(t)
    os.chmod(t.tmp, 0o755)
    root, other, ann = Place(t, 0), Place(t, 0, t.path('other')), Place(t, ANN)
    anns_other = Place(t, ANN, t.path('anns'))
    for status, (place, name) in enumerate([(root, 'over'), (other, 'over'), (ann, 'over'), (anns_other, 'gone'), (other, 'past')], 3):
        place.ended(name, status)
    t.eq(root.ended_as(), [('over', 3), (f'over@{ANN}', 5)], 'for root')
    t.eq(other.ended_as(), [('over', 4), (f'over@{ANN}', 5), ('past', 7)], 'for root, in another directory')
    t.eq(ann.ended_as(), [('over', 5)], 'for a user')
    t.eq(anns_other.ended_as(), [('gone', 6)], 'for a user, in another directory')
    # Root's directory may be one of those that are looked through for all users, however it is spelled.
    os.makedirs('/run/user/0', 0o700)
    os.rename('/run/pidbox', '/run/user/0/pidbox')
    for again in '/run/user/0/pidbox', '/run/user//0/pidbox/':
        root.env['PIDBOX_RUNTIME_DIR'] = again
        t.eq(root.ended_as(), [('over', 3), (f'over@{ANN}', 5)], f'in {again}: each once')


@test(limit=60)
def of_two_directories(t):
    one, two = Place(t, os.geteuid(), t.path('one')), Place(t, os.geteuid(), t.path('two'))
    inits = [one.box('dupe'), two.box('dupe'), one.box('a'), two.box('b')]
    one.ended('over', 3)
    two.ended('late', 4)
    t.eq(one.named_as(inits), ['dupe', '', 'a', ''], 'in the one')
    t.eq(two.named_as(inits), ['', 'dupe', '', 'b'], 'in the other')
    mine = lambda place: [x for x in place.ended_as() if '@' not in x[0]]
    t.eq((mine(one), mine(two)), ([('over', 3)], [('late', 4)]), 'ended ones')


@test(modes='root', limit=60)
def a_forged_entry(t):
    """A user writes down that a box of root's is called so by him: root's own word for it stays."""
    own_run(t)
    root, ann = Place(t, 0), Place(t, ANN)
    inits = [root.box('theirs'), ann.box('evil')]
    folder = f'/run/user/{ANN}/pidbox/{os.stat("/proc/self/ns/pid").st_ino}'
    shutil.copy(f'/run/pidbox/{os.path.basename(folder)}/theirs', f'{folder}/forged')
    os.chown(f'{folder}/forged', ANN, ANN)
    t.eq(root.named_as(inits), ['theirs', f'evil@{ANN}'], 'names')
