/* SPDX-License-Identifier: MIT */
#include "core/control_server.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/box.h"
#include "core/control.h"
#include "core/control_peer.h"
#include "core/control_watch.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

enum {
	BACKLOG = 128,
	ACCEPTS_A_TURN = 8,
	PATIENCE_US = 2000000, /* from the connection to its request */
	MUTE_US = 50000,
};

/* A request with what came beside it. */
struct request {
	struct control_request ask;
	struct ucred peer;
	int fds[CONTROL_MAX_FDS]; /* the peer's own pidfd first */
	unsigned n_fds;
};

int server_open(struct server *s, const struct sockaddr_un *address)
{
	int r;

	*s = SERVER_NONE;
	s->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->listener = s->listener < 0 ? -errno : io_above_stdio(s->listener);
	r = s->listener;
	if (r >= 0)
		r = sys_ret(bind(s->listener, (const struct sockaddr *)address, sizeof(*address)));
	if (r >= 0)
		r = sys_ret(listen(s->listener, BACKLOG));
	if (r < 0)
		server_close(s);
	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------ connections */

/* A process that a thread of the host has forked may hold a copy: closing alone would not take it from the epoll. */
static void drop(struct server *s, unsigned i)
{
	struct server_connection *c = &s->connections[i];

	(void)server_watch(s, EPOLL_CTL_DEL, c->fd, 0);
	(void)close(c->fd);
	s->n_waiting -= c->waits;
	*c = s->connections[--s->n];
}

/* The end is for all, also when a process that a thread of the host has forked holds a copy. */
static void close_shared(struct server *s)
{
	if (s->shared[0] >= 0)
		(void)shutdown(s->shared[0], SHUT_RDWR);
	for (int i = 0; i < 2; i++) {
		cleanup_close(&s->shared[i]);
		s->shared[i] = -1;
	}
}

/* Who has said nothing yet, for the longest time. @return its index, -1: all wait for the end */
static int oldest_silent(const struct server *s)
{
	int oldest = -1;

	for (unsigned i = 0; i < s->n; i++)
		if (!s->connections[i].waits &&
		    (oldest < 0 || s->connections[i].since_us < s->connections[oldest].since_us))
			oldest = (int)i;
	return oldest;
}

/* @return 0; -EAGAIN: a client has room for one answer, or is none; -ETOOMANYREFS: what all of its user's have on its
 * way counts, and passed is one too many (unix(7)) */
static int answer_with(int fd, const struct control_reply *reply, int passed)
{
	struct iovec iov = { (void *)(uintptr_t)reply, sizeof(*reply) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed >= 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &passed, sizeof(passed));
		head.msg_control = &control;
		head.msg_controllen = sizeof(control.space);
	}
	return sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static struct control_reply reply_of(enum control_type type)
{
	return (struct control_reply){ .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .type = type };
}

static void answer(int fd, int r, int64_t grace_us)
{
	struct control_reply reply = reply_of(r < 0 ? CONTROL_FAILED : CONTROL_DONE);

	reply.errnum = r < 0 ? -r : 0;
	reply.wall_us = grace_us;
	(void)answer_with(fd, &reply, -1);
}

/* ------------------------------------------------------------ who waits */

static int open_shared(struct server *s)
{
	int pair[2];
	int r = sys_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));

	if (r < 0)
		return r;
	s->shared[0] = io_above_stdio(pair[0]);
	s->shared[1] = io_above_stdio(pair[1]);
	if (s->shared[0] < 0 || s->shared[1] < 0)
		close_shared(s);
	return s->shared[0] < 0 ? -EMFILE : 0;
}

/* ------------------------------------------------------------ requests */

static int do_signal(struct pidbox *box, const struct request *r)
{
	return box_signal_from(box, r->ask.signal, r->peer.pid, r->peer.uid);
}

static int do_kill(struct pidbox *box, const struct request *r)
{
	const struct pidbox_origin origin = { .pid = r->peer.pid, .uid = r->peer.uid };

	if (r->ask.grace_us < -1)
		return -EINVAL;
	return pidbox_kill(box, r->ask.grace_us, &origin);
}

