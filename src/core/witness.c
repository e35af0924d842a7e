/* SPDX-License-Identifier: MIT */
#include "core/witness.h"

#include "base/io.h"
#include "base/sys.h"
#include "kern/sig.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

/* It ends with its socket: nobody but the front has the other end. */
static void testify(int sock) __attribute__((noreturn));
static void testify(int sock)
{
	const struct timespec now = { 0, 0 };
	uint8_t sig, saw;

	(void)prctl(PR_SET_NAME, "pidbox-witness");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	io_close_range(0, (unsigned)sock - 1, false); /* a pipe must not stay open here */
	io_close_range((unsigned)sock + 1, ~0u, false);
	while (recv(sock, &sig, 1, 0) == 1) {
		sigbits set = SIGBIT(sig);

		saw = syscall(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set)) == sig;
		(void)send(sock, &saw, 1, MSG_NOSIGNAL);
	}
	_exit(0);
}

int witness_start(struct witness *w)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pair[0] = io_above_stdio(pair[0]);
	pair[1] = io_above_stdio(pair[1]);
	pid = pair[0] >= 0 && pair[1] >= 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : -1;
	if (pid == 0)
		testify(pair[1]);
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return -EAGAIN;
	}
	w->pid = pid;
	w->socket = pair[0];
	return 0;
}

bool witness_saw(struct witness *w, int sig)
{
	uint8_t ask = (uint8_t)sig, saw = 0;

	return w->pid > 0 && send(w->socket, &ask, 1, MSG_NOSIGNAL) == 1 && recv(w->socket, &saw, 1, 0) == 1 && saw;
}

void witness_end(struct witness *w)
{
	if (w->pid <= 0)
		return;
	(void)close(w->socket);
	(void)kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	w->pid = 0;
}
