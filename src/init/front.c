/* SPDX-License-Identifier: MIT */
/* What the init says to the front. */
#include "init/alone.h"

#include "base/util.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A front that does not read, being stopped, must not stop the clock, nor must want of memory. What is told on the way
 * waits for room no longer than INIT_PATIENCE_US, all of it together, and then is lost.
 */
enum { MEMORY_LOOK_MS = 5 };

/* Wait until something may be sent again. @return false when the time is over or the front is gone */
static bool wait_for_room(struct box *b, bool memory, int64_t until)
{
	struct pollfd fds[] = {
		/* Nothing tells when there is memory again: look from time to time. */
		{ .fd = b->socket, .events = memory ? 0 : POLLOUT },
		{ .fd = b->plan != NULL ? b->plan->front_pidfd : -1, .events = POLLIN },
	};
	int64_t left = until - now_us();
	int ms = memory ? MEMORY_LOOK_MS : left > INT32_MAX * INT64_C(1000) ? INT32_MAX : (int)(left / 1000 + 1);

	if (left <= 0)
		return false;
	/* A limit of descriptors that was lowered from inside makes poll fail (prlimit(2)): then by looking. */
	if (poll(fds, ARRAY_LEN(fds), ms) < 0)
		(void)usleep(MEMORY_LOOK_MS * 1000);
	return fds[1].revents == 0;
}

static int send_until(struct box *b, const struct msghdr *head, int64_t until)
{
	while (sendmsg(b->socket, head, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		int err = errno;
		bool memory = err == ENOMEM || err == ENOBUFS;

		if (err != EAGAIN && !memory)
			return -err;
		if (!wait_for_room(b, memory, until))
			return -EAGAIN;
	}
	return 0;
}

/* All waiting for a front that does not read is taken from one account. */
static int send_or_wait(struct box *b, const struct msghdr *head)
{
	int64_t before = now_us(), took;
	int r = send_until(b, head, before + b->patience_us);

	took = now_us() - before;
	b->patience_us -= took < b->patience_us ? took : b->patience_us;
	return r;
}

bool box_try_send(struct box *b, const struct wire_msg *msg)
{
	return b->front_gone || send(b->socket, msg, WIRE_HEAD, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != ENOMEM && errno != ENOBUFS);
}

/* The last word. There is all the time for it, since nothing lives inside any more; it ends with the front. */
void box_send_result(struct box *b)
{
	struct wire_msg msg = { .type = MSG_RESULT, .result = b->result };
	struct iovec iov = { &msg, sizeof(msg) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (send_until(b, &head, 0) == -EAGAIN) {
		(void)kill(-1, SIGKILL);
		(void)send_until(b, &head, INT64_MAX);
	}
}

/*
 * Send to the front. `about` > 0 puts that process's PID into the message's credentials: the kernel translates it into
 * the front's namespace (unix(7)), which no number of ours could be. It takes CAP_SYS_ADMIN over our PID namespace, and
 * without that right the message goes plain. MSG_NOSIGNAL: the front may be gone; its pidfd tells us so, not this.
 */
void front_send(struct box *b, const struct wire_msg *msg, size_t size, pid_t about)
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

	if (alone_of(b) != NULL)
		alone_failed(b, step, errnum);
	front_send(b, &msg, WIRE_HEAD, 0);
	_exit(PIDBOX_EXIT_FAILED);
}

void box_warn(struct box *b, uint32_t step, int errnum)
{
	struct wire_msg msg = { .type = MSG_WARNING, .step = step, .value = errnum };

	front_send(b, &msg, WIRE_HEAD, 0);
}

void box_send_times(struct box *b)
{
	struct wire_msg msg = { .type = MSG_TIMES };

	memcpy(msg.times, b->times, sizeof(b->times));
	front_send(b, &msg, sizeof(msg), 0);
}
