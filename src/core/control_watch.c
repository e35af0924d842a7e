/* SPDX-License-Identifier: MIT */
#include "core/control_watch.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"

#include <poll.h>

int server_watch(const struct server *s, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	return s->events >= 0 ? sys_ret(epoll_ctl(s->events, op, fd, &ev)) : 0;
}

int server_event_fd(struct server *s, int init_socket)
{
	int r = 0;

	if (s->events >= 0)
		return s->events;
	s->events = epoll_create1(EPOLL_CLOEXEC);
	s->events = s->events < 0 ? -errno : io_above_stdio(s->events);
	if (s->events < 0)
		r = s->events;
	if (r == 0 && s->listener >= 0)
		r = server_watch(s, EPOLL_CTL_ADD, s->listener, s->muted_until == 0 ? EPOLLIN : 0);
	if (r == 0 && init_socket >= 0)
		r = server_watch(s, EPOLL_CTL_ADD, init_socket, EPOLLIN);
	for (unsigned i = 0; r == 0 && i < s->n; i++)
		r = server_watch(s, EPOLL_CTL_ADD, s->connections[i].fd, SERVER_OF_A_CLIENT);
	if (r == 0)
		return s->events;
	cleanup_close(&s->events);
	s->events = -1;
	return r;
}

unsigned server_poll_begin(const struct server *s, struct pollfd *fds)
{
	unsigned n = 0;

	if (s->listener >= 0 && s->muted_until == 0)
		fds[n++] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
	for (unsigned i = 0; i < s->n; i++)
		fds[n++] = (struct pollfd){ .fd = s->connections[i].fd, .events = POLLIN | POLLRDHUP };
	return n;
}

bool server_poll_end(struct server *s, const struct pollfd *fds, unsigned n)
{
	s->quiet = true;
	for (unsigned i = 0; i < n; i++)
		if (fds[i].revents != 0)
			s->quiet = false;
	return !s->quiet;
}

int server_ready(struct server *s, int ret[SERVER_READY])
{
	struct epoll_event events[SERVER_READY];
	struct pollfd fds[SERVER_POLLFDS];
	unsigned all;
	int n = 0;

	if (s->events >= 0) {
		n = epoll_wait(s->events, events, SERVER_READY, 0);
		for (int i = 0; i < n; i++)
			ret[i] = events[i].data.fd;
		return n;
	}
	all = s->quiet ? 0 : server_poll_begin(s, fds);
	s->quiet = false; /* it tells of this once */
	if (all == 0 || poll(fds, all, 0) <= 0)
		return 0;
	for (unsigned i = 0; i < all && n < SERVER_READY; i++)
		if (fds[i].revents != 0)
			ret[n++] = fds[i].fd;
	return n;
}
