# SPDX-License-Identifier: MIT
"""Completion in bash, zsh and fish: what pidbox itself says there is, its boxes among it."""
from support import *

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
# Read now: the clone may be in a folder that the user of a test may not enter.
SCRIPTS = {name: open(os.path.join(TOP, 'completions', name)).read() for name in ('pidbox.bash', '_pidbox', 'pidbox.fish')}
MESON = open(os.path.join(TOP, 'meson.build')).read()
BASH = '''source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pidbox; printf '%s\\n' "${COMPREPLY[@]}"'''
FISH = 'source $argv[1]; complete -C $argv[2] | string replace -r "\\t.*" ""; true'

# The words before the cursor, and some of what is offered, and some of what is not.
CASES = {
    'verbs': (['pidbox', ''], {'run', 'ps', 'pid', 'help'}, {'--help'}),
    'the beginning of a verb': (['pidbox', 'he'], {'help'}, {'run'}),
    'options': (['pidbox', 'run', '--re'], {'--report'}, {'--timeout'}),
    'options of another verb': (['pidbox', 'ps', '--'], {'--json', '--help'}, {'--report'}),
    'the verb doctor': (['pidbox', 'do'], {'doctor'}, {'run'}),
    'options of doctor': (['pidbox', 'doctor', '--'], {'--json', '--semantics', '--install-apparmor', '--remove-apparmor', '--help'}, {'--report'}),
    'one of them by its beginning': (['pidbox', 'doctor', '--s'], {'--semantics'}, {'--json'}),
    'words of an option': (['pidbox', 'run', '--on-exit', ''], {'kill', 'term', 'wait'}, {'run'}),
    'kinds': (['pidbox', 'run', '--unshare', ''], {'net', 'user', 'cgroup', 'time', 'all'}, {'kill'}),
    'signals': (['pidbox', 'run', '--stop-signal', ''], {'TERM', 'QUIT'}, {'net'}),
    'a command': (['pidbox', 'run', 'pidbo'], {'pidbox'}, {'--report'}),
    'a command after --': (['pidbox', 'run', '-t', '--', 'pidbo'], {'pidbox'}, {'--report'}),
    'a command after an option with its argument': (['pidbox', 'run', '--timeout', '3', 'pidbo'], {'pidbox'}, set()),
    'options of init': (['pidbox', 'init', '--'], {'--group', '--setsid', '--remap-exit', '--on-exit', '--grace', '--help'}, {'--unshare'}),
    'one of its short options': (['pidbox', 'init', '-'], {'-g', '-c', '-s', '-p', '-e', '-r', '-w', '-v', '-l', '-h', '-V'}, {'-d', '-t'}),
    'words of an option of init': (['pidbox', 'init', '--on-exit', ''], {'kill', 'term', 'wait'}, {'run', 'kill|term|wait'}),
    'signals for init': (['pidbox', 'init', '--stop-signal', ''], {'TERM', 'QUIT'}, {'kill'}),
    'signals for its short option': (['pidbox', 'init', '-p', ''], {'TERM', 'KILL'}, {'kill'}),
    'a command for init': (['pidbox', 'init', '-gw', 'pidbo'], {'pidbox'}, {'--group'}),
    'a command for init after --': (['pidbox', 'init', '-e', '143', '--', 'pidbo'], {'pidbox'}, {'--group'}),
    'a name of a verb': (['pidbox', 'help', ''], {'run', 'ps'}, {'--help'}),
}


def check(t, offered, want, unwanted):
    t.ok(want <= offered, f'offered {sorted(offered)[:20]}, want {sorted(want)}')
    t.ok(not unwanted & offered, f'not to be offered: {sorted(unwanted & offered)}')


def by_bash(t, words):
    script = t.write('pidbox.bash', SCRIPTS['pidbox.bash'])
    return set(t.good(t.run(['bash', '-c', BASH, 'bash', script, *words])).out.split('\n'))


def by_fish(t, words):
    if not shutil.which('fish'):
        t.skip('fish is not installed; CI installs it')
    script = t.write('pidbox.fish', SCRIPTS['pidbox.fish'])
    return set(t.good(t.run(['fish', '--no-config', '-c', FISH, script, ' '.join(words)], timeout=30), err=None).out.split('\n'))


def by_zsh(t, words):
    if not shutil.which('zsh'):
        t.skip('zsh is not installed; CI installs it')
    t.write('_pidbox', SCRIPTS['_pidbox'])
    return Zsh(t).complete(t, ' '.join(words))


class Zsh:
    """A zsh on a terminal: completion is the line editor's there."""
    def __init__(self, t):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(t.env, TERM='dumb', ZDOTDIR=t.tmp)
            os.execvp('zsh', ['zsh', '-f', '-i'])
        t.cleanups.append(self.end)
        self.lines = Lines(self.fd)
        self.send("PS1=''; zle_bracketed_paste=(); fpath=('%s' $fpath); autoload -U compinit; compinit -u -D\n" % t.tmp)
        # What would be offered, as it is: compadd's own list of matches, instead of a menu on the terminal.
        self.send("compadd() { builtin compadd -A found_ \"$@\"; print -l -- \"OFFER ${(@)^found_}\" >&3; builtin compadd \"$@\" }\n")
        self.send("zstyle ':completion:*' menu no; setopt nobeep\n")

    def send(self, text):
        os.write(self.fd, text.encode())

    def complete(self, t, line):
        out = t.path('offers')
        open(out, 'w').close()
        self.send(f'exec 3>>{out}; echo rea""dy\n')
        while 'ready' not in (self.lines.line(20) or 'ready'):
            pass
        self.send(line + '\t')
        until(lambda: os.path.getsize(out) > 0, 3)  # with more keys waiting, zsh may leave the completion out
        self.send('\x15echo do""ne\n')
        while 'done' not in (self.lines.line(20) or 'done'):
            pass
        return {x[6:] for x in open(out).read().split('\n') if x.startswith('OFFER ')}

    def end(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


SHELLS = {'bash': by_bash, 'fish': by_fish, 'zsh': by_zsh}


@each({f'{shell}: {name}': (offer, *case) for shell, offer in SHELLS.items() for name, case in CASES.items()}, modes='user')
def completion(t, offer, words, want, unwanted):
    check(t, offer(t, words), want, unwanted)


@each(SHELLS, modes='user', limit=60)
def live_boxes(t, offer):
    """A box is offered while it lives, wherever one is named."""
    p = t.start_box('--name', 'zebra', '--', 'sleep', '970')
    until(lambda: comm(t.command_of(p)) == 'sleep 970')
    for verb in 'exec', 'kill', 'wait', 'ps', 'tree':
        with t.case(verb):
            check(t, offer(t, ['pidbox', verb, 'ze']), {'zebra'}, {'--help'})
    p.terminate()
    t.eq(t.finish(p), -15, 'the end')
    check(t, offer(t, ['pidbox', 'kill', 'ze']), set(), {'zebra'})


@test(modes='user')
def installed_where_shells_look(t):
    for place in ("'bash-completion' / 'completions'", "'zsh' / 'site-functions'", "'fish' / 'vendor_completions.d'"):
        t.ok(place in MESON, place)
