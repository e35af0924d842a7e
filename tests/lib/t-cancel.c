/* SPDX-License-Identifier: MIT */
/* Who wants a spawn to end: a cancellation of its thread runs nothing in the box, and waits for the box; interrupt_fd
 * ends a set-up that hangs. */
#include "lib.h"

#include <pthread.h>
#include <stdatomic.h>

static pid_t host;
static atomic_int cleaned, elsewhere;

/* The child has our memory for a while: what it counts, we see. */
static void cleanup(void *arg)
{
	(void)arg;
	atomic_fetch_add(getpid() == host ? &cleaned : &elsewhere, 1);
}

struct at {
	atomic_bool there, sent; /* the thread may be cancelled; it has been */
};

static void *spawner(void *arg)
{
	struct at *at = arg;
	const char *argv[] = { "/bin/true", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .map = PIDBOX_MAP_ROOT);
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_push(cleanup, NULL);
	atomic_store(&at->there, true);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	if (pidbox_spawn(&spec, &box, &err) < 0)
		tell(&err);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pidbox_free(box);
	pthread_setcancelstate(state, NULL);
	while (!atomic_load(&at->sent)) /* the spawn may have been the quicker one */
		sched_yield();
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled(void)
{
	int fds = count_fds(), ended = 0;

	for (int i = 0; i < 100; i++) {
		struct at at = { 0 };
		pthread_t thread;
		void *result;

		pthread_create(&thread, NULL, spawner, &at);
		while (!atomic_load(&at.there))
			sched_yield();
		pthread_cancel(thread);
		atomic_store(&at.sent, true);
		pthread_join(thread, &result);
		ended += result == PTHREAD_CANCELED;
	}
	ok(ended == 100 && atomic_load(&cleaned) == 100 && atomic_load(&elsewhere) == 0,
	   "100 threads cancelled in a spawn: %d ended, cleanup ran %d times here and %d times elsewhere", ended,
	   atomic_load(&cleaned), atomic_load(&elsewhere));
	nothing_left(fds, "cancelled threads");
}

/* Somebody outside stops the init before it has done anything. */
static void stop_init(void *context, const struct pidbox *box)
{
	struct pidbox_info info;

	(void)context;
	pidbox_get_info(box, &info);
	kill(info.init_pid, SIGSTOP);
}

static void interrupted(void)
{
	const char *argv[] = { "/bin/true", NULL };
	int fds = count_fds(), wish[2], r;
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;
	struct pidbox_spec spec = SPEC(.argv = argv, .hold = true);

	if (pipe2(wish, O_CLOEXEC) < 0)
		return;
	spec.interrupt_fd = wish[0];
	box = start(&spec);
	if (box != NULL)
		stop_init(NULL, box);
	ok(write(wish[1], "x", 1) == 1, "somebody wants it to end");
	r = pidbox_release(box, &err);
	ok(r == -EINTR && err.why[0] != '\0' && err.fix[0] != '\0', "a set-up that hangs is given up: %d %s", r,
	   err.why);
	pidbox_free(box);
	spec.hold = false;
	ok(run(&spec, NULL) == 0, "one that does not hang goes on all the same");
	close(wish[0]);
	close(wish[1]);
	nothing_left(fds, "interrupted boxes");
}

int main(void)
{
	host = getpid();
	become_subreaper();
	cancelled();
	interrupted();
	return tap_end();
}
