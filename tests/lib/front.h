/* SPDX-License-Identifier: MIT */
/*
 * A front for boxes of the library's, which have none that listens: it takes clients' requests and hands them on to the
 * init, as the front of `pidbox run` does, but without asking who they are. So the tests can also send an init what no
 * front would let through.
 */
#ifndef TESTS_LIB_FRONT_H
#define TESTS_LIB_FRONT_H

#include "lib/lib.h"

#include "core/box.h"
#include "core/control.h"
#include "core/exec.h"

#include <sys/socket.h>

/* One message with descriptors. @return 0 or -errno */
UNUSED static int send_with_fds(int socket, const void *bytes, size_t size, const int *fds, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n > 0) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	}
	while (sendmsg(socket, &head, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Hand descriptors to the init as a request: connection, payload, 0, 1, 2. */
UNUSED static int hand_on(const struct pidbox *box, const int *fds, size_t n)
{
	const struct wire_msg msg = { .type = MSG_REQUEST };

	return send_with_fds(box->socket, &msg, WIRE_HEAD, fds, n);
}

/* An exec whose connection goes to the init by itself, as a handle of the library's. NULL when it cannot be made. */
UNUSED static struct pidbox_exec *exec_by_hand(const struct pidbox *box, int payload, const int stdio[3])
{
	struct pidbox_exec *exec = calloc(1, sizeof(*exec));
	int pair[2], on = 1;

	if (exec == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	const int fds[] = { pair[1], payload, stdio[0], stdio[1], stdio[2] };

	exec->connection = pair[0];
	exec->tty = -1;
	exec->helper = PIDREF_NONE;
	exec->init = (struct pidref){ .pid = box->init_pid, .pidfd = dup(box->pidfd) };
	exec->t0_us = now_us();
	if (hand_on(box, fds, LEN(fds)) < 0)
		abort();
	close(pair[1]);
	return exec;
}

/* The first word of the other side. @return its type; 0: nothing within a few seconds; -1: the end */
UNUSED static int first_word(struct pidbox_exec *exec, struct control_reply *ret)
{
	pid_t about = 0;

	for (int64_t until = now_us() + 10 * 1000 * MS; now_us() < until;) {
		int r = exec_receive(exec, ret, &about);

		if (r == 1) {
			exec->pid = about;
			exec->inside_pid = ret->inside_pid;
			return (int)ret->type;
		}
		if (exec->connection < 0)
			return -1;
		readable_within(exec->connection, 100);
	}
	return 0;
}

/* Start what a spec says. NULL, with the reply, when it fails. */
UNUSED static struct pidbox_exec *exec_spec(const struct pidbox *box, const struct pidbox_exec_spec *spec,
					    const struct user_ids *user, struct control_reply *ret)
{
	const int own[] = { 0, 1, 2 };
	size_t size;
	int payload = exec_payload_build(spec, user, 0, &size);
	struct pidbox_exec *exec;

	if (payload < 0)
		abort();
	exec = exec_by_hand(box, payload, spec->stdio != NULL ? spec->stdio : own);
	close(payload);
	if (first_word(exec, ret) == CONTROL_STARTED)
		return exec;
	pidbox_exec_free(exec);
	return NULL;
}

#endif
