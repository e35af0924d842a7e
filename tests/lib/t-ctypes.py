# SPDX-License-Identifier: MIT
"""The shared library from Python, which mirrors no struct: opaque pointers, options as an argv, the record as JSON.

usage: t-ctypes.py BUILD"""
import ctypes
import gc
import json
import os
import select
import signal
import sys
import threading

checks = failures = 0


def ok(cond, words):
    global checks, failures
    checks += 1
    failures += not cond
    print('%sok %d - %s' % ('' if cond else 'not ', checks, words.replace('#', '?').replace('\n', '?')), flush=True)
    return cond


lib = ctypes.CDLL(os.path.join(sys.argv[1], 'libpidbox.so'))
P, I, I64, SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t
for name, result, *arguments in (
        ('pidbox_version', ctypes.c_char_p), ('pidbox_error_new', P), ('pidbox_error_free', None, P),
        ('pidbox_error_format', SIZE, P, ctypes.c_char_p, SIZE), ('pidbox_options_parse', I, I, P, P, P),
        ('pidbox_options_spec', P, P), ('pidbox_options_hold_fd', I, P), ('pidbox_options_events_fd', I, P),
        ('pidbox_options_report', ctypes.c_char_p, P), ('pidbox_options_flags', ctypes.c_uint32, P),
        ('pidbox_options_free', None, P), ('pidbox_spawn', I, P, P, P),
        ('pidbox_wait', I, P, I64, P), ('pidbox_exit_status', I, P, P),
        ('pidbox_record', SIZE, P, ctypes.c_char_p, SIZE),
        ('pidbox_record_failed', SIZE, P, P, ctypes.c_char_p, SIZE), ('pidbox_pidfd', I, P), ('pidbox_signal', I, P, I),
        ('pidbox_kill', I, P, I64, P), ('pidbox_free', None, P), ('pidbox_release', I, P, P)):
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments


class Failure(Exception):
    pass


class Box:
    """A running box; nothing here knows how any struct of pidbox.h looks."""

    def __init__(self, *options):
        self.error = lib.pidbox_error_new()
        self.box = P()
        argv = (ctypes.c_char_p * (len(options) + 1))(*[o.encode() for o in options], None)
        parsed = P()
        try:
            if lib.pidbox_options_parse(len(options), argv, ctypes.byref(parsed), self.error) < 0:
                raise Failure(self.why())
            if lib.pidbox_spawn(lib.pidbox_options_spec(parsed), ctypes.byref(self.box), self.error) < 0:
                raise Failure(self.why())
        finally:
            lib.pidbox_options_free(parsed)

    def why(self):
        text = ctypes.create_string_buffer(4096)
        lib.pidbox_error_format(self.error, text, len(text))
        return text.value.decode()

    def wait(self, timeout_us=-1):
        return lib.pidbox_wait(self.box, timeout_us, None)

    def status(self):
        return lib.pidbox_exit_status(self.box, None)

    def record(self):
        size = lib.pidbox_record(self.box, None, 0) + 1
        text = ctypes.create_string_buffer(size)
        lib.pidbox_record(self.box, text, size)
        return json.loads(text.value)

    def close(self):
        lib.pidbox_free(self.box)
        lib.pidbox_error_free(self.error)
        self.box = None


def refused(*options):
    try:
        Box(*options).close()
    except Failure as e:
        return str(e)
    return ''


def open_fds():
    return sorted(os.listdir('/proc/self/fd'))


before = open_fds()
ok(lib.pidbox_version().decode().count('.') == 2, 'version ' + lib.pidbox_version().decode())

box = Box('--hostname', 'py', '--report', '-', '--', 'sh', '-c', 'exit 7')
ok(box.wait() == 0 and box.status() == 7, 'exit status 7')
record = box.record()
ok(record['schema'] == 1 and record['reason'] == 'exited' and record['exit_code'] == 7 and
   record['command'] == ['sh', '-c', 'exit 7'], 'its record: %s' % record)
box.close()

box = Box('--', 'sh', '-c', 'kill -9 $$')
ok(box.wait() == 0 and box.status() == 137 and box.record()['signal'] == 'SIGKILL', 'died of SIGKILL')
box.close()

box = Box('--grace', '0', 'sleep', '1000')
fd = lib.pidbox_pidfd(box.box)
ok(box.wait(0) == -110 and box.wait(20000) == -110, 'it runs: -ETIMEDOUT')
ok(select.select([fd], [], [], 0)[0] == [], 'the pidfd is quiet')
ok(lib.pidbox_signal(box.box, signal.SIGTERM) == 0, 'a signal')
ok(select.select([fd], [], [], 5)[0] == [fd] and box.wait(0) == 0 and box.status() == 143,
   'ends it, and the pidfd tells')
box.close()

ok('[NOT_FOUND]' in refused('--', 'no-such-command'), 'a command that is missing: ' + refused('--', 'no-such-command'))
ok('[USAGE]' in refused('--no-such-option'), 'an option that is missing: ' + refused('--no-such-option'))



def parsed(*options):
    """What a front has to know of options that the library leaves to it: descriptors, the report, flags."""
    argv = (ctypes.c_char_p * (len(options) + 1))(*[o.encode() for o in options], None)
    opts = P()
    error = lib.pidbox_error_new()
    try:
        if lib.pidbox_options_parse(len(options), argv, ctypes.byref(opts), error) < 0:
            return None
        return (lib.pidbox_options_hold_fd(opts), lib.pidbox_options_events_fd(opts), lib.pidbox_options_report(opts),
                lib.pidbox_options_flags(opts))
    finally:
        lib.pidbox_options_free(opts)
        lib.pidbox_error_free(error)


EBADF = 9
ok(parsed('true') == (-EBADF, -EBADF, None, 0), 'no options: %s' % (parsed('true'),))
ok(parsed('--hold-fd', '7', '--events', 'fd:8', '--report', 'fd:9', 'true') == (7, 8, b'fd:9', 0),
   'descriptors and report: %s' % (parsed('--hold-fd', '7', '--events', 'fd:8', '--report', 'fd:9', 'true'),))
for bit, option in enumerate(('--summary', '--explain', '--dry-run', '--help', '--close-fds')):
    ok(parsed(option, 'true')[3] == 1 << bit, '%s: %s' % (option, parsed(option, 'true')))

box = Box('--as-pid1', '--timeout', '0.05', '--grace', '0.05', 'sleep', '1000')
ok(box.wait() == 0 and box.status() == 124 and box.record()['reason'] == 'timeout' and box.wait() == 0,
   'a time limit, without a struct: %s' % box.record())
box.close()

statuses = []


def in_thread(number):
    b = Box('--', 'sh', '-c', 'exit %d' % number)
    statuses.append(b.wait() == 0 and b.status() == number)
    b.close()


threads = [threading.Thread(target=in_thread, args=(n,)) for n in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
ok(statuses == [True] * 8, 'eight threads at once')

box = Box('sleep', '1000')
box.close()
gc.collect()
ok(open_fds() == before, 'no descriptor is left')
try:
    os.waitpid(-1, os.WNOHANG)
    ok(False, 'no child is left')
except ChildProcessError:
    ok(True, 'no child is left')
print('1..%d' % checks)
sys.exit(failures > 0)
