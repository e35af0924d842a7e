/* SPDX-License-Identifier: MIT */
/*
 * Boxes that are reachable, of a host that is a program of its own: clients are served by its event loop and by
 * pidbox_wait, with an init and without one; names, kept records, descriptors. The numbers are those of core/control.h,
 * which never change.
 */
#include "lib.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { SIGNAL = 1, KILL = 2, WAIT = 3, DONE = 64, FAILED = 65, ENDED = 68 };

static const char *const sleeper[] = { "/bin/sleep", "1000", NULL };
static const char *const five[] = { "/bin/sh", "-c", "exit 5", NULL };
static char runtime[] = "/tmp/control-XXXXXX"; /* no name that the sessions, beside us, look for */

static void path_of(const char *name, char *buf, size_t size)
{
	struct stat st;

	stat("/proc/self/ns/pid", &st);
	snprintf(buf, size, "%s/%llu/%s", runtime, (unsigned long long)st.st_ino, name);
}

static bool is_there(const char *name)
{
	char path[256];

	path_of(name, path, sizeof(path));
	return access(path, F_OK) == 0;
}

/* ------------------------------------------------------------ a client */

struct request {
	uint32_t magic, version, type;
	int32_t signal;
	int64_t grace_us;
	uint64_t rest[5];
};
struct reply {
	uint32_t magic, version, type;
	int32_t errnum, step, aux, inside_pid, status, rest[4];
	int64_t more[9];
};

/* In a process of its own, whose exit status is the type of the answer; 99: something else. */
static pid_t client(const struct pidbox *box, uint32_t type, int sig)
{
	struct request ask = { .magic = 0x31584250, .version = 1, .type = type, .signal = sig, .grace_us = 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct iovec iov = { &ask, sizeof(ask) };
	struct reply reply = { 0 };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	pid_t pid = fork();
	int s, me;

	if (pid != 0)
		return pid;
	path_of(info_of(box).id, address.sun_path, sizeof(address.sun_path));
	s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	me = open_pidfd(getpid());
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(me));
	memcpy(CMSG_DATA(&control.head), &me, sizeof(me));
	if (connect(s, (struct sockaddr *)&address, sizeof(address)) < 0 || sendmsg(s, &head, MSG_NOSIGNAL) < 0)
		_exit(99);
	for (int i = 0; i < 3; i++)
		if (recv(s, &reply, sizeof(reply), 0) == sizeof(reply))
			_exit((int)reply.type);
	_exit(99);
}

static int answer_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ------------------------------------------------------------ hosts */

/* A host's loop, with the one descriptor or by pidbox_poll, until it hears of the end or its time is over. @return did
 * it hear? */
static bool loop(struct pidbox *box, bool polls, int ms)
{
	int64_t until = now_us() + (int64_t)ms * MS;

	while (now_us() < until) {
		int64_t left = until - now_us(), us = pidbox_timeout_us(box);
		struct pollfd fd = { .fd = polls ? -1 : pidbox_event_fd(box), .events = POLLIN };
		struct pidbox_event ev;

		if (polls)
			(void)pidbox_poll(box, NULL, 0, left);
		else
			(void)poll(&fd, 1, (int)((us >= 0 && us < left ? us : left) / MS + 1));
		while (pidbox_next_event(box, &ev) > 0)
			if (ev.type == PIDBOX_EVENT_RESULT)
				return true;
	}
	return false;
}

static void by_the_loop(bool as_pid1, bool polls)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper, .reachable = PIDBOX_REACHABLE, .as_pid1 = as_pid1);
	const char *words = as_pid1 ? "as PID 1, by the loop" : polls ? "by pidbox_poll" : "by the loop";
	struct pidbox *box = start(&spec);
	struct pidbox_result res;
	pid_t first, second;

	if (box == NULL)
		return;
	if (!polls) {
		ok(pidbox_event_fd(box) >= 0, "%s: there is a descriptor to poll", words);
		ok(!readable_within(pidbox_event_fd(box), 100), "%s: it is not readable without reason", words);
	}
	first = client(box, SIGNAL, SIGWINCH);
	ok(!loop(box, polls, 500), "%s: a signal that ends nothing", words);
	ok(answer_of(first) == DONE, "%s: who sent it is answered", words);
	first = client(box, WAIT, 0);
	ok(!loop(box, polls, 300), "%s: somebody waits", words);
	second = client(box, KILL, 0);
	ok(loop(box, polls, 20000), "%s: the loop hears of the end", words);
	ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.reason == PIDBOX_REASON_KILLED, "%s: it was killed",
	   words);
	ok(answer_of(second) == DONE, "%s: who killed it is answered", words);
	ok(answer_of(first) == ENDED, "%s: who waited is told", words);
	ok(!is_there(info_of(box).id), "%s: the socket is gone", words);
	pidbox_free(box);
}