/* The init takes the connection over; it stands where the pidfd has stood. */
static int do_exec(struct pidbox *box, const struct request *r, int connection)
{
	enum { PASSED = 5 }; /* connection, payload, 0, 1, 2 */
	struct wire_msg msg = { .type = MSG_REQUEST };
	struct iovec iov = { &msg, WIRE_HEAD };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(PASSED * sizeof(int))];
	} control = { 0 };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};

	if (box->plan->as_pid1)
		return -EOPNOTSUPP;
	if (r->n_fds != PASSED || r->ask.payload > CONTROL_MAX_PAYLOAD)
		return -EINVAL;
	if (box_is_ending(box) || box->reaped)
		return -ESRCH;
	if (box->held)
		return -EBUSY;
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(PASSED * sizeof(int));
	memcpy(CMSG_DATA(&control.head), r->fds, PASSED * sizeof(int));
	memcpy(CMSG_DATA(&control.head), &connection, sizeof(int));
	if (sendmsg(box->socket, &head, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EPIPE || errno == ECONNRESET ? -ESRCH : errno == ENOBUFS ? -EAGAIN : -errno;
}

/*
 * A descriptor each would be too much for a box that many wait for: they get one socket, at which all look. An older
 * client is told on its own connection, and so is one to whom nothing can be passed.
 * @return 0: it has been answered; 1: the connection goes on; -errno
 */
static int do_wait(struct server *s, const struct request *r, struct server_connection *c)
{
	const struct control_reply reply = reply_of(CONTROL_DONE);

	if ((r->ask.flags & CONTROL_WAIT_SHARED) && (s->shared[0] >= 0 || open_shared(s) == 0) &&
	    answer_with(c->fd, &reply, s->shared[1]) == 0)
		return 0;
	if (s->n_waiting >= SERVER_WAITERS)
		return -EAGAIN;
	c->waits = true;
	s->n_waiting++;
	return 1;
}

/* @return true: the connection goes on */
static bool carry_out(struct server *s, struct pidbox *box, const struct request *r, struct server_connection *c)
{
	int64_t grace_us = 0;
	int done;

	switch (r->ask.type) {
	case CONTROL_SIGNAL:
		done = do_signal(box, r);
		break;
	case CONTROL_KILL:
		done = do_kill(box, r);
		grace_us = r->ask.grace_us >= 0 ? r->ask.grace_us : box->plan->wire->grace_us;
		break;
	case CONTROL_WAIT:
		done = do_wait(s, r, c);
		if (done >= 0)
			return done > 0;
		break;
	case CONTROL_EXEC:
		done = do_exec(box, r, c->fd);
		if (done == 0)
			return false; /* the init answers */
		break;
	default:
		done = -EOPNOTSUPP; /* of a newer client */
	}
	answer(c->fd, done, grace_us);
	return false;
}

/* All that came is ours to close, also what was cut off for want of room (MSG_CTRUNC). */
static void take_fds(struct request *r, struct msghdr *head)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(head); /* there is one at most: nothing else was asked for */

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	r->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(r->fds, CMSG_DATA(c), r->n_fds * sizeof(int));
}

/* @return 1: *r is a request; 0: nothing is there yet; -errno: to be answered; -EPIPE: hung up */
static int receive(int fd, struct request *r)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { &r->ask, sizeof(r->ask) };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOMEM))
		return 0;
	if (n < 0)
		return -EPIPE;
	take_fds(r, &head);
	if (n == 0 && r->n_fds == 0)
		return -EPIPE;
	if (head.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	if (n != sizeof(r->ask) || (head.msg_flags & MSG_TRUNC) || r->ask.magic != CONTROL_MAGIC)
		return -EPROTO;
	return r->ask.version != CONTROL_VERSION ? -EOPNOTSUPP : 1;
}

