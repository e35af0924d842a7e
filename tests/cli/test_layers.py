# SPDX-License-Identifier: MIT
"""tools/layers finds what it is for."""
from support import *

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WRONG = {
    'an include upwards': ('base/err.c', '#include "core/plan.h"', 'includes core/plan.h'),
    'the same in angle brackets': ('cli/out.c', '#include <kern/sig.h>', 'includes kern/sig.h'),
    'a call upwards by the public header': ('base/err.c', 'void f(void) { pidbox_free(0); }', 'calls pidbox_free'),
    'an allocation in the init': ('init/loop.c', 'void f(void) { free(0); }', 'calls free'),
    'an allocation in what the init shares': ('kern/proc.c', 'void f(void) { free(0); }', 'calls free'),
    'a cancellation point in the child': ('core/child.c', 'void f(void) { close(0); }', 'calls close'),
}


@each(WRONG, modes='root' if os.getuid() == 0 else 'user')  # who may read the sources
def layers(t, file, line, words):
    shutil.copytree(f'{TOP}/src', t.path('src'))
    shutil.copy(f'{TOP}/meson.build', t.tmp)
    t.good(t.run([f'{TOP}/tools/layers', t.tmp]), 0, 'layers: fine\n')
    with open(t.path(f'src/{file}'), 'a') as f:
        f.write(line + '\n')
    r = t.run([f'{TOP}/tools/layers', t.tmp])
    t.ok(r.code == 1 and f'src/{file}: {words}' in r.out and r.out.count('\n') == 1, f'{r.code} {r.out!r} {r.err!r}')
