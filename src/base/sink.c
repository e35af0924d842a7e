/* SPDX-License-Identifier: MIT */
#include "base/sink.h"

#include "base/util.h"

#include "base/io.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* A pipe that polls writable takes PIPE_BUF bytes without waiting; one that nobody reads must not hold PID 1 up. */
static void flush(struct sink *s)
{
	struct pollfd room = { .fd = s->fd, .events = POLLOUT };

	if (s->error == 0 && poll(&room, 1, s->patience_ms) == 0)
		s->error = -EAGAIN;
	if (s->error == 0)
		s->error = io_write_all(s->fd, s->buf, s->len);
	s->len = 0;
}

void sink_bytes(struct sink *s, const char *text, size_t len)
{
	while (len > 0) {
		size_t n;

		if (s->fd >= 0 && s->len == s->size)
			flush(s);
		n = s->len >= s->size ? 0 : s->size - s->len < len ? s->size - s->len : len;
		if (n > 0)
			memcpy(s->buf + s->len, text, n);
		else
			n = len; /* cut off, and counted; there may be no buffer at all */
		s->len += n;
		text += n;
		len -= n;
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

void sink_time(struct sink *s, int64_t realtime_us)
{
	int64_t seconds = realtime_us / US_PER_S;
	int64_t days = seconds / 86400, rest = seconds % 86400;
	/* Days to a date of the Gregorian calendar, in eras of 400 years that begin on 1 March. */
	int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;

	sink_str(s, "\"");
	sink_num_padded(s, yoe + era * 400 + (month <= 2), 4);
	sink_str(s, "-");
	sink_num_padded(s, month, 2);
	sink_str(s, "-");
	sink_num_padded(s, doy - (153 * mp + 2) / 5 + 1, 2);
	sink_str(s, "T");
	sink_num_padded(s, rest / 3600, 2);
	sink_str(s, ":");
	sink_num_padded(s, rest / 60 % 60, 2);
	sink_str(s, ":");
	sink_num_padded(s, rest % 60, 2);
	sink_str(s, ".");
	sink_num_padded(s, realtime_us % US_PER_S, 6);
	sink_str(s, "Z\"");
}

void sink_arguments(struct sink *s, const char *command, size_t size)
{
	sink_str(s, "[");
	for (size_t at = 0; at < size;) {
		size_t len = strnlen(command + at, size - at);

		if (at > 0)
			sink_str(s, ",");
		sink_json(s, command + at, len);
		at += len + 1;
	}
	sink_str(s, "]");
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
