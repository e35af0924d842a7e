/* SPDX-License-Identifier: MIT */
/*
 * parse.h - strings from people into values. Pure: no system calls, no allocation, no locale.
 *
 * Every function takes a string that it only reads and that has to match as a whole: no blanks, no sign where none is
 * named, nothing after the value. They return 0, -EINVAL for what is malformed, or -ERANGE for what is well-formed but
 * too large or too small; junk wins over size, so "99999999999999999999x" is -EINVAL. Parameters named ret_* are
 * untouched on failure. Leading zeros are allowed and mean nothing: numbers are decimal.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pidbox.h"

/*
 * The run of digits that *s begins with, for parsers that go on after it. *s is moved behind it; with -ERANGE also, so
 * that the caller can look for junk first. -EINVAL when there is no digit.
 */
int parse_digits(const char **s, uint64_t *ret);

/*
 * A duration in microseconds: parts from large to small, each unit (d h m s ms us) at most once: "1m30s", "500ms".
 * A number alone is seconds. The last part may have a fraction ("1.5h", "0.25", ".5"), of any length; what is finer
 * than a microsecond is rounded up, as a limit above 0 must never become 0, which means no limit.
 */
int parse_duration(const char *s, int64_t *ret_us);

/* A decimal number from min to max. */
int parse_u32(const char *s, uint32_t min, uint32_t max, uint32_t *ret);

/* The number of a descriptor, 0 to INT_MAX; whether it is open is not looked at. */
int parse_fd(const char *s, int *ret);

/*
 * IN:OUT:COUNT, one line of a uid_map. COUNT is 1 at least, and as in the kernel neither side may reach the id 2^32-1,
 * which means "no id".
 */
int parse_idrange(const char *s, struct pidbox_idrange *ret);

/*
 * [-]S[.FRACTION] with 1 to 9 digits of fraction. The kernel wants nanoseconds that are added to the seconds, so that
 * -1.5 is -2 seconds and 500000000 nanoseconds. Its own limit of the seconds is narrower; it is the kernel's to tell.
 */
int parse_time_offset(const char *s, struct pidbox_time_offset *ret);

/* Can these bytes be the name of an environment variable? Not empty, no '=', no NUL. */
bool parse_env_name_ok(const char *s, size_t len);

#endif
