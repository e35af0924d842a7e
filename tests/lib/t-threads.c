/* SPDX-License-Identifier: MIT */
/* Sixteen threads spawn fifty boxes each, while others do what a busy program does. Built plainly and, by run, with
 * ThreadSanitizer together with the library's own sources. */
#include "lib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { THREADS = 16, BUSY = 4 };

static int boxes = 50;
static atomic_bool stop;
static atomic_int started, good;

static void *spawner(void *arg)
{
	int number = *(int *)arg;

	for (int i = 0; i < boxes; i++) {
		char script[64];
		const char *argv[] = { "/bin/sh", "-c", script, NULL };
		const char *missing[] = { "/no/such/command", NULL };
		bool fails = i % 10 == 9;
		struct pidbox_spec spec = SPEC(.argv = fails ? missing : argv, .hold = i % 7 == 3);
		struct pidbox_error err = { 0 };
		struct pidbox_result res = { 0 };
		struct pidbox *box = NULL;
		int code = (number * 50 + i) % 256, r;

		snprintf(script, sizeof(script), "exit %d", code);
		atomic_fetch_add(&started, 1);
		r = pidbox_spawn(&spec, &box, &err);
		if (r == 0 && spec.hold)
			r = pidbox_release(box, &err);
		if (r < 0 && fails && err.exit_status == PIDBOX_EXIT_NOT_FOUND)
			atomic_fetch_add(&good, 1);
		if (r == 0 && pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == code && !fails)
			atomic_fetch_add(&good, 1);
		if (r < 0 && !fails)
			printf("# %s: %s (%s)\n", err.what, strerror(err.errnum), err.why);
		pidbox_free(box);
	}
	return NULL;
}

#ifdef __SANITIZE_THREAD__
/*
 * The sanitizer's clone() takes every call for a fork and stops looking at the thread that made it. The library's child
 * has the caller's memory and its place in the sanitizer's books, so it goes to libc's by its other name.
 */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, int *pidfd);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *pidfd);

int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *pidfd)
{
	return __clone(fn, stack, flags, arg, pidfd);
}

/* The child has a table of descriptors of its own; the sanitizer takes what it closes there for the host's. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race:child_main\n";
}
#endif

/* Locks of malloc, of stdio and of the environment, mappings that come and go, forks. */
static void *busy(void *arg)
{
	unsigned int seed = (unsigned int)*(int *)arg;

	while (!atomic_load(&stop)) {
		void *blocks[64];
		char *page;

		for (size_t i = 0; i < LEN(blocks); i++)
			blocks[i] = malloc((size_t)rand_r(&seed) % 20000 + 1);
		for (size_t i = 0; i < LEN(blocks); i++)
			free(blocks[i]);
		page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page != MAP_FAILED) {
			page[seed % (1 << 20)] = 1;
			munmap(page, 1 << 20);
		}
#ifndef __SANITIZE_THREAD__ /* which has to stop the world for it */
		if (seed % 64 == 0) {
			pid_t pid = fork();

			if (pid == 0)
				_exit(0);
			waitpid(pid, NULL, 0);
		}
#endif
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS], noise[BUSY];
	int numbers[THREADS], fds;
	int64_t from;

	if (argc > 1)
		boxes = atoi(argv[1]);
	become_subreaper();
	fds = count_fds();
	from = now_us();
	for (int i = 0; i < THREADS; i++)
		numbers[i] = i;
	for (int i = 0; i < BUSY; i++)
		pthread_create(&noise[i], NULL, busy, &numbers[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, spawner, &numbers[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < BUSY; i++)
		pthread_join(noise[i], NULL);
	ok(atomic_load(&good) == THREADS * boxes && atomic_load(&started) == THREADS * boxes,
	   "%d of %d boxes as expected, in %lld ms", atomic_load(&good), THREADS * boxes,
	   (long long)((now_us() - from) / 1000));
	nothing_left(fds, "all threads");
	return tap_end();
}
