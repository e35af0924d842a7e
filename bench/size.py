#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The size of the two static programs, stripped, and what it is made of: size.py [BUILD]

Each is linked once more by the build's own command, with a map of the linker's. A part is a layer of ours, a library, or
the init that the command carries inside itself; the rest is the file's own headers, and gaps between sections. Lines as
bench/stats.h has them: rows "size" and "size-part", bytes."""
import collections
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
NOT_LOADED = ('.bss', '.debug', '.comment', '.symtab', '.strtab', '.shstrtab', '/DISCARD/', '.note')


def part_of(source):
    """Whose a file in the linker's map is."""
    layer = re.search(r'src_(base|kern|core|cli|init)_', source)
    if layer:
        return layer.group(1)
    if 'image_bytes' in source:
        return 'the init inside'
    if 'libgcc' in source:
        return 'libgcc'
    if re.search(r'libc\.a|crt[1in]\.o', source):
        return 'libc (musl)' if 'musl' in source else 'libc'
    return os.path.basename(source.split('(')[0])


def parts_of(link_map):
    """Bytes by part, of what the linker's map says is in the file. An output section stands at the beginning of a line,
    what goes into it is indented by a blank; either has its numbers on the next line when its name is long."""
    sizes, section = collections.Counter(), None
    text = link_map.partition('Linker script and memory map')[2]
    for name, size, source in re.findall(r'^( ?\.[^ \n]*)(?:\n? +0x[0-9a-f]+ +(0x[0-9a-f]+)(?: (\S.*))?)?$', text, re.M):
        if not name.startswith(' '):
            section = name
        elif source and section and not section.startswith(NOT_LOADED):
            sizes[part_of(source)] += int(size, 16)
    return sizes


def measure(build, name, directory):
    commands = subprocess.run(['ninja', '-C', build, '-t', 'commands', name], check=True, stdout=subprocess.PIPE,
                              text=True).stdout
    link = shlex.split(commands.strip().splitlines()[-1])
    out, link_map = f'{directory}/{name}', f'{directory}/{name}.map'
    link[link.index('-o') + 1] = out
    subprocess.run([*link, f'-Wl,-Map={link_map}'], cwd=build, check=True)
    subprocess.run(['strip', out], check=True)
    whole, parts = os.path.getsize(out), parts_of(pathlib.Path(link_map).read_text())
    parts['headers and gaps'] = whole - sum(parts.values())
    print(f'size\t{name}\t0\tbytes\t{whole}')
    for part, size in parts.most_common():
        print(f'size-part\t{name}: {part}\t0\tbytes\t{size}')


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TOP / 'build').resolve()
    with tempfile.TemporaryDirectory(prefix='pidbox-bench-') as directory:
        for name in 'pidbox', 'pidbox-init':
            measure(build, name, directory)


if __name__ == '__main__':
    main()
