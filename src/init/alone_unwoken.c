/* SPDX-License-Identifier: MIT */
/*
 * Orphans that wake nobody. While PID 1 ignores SIGCHLD the kernel reaps by itself what ends in its charge: that is a
 * zombie for no moment, and sends no signal (wait(2), notes). The command's end would be lost in the same way; but from
 * Linux 6.15 on a pidfd remembers how its process has ended, whoever has reaped it (PIDFD_INFO_EXIT in ioctl_pidfd(2)).
 * Whether this kernel does the first orphan tells: it is reaped by us, and its pidfd is asked. It is over with the
 * command's end: who ends the rest waits for children as ever.
 *
 * A number of the command's is free as soon as it has ended, and no longer when we have heard of it. It is given away
 * again when all others have had their turn (pid_max of them), long after that.
 */
#include "init/alone.h"

#include "base/util.h"
#include "kern/sig.h"

#include <poll.h>
#include <sys/signalfd.h>

/* Does somebody hear of each child? */
static bool all_are_told(const struct alone *a)
{
	return a->report != NULL || a->warn_reaped || a->verbosity > 1 || alone_hears_of_stops(a);
}

/* @return true: *ret_status is how it has ended; it has been reaped */
static bool remembers(int pidfd, int *ret_status)
{
	struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_EXIT };

	if (sys_pidfd_get_info(pidfd, &info) < 0 || !(info.mask & SYS_PIDFD_INFO_EXIT))
		return false;
	*ret_status = info.exit_code;
	return true;
}

/* As ever from here on. */
static void end(struct box *b)
{
	(void)signal(SIGCHLD, SIG_DFL);
	(void)close(b->alone->requests);
	(void)close(b->alone->command_pidfd);
	b->alone->command_pidfd = -1;
	b->children = true;
}

static void begin(struct box *b)
{
	struct alone *a = b->alone;

	a->requests = sys_signalfd(&a->taken, SFD_CLOEXEC | SFD_NONBLOCK);
	a->command_pidfd = a->requests < 0 ? -1 : sys_pidfd_open(b->command, 0);
	if (a->command_pidfd >= 0)
		(void)signal(SIGCHLD, SIG_IGN); /* who is a zombie by now is still ours to reap */
	else if (a->requests >= 0)
		(void)close(a->requests);
}

void unwoken_try(struct box *b)
{
	struct alone *a = b->alone;
	int fd, status, remembered;
	siginfo_t info = { 0 };

	if (a->tried || b->command <= 0 || all_are_told(a) ||
	    waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || info.si_pid <= 0 ||
	    info.si_pid == b->command)
		return;
	a->tried = true;
	fd = sys_pidfd_open(info.si_pid, 0);
	if (fd < 0)
		return;
	if (wait4(info.si_pid, &status, WNOHANG | __WALL, NULL) == info.si_pid && remembers(fd, &remembered) &&
	    remembered == status)
		begin(b);
	(void)close(fd);
}

bool unwoken(const struct box *b)
{
	return b->alone != NULL && b->alone->command_pidfd >= 0 && b->command > 0;
}

/* A tracer may keep it a zombie that is not ours (ptrace(2)): then it has ended when it is gone. */
static bool take_end(struct box *b)
{
	int status;

	if (!remembers(b->alone->command_pidfd, &status))
		return false;
	end(b);
	b->command = 0;
	end_command_ended(b, status);
	return true;
}

bool unwoken_wait(struct box *b, int64_t until)
{
	struct alone *a = b->alone;
	/* Without events the second one says POLLHUP alone: it has been reaped (Linux 6.12). */
	struct pollfd fds[] = { { .fd = a->requests, .events = POLLIN }, { .fd = a->command_pidfd } };
	int n;

	if (a->command_pidfd < 0)
		return false;
	if (b->command <= 0) { /* it had ended before */
		end(b);
		return true;
	}
	n = poll(fds, ARRAY_LEN(fds), loop_timeout(until));
	/* poll(2) is refused when a command of the same user lowers our limit of descriptors. */
	if (n < 0 && errno != EINTR) {
		if (!take_end(b))
			end(b);
		return true;
	}
	if (n > 0 && fds[1].revents != 0 && take_end(b))
		return true;
	return n <= 0 || fds[0].revents == 0;
}
