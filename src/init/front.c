/* SPDX-License-Identifier: MIT */
/* What the init says to the front. */
#include "init/init.h"

#include "base/util.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Neither a front that does not read nor want of memory may keep the box from ending: a message waits so long for room,
 * then it is lost. */
enum { SEND_WAIT_MS = 2000, MEMORY_LOOK_MS = 5 };

static int send_or_wait(struct box *b, const struct msghdr *head)
{
	struct pollfd fds[] = {
		{ .fd = b->socket },
		{ .fd = b->plan != NULL ? b->plan->front_pidfd : -1, .events = POLLIN },
	};
	int64_t until = 0;

	while (sendmsg(b->socket, head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		int err = errno;
		bool memory = err == ENOMEM || err == ENOBUFS;
		int64_t now = now_us();

		if (err != EAGAIN && !memory)
			return -err;
		if (until == 0)
			until = now + SEND_WAIT_MS * 1000;
		if (now >= until)
			return -EAGAIN;
		/* Nothing tells when there is memory again: look from time to time. */
		fds[0].events = memory ? 0 : POLLOUT;
		(void)poll(fds, ARRAY_LEN(fds), memory ? MEMORY_LOOK_MS : (int)((until - now) / 1000 + 1));
		if (fds[1].revents != 0)
			return -EPIPE;
	}
	return 0;
}

/*
 * Send to the front. `about` > 0 puts that process's PID into the message's credentials: the kernel translates it into
 * the front's namespace (unix(7)), which no number of ours could be. It takes CAP_SYS_ADMIN over our PID namespace, and
 * without that right the message goes plain. MSG_NOSIGNAL: the front may be gone; its pidfd tells us so, not this.
 */
void box_send(struct box *b, const struct wire_msg *msg, size_t size, pid_t about)
{
	struct iovec iov = { (void *)(uintptr_t)msg, size };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };

	if (b->socket < 0 || b->front_gone)
		return;
	if (about > 0) {
		struct ucred cred = { .pid = about, .uid = getuid(), .gid = getgid() };

		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_CREDENTIALS;
		control.head.cmsg_len = CMSG_LEN(sizeof(cred));
		memcpy(CMSG_DATA(&control.head), &cred, sizeof(cred));
		head.msg_control = &control;
		head.msg_controllen = sizeof(control.space);
		if (send_or_wait(b, &head) == 0)
			return;
		head.msg_control = NULL;
		head.msg_controllen = 0;
	}
	(void)send_or_wait(b, &head);
}

void box_fail(struct box *b, uint32_t step, int errnum, int aux)
{
	struct wire_msg msg = { .type = MSG_FAILED, .step = step, .value = errnum, .aux = aux };

	box_send(b, &msg, WIRE_HEAD, 0);
	_exit(PIDBOX_EXIT_FAILED);
}

void box_warn(struct box *b, uint32_t step, int errnum)
{
	struct wire_msg msg = { .type = MSG_WARNING, .step = step, .value = errnum };

	box_send(b, &msg, WIRE_HEAD, 0);
}

void box_send_times(struct box *b)
{
	struct wire_msg msg = { .type = MSG_TIMES };

	memcpy(msg.times, b->times, sizeof(b->times));
	box_send(b, &msg, sizeof(msg), 0);
}
