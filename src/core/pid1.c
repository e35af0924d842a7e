/* SPDX-License-Identifier: MIT */
/*
 * --as-pid1: the command is PID 1, and what an init would do, the front does: time limits, the grace, --signal-map. The
 * kernel gives PID 1 only signals that it has a handler for or blocks (R7): the front looks first, and says so.
 */
#include "core/box.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/members.h"
#include "kern/sig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Would the kernel drop it? Unknown counts as no. */
static bool would_be_lost(const struct pidbox *box, int sig)
{
	CLEANUP(cleanup_close) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return proc >= 0 && proc_drops_signal(proc, box->init_pid, sig);
}

int pid1_signal(struct pidbox *box, int sig, const struct wire_msg *msg)
{
	int mapped = box->plan->wire->signal_map[sig];
	siginfo_t info = { .si_signo = mapped, .si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid() };
	int r;

	if (mapped == 0)
		return 0;
	if (would_be_lost(box, mapped))
		box->lost_signal = mapped;
	box->forwarded = mapped;
	if (!box->ending) {
		box->result.ended_by_signal = sig;
		box->result.ended_by_pid = msg->sender_pid;
		box->result.ended_by_uid = msg->sender_uid;
	}
	if (!msg->queued)
		return sys_pidfd_send_signal(box->pidfd, mapped, NULL);
	info.si_value.sival_ptr = (void *)(intptr_t)msg->sigval;
	r = sys_pidfd_send_signal(box->pidfd, mapped, &info);
	return r;
}

void pid1_started(struct pidbox *box)
{
	const struct wire_plan *w = box->plan->wire;

	if (w->timeout_us > 0)
		box->timeout_at = later(now_us(), w->timeout_us);
	if (w->cpu_time_us > 0)
		box->cpu_at = now_us() + 1;
}

void pid1_kill(struct pidbox *box, enum pidbox_reason why, int64_t grace_us, const struct wire_msg *by)
{
	int64_t at = later(now_us(), grace_us);

	if (!box->ending) {
		box->asked = why;
		box->result.ended_by_signal = box->plan->wire->stop_signal;
		box->result.ended_by_pid = by->sender_pid;
		box->result.ended_by_uid = by->sender_uid;
	}
	box->ending = true;
	box->timeout_at = box->cpu_at = 0;
	if (box->kill_at == 0 || at < box->kill_at)
		box->kill_at = at;
	if (grace_us > 0) {
		(void)pid1_signal(box, box->plan->wire->stop_signal, by);
		(void)sys_pidfd_send_signal(box->pidfd, SIGCONT, NULL);
	}
	pid1_check_deadlines(box);
}

int64_t pid1_next_deadline(const struct pidbox *box)
{
	const int64_t at[] = { box->timeout_at, box->cpu_at, box->kill_at };
	int64_t next = 0;

	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (at[i] != 0 && (next == 0 || at[i] < next))
			next = at[i];
	return next;
}

/* CPU time of everything inside. What has been reaped is in its parent's figures, up to PID 1's. */
static int64_t cpu_used(const struct pidbox *box)
{
	struct members members;
	struct proc_stat stat;
	int64_t us = 0;

	if (members_begin(&members, box_namespace(box)) < 0)
		return 0;
	while (members_next(&members, &stat) > 0)
		us += stat.cpu_us;
	members_end(&members);
	return us;
}

static void end_by_limit(struct pidbox *box, enum pidbox_reason why)
{
	const struct wire_msg self = { .sender_pid = getpid(), .sender_uid = getuid() };

	pid1_kill(box, why, box->plan->wire->grace_us, &self);
}

static void check_cpu(struct pidbox *box, int64_t now)
{
	enum { LOOK_AGAIN_AT_LEAST_US = 10000 }; /* a look goes over all of the machine's processes */
	int64_t left = box->plan->wire->cpu_time_us - cpu_used(box);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	box->cpu_at = 0;
	if (left <= 0) {
		end_by_limit(box, PIDBOX_REASON_CPU_TIME);
		return;
	}
	left /= cpus > 0 ? cpus : 1;
	box->cpu_at = later(now, left > LOOK_AGAIN_AT_LEAST_US ? left : LOOK_AGAIN_AT_LEAST_US);
}

void pid1_check_deadlines(struct pidbox *box)
{
	int64_t now;

	if (pid1_next_deadline(box) == 0 || box->reaped)
		return;
	now = now_us();
	if (box->kill_at != 0 && now >= box->kill_at) {
		box->kill_at = 0;
		box->killed = true;
		(void)sys_pidfd_send_signal(box->pidfd, SIGKILL, NULL);
	}
	if (box->timeout_at != 0 && now >= box->timeout_at)
		end_by_limit(box, PIDBOX_REASON_TIMEOUT);
	if (box->cpu_at != 0 && now >= box->cpu_at)
		check_cpu(box, now);
}

void pid1_finish(struct pidbox *box, const siginfo_t *info, const struct rusage *usage)
{
	struct pidbox_result *r = &box->result;

	r->wall_us = now_us() - box->t0_us;
	r->user_us = r->sys_us = r->max_rss_kib = -1;
	if (usage != NULL) {
		r->user_us = (int64_t)usage->ru_utime.tv_sec * US_PER_S + usage->ru_utime.tv_usec;
		r->sys_us = (int64_t)usage->ru_stime.tv_sec * US_PER_S + usage->ru_stime.tv_usec;
		r->max_rss_kib = usage->ru_maxrss;
	}
	r->exit_code = info->si_code == CLD_EXITED ? info->si_status : -1;
	r->signal = info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED ? info->si_status : 0;
	r->core_dumped = info->si_code == CLD_DUMPED;
	if (box->ending)
		r->reason = box->asked;
	else if (r->signal > 0)
		r->reason = box->forwarded == r->signal ? PIDBOX_REASON_KILLED : PIDBOX_REASON_SIGNALED;
	else
		r->reason = PIDBOX_REASON_EXITED;
	if (r->reason != PIDBOX_REASON_KILLED)
		r->ended_by_signal = 0;
}
