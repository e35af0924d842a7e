/* SPDX-License-Identifier: MIT */
/* The public functions that start, follow and end a box. */
#include "core/box.h"

#include "base/err.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/record.h"
#include "kern/oom.h"
#include "kern/sig.h"

#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

const char *pidbox_version(void)
{
	return PIDBOX_VERSION;
}

void pidbox_signal_name(int sig, char buf[16])
{
	sig_name(sig, buf);
}

/* ------------------------------------------------------------ starting */

static void take_times(struct pidbox *box, const struct wire_msg *msg)
{
	for (size_t i = 0; i < box->plan->n_rows; i++) {
		struct plan_row *row = &box->plan->rows[i];

		if (msg->times[i] >= 0)
			row->took_us = msg->times[i];
	}
}

static void mark_done(struct pidbox *box, enum pidbox_side last)
{
	for (size_t i = 0; i < box->plan->n_rows; i++)
		if (step_rows[box->plan->rows[i].op].side <= last)
			box->plan->rows[i].done = true;
}

static int setup_ended(struct pidbox *box, struct pidbox_error *err)
{
	int r;

	box_abort(box);
	r = err_set(err, EPROTO, PIDBOX_CODE_NONE, "starting the box");
	err_why(err, "the init ended before the command was started (somebody may have killed it, or memory ran out)");
	err_fix(err, "try again; `pidbox run --explain` shows how far it gets");
	return r;
}

/* The init tells the front who it is outside, for a record that it may have to write alone. */
static void tell_identity(struct pidbox *box)
{
	struct wire_msg msg = { .type = MSG_IDENT };

	box_identify(box);
	msg.ident.init_pid = box->init_pid;
	msg.ident.command_pid = box->command_pid;
	msg.ident.pid_namespace = box->pid_namespace;
	memcpy(msg.ident.id, box->id, sizeof(msg.ident.id));
	(void)box_send(box, &msg, sizeof(msg));
}

static void command_started(struct pidbox *box, pid_t about)
{
	box->executed = true;
	box->held = false;
	box->exec_us = now_us() - box->t0_us;
	if (box->plan->as_pid1) {
		box->command_pid = box->init_pid;
		pid1_started(box);
	} else if (about != box->init_pid) {
		box->command_pid = about;
	}
	mark_done(box, PIDBOX_SIDE_COMMAND);
	if (box->plan->wire->report_fd >= 0 && !box->plan->as_pid1)
		tell_identity(box);
}

/* @return 1: go on waiting; 0: there; -errno */
static int setup_message(struct pidbox *box, const struct wire_msg *msg, pid_t about, struct pidbox_error *err)
{
	switch (msg->type) {
	case MSG_FAILED:
		box_abort(box);
		return diagnose_step(box->plan, msg->step, msg->value, msg->aux, err);
	case MSG_WARNING:
		if (msg->step < box->plan->n_rows)
			box->plan->rows[msg->step].errnum = msg->value;
		if (msg->step < box->plan->n_rows && box->plan->rows[msg->step].op == STEP_MOUNT_PROC)
			box->plan->proc = PIDBOX_PROC_KEEP;
		return 1;
	case MSG_TIMES:
		take_times(box, msg);
		return 1;
	case MSG_READY:
		take_times(box, msg);
		mark_done(box, PIDBOX_SIDE_INIT);
		box->ready_us = now_us() - box->t0_us;
		box->held = true;
		return 0;
	case MSG_EXEC:
		if (box->ready_us < 0)
			box->ready_us = now_us() - box->t0_us;
		/* Without an init the real sign is the end of the socket: it is closed by the exec. */
		if (box->plan->as_pid1)
			return 1;
		command_started(box, about);
		return 0;
	default:
		return 1;
	}
}

