/* SPDX-License-Identifier: MIT */
/*
 * How a box ends: deadlines, the stop signal and the grace, --on-exit, and the last message.
 *
 *   the command ends        first the leak grace, when somebody wants to know; then --on-exit decides for the rest:
 *                           kill: the end; term, wait: the rest runs on until it is empty, or the grace is over
 *   time limit, pidbox_kill,
 *   the front is gone       the stop signal to the command; when the grace is over: the end
 */
#include "init/alone.h"

#include "base/util.h"

#include <string.h>
#include <sys/resource.h>

int64_t end_next_deadline(const struct box *b)
{
	int64_t next = 0;

	for (int i = 0; i < DEADLINE_MAX_; i++)
		if (b->deadline[i] != 0 && (next == 0 || b->deadline[i] < next))
			next = b->deadline[i];
	return next;
}

/* ------------------------------------------------------------ the last things */

static int64_t timeval_us(struct timeval tv)
{
	return (int64_t)tv.tv_sec * US_PER_S + tv.tv_usec;
}

/*
 * For a record the init ends and reaps everything itself: what a killed process has used is known only when it has been
 * waited for (getrusage(2)). What cannot be killed now (a process in D state, a zombie whose tracer is outside) is left
 * to the kernel after a while. @return is nobody left?
 */
static bool reap_everything(struct box *b)
{
	enum { PATIENCE_MS = 2000 };
	int64_t until = now_us() + PATIENCE_MS * 1000;

	for (;;) {
		int64_t before = b->result.reaped;
		bool some_left;

		rest_kill(b);
		some_left = loop_reap(b);
		b->result.reaped = before; /* orphans that ended by themselves, not by this */
		if (!some_left)
			return true;
		if (!loop_wait_for_child(b, until))
			return false;
	}
}

/* WNOWAIT: who has ended is for loop_reap. ECHILD: there is no child at all. */
static bool nobody_is_left(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD;
}

/* all: everybody has been waited for. Of who has not, nobody knows what he has used. */
static void count_usage(struct box *b, bool all)
{
	struct rusage usage;

	b->result.user_us = b->result.sys_us = b->result.max_rss_kib = -1;
	if (all && getrusage(RUSAGE_CHILDREN, &usage) == 0) {
		b->result.user_us = timeval_us(usage.ru_utime);
		b->result.sys_us = timeval_us(usage.ru_stime);
		b->result.max_rss_kib = usage.ru_maxrss;
	}
	b->result.wall_us = now_us() - b->started_us;
}

void end_now(struct box *b)
{
	bool all;
	int r = 0;

	b->ended = true;
	exec_box_ends(b);
	all = b->plan->flags & (WIRE_ACCOUNT | WIRE_SUBREAPER) ? reap_everything(b) : nobody_is_left();
	if (b->command > 0 || b->idle) { /* dies with us, see below */
		b->result.signal = SIGKILL;
		b->result.exit_code = -1;
	}
	count_usage(b, all);
	/* The front has stopped with the command, in our group: it has the end to tell now. */
	if ((b->stopped || b->front_told) && (b->plan->flags & WIRE_SHARED_GROUP))
		(void)kill(0, SIGCONT);
	if (!b->front_gone)
		box_send_result(b);
	else
		r = report_write(b);
	if (r < 0 && alone_of(b) != NULL) /* else nobody is left to hear of it */
		alone_say_no_report(alone_of(b), -r);
	/* As PID 1: and the kernel kills and reaps whatever is left (R8). */
	_exit(alone_of(b) != NULL ? alone_status(b) : 0);
}

/* ------------------------------------------------------------ the command has ended */

/* What becomes of the rest, once it is known who leaked. */
static void decide_for_the_rest(struct box *b)
{
	b->deadline[DEADLINE_LEAK_GRACE] = 0;
	if (b->plan->flags & WIRE_ACCOUNT)
		survey_leaks(b);
	switch ((enum pidbox_on_exit)b->plan->on_exit) {
	case PIDBOX_ON_EXIT_KILL:
		end_now(b);
	case PIDBOX_ON_EXIT_TERM:
		rest_signal(b, SIGTERM);
		rest_signal(b, SIGCONT);
		if (b->deadline[DEADLINE_GRACE] == 0)
			b->deadline[DEADLINE_GRACE] = later(now_us(), b->plan->grace_us);
		break;
	case PIDBOX_ON_EXIT_WAIT:
		break;
	}
}

/* The reason that the record gives: who asked for the end and got it, else how the command ended. */
static enum pidbox_reason reason_of(const struct box *b, int status)
{
	if (b->ending)
		return b->asked;
	if (WIFSIGNALED(status) && b->forwarded == WTERMSIG(status))
		return PIDBOX_REASON_KILLED;
	return WIFSIGNALED(status) ? PIDBOX_REASON_SIGNALED : PIDBOX_REASON_EXITED;
}

