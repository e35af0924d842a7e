/* SPDX-License-Identifier: MIT */
#include "core/witness.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/sig.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { PATIENCE_US = 1000000 }; /* one that somebody has stopped does not answer */

struct question {
	uint32_t number;
	uint8_t sig, saw;
};

/* It ends with its socket: nobody but the front has the other end. */
static void testify(int sock) __attribute__((noreturn));
static void testify(int sock)
{
	const struct timespec now = { 0, 0 };
	struct question q;

	(void)prctl(PR_SET_NAME, "pidbox-witness");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	io_close_range(0, (unsigned)sock - 1, false); /* a pipe must not stay open here */
	io_close_range((unsigned)sock + 1, ~0u, false);
	while (recv(sock, &q, sizeof(q), 0) == sizeof(q)) {
		sigbits set = SIGBIT(q.sig);

		q.saw = syscall(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set)) == q.sig;
		(void)send(sock, &q, sizeof(q), MSG_NOSIGNAL);
	}
	_exit(0);
}

int witness_start(struct witness *w)
{
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pair[0] = io_above_stdio(pair[0]);
	pair[1] = io_above_stdio(pair[1]);
	pid = pair[0] >= 0 && pair[1] >= 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : -1;
	r = pair[0] < 0 || pair[1] < 0 ? -EMFILE : -errno;
	if (pid == 0)
		testify(pair[1]);
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return r;
	}
	w->pid = pid;
	w->socket = pair[0];
	return 0;
}

bool witness_saw(struct witness *w, int sig)
{
	const struct question ask = { .number = ++w->asked, .sig = (uint8_t)sig };
	int64_t until = later(now_us(), PATIENCE_US), left;

	if (w->pid <= 0 || send(w->socket, &ask, sizeof(ask), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(ask))
		return false;
	while ((left = until - now_us()) > 0) {
		struct pollfd fd = { .fd = w->socket, .events = POLLIN };
		struct question answer;

		if (poll(&fd, 1, (int)(left / 1000 + 1)) <= 0)
			continue;
		if (recv(w->socket, &answer, sizeof(answer), MSG_DONTWAIT) != sizeof(answer))
			return false;
		if (answer.number == ask.number)
			return answer.saw; /* else a late answer to an earlier question */
	}
	return false;
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
