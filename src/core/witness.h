/* SPDX-License-Identifier: MIT */
/*
 * --as-pid1 has no init that could witness whether a signal was sent to the front alone or to its whole process group
 * (init/signals.c tells why that matters). A small process of the front's, in the same group, does it instead: it
 * blocks everything, and says when asked whether it has a signal pending, too.
 */
#ifndef CORE_WITNESS_H
#define CORE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct witness {
	pid_t pid; /* 0: none */
	int socket, its_socket;
	uint32_t asked;
	void *stack; /* NULL: it has a memory of its own */
};

/** Start it. All signals of the caller must be blocked. @return 0 or -errno */
int witness_start(struct witness *w);
/** Did it get this signal as well? One that it got is answered for once. */
bool witness_saw(struct witness *w, int sig);
/** End it and reap it; fine when there is none. */
void witness_end(struct witness *w);

#endif
