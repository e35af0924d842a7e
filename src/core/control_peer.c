/* SPDX-License-Identifier: MIT */
/*
 * The socket of a box stands in a directory that its own command can reach, mostly with the front's own user id. Who
 * could give it orders from inside would leave the box: KILL and SIGNAL come from the front then, EXEC starts processes
 * with its descriptors. So a peer has to prove that he is outside: in the front's own PID namespace, or above it.
 *
 * What the kernel says of a peer (SO_PEERCRED in unix(7)) is a number of the moment of connect(2). He may have handed
 * the connection to somebody else and ended, and his number may be another's by now: looking that up in /proc tells of
 * the other. Therefore he sends a pidfd of himself, and the two have to agree. Nobody inside can get a pidfd of a
 * process outside: pidfd_open(2) knows only numbers of the caller's own PID namespace, and a box inherits none.
 */
#include "core/control_peer.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/pidns.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

int control_peer_user(int connection, struct ucred *ret)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -EACCES;
	if (peer.uid != geteuid() && peer.uid != 0)
		return -EACCES;
	*ret = peer;
	return 0;
}

/* "Pid:", and how many numbers are in "NSpid:", of a pidfd (proc_pid_fdinfo(5)). */
static int read_pids(int pidfd, long *ret_pid, int *ret_levels)
{
	CLEANUP(cleanup_close) int proc = pidns_open_proc();
	char path[48], text[1024], *at, *end;
	ssize_t n;

	if (proc < 0)
		return -EACCES;
	(void)snprintf(path, sizeof(path), "self/fdinfo/%d", pidfd);
	n = io_read_file(proc, path, text, sizeof(text));
	at = n > 0 ? strstr(text, "\nPid:\t") : NULL;
	if (at == NULL)
		return -EACCES; /* no pidfd */
	*ret_pid = strtol(at + strlen("\nPid:\t"), NULL, 10);
	at = strstr(text, "\nNSpid:");
	if (at == NULL)
		return -EACCES;
	at += strlen("\nNSpid:");
	for (*ret_levels = 0; *at != '\n' && *at != '\0'; at = end) {
		(void)strtol(at, &end, 10);
		if (end == at)
			return -EACCES;
		(*ret_levels)++;
	}
	return 0;
}

/* Where the kernel itself gives a pidfd of who has connected, it has to be the same process (pidfs: Linux 6.9). */
static bool is_who_connected(int connection, int pidfd)
{
	CLEANUP(cleanup_close) int his = -1;
	socklen_t size = sizeof(his);
	struct stat a, b;

	if (getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &his, &size) < 0) {
		his = -1;
		return errno == ENOPROTOOPT; /* he has ended, when it is known here */
	}
	return fstat(his, &a) == 0 && fstat(pidfd, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/*
 * Who is in our PID namespace, or above it, sees us; who is in a box does not. Which namespace he is in is told by his
 * pidfd, not by himself (Linux 6.11). Before that, and of whom we may not look at, there are the numbers that he has:
 * one is of our own namespace, more are of a box, and of whom we do not see at all nothing is known.
 */
static bool is_outside(const struct ucred *peer, int pidfd)
{
	CLEANUP(cleanup_close) int ns = pidns_of_pidfd(pidfd);
	int levels = 0;
	long pid = 0;

	if (ns >= 0)
		return pidns_pid_in(ns, getpid()) > 0;
	return peer->pid > 0 && read_pids(pidfd, &pid, &levels) == 0 && pid == peer->pid && levels == 1;
}

int control_peer_place(int connection, const struct ucred *peer, int pidfd)
{
	return is_who_connected(connection, pidfd) && is_outside(peer, pidfd) ? 0 : -EACCES;
}
