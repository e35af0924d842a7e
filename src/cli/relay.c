/* SPDX-License-Identifier: MIT */
/* The loop of `run` while its box runs: signals inwards, events outwards, and the box's own terminal both ways. */
#include "cli/cli.h"

#include "base/util.h"
#include "cli/flow.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct loop {
	struct relay *r;
	bool result;
	struct flow flow;
};

/* ------------------------------------------------------------ signals */

static void forward(struct loop *l, const struct signalfd_siginfo *info)
{
	struct pidbox_origin origin = {
		.pid = (pid_t)info->ssi_pid,
		.uid = info->ssi_uid,
		.queued = info->ssi_code == SI_QUEUE,
		.from_kernel = info->ssi_code == SI_KERNEL,
		.value = (int64_t)info->ssi_ptr,
	};

	(void)pidbox_forward(l->r->box, (int)info->ssi_signo, &origin);
}

static void take_signals(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD && info.ssi_code > 0)
			continue; /* from the kernel: the pidfd tells more */
		if (signals_of_own_write(&info))
			continue;
		if (l->r->tty < 0 || !terminal_took_signal(l->r->terminal, l->r->tty, (int)info.ssi_signo))
			forward(l, &info);
	}
}

static void lost(int sig)
{
	struct pidbox_error err = {
		.code = PIDBOX_CODE_PID1_IGNORES_SIGNAL,
		.why = "the command is PID 1 and has no handler for it: the kernel drops it",
	};
	char name[16];

	pidbox_signal_name(sig, name);
	(void)snprintf(err.what, sizeof(err.what), "sending %s", name);
	(void)snprintf(err.fix, sizeof(err.fix),
		       "leave --as-pid1 out, or use --signal-map %s=KILL, by the name it is sent with",
		       name + strlen("SIG"));
	out_error(&err);
}

static void take_events(struct loop *l)
{
	struct pidbox_event ev;
	struct pidbox_info info;

	while (pidbox_next_event(l->r->box, &ev) > 0) {
		switch (ev.type) {
		case PIDBOX_EVENT_STOPPED:
			pidbox_get_info(l->r->box, &info);
			if (l->r->tty < 0 && !l->r->detached)
				terminal_stop_self(l->r->terminal, ev.signal, &info);
			break;
		case PIDBOX_EVENT_ECHO:
			take_signals(l);
			(void)pidbox_echo(l->r->box, &ev);
			break;
		case PIDBOX_EVENT_LOST:
			lost(ev.signal);
			break;
		case PIDBOX_EVENT_RESULT:
			l->result = true;
			return;
		case PIDBOX_EVENT_NONE:
			break;
		}
	}
}

/* ------------------------------------------------------------ the loop */

/* A call that is to be tried again: want of memory passes, too. */
static bool passes(int errnum)
{
	return errnum == EINTR || errnum == ENOMEM || errnum == EAGAIN;
}

int relay_run(struct relay *r, struct pidbox_result *ret)
{
	struct loop l = { .r = r };
	enum { SIGNALS, INIT, FLOW, N = FLOW + FLOW_FDS };
	int of_box, waited;

	flow_begin(&l.flow, r->tty);
	if (r->tty >= 0)
		terminal_raw(r->terminal);
	for (;;) {
		struct pollfd fds[N] = {
			[SIGNALS] = { .fd = r->signals, .events = POLLIN },
			[INIT] = { .fd = pidbox_pidfd(r->box), .events = POLLIN },
		};

		flow_poll(&l.flow, &fds[FLOW]);
		of_box = pidbox_poll(r->box, fds, N, -1);
		if (of_box < 0 && !passes(-of_box))
			break;
		if (fds[SIGNALS].revents != 0)
			take_signals(&l);
		/* Bytes of the terminal tell nothing of the box, but must not keep it from what is due. */
		if (of_box != 0 || (fds[SIGNALS].revents | fds[INIT].revents) != 0 || pidbox_timeout_us(r->box) == 0)
			take_events(&l);
		flow_turn(&l.flow, &fds[FLOW]);
		if (fds[INIT].revents != 0 || l.result)
			break;
	}
	waited = pidbox_wait(r->box, PIDBOX_DEFAULT, ret);
	/* Whoever wanted the end does not wait for a slow reader. */
	flow_end(&l.flow, ret->reason == PIDBOX_REASON_EXITED || ret->reason == PIDBOX_REASON_SIGNALED);
	return waited;
}

int relay_hold(struct relay *r, int hold_fd)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = hold_fd, .events = POLLIN },
			{ .fd = r->signals, .events = POLLIN },
			{ .fd = pidbox_pidfd(r->box), .events = POLLIN },
		};
		struct pidbox_event ev;
		bool stop = false;
		int sig, polled;
		ssize_t n;
		char byte;

		polled = pidbox_poll(r->box, fds, 3, -1);
		if (polled < 0 && !passes(-polled))
			return polled;
		while (pidbox_next_event(r->box, &ev) > 0)
			if (ev.type == PIDBOX_EVENT_RESULT)
				return -ESRCH;
		if (fds[2].revents != 0)
			return -ESRCH;
		sig = fds[1].revents != 0 ? signals_fatal_pending(r->signals, &stop) : 0;
		if (sig != 0)
			return sig;
		if (stop && !r->detached)
			terminal_stop_self(r->terminal, SIGTSTP, NULL);
		if (fds[0].revents == 0)
			continue;
		n = read(hold_fd, &byte, 1);
		if (n == 1)
			return 0;
		if (n == 0 || !passes(errno))
			return n == 0 ? -ECANCELED : -errno;
	}
}
