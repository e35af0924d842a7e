/* SPDX-License-Identifier: MIT */
/*
 * What is passed on to the command, and how often.
 *
 * Without a terminal of its own a box shares the process group of its front (so that pipelines and job control are as
 * without pidbox): front, init and, until it moves away, the command. What is sent to that group reaches all three,
 * what is sent to the front reaches the front alone, and a siginfo does not tell which it was. The init is the witness:
 *
 *   - The front that got one asks the init (MSG_CLAIM), after making sure that a delivery to its group that was under
 * way is complete. If the init got it too, it was for the group, and the command, when it is in the group still, has it
 * already; else the front passes it on (MSG_SIGNAL). (Of the kernel's own signals Ctrl-C goes to the group, a hang-up
 * to a front that leads the session alone.)
 *   - Standard signals coalesce while they are pending, and two that come at once may be one for the front and two for
 *     the init, or the other way round. So a claim takes all that the init has got, and the front asks again until it
 *     has none pending itself. Real-time signals are queued one by one, and are claimed one by one.
 *   - The init got one that the front does not ask about: it says so (MSG_ECHO). The front claims what it has pending
 * and then answers; when the init's one is still unclaimed then, it was for the init alone, and goes to the command.
 *
 * In a group of its own (-t, the library) the init simply passes on what it gets.
 */
#include "init/init.h"

#include "kern/sig.h"

#include <sys/signalfd.h>

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
	msg.value = b->echo[sig].got++;
	box_send(b, &msg, WIRE_HEAD, 0);
}

/*
 * What the group got until now, the command, which is not there yet, has not got: it is no witness of anything. The
 * front finds it unclaimed and passes it on. Called right before the vfork; from there on the kernel gives the new
 * process what its group gets (copy_process, "multiprocess" signals).
 */
void signals_before_start(struct box *b)
{
	struct signalfd_siginfo info[16];

	while (read(b->signals, info, sizeof(info)) == (ssize_t)sizeof(info))
		continue;
}

/* The front got this signal. Did we? Then it was for the group. */
void signals_claimed(struct box *b, const struct wire_msg *ask)
{
	int sig = ask->signal;
	struct wire_msg answer = { .type = MSG_CLAIMED, .signal = sig };
	struct echo *echo;

	if (sig < 1 || sig > SIG_MAX)
		return;
	/* What the group got, we have got by now, but perhaps not read. */
	loop_take_signals(b);
	echo = &b->echo[sig];
	if (echo->claimed < echo->got) {
		echo->claimed = sig < SIG_RTMIN_KERNEL ? echo->got : echo->claimed + 1;
		answer.group = ask->kernel || command_is_in_our_group(b);
		if (answer.group)
			note_sender(b, sig, sig, ask->sender_pid, ask->sender_uid);
		answer.value = 1;
	}
	box_send(b, &answer, WIRE_HEAD, 0);
}

void signals_requested(struct box *b, const struct wire_msg *msg)
{
	if (msg->signal >= 1 && msg->signal <= SIG_MAX)
		pass_on(b, msg->signal, msg->queued, msg->sigval, msg->sender_pid, msg->sender_uid);
}

/* value: number of the one that we asked about */
void signals_echo_answered(struct box *b, const struct wire_msg *msg)
{
	int sig = msg->signal;

	if (sig < 1 || sig > SIG_MAX || msg->value < b->echo[sig].claimed)
		return; /* the front has claimed it meanwhile */
	b->echo[sig].claimed = msg->value + 1;
	if (!msg->kernel)
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
