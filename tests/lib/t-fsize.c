/* SPDX-License-Identifier: MIT */
/*
 * RLIMIT_FSIZE (getrlimit(2)) holds for the whole process, for files in memory too, and passing it raises SIGXFSZ. A
 * host with a low one spawns from many threads; none of them, nor any other, may see the limit change.
 */
#include "lib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum { THREADS = 8, BOXES = 25 };

static atomic_bool stop;
static char note[2048]; /* of any box that failed; nothing can be printed under the limit */
static atomic_int good, changed, signals;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&signals, 1);
}

static void *spawner(void *arg)
{
	const char *argv[] = { "/bin/sh", "-c", "test $(ulimit -f) = 0 && exit 7", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);

	(void)arg;
	for (int i = 0; i < BOXES; i++) {
		struct pidbox_error err = { 0 };
		struct pidbox_result res = { 0 };
		struct pidbox *box = NULL;

		if (pidbox_spawn(&spec, &box, &err) < 0)
			snprintf(note, sizeof(note), "%s: %s", err.what, err.why);
		else if (pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == 7)
			atomic_fetch_add(&good, 1);
		pidbox_free(box);
	}
	return NULL;
}

static void *watcher(void *arg)
{
	struct rlimit lim;

	(void)arg;
	while (!atomic_load(&stop))
		if (getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur != 0)
			atomic_fetch_add(&changed, 1);
	return NULL;
}

int main(void)
{
	struct rlimit lim, none;
	pthread_t threads[THREADS], watch;
	int fds = count_fds();

	getrlimit(RLIMIT_FSIZE, &lim);
	none = lim;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	signal(SIGXFSZ, on_signal);
	signal(SIGCHLD, on_signal);
	pthread_create(&watch, NULL, watcher, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, spawner, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&stop, true);
	pthread_join(watch, NULL);
	setrlimit(RLIMIT_FSIZE, &lim);
	ok(good == THREADS * BOXES, "%d of %d boxes with a file size limit of 0, which they inherit (%s)", good,
	   THREADS * BOXES, note[0] != '\0' ? note : "none failed");
	ok(changed == 0, "the limit was never another one");
	ok(signals <= THREADS * BOXES, "no SIGXFSZ, and no more than one SIGCHLD a box: %d", signals);
	ok(count_fds() == fds && count_children() == 0, "nothing is left");
	return tap_end();
}
