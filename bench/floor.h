/* SPDX-License-Identifier: MIT */
/*
 * floor.h - the least that a box can cost: the system calls that its job needs, in straight-line code without a plan,
 * options, error texts or limits. What pidbox costs above it is the price of those. The job: both sides see each
 * other's end (pidfds, a socket), a started command and its result are told, with what it used; each signal is taken,
 * also while the command is forked; PID 1 waits without a descriptor that the command could starve; nothing of the
 * caller's is kept open. floor.c has the rest of the command's job: others can reach the box.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FLOOR_STACK = 8 * 1024, FLOOR_CAP_NET_ADMIN = 12, FLOOR_CAP_SYS_ADMIN = 21, FLOOR_CAP_VERSION = 0x20080522 };

struct floor_start {
	int init;          /* the floor program, opened */
	char *const *argv; /* "floor-init", what floor_connect says, and the command */
	bool user;         /* with a user namespace */
	bool map_front; /* its maps are written by the front: groups can be set in it, which who maps itself gives up */
	int kinds;      /* CLONE_NEW* besides the usual ones */
	bool connected;
	int pair[2], front, init_pidfd;
	char maps[2][32]; /* of uids and gids */
	char said[32];    /* for argv[1]: socket, pidfd of the front, how */
};

/* What the init tells: that the command has been started, and how it ended. */
struct floor_message {
	bool ended;
	int status;
	struct rusage usage;
};

/* An ordinary user needs a user namespace too. */
static inline void floor_prepare(struct floor_start *s, int init, char *const argv[])
{
	*s = (struct floor_start){ .init = init, .argv = argv, .user = geteuid() != 0, .map_front = geteuid() == 0 };
	(void)snprintf(s->maps[0], sizeof(s->maps[0]), "%u %u 1\n", geteuid(), geteuid());
	(void)snprintf(s->maps[1], sizeof(s->maps[1]), "%u %u 1\n", getegid(), getegid());
}

static inline int floor_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	(void)close(fd);
	return n < 0 ? -1 : 0;
}

/* Raise CAP_SYS_ADMIN as ambient, and for a network CAP_NET_ADMIN: the exec of the init would lose them otherwise. */
static inline int floor_keep_admin(bool network)
{
	struct {
		uint32_t version;
		int pid;
	} head = { FLOOR_CAP_VERSION, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} caps[2] = { { 0, 0, 0 } };

	if (syscall(SYS_capget, &head, caps) < 0)
		return -1;
	caps[0].inheritable |= 1u << FLOOR_CAP_SYS_ADMIN | (network ? 1u << FLOOR_CAP_NET_ADMIN : 0);
	if (syscall(SYS_capset, &head, caps) < 0 ||
	    (network && prctl(47 /* PR_CAP_AMBIENT */, 2 /* RAISE */, FLOOR_CAP_NET_ADMIN, 0, 0) < 0))
		return -1;
	return prctl(47 /* PR_CAP_AMBIENT */, 2 /* RAISE */, FLOOR_CAP_SYS_ADMIN, 0, 0);
}

static inline int floor_map_self(const struct floor_start *s)
{
	return floor_write("/proc/self/setgroups", "deny") < 0 || floor_write("/proc/self/uid_map", s->maps[0]) < 0 ||
			       floor_write("/proc/self/gid_map", s->maps[1]) < 0
		       ? -1
		       : 0;
}

static int floor_child(void *arg)
{
	struct floor_start *s = arg;
	if (s->user && ((!s->map_front && floor_map_self(s) < 0) || floor_keep_admin(s->kinds & CLONE_NEWNET) < 0))
		_exit(125);
	if (s->connected && (fcntl(s->pair[1], F_SETFD, 0) < 0 || fcntl(s->front, F_SETFD, 0) < 0))
		_exit(125);
	(void)syscall(SYS_execveat, s->init, "", s->argv, environ, 0x1000 /* AT_EMPTY_PATH */);
	_exit(125);
}

static inline int floor_flags(const struct floor_start *s)
{
	return CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | (s->user ? CLONE_NEWUSER : 0) | s->kinds |
	       SIGCHLD;
}

/*
 * What front and init know each other by. how: '1' for a command that is PID 1, 'n' for a network, 'u' for maps that
 * the front writes, '-' otherwise
 */
static inline int floor_connect(struct floor_start *s, char how)
{
	int on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->pair) < 0 ||
	    setsockopt(s->pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -1;
	s->front = (int)syscall(SYS_pidfd_open, getpid(), 0);
	(void)snprintf(s->said, sizeof(s->said), "@%d,%d,%c", s->pair[1], s->front, how);
	s->connected = true;
	return s->front < 0 ? -1 : 0;
}

/* The child borrows our memory while we sleep, as posix_spawn(3) does it. */
static inline pid_t floor_clone(struct floor_start *s)
{
	char stack[FLOOR_STACK] __attribute__((aligned(16)));
	sigset_t all, old;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = clone(floor_child, stack + FLOOR_STACK, floor_flags(s) | CLONE_VM | CLONE_VFORK | CLONE_PIDFD, s,
		    &s->init_pidfd);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (s->connected)
		(void)close(s->pair[1]);
	return pid;
}

/* The maps of a user namespace of root's, for which its init waits. */
static inline int floor_map_child(const struct floor_start *s, pid_t pid)
{
	static const char *const files[] = { "uid_map", "gid_map" };
	char path[64];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		if (floor_write(path, s->maps[i]) < 0)
			return -1;
	}
	return send(s->pair[0], "", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Until the init has ended: more descriptors than the two that tell of it may be given to be looked at. @return status
 */
static inline int floor_wait(struct floor_start *s, int signals, int others)
{
	struct floor_message m = { .status = 125 };
	bool open = true;
	siginfo_t info;

	for (;;) {
		struct pollfd fds[] = { { .fd = open ? s->pair[0] : -1, .events = POLLIN },
					{ .fd = s->init_pidfd, .events = POLLIN },
					{ .fd = signals, .events = POLLIN },
					{ .fd = others, .events = POLLIN } };

		if (poll(fds, 4, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			open = recv(s->pair[0], &m, sizeof(m), MSG_DONTWAIT) > 0;
		else if (fds[1].revents != 0)
			break;
	}
	(void)syscall(SYS_waitid, P_PIDFD, s->init_pidfd, &info, WEXITED, NULL);
	return m.ended ? m.status : info.si_status;
}

/* For contrast: a child with a copy of our memory, as fork(2) makes it. */
static inline pid_t floor_fork(struct floor_start *s)
{
	pid_t pid = (pid_t)syscall(SYS_clone, floor_flags(s) | CLONE_PIDFD, 0, &s->init_pidfd, 0, 0);

	if (pid == 0)
		_exit(floor_child(s));
	if (s->connected)
		(void)close(s->pair[1]);
	return pid;
}

#endif
