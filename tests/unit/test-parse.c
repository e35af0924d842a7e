/* SPDX-License-Identifier: MIT */
/* The parsers, by tables: what the contract says, and what has to be refused. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "tap.h"

#define S         INT64_C(1000000)
#define UNTOUCHED 0x5a5a5a5a

struct row {
	const char *text;
	int r;
	int64_t value;
};

static void check(const char *what, const struct row *row, int r, int64_t value)
{
	int64_t expected = row->r < 0 ? UNTOUCHED : row->value;

	ok(r == row->r && value == expected, "%s \"%.60s\": %d, %" PRId64 " (expected %d, %" PRId64 ")", what,
	   row->text, r, value, row->r, expected);
}

static const struct row durations[] = {
	{ "500us", 0, 500 },
	{ "500ms", 0, 500000 },
	{ "2s", 0, 2 * S },
	{ "1.5s", 0, 1500000 },
	{ "1m30s", 0, 90 * S },
	{ "1h", 0, 3600 * S },
	{ "1d", 0, 86400 * S },
	{ "1d2h3m4s5ms6us", 0, 93784 * S + 5006 },
	{ "0", 0, 0 },
	{ "0s", 0, 0 },
	{ "0.000", 0, 0 },
	{ "007", 0, 7 * S },
	{ "10", 0, 10 * S },
	{ "0.25", 0, 250000 },
	{ ".5", 0, 500000 },
	{ ".5m", 0, 30 * S },
	{ "1.5h", 0, 5400 * S },
	{ "1m0.5s", 0, 60500000 },
	{ "90m90s", 0, 5490 * S },
	{ "5m500ms", 0, 300500000 },
	{ "1.000001", 0, 1000001 },
	{ "0.0000001", 0, 1 },
	{ "0.00000100000000000000000000000000000000000000001", 0, 2 },
	{ "0.00000099999999999999999999999999999999999999999", 0, 1 },
	{ "1.5us", 0, 2 },
	{ "0.1ms", 0, 100 },
	{ "0.3333333333333333333333333d", 0, 28800 * S },
	{ "9223372036854775807us", 0, INT64_MAX },
	{ "9223372036854.775807", 0, INT64_MAX },
	{ "00000000000000000000000000000000001us", 0, 1 },
	{ "9223372036854775808us", -ERANGE, 0 },
	{ "9223372036854.775808", -ERANGE, 0 },
	{ "9223372036854775806us", 0, INT64_MAX - 1 },
	{ "9223372036854775807.1us", -ERANGE, 0 },
	{ "18446744073709551615us", -ERANGE, 0 },
	{ "18446744073709551616us", -ERANGE, 0 },
	{ "18446744073709551617us", -ERANGE, 0 },
	{ "213503982d", -ERANGE, 0 },
	{ "106751991d", 0, INT64_C(106751991) * 86400 * S },
	{ "106751991d9223372036854775807us", -ERANGE, 0 },
	{ "99999999999999999999999", -ERANGE, 0 },
	{ "99999999999999999999999x", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
	{ " ", -EINVAL, 0 },
	{ ".", -EINVAL, 0 },
	{ ".s", -EINVAL, 0 },
	{ "1.", -EINVAL, 0 },
	{ "1.s", -EINVAL, 0 },
	{ "1..5", -EINVAL, 0 },
	{ "1.5.5", -EINVAL, 0 },
	{ "1,5", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "-0", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "1 s", -EINVAL, 0 },
	{ "1s\n", -EINVAL, 0 },
	{ "s", -EINVAL, 0 },
	{ "1x", -EINVAL, 0 },
	{ "1S", -EINVAL, 0 },
	{ "1M", -EINVAL, 0 },
	{ "1sec", -EINVAL, 0 },
	{ "1min", -EINVAL, 0 },
	{ "1ns", -EINVAL, 0 },
	{ "1w", -EINVAL, 0 },
	{ "1mss", -EINVAL, 0 },
	{ "1s1s", -EINVAL, 0 },
	{ "1s1m", -EINVAL, 0 },
	{ "1ms1s", -EINVAL, 0 },
	{ "1us1us", -EINVAL, 0 },
	{ "1m30", -EINVAL, 0 },
	{ "30 1m", -EINVAL, 0 },
	{ "1.5h30m", -EINVAL, 0 },
	{ "1.0h30m", -EINVAL, 0 },
	{ "1h.m", -EINVAL, 0 },
	{ "inf", -EINVAL, 0 },
	{ "nan", -EINVAL, 0 },
	{ "infinity", -EINVAL, 0 },
	{ "0x10", -EINVAL, 0 },
	{ "1e3", -EINVAL, 0 },
	{ "1_000", -EINVAL, 0 },
	{ "1\xc2\xb5s", -EINVAL, 0 },
};

static void test_duration(void)
{
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		int64_t value = UNTOUCHED;
		int r = parse_duration(durations[i].text, &value);

		check("duration", &durations[i], r, value);
	}
}

static void test_numbers(void)
{
	static const struct row rows[] = {
		{ "301", 0, 301 },
		{ "4194304", 0, 4194304 },
		{ "000301", 0, 301 },
		{ "300", -ERANGE, 0 },
		{ "4194305", -ERANGE, 0 },
		{ "0", -ERANGE, 0 },
		{ "4294967597", -ERANGE, 0 },           /* 2^32 + 301 */
		{ "18446744073709551917", -ERANGE, 0 }, /* 2^64 + 301 */
		{ "", -EINVAL, 0 },
		{ "301x", -EINVAL, 0 },
		{ "x301", -EINVAL, 0 },
		{ " 301", -EINVAL, 0 },
		{ "301 ", -EINVAL, 0 },
		{ "+301", -EINVAL, 0 },
		{ "-301", -EINVAL, 0 },
		{ "0x12d", -EINVAL, 0 },
		{ "301.0", -EINVAL, 0 },
		{ "99999999999999999999-", -EINVAL, 0 },
	};
	static const struct row fds[] = {
		{ "0", 0, 0 },        { "2147483647", 0, INT_MAX }, { "2147483648", -ERANGE, 0 },
		{ "-1", -EINVAL, 0 }, { "", -EINVAL, 0 },           { "fd:3", -EINVAL, 0 },
		{ "3 ", -EINVAL, 0 }, { "4294967296", -ERANGE, 0 },
	};
	uint32_t value;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r;

		value = UNTOUCHED;
		r = parse_u32(rows[i].text, 301, 4194304, &value);
		check("number", &rows[i], r, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		int fd = UNTOUCHED, r = parse_fd(fds[i].text, &fd);

		check("descriptor", &fds[i], r, fd);
	}
	ok(parse_u32("4294967295", 0, UINT32_MAX, &value) == 0 && value == UINT32_MAX, "number: the largest");
	ok(parse_u32("4294967296", 0, UINT32_MAX, &value) == -ERANGE, "number: one more than the largest");
	ok(parse_u32("5", 6, 4, &value) == -ERANGE, "number: nothing is in an empty range");
}

