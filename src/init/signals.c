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
 *   - A stop signal discards a SIGCONT that is pending, and the other way round, so front and init may see different
 *     halves of a pair that came closely: the half that the other has lost is not passed on (is_overtaken, here and in
 *     core/follow.c).
 *
 * With a terminal of its own the box is in a session of its own, and without a front that forwards (the library) the
 * init leaves the group: there it simply passes on what it gets.
 */
#include "init/alone.h"

#include "kern/sig.h"

#include <string.h>
#include <ucontext.h>

enum { SIG_RTMIN_KERNEL = 32 }; /* the first that is queued, whatever the C library keeps for itself */

/* Signals whose default action ends a process, as far as a sender means that by them (signal(7)). */
bool signals_end_by_default(int sig)
{
	const sigbits harmless = SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) |
				 SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU) | SIGBIT(SIGSTOP);

	return !(harmless & SIGBIT(sig));
}

/* @return 0 or -errno */
static int deliver(struct box *b, int sig, bool queued, int64_t value)
{
	siginfo_t info = { .si_signo = sig };
	pid_t to = b->command;

	/* With the command gone (--on-exit term, wait) the rest of the box is meant. */
	if (to == 0) {
		rest_signal(b, sig);
		return 0;
	}
	if ((b->plan->flags & WIRE_TO_GROUP) && kill(-to, sig) == 0)
		return 0;
	if (queued) {
		info.si_code = SI_QUEUE;
		info.si_pid = getpid();
		info.si_uid = getuid();
		info.si_value.sival_ptr = (void *)(intptr_t)value;
		if (sys_rt_sigqueueinfo(to, sig, &info) == 0)
			return 0;
	}
	return sys_ret(kill(to, sig));
}

/* Remember who last asked the command to end, and by what: it may die of it. */
static void note_sender(struct box *b, int sig, int mapped, pid_t sender, int64_t uid)
{
	if (!signals_end_by_default(mapped) || b->command == 0)
		return;
	b->forwarded = mapped;
	if (b->ending)
		return;
	b->result.ended_by_signal = sig;
	b->result.ended_by_pid = sender;
	b->result.ended_by_uid = uid;
}

/* To a box without a command. */
static void pass_to_idle(struct box *b, int sig, int mapped, pid_t sender, int64_t uid)
{
	if (!signals_end_by_default(mapped))
		return;
	if (!b->ending) {
		b->result.ended_by_signal = sig;
		b->result.ended_by_pid = sender;
		b->result.ended_by_uid = uid;
	}
	end_idle(b, mapped);
}

void signals_pass_on(struct box *b, int sig, bool queued, int64_t value, pid_t sender, int64_t uid)
{
	int mapped = b->plan->signal_map[sig];

	if (mapped == 0)
		return;
	if (b->idle) {
		pass_to_idle(b, sig, mapped, sender, uid);
		return;
	}
	note_sender(b, sig, mapped, sender, uid);
	if (deliver(b, mapped, queued, value) == -EPERM && alone_of(b) != NULL)
		alone_say_lost(alone_of(b), mapped, LOST_REFUSED, false);
}

static bool command_is_in_our_group(const struct box *b)
{
	return b->command > 0 && getpgid(b->command) == getpgid(0);
}

/* Ask about what has come and is not accounted for: once at a time for each signal, so that a flood fills no socket. */
static void ask_front(struct box *b, int sig)
{
	struct echo *echo = &b->echo[sig];
	struct wire_msg msg = {
		.type = MSG_ECHO,
		.signal = sig,
		.value = echo->got - 1,
		.kernel = echo->kernel,
	};

	if (!echo->asked && echo->claimed < echo->got)
		echo->asked = box_try_send(b, &msg);
}

void signals_received(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value)
{
	if (alone_of(b) != NULL) {
		alone_signal(b, sig, code, sender, uid, value);
		return;
	}
	if (!(b->plan->flags & WIRE_SHARED_GROUP) || b->front_gone) {
		if (code != SI_KERNEL)
			signals_pass_on(b, sig, code == SI_QUEUE, value, sender, uid);
		return;
	}
	b->echo[sig].got++;
	b->echo[sig].kernel = code == SI_KERNEL;
	b->echo[sig].order = ++b->n_received;
	if (sig == SIGCONT)
		b->front_told = false; /* it is in our group, and has been woken with us */
	ask_front(b, sig);
}

void signals_take_one(struct box *b, int sig)
{
	siginfo_t info;

	if (sys_take_pending(SIGBIT(sig), &info) == sig)
		loop_take_signal(b, sig, info.si_code, info.si_pid, info.si_uid, (int64_t)info.si_value.sival_ptr);
}

/* ------------------------------------------------------------ the start */

static struct box *starting;

/* What comes at the start: see signals_open_window. */
static void at_the_start(int sig, siginfo_t *info, void *context)
{
	const sigbits all = SIGBITS_ALL;
	ucontext_t *at = context;
	bool inside_init = getpid() == 1;

	if (inside_init && !starting->start->forked)
		return;
	if (!inside_init && starting->start->mask_is_set) {
		/* The mask is the command's already, and an exec would put the default back, too. */
		(void)signal(sig, SIG_DFL);
		(void)kill(getpid(), sig);
		return;
	}
	(void)sys_rt_sigqueueinfo(getpid(), sig, info);
	memcpy(&at->uc_sigmask, &all, sizeof(all));
}

