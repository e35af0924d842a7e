/* SPDX-License-Identifier: MIT */
/* Others stop what the library talks to, hold copies of its descriptors, or keep a box from ending: nothing waits for
 * ever. */
#include "lib.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>

static const char *const sleeper[] = { "/bin/sleep", "1000", NULL };

/* ------------------------------------------------------------ stopped */

static void stopped_init(void)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper);
	struct pidbox *box = start(&spec);
	struct pidbox_result res = { 0 };
	pid_t init;
	int n, r = 0;

	if (box == NULL)
		return;
	init = info_of(box).init_pid;
	kill(init, SIGSTOP);
	alarm(30);
	for (n = 0; r == 0 && n < 100000; n++)
		r = pidbox_signal(box, SIGURG);
	ok(r == -EAGAIN, "the init is stopped: after %d signals there is no room, and the call says so (%d)", n, r);
	ok(pidbox_kill(box, 0, NULL) == -EAGAIN, "nor is there for the end");
	alarm(0);
	kill(init, SIGCONT);
	for (r = -EAGAIN; r == -EAGAIN; sleep_us(1 * MS))
		r = pidbox_kill(box, 0, NULL);
	ok(r == 0 && pidbox_wait(box, 20000 * MS, &res) == 0 && res.reason == PIDBOX_REASON_KILLED,
	   "when it goes on it takes that (%d, reason %d)", r, (int)res.reason);
	pidbox_free(box);
}

/* A child of ours by its name. */
static pid_t child_named(const char *name)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (dir != NULL && found == 0 && (e = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name);
		char path[64], comm[64] = "", state;
		int fd;

		if (pid <= 0 || parent_of(pid, &state) != getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read_all(fd, comm, sizeof(comm)) > 0 && strncmp(comm, name, strlen(name)) == 0)
			found = pid;
		close(fd);
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static void stopped_witness(void)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper, .as_pid1 = true, .front_forwards = true);
	const struct pidbox_origin origin = { .pid = getpid(), .uid = getuid() };
	struct pidbox *box = start(&spec);
	int64_t from = now_us();
	pid_t witness = 0;
	int r;

	if (box == NULL)
		return;
	/* It gives itself its name when it first runs. */
	while ((witness = child_named("pidbox-witness")) == 0 && now_us() - from < 5000 * MS)
		sleep_us(2 * MS);
	from = now_us();
	if (ok(witness > 0, "there is a witness")) {
		kill(witness, SIGSTOP);
		alarm(30);
		r = pidbox_forward(box, SIGURG, &origin);
		ok(r == 0 && now_us() - from < 10000 * MS, "it is stopped: a signal is passed on all the same (%d)", r);
		kill(witness, SIGCONT);
		r = pidbox_forward(box, SIGURG, &origin);
		ok(r == 0, "and another when it goes on (%d)", r);
		alarm(0);
	}
	pidbox_free(box);
}

/* ------------------------------------------------------------ a fork of another thread's */

static bool copying;
static pid_t holder;

/* In the library's place: at the worst moment somebody forks, and has copies of both ends from then on. */
int socketpair(int domain, int type, int protocol, int sv[2])
{
	int r = (int)syscall(SYS_socketpair, domain, type, protocol, sv);

	if (r == 0 && copying) {
		copying = false;
		holder = fork();
		if (holder == 0)
			for (;;)
				pause();
	}
	return r;
}

