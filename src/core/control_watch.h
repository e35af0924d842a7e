/* SPDX-License-Identifier: MIT */
/*
 * What a control server waits for. The front's own loop polls the few descriptors that there are; who has a loop of its
 * own asks for one that stands for all of them, and from then on there is an epoll.
 */
#ifndef CORE_CONTROL_WATCH_H
#define CORE_CONTROL_WATCH_H

#include "core/control_server.h"

#include <sys/epoll.h>

enum { SERVER_OF_A_CLIENT = EPOLLIN | EPOLLRDHUP, SERVER_READY = 16 };

/** epoll_ctl(2), where there is an epoll. @return 0 or -errno */
int server_watch(const struct server *s, int op, int fd, uint32_t events);
/** Whose turn it is: the listener, connections. @return how many, SERVER_READY at most */
int server_ready(struct server *s, int ret[SERVER_READY]);

#endif
