/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

/* Reads the signals that are to end us: nothing that we write may wait when there is one. */
static int ends_us = -1;

void out_ended_by(int signals)
{
	ends_us = signals;
}

/* Wait until there is room, for so long. @return false: over, or a signal is to end us first */
bool out_wait_for_room(int fd, int timeout_ms)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLOUT }, { .fd = ends_us, .events = POLLIN } };

	while (poll(fds, 2, timeout_ms) < 0)
		if (errno != EINTR && errno != ENOMEM)
			return true; /* the write will tell */
	return fds[0].revents != 0;
}

/*
 * In one write as long as it is short, so that it does not mingle with what the command writes to the same place. All
 * signals are blocked here: only what surely does not wait is written (a pipe with room takes PIPE_BUF bytes, pipe(7)).
 */
int out_write(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size > 0) {
		ssize_t n;

		if (!out_wait_for_room(fd, -1))
			return -EINTR;
		n = write(fd, p, size < PIPE_BUF ? size : PIPE_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

void out_error(const struct pidbox_error *err)
{
	char text[sizeof(struct pidbox_error) + 256];
	size_t len = pidbox_error_format(err, text, sizeof(text));

	(void)out_write(STDERR_FILENO, text, len < sizeof(text) ? len : sizeof(text) - 1);
}

void out_note(const char *format, ...)
{
	char text[1024];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (len > 0)
		(void)out_write(STDERR_FILENO, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

int out_no_memory(const char *what)
{
	struct pidbox_error err = {
		.errnum = ENOMEM,
		.why = "pidbox can allocate no more: memory is used up, or a limit of it is reached",
		.fix = "free memory, or raise the limit (ulimit -v, the cgroup's)",
	};

	(void)snprintf(err.what, sizeof(err.what), "%s", what);
	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}
