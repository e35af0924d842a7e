/* SPDX-License-Identifier: MIT */
/*
 * clone-newpid.c - a shell that is PID 1, with one clone3(2) and no library.
 *
 *     outside (this program)                        inside (its child)
 *     clone3(NEWPID | NEWUTS | NEWIPC | NEWNS) ---> starts as PID 1
 *     sees it under an ordinary PID                 asks to die with its parent
 *     maps ids, does what is slow                   read(): held at the checkpoint
 *     write() ------------------------------------> goes on
 *     waitpid()                                     host name, /proc, then the shell
 *
 * - The first process of a PID namespace is 1 in it, and has one more number in each namespace
 *   above. Its parent is not in there: getppid() gives 0 (pid_namespaces(7)).
 * - All kinds combine in one call. With CLONE_NEWUSER the user namespace is made first and owns the
 *   others: that is how an ordinary user gets them (user_namespaces(7)).
 * - The child runs at once, but has no valid ids before its parent has mapped them. So it waits on
 *   a pipe: a byte means "go on", end of file means "your parent is gone".
 * - ps(1) reads /proc, and a procfs shows the PID namespace of who mounted it. The mount namespace
 *   keeps that mount from everybody else (mount_namespaces(7)).
 * - When PID 1 ends, the kernel kills all others in there, and PR_SET_PDEATHSIG ends PID 1 when its
 *   parent is killed: nothing is left, however this ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	perror(what);
	_exit(125);
}

/* As fork(2), but into new namespaces. Without a stack given, the child has a copy of ours. */
static pid_t clone_into(uint64_t namespaces)
{
	struct clone_args args = { .flags = namespaces, .exit_signal = SIGCHLD };

	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void read_link(const char *path, char *buf, size_t size)
{
	ssize_t len = readlink(path, buf, size - 1);

	if (len < 0)
		die(path);
	buf[len] = '\0';
}

static _Noreturn void inside(int checkpoint, char *argv[])
{
	char go, before[32], after[32];
	int status;

	/* Nothing is sent for a parent that died before this call, but then read() gives 0. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die("prctl");
	if (read(checkpoint, &go, 1) != 1)
		_exit(125);
	printf("inside:  I am %d, my parent is %d\n", getpid(), getppid());

	if (sethostname("inside", strlen("inside")) < 0)
		die("sethostname");

	/* The copied mounts may be peers of the outer ones. As slaves they pass nothing on. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		die("mount: /");
	read_link("/proc/self", before, sizeof before);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		die("mount: /proc");
	read_link("/proc/self", after, sizeof after);
	printf("inside:  /proc/self was %s in the old /proc, it is %s in my own\n", before, after);

	printf("inside:  becoming %s\n", argv[0]);
	execvp(argv[0], argv);
	status = errno == ENOENT ? 127 : 126;
	perror(argv[0]);
	_exit(status);
}

static void show_new_namespaces(pid_t pid)
{
	static const char *const kinds[] = { "user", "mnt", "uts", "ipc", "pid" };
	char path[64], mine[64], its[64];

	printf("outside: new for it:");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		read_link(path, mine, sizeof mine);
		snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i]);
		read_link(path, its, sizeof its);
		if (strcmp(mine, its) != 0)
			printf(" %s", its);
	}
	printf("\n");
}

static void write_map(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* What an ordinary user may map: the own uid, and after giving up setgroups(2) the own gid. */
static void map_me_to_root(pid_t pid)
{
	char map[32];

	snprintf(map, sizeof map, "0 %u 1", geteuid());
	write_map(pid, "uid_map", map);
	write_map(pid, "setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", getegid());
	write_map(pid, "gid_map", map);
	printf("outside: uid %u and gid %u out here are 0 in there\n", geteuid(), getegid());
}

static int outside(pid_t pid, int checkpoint, bool has_user_namespace)
{
	struct utsname host;
	int status;

	printf("outside: I am %d, clone3 made process %d\n", getpid(), pid);
	show_new_namespaces(pid);
	if (has_user_namespace)
		map_me_to_root(pid);
	/* Stands for whatever is slow: a network, a cgroup, newuidmap(1). */
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	printf("outside: all is set up, %d may go on\n", pid);
	if (write(checkpoint, "", 1) != 1) /* no SIGPIPE: our own read end is open too */
		die("write");

	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	uname(&host);
	printf("outside: %d ended with status %d\n", pid, status);
	printf("outside: the host name is still \"%s\"\n", host.nodename);
	return status;
}

int main(int argc, char *argv[])
{
	uint64_t namespaces = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS;
	char sh[] = "/bin/sh", *shell[] = { sh, NULL };
	int checkpoint[2];
	pid_t pid;

	/* Line by line, also into a pipe: what a clone finds in the buffer is printed twice. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe2(checkpoint, O_CLOEXEC) < 0)
		die("pipe2");

	/* All kinds but "user" need CAP_SYS_ADMIN. Only the kernel knows whether we have it. */
	pid = clone_into(namespaces);
	if (pid < 0 && errno == EPERM) {
		namespaces |= CLONE_NEWUSER;
		pid = clone_into(namespaces);
	}
	if (pid < 0)
		die("clone3");
	if (pid == 0) {
		close(checkpoint[1]); /* only the parent keeps it: its end is the end of file */
		inside(checkpoint[0], argc > 1 ? argv + 1 : shell);
	}
	return outside(pid, checkpoint[1], (namespaces & CLONE_NEWUSER) != 0);
}
