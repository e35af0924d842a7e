/* SPDX-License-Identifier: MIT */
#include "core/witness.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/sig.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { PATIENCE_US = 1000000 /* one that somebody has stopped does not answer */, STACK = 4096 };

struct question {
	uint32_t number;
	uint8_t sig, saw;
};

/*
 * It ends with its socket: nobody but the front has the other end. Where it borrows the front's memory it writes to its
 * own stack alone, and leaves errno alone (base/sys.h).
 */
static int testify(void *context)
{
	const struct timespec now = { 0, 0 };
	const int sock = *(const int *)context;
	struct question q;

	(void)sys_call(SYS_prctl, PR_SET_NAME, "pidbox-witness");
	(void)sys_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	while (sys_call(SYS_recvfrom, sock, &q, sizeof(q), 0, NULL, NULL) == (long)sizeof(q)) {
		sigbits set = SIGBIT(q.sig);

		q.saw = sys_call(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set)) == q.sig;
		(void)sys_call(SYS_sendto, sock, &q, sizeof(q), MSG_NOSIGNAL, NULL, 0);
	}
	return 0;
}

/* A pipe must not stay open in it. */
static int borrower(void *context)
{
	const unsigned sock = (unsigned)*(const int *)context;

	(void)sys_call(SYS_close_range, 0, sock - 1, 0);
	(void)sys_call(SYS_close_range, sock + 1, ~0u, 0);
	return testify(context);
}

static pid_t forked(int *sock)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid != 0)
		return pid;
	io_close_range(0, (unsigned)*sock - 1, false);
	io_close_range((unsigned)*sock + 1, ~0u, false);
	_exit(testify(sock));
}

/*
 * A fork copies page tables, and then both sides fault on each page that they write: a tenth of a whole start. What
 * borrows the memory instead is no thread: its signals and descriptors are its own. The thread sanitizer keeps its
 * books of a thread where errno is.
 */
static pid_t begin(struct witness *w)
{
#if SYS_LEAVES_ERRNO && !defined(__SANITIZE_THREAD__)
	w->stack = sys_call(SYS_close_range, ~0u, ~0u, 0) == 0 ? malloc(STACK) : NULL;
	if (w->stack != NULL)
		return clone(borrower, (char *)w->stack + STACK, CLONE_VM | SIGCHLD, &w->its_socket);
#endif
	return forked(&w->its_socket);
}

int witness_start(struct witness *w)
{
	int pair[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pair[0] = io_above_stdio(pair[0]);
	pair[1] = io_above_stdio(pair[1]);
	w->its_socket = pair[1];
	pid = pair[0] >= 0 && pair[1] >= 0 ? begin(w) : -1;
	r = pair[0] < 0 || pair[1] < 0 ? -EMFILE : -errno;
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		free(w->stack);
		w->stack = NULL;
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
	free(w->stack);
	w->stack = NULL;
	w->pid = 0;
}
