/* SPDX-License-Identifier: MIT */
/* The one place where the init waits, and reaping. */
#include "init/alone.h"

#include "base/util.h"
#include "core/control.h"
#include "kern/sig.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

/*
 * Reap whatever has ended, orphans and the command alike (R6). __WALL: a process cloned with another exit signal is a
 * child all the same.
 */
bool loop_reap(struct box *b)
{
	/* Whether a child has stopped costs a look at each: only where somebody is to hear of it. */
	const int flags = alone_of(b) == NULL || alone_hears_of_stops(alone_of(b)) ? WUNTRACED | WCONTINUED : 0;

	if (alone_of(b) != NULL)
		unwoken_try(b);
	for (;;) {
		struct rusage usage;
		int status;
		pid_t pid = wait4(-1, &status, WNOHANG | __WALL | flags, alone_of(b) == NULL ? &usage : NULL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return false; /* ECHILD: nothing is left */
		if (pid == 0)
			return true;
		if (WIFSTOPPED(status)) {
			struct wire_msg msg = { .type = MSG_STOPPED, .signal = WSTOPSIG(status) };

			/* Without room the front does not read: it is stopped already. */
			if (pid == b->command && alone_of(b) != NULL)
				alone_stopped(b, msg.signal);
			else if (pid == b->command)
				b->stopped = b->front_told = box_try_send(b, &msg);
			else
				exec_stopped(pid, msg.signal);
			continue;
		}
		if (WIFCONTINUED(status)) {
			b->stopped &= pid != b->command;
			continue;
		}
		if (alone_of(b) != NULL)
			alone_say_reaped(alone_of(b), pid, status);
		if (pid == b->command) {
			b->command = 0;
			end_command_ended(b, status);
		} else if (!exec_reaped(b, pid, status, &usage)) {
			b->result.reaped++;
		}
	}
}

void loop_take_signal(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value)
{
	/* A SIGCHLD that somebody has sent may stand for one of the kernel's that came while it was pending. */
	b->children |= sig == SIGCHLD;
	if (sig != SIGCHLD || code <= 0) /* above: CLD_*, the kernel's */
		signals_received(b, sig, code, sender, uid, value);
}

/* One turn's worth: a flood must not keep the loop from its deadlines. @return are there more? */
static bool take_signals(struct box *b, bool drop)
{
	struct signalfd_siginfo info[16];
	ssize_t n = read(b->signals, info, sizeof(info));

	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(info[0]); i++) {
		int sig = (int)info[i].ssi_signo;

		if (drop)
			b->children |= sig == SIGCHLD;
		else
			loop_take_signal(b, sig, info[i].ssi_code, (pid_t)info[i].ssi_pid, info[i].ssi_uid,
					 (int64_t)info[i].ssi_ptr);
	}
	return n == (ssize_t)sizeof(info);
}

void loop_drop_signals(struct box *b)
{
	siginfo_t info;
	int sig;

	if (b->signals >= 0)
		while (take_signals(b, true))
			continue;
	else
		while ((sig = sys_take_pending(SIGBITS_ALL, &info)) > 0)
			b->children |= sig == SIGCHLD;
}

static void take_message(struct box *b, const struct wire_msg *msg)
{
	switch (msg->type) {
	case MSG_SIGNAL:
		signals_requested(b, msg);
		break;
	case MSG_CLAIM:
		signals_claimed(b, msg);
		break;
	case MSG_ECHO_ANSWER:
		signals_echo_answered(b, msg);
		break;
	case MSG_KILL:
		if (!b->ending) {
			b->result.ended_by_signal = b->plan->stop_signal;
			b->result.ended_by_pid = msg->sender_pid;
			b->result.ended_by_uid = msg->sender_uid;
		}
		end_begin(b, PIDBOX_REASON_KILLED, msg->us >= 0 ? msg->us : b->plan->grace_us);
		break;
	case MSG_IDENT:
		b->ident = msg->ident;
		break;
	default:
		break; /* of a newer front: nothing that this init could do */
	}
}

static void front_is_gone(struct box *b)
{
	b->front_gone = true;
	end_begin(b, PIDBOX_REASON_PARENT_GONE, b->plan->flags & WIRE_HAS_GRACE ? b->plan->grace_us : 0);
}

/* Descriptors come with a client's request only; what others carry is closed. */
ssize_t loop_receive(struct box *b, struct wire_msg *msg)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(b->socket, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&head) : NULL;
	int fds[CONTROL_MAX_FDS];
	size_t n_fds = 0;

	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
	}
	if (n >= (ssize_t)WIRE_HEAD && msg->type == MSG_REQUEST)
		exec_requested(b, fds, n_fds, head.msg_flags & MSG_CTRUNC);
	else
		while (n_fds > 0)
			(void)close(fds[--n_fds]);
	return n;
}

