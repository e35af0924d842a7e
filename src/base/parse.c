/* SPDX-License-Identifier: MIT */
/* parse.c - strings from people into values; see parse.h for the rules. */
#include "base/parse.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/util.h"

struct duration_unit {
	char name[3];
	uint64_t us;
};

/* From large to small: the order in which they may follow each other. */
static const struct duration_unit duration_units[] = {
	{ "d", UINT64_C(86400000000) }, { "h", UINT64_C(3600000000) }, { "m", UINT64_C(60000000) },
	{ "s", UINT64_C(1000000) },     { "ms", UINT64_C(1000) },      { "us", UINT64_C(1) },
};
#define DURATION_SECONDS (&duration_units[3])

/* A number with a fraction, the fraction still as digits: its value depends on the unit, which comes after it. */
struct decimal {
	uint64_t whole;
	bool too_large;
	const char *fraction;
	size_t n_fraction;
};

/* <ctype.h> asks the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

int parse_digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;
	bool too_large = false;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			too_large = true;
	}
	*s = p;
	if (too_large)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* Both "1.5" and ".5", but not "1.": a point that nothing follows is a typing mistake more often than not. */
static int take_decimal(const char **s, struct decimal *ret)
{
	struct decimal d = { 0 };
	const char *p = *s;
	int r = parse_digits(&p, &d.whole);

	if (r == -EINVAL && *p != '.')
		return r;
	d.too_large = r == -ERANGE;
	if (*p == '.') {
		d.fraction = ++p;
		while (is_digit(*p))
			p++;
		d.n_fraction = (size_t)(p - d.fraction);
		if (d.n_fraction == 0)
			return -EINVAL;
	}
	*s = p;
	*ret = d;
	return 0;
}

/* The unit at *s among those from `from` on, so that a unit that had its turn is not found again. */
static const struct duration_unit *take_unit(const char **s, const struct duration_unit *from)
{
	const struct duration_unit *end = duration_units + ARRAY_LEN(duration_units);
	size_t len = 0;

	while (is_lower((*s)[len]))
		len++;
	for (; from < end; from++) {
		if (strlen(from->name) == len && memcmp(from->name, *s, len) == 0) {
			*s += len;
			return from;
		}
	}
	return NULL;
}

/*
 * unit * 0.DIGITS, rounded up. From the last digit to the first every rounding is of a whole number plus what was
 * rounded before, which makes the end the same as one rounding of the exact value: no digit needs to be dropped.
 */
static uint64_t fraction_of(const struct decimal *d, uint64_t unit)
{
	uint64_t sum = 0;

	for (size_t n = d->n_fraction; n > 0; n--)
		sum = ((uint64_t)(d->fraction[n - 1] - '0') * unit + sum + 9) / 10;
	return sum;
}

int parse_duration(const char *s, int64_t *ret_us)
{
	const struct duration_unit *next = duration_units;
	uint64_t total = 0;
	bool too_large = false;

	do {
		const struct duration_unit *unit;
		struct decimal d;
		uint64_t us;
		int r = take_decimal(&s, &d);

		if (r < 0)
			return r;
		/* Only a number that is alone may be without its unit: nobody agrees on what "1m30" is. */
		unit = *s == '\0' && next == duration_units ? DURATION_SECONDS : take_unit(&s, next);
		if (!unit)
			return -EINVAL;
		if (d.n_fraction > 0 && *s != '\0')
			return -EINVAL;
		if (d.too_large || __builtin_mul_overflow(d.whole, unit->us, &us) ||
		    __builtin_add_overflow(total, us, &total) ||
		    __builtin_add_overflow(total, fraction_of(&d, unit->us), &total))
			too_large = true;
		next = unit + 1;
	} while (*s != '\0');
	if (too_large || total > INT64_MAX)
		return -ERANGE;
	*ret_us = (int64_t)total;
	return 0;
}

int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t value = 0;
	int r = parse_digits(&s, &value);

	if (r == -EINVAL || *s != '\0')
		return -EINVAL;
	if (r < 0 || value < min || value > max)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}

int parse_fd(const char *s, int *ret)
{
	uint32_t value = 0;
	int r = parse_u32(s, 0, INT_MAX, &value);

	if (r == 0)
		*ret = (int)value;
	return r;
}

int parse_idrange(const char *s, struct pidbox_idrange *ret)
{
	uint64_t v[3] = { 0 };
	bool too_large = false;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		int r = parse_digits(&s, &v[i]);

		if (r == -EINVAL || *s != (i < 2 ? ':' : '\0'))
			return -EINVAL;
		if (r < 0 || v[i] > UINT32_MAX)
			too_large = true;
		if (i < 2)
			s++;
	}
	if (too_large || v[2] == 0 || v[0] + v[2] > UINT32_MAX || v[1] + v[2] > UINT32_MAX)
		return -ERANGE;
	*ret = (struct pidbox_idrange){
		.inside = (uint32_t)v[0],
		.outside = (uint32_t)v[1],
		.count = (uint32_t)v[2],
	};
	return 0;
}

int parse_time_offset(const char *s, struct pidbox_time_offset *ret)
{
	bool negative = *s == '-';
	struct pidbox_time_offset offset;
	struct decimal d;
	uint32_t ns;

	if (negative)
		s++;
	if (!is_digit(*s) || take_decimal(&s, &d) < 0 || *s != '\0' || d.n_fraction > 9)
		return -EINVAL;
	if (d.too_large || d.whole > INT64_MAX)
		return -ERANGE;
	ns = (uint32_t)fraction_of(&d, UINT64_C(1000000000));
	offset.seconds = negative ? -(int64_t)d.whole : (int64_t)d.whole;
	if (negative && ns > 0) {
		offset.seconds--;
		ns = 1000000000 - ns;
	}
	offset.nanoseconds = ns;
	*ret = offset;
	return 0;
}

bool parse_env_name_ok(const char *s, size_t len)
{
	return len > 0 && !memchr(s, '=', len) && !memchr(s, '\0', len);
}
