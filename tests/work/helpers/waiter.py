"""Says what happens to it at a terminal: up, cont (SIGCONT), fg (it has come to the foreground). Dies of Ctrl-C, Ctrl-\\."""
import os
import resource
import select
import signal
import sys

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for n in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(n, signal.SIG_DFL)
woken, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
signal.signal(signal.SIGCONT, lambda *_: None)
word = sys.argv[1] if len(sys.argv) > 1 else 'w'


def foreground():
    try:                            # a group of outside the box is 0 to both calls: that tells nothing
        return os.tcgetpgrp(2) == os.getpgrp() != 0
    except OSError:
        return False


was = foreground()
print('<%s up%s>' % (word, ' fg' if was else ''), flush=True)
while True:
    if select.select([woken], [], [], 0.05)[0]:
        os.read(woken, 64)
        print('<%s cont>' % word, flush=True)
    now = foreground()
    if now and not was:
        print('<%s fg>' % word, flush=True)
    was = now
