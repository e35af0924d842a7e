/* SPDX-License-Identifier: MIT */
/*
 * unshare-newpid.c - unshare(CLONE_NEWPID) moves nobody: only children born later are inside.
 *
 *     outside (this program)                        inside
 *     unshare(CLONE_NEWPID), and the same PID
 *     fork() -------------------------------------> the first child is PID 1
 *     fork() -------------------------------------> the second is PID 2
 *     close() ------------------------------------> both end, and the namespace with PID 1
 *     fork() fails
 *
 * - A process keeps its PID for life: other processes and its own libc rely on it. So unshare(2),
 *   and setns(2) likewise, only choose the namespace of later children (pid_namespaces(7)). The
 *   choice is /proc/self/ns/pid_for_children, a link to nowhere until the first of them is born.
 * - clone-newpid.c makes the namespace and its first process in one call. Here the maker stays
 *   outside and may have more children inside. For each of them getppid() is 0.
 * - The first child is the init, whether it knows or not. When it ends, the kernel kills the others
 *   and makes it wait until they are all reaped: the children of an outer process by that process.
 *   Whoever waits for PID 1 first waits for ever.
 * - After that nothing can be born in there any more. The kernel's word for it is ENOMEM.
 * - Nothing is left when this program is killed: its children only wait until its end of a socket
 *   is closed, and the kernel closes it then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	perror(what);
	_exit(125);
}

static void show_link(const char *path)
{
	char link[64];
	ssize_t len = readlink(path, link, sizeof link - 1);

	if (len < 0 && errno != ENOENT)
		die(path);
	link[len < 0 ? 0 : len] = '\0';
	printf("outside: %s is %s\n", path, len < 0 ? "not there yet" : link);
}

/* A child that says who it is, and then waits until nobody holds the parent's end any more. */
static pid_t fork_one(int parent_end, int child_end)
{
	char byte = 0;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(parent_end);
		printf("inside:  I am %d, my parent is %d\n", getpid(), getppid());
		_exit(write(child_end, &byte, 1) != 1 || read(child_end, &byte, 1) != 0);
	}
	if (read(parent_end, &byte, 1) != 1) /* it has spoken */
		die("read");
	printf("outside: out here that is process %d\n", pid);
	return pid;
}

static void reap(pid_t pid)
{
	if (waitpid(pid, NULL, 0) < 0)
		die("waitpid");
	printf("outside: process %d has ended\n", pid);
}

int main(void)
{
	pid_t first, second;
	int ends[2];

	/* Line by line, also into a pipe: what a fork finds in the buffer is printed twice. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");

	printf("outside: I am %d\n", getpid());
	show_link("/proc/self/ns/pid");

	/* Without CAP_SYS_ADMIN a user namespace must come along. The caller does move into that
	 * one, and has no valid ids there without a map; nothing below needs one. */
	if (unshare(CLONE_NEWPID) < 0 && (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0))
		die("unshare");
	printf("outside: unshare(CLONE_NEWPID) worked, and I am still %d\n", getpid());
	show_link("/proc/self/ns/pid");
	show_link("/proc/self/ns/pid_for_children");

	first = fork_one(ends[0], ends[1]);
	second = fork_one(ends[0], ends[1]);
	show_link("/proc/self/ns/pid_for_children");

	close(ends[0]);
	reap(second);
	reap(first);
	if (fork() < 0)
		printf("outside: one more fork(): %s\n", strerror(errno));
	return 0;
}