static int check_peer(int connection, struct request *r)
{
	int got = control_peer_user(connection, &r->peer);

	if (got == 0)
		got = r->n_fds > 0 ? control_peer_place(connection, &r->peer, r->fds[0]) : -EACCES;
	return got;
}

static void serve(struct server *s, struct pidbox *box, unsigned i)
{
	struct server_connection *c = &s->connections[i];
	struct request r = { .n_fds = 0 };
	bool goes_on = false;
	int got = c->waits ? -EPIPE : receive(c->fd, &r); /* who waits has nothing more to say, but may hang up */

	if (got == 0)
		return;
	if (got > 0)
		got = check_peer(c->fd, &r);
	if (got == 0)
		goes_on = carry_out(s, box, &r, c);
	else if (got != -EPIPE)
		answer(c->fd, got, 0);
	while (r.n_fds > 0)
		(void)close(r.fds[--r.n_fds]);
	if (!goes_on)
		drop(s, i);
}

/* ------------------------------------------------------------ the listener */

static void mute(struct server *s)
{
	(void)server_watch(s, EPOLL_CTL_MOD, s->listener, 0);
	s->muted_until = later(now_us(), MUTE_US);
}

static void unmute(struct server *s)
{
	if (s->muted_until == 0 || now_us() < s->muted_until)
		return;
	s->muted_until = 0;
	if (s->listener >= 0)
		(void)server_watch(s, EPOLL_CTL_MOD, s->listener, EPOLLIN);
}

/*
 * When all places are taken the one who has been silent for the longest time makes room: a client speaks at once. So
 * whoever floods us hinders himself first.
 */
static int make_room(struct server *s)
{
	int i = oldest_silent(s);

	if (s->n < SERVER_CONNECTIONS)
		return 0;
	if (i < 0)
		return -EAGAIN;
	drop(s, (unsigned)i);
	return 0;
}

/* accept4(2) makes a socket before it looks whether there is anybody: that costs more than to ask. */
static bool is_anybody_there(const struct server *s)
{
	struct pollfd fd = { .fd = s->listener, .events = POLLIN };

	return poll(&fd, 1, 0) != 0; /* refused without descriptors: so will accept4(2) be */
}

/* @return true: there may be more */
static bool accept_some(struct server *s, struct pidbox *box)
{
	int k;

	for (k = 0; k < ACCEPTS_A_TURN && is_anybody_there(s); k++) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		struct ucred peer;
		int r;

		fd = fd < 0 ? -errno : io_above_stdio(fd);
		if (fd == -ECONNABORTED || fd == -EINTR)
			continue;
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS)
			mute(s);
		if (fd < 0)
			return false;
		/* Of another user nothing is wanted; it must not cost the place of one of ours. */
		r = control_peer_user(fd, &peer);
		if (r == 0)
			r = make_room(s) < 0 || server_watch(s, EPOLL_CTL_ADD, fd, SERVER_OF_A_CLIENT) < 0 ? -EAGAIN
													   : 0;
		if (r < 0) {
			answer(fd, r, 0);
			(void)close(fd);
			continue;
		}
		s->connections[s->n++] = (struct server_connection){ .fd = fd, .since_us = now_us() };
		serve(s, box, s->n - 1); /* mostly it has spoken already */
	}
	return k == ACCEPTS_A_TURN;
}

/* ------------------------------------------------------------ turns */

static void drop_the_slow(struct server *s)
{
	int64_t now = now_us();

	for (unsigned i = s->n; i-- > 0;)
		if (!s->connections[i].waits && now - s->connections[i].since_us >= PATIENCE_US)
			drop(s, i);
}

static void take(struct server *s, struct pidbox *box, int fd)
{
	if (fd == s->listener)
		(void)accept_some(s, box);
	for (unsigned i = 0; i < s->n && fd != s->listener; i++) {
		if (s->connections[i].fd == fd) {
			serve(s, box, i);
			break;
		}
	}
}

