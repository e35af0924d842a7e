/* SPDX-License-Identifier: MIT */
/* Following a box from a host's own event loop: pidfd, events, signals, hold, ending it. */
#include "lib.h"

#include <sys/epoll.h>

static const char *const sleeper[] = { "/bin/sh", "-c", "sleep 1000", NULL };
static const char *const brief[] = { "/bin/sh", "-c", "sleep 0.1; exit 5", NULL };

static void own_loop(bool with_epoll)
{
	struct pidbox_spec spec = SPEC(.argv = brief);
	struct pidbox *box = start(&spec);
	struct pidbox_result res;
	int turns = 0, r = -ETIMEDOUT, ep = epoll_create1(EPOLL_CLOEXEC);

	if (box == NULL)
		return;
	if (with_epoll) {
		struct epoll_event ev = { .events = EPOLLIN };

		ok(epoll_ctl(ep, EPOLL_CTL_ADD, pidbox_pidfd(box), &ev) == 0, "epoll takes the pidfd");
	}
	while (r == -ETIMEDOUT && turns++ < 100) {
		struct epoll_event ev;
		int n = with_epoll ? epoll_wait(ep, &ev, 1, 5000) : readable_within(pidbox_pidfd(box), 5000);

		if (n != 1)
			break;
		r = pidbox_wait(box, 0, &res);
	}
	close(ep);
	ok(r == 0 && res.exit_code == 5 && turns < 5, "%s: the pidfd alone tells the end (wait %d after %d turns)",
	   with_epoll ? "epoll" : "poll", r, turns);
	ok(pidbox_wait(box, 0, &res) == 0 && res.exit_code == 5, "it can be waited for again");
	pidbox_free(box);
}

static void both_descriptors(void)
{
	struct pidbox_spec spec = SPEC(.argv = brief);
	struct pidbox *box = start(&spec);
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct pidbox_result res;

	if (box == NULL)
		return;
	ok(pidbox_next_event(box, &ev) == 0, "no event yet");
	ok(pidbox_timeout_us(box) == -1, "no need to wake up by itself");
	ok(pidbox_tty_fd(box) == -EBADF, "no terminal");
	while (ev.type != PIDBOX_EVENT_RESULT && readable_within(pidbox_event_fd(box), 5000))
		if (pidbox_next_event(box, &ev) < 0)
			break;
	ok(ev.type == PIDBOX_EVENT_RESULT, "the event descriptor tells of the result");
	ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == 5, "and the wait has it");
	pidbox_free(box);
}

/* pidbox_poll beside a descriptor of the caller's. */
static void polled(void)
{
	struct pidbox_spec spec = SPEC(.argv = brief);
	struct pidbox *box = start(&spec);
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct pollfd fds[PIDBOX_POLL_MAX + 1];
	struct pidbox_result res;
	int pair[2], r = 0, turns = 0;
	int64_t from;

	if (box == NULL || pipe(pair) < 0)
		return;
	for (size_t i = 0; i < LEN(fds); i++)
		fds[i] = (struct pollfd){ .fd = -1 };
	fds[PIDBOX_POLL_MAX - 1] = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	ok(pidbox_poll(box, fds, PIDBOX_POLL_MAX + 1, 0) == -EINVAL,
	   "pidbox_poll: more descriptors than there is room");
	ok(pidbox_poll(box, fds, PIDBOX_POLL_MAX, 0) == 0 && fds[PIDBOX_POLL_MAX - 1].revents == 0,
	   "pidbox_poll: nothing yet");
	from = now_us();
	ok(pidbox_poll(box, fds, PIDBOX_POLL_MAX, 10 * MS) == 0 && now_us() - from >= 10 * MS,
	   "pidbox_poll: nothing for ten milliseconds");
	ok(write(pair[1], "x", 1) == 1 && pidbox_poll(box, fds, PIDBOX_POLL_MAX, -1) == 0 &&
		   fds[PIDBOX_POLL_MAX - 1].revents == POLLIN,
	   "pidbox_poll: the caller's own descriptor, and not the box");
	while (ev.type != PIDBOX_EVENT_RESULT && turns++ < 100) {
		r = pidbox_poll(box, NULL, 0, 5000 * MS);
		if (r != 1 || pidbox_next_event(box, &ev) < 0)
			break;
	}
	ok(ev.type == PIDBOX_EVENT_RESULT && turns < 5, "pidbox_poll: the result (%d after %d turns)", r, turns);
	ok(pidbox_poll(box, NULL, 0, 0) == 0, "pidbox_poll: that was the last event");
	ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == 5, "and the wait has it");
	close(pair[0]);
	close(pair[1]);
	pidbox_free(box);
}

