/* SPDX-License-Identifier: MIT */
/* The box ends with its host, however that ends and whoever else has copies of its descriptors. */
#include "lib.h"

#include <pthread.h>

enum how { BY_SIGKILL, BY_EXIT, BY_UNDERSCORE_EXIT, BY_EXEC, BY_ABORT, WAYS };
static const char *const ways[] = { "SIGKILL", "exit", "_exit", "exec of something that ends", "abort" };

struct report {
	pid_t init, command, sibling;
};

struct host {
	enum how how;
	bool sibling, as_pid1, held, stubborn, tty;
	int report, go;
};

/* A box in a process that will end in some way. */
static void host_main(void *arg)
{
	const struct host *h = arg;
	const char *argv[] = { "/bin/sh", "-c", "sleep 1000", NULL };
	const char *stubborn[] = { "/bin/sh", "-c",
				   "trap '' TERM HUP INT; setsid sleep 1000 & while :; do sleep 1; done", NULL };
	struct pidbox_spec spec =
		SPEC(.argv = h->stubborn ? stubborn : argv, .as_pid1 = h->as_pid1, .hold = h->held, .tty = h->tty);
	struct pidbox *box = NULL;
	struct pidbox_info info = { 0 };
	struct report report = { 0 };
	char byte;

	signal(SIGABRT, SIG_DFL);
	if (pidbox_spawn(&spec, &box, NULL) == 0) {
		pidbox_get_info(box, &info);
		report = (struct report){ .init = info.init_pid, .command = info.command_pid };
	}
	if (h->sibling) {
		report.sibling = fork();
		if (report.sibling == 0)
			for (;;)
				pause();
	}
	if (write(h->report, &report, sizeof(report)) < 0 || read(h->go, &byte, 1) < 0)
		_exit(1);
	switch (h->how) {
	case BY_EXIT:
		exit(0);
	case BY_UNDERSCORE_EXIT:
		_exit(0);
	case BY_EXEC:
		execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
		_exit(1);
	case BY_ABORT:
		abort();
	default:
		raise(SIGKILL);
	}
}

static void host_ends(struct host h, const char *words)
{
	int report[2], go[2], init = -1, command = -1;
	struct report r = { 0 };
	pid_t pid;
	bool told;
	int64_t from;

	if (pipe2(report, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		return;
	h.report = report[1];
	h.go = go[0];
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		host_main(&h);
	told = read(report[0], &r, sizeof(r)) == sizeof(r) && r.init > 0;
	ok(told, "%s, %s: a box runs", ways[h.how], words);
	if (told) {
		init = open_pidfd(r.init);
		command = r.command > 0 ? open_pidfd(r.command) : -1;
		ok(!readable_within(init, 20), "%s, %s: it goes on while the host lives", ways[h.how], words);
		from = now_us();
		if (write(go[1], "", 1) == 1)
			waitpid(pid, NULL, 0);
		ok(readable_within(init, 5000) && (command < 0 || readable_within(command, 5000)),
		   "%s, %s: it ends with the host (%lld us)", ways[h.how], words, (long long)(now_us() - from));
	}
	if (r.sibling > 0)
		kill(r.sibling, SIGKILL);
	else if (!told)
		kill(pid, SIGKILL);
	ok(all_gone_within(5000), "%s, %s: nothing is left", ways[h.how], words);
	close(report[0]), close(report[1]), close(go[0]), close(go[1]);
	if (init >= 0)
		close(init);
	if (command >= 0)
		close(command);
}

/* SIGKILL at any moment: of set-up, of running, of ending. */
static void busy_host(void *arg)
{
	const char *argv[] = { "/bin/sh", "-c", "sleep 0.001; exit 0", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);

	(void)arg;
	for (;;) {
		struct pidbox_result res;
		struct pidbox *box;

		if (pidbox_spawn(&spec, &box, NULL) < 0)
			_exit(1);
		pidbox_wait(box, PIDBOX_DEFAULT, &res);
		pidbox_free(box);
	}
}

static void any_moment(void)
{
	int left = 0;

	for (int i = 0; i < 200; i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			busy_host(NULL);
		sleep_us(i * 37 % 7000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (!all_gone_within(5000))
			left++;
	}
	ok(left == 0, "SIGKILL of the host at 200 moments: %d times something was left", left);
}

/* ------------------------------------------------------------ threads that end are not hosts that end */

static void *spawn_in_thread(void *arg)
{
	struct pidbox *box = NULL;

	return pidbox_spawn(arg, &box, NULL) == 0 ? box : NULL;
}

static void thread_ends(bool as_pid1)
{
	const char *argv[] = { "/bin/sh", "-c", "sleep 0.3; exit 8", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .as_pid1 = as_pid1);
	struct pidbox_result res = { 0 };
	pthread_t thread;
	void *box = NULL;
	int r;

	if (pthread_create(&thread, NULL, spawn_in_thread, &spec) != 0)
		return;
	pthread_join(thread, &box);
	if (!ok(box != NULL, "a thread spawns a box%s and ends", as_pid1 ? " without an init" : ""))
		return;
	r = pidbox_wait(box, 10000 * MS, &res);
	if (as_pid1) { /* PR_SET_PDEATHSIG follows the thread, and pidbox.h says so */
		ok(r == 0 && res.signal == SIGKILL, "the box without an init ends with its thread: wait %d, signal %d",
		   r, res.signal);
		pidbox_free(box);
		return;
	}
	ok(r == 0 && res.exit_code == 8, "the box%s goes on: wait %d, code %d, signal %d",
	   as_pid1 ? " without an init" : "", r, res.exit_code, res.signal);
	pidbox_free(box);
}

int main(void)
{
	become_subreaper();
	for (enum how how = 0; how < WAYS; how++) {
		/* A process that executes another program is the same process: its box ends when that one does. */
		host_ends((struct host){ .how = how }, "alone");
		host_ends((struct host){ .how = how, .sibling = true },
			  "with a child that has copies of all descriptors");
	}
	host_ends((struct host){ .held = true, .sibling = true }, "held, with such a child");
	host_ends((struct host){ .stubborn = true, .sibling = true },
		  "a command that ignores signals, with such a child");
	host_ends((struct host){ .tty = true, .sibling = true }, "a terminal of its own, with such a child");
	host_ends((struct host){ .as_pid1 = true, .sibling = true }, "the command is PID 1, with such a child");
	any_moment();
	thread_ends(false);
	thread_ends(true);
	return tap_end();
}