/*
 * A signal to the group that comes while the command is started must have reached both the command and us, its
 * witness, or neither: then the front finds it unclaimed, and passes it on. While all signals are blocked nobody can
 * tell what came just before the fork from what came just after it. So they are let in for the fork. The kernel
 * delivers to a process before it forks what has come until then, and gives to the child what comes meanwhile
 * (copy_process in kernel/fork.c, "multiprocess" signals):
 *
 *   in the init before the fork    dropped
 *   in the init after it           put back, for the signalfd
 *   in the child                   put back; it gets it as a signal of the command's when its mask is set
 *
 * What the caller ignores or blocks stays so. Signals of our own faults cannot be let in: they would come again and
 * again. The handler is left in place: from here on the init blocks everything for ever.
 */
void signals_open_window(struct box *b)
{
	/* SIGCHLD does nothing to a command that has not been executed yet, and mostly it is the command's own end. */
	const sigbits never = SIGBIT(SIGKILL) | SIGBIT(SIGSTOP) | SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) |
			      SIGBIT(SIGFPE) | SIGBIT(SIGTRAP) | SIGBIT(SIGSYS) | SIGBIT(SIGCHLD);
	struct sigaction act = { .sa_sigaction = at_the_start, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction old = { .sa_handler = SIG_DFL };
	sigbits blocked = never | b->plan->signal_mask;

	if (!(b->plan->flags & WIRE_SHARED_GROUP))
		return;
	starting = b;
	(void)sigfillset(&act.sa_mask);
	for (int sig = 1; sig <= SIG_MAX; sig++) {
		if (blocked & SIGBIT(sig))
			continue;
		if (sigaction(sig, &act, &old) == 0 && old.sa_handler != SIG_IGN)
			continue;
		/* Ignored, or one that the C library keeps for itself. */
		(void)sigaction(sig, &old, NULL);
		blocked |= SIGBIT(sig);
	}
	(void)sig_set_mask(blocked);
}

/* In the child. */
void signals_started(struct box *b)
{
	b->start->forked = true;
	(void)sig_block_all(NULL);
}

/*
 * The command has been started. Without a front that forwards nobody witnesses anything: what a group gets, the
 * command gets by itself, and the init leaves that group so as to pass on what is for the init alone.
 */
void signals_close_window(struct box *b)
{
	(void)sig_block_all(NULL);
	if ((b->plan->flags & WIRE_SHARED_GROUP) || alone_of(b) != NULL)
		return; /* alone: what came before the start is for the command, too */
	(void)setpgid(0, 0);
	loop_drop_signals(b);
}

/* ------------------------------------------------------------ the witness */

/* The front got this signal. Did we? Then it was for the group. */
void signals_claimed(struct box *b, const struct wire_msg *ask)
{
	int sig = ask->signal;
	struct wire_msg answer = { .type = MSG_CLAIMED, .signal = sig };
	struct echo *echo;

	if (sig < 1 || sig > SIG_MAX)
		return;
	/* What the group got, we have got by now, but perhaps not taken. */
	signals_take_one(b, sig);
	echo = &b->echo[sig];
	if (echo->claimed < echo->got) {
		echo->claimed = sig < SIG_RTMIN_KERNEL ? echo->got : echo->claimed + 1;
		answer.group = ask->kernel || command_is_in_our_group(b);
		if (answer.group)
			note_sender(b, sig, sig, ask->sender_pid, ask->sender_uid);
		answer.value = 1;
	}
	front_send(b, &answer, WIRE_HEAD, 0);
}

void signals_requested(struct box *b, const struct wire_msg *msg)
{
	if (msg->signal >= 1 && msg->signal <= SIG_MAX)
		signals_pass_on(b, msg->signal, msg->queued, msg->sigval, msg->sender_pid, msg->sender_uid);
}

/* Has a SIGCONT come since this stop signal, or the other way round? The front has lost this one then (follow.c). */
static bool is_overtaken(struct box *b, int sig)
{
	for (int by = SIGCONT; by <= SIGTTOU; by++) {
		if (!(sig_discarded_by(sig) & SIGBIT(by)))
			continue;
		signals_take_one(b, by);
		if (b->echo[by].order > b->echo[sig].order)
			return true;
	}
	return false;
}

/* value: number of the last one that we asked about. What of them is unclaimed was for us alone. */
void signals_echo_answered(struct box *b, const struct wire_msg *msg)
{
	int sig = msg->signal;
	struct echo *echo;

	if (sig < 1 || sig > SIG_MAX)
		return;
	echo = &b->echo[sig];
	echo->asked = false;
	while (echo->claimed <= msg->value && echo->claimed < echo->got) {
		echo->claimed = sig < SIG_RTMIN_KERNEL ? msg->value + 1 : echo->claimed + 1;
		if (!msg->kernel && !is_overtaken(b, sig))
			signals_pass_on(b, sig, false, 0, 0, -1);
	}
	ask_front(b, sig);
}

/* Ask the command to end. A stopped one could not hear it. */
void signals_stop_command(struct box *b)
{
	int sig = b->plan->signal_map[b->plan->stop_signal];

	if (b->idle && sig != 0 && signals_end_by_default(sig))
		end_idle(b, sig);
	if (b->command == 0 || sig == 0)
		return;
	b->forwarded = sig;
	(void)kill(b->command, sig);
	(void)kill(b->command, SIGCONT);
}
