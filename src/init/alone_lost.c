/* SPDX-License-Identifier: MIT */
/*
 * A request to end that comes to nothing. Whoever sends one waits for the end, and gets it only by a SIGKILL after ten
 * seconds or so; here it is said why, a second after, for what may be seen from here:
 *
 *   - the command ignores it, or has not taken it: it is blocked, or the command is stopped
 *   - the command is somebody else's by now (signals.c)
 *   - and a second after the start: PID 1 is our parent and drops it (R7), a shell that is the entrypoint and has not
 *     executed us but started us
 *
 * What a signal map drops is meant to be dropped. What the kernel has dropped before we were there, or a SIGSTOP or
 * SIGKILL for PID 1 from inside, leaves no trace.
 */
#include "init/alone.h"

#include "base/util.h"
#include "kern/proc.h"
#include "kern/sig.h"

#include <string.h>

/* A hang-up is none: nohup(1) has it ignored on purpose, and to daemons it means something else. */
static bool asks_to_end(const struct box *b, int sig)
{
	return sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == b->plan->stop_signal;
}

static bool is_stopped(const struct proc_signals *s)
{
	return s->state == 'T' || s->state == 't';
}

void alone_watch(struct box *b)
{
	if (b->alone->manner == MANNER_OWN && getppid() == 1)
		b->deadline[DEADLINE_LOOK] = later(now_us(), US_PER_S);
}

/* Before it is passed on: some ignore a second request when they have taken the first. */
void alone_expect(struct box *b, int sig)
{
	struct alone *a = b->alone;
	const int mapped = a->signal_map[sig];
	struct proc_signals s;
	int proc;

	if (a->manner != MANNER_OWN || b->command <= 0 || mapped == 0 || !asks_to_end(b, sig))
		return;
	proc = rest_open_proc();
	if (proc < 0)
		return;
	if (proc_read_signals(proc, b->command, &s) == 0 &&
	    ((s.ignored | s.blocked) & SIGBIT(mapped) || is_stopped(&s))) {
		a->awaited = mapped;
		a->was_ignored = s.ignored & ~s.blocked & SIGBIT(mapped);
		b->deadline[DEADLINE_LOOK] = later(now_us(), US_PER_S);
	}
	(void)close(proc);
}

/* As a shell does that runs a script. An interactive one ignores the signal, and so means to live. */
static void look_at_parent(struct alone *a, int proc)
{
	struct proc_signals s;

	if (getppid() == 1 && proc_drops_signal(proc, 1, SIGTERM) && proc_read_signals(proc, 1, &s) == 0 &&
	    !(s.ignored & SIGBIT(SIGTERM)))
		alone_say_lost(a, SIGTERM, LOST_AT_PID1, false);
}

/* The dispositions that we were started with are ours still. */
static bool is_ignored_here(int sig)
{
	struct sigaction act;

	return sigaction(sig, NULL, &act) == 0 && act.sa_handler == SIG_IGN;
}

static void look_at_command(const struct box *b, int proc)
{
	struct alone *a = b->alone;
	const sigbits bit = SIGBIT(a->awaited);
	struct proc_signals s;

	if (b->command <= 0 || proc_read_signals(proc, b->command, &s) < 0)
		return;
	if ((s.pending & bit) && is_stopped(&s))
		alone_say_lost(a, a->awaited, LOST_STOPPED, false);
	else if (s.pending & s.blocked & bit)
		alone_say_lost(a, a->awaited, LOST_BLOCKED, b->plan->signal_mask & bit);
	else if (a->was_ignored && (s.ignored & bit) && proc_drops_signal(proc, b->command, a->awaited))
		alone_say_lost(a, a->awaited, LOST_IGNORED, is_ignored_here(a->awaited));
}

void alone_look(struct box *b)
{
	int proc = rest_open_proc();

	b->deadline[DEADLINE_LOOK] = 0;
	if (proc < 0)
		return;
	look_at_parent(b->alone, proc);
	if (b->alone->awaited != 0)
		look_at_command(b, proc);
	b->alone->awaited = 0;
	(void)close(proc);
}