static int wait_for_setup(struct pidbox *box, struct pidbox_error *err)
{
	bool exec_announced = false;
	int r = 1;

	while (r == 1) {
		struct wire_msg msg;
		pid_t about;

		r = box_receive(box, &msg, &about);
		if (r == 1) {
			exec_announced |= msg.type == MSG_EXEC;
			r = setup_message(box, &msg, about, err);
			continue;
		}
		if (r < 0)
			return setup_ended(box, err);
		if (box->closed) {
			if (!box->plan->as_pid1 || !exec_announced)
				return setup_ended(box, err);
			command_started(box, box->init_pid);
			return 0;
		}
		(void)box_poll(box, -1);
		r = 1;
	}
	return r;
}

static struct pidbox *box_new(const struct pidbox_spec *spec, struct pidbox_plan *plan)
{
	struct pidbox *box = calloc(1, sizeof(*box));

	if (box == NULL)
		return NULL;
	box->plan = plan;
	box->socket = box->pidfd = box->tty = -1;
	box->t0_us = now_us();
	box->ready_us = box->exec_us = -1;
	box->fail_on_leak = spec->fail_on_leak;
	box->oom_before = spec->account ? oom_kills() : -1;
	return box;
}

int pidbox_spawn(const struct pidbox_spec *given, struct pidbox **ret, struct pidbox_error *err)
{
	struct pidbox_plan *plan;
	struct pidbox_spec spec;
	struct pidbox *box;
	int r = spec_take(given, &spec, err);

	if (r == 0)
		r = pidbox_plan(&spec, &plan, err);
	if (r < 0)
		return r;
	box = box_new(&spec, plan);
	if (box == NULL) {
		pidbox_plan_free(plan);
		return err_set(err, ENOMEM, PIDBOX_CODE_NONE, "starting the box");
	}
	r = box_start(box, err);
	/* Who it is can be read only while it lives. */
	if (r == 0) {
		box_identify(box);
		if (spec.on_created != NULL)
			spec.on_created(spec.context, box);
	}
	if (r == 0)
		r = wait_for_setup(box, err);
	if (r < 0) {
		pidbox_free(box);
		return r;
	}
	*ret = box;
	return 0;
}

int pidbox_release(struct pidbox *box, struct pidbox_error *err)
{
	struct wire_msg msg = { .type = MSG_RUN };

	if (!box->held)
		return err_set(err, EALREADY, PIDBOX_CODE_USAGE, "releasing a box that is not held");
	if (box_send(box, &msg, WIRE_HEAD) < 0)
		return setup_ended(box, err);
	box->held = false;
	return wait_for_setup(box, err);
}

/* ------------------------------------------------------------ following */

int pidbox_pidfd(const struct pidbox *box)
{
	return box->pidfd;
}

int pidbox_event_fd(const struct pidbox *box)
{
	return box->closed ? -EBADF : box->socket;
}

int pidbox_tty_fd(const struct pidbox *box)
{
	return box->tty >= 0 ? box->tty : -EBADF;
}

size_t pidbox_fds(const struct pidbox *box, int *fds, size_t n)
{
	const int own[] = { box->socket, box->pidfd, box->tty, box->witness.pid > 0 ? box->witness.socket : -1 };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (own[i] < 0)
			continue;
		if (count < n)
			fds[count] = own[i];
		count++;
	}
	return count;
}

int pidbox_get_step(const struct pidbox *box, size_t index, struct pidbox_step *ret)
{
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
	case MSG_RESULT:
		box->result = msg->result;
		box->result.leaked = box->leaks;
		box->result.n_leaked = box->n_leaks;
		box->has_result = true;
		*ev = (struct pidbox_event){ .type = PIDBOX_EVENT_RESULT };
		break;
	default:
		break;
	}
}

