# SPDX-License-Identifier: MIT
"""The runner itself, tests/run."""
import runpy
from support import *

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')


@test(modes='root')
def helpers_are_compiled_when_they_are_new(t):
    """One that is kept from the last time is used as it is, until its source or a header is newer."""
    build = runpy.run_path(f'{TESTS}/run')['build_helpers']
    build.__globals__['HERE'] = t.path('tests')
    os.makedirs(t.path('tests/helpers'))
    os.mkdir(t.path('build'))
    said = []

    def built():
        to = t.path(f'bin{len(said)}')
        build(to)
        said.append(t.run([f'{to}/say']).out)
        return said[-1]

    def put(name, text, later):
        os.utime(t.write(f'tests/helpers/{name}', text), times=(later, later))
    kept = t.path('build/tests/helpers/say')
    put('say.c', '#include <stdio.h>\n#include "word.h"\nint main(void) { puts(WORD); }\n', 1000)
    put('word.h', '#define WORD "one"\n', 1000)
    t.eq(built(), 'one\n', 'the first time')
    was = os.stat(kept).st_mtime
    t.eq((built(), os.stat(kept).st_mtime), ('one\n', was), 'nothing is new')
    put('word.h', '#define WORD "two"\n', was + 1)
    t.eq(built(), 'two\n', 'a new header')
    was = os.stat(kept).st_mtime
    put('word.h', '#define WORD "two"\n', was - 1)
    put('say.c', '#include <stdio.h>\nint main(void) { puts("three"); }\n', was + 1)
    t.eq(built(), 'three\n', 'a new source')
