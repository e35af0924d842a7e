/* SPDX-License-Identifier: MIT */
/* What inits and the command that it starts under every init say to each other, on the command's stdin and stdout. */
#ifndef BENCH_INITS_H
#define BENCH_INITS_H

#include <stdint.h>
#include <time.h>

/* What the command is told to do is a letter, its first argument; its second one is a number of processes. */
enum {
	TO_STAMP = 's',  /* say when it began, and end */
	TO_STAY = 'i',   /* say so, and sleep */
	TO_ORPHAN = 'o', /* at a byte: orphan that many one by one, each of which ends at once */
	TO_STREAM = 'm', /* the same by many makers at a time */
	TO_BURST = 'b',  /* orphan that many that block; at a byte let them all end together */
	TO_LISTEN = 'l', /* say when each SIGUSR1 came */
	TO_CROWD = 'c',  /* be that many, who sleep; at a byte say when, and end with all of them */
	TO_WRITE = 'w',  /* write that many MiB of lines, and nothing else */
};

/* One message of the command's. The first one comes when it is ready. */
struct said {
	int64_t ns;     /* when, by CLOCK_MONOTONIC; of orphans: how long until none of them was left */
	int32_t most;   /* so many orphans were there at once, zombies included */
	int32_t errnum; /* not 0: it failed */
};

static inline int64_t clock_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

#endif