int pidbox_next_event(struct pidbox *box, struct pidbox_event *ret)
{
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct wire_msg msg;
	pid_t about;
	int r;

	if (box->plan->as_pid1)
		pid1_check_deadlines(box);
	if (box->lost_signal != 0) {
		*ret = (struct pidbox_event){ .type = PIDBOX_EVENT_LOST, .signal = box->lost_signal };
		box->lost_signal = 0;
		return 1;
	}
	r = box_receive(box, &msg, &about);
	if (r <= 0)
		return r;
	running_message(box, &msg, about, &ev);
	*ret = ev;
	return 1;
}

int64_t pidbox_timeout_us(const struct pidbox *box)
{
	int64_t at = box->plan->as_pid1 ? pid1_next_deadline(box) : 0;
	int64_t left;

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

int pidbox_signal(struct pidbox *box, int sig)
{
	struct wire_msg msg = { .type = MSG_SIGNAL, .signal = sig, .sender_pid = getpid(), .sender_uid = getuid() };

	return send_signal(box, sig, &msg);
}

/* Take one more of this signal, if it is pending. */
static bool pending_again(int sig)
{
	const struct timespec now = { 0, 0 };
	sigbits set = SIGBIT(sig);

	return syscall(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set)) == sig;
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
	return reached;
}

