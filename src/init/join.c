/* SPDX-License-Identifier: MIT */
/*
 * Joining the namespaces of a process.
 *
 * setns(2) with a pidfd (Linux 5.8) joins all of them in one call, judged by the rights that the caller has before it.
 * A seccomp filter that knows the call as it was refuses that: then they are joined one by one, by descriptors of
 * /proc/PID/ns.
 *
 * The order is a matter of rights. A namespace may be joined by who has CAP_SYS_ADMIN in the user namespace that owns
 * it; into a user namespace one comes with all capabilities there, and loses those above. So we go down the user
 * namespaces from our own to the process's, level by level (bwrap: the mounts belong to one between), and on each join
 * what can be joined.
 */
#include "init/init.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/ns_kinds.h"
#include "kern/proc.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { KINDS_MAX = 16, LEVELS_MAX = 33 }; /* user namespaces nest 32 deep below the first one */

struct join {
	uint64_t flags;        /* of the kinds that are still to be joined, CLONE_NEW* */
	int fds[KINDS_MAX];    /* in the order of ns_kinds */
	int users[LEVELS_MAX]; /* the process's user namespace, then what that was made in..., up to below our own */
	int n_users;
};

/* The number of a pidfd's process, as this procfs has it. @return -EBADF: it is none; -ESRCH: it has been reaped */
static pid_t pid_of(int proc, int pidfd)
{
	char path[40] = "self/fdinfo/", text[1024];
	const char *at;
	ssize_t n;
	long pid = 0;

	path[strlen(path) + io_decimal(path + strlen(path), pidfd)] = '\0';
	n = io_read_file(proc, path, text, sizeof(text));
	if (n == -EACCES) {
		/* Before Linux 5.14 that is root's alone when we are not dumpable. Those to be kept away are in a user
		 * namespace below ours until we join it: they may not trace us yet, dumpable or not. */
		(void)prctl(PR_SET_DUMPABLE, 1);
		n = io_read_file(proc, path, text, sizeof(text));
		(void)prctl(PR_SET_DUMPABLE, 0);
	}
	at = n > 0 ? proc_line(text, "Pid:\t") : NULL;
	if (at == NULL)
		return -EBADF;
	for (; *at >= '0' && *at <= '9' && pid < INT32_MAX / 10; at++)
		pid = pid * 10 + (*at - '0');
	return pid > 0 ? (pid_t)pid : -ESRCH;
}

static int open_namespace(int proc, pid_t pid, const char *file)
{
	char path[64];
	size_t len = io_decimal(path, pid);

	memcpy(path + len, "/ns/", sizeof("/ns/"));
	memcpy(path + len + strlen("/ns/"), file, strlen(file) + 1);
	return sys_openat(proc, path, O_RDONLY | O_CLOEXEC);
}

static int open_all(struct join *j, int proc, int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	pid_t pid = pid_of(proc, pidfd);

	if (pid < 0)
		return pid;
	for (size_t i = 0; i < ns_kinds_count; i++) {
		if (j->flags & ns_kinds[i].clone_flag)
			j->fds[i] = open_namespace(proc, pid, ns_kinds[i].file);
		if (j->fds[i] < 0 && (j->flags & ns_kinds[i].clone_flag))
			return j->fds[i];
	}
	/* It has not ended, so the number was its own all the time. */
	return poll(&ended, 1, 0) == 0 ? 0 : -ESRCH;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* The kernel shows no user namespace above our own; where there is no way to it, the joining will be refused. */
static void find_way_down(struct join *j, int proc)
{
	struct stat own;
	int fd = j->flags & CLONE_NEWUSER ? fcntl(j->fds[0], F_DUPFD_CLOEXEC, 3) : -1; /* user comes first */

	if (fstatat(proc, "self/ns/user", &own, 0) < 0)
		own.st_ino = 0;
	while (fd >= 0 && inode_of(fd) != own.st_ino && j->n_users < LEVELS_MAX) {
		j->users[j->n_users++] = fd;
		fd = sys_ns_parent(fd);
	}
	cleanup_close(&fd);
}

/* Without the user namespace. @return 0, or the last refusal */
static int join_what_can_be(struct join *j)
{
	int r = 0;

	for (size_t i = 0; i < ns_kinds_count; i++) {
		uint64_t flag = j->flags & ns_kinds[i].clone_flag & ~(uint64_t)CLONE_NEWUSER;

		if (flag == 0)
			continue;
		if (setns(j->fds[i], (int)flag) == 0)
			j->flags &= ~flag;
		else
			r = -errno;
	}
	return r;
}

static int join_one_by_one(int proc, int pidfd, uint64_t flags)
{
	struct join j = { .flags = flags };
	int r;

	for (size_t i = 0; i < KINDS_MAX; i++)
		j.fds[i] = -1;
	r = open_all(&j, proc, pidfd);
	if (r == 0) {
		find_way_down(&j, proc);
		r = join_what_can_be(&j);
		if (j.n_users == 0 && (flags & CLONE_NEWUSER))
			r = -EPERM;
	}
	/* A refusal on the way may be put right further down. */
	for (int level = j.n_users - 1; level >= 0 && r != -ESRCH; level--) {
		r = sys_ret(setns(j.users[level], CLONE_NEWUSER));
		if (r < 0)
			break;
		r = join_what_can_be(&j);
	}
	for (size_t i = 0; i < KINDS_MAX; i++)
		cleanup_close(&j.fds[i]);
	for (int i = 0; i < j.n_users; i++)
		(void)close(j.users[i]);
	return r;
}

int enter_join(int proc, int fd, uint64_t flags)
{
	int again, r = sys_ret(setns(fd, (int)flags));

	if (r == 0 || r == -ESRCH)
		return r;
	again = join_one_by_one(proc, fd, flags);
	/* Where both are refused the words are about the one call: who may not, may not either way. */
	return again == 0 || again == -ESRCH ? again : r;
}
