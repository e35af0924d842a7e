/* SPDX-License-Identifier: MIT */
#include "kern/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* @return 0 or positive errno, as posix_spawn does */
static int set_streams(posix_spawn_file_actions_t *actions, int out, int stream)
{
	/* The pipe first: where a standard stream was closed, it may have that one's number. */
	int r = posix_spawn_file_actions_adddup2(actions, out, stream);

	for (int fd = 0; fd <= 2 && r == 0; fd++)
		if (fd != stream)
			r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	return r;
}

static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, chld;
	int r;

	(void)sigemptyset(&none);
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD); /* it may be a script, and shells fail with an ignored SIGCHLD */
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &chld);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return r;
}

static int spawn_with_output(const char *path, char *const argv[], char *const env[], int out, int stream,
			     pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = set_streams(&actions, out, stream);
		if (r == 0)
			r = set_signals(&attr);
		if (r == 0)
			r = posix_spawnp(ret_pid, path, &actions, &attr, argv, env);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* The rest is read too: a program must not die of SIGPIPE for saying much. */
static int read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
	char rest[512];
	size_t len = 0;

	for (;;) {
		bool full = len == size;
		ssize_t n = full ? read(fd, rest, sizeof(rest)) : read(fd, buf + len, size - len);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!full)
			len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * execvp(3) remembers EACCES, and a directory of PATH that may not be searched gives that too: it is no sign of the
 * program. @return is a file of that name in a directory that can be seen?
 */
static bool is_in_path(const char *name)
{
	char file[PATH_MAX];
	const char *p = getenv("PATH");

	if (p == NULL)
		return true; /* looked for in directories of libc's own */
	for (; *p != '\0'; p += strspn(p, ":")) {
		int len = (int)strcspn(p, ":");
		struct stat st;

		if (snprintf(file, sizeof(file), "%.*s/%s", len, p, name) < (int)sizeof(file) && stat(file, &st) == 0)
			return true;
		p += len;
	}
	return false;
}

int helper_run(const char *path, char *const argv[], char *const env[], int stream, char *buf, size_t size,
	       size_t *ret_len)
{
	int pipe_fds[2], r, status;
	size_t len = 0;
	pid_t pid = -1;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	r = -spawn_with_output(path, argv, env, pipe_fds[1], stream, &pid);
	(void)close(pipe_fds[1]);
	if (r == -EACCES && strchr(path, '/') == NULL && !is_in_path(path))
		r = -ENOENT;
	if (r == 0) {
		r = read_all(pipe_fds[0], buf, size - 1, &len);
		buf[len] = '\0';
		*ret_len = len;
		status = reap(pid);
		if (r == 0)
			r = status;
	}
	(void)close(pipe_fds[0]);
	return r;
}
