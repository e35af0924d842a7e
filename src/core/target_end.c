/* SPDX-License-Identifier: MIT */
/*
 * Signals to boxes that somebody else has made, and their end. A box of pidbox's own is asked through its front, whose
 * init keeps the clock and knows its command. All others get their signals by pidfd: nobody else can be hit.
 */
#include "core/target.h"

#include "base/err.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/control_client.h"
#include "kern/pidns.h"
#include "kern/proc.h"
#include "kern/sig.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>

enum {
	DEFAULT_GRACE_US = 10000000,
	SLACK_US = 1000000,     /* an init that keeps the clock itself has that much more */
	PATIENCE_US = 10000000, /* from SIGKILL until a holdout is named */
};

int target_refuse_own(const struct pidbox_target *target, const char *doing, struct pidbox_error *err)
{
	int r = err_set(err, EPERM, PIDBOX_CODE_OWN_NAMESPACE, "%s %s", doing, target->address);

	err_why(err,
		"that is the PID namespace that this pidbox itself runs in: it would be its own end, and its caller's");
	err_fix(err, "name a box in it (`pidbox ls`); for a process of your own namespace there is kill(1)");
	return r;
}

/* ------------------------------------------------------------ one signal */

int pidbox_signal_number(const char *text)
{
	return sig_parse(text);
}

/* Is it a PID 1 of a namespace below ours that the kernel spares this signal? */
static bool is_dropped(const struct pidref *ref, int sig)
{
	CLEANUP(cleanup_close) int proc = pidns_open_proc();
	struct proc_details details;
	int dir = proc >= 0 ? proc_open(proc, ref->pid) : -1, n;

	if (dir < 0)
		return false;
	n = proc_read_details(dir, &details);
	(void)close(dir);
	return n == 0 && details.status.pids[details.status.n_pids - 1] == 1 && details.status.n_pids > 1 &&
	       proc_drops_signal(proc, ref->pid, sig) && pidref_verify(ref) == 0;
}

static int cannot_signal(const struct pidbox_target *t, int r, struct pidbox_error *err)
{
	if (r == -ESRCH)
		return r;
	r = err_set(err, -r, r == -EPERM ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE, "signalling %s", t->address);
	err_why(err, "%s", r == -EPERM ? "it is another user's (kill(2))" : "the kernel refuses it");
	err_fix(err, "%s", r == -EPERM ? "do it as that user or as root (CAP_KILL)" : "try again");
	return r;
}

/* By pidfd. @return as pidbox_target_signal */
static int signal_ref(const struct pidbox_target *t, int sig, struct pidbox_error *err)
{
	const struct pidref *ref = target_ref(t);
	bool dropped;
	int r;

	if (ref->pidfd < 0)
		return t->live ? cannot_signal(t, -EPERM, err) : -ESRCH;
	if (pidref_has_ended(ref))
		return -ESRCH;
	dropped = is_dropped(ref, sig);
	r = pidref_signal(ref, sig);
	return r < 0 ? cannot_signal(t, r, err) : dropped;
}

int pidbox_target_signal(struct pidbox_target *target, int sig, struct pidbox_error *err)
{
	const struct control_request request = { .type = CONTROL_SIGNAL, .signal = sig };
	struct control_reply reply;
	int r;

	if (sig < 1 || sig > SIG_MAX)
		return err_set(err, EINVAL, PIDBOX_CODE_USAGE, "signal %d is none of the kernel's", sig);
	if (target->own)
		return target_refuse_own(target, "signalling", err);
	if (target->one_process || !target->has_entry)
		return signal_ref(target, sig, err);
	if (!target->live || pidref_has_ended(&target->init))
		return -ESRCH;
	r = control_ask(&target->entry, &target->init, &request, NULL, 0, CONTROL_PATIENCE_US, &reply, NULL, err);
	/* Without its front the box is ending by itself; until then its init passes on what it gets. */
	if (r == -EACCES || r == -EPERM || r == -ESRCH || r == -EPIPE)
		return signal_ref(target, sig, err);
	return r;
}

/* ------------------------------------------------------------ the ladder */

enum stage {
	STAGE_ASKED,  /* the front has been asked, and has not answered */
	STAGE_GRACE,  /* it may end by itself until the deadline */
	STAGE_KILLED, /* SIGKILL was sent */
	STAGE_OVER,   /* the result is there */
};

struct ladder {
	struct pidbox_ending *ending;
	enum stage stage;
	int socket; /* -1 */
	int64_t deadline_us;
};

static void over(struct ladder *l, int result)
{
	cleanup_close(&l->socket);
	l->socket = -1;
	l->stage = STAGE_OVER;
	l->ending->result = result;
}

static void climb(struct ladder *l, enum stage stage, int64_t us)
{
	l->stage = stage;
	l->deadline_us = later(now_us(), us);
}

static void kill_now(struct ladder *l)
{
	struct pidbox_ending *e = l->ending;
	int r = pidref_signal(target_ref(e->target), SIGKILL);

	/* ESRCH: its end is on the way to the pidfd. */
	if (r < 0 && r != -ESRCH) {
		over(l, cannot_signal(e->target, r, &e->error));
		return;
	}
	e->killed = r == 0;
	climb(l, STAGE_KILLED, PATIENCE_US);
}

static void begin_by_signal(struct ladder *l, int64_t grace_us)
{
	struct pidbox_ending *e = l->ending;
	int r;

	if (grace_us == 0) {
		kill_now(l);
		return;
	}
	r = signal_ref(e->target, SIGTERM, &e->error);
	if (r < 0) {
		over(l, r);
		return;
	}
	e->signal_dropped = r == 1;
	if (e->signal_dropped && e->on_dropped != NULL)
		e->on_dropped(e);
	climb(l, STAGE_GRACE, grace_us < 0 ? DEFAULT_GRACE_US : grace_us);
}

