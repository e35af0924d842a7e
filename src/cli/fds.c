/* SPDX-License-Identifier: MIT */
/* The caller's descriptors: whose they are, and when we let go of them. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What the caller has closed of 0, 1, 2 must not become one of our descriptors. The command gets them closed, as they
 * were: the placeholders go away at its exec.
 */
void fds_hold_places(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDWR | O_CLOEXEC); /* gets the lowest free number: fd */
}

static int cannot_claim(int fd, const char *option, int errnum, const char *why, const char *fix,
			struct pidbox_error *err)
{
	*err = (struct pidbox_error){
		.errnum = errnum,
		.code = PIDBOX_CODE_USAGE,
		.exit_status = PIDBOX_EXIT_FAILED,
	};
	(void)snprintf(err->what, sizeof(err->what), "%s: using descriptor %d", option, fd);
	(void)snprintf(err->why, sizeof(err->why), "%s", why);
	(void)snprintf(err->fix, sizeof(err->fix), "%s", fix);
	return -errnum;
}

/*
 * A standard stream is the command's as well: of that one we take a copy. Whether it can be written to, or read, is
 * seen now, by the mode it was opened with (fcntl(2)), and not when the command has run and its record is lost.
 */
int fds_claim(int fd, int access, const char *option, struct pidbox_error *err)
{
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags >= 0 && ((flags & O_PATH) || ((flags & O_ACCMODE) != access && (flags & O_ACCMODE) != O_RDWR)))
		return access == O_RDONLY ? cannot_claim(fd, option, EBADF, "it is open, but not for reading",
							 "open it for reading in the shell, for example 3<fifo", err)
					  : cannot_claim(fd, option, EBADF, "it is open, but not for writing",
							 "open it for writing in the shell, for example 3>file", err);
	r = fd > 2 ? fcntl(fd, F_SETFD, FD_CLOEXEC) : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (r >= 0)
		return fd > 2 ? fd : r;
	return cannot_claim(fd, option, errno, "no such descriptor is open",
			    "open it in the shell, for example 3>file or 3<fifo", err);
}

/* Refused, before Linux 5.9, or nothing between the two: then one by one. */
static void close_gap(unsigned from, unsigned to)
{
	if (syscall(SYS_close_range, from, to, 0) < 0)
		for (long end = sysconf(_SC_OPEN_MAX); from <= to && from < end; from++)
			(void)close((int)from);
}

static unsigned least_from(const int *fds, size_t n, unsigned from)
{
	unsigned least = ~0u;

	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0 && (unsigned)fds[i] >= from && (unsigned)fds[i] < least)
			least = (unsigned)fds[i];
	return least;
}

/*
 * A pipe is at its end when the command has closed it: neither standard input and output nor an inherited descriptor
 * may stay open here. Standard error stays, for our own words.
 */
void fds_keep_only(const int *own, size_t n, bool keep_stdio)
{
	int null;

	/* After the gap that has no end `from` wraps to 0. */
	for (unsigned from = 3, kept; from > 0; from = kept + 1) {
		kept = least_from(own, n, from);
		if (kept > from)
			close_gap(from, kept - 1);
	}
	/* By openat: musl marks what open() gave once more. */
	null = keep_stdio ? -1 : openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)close(null);
	}
}
