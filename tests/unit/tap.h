/* SPDX-License-Identifier: MIT */
/*
 * tap.h - test output that any TAP reader takes. A program includes it once, calls ok() for each check and ends with
 * `return tap_end();`: status 1 when a check failed, 77 when the whole program was skipped.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static unsigned int tap_checks, tap_failures;

/* One check and its words; gives cond back, so that what depends on it can be left out. */
__attribute__((format(printf, 2, 3), unused)) static bool ok(bool cond, const char *format, ...)
{
	char words[512];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	/* A line is a check, and what follows a # is for the reader. */
	for (char *p = words; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == '#')
			*p = '?';
	}
	printf("%sok %u - %s\n", cond ? "" : "not ", ++tap_checks, words);
	fflush(stdout); /* a child of the test must not print it again, nor a crash lose it */
	if (!cond)
		tap_failures++;
	return cond;
}

/* Leave one check out. */
__attribute__((unused)) static void tap_skip(const char *what, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++tap_checks, what, why);
	fflush(stdout);
}

/* Nothing can be checked here: `return tap_skip_all("why");` */
__attribute__((unused)) static int tap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	return 77;
}

__attribute__((unused)) static int tap_end(void)
{
	printf("1..%u\n", tap_checks);
	return tap_failures > 0;
}

#endif
