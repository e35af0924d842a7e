"""make -j of a real C project from its Debian source package: the same files inside and outside."""
import hashlib
import os
import re
import shutil
import stat

from worklib import check, equal, test, write

JOBS = '-j4'
BUILD = './configure >configure.out 2>&1 && make %s >make.out 2>&1 && make %s test >test.out 2>&1' % (JOBS, JOBS)


def fresh(stage, name='project'):
    """The sources, always in the same place: paths are in the results."""
    target = os.path.join(stage.tmp, name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(stage.need('source'), target, symlinks=True)
    return target


def results(folder):
    """Every file: kind, mode and what is in it. Logs name temporary files and times."""
    found = {}
    for where, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(where, name)
            info = os.lstat(path)
            if name.endswith(('.log', '.out')):
                continue
            if stat.S_ISLNK(info.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(info.st_mode):
                with open(path, 'rb') as file:
                    what = hashlib.sha256(file.read()).hexdigest()
            else:
                what = ''
            found[os.path.relpath(path, folder)] = (oct(info.st_mode), info.st_uid, what)
    return found


def logs(folder):
    text = ''
    for name in ('configure.out', 'make.out', 'test.out'):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, encoding='utf-8', errors='replace') as file:
                text += file.read()[-700:]
    return text


@test('make: configure, make %s and its own tests build the same files inside as outside' % JOBS)
def build(stage):
    stage.need('make'), stage.need('cc')
    source_files = set(results(stage.need('source')))
    seen = []
    for run in (stage.outside, stage.run):
        folder = fresh(stage)
        done = run(['sh', '-c', BUILD], timeout=120, cwd=folder)
        equal(done.status, 0, 'exit status of the build (%s%s)' % (done.err, logs(folder)))
        check('test OK' in logs(folder), 'the project\'s own tests did not say OK: ' + logs(folder))
        seen.append(results(folder))
    outside, inside = seen
    made = set(outside) - source_files
    check(len(made) > 30, 'only %d files were made' % len(made))
    differ = sorted(name for name in set(outside) | set(inside) if outside.get(name) != inside.get(name))
    check(not differ, 'differ: ' + ', '.join('%s %r/%r' % (n, outside.get(n), inside.get(n)) for n in differ[:5]))
    if done.record:
        equal((done.record['reason'], done.record['exit_code'], done.record['leaked']), ('exited', 0, []), 'record')
        check(done.record['reaped'] >= 0 and done.record['user_us'] > 100000, 'CPU time in the record: %r' % done.record)
    return '%d files made' % len(made)


@test('make: the status of a failing build, with others still running, is make\'s own')
def failing(stage):
    stage.need('make'), stage.need('cc')
    folder = stage.folder('failing')
    write(folder + '/bad.c', 'int main(void) { return missing; }\n')
    write(folder + '/Makefile', 'all: bad.o slow\nslow:\n\t@while [ ! -e started ]; do :; done; exec sleep 0.2\n'
          'bad.o: bad.c\n\t@: >started; $(CC) -c bad.c\n')
    inside = []
    for run in (stage.outside, stage.run):
        done = run(['make', '-j2'], cwd=folder)
        inside.append(done)
        os.unlink(folder + '/started')
    equal([d.status for d in inside], [2, 2], 'statuses outside and inside (%s)' % done.err)
    check('missing' in done.err and 'Error 1' in done.err, 'messages: ' + done.err)


@test('make: the jobserver of an outer make is used inside')
def jobserver(stage):
    stage.need('make')
    folder = stage.folder('jobserver')
    # two recipes that wait for each other through a FIFO: with one job alone they would wait for ever
    os.mkfifo(folder + '/meet')
    write(folder + '/inner.mk', 'all: a b\na:\n\t@echo met >meet\nb:\n\t@read x <meet; echo "$$x"\n')
    box = ' '.join(stage.argv(['$(MAKE)', '-f', 'inner.mk']))
    write(folder + '/outer.mk', 'all:\n\t+@%s\n' % box)
    done = stage.outside(['make', '-j3', '-f', 'outer.mk'], cwd=folder)
    equal(done.status, 0, 'exit status (%s)' % done.err)
    check(re.search(r'(?m)^met$', done.out), 'output: %r %r' % (done.out, done.err))
    check('jobserver' not in done.err, 'make complains: ' + done.err)
