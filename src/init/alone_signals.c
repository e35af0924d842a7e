/* SPDX-License-Identifier: MIT */
/*
 * Signals without a front, and the terminal.
 *
 * The command has a process group of its own, so what is sent to us, or to our group, has not reached it, and goes to
 * it exactly once. What is typed at the terminal goes to the group in its foreground, which is the command's where we
 * could give it: to PID 1 of a container with a terminal, and in a shell's job that is nothing but us. In a pipeline
 * that would stop the other members, so there the command stays in our group; what the kernel sends to that, the
 * command has got itself.
 */
#include "init/alone.h"

#include "base/util.h"
#include "kern/sig.h"

#include <sys/ioctl.h>

static bool is_terminal(int fd)
{
	int unused;

	return ioctl(fd, TIOCGPGRP, &unused) == 0;
}

/* The group in the foreground of our session's terminal. */
static pid_t foreground(int fd)
{
	pid_t group;

	return ioctl(fd, TIOCGPGRP, &group) == 0 ? group : -1;
}

/* SIGTTOU is blocked, so that it does not stop us for this (tcsetpgrp(3)). */
static void give_foreground(int fd, pid_t group)
{
	(void)ioctl(fd, TIOCSPGRP, &group);
}

int alone_terminal(const struct alone *a)
{
	pid_t group = foreground(STDIN_FILENO);
	bool whole_job = getsid(0) == getpid() || is_terminal(STDOUT_FILENO);

	if (group < 0 || a->placement == PLACE_SAME_GROUP)
		return -1;
	if (a->placement == PLACE_SESSION || a->manner != MANNER_OWN)
		return STDIN_FILENO;
	return group == getpgrp() && whole_job ? STDIN_FILENO : -1;
}

/* A session leader that gives its terminal up gets SIGHUP and SIGCONT for it (tty_ioctl(2)): nobody has sent those. */
void alone_leave_terminal(void)
{
	const sigbits hangup = SIGBIT(SIGHUP) | SIGBIT(SIGCONT);
	siginfo_t info;

	if (ioctl(STDIN_FILENO, TIOCNOTTY) < 0 || getsid(0) != getpid())
		return;
	while (sys_take_pending(hangup, &info) > 0)
		continue;
}

static bool stops(int sig)
{
	return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* Stop as a command would whose parent is a shell. PID 1 has no such parent, and the kernel does not stop it. */
static void stop_self(int sig)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;

	if (!stops(sig)) {
		(void)kill(getpid(), SIGSTOP);
		return;
	}
	(void)sigaction(sig, &act, &old);
	(void)kill(getpid(), sig);
	(void)sig_set_mask(SIGBITS_ALL & ~SIGBIT(sig)); /* here we stop */
	(void)sig_set_mask(SIGBITS_ALL);
	(void)sigaction(sig, &old, NULL);
}

void alone_stopped(struct box *b, int sig)
{
	struct alone *a = b->alone;

	if (getpid() == 1 || a->manner != MANNER_OWN)
		return;
	if (a->in_foreground)
		give_foreground(b->plan->tty_fd, getpgrp());
	stop_self(sig);
}

/* The shell that lets us go on has given the terminal to us, or not (bg). */
static void go_on(struct box *b)
{
	if (b->alone->in_foreground && foreground(b->plan->tty_fd) == getpgrp())
		give_foreground(b->plan->tty_fd, b->command);
}

/* With --grace a request to end is the beginning of the end. */
static void note_request(struct box *b, int sig)
{
	if (b->alone->has_grace && (sig == SIGTERM || sig == b->plan->stop_signal) && b->deadline[DEADLINE_GRACE] == 0)
		b->deadline[DEADLINE_GRACE] = later(now_us(), b->plan->grace_us);
}

void alone_signal(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value)
{
	struct alone *a = b->alone;

	/* A write of ours to where nobody reads, or over RLIMIT_FSIZE. */
	if ((sig == SIGPIPE || sig == SIGXFSZ) && sender == getpid())
		return;
	if (code == SI_KERNEL && b->command > 0 && getpgid(b->command) == getpgid(0))
		return;
	alone_say_signal(a, sig);
	if (sig == SIGCONT && b->command > 0)
		go_on(b);
	note_request(b, sig);
	signals_pass_on(b, sig, code == SI_QUEUE, value, sender, uid);
	if (a->manner == MANNER_DUMB_INIT && stops(sig))
		(void)kill(getpid(), SIGSTOP);
}
