/* SPDX-License-Identifier: MIT */
/* Sinks: buffers of every size, descriptors, and JSON strings (RFC 8259, RFC 3629). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sink.h"
#include "base/util.h"
#include "tap.h"

static const char text[] = "0123456789";

/* Like snprintf: the length of the whole, a cut text that is terminated, and not a byte past the end. */
static void test_cut(void)
{
	for (size_t size = 0; size <= sizeof(text) + 2; size++) {
		char buf[16];
		struct sink s;
		size_t kept = size == 0 ? 0 : size - 1 < sizeof(text) - 1 ? size - 1 : sizeof(text) - 1;
		bool clean = true;
		int64_t len;

		memset(buf, 0x5a, sizeof(buf));
		s = SINK_BUF(buf, size);
		sink_str(&s, "01234");
		sink_bytes(&s, "56789", 5);
		len = sink_end(&s);
		for (size_t i = size; i < sizeof(buf); i++)
			clean = clean && buf[i] == 0x5a;
		ok(len == 10 && clean && (size == 0 || (memcmp(buf, text, kept) == 0 && buf[kept] == '\0')),
		   "ten bytes into a buffer of %zu", size);
	}
}

static void test_null(void)
{
	struct sink s = SINK_BUF(NULL, 0);

	sink_json(&s, "a\"b", 3);
	ok(sink_end(&s) == 6, "a length without a buffer");
}

static void test_numbers(void)
{
	static const struct {
		int64_t n;
		unsigned width;
		const char *text;
	} rows[] = {
		{ 0, 1, "0" },
		{ 7, 2, "07" },
		{ 12, 2, "12" },
		{ 123, 2, "123" },
		{ 42, 6, "000042" },
		{ INT64_MAX, 0, "9223372036854775807" },
		{ INT64_MIN, 0, "-9223372036854775808" },
		{ -1, 0, "-1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[64];
		struct sink s = SINK_BUF(buf, sizeof(buf));

		sink_num_padded(&s, rows[i].n, rows[i].width);
		(void)sink_end(&s);
		ok(strcmp(buf, rows[i].text) == 0, "%s (expected %s)", buf, rows[i].text);
		s = SINK_BUF(buf, sizeof(buf));
		sink_num(&s, rows[i].n);
		ok(sink_end(&s) > 0 && strtoll(buf, NULL, 10) == rows[i].n, "%s without padding", buf);
	}
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static const struct {
	const char *bytes;
	size_t len; /* 0: to the NUL */
	const char *json;
} strings[] = {
	{ "", 0, "" },
	{ "plain /path", 0, "plain /path" },
	{ "\"\\", 0, "\\\"\\\\" },
	{ "\n\t\r\b\f", 0, "\\n\\t\\u000d\\u0008\\u000c" },
	{ "\x01\x1f\x1b[m", 0, "\\u0001\\u001f\\u001b[m" },
	{ "a\0b", 3, "a\\u0000b" },
	/* the ends of each length (RFC 3629, section 4) */
	{ "\xc2\x80\xdf\xbf", 0, "\xc2\x80\xdf\xbf" },
	{ "\xe0\xa0\x80\xef\xbf\xbf", 0, "\xe0\xa0\x80\xef\xbf\xbf" },
	{ "\xed\x9f\xbf\xee\x80\x80", 0, "\xed\x9f\xbf\xee\x80\x80" },
	{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 0, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
	{ "gr\xc3\xbc\xc3\x9f", 0, "gr\xc3\xbc\xc3\x9f" },
	/* no UTF-8: one U+FFFD a byte that begins nothing */
	{ "\xff", 0, BAD },
	{ "a\x80z", 0, "a" BAD "z" },
	{ "\xc0\xaf", 0, BAD BAD }, /* overlong */
	{ "\xc1\xbf", 0, BAD BAD },
	{ "\xe0\x9f\xbf", 0, BAD BAD BAD }, /* overlong */
	{ "\xed\xa0\x80", 0, BAD BAD BAD }, /* a surrogate */
	{ "\xf0\x8f\xbf\xbf", 0, BAD BAD BAD BAD },
	{ "\xf4\x90\x80\x80", 0, BAD BAD BAD BAD }, /* above U+10FFFF */
	{ "\xf5\x80\x80\x80", 0, BAD BAD BAD BAD },
	{ "\xe2\x82", 0, BAD BAD }, /* cut at the end */
	{ "\xe2\x82q", 0, BAD BAD "q" },
	{ "\xc3\xc3\xa9", 0, BAD "\xc3\xa9" },
	{ "\xf0\x9f\x98", 3, BAD BAD BAD },
};

static void test_json(void)
{
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		size_t len = strings[i].len > 0 ? strings[i].len : strlen(strings[i].bytes);
		char buf[128], wanted[128];
		struct sink s = SINK_BUF(buf, sizeof(buf));

		sink_json(&s, strings[i].bytes, len);
		(void)sink_end(&s);
		snprintf(wanted, sizeof(wanted), "\"%s\"", strings[i].json);
		ok(strcmp(buf, wanted) == 0, "row %zu: %s (expected %s)", i, buf, wanted);
	}
}

/* DEL is no control character of JSON, but of terminals: either form says the same. */
static void test_delete(void)
{
	char buf[16];
	struct sink s = SINK_BUF(buf, sizeof(buf));

	sink_json(&s, "\x7f", 1);
	(void)sink_end(&s);
	ok(strcmp(buf, "\"\\u007f\"") == 0 || strcmp(buf, "\"\x7f\"") == 0, "DEL");
}

static void test_descriptor(void)
{
	int fd = memfd_create("sink", MFD_CLOEXEC);
	char small[7], back[4096];
	struct sink s = SINK_FD(small, sizeof(small), fd);
	ssize_t n;
	bool same = true;

	for (int i = 0; i < 300; i++)
		sink_str(&s, text);
	ok(sink_end(&s) == 0, "a descriptor takes it all");
	n = pread(fd, back, sizeof(back), 0);
	for (ssize_t i = 0; i < n; i++)
		same = same && back[i] == text[i % 10];
	ok(n == 3000 && same, "3000 bytes through a buffer of seven, in order");
	close(fd);
}

static void test_errors(void)
{
	char small[4];
	struct sink s;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];

	if (full >= 0) {
		s = SINK_FD(small, sizeof(small), full);
		sink_str(&s, text);
		ok(sink_end(&s) == -ENOSPC, "a full disk");
		close(full);
	} else {
		tap_skip("a full disk", "there is no /dev/full");
	}
	if (pipe2(ends, O_CLOEXEC) == 0) {
		signal(SIGPIPE, SIG_IGN);
		close(ends[0]);
		s = SINK_FD(small, sizeof(small), ends[1]);
		sink_str(&s, text);
		ok(sink_end(&s) == -EPIPE, "nobody reads");
		close(ends[1]);
	}
}

int main(void)
{
	test_cut();
	test_null();
	test_numbers();
	test_json();
	test_delete();
	test_descriptor();
	test_errors();
	return tap_end();
}