void end_command_ended(struct box *b, int status)
{
	b->result.reason = reason_of(b, status);
	if (WIFSIGNALED(status)) {
		b->result.signal = WTERMSIG(status);
		b->result.core_dumped = WCOREDUMP(status);
	} else {
		b->result.exit_code = WEXITSTATUS(status);
	}
	if (b->result.reason != PIDBOX_REASON_KILLED)
		b->result.ended_by_signal = 0;
	if (b->ended)
		return;
	if (!(b->plan->flags & WIRE_ACCOUNT)) {
		b->result.leaked_total = nobody_is_left() ? 0 : -1;
		decide_for_the_rest(b);
		return;
	}
	b->deadline[DEADLINE_LEAK_GRACE] = later(now_us(), b->plan->leak_grace_us);
}

/* As a command would that has no handlers: the signal ends it, and --on-exit decides for what others have started. */
void end_idle(struct box *b, int sig)
{
	b->idle = false;
	b->forwarded = sig;
	b->children = true; /* perhaps nobody is left */
	end_command_ended(b, sig);
}

/* ------------------------------------------------------------ somebody wants it to end */

void end_begin(struct box *b, enum pidbox_reason why, int64_t grace_us)
{
	int64_t at = later(now_us(), grace_us);
	bool again = b->ending;

	if (!again) {
		b->ending = true;
		b->asked = why;
	}
	/* A time limit ends the box however the command reacted, even when that has ended already. */
	if (!again && (b->command > 0 || b->idle || why == PIDBOX_REASON_TIMEOUT || why == PIDBOX_REASON_CPU_TIME))
		b->result.reason = why;
	if (b->asked != PIDBOX_REASON_KILLED)
		b->result.ended_by_signal = 0;
	b->deadline[DEADLINE_TIMEOUT] = b->deadline[DEADLINE_CPU] = 0;
	/* The earlier end wins; asking twice does not buy time. */
	if (b->deadline[DEADLINE_GRACE] == 0 || at < b->deadline[DEADLINE_GRACE])
		b->deadline[DEADLINE_GRACE] = at;
	if (grace_us > 0) {
		signals_stop_command(b);
		return;
	}
	end_check_deadlines(b);
}

/* sysconf(3) would bring all that it knows along. */
static int64_t usable_cpus(void)
{
	unsigned long set[1024 / sizeof(long)];
	long n = sys_call(SYS_sched_getaffinity, 0, sizeof(set), set) / (long)sizeof(long);
	int64_t cpus = 0;

	while (n > 0)
		cpus += __builtin_popcountl(set[--n]);
	return cpus > 0 ? cpus : 1;
}

static void check_cpu(struct box *b, int64_t now)
{
	enum { LOOK_AGAIN_AT_LEAST_US = 2000 };
	int64_t left = b->plan->cpu_time_us - survey_cpu_us(b);

	b->deadline[DEADLINE_CPU] = 0;
	if (left <= 0) {
		end_begin(b, PIDBOX_REASON_CPU_TIME, b->plan->grace_us);
		return;
	}
	/* With all CPUs at work the limit cannot be reached before this. */
	left /= usable_cpus();
	b->deadline[DEADLINE_CPU] = now + (left > LOOK_AGAIN_AT_LEAST_US ? left : LOOK_AGAIN_AT_LEAST_US);
}

void end_check_deadlines(struct box *b)
{
	int64_t now;

	if (end_next_deadline(b) == 0)
		return;
	now = now_us();
	if (b->deadline[DEADLINE_GRACE] != 0 && now >= b->deadline[DEADLINE_GRACE]) {
		/* Without a front it is a signal that has asked for the end (alone_signals.c). */
		if (!b->ending && b->command > 0) {
			b->ending = true;
			b->asked = b->result.reason = PIDBOX_REASON_KILLED;
		}
		end_now(b);
	}
	if (b->deadline[DEADLINE_LEAK_GRACE] != 0 && now >= b->deadline[DEADLINE_LEAK_GRACE])
		decide_for_the_rest(b);
	if (alone_of(b) != NULL && b->deadline[DEADLINE_LOOK] != 0 && now >= b->deadline[DEADLINE_LOOK])
		alone_look(b);
	if (b->deadline[DEADLINE_TIMEOUT] != 0 && now >= b->deadline[DEADLINE_TIMEOUT]) {
		b->deadline[DEADLINE_TIMEOUT] = 0;
		end_begin(b, PIDBOX_REASON_TIMEOUT, b->plan->grace_us);
	}
	if (b->deadline[DEADLINE_CPU] != 0 && now >= b->deadline[DEADLINE_CPU])
		check_cpu(b, now);
}
