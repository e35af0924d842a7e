/* SPDX-License-Identifier: MIT */
/*
 * lib.h - what the programs here share. Each is a host of boxes; what must be seen from inside, it sees by running
 * itself again as the command of a box, with a role's name as the first argument.
 */
#ifndef TESTS_LIB_LIB_H
#define TESTS_LIB_LIB_H

#include "unit/tap.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pidbox.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED __attribute__((unused))
#define MS     1000
#define SPEC(...)                                               \
	{                                                       \
		.size = sizeof(struct pidbox_spec), __VA_ARGS__ \
	}

/* ------------------------------------------------------------ the test itself */

UNUSED static const char *self_path(void)
{
	static char path[4096];

	if (path[0] == '\0' && readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		abort();
	return path;
}

UNUSED static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

UNUSED static void sleep_us(long us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

/* What orphans of a box's host become: our children, so that none can hide. */
UNUSED static void become_subreaper(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* Open descriptors of this process. */
UNUSED static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* the directory's own */

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n - 2;
}

/* The parent of a process, 0 when it is gone; ret_state as in proc(5). */
UNUSED static pid_t parent_of(pid_t pid, char *ret_state)
{
	char path[64], text[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	if (p == NULL || p[1] == '\0')
		return 0;
	*ret_state = p[2];
	return (pid_t)strtol(p + 3, NULL, 10);
}

/* Children of this process, zombies included. */
UNUSED static int count_children(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char state;

		if (isdigit((unsigned char)e->d_name[0]) && parent_of((pid_t)atoi(e->d_name), &state) == getpid())
			n++;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

UNUSED static void reap_orphans(void)
{
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		continue;
}

/* Reap until no child is left, for at most ms. */
UNUSED static bool all_gone_within(int ms)
{
	int64_t until = now_us() + (int64_t)ms * MS;

	for (;;) {
		reap_orphans();
		if (waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD)
			return true;
		if (now_us() > until)
			return false;
		sleep_us(2 * MS);
	}
}

UNUSED static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Is this descriptor readable within ms? */
UNUSED static bool readable_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* Read up to the end of file. */
UNUSED static size_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	buf[len] = '\0';
	return len;
}

/* ------------------------------------------------------------ boxes */

UNUSED static void tell(const struct pidbox_error *err)
{
	char text[2304];

	pidbox_error_format(err, text, sizeof(text));
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
}

UNUSED static struct pidbox_info info_of(const struct pidbox *box)
{
	struct pidbox_info info;

	pidbox_get_info(box, &info);
	return info;
}

/* NULL, and a failed check, when it cannot be started. */
UNUSED static struct pidbox *start(const struct pidbox_spec *spec)
{
	struct pidbox *box = NULL;
	struct pidbox_error err = { 0 };

	if (pidbox_spawn(spec, &box, &err) == 0)
		return box;
	ok(false, "a box starts: %s: %s", err.what, strerror(err.errnum));
	tell(&err);
	return NULL;
}

/* Start a box, wait for its end. @return its exit status; negative: no such end */
UNUSED static int run(const struct pidbox_spec *spec, struct pidbox_result *ret)
{
	struct pidbox *box = start(spec);
	struct pidbox_result res;
	int r;

	if (box == NULL)
		return -1;
	r = pidbox_wait(box, PIDBOX_DEFAULT, &res);
	if (r == 0)
		r = pidbox_exit_status(box, &res);
	if (ret != NULL)
		*ret = res;
	pidbox_free(box);
	if (ret != NULL) /* it was the box's */
		ret->leaked = NULL;
	return r;
}

UNUSED static int run_sh(const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);

	return run(&spec, NULL);
}

/* Run with its output taken; stdin and stderr are ours. @return its exit status; negative: no such end */
UNUSED static int run_output(struct pidbox_spec *spec, char *buf, size_t size)
{
	int out[2], stdio[] = { 0, -1, 2 }, r;
	struct pidbox_result res;
	struct pidbox *box;

	buf[0] = '\0';
	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	stdio[1] = out[1];
	spec->stdio = stdio;
	box = start(spec);
	spec->stdio = NULL;
	close(out[1]);
	if (box == NULL) {
		close(out[0]);
		return -1;
	}
	read_all(out[0], buf, size);
	close(out[0]);
	r = pidbox_wait(box, PIDBOX_DEFAULT, &res);
	if (r == 0)
		r = pidbox_exit_status(box, &res);
	pidbox_free(box);
	return r;
}

/* Nothing of a box is left in this process: descriptors as before, no child. */
UNUSED static void nothing_left(int fds_before, const char *after)
{
	int fds = count_fds(), children = count_children();

	ok(fds == fds_before && children == 0, "%s: nothing is left (%d descriptors, were %d; %d children)", after, fds,
	   fds_before, children);
}

/* ------------------------------------------------------------ hosts that are ended */

/*
 * Run checks in a process of its own, for what they do to it. Its checks count as ours. @return its wait status; one
 * that did not come to its end is a failed check.
 */
UNUSED static int in_child(void (*check)(void *), void *arg)
{
	unsigned int *counts =
		mmap(NULL, sizeof(*counts) * 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status = -1;

	if (counts == MAP_FAILED)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		check(arg);
		counts[0] = tap_checks;
		counts[1] = tap_failures;
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (status == 0) {
		tap_checks = counts[0];
		tap_failures = counts[1];
	} else {
		ok(false, "a process of this test ends well (%s %d)", WIFSIGNALED(status) ? "died of signal" : "status",
		   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	munmap(counts, sizeof(*counts) * 2);
	return status;
}

/* ------------------------------------------------------------ roles */

struct role {
	const char *name;
	int (*play)(int argc, char **argv);
};

/* main() begins with this: -1 when it is the host. */
UNUSED static int play_role(const struct role *roles, size_t n, int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < n; i++)
		if (strcmp(roles[i].name, argv[1]) == 0)
			return roles[i].play(argc, argv);
	return -1;
}

#endif
