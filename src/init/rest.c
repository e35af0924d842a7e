/* SPDX-License-Identifier: MIT */
/*
 * Everybody else who is inside.
 *
 * As PID 1 that is everybody in the PID namespace, and kill(2) with -1 reaches them all at once. A subreaper has no
 * such boundary: there it is our descendants, wherever they have put themselves by setsid(2). They are ended from the
 * top: who dies leaves his children to us (PR_SET_CHILD_SUBREAPER in prctl(2)), before we hear of his death, so that
 * going on until there is no child left misses nobody. A child of ours that we have not waited for keeps its PID: none
 * of these signals can hit somebody else.
 */
#include "init/init.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/proc.h"

#include <string.h>

/* The numbers in /proc are ours only when it was mounted in our PID namespace. */
static bool shows_us(int proc)
{
	char link[24], own[24];
	size_t len = io_decimal(own, getpid());

	return readlinkat(proc, "self", link, sizeof(link)) == (ssize_t)len && memcmp(link, own, len) == 0;
}

int rest_open_proc(void)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return -errno;
	if (shows_us(proc))
		return proc;
	(void)close(proc);
	return -ENOENT;
}

int rest_prepare(struct box *b)
{
	if (!(b->plan->flags & WIRE_SUBREAPER) || b->proc >= 0)
		return 0;
	b->proc = rest_open_proc();
	if (b->proc < 0)
		b->proc = proc_open_detached();
	return b->proc < 0 ? b->proc : 0;
}

bool rest_has(const struct box *b, pid_t pid)
{
	enum { GENERATIONS = 4096 };
	const pid_t self = getpid();

	if (!(b->plan->flags & WIRE_SUBREAPER))
		return pid > 1;
	for (int i = 0; i < GENERATIONS && pid > 1 && pid != self; i++) {
		struct proc_stat stat;

		if (proc_read_stat(b->proc, pid, &stat) < 0)
			return false;
		if (stat.parent == self)
			return true;
		pid = stat.parent;
	}
	return false;
}

/*
 * To descendants of any depth. One may end, and its PID go to a stranger, between the look and the signal; a pidfd that
 * was opened before the look stays with the process looked at.
 */
static void signal_descendants(const struct box *b, int sig)
{
	struct proc_iter it = { .root = b->proc };
	pid_t pid;

	while (b->proc >= 0 && (pid = proc_next(&it)) > 0) {
		int fd;

		if (pid == getpid() || !rest_has(b, pid))
			continue;
		fd = sys_pidfd_open(pid, 0);
		if (fd < 0)
			continue;
		if (rest_has(b, pid))
			(void)sys_pidfd_send_signal(fd, sig, NULL);
		(void)close(fd);
	}
}

void rest_signal(const struct box *b, int sig)
{
	if (b->plan->flags & WIRE_SUBREAPER)
		signal_descendants(b, sig);
	else
		(void)kill(-1, sig);
}

/* A child, and the group that it leads. */
static void kill_child(pid_t pid)
{
	if (getpgid(pid) == pid)
		(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
}

/* The kernel's own list of our children (since Linux 3.5, CONFIG_PROC_CHILDREN). @return false: there is none */
static bool kill_listed_children(const struct box *b)
{
	char path[64], text[1024];
	size_t len = io_decimal(path, getpid());
	pid_t pid = 0;
	ssize_t n;
	int fd;

	memcpy(path + len, "/task/", strlen("/task/"));
	len += strlen("/task/");
	len += io_decimal(path + len, getpid());
	memcpy(path + len, "/children", sizeof("/children"));
	fd = openat(b->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((n = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0)
				kill_child(pid);
			pid = 0;
		}
	}
	(void)close(fd);
	return n == 0;
}

void rest_kill(const struct box *b)
{
	struct proc_iter it = { .root = b->proc };
	pid_t pid;

	if (!(b->plan->flags & WIRE_SUBREAPER)) {
		(void)kill(-1, SIGKILL);
		return;
	}
	/* Without a /proc only the command is known. */
	if (b->command > 0)
		kill_child(b->command);
	if (b->proc < 0 || kill_listed_children(b))
		return;
	while ((pid = proc_next(&it)) > 0) {
		struct proc_stat stat;

		if (proc_read_stat(b->proc, pid, &stat) == 0 && stat.parent == getpid())
			kill_child(pid);
	}
}