void server_turn(struct server *s, struct pidbox *box)
{
	int ready[SERVER_READY];
	int n = server_ready(s, ready);

	for (int i = 0; i < n; i++)
		take(s, box, ready[i]);
	if (s->n > s->n_waiting)
		drop_the_slow(s);
	unmute(s);
}

int64_t server_next_deadline(const struct server *s)
{
	int i = s->n > s->n_waiting ? oldest_silent(s) : -1;
	int64_t at = i >= 0 ? later(s->connections[i].since_us, PATIENCE_US) : 0;

	return s->muted_until != 0 && (at == 0 || s->muted_until < at) ? s->muted_until : at;
}

/* ------------------------------------------------------------ the end */

/* The record as a file in memory of each waiter's own, since a descriptor's place in it is shared. */
static int record_file(const char *record, size_t size)
{
	int fd = sys_memfd_create("pidbox-record", SYS_MFD_CLOEXEC);
	int r = fd < 0 ? fd : io_write_all(fd, record, size);

	if (r >= 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static void tell_end(int fd, struct control_reply *reply, const char *record, size_t size)
{
	int file = record != NULL ? record_file(record, size) : -1;

	reply->record = file >= 0 ? size : 0;
	if (answer_with(fd, reply, file) < 0 && file >= 0) {
		reply->record = 0;
		(void)answer_with(fd, reply, -1);
	}
	cleanup_close(&file);
}

void server_take_last(struct server *s, struct pidbox *box)
{
	for (int i = 0; i < BACKLOG / ACCEPTS_A_TURN && s->listener >= 0 && accept_some(s, box); i++)
		continue;
	for (unsigned i = s->n; i-- > 0;)
		if (!s->connections[i].waits)
			serve(s, box, i);
}

void server_tell_end(struct server *s, struct pidbox *box)
{
	const struct pidbox_result *res = &box->result;
	struct control_reply reply = {
		.magic = CONTROL_MAGIC,
		.version = CONTROL_VERSION,
		.type = CONTROL_ENDED,
		.status = pidbox_exit_status(box, NULL),
		.signal = res->signal,
		.exit_code = res->exit_code,
		.reason = (int32_t)res->reason,
		.core_dumped = res->core_dumped,
		.wall_us = res->wall_us,
		.user_us = res->user_us,
		.sys_us = res->sys_us,
		.max_rss_kib = res->max_rss_kib,
	};
	bool wanted = s->n_waiting > 0 || s->shared[0] >= 0;
	size_t size = wanted ? pidbox_record(box, NULL, 0) : 0;
	char *record = size > 0 ? malloc(size + 1) : NULL;

	if (record != NULL)
		(void)pidbox_record(box, record, size + 1);
	if (s->shared[0] >= 0)
		tell_end(s->shared[0], &reply, record, size);
	close_shared(s);
	while (s->n > 0) {
		if (s->connections[s->n - 1].waits)
			tell_end(s->connections[s->n - 1].fd, &reply, record, size);
		drop(s, s->n - 1);
	}
	free(record);
}

void server_stop_listening(struct server *s)
{
	if (s->listener < 0)
		return;
	(void)server_watch(s, EPOLL_CTL_DEL, s->listener, 0);
	(void)close(take_fd(&s->listener));
	s->muted_until = 0;
}

void server_forget(const struct server *s, int init_socket)
{
	if (s->events >= 0)
		(void)server_watch(s, EPOLL_CTL_DEL, init_socket, 0);
}

unsigned server_fds(const struct server *s, int *fds, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->n + 4; i++) {
		int fd = i == 0   ? s->listener
			 : i == 1 ? s->events
			 : i < 4  ? s->shared[i - 2]
				  : s->connections[i - 4].fd;

		if (fd < 0)
			continue;
		if (count < n)
			fds[count] = fd;
		count++;
	}
	return count;
}

void server_close(struct server *s)
{
	server_stop_listening(s);
	while (s->n > 0)
		drop(s, s->n - 1);
	close_shared(s);
	cleanup_close(&s->events);
	s->events = -1;
}