static void end_holder(void)
{
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static void copied(void)
{
	const char *argv[] = { "/bin/sh", "-c", "exit 6", NULL };
	static const char *const words[] = { "below an init", "as PID 1" };

	for (int pid1 = 0; pid1 < 2; pid1++) {
		struct pidbox_spec runs = SPEC(.argv = argv, .as_pid1 = pid1 == 1);
		struct pidbox_spec dies = SPEC(.argv = argv, .as_pid1 = pid1 == 1, .hold = true);
		struct pidbox_error err = { 0 };
		struct rusage before, after;
		struct pidbox *box;
		int r;

		alarm(30);
		copying = true;
		ok(run(&runs, NULL) == 6, "%s, a fork has the init's end of the socket: the box runs", words[pid1]);
		end_holder();
		copying = true;
		box = start(&dies);
		if (box == NULL)
			return;
		kill(info_of(box).init_pid, SIGKILL);
		getrusage(RUSAGE_SELF, &before);
		r = readable_within(pidbox_pidfd(box), 5000) ? pidbox_release(box, &err) : 1;
		getrusage(RUSAGE_SELF, &after);
		ok(r == -EPROTO, "%s, and the init dies before the start: the release says so (%d)", words[pid1], r);
		ok(after.ru_utime.tv_sec - before.ru_utime.tv_sec < 2, "%s, without spinning", words[pid1]);
		pidbox_free(box);
		end_holder();
		alarm(0);
	}
}

/* ------------------------------------------------------------ a stopped process that entered */

/* A process of the box whose parent, outside, does not reap it before SIGTERM, as a stopped nsenter. @return the parent
 */
static pid_t enter_and_stop(const struct pidbox *box)
{
	int out[2], sig, pidfd = pidbox_pidfd(box);
	sigset_t term;
	pid_t pid;

	if (pipe(out) < 0)
		return -1;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pid = fork();
	if (pid == 0) {
		bool entered = (geteuid() == 0 || setns(pidfd, CLONE_NEWUSER) == 0) && setns(pidfd, CLONE_NEWPID) == 0;

		if (entered && fork() == 0) {
			if (write(out[1], "", 1) == 1)
				for (;;)
					pause();
			_exit(1);
		}
		close(out[0]);
		close(out[1]);
		pthread_sigmask(SIG_BLOCK, &term, NULL);
		sigwait(&term, &sig);
		wait(NULL);
		_exit(0);
	}
	close(out[1]);
	if (!readable_within(out[0], 5000) || read(out[0], &(char){ 0 }, 1) != 1)
		printf("# nobody could enter\n");
	close(out[0]);
	return pid;
}

struct held {
	const char *words;
	bool as_pid1, by_us;
	int told, waited, again;
	struct pidbox_result res;
	char names[1024];
	size_t n;
};

static void held(struct held *h)
{
	struct pidbox_spec spec =
		SPEC(.argv = sleeper, .as_pid1 = h->as_pid1, .has_grace = true, .timeout_us = h->by_us ? 50 * MS : 0);
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct pidbox *box = NULL;
	pid_t parent;

	h->told = h->waited = h->again = 1;
	if (pidbox_spawn(&spec, &box, NULL) < 0)
		return;
	parent = enter_and_stop(box);
	if (!h->by_us)
		kill(info_of(box).init_pid, SIGKILL);
	/* A host with a loop of its own hears of it. */
	for (int i = 0; i < 100 && ev.type != PIDBOX_EVENT_RESULT; i++) {
		int64_t us = pidbox_timeout_us(box);

		readable_within(pidbox_event_fd(box), us < 0 || us > 100 * MS ? 100 : (int)(us / 1000 + 1));
		while (pidbox_next_event(box, &ev) > 0 && ev.type != PIDBOX_EVENT_RESULT)
			continue;
	}
	h->told = ev.type == PIDBOX_EVENT_RESULT;
	h->waited = pidbox_wait(box, 30000 * MS, &h->res);
	h->n = pidbox_holdouts(box, h->names, sizeof(h->names));
	kill(parent, SIGTERM);
	waitpid(parent, NULL, 0);
	h->again = pidbox_wait(box, 5000 * MS, NULL);
	pidbox_free(box);
}

static void held_up(void)
{
	struct held rows[] = {
		{ .words = "the init was killed from outside" },
		{ .words = "as PID 1, a time limit is over", .as_pid1 = true, .by_us = true },
	};

	/* One after the other: what one forks would hold the other's socket. */
	for (size_t i = 0; i < LEN(rows); i++) {
		struct held *h = &rows[i];

		held(h);
		ok(h->told, "%s, and one that entered is stopped: an event tells of the end", h->words);
		ok(h->waited == -EBUSY, "%s: the wait gives up (%d)", h->words, h->waited);
		ok(h->res.exit_code == -1 && h->res.signal == SIGKILL &&
			   h->res.reason == (h->by_us ? PIDBOX_REASON_TIMEOUT : PIDBOX_REASON_KILLED) &&
			   h->res.wall_us > 0,
		   "%s: and has a result: reason %d, signal %d", h->words, (int)h->res.reason, h->res.signal);
		ok(h->n == 1, "%s: it names who it is: %s", h->words, h->names);
		ok(h->again == 0, "%s: when that is gone, so is the box (%d)", h->words, h->again);
	}
}

int main(void)
{
	int fds;

	setsid();
	fds = count_fds();
	stopped_init();
	stopped_witness();
	copied();
	held_up();
	nothing_left(fds, "all boxes");
	return tap_end();
}
