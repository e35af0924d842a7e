/* SPDX-License-Identifier: MIT */
/* The public functions that follow a running box, and its signals. */
#include "core/box.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/reach.h"
#include "kern/sig.h"

#include <time.h>

int pidbox_pidfd(const struct pidbox *box)
{
	return box->pidfd;
}

int pidbox_event_fd(const struct pidbox *box)
{
	int all = reach_event_fd(box);

	return all != -EBADF ? all : box->closed ? -EBADF : box->socket;
}

int pidbox_tty_fd(const struct pidbox *box)
{
	return box->tty >= 0 ? box->tty : -EBADF;
}

size_t pidbox_fds(const struct pidbox *box, int *fds, size_t n)
{
	const int own[] = { box->socket, box->pidfd, box->tty, box->witness.pid > 0 ? box->witness.socket : -1 };
	size_t count = io_list_open(own, ARRAY_LEN(own), fds, n);

	return count + reach_fds(box, count < n ? fds + count : NULL, count < n ? n - count : 0);
}

int pidbox_get_step(const struct pidbox *box, size_t index, struct pidbox_step *ret)
{
	plan_put_words(box->plan);
	return pidbox_plan_step(box->plan, index, ret);
}

/*
 * kill(2) to a group goes over its members under the kernel's tasklist lock. Setting our group to what it is needs that
 * lock alone: after it every member has got what we have got, the init too (init/signals.c has the whole story).
 */
static void finish_group_deliveries(void)
{
	(void)setpgid(0, getpgrp());
}

static void running_message(struct pidbox *box, const struct wire_msg *msg, pid_t about, struct pidbox_event *ev)
{
	switch (msg->type) {
	case MSG_STOPPED:
		*ev = (struct pidbox_event){ .type = PIDBOX_EVENT_STOPPED, .signal = msg->signal };
		break;
	case MSG_ECHO:
		finish_group_deliveries();
		*ev = (struct pidbox_event){
			.type = PIDBOX_EVENT_ECHO,
			.signal = msg->signal,
			.number = msg->value,
			.from_kernel = msg->kernel,
		};
		break;
	case MSG_LEAK:
		box_take_leak(box, msg, about != box->init_pid ? about : 0);
		break;
	case MSG_RESULT: /* the last that there is */
		box_set_closed(box);
		box->result = msg->result;
		box->result.leaked = box->leaks;
		box->result.n_leaked = box->n_leaks;
		box->has_result = box->told_end = true;
		*ev = (struct pidbox_event){ .type = PIDBOX_EVENT_RESULT };
		break;
	default:
		break;
	}
}

/*
 * An end that no message tells of: somebody outside has killed the init, or we the command that is PID 1. It is told at
 * once, because the kernel may report it late (R8), and pidbox_wait is who bears with that.
 */
static bool untold_end(const struct pidbox *box)
{
	return !box->told_end && box_is_ending(box);
}

int pidbox_next_event(struct pidbox *box, struct pidbox_event *ret)
{
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct wire_msg msg;
	pid_t about;
	int r;

	reach_turn(box);
	if (box->plan->as_pid1)
		pid1_check_deadlines(box);
	if (box->lost_signal != 0) {
		*ret = (struct pidbox_event){ .type = PIDBOX_EVENT_LOST, .signal = box->lost_signal };
		box->lost_signal = 0;
		return 1;
	}
	r = box_receive(box, &msg, &about);
	if (r < 0)
		return r;
	if (r == 0 && !untold_end(box))
		return 0;
	if (r == 0) {
		box->told_end = true;
		ev.type = PIDBOX_EVENT_RESULT;
	} else {
		running_message(box, &msg, about, &ev);
	}
	*ret = ev;
	return 1;
}

int64_t pidbox_timeout_us(const struct pidbox *box)
{
	int64_t at = box->plan->as_pid1 ? pid1_next_deadline(box) : 0, of_clients = reach_next_deadline(box);
	int64_t left;

	/* What is here already, or is told by us alone, no descriptor becomes readable for. */
	if (box->queue_at < box->n_queue || box->lost_signal != 0 || untold_end(box))
		return 0;
	if (of_clients != 0 && (at == 0 || of_clients < at))
		at = of_clients;
	if (at == 0)
		return -1;
	left = at - now_us();
	return left > 0 ? left : 0;
}

