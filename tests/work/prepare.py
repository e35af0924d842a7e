"""Gets what the tests need, outside any box: Debian packages (as root), a source package and Python's own tests.
Downloads stay in build/work-cache. The machine's package sources are read, never changed."""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import ownapt
from worklib import processes

PROGRAMS = {'redis': ('redis-server', 'redis-server'), 'nginx': ('nginx', 'nginx-light'), 'tmux': ('tmux', 'tmux'),
            'less': ('less', 'less'), 'vim': (('vim.tiny', 'vim.basic', 'vim', 'vi'), 'vim-tiny'), 'make': ('make', 'make'),
            'cc': ('cc', 'gcc'), 'dpkg-source': ('dpkg-source', 'dpkg-dev'), 'bash': ('bash', 'bash'),
            'busybox': ('busybox', 'busybox-static'), 'python3': ('/usr/bin/python3', 'python3')}
SOURCE = 'zlib'
PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
POLICY = '/usr/sbin/policy-rc.d'


class Missing(Exception):
    pass


def find(names):
    for name in (names,) if isinstance(names, str) else names:
        path = shutil.which(name, path=PATH)
        if path:
            return path
    return None


def call(argv, cwd=None, timeout=300):
    env = dict(os.environ, DEBIAN_FRONTEND='noninteractive', LC_ALL='C.UTF-8')
    try:
        done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
        return done.returncode, done.stdout.decode(errors='replace')
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)


def must(argv, **how):
    status, text = call(argv, **how)
    if status:
        lines = [x for x in text.splitlines() if x.strip()] or ['no message']
        raise Missing('%s: %s' % (' '.join(argv[:3]), ' | '.join(lines[-3:])))
    return text


def real_root():
    """Root of the machine, not of a user namespace."""
    if os.geteuid():
        return False
    with open('/proc/self/uid_map', encoding='ascii') as file:
        return file.read().split() == ['0', '0', '4294967295']


def servers():
    return {pid for pid, p in processes().items() if p.comm in ('redis-server', 'nginx')}