/*
 * A front refuses whom it cannot tell to be outside (control_peer.c). Whether he may signal the init the kernel knows;
 * that passes on what it gets. So goes who has no descriptor left to ask by: the front is there, and so is the grace.
 */
static bool goes_by_signal(int r)
{
	return r == -EACCES || r == -EPERM || control_lacks(r);
}

static void begin_by_front(struct ladder *l, int64_t grace_us)
{
	const struct control_request request = { .type = CONTROL_KILL, .grace_us = grace_us };
	struct pidbox_ending *e = l->ending;
	int r;

	l->socket = control_connect(&e->target->entry, &e->target->init, &e->error);
	r = l->socket < 0 ? l->socket : control_send(l->socket, &request, NULL, 0);
	if (r == 0 || r == -EPIPE) {
		control_wake(l->socket, &e->target->init, &request);
		climb(l, STAGE_ASKED, CONTROL_PATIENCE_US);
		return;
	}
	cleanup_close(&l->socket);
	l->socket = -1;
	if (goes_by_signal(r))
		begin_by_signal(l, grace_us);
	else if (r == -ESRCH) /* the init has seen the end of its front, and keeps the grace that it was given */
		climb(l, STAGE_GRACE, grace_us < 0 ? DEFAULT_GRACE_US : grace_us);
	else
		kill_now(l);
}

static void begin(struct ladder *l, int64_t grace_us)
{
	struct pidbox_ending *e = l->ending;
	struct pidbox_target *t = e->target;

	e->result = 0;
	e->signal_dropped = e->killed = false;
	e->error = (struct pidbox_error){ 0 };
	l->socket = -1;
	if (t->own)
		over(l, target_refuse_own(t, "ending", &e->error));
	else if (target_ref(t)->pidfd < 0)
		over(l, t->live ? cannot_signal(t, -EPERM, &e->error) : -ESRCH);
	else if (pidref_has_ended(target_ref(t)))
		over(l, -ESRCH);
	else if (t->has_entry && !t->one_process)
		begin_by_front(l, grace_us);
	else
		begin_by_signal(l, grace_us);
}

/* The front's answer. It tells the grace, when it was left to the box. */
static void take_answer(struct ladder *l, int64_t grace_us)
{
	struct control_reply reply;
	int r = control_receive(l->socket, 0, &reply, NULL);

	if (r == -ETIMEDOUT)
		return;
	cleanup_close(&l->socket);
	l->socket = -1;
	if (r == 0 && reply.type == CONTROL_FAILED)
		r = reply.errnum > 0 ? -reply.errnum : -EPROTO;
	if (goes_by_signal(r)) {
		begin_by_signal(l, grace_us);
	} else if (r < 0) {
		climb(l, STAGE_GRACE, SLACK_US); /* it is ending, or cannot be asked */
	} else {
		if (grace_us < 0)
			grace_us = reply.wall_us > 0 ? reply.wall_us : DEFAULT_GRACE_US;
		climb(l, STAGE_GRACE, later(grace_us, SLACK_US));
	}
}

static void time_is_up(struct ladder *l)
{
	if (l->stage == STAGE_KILLED)
		over(l, -EBUSY);
	else
		kill_now(l);
}

/* What poll(2) has found for one of them. */
static void go_on(struct ladder *l, const struct pollfd fds[2], int64_t grace_us)
{
	if (fds[0].revents != 0)
		over(l, 0);
	else if (l->stage == STAGE_ASKED && fds[1].revents != 0)
		take_answer(l, grace_us);
	if (l->stage != STAGE_OVER && now_us() >= l->deadline_us)
		time_is_up(l);
}

static int next_timeout_ms(const struct ladder *list, size_t n)
{
	int64_t soonest = INT64_MAX, left;

	for (size_t i = 0; i < n; i++)
		if (list[i].stage != STAGE_OVER && list[i].deadline_us < soonest)
			soonest = list[i].deadline_us;
	left = (soonest - now_us()) / 1000 + 1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static bool all_over(const struct ladder *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].stage != STAGE_OVER)
			return false;
	return true;
}

static void climb_all(struct ladder *list, struct pollfd *fds, size_t n, int64_t grace_us)
{
	while (!all_over(list, n)) {
		for (size_t i = 0; i < n; i++) {
			bool over = list[i].stage == STAGE_OVER;

			fds[2 * i] =
				(struct pollfd){ over ? -1 : target_ref(list[i].ending->target)->pidfd, POLLIN, 0 };
			fds[2 * i + 1] = (struct pollfd){ list[i].socket, POLLIN, 0 };
		}
		if (poll(fds, 2 * n, next_timeout_ms(list, n)) < 0)
			continue;
		for (size_t i = 0; i < n; i++)
			if (list[i].stage != STAGE_OVER)
				go_on(&list[i], fds + 2 * i, grace_us);
	}
}

size_t pidbox_end(struct pidbox_ending *list, size_t n, int64_t grace_us)
{
	struct ladder *ladders = calloc(n, sizeof(*ladders));
	struct pollfd *fds = calloc(2 * n, sizeof(*fds));
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		if (ladders == NULL || fds == NULL) {
			list[i].result = err_no_memory(&list[i].error, "ending boxes");
			continue;
		}
		ladders[i].ending = &list[i];
		begin(&ladders[i], grace_us);
	}
	if (ladders != NULL && fds != NULL)
		climb_all(ladders, fds, n, grace_us);
	for (size_t i = 0; i < n; i++)
		failed += list[i].result != 0;
	free(ladders);
	free(fds);
	return failed;
}
