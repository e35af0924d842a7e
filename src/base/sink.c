/* SPDX-License-Identifier: MIT */
#include "base/sink.h"

#include "base/io.h"

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

/* Length of the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF); 0: none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (left < len)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
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
