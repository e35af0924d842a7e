#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a listing costs beside others', as root: list.py PIDBOX CROWD [ROUNDS [PROCESSES]]

`pidbox ls` beside `lsns -t pid`, and `pidbox ps` beside `ps -e`, with 100, 1,000 and 10,000 processes (at most PROCESSES) in 1,
100 and 1,000 namespaces (crowd.c), in milliseconds; rounds are interleaved. Rows list-NAMESPACES, where X is the number of
processes, and list-NAMESPACES-calls with the system calls of one run (strace -c)."""
import re
import shutil
import subprocess
import sys
import time

TRIES = 5  # lsns fails when a process ends while it looks
SIZES = [(p, n) for n in (1, 100, 1000) for p in (100, 1000, 10000) if n <= p]


def run(argv):
    for _ in range(TRIES):
        start = time.perf_counter()
        done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = (time.perf_counter() - start) * 1e3
        if done.returncode == 0:
            return took
    sys.exit(f'{argv}: status {done.returncode}')


def calls(argv):
    """System calls of one run; None without strace."""
    if not shutil.which('strace'):
        return None
    err = subprocess.run(['strace', '-f', '-c', *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
    total = re.search(r'^ *100\.00 +[\d.]+ +(?:\d+ +)?(\d+).* total$', err, re.M)
    return int(total[1]) if total else None


def measure(pidbox, crowd, processes, namespaces, rounds):
    made = subprocess.Popen([crowd, str(processes), str(namespaces)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        first = made.stdout.readline().strip()
        if not first:
            sys.exit(f'{processes} processes in {namespaces} namespaces cannot be made here')
        ways = {'pidbox ls': [pidbox, 'ls'], 'lsns': ['lsns', '-t', 'pid'], 'pidbox ps': [pidbox, 'ps'], 'ps -e': ['ps', '-e'],
                'pidbox ps BOX': [pidbox, 'ps', first]}
        ways = {name: argv for name, argv in ways.items() if shutil.which(argv[0])}
        for argv in ways.values():
            run(argv)
        times = {name: [] for name in ways}
        for n in range(rounds):
            for name in list(ways)[::1 if n % 2 == 0 else -1]:
                times[name].append(run(ways[name]))
        for name, ms in times.items():
            print(f'list-{namespaces}', name, processes, 'ms', *(f'{t:.4g}' for t in ms), sep='\t', flush=True)
            count = calls(ways[name])
            if count is not None:
                print(f'list-{namespaces}-calls', name, processes, 'calls', count, sep='\t', flush=True)
    finally:
        made.stdin.close()
        made.wait()


def main():
    pidbox, crowd = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 11
    most = int(sys.argv[4]) if len(sys.argv) > 4 else 10000
    for row, name in ('list-1', 'lsns'), ('list-1', 'ps -e'), ('list-1-calls', 'strace'):
        if not shutil.which(name.split()[0]):
            print(row, name, 'missing', 'not installed', sep='\t')
    for processes, namespaces in SIZES:
        if processes <= most:
            measure(pidbox, crowd, processes, namespaces, rounds)


main()