static void by_wait(bool as_pid1)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper, .reachable = PIDBOX_REACHABLE, .as_pid1 = as_pid1);
	struct pidbox *box = start(&spec);
	struct pidbox_result res;
	pid_t pid;

	if (box == NULL)
		return;
	pid = client(box, KILL, 0);
	ok(pidbox_wait(box, 20 * 1000 * MS, &res) == 0 && res.reason == PIDBOX_REASON_KILLED && res.ended_by_pid == pid,
	   "pidbox_wait serves clients%s", as_pid1 ? ", as PID 1" : "");
	ok(answer_of(pid) == DONE, "who killed it is answered");
	pidbox_free(box);
}

static void names(void)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper, .name = "lib", .reachable = PIDBOX_REACHABLE);
	struct pidbox *box = start(&spec), *other = NULL;
	struct pidbox_error err = { 0 };

	if (box == NULL)
		return;
	ok(is_there("lib") && is_there(info_of(box).id), "a name and a socket");
	ok(pidbox_spawn(&spec, &other, &err) == -EEXIST && err.code == PIDBOX_CODE_NAME_TAKEN && other == NULL &&
		   strcmp(err.step, "claim") == 0,
	   "the same host cannot have it twice: %s", err.why);
	ok(pidbox_spawn(&spec, &other, NULL) == -EEXIST, "the same without an error object");
	spec.reachable = PIDBOX_UNREACHABLE;
	ok(run(&(struct pidbox_spec)SPEC(.argv = five, .name = "lib"), NULL) == 5,
	   "who is not to be reached may be called anything");
	pidbox_free(box);
	ok(!is_there("lib"), "a box that is given up has no name");
}

static void kept(void)
{
	struct pidbox_spec spec = SPEC(.argv = five, .name = "lib", .reachable = PIDBOX_REACHABLE_KEPT);
	const char *const missing[] = { "/nonexistent", NULL };
	char path[256], text[64] = "";
	struct pidbox *box = NULL;
	int fd;

	ok(run(&spec, NULL) == 5, "a box whose record is kept");
	path_of("lib:exit", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strncmp(text, "exit 5 0\n{", 10) == 0, "it is: %s", text);
	close(fd);
	spec.argv = missing;
	ok(pidbox_spawn(&spec, &box, NULL) == -ENOENT && !is_there("lib:exit") && !is_there("lib"),
	   "of one that does not start there is none");
}

static void idle(void)
{
	struct pidbox_spec spec = SPEC(.idle = true, .reachable = PIDBOX_REACHABLE, .hold = true);
	struct pidbox *box = start(&spec);
	struct pidbox_result res;
	pid_t pid;

	if (box == NULL)
		return;
	ok(pidbox_release(box, NULL) == 0 && info_of(box).command_pid == 0 && info_of(box).ready_us >= 0 &&
		   info_of(box).exec_us < 0,
	   "an idle box is ready, and has no command");
	pid = client(box, SIGNAL, SIGTERM);
	ok(pidbox_wait(box, 20 * 1000 * MS, &res) == 0 && res.reason == PIDBOX_REASON_KILLED && res.signal == SIGTERM &&
		   pidbox_exit_status(box, &res) == 143,
	   "a signal ends it");
	ok(answer_of(pid) == DONE, "who sent it is answered");
	pidbox_free(box);
}

/* Somebody who closes all but what is the box's keeps a box that works. */
static void descriptors(void)
{
	struct pidbox_spec spec = SPEC(.argv = sleeper, .name = "lib", .reachable = PIDBOX_REACHABLE_KEPT);
	int before = count_fds(), fds[64];
	struct pidbox *box = start(&spec);
	bool cloexec = true;
	size_t n;

	if (box == NULL)
		return;
	n = pidbox_fds(box, fds, LEN(fds));
	ok(count_fds() == before + (int)n && pidbox_fds(box, NULL, 0) == n, "all %zu descriptors are told", n);
	for (size_t i = 0; i < n; i++)
		cloexec &= fcntl(fds[i], F_GETFD) == FD_CLOEXEC;
	ok(cloexec, "all of them are CLOEXEC");
	pidbox_free(box);
	ok(!is_there("lib") && !is_there("lib:exit"), "a box that is given up leaves no record");
}

int main(void)
{
	char folder[256];
	int fds;

	become_subreaper();
	if (mkdtemp(runtime) == NULL || setenv("PIDBOX_RUNTIME_DIR", runtime, 1) < 0)
		return tap_skip_all("no directory for the runtime");
	fds = count_fds();
	by_the_loop(false, false);
	by_the_loop(false, true);
	by_the_loop(true, false);
	by_wait(false);
	by_wait(true);
	names();
	kept();
	idle();
	descriptors();
	reap_orphans();
	nothing_left(fds, "all of it");
	path_of("", folder, sizeof(folder));
	(void)rmdir(folder);
	ok(rmdir(runtime) == 0, "the runtime directory is empty");
	return tap_end();
}
