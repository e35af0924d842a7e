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

#include "base/io.h"
#include "base/util.h"
#include "kern/sig.h"

#include <sys/ioctl.h>

static bool is_terminal(int fd)
{
	char modes[64]; /* the kernel's struct termios, 36 or 60 bytes */

	return ioctl(fd, TCGETS, modes) == 0;
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

/* Whose descriptor it is, or -1. */
static int terminal_of(const struct alone *a)
{
	bool whole_job = getsid(0) == getpid() || is_terminal(STDOUT_FILENO);
	pid_t group;

	if (a->placement == PLACE_SAME_GROUP || !is_terminal(STDIN_FILENO))
		return -1;
	if (a->placement == PLACE_SESSION || a->manner != MANNER_OWN)
		return STDIN_FILENO;
	group = foreground(STDIN_FILENO);
	return group == getpgrp() && whole_job ? STDIN_FILENO : -1;
}

bool alone_has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

int alone_open_terminal(const struct alone *a)
{
	int fd = -1;

	/* It asks for the session's, wherever standard input comes from. */
	if (a->manner == MANNER_CATATONIT)
		fd = io_above_stdio(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (fd < 0)
		fd = terminal_of(a);
	return fd >= 0 && fd < 3 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;
}

/* A session leader that gives its terminal up gets SIGHUP and SIGCONT for it (tty_ioctl(2)): nobody has sent those. */
void alone_leave_terminal(struct alone *a)
{
	const sigbits hangup = SIGBIT(SIGHUP) | SIGBIT(SIGCONT);
	siginfo_t info;

	a->detached = ioctl(STDIN_FILENO, TIOCNOTTY) < 0 ? errno : 0;
	if (a->detached != 0 || getsid(0) != getpid())
		return;
	while (sys_take_pending(hangup, &info) > 0)
		continue;
}

static bool stops(int sig)
{
	return ALONE_STOPS & SIGBIT(sig);
}

/* Stop as a command would whose parent is a shell. PID 1 has no such parent, and the kernel does not stop it. */
static void stop_self(int sig)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;
	sigbits pending = 0;

	if (!stops(sig)) {
		(void)kill(getpid(), SIGSTOP);
		return;
	}
	(void)sigaction(sig, &act, &old);
	(void)kill(getpid(), sig);
	(void)sig_set_mask(SIGBITS_ALL & ~SIGBIT(sig)); /* here we stop */
	(void)sig_set_mask(SIGBITS_ALL);
	(void)sigaction(sig, &old, NULL);
	/* Of a group that has no shell above it the kernel ignores them. Who was stopped has a SIGCONT now. */
	(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	if (!(pending & SIGBIT(SIGCONT)))
		(void)kill(getpid(), SIGSTOP);
}

bool alone_hears_of_stops(const struct alone *a)
{
	return a->manner == MANNER_OWN && getpid() != 1;
}

void alone_stopped(struct box *b, int sig)
{
	struct alone *a = b->alone;

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

/* Who has started us goes on with the terminal, a script as well as a shell. */
void alone_return_terminal(const struct box *b)
{
	const struct alone *a = b->alone;

	if (a->manner == MANNER_OWN && a->placement == PLACE_OWN_GROUP && b->plan->tty_fd >= 0 && getpid() != 1)
		give_foreground(b->plan->tty_fd, getpgrp());
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
	alone_say_signal(a, sig);
	if (sig == SIGCONT && b->command > 0)
		go_on(b);
	note_request(b, sig);
	/* What is typed has reached the whole group. */
	if (code != SI_KERNEL)
		alone_expect(b, sig);
	if (code != SI_KERNEL || b->command == 0 || getpgid(b->command) != getpgid(0))
		signals_pass_on(b, sig, code == SI_QUEUE, value, sender, uid);
	if (a->manner == MANNER_DUMB_INIT && stops(sig))
		(void)kill(getpid(), SIGSTOP);
}
