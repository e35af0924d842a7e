# SPDX-License-Identifier: MIT
"""Gets what a virtual machine is made of, all of it into the build directory: stock Debian kernels, unpacked and
never installed, and a small Debian root. The mirror is that of this machine's apt, whose sources stay as they are."""
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import typing

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import ownapt  # noqa: E402

SUITES = {'': ('bookworm', 'trixie', 'trixie-backports'), '-security': ('bullseye-security', 'bookworm-security')}
KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
PACKAGES = ('python3,procps,util-linux,mount,uidmap,bash,make,libcap2-bin,tmux,'
            'bubblewrap,crun,tini,dumb-init,catatonit')


class Root(typing.NamedTuple):
    """A Debian that a machine has as its root."""
    name: str
    release: str   # '': this machine's
    packages: str
    megabytes: int  # of the disk


SMALL = Root('root', '', PACKAGES, 512)
# What is not in each machine: engines of containers, and an AppArmor that knows user namespaces (4.0).
ENGINES = Root('engines', 'trixie', f'{PACKAGES},apparmor,docker.io,docker-cli,podman,busybox-static', 2560)


class Missing(Exception):
    pass


def call(argv, **how):
    """Its standard output, or Missing with its last words."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors='replace', **how)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or [f'status {done.returncode}']
        raise Missing(f'{" ".join(argv[:1])}: {words[-1]}')
    return done.stdout


def mirrors():
    """What this machine's apt has for its own release: {'': archive, '-security': archive of security updates}."""
    if platform.machine() != 'x86_64':
        raise Missing(f'the kernels are for x86_64, this machine is {platform.machine()}')
    release, found = platform.freedesktop_os_release().get('VERSION_CODENAME', '?'), {}
    targets = call(['apt-get', 'indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'])
    for line in targets.splitlines():
        for kind in SUITES:
            if line.split()[0] == release + kind:
                found.setdefault(kind, line.split()[1])
    if platform.freedesktop_os_release()['ID'] != 'debian' or '' not in found:
        raise Missing(f'apt has no source of Debian {release} here')
    return release, found


def sources(pairs):
    signed = f'[signed-by={KEYRING}] ' if os.path.exists(KEYRING) else ''
    return ''.join(f'deb {signed}{uri} {suite} main\n' for uri, suite in pairs)


class Apt:
    """apt with a state folder and sources of its own."""
    def __init__(self, folder):
        self.folder = folder
        self.options = ownapt.options(folder)
        _, where = mirrors()
        with open(f'{folder}/parts/own.list', 'w', encoding='ascii') as file:
            file.write(sources((uri, suite) for kind, uri in where.items() for suite in SUITES[kind]))
        self.why = ''
        try:
            call(['apt-get', '-q', *self.options, 'update'])
        except Missing as e:
            self.why = f' ({e})'  # a suite that is gone does not take the others away
        self.names = call(['apt-cache', *self.options, 'pkgnames', 'linux-']).split()

    def newest(self, family):
        """The version part of a kernel's package: the newest of 6.12, or of all of 7.x."""
        own = re.escape(family).replace('x', r'\d+')
        pattern = rf'linux-image-({own}\.\d+(-\d+|\+deb\d+)-cloud-amd64)'
        versions = [m[1] for m in (re.fullmatch(pattern, x) for x in self.names) if m]
        if not versions:
            suites = ', '.join(sum(SUITES.values(), ()))
            raise Missing(f'no package linux-image-{family}.*-cloud-amd64 in {suites}{self.why}')
        return max(versions, key=lambda v: [int(x) for x in re.findall(r'\d+', v)])

    def kernel(self, version, to):
        """Its vmlinuz: in linux-image, or (since 6.19) in linux-binary."""
        got = f'{self.folder}/got'
        names = [x for x in (f'linux-image-{version}', f'linux-binary-{version}') if x in self.names]
        call(['apt-get', '-q', *self.options, 'download', *names], cwd=got)
        for deb in glob.glob(f'{got}/*.deb'):
            call(['dpkg', '-x', deb, f'{got}/{version}'])
            os.unlink(deb)
        images = glob.glob(f'{got}/{version}/boot/vmlinuz-*') + glob.glob(f'{got}/{version}/usr/lib/modules/*/vmlinuz')
        if len(images) != 1:
            raise Missing(f'{len(images)} files vmlinuz in {" and ".join(names)}, not 1')
        os.rename(images[0], to)
        shutil.rmtree(f'{got}/{version}')


def kernels(cache, families, update):
    """family -> (version, vmlinuz), or why it cannot be had. What is in the cache is taken from there."""
    os.makedirs(f'{cache}/kernels', exist_ok=True)
    have, apt, why = {}, None, None
    for family in families:
        cached = glob.glob(f'{cache}/kernels/{family}=*')
        try:
            if cached and not update:
                have[family] = cached[0].rpartition('=')[2], cached[0]
                continue
            if why:
                raise Missing(why)
            if not apt:
                shutil.rmtree(f'{cache}/apt', ignore_errors=True)
                try:
                    apt = Apt(f'{cache}/apt')
                except Missing as e:
                    why = str(e)
                    raise
            version = apt.newest(family)
            file = f'{cache}/kernels/{family}={version}'
            if file not in cached:
                apt.kernel(version, file)
            for old in set(cached) - {file}:
                os.unlink(old)
            have[family] = version, file
        except Missing as e:
            have[family] = str(e)
    shutil.rmtree(f'{cache}/apt', ignore_errors=True)
    return have


def root(cache, what):
    """It as a tar: made once."""
    file, told = f'{cache}/{what.name}.tar', f'{cache}/{what.name}.packages'
    with open(told, 'a+', encoding='ascii') as f:
        f.seek(0)
        if f.read() == what.packages and os.path.exists(file):
            return file
    own, where = mirrors()
    release = what.release or own
    with open(f'{cache}/root.list', 'w', encoding='ascii') as f:
        f.write(sources([(where[''], release)]))
    leave = [f'--dpkgopt=path-exclude=/usr/share/{x}/*' for x in ('doc', 'man', 'locale')]
    call(['nice', 'mmdebstrap', '--quiet', '--variant=apt', '--format=tar', f'--include={what.packages}', *leave,
          release, f'{file}.new', f'{cache}/root.list'], env={**os.environ, 'TMPDIR': cache})
    os.rename(f'{file}.new', file)
    with open(told, 'w', encoding='ascii') as f:
        f.write(what.packages)
    return file


def image(cache, what, folder):
    """The disk of a machine: the root, and folder as /pidbox in it. The machines write to it only for themselves."""
    base, own, disk = root(cache, what), f'{cache}/own.tar', f'{cache}/disk.ext2'
    with tarfile.open(own, 'w') as tar:
        tar.add(folder, 'pidbox', filter=lambda x: x.replace(uid=0, gid=0, uname='', gname='', deep=False))
    with open(disk, 'wb'):
        pass
    call(['genext2fs', '-B', '4096', '-b', str(what.megabytes << 8), '-N', '131072', '-a', base, '-a', own, disk])
    os.unlink(own)
    return disk
