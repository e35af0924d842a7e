/* SPDX-License-Identifier: MIT */
/*
 * What makes a box reachable for others: its name, its socket, its kept record. Only with a name is a failure here a
 * failure of the box; without one it is a box that nobody can reach.
 *
 * reach_claim before anything is made, reach_open when PID 1 is there, reach_withdraw when nothing can keep the box any
 * more, reach_end when it has ended and its result is whole.
 */
#ifndef CORE_REACH_H
#define CORE_REACH_H

#include "core/control_server.h"

#include <pidbox.h>
#include <stddef.h>
#include <stdint.h>

struct pidbox;

/** Take the name. @return 0, or -errno with err filled */
int reach_claim(struct pidbox *box, struct pidbox_error *err);
/** @return 0; 1: it has no name, and nobody will reach it; -errno with err filled */
int reach_open(struct pidbox *box, struct pidbox_error *err);
/** What is readable when there is something for the front, from it or from a client. @return -EBADF: no entry; -errno
 */
int reach_event_fd(const struct pidbox *box);
enum { REACH_POLLFDS = SERVER_POLLFDS };
/** The same for poll(2): what of clients to wait for. @return how many, REACH_POLLFDS at most */
unsigned reach_poll_begin(const struct pidbox *box, struct pollfd *fds);
/** @return is there something? Without it the next turn does not look again. */
bool reach_poll_end(struct pidbox *box, const struct pollfd *fds, unsigned n);
/** The init says nothing more. */
void reach_forget_init(struct pidbox *box);
/** Take requests; bounded. */
void reach_turn(struct pidbox *box);
/** When to do so though nothing happens; 0: never. */
int64_t reach_next_deadline(const struct pidbox *box);
void reach_withdraw(struct pidbox *box);
void reach_end(struct pidbox *box);
/** Its descriptors. @return how many there are; at most n are stored */
size_t reach_fds(const struct pidbox *box, int *fds, size_t n);
void reach_free(struct pidbox *box);

#endif
