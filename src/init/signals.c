/* SPDX-License-Identifier: MIT */
/*
 * What is passed on to the command, and how often.
 *
 * Without a terminal of its own a box shares the process group of its front (so that pipelines and job control are as
 * without pidbox): front, init and, until it moves away, the command. What is sent to that group reaches all three,
 * what is sent to the front reaches the front alone, and a siginfo does not tell which it was. The init is the witness:
 *
 *   - The front passes on every signal that it gets (MSG_SIGNAL, group = 1). Before that it has made sure that a
 *     delivery to its group that was under way is complete. If the init got that signal too, it was for the group,
 *     and the command, when it is in the group still, has it already. (Of the kernel's own signals Ctrl-C goes to the
 *     group, a hang-up to a front that leads the session alone.)
 *   - The init got one that the front has not passed on: it asks (MSG_ECHO). The front sends what it has pending and
 *     then answers; when the init's one is still unmatched then, it was for the init alone, and goes to the command.
 *   - Two that come at once may be one for the front and two for the init, or the other way round: standard signals
 *     coalesce while they are pending. The times of reading tell: what was read later covers all that was sent before.
 *     Real-time signals are queued one by one, and are counted one by one.
 *
 * In a group of its own (-t, the library) the init simply passes on what it gets.
 */
#include "init/init.h"

#include "base/util.h"
#include "kern/sig.h"

enum { SIG_RTMIN_KERNEL = 32 }; /* the first that is queued, whatever the C library keeps for itself */

#ifndef SI_KERNEL
#define SI_KERNEL 0x80
#endif

/* Signals whose default action ends a process, as far as a sender means that by them (signal(7)). */
static bool ends_by_default(int sig)
{
	const sigbits harmless = SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) |
				 SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU) | SIGBIT(SIGSTOP);

	return !(harmless & SIGBIT(sig));
}

static void deliver(struct box *b, int sig, bool queued, int64_t value)
{
	/* With the command gone (--on-exit term, wait) the rest of the box is meant. */
	pid_t to = b->command > 0 ? b->command : -1;
	siginfo_t info = { .si_signo = sig };

	if (queued && to > 0) {
		info.si_code = SI_QUEUE;
		info.si_pid = getpid();
		info.si_uid = getuid();
		info.si_value.sival_ptr = (void *)(intptr_t)value;
		if (sys_rt_sigqueueinfo(to, sig, &info) == 0)
			return;
	}
	(void)kill(to, sig);
}

/* Remember who last asked the command to end, and by what: it may die of it. */
static void note_sender(struct box *b, int sig, int mapped, pid_t sender, int64_t uid)
{
	if (!ends_by_default(mapped) || b->command == 0)
		return;
	b->forwarded = mapped;
	if (b->ending)
		return;
	b->result.ended_by_signal = sig;
	b->result.ended_by_pid = sender;
	b->result.ended_by_uid = uid;
}

static void pass_on(struct box *b, int sig, bool queued, int64_t value, pid_t sender, int64_t uid)
{
	int mapped = b->plan->signal_map[sig];

	if (mapped == 0)
		return;
	note_sender(b, sig, mapped, sender, uid);
	deliver(b, mapped, queued, value);
}

static bool command_is_in_our_group(const struct box *b)
{
	return b->command > 0 && getpgid(b->command) == getpgid(0);
}

void signals_received(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value)
{
	struct wire_msg msg = { .type = MSG_ECHO, .signal = sig };

	if (!(b->plan->flags & WIRE_SHARED_GROUP) || b->front_gone) {
		if (code != SI_KERNEL)
			pass_on(b, sig, code == SI_QUEUE, value, sender, uid);
		return;
	}
	msg.kernel = code == SI_KERNEL;
	b->echo[sig].last_us = now_us();
	msg.value = b->echo[sig].got++;
	msg.us = b->echo[sig].last_us;
	box_send(b, &msg, WIRE_HEAD, 0);
}

/* Did the init get this signal of the front's too? Then it was for the group. */
static bool witnessed(struct box *b, const struct wire_msg *msg)
{
	struct echo *echo = &b->echo[msg->signal];

	/* What the group got, we have got by now, but perhaps not read. */
	loop_take_signals(b);
	if (echo->matched < echo->got) {
		echo->matched++;
		return true;
	}
	return msg->signal < SIG_RTMIN_KERNEL && echo->last_us >= msg->us;
}

void signals_requested(struct box *b, const struct wire_msg *msg)
{
	int sig = msg->signal;

	if (sig < 1 || sig > SIG_MAX)
		return;
	if (msg->group && witnessed(b, msg) && (msg->kernel || command_is_in_our_group(b)))
		note_sender(b, sig, sig, msg->sender_pid, msg->sender_uid);
	else
		pass_on(b, sig, msg->queued, msg->sigval, msg->sender_pid, msg->sender_uid);
}

/* value: which one was asked about; us: when the front last read this signal, 0: never */
void signals_echo_answered(struct box *b, const struct wire_msg *msg)
{
	int sig = msg->signal;
	struct echo *echo;

	if (sig < 1 || sig > SIG_MAX)
		return;
	echo = &b->echo[sig];
	if (msg->value < echo->matched)
		return; /* the front has passed it on meanwhile */
	echo->matched = msg->value + 1;
	if (msg->kernel || (sig < SIG_RTMIN_KERNEL && msg->us >= msg->sigval))
		return;
	pass_on(b, sig, false, 0, 0, -1);
}

/* Ask the command to end. A stopped one could not hear it. */
void signals_stop_command(struct box *b)
{
	int sig = b->plan->signal_map[b->plan->stop_signal];

	if (b->command == 0 || sig == 0)
		return;
	b->forwarded = sig;
	(void)kill(b->command, sig);
	(void)kill(b->command, SIGCONT);
}
