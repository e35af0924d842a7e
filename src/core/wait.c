/* SPDX-License-Identifier: MIT */
/* The public functions about the end of a box: waiting for it, what it was, the record. */
#include "core/box.h"

#include "base/sys.h"
#include "base/util.h"
#include "core/reach.h"
#include "core/record.h"
#include "kern/oom.h"

#include <poll.h>
#include <string.h>
#include <sys/resource.h>

enum { REAPER_PATIENCE_MS = 100 };

/*
 * The caller ignores SIGCHLD, or has reaped our child before us: the pidfd remembers how that ended, from Linux 6.15
 * on. It does so when the reaping is done, which POLLHUP tells; ECHILD tells that it has begun.
 */
static void remember_end(int pidfd, siginfo_t *ret)
{
	struct pollfd reaped = { .fd = pidfd };
	struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_EXIT };

	if (poll(&reaped, 1, REAPER_PATIENCE_MS) <= 0 || sys_pidfd_get_info(pidfd, &info) < 0 ||
	    !(info.mask & SYS_PIDFD_INFO_EXIT))
		return;
	if (WIFEXITED(info.exit_code)) {
		ret->si_code = CLD_EXITED;
		ret->si_status = WEXITSTATUS(info.exit_code);
	} else {
		ret->si_code = WCOREDUMP(info.exit_code) ? CLD_DUMPED : CLD_KILLED;
		ret->si_status = WTERMSIG(info.exit_code);
	}
}

/* Somebody outside has killed the init, and so everything. */
static void result_of_killed(struct pidbox *box)
{
	box->result = (struct pidbox_result){
		.reason = PIDBOX_REASON_KILLED,
		.exit_code = -1,
		.signal = SIGKILL,
		.ended_by_signal = SIGKILL,
		.ended_by_uid = -1,
		.user_us = -1,
		.sys_us = -1,
		.max_rss_kib = -1,
		.reaped = -1,
		.leaked_total = -1,
		.wall_us = now_us() - box->t0_us,
	};
}

/* The end is held up: what will be the result when nothing else comes. */
static void foresee_result(struct pidbox *box)
{
	const siginfo_t killed = { .si_code = CLD_KILLED, .si_status = SIGKILL };

	if (box->has_result)
		return;
	if (box->plan->as_pid1)
		pid1_finish(box, &killed, NULL);
	else
		result_of_killed(box);
}

/* Without a result of its own: the command was PID 1, or somebody outside has killed the init and so everything. */
static void finish(struct pidbox *box)
{
	struct rusage usage = { 0 };
	siginfo_t info = { 0 };
	long r;

	/* By the raw call, which tells the resource usage too. */
	do
		r = syscall(SYS_waitid, P_PIDFD, box->pidfd, &info, WEXITED | __WALL, &usage);
	while (r < 0 && errno == EINTR);
	box->reaped = box->told_end = true;
	if (box->has_result)
		return;
	box->has_result = true;
	if (box->plan->as_pid1) {
		if (r < 0)
			remember_end(box->pidfd, &info);
		pid1_finish(box, &info, r < 0 ? NULL : &usage);
		return;
	}
	result_of_killed(box);
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

/* While the kernel takes the box down. */
static void withdraw_at_end(struct pidbox *box)
{
	if (box_is_ending(box))
		reach_withdraw(box);
}

int pidbox_wait(struct pidbox *box, int64_t timeout_us, struct pidbox_result *ret)
{
	const int64_t patience_us = 10 * US_PER_S;
	int64_t until = timeout_us >= 0 ? later(now_us(), timeout_us) : 0, held_up_from = 0;
	/* The end first, then what is left to read: everything was sent before the end. */
	bool ended = !box->reaped && box_init_has_ended(box);

	while (!box->reaped) {
		struct pollfd init = { .fd = box->pidfd, .events = POLLIN };
		struct pidbox_event ev;
		int64_t left;

		withdraw_at_end(box);
		while (pidbox_next_event(box, &ev) > 0)
			continue;
		withdraw_at_end(box);
		if (ended) {
			finish(box);
			break;
		}
		left = until > 0 ? until - now_us() : -1;
		if (until > 0 && left <= 0)
			return -ETIMEDOUT;
		if (box_is_ending(box)) {
			if (held_up_from == 0)
				held_up_from = now_us();
			else if (now_us() - held_up_from >= patience_us) {
				box->held_up = true;
				foresee_result(box);
				complete_result(box);
				if (ret != NULL)
					*ret = box->result;
				return -EBUSY;
			}
			left = sooner(left, patience_us);
		}
		ended = pidbox_poll(box, &init, 1, left) >= 0 && init.revents != 0;
	}
	complete_result(box);
	reach_end(box);
	if (ret != NULL)
		*ret = box->result;
	return 0;
}

int pidbox_exit_status(const struct pidbox *box, const struct pidbox_result *res)
{
	return record_exit_status(res != NULL ? res : &box->result, box->fail_on_leak);
}
char **box_argv(const struct pidbox *box)
{
	const struct wire_plan *wire = box->plan->wire;
	const uintptr_t *table = (const void *)((const char *)wire + wire->argv);
	char **argv;
	size_t n = 0;

	while (table[n] != 0)
		n++;
	argv = calloc(n + 1, sizeof(*argv));
	for (size_t i = 0; argv != NULL && i < n; i++)
		argv[i] = (char *)(uintptr_t)plan_text(wire, (uint32_t)table[i]);
	return argv;
}

size_t pidbox_record(const struct pidbox *box, char *buf, size_t size)
{
	const struct wire_plan *wire = box->plan->wire;
	struct sink s = SINK_BUF(buf, size);
	char **argv = box_argv(box);
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
		.command = argv,
	};

	record_write(&s, &rec);
	free(argv);
	return (size_t)sink_end(&s);
}

/* Set-up inside is done when a step of the command fails: /proc is what it was to become. With auto that is not told.
 */
static bool proc_is_known(const struct pidbox_spec *spec, const struct pidbox_error *err,
			  const struct pidbox_info *info)
{
	if (info->ready_us >= 0)
		return true;
	if (spec == NULL || spec->proc == PIDBOX_PROC_AUTO)
		return false;
	for (size_t i = 0; i < STEP_MAX_; i++)
		if (step_rows[i].side == PIDBOX_SIDE_COMMAND && strcmp(step_rows[i].name, err->step) == 0)
			return true;
	return false;
}

size_t pidbox_record_unstarted(const struct pidbox_spec *spec, const struct pidbox_error *err,
			       const struct pidbox_info *info, int64_t wall_us, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);
	struct record rec = {
		.error = err,
		.name = spec != NULL ? spec->name : NULL,
		.containment = "pidns",
		.command = spec != NULL ? (char *const *)(uintptr_t)spec->argv : NULL,
		.started_realtime_us = clock_us(CLOCK_REALTIME) - wall_us,
		.wall_us = wall_us,
	};

	if (info != NULL) {
		rec.id = info->id;
		rec.pid_namespace = info->pid_namespace;
		rec.init_pid = info->init_pid;
		rec.proc = proc_is_known(spec, err, info) ? info->proc : NULL;
	}
	record_write(&s, &rec);
	return (size_t)sink_end(&s);
}

size_t pidbox_record_failed(const struct pidbox_spec *spec, const struct pidbox_error *err, char *buf, size_t size)
{
	return pidbox_record_unstarted(spec, err, NULL, 0, buf, size);
}

void pidbox_free(struct pidbox *box)
{
	if (box == NULL)
		return;
	box_abort(box);
	reach_free(box);
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
