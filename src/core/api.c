/* SPDX-License-Identifier: MIT */
/* The public functions that start a box. */
#include "core/box.h"

#include "base/err.h"
#include "base/util.h"
#include "kern/oom.h"
#include "kern/sig.h"

#include <pthread.h>
#include <string.h>

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

static int setup_interrupted(struct pidbox *box, struct pidbox_error *err)
{
	int r;

	box_abort(box);
	r = err_set(err, EINTR, PIDBOX_CODE_NONE, "starting the box");
	err_why(err,
		"it hung, and a signal ended the wait: a file system that does not answer, or somebody has stopped "
		"a process of the set-up");
	err_fix(err, "`pidbox run --explain` shows how far it gets");
	return r;
}

/* The init tells the front who it is outside, for a record that it may have to write alone. */
static void tell_identity(struct pidbox *box)
{
	struct wire_msg msg = { .type = MSG_IDENT };

	box_identify(box);
	box->pid_namespace = box_namespace(box);
	msg.ident.init_pid = box->init_pid;
	msg.ident.command_pid = box->command_pid;
	msg.ident.pid_namespace = box->pid_namespace;
	memcpy(msg.ident.id, box->id, sizeof(msg.ident.id));
	(void)box_send(box, &msg, sizeof(msg));
}

static bool init_may_report(const struct pidbox *box)
{
	const struct wire_plan *w = box->plan->wire;

	return (w->report_fd >= 0 || w->kept_fd >= 0) && !box->plan->as_pid1;
}

static void command_started(struct pidbox *box, pid_t about)
{
	box->held = false;
	box->has_started = true;
	box->exec_us = now_us() - box->t0_us;
	if (box->ready_us < 0)
		box->ready_us = box->exec_us;
	if (box->plan->as_pid1) {
		box->command_pid = box->init_pid;
		pid1_started(box);
	} else if (about != box->init_pid) {
		box->command_pid = about;
	}
	mark_done(box, PIDBOX_SIDE_COMMAND);
	if (init_may_report(box))
		tell_identity(box);
}

/* There is no command: all that there will be is ready. */
static void idle_started(struct pidbox *box)
{
	box->held = false;
	box->has_started = true;
	if (box->ready_us < 0)
		box->ready_us = now_us() - box->t0_us;
	mark_done(box, PIDBOX_SIDE_INIT);
	if (init_may_report(box))
		tell_identity(box);
}

/* @return 1: go on waiting; 0: there; -errno */
static int setup_message(struct pidbox *box, const struct wire_msg *msg, pid_t about, struct pidbox_error *err)
{
	switch (msg->type) {
	case MSG_FAILED:
		box_abort(box);
		return box_step_failed(box, msg->step, msg->value, msg->aux, err);
	case MSG_WARNING:
		if (msg->step >= box->plan->n_rows)
			return 1;
		box->warnings++;
		box->plan->rows[msg->step].errnum = msg->value;
		if (box->plan->rows[msg->step].op == STEP_MOUNT_PROC)
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
	case MSG_IDLE:
		idle_started(box);
		return 0;
	case MSG_EXEC:
		/* Without an init the real sign is the end of the socket: it is closed by the exec. */
		if (box->plan->as_pid1) {
			if (box->ready_us < 0)
				box->ready_us = now_us() - box->t0_us;
			return 1;
		}
		command_started(box, about);
		return 0;
	default:
		return 1;
	}
}

/*
 * The sign that the command has taken PID 1 over is the end of the socket, which the exec closes. It does not come
 * while a process that another thread has forked holds a copy of that end: the program that PID 1 runs is looked at as
 * well.
 */
enum { LOOK_AGAIN_US = 10000 };

static int wait_for_setup(struct pidbox *box, struct pidbox_error *err)
{
	bool exec_announced = false; /* as PID 1: the end of the socket comes next */
	int r = 1;

	/* It has only just begun: there is nothing yet. */
	if (!box->closed && box->n_queue == 0 && box_poll_setup(box, -1) == -EINTR)
		return setup_interrupted(box, err);
	while (r == 1) {
		struct wire_msg msg;
		pid_t about;

		r = box_receive(box, &msg, &about);
		if (r == 1) {
			exec_announced |= msg.type == MSG_EXEC && box->plan->as_pid1;
			r = setup_message(box, &msg, about, err);
			continue;
		}
		if (r < 0)
			return setup_ended(box, err);
		if (box->closed && !exec_announced)
			return setup_ended(box, err);
		if (box->closed || (exec_announced && box_runs_another(box))) {
			box_set_closed(box);
			command_started(box, box->init_pid);
			return 0;
		}
		if (box_poll_setup(box, exec_announced ? LOOK_AGAIN_US : -1) == -EINTR)
			return setup_interrupted(box, err);
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
	box->interrupt_fd = spec->interrupt_fd > 0 ? spec->interrupt_fd : -1;
	box->fail_on_leak = spec->fail_on_leak;
	box->oom_before = spec->account ? oom_kills() : -1;
	return box;
}

static int spawn(const struct pidbox_spec *given, struct pidbox **ret, struct pidbox_error *err)
{
	struct pidbox_plan *plan;
	struct pidbox_spec spec;
	struct pidbox *box;
	int r = spec_take(given, &spec, err);

	if (r == 0)
		r = plan_here(&spec, &plan, err);
	if (r < 0)
		return r;
	box = box_new(&spec, plan);
	if (box == NULL) {
		pidbox_plan_free(plan);
		return err_no_memory(err, "starting the box");
	}
	r = box_start(box, err);
	/* Who it is can be read only while it lives. That costs 10 us, and a front without a record is never asked. */
	if (r == 0) {
		box_identify(box);
		if (!spec.front_forwards || spec.on_created != NULL)
			box->pid_namespace = box_namespace(box);
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

static int release(struct pidbox *box, struct pidbox_error *err)
{
	struct wire_msg msg = { .type = MSG_RUN };

	if (!box->held) {
		int r = err_set(err, EALREADY, PIDBOX_CODE_USAGE, "releasing the box");

		err_why(err, "it is not held: its spec has no .hold, or it was released before");
		err_fix(err, "set .hold in the spec, and release a box once");
		return r;
	}
	if (box_send(box, &msg, WIRE_HEAD) < 0)
		return setup_ended(box, err);
	box->held = false;
	return wait_for_setup(box, err);
}

/*
 * The child of the clone has the caller's memory, and its thread's wish to be cancelled with it: a cancellation point
 * there would run the host's cleanup handlers as PID 1 (pthreads(7)). Here one would lose a box.
 */
int pidbox_spawn(const struct pidbox_spec *spec, struct pidbox **ret, struct pidbox_error *err)
{
	int before, r;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	r = spawn(spec, ret, err);
	(void)pthread_setcancelstate(before, NULL);
	return r;
}

int pidbox_release(struct pidbox *box, struct pidbox_error *err)
{
	int before, r;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	r = release(box, err);
	(void)pthread_setcancelstate(before, NULL);
	return r;
}
