/* SPDX-License-Identifier: MIT */
/*
 * floor.h - the least that a box can cost: the same clone, the same mounts, straight-line code without a plan,
 * messages, error texts or limits. What pidbox costs above it is the price of those.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FLOOR_STACK = 64 * 1024, FLOOR_CAP_SYS_ADMIN = 21, FLOOR_CAP_VERSION = 0x20080522 };

struct floor_start {
	int init;          /* the floor program, opened */
	char *const *argv; /* "floor-init" and the command */
	bool user;         /* with a user namespace */
	char maps[2][32];  /* of uids and gids */
};

/* An ordinary user needs a user namespace too. */
static inline void floor_prepare(struct floor_start *s, int init, char *const argv[])
{
	*s = (struct floor_start){ .init = init, .argv = argv, .user = geteuid() != 0 };
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

/* Raise CAP_SYS_ADMIN as ambient: the exec of the init would lose it otherwise. */
static inline int floor_keep_admin(void)
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
	caps[0].inheritable |= 1u << FLOOR_CAP_SYS_ADMIN;
	if (syscall(SYS_capset, &head, caps) < 0)
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
	char *envp[] = { NULL };

	if (s->user && (floor_map_self(s) < 0 || floor_keep_admin() < 0))
		_exit(125);
	(void)syscall(SYS_execveat, s->init, "", s->argv, envp, 0x1000 /* AT_EMPTY_PATH */);
	_exit(125);
}

static inline int floor_flags(const struct floor_start *s)
{
	return CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | (s->user ? CLONE_NEWUSER : 0) | SIGCHLD;
}

/* The child borrows our memory while we sleep, as posix_spawn(3) does it. */
static inline pid_t floor_clone(struct floor_start *s)
{
	char *stack = mmap(NULL, FLOOR_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, old;
	pid_t pid;

	if (stack == MAP_FAILED)
		return -1;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	pid = clone(floor_child, stack + FLOOR_STACK, floor_flags(s) | CLONE_VM | CLONE_VFORK, s);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	(void)munmap(stack, FLOOR_STACK);
	return pid;
}

/* For contrast: a child with a copy of our memory, as fork(2) makes it. */
static inline pid_t floor_fork(struct floor_start *s)
{
	pid_t pid = (pid_t)syscall(SYS_clone, floor_flags(s), 0, 0, 0, 0);

	if (pid == 0)
		_exit(floor_child(s));
	return pid;
}

#endif
