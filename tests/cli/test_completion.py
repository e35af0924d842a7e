# SPDX-License-Identifier: MIT
"""Completion in bash, zsh and fish: what pidbox itself says there is, its boxes among it."""
from support import *

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'completions')
BASH = '''source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pidbox; printf '%s\\n' "${COMPREPLY[@]}"'''
FISH = 'source $argv[1]; complete -C $argv[2] | string replace -r "\\t.*" ""; true'

# The words before the cursor, and some of what is offered, and some of what is not.
CASES = {
    'verbs': (['pidbox', ''], {'run', 'ps', 'pid', 'help'}, {'--help'}),
    'the beginning of a verb': (['pidbox', 'he'], {'help'}, {'run'}),
    'options': (['pidbox', 'run', '--re'], {'--report'}, {'--timeout'}),
    'options of another verb': (['pidbox', 'ps', '--'], {'--json', '--help'}, {'--report'}),
    'words of an option': (['pidbox', 'run', '--on-exit', ''], {'kill', 'term', 'wait'}, {'run'}),
    'kinds': (['pidbox', 'run', '--unshare', ''], {'net', 'user', 'cgroup', 'time', 'all'}, {'kill'}),
    'signals': (['pidbox', 'run', '--stop-signal', ''], {'TERM', 'QUIT'}, {'net'}),
    'a command': (['pidbox', 'run', 'pidbo'], {'pidbox'}, {'--report'}),
    'a command after --': (['pidbox', 'run', '-t', '--', 'pidbo'], {'pidbox'}, {'--report'}),
    'a command after an option with its argument': (['pidbox', 'run', '--timeout', '3', 'pidbo'], {'pidbox'}, set()),
    'a name of a verb': (['pidbox', 'help', ''], {'run', 'ps'}, {'--help'}),
}


def check(t, offered, want, unwanted):
    t.ok(want <= offered, f'offered {sorted(offered)[:20]}, want {sorted(want)}')
    t.ok(not unwanted & offered, f'not to be offered: {sorted(unwanted & offered)}')


@each(CASES, modes='user')
def bash(t, words, want, unwanted):
    r = t.good(t.run(['bash', '-c', BASH, 'bash', os.path.join(HERE, 'pidbox.bash'), *words]))
    check(t, set(r.out.split('\n')), want, unwanted)


@each(CASES, modes='user')
def fish(t, words, want, unwanted):
    if not shutil.which('fish'):
        t.skip('fish is not installed; CI installs it')
    r = t.good(t.run(['fish', '--no-config', '-c', FISH, os.path.join(HERE, 'pidbox.fish'), ' '.join(words)], timeout=30), err=None)
    check(t, set(r.out.split('\n')), want, unwanted)


class Zsh:
    """A zsh on a terminal: completion is the line editor's there."""
    def __init__(self, t):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(t.env, TERM='dumb', ZDOTDIR=t.tmp)
            os.execvp('zsh', ['zsh', '-f', '-i'])
        t.cleanups.append(self.end)
        self.lines = Lines(self.fd)
        self.send("PS1=''; zle_bracketed_paste=(); fpath=('%s' $fpath); autoload -U compinit; compinit -u -D\n" % HERE)
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
        self.send(line + '\t\x15echo do""ne\n')
        while 'done' not in (self.lines.line(20) or 'done'):
            pass
        return {x[6:] for x in open(out).read().split('\n') if x.startswith('OFFER ')}

    def end(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@each(CASES, modes='user')
def zsh(t, words, want, unwanted):
    if not shutil.which('zsh'):
        t.skip('zsh is not installed; CI installs it')
    check(t, Zsh(t).complete(t, ' '.join(words)), want, unwanted)


@test(modes='user')
def installed_where_shells_look(t):
    text = open(os.path.join(HERE, '..', 'meson.build')).read()
    for place in ("'bash-completion' / 'completions'", "'zsh' / 'site-functions'", "'fish' / 'vendor_completions.d'"):
        t.ok(place in text, place)
