#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a listing costs beside others', as root: list.py PIDBOX CROWD [ROUNDS]

`pidbox ls` beside `lsns -t pid`, and `pidbox ps` beside `ps -e`, with 100, 1,000 and 10,000 processes in 1, 100 and 1,000
namespaces (crowd.c). Rounds are interleaved; medians, ratios, system calls (strace -c). It fails when ls is not three
times as fast as lsns at 10,000 processes, when its cost for a process grows, or when `pidbox ps BOX` grows with the machine."""
import re
import shutil
import statistics
import subprocess
import sys
import time

SIZES = [(p, n) for p in (100, 1000, 10000) for n in (1, 100, 1000) if n <= p]


def run(argv):
    start = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = (time.perf_counter() - start) * 1e3
    if done.returncode:
        sys.exit(f'{argv}: status {done.returncode}')
    return took


def calls(argv):
    """System calls of one run; None without strace."""
    if not shutil.which('strace'):
        return None
    err = subprocess.run(['strace', '-f', '-c', *argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
    total = re.search(r'^ *100\.00 +[\d.]+ +(?:\d+ +)?(\d+).* total$', err, re.M)
    return int(total[1]) if total else None


def measure(pidbox, crowd, processes, namespaces, rounds):
    """Name -> (median in ms, system calls)."""
    made = subprocess.Popen([crowd, str(processes), str(namespaces)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        first = made.stdout.readline().strip()
        if not first:
            sys.exit(f'{processes} processes in {namespaces} namespaces cannot be made here')
        ways = {'pidbox ls': [pidbox, 'ls'], 'lsns': ['lsns', '-t', 'pid'], 'pidbox ps': [pidbox, 'ps'], 'ps -e': ['ps', '-e'],
                'pidbox ps BOX': [pidbox, 'ps', first]}
        for argv in ways.values():
            run(argv)
        times = {name: [] for name in ways}
        for _ in range(rounds):
            for name, argv in ways.items():
                times[name].append(run(argv))
        return {name: (statistics.median(t), calls(ways[name])) for name, t in times.items()}
    finally:
        made.stdin.close()
        made.wait()


def main():
    pidbox, crowd = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 11
    missing = [tool for tool in ('lsns', 'ps') if not shutil.which(tool)]
    if missing:
        sys.exit(f'not installed: {" ".join(missing)}')
    print(f'listing, {rounds} rounds, interleaved: ms (system calls)')
    print(f'{"processes":>9} {"namespaces":>10}  {"pidbox ls":>16} {"lsns -t pid":>16} {"ratio":>6}  '
          f'{"pidbox ps":>16} {"ps -e":>16} {"ratio":>6}  {"pidbox ps BOX":>16}')
    got, bad = {}, []
    for processes, namespaces in SIZES:
        m = got[processes, namespaces] = measure(pidbox, crowd, processes, namespaces, rounds)
        cell = {k: f'{ms:.1f} ({n if n is not None else "?"})' for k, (ms, n) in m.items()}
        ls, ps = m['lsns'][0] / m['pidbox ls'][0], m['ps -e'][0] / m['pidbox ps'][0]
        print(f'{processes:9} {namespaces:10}  {cell["pidbox ls"]:>16} {cell["lsns"]:>16} {ls:6.1f}  '
              f'{cell["pidbox ps"]:>16} {cell["ps -e"]:>16} {ps:6.1f}  {cell["pidbox ps BOX"]:>16}', flush=True)
        if processes == 10000 and ls < 3:
            bad.append(f'ls is {ls:.1f} times as fast as lsns at 10,000 processes in {namespaces} namespaces')
    # Ten times the processes in as many namespaces cost ten times as much, and a little for what does not scale.
    few, many = got[1000, 1]['pidbox ls'][0], got[10000, 1]['pidbox ls'][0]
    if many > 12 * few:
        bad.append(f'ls is not linear: {few:.1f} ms for 1,000 processes, {many:.1f} ms for 10,000')
    # Boxes of ten processes, alone and among a thousand.
    alone, among = got[1000, 100]['pidbox ps BOX'], got[10000, 1000]['pidbox ps BOX']
    if alone[1] and among[1] > alone[1] * 1.1:
        bad.append(f'ps of a box of ten processes: {alone[1]} system calls with 1,000 processes, {among[1]} with 10,000')
    for line in bad:
        print('FAIL ' + line)
    return 1 if bad else 0


sys.exit(main())
