# SPDX-License-Identifier: MIT
"""What pidbox says of itself: the manual has what the headers have, and its errors the fix that helps."""
from support import *

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
# Read now: the clone may be in a folder that the user of a test may not enter.
HEADERS = ''.join(open(os.path.join(TOP, 'include', f)).read() for f in sorted(os.listdir(os.path.join(TOP, 'include'))))
MANUAL = open(os.path.join(TOP, 'man', 'pidbox.1')).read()


@test(modes='user')
def every_code_has_a_meaning(t):
    """pidbox(1) has each code of the headers, once, with words below it."""
    codes = set(re.findall(r'^\tPIDBOX_CODE_([A-Z0-9_]+),', HEADERS, re.M)) - {'NONE', 'MAX_'}
    t.eq(codes, CODES, 'the codes of the headers')
    entries = re.findall(r'^\.It Li ([A-Z0-9_]+)\n([^.\n].*)?', MANUAL[MANUAL.index('.Sh DIAGNOSTICS'):], re.M)
    t.eq(sorted(code for code, _ in entries), sorted(codes), 'the codes of the manual')
    t.eq([code for code, meaning in entries if not meaning], [], 'codes without a meaning')
