/* SPDX-License-Identifier: MIT */
/*
 * A terminal of a box's own and the caller's standard streams: bytes both ways, for whichever loop runs meanwhile.
 *
 *     flow_begin(&flow, master);
 *     each turn: flow_poll(&flow, fds); poll(...); flow_turn(&flow, fds);
 *     at the end: flow_end(&flow, patient);
 *
 * Without a master (< 0) all of it does nothing.
 */
#ifndef CLI_FLOW_H
#define CLI_FLOW_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* One direction: what has been read and not been written yet. */
enum { FLOW_ROOM = 4096 }; /* no more than a pipe takes in one piece when it is writable (PIPE_BUF) */
struct flow_half {
	char *buf; /* FLOW_ROOM bytes */
	size_t len, at;
	bool ended;
};

struct flow {
	int master;
	struct flow_half in, out;
	char last_in;        /* last byte that went inwards */
	bool eof_was_a_line; /* the end of our input went to a terminal that edited lines */
};

enum { FLOW_FDS = 3 };

/* One at a time: there is one pair of buffers. */
void flow_begin(struct flow *f, int master);
void flow_poll(const struct flow *f, struct pollfd fds[FLOW_FDS]);
void flow_turn(struct flow *f, const struct pollfd fds[FLOW_FDS]);
/* What was written before the end is in the terminal still. patient: wait for a slow reader of it */
void flow_end(struct flow *f, bool patient);

#endif
