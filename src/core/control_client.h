/* SPDX-License-Identifier: MIT */
/* The client's end of a box's control socket (control.h). */
#ifndef CORE_CONTROL_CLIENT_H
#define CORE_CONTROL_CLIENT_H

#include "core/control.h"
#include "core/registry.h"

#include <stdbool.h>

enum { CONTROL_PATIENCE_US = 5000000 }; /* a front that somebody has stopped does not answer */

/**
 * Connect to the front of a box, and make sure that it is that: nothing is said to anybody but the parent of its init.
 * @param init  with a pidfd, and the number by which the caller sees it
 * @return a descriptor; negative errno with err filled: -ESRCH (BOX_DEAD): there is no front any more; -EPERM, -EACCES
 * (DENIED); -EAGAIN: it takes no connections now
 */
int control_connect(const struct registry_entry *entry, const struct pidref *init, struct pidbox_error *err);
/** Send a request: magic and version are put in, a pidfd of the caller goes before the descriptors. @return 0, -errno
 */
int control_send(int fd, const struct control_request *request, const int *fds, size_t n_fds);
/**
 * Wait for an answer.
 * @param timeout_us  -1: for ever
 * @param ret_fd      the descriptor that came with it, or -1; NULL: it is closed
 * @return 0; -ETIMEDOUT; -EPIPE: the other end has hung up; -EPROTO
 */
int control_receive(int fd, int64_t timeout_us, struct control_reply *ret, int *ret_fd);
/** The same of what is there now, and leave it there for others (CONTROL_WAIT_SHARED). */
int control_peek(int fd, struct control_reply *ret, int *ret_fd);
/**
 * All three. A refusal is a failure, with its errno. One that takes long (CONTROL_WAIT) is better waited for by
 * control_receive, together with the pidfd of the init.
 * @return 0; as control_connect; -ETIMEDOUT; what the front refused it with; err is filled
 */
int control_ask(const struct registry_entry *entry, const struct pidref *init, const struct control_request *request,
		const int *fds, size_t n_fds, int64_t timeout_us, struct control_reply *reply, int *ret_fd,
		struct pidbox_error *err);
/** Is it for a lack of the caller's own (descriptors, memory) that the front was not asked? That says nothing of the
 * front. */
bool control_lacks(int r);
/** Is the front that listens there stopped? @return its PID, or 0 */
pid_t control_stopped_front(int fd, const struct pidref *init);
/** What is to end the box, or let it go on, reaches a front that is stopped, too: it gets SIGCONT. */
void control_wake(int fd, const struct pidref *init, const struct control_request *request);
/** The words for an errno of control_ask and control_receive. @return r */
int control_failed(int r, struct pidbox_error *err);

#endif