static void timeouts(void)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper);
	struct pidbox *box = start(&spec);
	struct pidbox_result res, before;
	int64_t from;

	if (box == NULL)
		return;
	memset(&res, 0xa5, sizeof(res));
	memset(&before, 0xa5, sizeof(before));
	ok(pidbox_wait(box, 0, &res) == -ETIMEDOUT, "wait 0: -ETIMEDOUT");
	from = now_us();
	ok(pidbox_wait(box, 50 * MS, &res) == -ETIMEDOUT, "wait 50 ms: -ETIMEDOUT");
	ok(now_us() - from >= 50 * MS && now_us() - from < 2000 * MS, "after that time (%lld us)",
	   (long long)(now_us() - from));
	ok(memcmp(&res, &before, sizeof(res)) == 0, "*ret is untouched");
	pidbox_free(box);
}

static void info(void)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper, .account = true, .timing = true);
	struct pidbox *box = start(&spec);
	struct pidbox_info i;
	struct pidbox_step step;
	char state;
	size_t n = 0;

	if (box == NULL)
		return;
	pidbox_get_info(box, &i);
	ok(i.init_pid > 0 && parent_of(i.init_pid, &state) == getpid(), "the init %d is our child", (int)i.init_pid);
	ok(i.command_pid == 0 || parent_of(i.command_pid, &state) == i.init_pid, "the command %d is the init's",
	   (int)i.command_pid);
	ok(i.command_pid != 0, "the command's PID is known");
	ok(i.pid_namespace != 0 && atoi(i.id) == i.init_pid, "it has an id: %s", i.id);
	ok(i.created_us > 0 && i.ready_us >= i.created_us && i.exec_us >= i.ready_us, "times in order: %lld %lld %lld",
	   (long long)i.created_us, (long long)i.ready_us, (long long)i.exec_us);
	ok(strcmp(i.proc, "fresh") == 0 && strcmp(i.containment, "pidns") == 0, "containment %s, proc %s",
	   i.containment, i.proc);
	while (pidbox_get_step(box, n, &step) == 0) {
		if (!step.done || step.name[0] == '\0' || step.call == NULL || step.does[0] == '\0')
			ok(false, "step %zu (%s) is done and has words", n, step.name);
		n++;
	}
	ok(n > 5 && pidbox_get_step(box, n, &step) == -ENOENT, "%zu steps", n);
	pidbox_free(box);
}

static void signals(void)
{
	const char *argv[] = { "/bin/sh", "-c", "trap 'exit 42' TERM; echo up; while :; do sleep 0.01; done", NULL };
	int out[2], stdio[] = { 0, -1, 2 };
	struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio);
	struct pidbox_result res = { 0 };
	struct pidbox *box;

	if (pipe2(out, O_CLOEXEC) < 0)
		return;
	stdio[1] = out[1];
	box = start(&spec);
	close(out[1]);
	if (box != NULL) {
		ok(readable_within(out[0], 5000), "the command is up");
		ok(pidbox_signal(box, 0) == -EINVAL && pidbox_signal(box, 65) == -EINVAL &&
			   pidbox_signal(box, -1) == -EINVAL,
		   "signals 0, 65 and -1: -EINVAL");
		ok(pidbox_signal(box, SIGTERM) == 0, "SIGTERM is taken");
		ok(pidbox_wait(box, 5000 * MS, &res) == 0 && res.exit_code == 42, "and handled (%d)", res.exit_code);
		ok(pidbox_signal(box, SIGTERM) == -ESRCH, "afterwards: -ESRCH");
		ok(pidbox_kill(box, 0, NULL) == -ESRCH, "kill afterwards: -ESRCH");
	}
	pidbox_free(box);
	close(out[0]);
}

