/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

/* In one write, so that it does not mingle with what the command writes to the same place. */
int out_write(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

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
