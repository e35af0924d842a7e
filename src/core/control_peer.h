/* SPDX-License-Identifier: MIT */
/* Who may give orders to a front. */
#ifndef CORE_CONTROL_PEER_H
#define CORE_CONTROL_PEER_H

#include <sys/socket.h>
#include <sys/types.h>

/**
 * The user at the other end of a connection: the front's own, or root?
 * @return 0 and *ret; -EACCES
 */
int control_peer_user(int connection, struct ucred *ret);
/**
 * Does the peer live in the front's own PID namespace, or in one above?
 * @param pidfd  what the peer says is a pidfd of itself
 * @return 0; -EACCES
 */
int control_peer_place(int connection, const struct ucred *peer, int pidfd);

#endif