/* What the library has read already makes no descriptor readable: the time that a loop may sleep is 0 then. */
static void wakes_up(void)
{
	const char *stops[] = { "/bin/sh", "-c", "kill -STOP $$; sleep 1000", NULL };
	struct pidbox_spec shares = SPEC(.argv = stops, .front_forwards = true);
	const char *plain[] = { "sleep", "1000", NULL }; /* a shell blocks signals for a moment when it forks */
	struct pidbox_spec pid1 = SPEC(.argv = plain, .as_pid1 = true);
	const struct pidbox_origin origin = { .pid = getpid(), .uid = getuid() };
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct pidbox *box = start(&shares);

	if (box == NULL)
		return;
	ok(readable_within(pidbox_event_fd(box), 5000), "the command has stopped itself");
	ok(pidbox_forward(box, SIGURG, &origin) == 0, "a signal is passed on meanwhile");
	ok(readable_within(pidbox_event_fd(box), 0) || pidbox_timeout_us(box) == 0,
	   "the event is announced still (may sleep %lld us)", (long long)pidbox_timeout_us(box));
	ok(pidbox_next_event(box, &ev) == 1 && ev.type == PIDBOX_EVENT_STOPPED, "and there (%d)", (int)ev.type);
	ok(pidbox_next_event(box, &ev) == 0 && pidbox_timeout_us(box) == -1, "once");
	pidbox_free(box);

	box = start(&pid1);
	if (box == NULL)
		return;
	ok(pidbox_signal(box, SIGTERM) == 0 && pidbox_timeout_us(box) == 0, "a lost signal is announced");
	ok(pidbox_next_event(box, &ev) == 1 && ev.type == PIDBOX_EVENT_LOST && ev.signal == SIGTERM, "and told");
	ok(pidbox_next_event(box, &ev) == 0 && pidbox_timeout_us(box) == -1, "once");
	pidbox_free(box);
}

static void kills(void)
{
	static const struct {
		const char *script, *words;
		int64_t grace_us, at_least_us, at_most_us;
		int signal, code;
	} rows[] = {
		{ "echo up; exec sleep 1000", "by the stop signal", 10000 * MS, 0, 5000 * MS, SIGTERM, -1 },
		{ "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done", "handled", 10000 * MS, 0, 5000 * MS, 0,
		  3 },
		{ "trap '' TERM; echo up; while :; do sleep 1; done", "after the grace", 100 * MS, 100 * MS, 5000 * MS,
		  SIGKILL, -1 },
		{ "trap '' TERM; echo up; while :; do sleep 1; done", "without a grace", 0, 0, 5000 * MS, SIGKILL, -1 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const char *argv[] = { "/bin/sh", "-c", rows[i].script, NULL };
		int out[2], stdio[] = { 0, -1, 2 };
		struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio);
		struct pidbox_result res = { 0 };
		struct pidbox *box;
		int64_t from, took;
		int r;

		if (pipe2(out, O_CLOEXEC) < 0)
			return;
		stdio[1] = out[1];
		box = start(&spec);
		close(out[1]);
		if (box == NULL)
			return;
		ok(readable_within(out[0], 5000), "the command is up");
		close(out[0]);
		from = now_us();
		ok(pidbox_kill(box, rows[i].grace_us, NULL) == 0, "kill returns at once (%lld us)",
		   (long long)(now_us() - from));
		r = pidbox_wait(box, 10000 * MS, &res);
		took = now_us() - from;
		ok(r == 0 && res.reason == PIDBOX_REASON_KILLED && res.exit_code == rows[i].code &&
			   res.signal == rows[i].signal,
		   "ended %s: wait %d, reason %d, code %d, signal %d", rows[i].words, r, (int)res.reason, res.exit_code,
		   res.signal);
		ok(took >= rows[i].at_least_us && took < rows[i].at_most_us, "in time: %lld us", (long long)took);
		ok(res.ended_by_pid == getpid() && res.ended_by_uid == (int64_t)getuid(), "by us: pid %d, uid %lld",
		   (int)res.ended_by_pid, (long long)res.ended_by_uid);
		pidbox_free(box);
	}
}