/* ------------------------------------------------------------ signals */

static int send_signal(struct pidbox *box, int sig, const struct wire_msg *msg)
{
	if (sig < 1 || sig > SIG_MAX)
		return -EINVAL;
	if (box->has_result || box->reaped)
		return -ESRCH;
	return box->plan->as_pid1 ? pid1_signal(box, sig, msg) : box_send(box, msg, WIRE_HEAD);
}

int box_signal_from(struct pidbox *box, int sig, pid_t pid, uid_t uid)
{
	struct wire_msg msg = { .type = MSG_SIGNAL, .signal = sig, .sender_pid = pid, .sender_uid = uid };

	return send_signal(box, sig, &msg);
}

int pidbox_signal(struct pidbox *box, int sig)
{
	return box_signal_from(box, sig, getpid(), getuid());
}

/* Take one more of this signal, if it is pending. */
static bool pending_again(int sig)
{
	const struct timespec now = { 0, 0 };
	sigbits set = SIGBIT(sig);

	return syscall(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set)) == sig;
}

/*
 * A SIGCONT and a stop signal that follow each other closely: the second one discards the first where that is pending
 * still. We had taken it by then, our witness had not, and so has never seen it. What the second one has done is what
 * is to be; the first, passed on now, would undo it.
 */
static bool is_overtaken(int sig)
{
	const sigbits opposite = sig_discarded_by(sig);
	sigbits pending = 0;

	if (opposite == 0)
		return false;
	finish_group_deliveries();
	(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	return pending & opposite;
}

/* Was it sent to our whole group, so that the command has it? */
static bool reached_by_group(struct pidbox *box, const struct wire_msg *msg)
{
	struct wire_msg ask = *msg, answer = { 0 };
	bool reached = false;

	ask.type = MSG_CLAIM;
	do {
		finish_group_deliveries();
		if (box->plan->as_pid1)
			reached |= witness_saw(&box->witness, msg->signal) &&
				   (msg->kernel || getpgid(box->init_pid) == getpgrp());
		else if (box_ask(box, &ask, MSG_CLAIMED, &answer) == 0)
			reached |= answer.value && answer.group;
	} while (msg->signal < 32 && pending_again(msg->signal));
	return reached || is_overtaken(msg->signal);
}

/* Who is not known has no uid either. */
static int64_t uid_of(const struct pidbox_origin *origin)
{
	return origin->pid > 0 ? (int64_t)origin->uid : -1;
}

int pidbox_forward(struct pidbox *box, int sig, const struct pidbox_origin *origin)
{
	struct wire_msg msg = {
		.type = MSG_SIGNAL,
		.signal = sig,
		.sender_pid = origin->pid,
		.sender_uid = uid_of(origin),
		.sigval = origin->value,
		.queued = origin->queued,
		.kernel = origin->from_kernel,
	};

	if (sig < 1 || sig > SIG_MAX)
		return -EINVAL;
	if (box->has_result || box->reaped)
		return -ESRCH;
	if ((box->plan->wire->flags & WIRE_SHARED_GROUP) && reached_by_group(box, &msg))
		return 0;
	return send_signal(box, sig, &msg);
}

int pidbox_echo(struct pidbox *box, const struct pidbox_event *event)
{
	struct wire_msg msg = {
		.type = MSG_ECHO_ANSWER,
		.signal = event->signal,
		.value = event->number,
		.kernel = event->from_kernel,
	};

	return box_send(box, &msg, WIRE_HEAD);
}

int pidbox_kill(struct pidbox *box, int64_t grace_us, const struct pidbox_origin *origin)
{
	struct wire_msg msg = { .type = MSG_KILL, .us = grace_us, .sender_pid = getpid(), .sender_uid = getuid() };

	if (origin != NULL) {
		msg.sender_pid = origin->pid;
		msg.sender_uid = uid_of(origin);
	}

	if (box->has_result || box->reaped)
		return -ESRCH;
	if (box->plan->as_pid1) {
		pid1_kill(box, PIDBOX_REASON_KILLED, grace_us >= 0 ? grace_us : box->plan->wire->grace_us, &msg);
		return 0;
	}
	return box_send(box, &msg, WIRE_HEAD);
}