static void test_digits(void)
{
	const char *text = "12:34", *p = text;
	const char *large = "18446744073709551616,", *q = large;
	uint64_t value = UNTOUCHED;

	ok(parse_digits(&p, &value) == 0 && value == 12 && p == text + 2, "digits: stops at what is none");
	ok(parse_digits(&p, &value) == -EINVAL && p == text + 2 && value == 12,
	   "digits: none there, nothing is touched");
	ok(parse_digits(&q, &value) == -ERANGE && *q == ',' && value == 12, "digits: too large, but passed over");
}

static void test_idrange(void)
{
	static const struct {
		const char *text;
		int r;
		struct pidbox_idrange value;
	} rows[] = {
		{ "0:1000:1", 0, { 0, 1000, 1 } },
		{ "1:100000:65536", 0, { 1, 100000, 65536 } },
		{ "0:0:4294967295", 0, { 0, 0, UINT32_MAX } },
		{ "4294967294:0:1", 0, { UINT32_MAX - 1, 0, 1 } },
		{ "4294967295:0:1", -ERANGE, { 0 } },
		{ "0:4294967295:1", -ERANGE, { 0 } },
		{ "1:0:4294967295", -ERANGE, { 0 } },
		{ "0:1:4294967295", -ERANGE, { 0 } },
		{ "0:0:4294967296", -ERANGE, { 0 } },
		{ "4294967296:0:1", -ERANGE, { 0 } },
		{ "0:18446744073709551616:1", -ERANGE, { 0 } },
		{ "0:0:0", -ERANGE, { 0 } },
		{ "", -EINVAL, { 0 } },
		{ ":", -EINVAL, { 0 } },
		{ "::", -EINVAL, { 0 } },
		{ "0", -EINVAL, { 0 } },
		{ "0:0", -EINVAL, { 0 } },
		{ "0:0:", -EINVAL, { 0 } },
		{ ":0:1", -EINVAL, { 0 } },
		{ "0::1", -EINVAL, { 0 } },
		{ "0:0:1:", -EINVAL, { 0 } },
		{ "0:0:1:1", -EINVAL, { 0 } },
		{ "0:0:1,1:1:1", -EINVAL, { 0 } },
		{ "0 0 1", -EINVAL, { 0 } },
		{ "0:0:-1", -EINVAL, { 0 } },
		{ "0:0:1x", -EINVAL, { 0 } },
		{ "4294967296:0:x", -EINVAL, { 0 } },
		{ "me:0:1", -EINVAL, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pidbox_idrange before = { 7, 8, 9 }, value = before;
		const struct pidbox_idrange *expected = rows[i].r < 0 ? &before : &rows[i].value;
		int r = parse_idrange(rows[i].text, &value);

		ok(r == rows[i].r && memcmp(&value, expected, sizeof(value)) == 0, "id range \"%s\": %d, %u:%u:%u",
		   rows[i].text, r, value.inside, value.outside, value.count);
	}
}

static void test_time_offset(void)
{
	static const struct {
		const char *text;
		int r;
		int64_t seconds;
		uint32_t nanoseconds;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "-0", 0, 0, 0 },
		{ "-0.0", 0, 0, 0 },
		{ "86400", 0, 86400, 0 },
		{ "1.5", 0, 1, 500000000 },
		{ "-1.5", 0, -2, 500000000 },
		{ "-1.0", 0, -1, 0 },
		{ "-0.5", 0, -1, 500000000 },
		{ "0.000000001", 0, 0, 1 },
		{ "-0.000000001", 0, -1, 999999999 },
		{ "0.999999999", 0, 0, 999999999 },
		{ "-1.999999999", 0, -2, 1 },
		{ "1.050", 0, 1, 50000000 },
		{ "9223372036854775807.999999999", 0, INT64_MAX, 999999999 },
		{ "-9223372036854775807.000000001", 0, INT64_MIN, 999999999 },
		{ "9223372036854775808", -ERANGE, 0, 0 },
		{ "-9223372036854775809", -ERANGE, 0, 0 },
		{ "99999999999999999999", -ERANGE, 0, 0 },
		{ "1.0000000000", -EINVAL, 0, 0 },
		{ "99999999999999999999.0000000000", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
		{ "-", -EINVAL, 0, 0 },
		{ "--1", -EINVAL, 0, 0 },
		{ "+1", -EINVAL, 0, 0 },
		{ "1.", -EINVAL, 0, 0 },
		{ ".5", -EINVAL, 0, 0 },
		{ "-.5", -EINVAL, 0, 0 },
		{ "1.-5", -EINVAL, 0, 0 },
		{ "1.5.5", -EINVAL, 0, 0 },
		{ "1s", -EINVAL, 0, 0 },
		{ " 1", -EINVAL, 0, 0 },
		{ "1e3", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pidbox_time_offset value = { 77, 88 };
		int r = parse_time_offset(rows[i].text, &value);
		int64_t s = r < 0 ? 77 : rows[i].seconds;
		uint32_t ns = r < 0 ? 88 : rows[i].nanoseconds;

		ok(r == rows[i].r && value.seconds == s && value.nanoseconds == ns,
		   "time offset \"%s\": %d, %" PRId64 " s %" PRIu32 " ns", rows[i].text, r, value.seconds,
		   value.nanoseconds);
	}
}

static void test_env_name(void)
{
	ok(parse_env_name_ok("PATH", 4), "environment: a name");
	ok(parse_env_name_ok("PATH=x", 4), "environment: only the length counts");
	ok(parse_env_name_ok("a b", 3), "environment: what execve takes, env takes");
	ok(!parse_env_name_ok("", 0), "environment: no empty name");
	ok(!parse_env_name_ok("=", 1), "environment: no =");
	ok(!parse_env_name_ok("A=B", 3), "environment: no = inside");
	ok(!parse_env_name_ok("A\0B", 3), "environment: no NUL");
}

int main(void)
{
	/* Where there is a locale with a decimal comma, nothing may change. */
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		setlocale(LC_ALL, "");
	test_duration();
	test_numbers();
	test_digits();
	test_idrange();
	test_time_offset();
	test_env_name();
	return tap_end();
}
