/* SPDX-License-Identifier: MIT */
/*
 * Times of many rounds, in the order in which they were taken, and what takes them: a program from its start to its
 * end.
 *
 * A benchmark measures and says each sample; bench/report.py makes tables, ratios, pictures and verdicts of them. What
 * it says on stdout are lines of fields between tabs:
 *   ROW WHO X UNIT SAMPLE...      X is what the row varies (a number of boxes, MiB, ...), 0 when nothing
 *   ROW WHO missing WHY
 *   machine WHAT note TEXT        by the script machine; "version PEER note TEXT" as well
 * A row that depends on whose box it is ends with ".root" or ".user". Samples of one row and X are in the order of the
 * rounds: where two have as many, those at the same place were taken in the same round.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct series {
	double *us;
	size_t n, size;
};

static inline double clock_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static inline void series_add(struct series *s, double us)
{
	if (s->n == s->size) {
		s->size = s->size > 0 ? 2 * s->size : 256;
		s->us = realloc(s->us, s->size * sizeof(*s->us));
		if (s->us == NULL)
			abort();
	}
	s->us[s->n++] = us;
}

/* The name of a row of whom we are; good until the next call. */
static inline const char *row_of(const char *what)
{
	static char name[64];

	(void)snprintf(name, sizeof(name), "%s.%s", what, geteuid() == 0 ? "root" : "user");
	return name;
}

static inline void series_tell(const char *row, const char *who, double x, const char *unit, const struct series *s)
{
	printf("%s\t%s\t%.15g\t%s", row, who, x, unit);
	for (size_t i = 0; i < s->n; i++)
		printf("\t%.6g", s->us[i]);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static inline void tell_missing(const char *row, const char *who, const char *why)
{
	printf("%s\t%s\tmissing\t%s\n", row, who, why);
	(void)fflush(stdout);
}

static inline int compare_times(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which this share of the times lies; 0 when there are none. */
static inline double series_quantile(struct series *s, double share)
{
	if (s->n == 0)
		return 0;
	qsort(s->us, s->n, sizeof(*s->us), compare_times);
	return s->us[(size_t)((double)(s->n - 1) * share)];
}

static inline double series_median(struct series *s)
{
	return series_quantile(s, 0.5);
}

/* @return microseconds from the start of a program to its end; negative: it failed */
static inline double time_program(char *const argv[])
{
	double from = clock_now_us();
	int status = -1;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status == 0 ? clock_now_us() - from : -1;
}

#endif
