/* SPDX-License-Identifier: MIT */
/*
 * What pidbox_spawn and the wait cost a host with much memory and many threads: spawn-heap FLOOR [ROUNDS [MIB]]
 *
 * A worker process for each size of heap, of at most MIB; round by round each one in turn starts a box by the library,
 * by the floor, by a floor whose init comes from sealed memory as the library's does (a host has no file of it), and
 * now and then by a clone that copies as fork(2) does. First the workers have one thread (row "spawn"), then 64 (row
 * "spawn-threads"); X is the heap in MiB.
 */
#include "floor.h"
#include "proc.h"

#include <pidbox.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { THREADS = 64, FORK_EVERY = 10, WARM_UP = 5, IMAGE = 52 * 1024 /* the size of the library's init */ };
enum way { BY_PIDBOX, BY_FLOOR, BY_COPY, BY_FORK, WAYS };
static const char *const way_names[WAYS] = { "pidbox_spawn", "floor", "floor, init copied", "fork-like clone" };
static const size_t heaps_mib[] = { 10, 1024, 4096 };

struct worker {
	pid_t pid;
	int ask, answer;
	struct series times[2][WAYS];
};

/* ------------------------------------------------------------ worker */

static double by_pidbox(char *command)
{
	const char *argv[] = { command, NULL };
	struct pidbox_spec spec = { .size = sizeof(spec), .argv = argv, .argv0 = "floor-true" };
	double from = clock_now_us(), to;
	struct pidbox_result res;
	struct pidbox_error err;
	struct pidbox *box;

	if (pidbox_spawn(&spec, &box, &err) < 0) {
		(void)fprintf(stderr, "spawn-heap: %s: %s\n", err.what, strerror(err.errnum));
		exit(1);
	}
	if (pidbox_wait(box, PIDBOX_DEFAULT, &res) < 0 || res.exit_code != 0)
		exit(1);
	to = clock_now_us();
	pidbox_free(box);
	return to - from;
}

static char image[IMAGE];

static int copied_init(void)
{
	int fd = memfd_create("floor-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, image, sizeof(image)) != sizeof(image) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		exit(1);
	return fd;
}

static double by_floor(char *command, int file, enum way way)
{
	char name[] = "floor-init";
	struct floor_start start;
	char *argv[] = { name, start.said, command, NULL };
	double from = clock_now_us();
	int init = way == BY_COPY ? copied_init() : file, status = -1;

	floor_prepare(&start, init, argv);
	if (floor_connect(&start, '-') == 0 && (way == BY_FORK ? floor_fork(&start) : floor_clone(&start)) > 0)
		status = floor_wait(&start, -1, -1);
	if (way == BY_COPY)
		(void)close(init);
	if (status != 0) {
		(void)fprintf(stderr, "spawn-heap: the floor does not work here: status %d\n", status);
		exit(1);
	}
	(void)close(start.pair[0]);
	(void)close(start.front);
	(void)close(start.init_pidfd);
	return clock_now_us() - from;
}

static void *idle(void *arg)
{
	for (;;)
		(void)pause();
	return arg;
}

static void start_threads(void)
{
	pthread_attr_t attr;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 256 * 1024);
	for (int i = 1; i < THREADS; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attr, idle, NULL) != 0)
			exit(1);
	}
}

static void worker_main(size_t mib, char *floor_path, char *command, int ask, int answer)
{
	size_t size = mib << 20;
	char *heap = malloc(size);
	int init = open(floor_path, O_RDONLY | O_CLOEXEC);
	char what;

	if (heap == NULL || init < 0 || pread(init, image, sizeof(image), 0) <= 0)
		exit(1);
	for (size_t at = 0; at < size; at += 4096)
		*(volatile char *)(heap + at) = (char)at;
	for (;;) {
		double us = 0;

		if (write(answer, &us, 0) < 0 || read(ask, &what, 1) != 1)
			exit(0);
		if (what == WAYS)
			start_threads();
		else if (what == BY_PIDBOX)
			us = by_pidbox(command);
		else
			us = by_floor(command, init, (enum way)what);
		if (write(answer, &us, sizeof(us)) != sizeof(us))
			exit(1);
	}
}

/* ------------------------------------------------------------ driver */

static double ask(struct worker *w, int what)
{
	char byte = (char)what;
	double us;

	if (write(w->ask, &byte, 1) != 1 || read(w->answer, &us, sizeof(us)) != sizeof(us)) {
		(void)fprintf(stderr, "spawn-heap: a worker has ended\n");
		exit(1);
	}
	return us;
}

static int start_worker(struct worker *w, size_t mib, char *floor_path, char *command)
{
	int down[2], up[2];

	if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0)
		return -1;
	w->pid = fork();
	if (w->pid == 0) {
		(void)close(down[1]);
		(void)close(up[0]);
		worker_main(mib, floor_path, command, down[0], up[1]);
	}
	(void)close(down[0]);
	(void)close(up[1]);
	w->ask = down[1];
	w->answer = up[0];
	return w->pid < 0 ? -1 : 0;
}

static void rounds(struct worker *workers, size_t n, int phase, int count)
{
	for (int round = -WARM_UP; round < count; round++) {
		for (enum way way = 0; way < WAYS; way++) {
			if (way == BY_FORK && round % FORK_EVERY != 0)
				continue;
			for (size_t i = 0; i < n; i++) {
				double us = ask(&workers[i], (int)way);

				if (round >= 0)
					series_add(&workers[i].times[phase][way], us);
			}
		}
	}
}

static void tell(struct worker *workers, size_t n)
{
	for (int phase = 0; phase < 2; phase++)
		for (enum way way = 0; way < WAYS; way++)
			for (size_t i = 0; i < n; i++)
				series_tell(row_of(phase == 0 ? "spawn" : "spawn-threads"), way_names[way],
					    (double)heaps_mib[i], "us", &workers[i].times[phase][way]);
}

int main(int argc, char *argv[])
{
	struct worker workers[LEN(heaps_mib)] = { 0 };
	int count = argc > 2 ? atoi(argv[2]) : 300;
	size_t most = argc > 3 ? (size_t)atol(argv[3]) : heaps_mib[LEN(heaps_mib) - 1];
	char command[4096];
	size_t n = LEN(heaps_mib);

	if (argc < 2 || count < 1) {
		(void)fprintf(stderr, "usage: spawn-heap FLOOR [ROUNDS [MIB]]\n");
		return 2;
	}
	/* floor-true lies beside the floor. */
	(void)snprintf(command, sizeof(command), "%s-true", argv[1]);
	while (n > 1 && heaps_mib[n - 1] > most)
		n--;
	while (n > 1 && available_mib() < 5 * heaps_mib[n - 1] / 4 + 1024) {
		char why[64];

		(void)snprintf(why, sizeof(why), "%zu MiB: not enough memory is available", heaps_mib[--n]);
		tell_missing(row_of("spawn"), way_names[BY_PIDBOX], why);
	}
	for (size_t i = 0; i < n; i++)
		if (start_worker(&workers[i], heaps_mib[i], argv[1], command) < 0)
			return 1;
	rounds(workers, n, 0, count);
	for (size_t i = 0; i < n; i++)
		(void)ask(&workers[i], WAYS);
	rounds(workers, n, 1, count);
	tell(workers, n);
	for (size_t i = 0; i < n; i++) {
		/* Later workers have copies of its pipe: its end would not come. */
		(void)kill(workers[i].pid, SIGKILL);
		(void)waitpid(workers[i].pid, NULL, 0);
	}
	return 0;
}
