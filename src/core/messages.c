/* SPDX-License-Identifier: MIT */
/* The front's end of the socket to the init. */
#include "core/box.h"

#include "base/util.h"
#include "core/reach.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

bool box_init_has_ended(const struct pidbox *box)
{
	struct pollfd fd = { .fd = box->pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

bool box_is_ending(const struct pidbox *box)
{
	return box->has_result || (box->plan->as_pid1 ? box->killed : box->closed);
}

void box_set_closed(struct pidbox *box)
{
	box->closed = true;
	reach_forget_init(box);
}

/* ECONNRESET comes once, and before what is left to read: the init has ended with a message of ours unread. */
static ssize_t read_message(const struct pidbox *box, struct msghdr *head)
{
	int tries = 0;
	ssize_t n;

	do
		n = recvmsg(box->socket, head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 &&
	       (errno == EINTR || errno == ECONNRESET || ((errno == ENOMEM || errno == ENOBUFS) && tries++ < 3)));
	return n;
}

static int receive(struct pidbox *box, struct wire_msg *msg, pid_t *ret_about)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	if (box->closed)
		return 0;
	n = read_message(box, &head);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		/* The end of file may never come: a process that another thread has forked can hold the init's end. */
		if (!box_init_has_ended(box))
			return 0;
		n = read_message(box, &head); /* it may have spoken just before */
	}
	if (n <= 0) {
		box_set_closed(box);
		return 0;
	}
	if ((size_t)n < WIRE_HEAD)
		return -EPROTO;
	*ret_about = 0;
	c = CMSG_FIRSTHDR(&head);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
		struct ucred cred;

		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		*ret_about = cred.pid;
	}
	return 1;
}

int box_receive(struct pidbox *box, struct wire_msg *msg, pid_t *ret_about)
{
	if (box->queue_at < box->n_queue) {
		*msg = box->queue[box->queue_at].msg;
		*ret_about = box->queue[box->queue_at].about;
		if (++box->queue_at == box->n_queue)
			box->queue_at = box->n_queue = 0;
		return 1;
	}
	return receive(box, msg, ret_about);
}

static int in_ms(int64_t us)
{
	return us < 0 ? -1 : us / 1000 >= INT_MAX ? INT_MAX : (int)((us + 999) / 1000);
}

static int init_socket(const struct pidbox *box)
{
	return box->closed ? -1 : box->socket;
}

/* @return is interrupt_fd readable? */
static bool poll_with(const struct pidbox *box, int interrupt_fd, int64_t timeout_us)
{
	struct pollfd fds[] = {
		{ .fd = init_socket(box), .events = POLLIN },
		{ .fd = box->pidfd, .events = POLLIN },
		{ .fd = interrupt_fd, .events = POLLIN },
	};

	return poll(fds, ARRAY_LEN(fds), in_ms(timeout_us)) > 0 && fds[2].revents != 0;
}

static void keep_for_later(struct pidbox *box, const struct wire_msg *msg, pid_t about)
{
	struct queued_msg *queue = reallocarray(box->queue, box->n_queue + 1, sizeof(*queue));

	if (queue == NULL)
		return; /* out of memory: a message is lost, the result comes from the init's end then */
	box->queue = queue;
	queue[box->n_queue].msg = *msg;
	queue[box->n_queue++].about = about;
}

int box_ask(struct pidbox *box, const struct wire_msg *ask, uint32_t type, struct wire_msg *answer)
{
	const int64_t until = later(now_us(), US_PER_S); /* an init that somebody has stopped does not answer */
	int r = box_send(box, ask, WIRE_HEAD);

	while (r == 0) {
		struct wire_msg msg;
		pid_t about;
		int got = receive(box, &msg, &about);

		if (got == 1 && msg.type == type && msg.signal == ask->signal) {
			*answer = msg;
			return 0;
		}
		if (got < 0 || box->closed)
			return -ESRCH;
		if (got == 1)
			keep_for_later(box, &msg, about);
		if (now_us() >= until)
			return -ETIMEDOUT;
		if (got == 1)
			continue;
		(void)poll_with(box, -1, until - now_us());
	}
	return r;
}

int box_send(struct pidbox *box, const struct wire_msg *msg, size_t size)
{
	bool may_wait = msg->type == MSG_GO || msg->type == MSG_RUN;

	/* There is no room when somebody has stopped the init and a few hundred messages lie before it. */
	while (send(box->socket, msg, size, MSG_NOSIGNAL | (may_wait ? 0 : MSG_DONTWAIT)) < 0)
		if (errno != EINTR)
			return errno == EPIPE || errno == ECONNRESET ? -ESRCH : -errno;
	return 0;
}

int pidbox_poll(struct pidbox *box, struct pollfd *fds, size_t n, int64_t timeout_us)
{
	struct pollfd all[PIDBOX_POLL_MAX + 1 + REACH_POLLFDS];
	int64_t own_us = pidbox_timeout_us(box);
	unsigned clients;
	bool something;

	if (n > PIDBOX_POLL_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		all[i] = fds[i];
	all[n] = (struct pollfd){ .fd = init_socket(box), .events = POLLIN };
	clients = reach_poll_begin(box, &all[n + 1]);
	if (poll(all, n + 1 + clients, in_ms(sooner(timeout_us, own_us))) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++)
		fds[i].revents = all[i].revents;
	something = reach_poll_end(box, &all[n + 1], clients);
	return something || all[n].revents != 0 || (own_us >= 0 && pidbox_timeout_us(box) == 0);
}

/* A signal must not end what is about to work, for the command may want it: the set-up has a second to come to its end.
 */
int box_poll_setup(struct pidbox *box, int64_t timeout_us)
{
	bool interrupted = box->interrupted_us != 0;
	int64_t left = interrupted ? later(box->interrupted_us, US_PER_S) - now_us() : -1;

	if (interrupted && left <= 0)
		return -EINTR;
	if (interrupted && (timeout_us < 0 || left < timeout_us))
		timeout_us = left;
	if (poll_with(box, interrupted ? -1 : box->interrupt_fd, timeout_us))
		box->interrupted_us = now_us();
	return 0;
}

void box_take_leak(struct pidbox *box, const struct wire_msg *msg, pid_t pid)
{
	char *command;

	if (box->n_leaks == box->leaks_size) {
		size_t size = box->leaks_size > 0 ? 2 * box->leaks_size : 16;
		struct pidbox_leak *leaks = reallocarray(box->leaks, size, sizeof(*leaks));

		if (leaks == NULL)
			return; /* it is counted all the same */
		box->leaks = leaks;
		box->leaks_size = size;
	}
	if (msg->leak.command_size > sizeof(msg->leak.command))
		return;
	command = malloc(msg->leak.command_size + 1);
	if (command == NULL)
		return;
	memcpy(command, msg->leak.command, msg->leak.command_size);
	command[msg->leak.command_size] = '\0';
	box->leaks[box->n_leaks++] = (struct pidbox_leak){
		.pid = pid,
		.inside_pid = msg->leak.inside_pid,
		.age_us = msg->leak.age_us,
		.command = command,
		.command_size = msg->leak.command_size,
	};
}