int pidbox_forward(struct pidbox *box, int sig, const struct pidbox_origin *origin)
{
	struct wire_msg msg = {
		.type = MSG_SIGNAL,
		.signal = sig,
		.sender_pid = origin->pid,
		.sender_uid = origin->pid > 0 ? (int64_t)origin->uid : -1,
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
	struct wire_msg msg = {
		.type = MSG_KILL,
		.us = grace_us,
		.sender_pid = origin != NULL ? origin->pid : getpid(),
		.sender_uid = origin != NULL ? (int64_t)origin->uid : (int64_t)getuid(),
	};

	if (box->has_result || box->reaped)
		return -ESRCH;
	if (box->plan->as_pid1) {
		pid1_kill(box, PIDBOX_REASON_KILLED, grace_us >= 0 ? grace_us : box->plan->wire->grace_us);
		return 0;
	}
	return box_send(box, &msg, WIRE_HEAD);
}

/* ------------------------------------------------------------ the end */

/* Without a result of its own: the command was PID 1, or somebody outside has killed the init and so everything. */
static void finish(struct pidbox *box)
{
	struct rusage usage = { 0 };
	siginfo_t info = { 0 };

	/* By the raw call, which tells the resource usage too. ECHILD: the caller ignores SIGCHLD or has reaped it. */
	while (syscall(SYS_waitid, P_PIDFD, box->pidfd, &info, WEXITED | __WALL, &usage) < 0)
		if (errno != EINTR)
			break;
	box->reaped = true;
	if (box->has_result)
		return;
	box->has_result = true;
	if (box->plan->as_pid1) {
		pid1_finish(box, &info, &usage);
		return;
	}
	box->result = (struct pidbox_result){
		.reason = PIDBOX_REASON_KILLED,
		.exit_code = -1,
		.signal = SIGKILL,
		.ended_by_signal = SIGKILL,
		.ended_by_uid = -1,
		.wall_us = now_us() - box->t0_us,
	};
}

static bool init_has_ended(const struct pidbox *box)
{
	struct pollfd fd = { .fd = box->pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

/* What only the front knows. A SIGKILL that nobody here has sent may have been the kernel's, for want of memory. */
static void complete_result(struct pidbox *box)
{
	struct pidbox_result *r = &box->result;
	int64_t now = box->oom_before >= 0 ? oom_kills() : -1;

	r->leaked = box->leaks;
	r->n_leaked = box->n_leaks;
	r->oom_killed = now < 0 ? -1 : now > box->oom_before;
	if (r->oom_killed == 1 && r->reason == PIDBOX_REASON_SIGNALED && r->signal == SIGKILL)
		r->reason = PIDBOX_REASON_OOM;
}

int pidbox_wait(struct pidbox *box, int64_t timeout_us, struct pidbox_result *ret)
{
	const int64_t patience_us = 10 * US_PER_S;
	int64_t until = timeout_us >= 0 ? now_us() + timeout_us : 0, held_up_from = 0;

	while (!box->reaped) {
		/* The end first, then what is left to read: everything was sent before the end. */
		bool ended = init_has_ended(box);
		struct pidbox_event ev;
		int64_t left;

		while (pidbox_next_event(box, &ev) > 0)
			continue;
		if (ended) {
			finish(box);
			break;
		}
		left = until > 0 ? until - now_us() : -1;
		if (until > 0 && left <= 0)
			return -ETIMEDOUT;
		if (box->has_result) {
			if (held_up_from == 0)
				held_up_from = now_us();
			else if (now_us() - held_up_from >= patience_us) {
				box->held_up = true;
				complete_result(box);
				if (ret != NULL)
					*ret = box->result;
				return -EBUSY;
			}
			left = sooner(left, patience_us);
		}
		(void)box_poll(box, sooner(left, pidbox_timeout_us(box)));
	}
	complete_result(box);
	if (ret != NULL)
		*ret = box->result;
	return 0;
}

int pidbox_exit_status(const struct pidbox *box, const struct pidbox_result *res)
{
	if (res == NULL)
		res = &box->result;
	if (res->reason == PIDBOX_REASON_TIMEOUT || res->reason == PIDBOX_REASON_CPU_TIME)
		return PIDBOX_EXIT_TIMEOUT;
	if (res->reason == PIDBOX_REASON_SETUP_FAILED)
		return PIDBOX_EXIT_FAILED;
	if (res->signal > 0)
		return 128 + res->signal;
	if (res->exit_code == 0 && box->fail_on_leak && res->leaked_total > 0)
		return PIDBOX_EXIT_LEAK;
	return res->exit_code;
}

size_t pidbox_record(const struct pidbox *box, char *buf, size_t size)
{
	const struct wire_plan *wire = box->plan->wire;
	struct sink s = SINK_BUF(buf, size);
	char **argv = NULL;
	size_t n = 0;
	struct record rec = {
		.result = &box->result,
		.name = wire->name != 0 ? plan_text(wire, wire->name) : NULL,
		.containment = "pidns",
		.proc = plan_proc_word(box->plan->proc),
		.id = box->id,
		.pid_namespace = box->pid_namespace,
		.init_pid = box->init_pid,
		.command_pid = box->command_pid,
		.started_realtime_us = wire->started_realtime_us,
	};
	const uintptr_t *table = (const void *)((const char *)wire + wire->argv);

	while (table[n] != 0)
		n++;
	argv = calloc(n + 1, sizeof(*argv));
	for (size_t i = 0; argv != NULL && i < n; i++)
		argv[i] = (char *)(uintptr_t)plan_text(wire, (uint32_t)table[i]);
	rec.command = argv;
	record_write(&s, &rec);
	free(argv);
	return (size_t)sink_end(&s);
}

size_t pidbox_record_failed(const struct pidbox_spec *spec, const struct pidbox_error *err, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);
	struct record rec = {
		.error = err,
		.name = spec != NULL ? spec->name : NULL,
		.containment = "pidns",
		.command = spec != NULL ? (char *const *)(uintptr_t)spec->argv : NULL,
		.started_realtime_us = clock_us(CLOCK_REALTIME),
	};

	record_write(&s, &rec);
	return (size_t)sink_end(&s);
}

void pidbox_free(struct pidbox *box)
{
	if (box == NULL)
		return;
	box_abort(box);
	witness_end(&box->witness);
	cleanup_close(&box->socket);
	cleanup_close(&box->pidfd);
	cleanup_close(&box->tty);
	for (size_t i = 0; i < box->n_leaks; i++)
		free((char *)(uintptr_t)box->leaks[i].command);
	free(box->leaks);
	free(box->queue);
	pidbox_plan_free(box->plan);
	free(box);
}
