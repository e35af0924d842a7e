# SPDX-License-Identifier: MIT
"""A signal to the front's process group before every system call of the set-up: the command gets it once, or it ends
who is not set up yet; it is never lost and never comes twice."""
import signal

from faultlib import cfg, injected, need

BOXES = [
    ('plain', 'root', []),
    ('plain', 'user', []),
    ('map root', 'root', ['--map', 'root']),
    ('time', 'root', ['--unshare', 'time']),
]
SIGNALS = signal.SIGTERM, signal.SIGRTMIN + 6


def command(sig):
    return [cfg.counter, str(int(sig))]


def once(who, options, role, k, sig, beyond):
    o = injected(who, ['--kill', f'{role},{k},group,0,{int(sig)}'], [*options, '--', *command(sig)])
    if not o.hit or o.late:  # the command waits by now: what comes later is the end
        beyond.add(role)
        return
    need(o.signal == sig or o.status == 71, f'not once: {o}')


def cases(quick):
    for name, who, options in BOXES:
        for sig in SIGNALS:
            def every(who=who, options=options, sig=sig):
                # What the roles do until the command runs: it waits for a signal, and a time limit gives it one.
                o = injected(who, ['--list'], ['--timeout', '200ms', '--stop-signal', str(int(sig)), *options, '--', *command(sig)])
                need(o.status == 124, f'without a fault: {o}')
                beyond = set()
                for role in 'front', 'child', 'init', 'command':
                    for k in range(1, len(o.calls.get(role, ())) + 1, 9 if quick else 1):
                        if role not in beyond:
                            yield f'before call {k} of the {role}', once, (who, options, role, k, sig, beyond)
            yield f'{sig.name if hasattr(sig, "name") else sig} to the group: {name}', who, every