def install(packages):
    """apt-get install, and no service starts: Debian asks policy-rc.d first."""
    before, mine = servers(), not os.path.exists(POLICY)
    if mine:
        with open(POLICY, 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\nexit 101\n')
        os.chmod(POLICY, 0o755)
    argv = ['apt-get', '-qq', '-y', '-o', 'DPkg::Lock::Timeout=120', '--no-install-recommends', 'install'] + sorted(packages)
    try:
        if call(argv)[0]:
            call(['apt-get', '-qq', 'update'])
            must(argv)
    finally:
        if mine:
            os.unlink(POLICY)
    started = servers() - before
    if started:
        raise Missing('installing %s started a service (process %s)' % (' '.join(packages), started))


def programs(given, root):
    lacking = {package for names, package in PROGRAMS.values() if not find(names)}
    why = None
    if lacking and root:
        try:
            install(lacking)
        except Missing as error:
            why = str(error)
    for key, (names, package) in PROGRAMS.items():
        path = find(names)
        if path:
            given[key] = {'path': path}
        elif why:
            given[key] = {'fail': why}
        else:
            given[key] = {'why': '%s is not installed (package %s), and only root can install it' % (key, package)}


def source_lines():
    """The machine's own package sources, as source packages: `deb` lines become `deb-src`."""
    lines, stanzas = [], []
    for name in ['/etc/apt/sources.list'] + sorted(glob.glob('/etc/apt/sources.list.d/*')):
        try:
            with open(name, encoding='utf-8') as file:
                text = file.read()
        except OSError:
            continue
        if name.endswith('.list'):
            lines += [re.sub(r'^\s*deb\b', 'deb-src', x) for x in text.splitlines() if re.match(r'\s*deb\s', x)]
        elif name.endswith('.sources'):
            for stanza in re.split(r'\n\s*\n', text):
                stanza = '\n'.join(x for x in stanza.splitlines() if not x.startswith('#'))
                if re.search(r'(?mi)^Types:.*\bdeb\b', stanza):
                    stanzas.append(re.sub(r'(?mi)^Types:.*$', 'Types: deb-src', stanza))
    if not lines and not stanzas:
        raise Missing('apt has no package sources here')
    return '\n'.join(lines) + '\n', '\n\n'.join(stanzas) + '\n'


def fetch_source(cache, scratch):
    """The source package, through an apt state folder of our own. The lists are several megabytes: kept only for this."""
    have = glob.glob(os.path.join(cache, SOURCE + '_*.dsc'))
    if have:
        return have[0]
    apt = os.path.join(scratch, 'apt')
    options = ownapt.options(apt)
    one_line, deb822 = source_lines()
    for name, text in (('own.list', one_line), ('own.sources', deb822)):
        if text.strip():
            with open(os.path.join(apt, 'parts', name), 'w', encoding='utf-8') as file:
                file.write(text)
    status, text = call(['apt-get', '-q'] + options + ['update'])
    try:
        must(['apt-get', '-q'] + options + ['source', '--download-only', SOURCE], cwd=apt + '/got')
    except Missing as error:
        raise Missing('%s (apt-get update: status %d, %s)' % (error, status, (text.splitlines() or [''])[-1]))
    names = sorted(os.listdir(apt + '/got'), key=lambda n: n.endswith('.dsc'))      # the .dsc last: it makes the rest valid
    for name in names:
        shutil.move(os.path.join(apt, 'got', name), os.path.join(cache, name))
    shutil.rmtree(apt, ignore_errors=True)
    return glob.glob(os.path.join(cache, SOURCE + '_*.dsc'))[0]


def source(cache, scratch):
    dsc = fetch_source(cache, scratch)
    target = os.path.join(scratch, 'source')
    must(['dpkg-source', '--no-check', '-x', dsc, target], cwd=scratch)
    return target


def testsuite(cache, scratch):
    """Python's own `test` package, put together from Debian's test-suite package and what the standard library has of it.
    The package is unpacked, not installed: installing would upgrade the machine's Python."""
    version = must(['/usr/bin/python3', '-c', 'import sys; print("%d.%d" % sys.version_info[:2])']).strip()
    package = 'libpython%s-testsuite' % version
    have = glob.glob(os.path.join(cache, package + '_*.deb'))
    if not have:
        got = os.path.join(scratch, 'deb')
        os.makedirs(got)
        argv = ['apt-get', '-q', 'download', package]
        if os.geteuid() == 0:
            argv[1:1] = ['-o', 'APT::Sandbox::User=root']
        if call(argv, cwd=got)[0]:
            if os.geteuid() == 0:
                call(['apt-get', '-qq', 'update'])
            must(argv, cwd=got)
        for name in os.listdir(got):
            shutil.move(os.path.join(got, name), os.path.join(cache, name))
        have = glob.glob(os.path.join(cache, package + '_*.deb'))
    unpacked, target = os.path.join(scratch, 'deb-x'), os.path.join(scratch, 'python')
    must(['dpkg-deb', '-x', have[0], unpacked])
    os.makedirs(target)
    shutil.move(os.path.join(unpacked, 'usr/lib/python' + version, 'test'), os.path.join(target, 'test'))
    shutil.rmtree(unpacked)
    installed = '/usr/lib/python%s/test' % version
    for folder, folders, names in os.walk(installed):
        if '__pycache__' in folders:
            folders.remove('__pycache__')
        where = os.path.join(target, 'test', os.path.relpath(folder, installed))
        os.makedirs(where, exist_ok=True)
        for name in names:
            if not os.path.exists(os.path.join(where, name)):
                shutil.copy(os.path.join(folder, name), os.path.join(where, name))
    return target


def everything(cache, scratch):
    """What there is, by name: {'path': …}, or {'why': a reason to skip}, or {'fail': a reason to fail}."""
    given, root = {}, real_root()
    try:
        os.makedirs(cache, exist_ok=True)
        lock = open(os.path.join(cache, 'lock'), 'a', encoding='ascii')
    except OSError:                 # somebody else's tree: what it has is used, the rest is not kept
        kept, cache = cache, os.path.join(scratch, 'cache')
        os.makedirs(cache)
        for name in os.listdir(kept) if os.path.isdir(kept) else ():
            if os.access(os.path.join(kept, name), os.R_OK):
                shutil.copy(os.path.join(kept, name), cache)
        lock = open(os.path.join(cache, 'lock'), 'a', encoding='ascii')
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        programs(given, root)
        for key, get in (('source', source), ('testsuite', testsuite)):
            try:
                given[key] = {'path': get(cache, scratch)}
            except (Missing, OSError) as error:
                given[key] = {'fail' if root else 'why': str(error)}
    return given
