/* SPDX-License-Identifier: MIT */
/* A few macros, the clocks and their sums; nothing else belongs here. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CLEANUP(f)   __attribute__((cleanup(f)))
/* For what is large, or seldom in use: it lies behind the small variables, so that those have fewer pages. */
#ifdef __x86_64__
#define LIES_BEHIND __attribute__((section(".lbss.behind")))
#else
#define LIES_BEHIND
#endif
#define US_PER_S INT64_C(1000000)

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* Give a descriptor up to somebody else: the cleanup then has nothing to close. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline int64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	/* Raw: the vDSO's costs a short program three page faults, each dearer than the call. Cannot fail for the
	 * clocks that we name. */
	(void)syscall(SYS_clock_gettime, clock, &ts);
	return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static inline int64_t now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* A time and a duration: what is beyond all times, which no clock reaches, is the last one. */
static inline int64_t later(int64_t t, int64_t us)
{
	int64_t sum;

	return __builtin_add_overflow(t, us, &sum) ? INT64_MAX : sum;
}

/* Of two durations; negative: for ever. */
static inline int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

#endif
