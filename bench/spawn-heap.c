/* SPDX-License-Identifier: MIT */
/*
 * What pidbox_spawn and the wait cost a host with much memory and many threads: usage: spawn-heap FLOOR [ROUNDS]
 *
 * A worker process for each size of heap; round by round each one in turn starts a box by the library, by the floor,
 * and now and then by a clone that copies as fork(2) does. First the workers have one thread, then 64.
 */
#include "floor.h"
#include "stats.h"

#include <pidbox.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { THREADS = 64, FORK_EVERY = 10, WARM_UP = 5 };
enum way { BY_PIDBOX, BY_FLOOR, BY_FORK, WAYS };
static const char *const way_names[WAYS] = { "pidbox_spawn + wait", "floor", "fork-like clone" };
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

static double by_floor(char *command, int init, bool copies)
{
	char name[] = "floor-init";
	char *argv[] = { name, command, NULL };
	double from = clock_now_us();
	struct floor_start start;
	int status = -1;
	pid_t pid;

	floor_prepare(&start, init, argv);
	pid = copies ? floor_fork(&start) : floor_clone(&start);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
		(void)fprintf(stderr, "spawn-heap: the floor does not work here: status %x\n", (unsigned)status);
		exit(1);
	}
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

	if (heap == NULL || init < 0)
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
			us = by_floor(command, init, what == BY_FORK);
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

static size_t available_mib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	size_t kib = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f);
	return kib / 1024;
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

static void print(struct worker *workers, size_t n)
{
	printf("%-22s%10s", "median us", "threads");
	for (size_t i = 0; i < n; i++)
		printf("%8zu MiB", heaps_mib[i]);
	printf("%10s\n", "ratio");
	for (enum way way = 0; way < WAYS; way++) {
		for (int phase = 0; phase < 2; phase++) {
			double first = series_median(&workers[0].times[phase][way]), last = 0;

			printf("%-22s%10d", way_names[way], phase ? THREADS : 1);
			for (size_t i = 0; i < n; i++) {
				last = series_median(&workers[i].times[phase][way]);
				printf("%12.0f", last);
			}
			printf("%10.2f\n", last / first);
		}
	}
}

/*
 * How far apart the library's times are over all sizes and numbers of threads: by lower quartiles, which a busy
 * neighbour moves less than medians.
 */
static double spread(struct worker *workers, size_t n)
{
	double least = 1e12, most = 0;

	for (size_t i = 0; i < n; i++) {
		for (int phase = 0; phase < 2; phase++) {
			double us = series_quantile(&workers[i].times[phase][BY_PIDBOX], 0.25);

			least = us < least ? us : least;
			most = us > most ? us : most;
		}
	}
	return most / least;
}

int main(int argc, char *argv[])
{
	struct worker workers[LEN(heaps_mib)] = { 0 };
	int count = argc > 2 ? atoi(argv[2]) : 300;
	char command[4096];
	size_t n = LEN(heaps_mib);
	double flat, floors = 0;

	if (argc < 2 || count < 1) {
		(void)fprintf(stderr, "usage: spawn-heap FLOOR [ROUNDS]\n");
		return 2;
	}
	/* floor-true lies beside the floor. */
	(void)snprintf(command, sizeof(command), "%s-true", argv[1]);
	while (n > 1 && available_mib() < 5 * heaps_mib[n - 1] / 4 + 1024)
		printf("skipped: %zu MiB, not enough memory is available\n", heaps_mib[--n]);
	for (size_t i = 0; i < n; i++)
		if (start_worker(&workers[i], heaps_mib[i], argv[1], command) < 0)
			return 1;
	rounds(workers, n, 0, count);
	for (size_t i = 0; i < n; i++)
		(void)ask(&workers[i], WAYS);
	rounds(workers, n, 1, count);
	printf("pidbox %s, uid %u, %d rounds, interleaved; ratio: the largest heap to the smallest\n", pidbox_version(),
	       geteuid(), count);
	print(workers, n);
	flat = spread(workers, n);
	for (size_t i = 0; i < n; i++)
		floors +=
			series_median(&workers[i].times[0][BY_PIDBOX]) / series_median(&workers[i].times[0][BY_FLOOR]);
	printf("pidbox_spawn + wait: %.2f between the fastest and the slowest: %s; %.2f of the floor\n", flat,
	       flat <= 1.2 ? "flat" : "NOT flat within 20%", floors / (double)n);
	for (size_t i = 0; i < n; i++) {
		/* Later workers have copies of its pipe: its end would not come. */
		(void)kill(workers[i].pid, SIGKILL);
		(void)waitpid(workers[i].pid, NULL, 0);
	}
	return flat <= 1.2 ? 0 : 1;
}
