/* SPDX-License-Identifier: MIT */
/*
 * The front's end of a box's control socket (control.h). It is served when the front takes events (pidbox_next_event,
 * pidbox_wait), never waits for a client, and does a bounded piece of work each time.
 */
#ifndef CORE_CONTROL_SERVER_H
#define CORE_CONTROL_SERVER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	SERVER_CONNECTIONS = 64,
	SERVER_WAITERS = 48, /* of them: clients that wait for the end on a connection of their own */
};

struct server_connection {
	int fd;
	bool waits;       /* for the end of the box */
	int64_t since_us; /* when it was accepted */
};

struct server {
	int listener;
	int events; /* an epoll of everything that the front waits for, for who has a loop of its own; -1: none */
	bool quiet; /* the last poll(2) has found nobody */
	struct server_connection connections[SERVER_CONNECTIONS];
	unsigned n, n_waiting;
	int shared[2];       /* where any number of others wait: our end, and what they get a copy of; -1: nobody */
	int64_t muted_until; /* no descriptors for more connections: look again then; 0 */
};

struct pidbox;

/** One that does nothing, and has nothing. */
#define SERVER_NONE ((struct server){ .listener = -1, .events = -1, .shared = { -1, -1 } })

enum { SERVER_POLLFDS = 1 + SERVER_CONNECTIONS };

/** Listen at an address. @return 0 or -errno, with nothing left */
int server_open(struct server *s, const struct sockaddr_un *address);
/** One descriptor for everything, the init's socket too (-1: it is closed). @return the server's own, or -errno */
int server_event_fd(struct server *s, int init_socket);
/** What to wait for by poll(2). @return how many there are, SERVER_POLLFDS at most */
unsigned server_poll_begin(const struct server *s, struct pollfd *fds);
/** @return has it found somebody? Without that the next turn does not look again. */
bool server_poll_end(struct server *s, const struct pollfd *fds, unsigned n);
/** Take requests, of those that are there already a bounded number. */
void server_turn(struct server *s, struct pidbox *box);
/** When something has to be done though nothing happens; 0: never. */
int64_t server_next_deadline(const struct server *s);
/** The box is ending: serve who has connected in time, a bounded number. */
void server_take_last(struct server *s, struct pidbox *box);
/** Take no more connections; those who wait for the end go on waiting. */
void server_stop_listening(struct server *s);
/** The box has ended: tell those who wait. */
void server_tell_end(struct server *s, struct pidbox *box);
/** Its descriptors. @return how many there are; at most n are stored */
unsigned server_fds(const struct server *s, int *fds, unsigned n);
/** Watch the init's socket no more. */
void server_forget(const struct server *s, int init_socket);
void server_close(struct server *s);

#endif
