/* SPDX-License-Identifier: MIT */
/* A box that one of the ways has made, with inits-command in it, which is talked to by pipes: see inits.h. */
#ifndef BENCH_BOX_H
#define BENCH_BOX_H

#include "floor.h"
#include "inits.h"
#include "proc.h"
#include "stats.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

struct box {
	pid_t front; /* what we have started */
	pid_t first; /* PID 1 inside, or the front itself where there is no box */
	int in, out; /* of the command: what it reads, and what it says */
	int pidfd;   /* of PID 1, which has ended when all inside has */
};

/* One message of a command. @return false: none came, or it tells of a failure */
static inline bool said_hear(int fd, struct said *ret_said)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool heard = poll(&p, 1, PROC_LIMIT_MS) == 1 && read(fd, ret_said, sizeof(*ret_said)) == sizeof(*ret_said);

	if (heard && ret_said->errnum != 0)
		(void)fprintf(stderr, "the command in a box: %s\n", strerror(ret_said->errnum));
	return heard && ret_said->errnum == 0;
}

static inline bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* Wait until the front has ended and been reaped, and all inside has ended. @return microseconds then; < 0: not */
static inline double box_gone(struct box *b)
{
	bool gone = readable(b->pidfd, PROC_LIMIT_MS);

	if (!gone)
		(void)syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0);
	if (!gone)
		(void)kill(b->front, SIGKILL);
	while (waitpid(b->front, NULL, 0) < 0 && errno == EINTR)
		;
	return gone ? clock_now_us() : -1;
}

static inline void box_close(struct box *b)
{
	(void)close(b->in);
	(void)close(b->out);
	(void)close(b->pidfd);
}

/* End it whatever it does. */
static inline void box_end(struct box *b)
{
	(void)syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0);
	(void)kill(b->front, SIGKILL);
	(void)box_gone(b);
	box_close(b);
}

static inline pid_t spawn_with(char *const argv[], int in, int out)
{
	posix_spawn_file_actions_t act;
	pid_t pid = -1;

	(void)posix_spawn_file_actions_init(&act);
	(void)posix_spawn_file_actions_adddup2(&act, in, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&act, out, STDOUT_FILENO);
	if (posix_spawnp(&pid, argv[0], &act, NULL, argv, environ) != 0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&act);
	return pid;
}

/* The same as PID 1 of a PID namespace and nothing else, which an ordinary user needs a user namespace for. */
static inline pid_t spawn_as_pid1(char *const argv[], int in, int out)
{
	struct floor_start s;
	pid_t pid;

	floor_prepare(&s, -1, argv);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | (s.user ? CLONE_NEWUSER : 0) | SIGCHLD, 0, 0, 0, 0);
	if (pid != 0)
		return pid;
	if ((s.user && floor_map_self(&s) < 0) || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0)
		_exit(125);
	(void)execv(argv[0], argv);
	_exit(125);
}

/* @return the command has said that it is ready */
static inline bool box_start(pid_t (*spawn)(char *const[], int, int), char *const argv[], struct box *ret)
{
	int in[2], out[2];
	struct said said;

	if (pipe2(in, O_CLOEXEC) < 0)
		return false;
	if (pipe2(out, O_CLOEXEC) < 0) {
		(void)close(in[0]);
		(void)close(in[1]);
		return false;
	}
	*ret = (struct box){ .in = in[1], .out = out[0], .pidfd = -1 };
	ret->front = spawn(argv, in[0], out[1]);
	(void)close(in[0]);
	(void)close(out[1]);
	if (ret->front > 0 && said_hear(ret->out, &said)) {
		ret->first = pid1_of(ret->front);
		ret->first = ret->first > 0 ? ret->first : ret->front;
		ret->pidfd = (int)syscall(SYS_pidfd_open, ret->first, 0);
	}
	if (ret->pidfd >= 0)
		return true;
	if (ret->front > 0) {
		(void)kill(ret->front, SIGKILL);
		(void)waitpid(ret->front, NULL, 0);
	}
	box_close(ret);
	return false;
}

#endif
