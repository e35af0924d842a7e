"""Leaks daemons and ends: leaker.py STATUS NUMBER [stay]. Every way a process gets away from its parent; each ignores
what can be ignored. NUMBER (of seconds) tells them apart in a listing. It ends when all of them are up, or stays."""
import os
import signal
import sys

status, number = int(sys.argv[1]), int(sys.argv[2])
ready, up = os.pipe()


def deaf():
    for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(n, signal.SIG_IGN)


def sleep(n):
    os.execvp('sleep', ['sleep', str(number + n)])


def double():                       # the classic: fork, setsid, fork
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir('/')
    deaf()
    sleep(1)


def session():                      # a session of its own
    os.setsid()
    deaf()
    sleep(2)


def background():                   # what `sleep 1000 &` leaves
    deaf()
    sleep(3)


def keeper():                       # starts its child anew whenever it dies
    global up
    os.setsid()
    deaf()
    while True:
        child = os.fork()
        if child == 0:
            sleep(4)
        if up is not None:
            os.close(up)
            up = None
        os.waitpid(child, 0)


for kind in (double, session, background, keeper):
    if os.fork() == 0:
        kind()
os.close(up)
os.read(ready, 1)                   # end of file: each has executed its sleep, which closes the pipe
print('leaked', flush=True)
if len(sys.argv) > 3:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()
os._exit(status)
