/* SPDX-License-Identifier: MIT */
#include "base/sink.h"

#include "base/io.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* A pipe that polls writable takes PIPE_BUF bytes without waiting; one that nobody reads must not hold PID 1 up. */
static void flush(struct sink *s)
{
	struct pollfd room = { .fd = s->fd, .events = POLLOUT };

	if (s->error == 0 && poll(&room, 1, SINK_PATIENCE_MS) == 0)
		s->error = -EAGAIN;
	if (s->error == 0)
		s->error = io_write_all(s->fd, s->buf, s->len);
	s->len = 0;
}

void sink_bytes(struct sink *s, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s->fd >= 0 && s->len == s->size)
			flush(s);
		if (s->len < s->size)
			s->buf[s->len] = text[i];
		s->len++;
	}
}

void sink_str(struct sink *s, const char *text)
{
	sink_bytes(s, text, strlen(text));
}

void sink_num(struct sink *s, int64_t n)
{
	char digits[24];

	sink_bytes(s, digits, io_decimal(digits, n));
}

void sink_num_padded(struct sink *s, int64_t n, unsigned width)
{
	char digits[24];
	size_t len = io_decimal(digits, n);

	for (size_t i = len; i < width; i++)
		sink_str(s, "0");
	sink_bytes(s, digits, len);
}

static void json_control(struct sink *s, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char esc[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (c == '\n')
		sink_str(s, "\\n");
	else if (c == '\t')
		sink_str(s, "\\t");
	else
		sink_bytes(s, esc, sizeof(esc));
}

void sink_json(struct sink *s, const char *text, size_t len)
{
	sink_str(s, "\"");
	for (size_t i = 0; i < len;) {
		const unsigned char *p = (const unsigned char *)text + i;
		size_t n = utf8_length(p, len - i);

		if (n == 0) {
			sink_str(s, "\xef\xbf\xbd");
			i++;
			continue;
		}
		if (*p < 0x20 || *p == 0x7f)
			json_control(s, *p);
		else {
			if (*p == '"' || *p == '\\')
				sink_str(s, "\\");
			sink_bytes(s, text + i, n);
		}
		i += n;
	}
	sink_str(s, "\"");
}

int64_t sink_end(struct sink *s)
{
	if (s->fd >= 0) {
		flush(s);
		return s->error;
	}
	if (s->size > 0)
		s->buf[s->len < s->size ? s->len : s->size - 1] = '\0';
	return (int64_t)s->len;
}