static void take_messages(struct box *b)
{
	enum { A_TURN = 64 };
	struct wire_msg msg;
	ssize_t n = 1;

	for (int i = 0; i < A_TURN && (n = loop_receive(b, &msg)) > 0; i++) {
		if ((size_t)n >= WIRE_HEAD)
			take_message(b, &msg);
	}
	if (n == 0 && !b->front_gone)
		front_is_gone(b); /* the caller closed its box, or is gone */
}

static int64_t next_deadline(const struct box *b)
{
	int64_t at = end_next_deadline(b), of_exec = exec_next_deadline();

	return at == 0 || (of_exec != 0 && of_exec < at) ? of_exec : at;
}

int loop_timeout(int64_t at)
{
	int64_t left;

	if (at == 0)
		return -1;
	left = at - now_us();
	if (left <= 0)
		return 0;
	/* Rounded up, so that it is not called just before the time for nothing. */
	return left > INT32_MAX / 2 * INT64_C(1000) ? INT32_MAX / 2 : (int)((left + 999) / 1000);
}

/*
 * By epoll, made before anybody else is inside: a command of the same user can lower our limit of descriptors to
 * nothing (prlimit(2) asks for the same ids, not for the right to trace), and then poll(2) refuses to work.
 */
int loop_prepare(struct box *b)
{
	const uint64_t all = SIGBITS_ALL;
	int fds[] = { -1, b->socket, b->plan->front_pidfd };

	fds[0] = b->signals = sys_signalfd(&all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (b->signals < 0)
		return b->signals;
	b->events = epoll_create1(EPOLL_CLOEXEC);
	if (b->events < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = (uint64_t)fds[i] };

		if (epoll_ctl(b->events, EPOLL_CTL_ADD, fds[i], &ev) < 0)
			return -errno;
	}
	return 0;
}

/* Nothing more comes from there. */
static void forget_front(const struct box *b)
{
	(void)epoll_ctl(b->events, EPOLL_CTL_DEL, b->socket, NULL);
	(void)epoll_ctl(b->events, EPOLL_CTL_DEL, b->plan->front_pidfd, NULL);
}

static void take_event(struct box *b, uint64_t event)
{
	int fd = (int)event;

	if (event > INT32_MAX)
		exec_take_event(b, event);
	else if (fd == b->signals)
		(void)take_signals(b, false);
	else if (fd == b->socket && !b->front_gone)
		take_messages(b);
	else if (fd == b->plan->front_pidfd && !b->front_gone)
		front_is_gone(b);
}

/* Without a front signals are all there is, and one call waits for them and takes them: half the work for each. */
static void wait_for_signal(struct box *b, int64_t until)
{
	const int64_t left = until == 0 ? 0 : until - now_us();
	const struct timespec limit = { left > 0 ? left / US_PER_S : 0, left > 0 ? left % US_PER_S * 1000 : 0 };
	const sigbits set = alone_of(b)->taken;
	siginfo_t info;
	int sig = (int)sys_call(SYS_rt_sigtimedwait, &set, &info, until != 0 ? &limit : NULL, sizeof(set));

	if (sig > 0)
		loop_take_signal(b, sig, info.si_code, info.si_pid, info.si_uid, (int64_t)info.si_value.sival_ptr);
}

static void wait_for_event(struct box *b, int64_t until)
{
	struct epoll_event events[16];
	bool had_front = !b->front_gone;
	int n = epoll_wait(b->events, events, ARRAY_LEN(events), loop_timeout(until));

	for (int i = 0; i < n; i++)
		take_event(b, events[i].data.u64);
	if (had_front && b->front_gone)
		forget_front(b);
}

bool loop_wait_for_child(struct box *b, int64_t until)
{
	struct pollfd fd = { .fd = b->signals, .events = POLLIN };
	int64_t left = until - now_us();

	if (left <= 0)
		return false;
	if (alone_of(b) != NULL)
		wait_for_signal(b, until);
	else if (poll(&fd, 1, (int)(left / 1000 + 1)) == 0)
		return false;
	loop_drop_signals(b);
	return true;
}

void loop_run(struct box *b)
{
	int64_t until;

	if (b->plan->timeout_us > 0)
		b->deadline[DEADLINE_TIMEOUT] = later(b->started_us, b->plan->timeout_us);
	if (b->plan->cpu_time_us > 0)
		b->deadline[DEADLINE_CPU] = b->exec_us + 1;
	for (;;) {
		if (b->children) {
			b->children = false;
			if (!loop_reap(b) && !b->idle && !(alone_of(b) != NULL && unwoken(b)))
				end_now(b);
		}
		end_check_deadlines(b);
		exec_check_deadlines(b);
		until = next_deadline(b);
		if (alone_of(b) == NULL)
			wait_for_event(b, until);
		else if (!unwoken_wait(b, until))
			wait_for_signal(b, until);
	}
}