static void hold(void)
{
	const char *argv[] = { "/bin/sh", "-c", "echo started; exit 9", NULL };
	const char *missing[] = { "/no/such/command", NULL };
	int out[2], stdio[] = { 0, -1, 2 };
	struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio, .hold = true);
	struct pidbox_spec bad = SPEC(.argv = missing, .hold = true);
	struct pidbox_error err = { 0 };
	struct pidbox_result res = { 0 };
	struct pidbox_info i;
	struct pidbox *box;

	if (pipe2(out, O_CLOEXEC) < 0)
		return;
	stdio[1] = out[1];
	box = start(&spec);
	close(out[1]);
	if (box == NULL)
		return;
	pidbox_get_info(box, &i);
	ok(i.ready_us >= 0 && i.exec_us < 0 && i.command_pid == 0, "held: ready, not executed");
	ok(!readable_within(out[0], 50), "nothing of the command runs");
	ok(pidbox_wait(box, 0, &res) == -ETIMEDOUT, "the box waits");
	ok(pidbox_release(box, &err) == 0, "it is released");
	pidbox_get_info(box, &i);
	ok(i.exec_us >= i.ready_us, "and has executed the command");
	ok(readable_within(out[0], 5000), "which speaks");
	ok(pidbox_release(box, &err) == -EALREADY && err.why[0] != '\0' && err.fix[0] != '\0',
	   "a second release: -EALREADY, with why and fix");
	ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == 9, "and ends as it likes");
	close(out[0]);
	pidbox_free(box);

	spec.stdio = NULL;
	box = start(&spec);
	pidbox_free(box);
	ok(count_children() == 0, "a held box that is freed is gone");
	box = start(&bad);
	if (box != NULL) {
		ok(pidbox_release(box, &err) == -ENOENT && err.exit_status == PIDBOX_EXIT_NOT_FOUND,
		   "a command that is missing is told by the release");
		ok(pidbox_wait(box, 5000 * MS, &res) == 0, "the box has ended then");
		pidbox_free(box);
	}
}

static void free_running(void)
{
	const char *argv[] = {
		"/bin/sh", "-c",
		"trap '' TERM HUP INT; for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c "
		"'trap \"\" TERM HUP; echo up; while :; do sleep 1; done' & done; while :; do sleep 1; done",
		NULL
	};
	int out[2], stdio[] = { 0, -1, 2 };
	struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio);
	struct pidbox *box;
	char buf[256];
	size_t n = 0;
	int64_t from;

	if (pipe2(out, O_CLOEXEC) < 0)
		return;
	stdio[1] = out[1];
	box = start(&spec);
	close(out[1]);
	if (box == NULL)
		return;
	while (n < 30 && readable_within(out[0], 10000)) {
		ssize_t got = read(out[0], buf, sizeof(buf));

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	ok(n == 30, "ten daemons are up");
	from = now_us();
	pidbox_free(box);
	ok(read(out[0], buf, 1) == 0, "the pipe that they held is at its end when free returns (%lld us)",
	   (long long)(now_us() - from));
	ok(count_children() == 0, "no process is left");
	close(out[0]);
}

int main(void)
{
	int fds;

	become_subreaper();
	fds = count_fds();
	own_loop(false);
	own_loop(true);
	both_descriptors();
	polled();
	timeouts();
	info();
	signals();
	wakes_up();
	kills();
	hold();
	free_running();
	pidbox_free(NULL);
	nothing_left(fds, "all boxes");
	return tap_end();
}
