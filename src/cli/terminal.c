/* SPDX-License-Identifier: MIT */
/*
 * The caller's terminal. A shell inside takes the foreground for its jobs and cannot give it back when it ends: the
 * group that had it does not exist in its PID namespace. The front stands outside, remembers group and modes, and puts
 * them right at the end.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

struct terminal {
	int fd;               /* our own, above 2 */
	bool foreground;      /* our group had it at the start */
	struct termios modes; /* at the start */
	bool raw;
};

struct terminal *terminal_save(void)
{
	static struct terminal t;

	for (int fd = 0; fd <= 2; fd++) {
		if (tcgetattr(fd, &t.modes) < 0)
			continue;
		t.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		t.foreground = tcgetpgrp(fd) == getpgrp();
		return t.fd >= 0 ? &t : NULL;
	}
	return NULL;
}

int terminal_fd(const struct terminal *t)
{
	return t != NULL ? t->fd : -1;
}

static bool group_is_gone(pid_t group)
{
	return group <= 0 || (kill(-group, 0) < 0 && errno == ESRCH);
}

/*
 * All signals are blocked here, so that SIGTTOU does not stop us for this. Another group that is alive is the shell's
 * doing (Ctrl-Z and bg): then nothing here is ours to change.
 */
void terminal_restore(struct terminal *t)
{
	struct termios now;
	pid_t group;

	if (t == NULL)
		return;
	group = tcgetpgrp(t->fd);
	if (t->foreground && group != getpgrp()) {
		if (!group_is_gone(group))
			return;
		(void)tcsetpgrp(t->fd, getpgrp());
	}
	if (tcgetpgrp(t->fd) != getpgrp())
		return;
	if (tcgetattr(t->fd, &now) == 0 && memcmp(&now, &t->modes, sizeof(now)) != 0)
		(void)tcsetattr(t->fd, TCSANOW, &t->modes);
	t->raw = false;
}

static void set_blocked(int sig, bool blocked)
{
	uint64_t bit = UINT64_C(1) << (sig - 1);

	(void)syscall(SYS_rt_sigprocmask, blocked ? SIG_BLOCK : SIG_UNBLOCK, &bit, NULL, sizeof(bit));
}

static bool is_stopped(pid_t pid)
{
	char path[48], text[512];
	const char *p;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return kill(pid, 0) == 0 || errno != ESRCH; /* it cannot be seen: believe the init */
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	return p != NULL && p[1] != '\0' && p[2] == 'T'; /* no text: it has ended (proc_pid_stat(5), ESRCH) */
}

/* Somebody may have let it go on since the init told us: then we have nothing to wait for. */
static bool goes_on(const struct pidbox_info *box)
{
	return box != NULL && box->command_pid > 0 && !is_stopped(box->command_pid);
}

/*
 * Stop as by this signal, which the shell then shows. Where the kernel would ignore it, by SIGSTOP.
 * A SIGCONT to our group that comes after our signal discards it; one that came before has let the command go on, once
 * its delivery is complete (setpgid waits for that: finish_group_deliveries in core/follow.c).
 */
static void stop(int sig, const struct pidbox_info *box)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;
	const uint64_t bit = UINT64_C(1) << (sig - 1);
	const struct timespec now = { 0, 0 };

	if (sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU) {
		(void)kill(getpid(), SIGSTOP);
		return;
	}
	(void)sigaction(sig, &act, &old);
	(void)kill(getpid(), sig); /* pending; one with what the terminal has sent us already */
	(void)setpgid(0, getpgrp());
	if (goes_on(box)) {
		(void)syscall(SYS_rt_sigtimedwait, &bit, NULL, &now, sizeof(bit));
	} else {
		set_blocked(sig, false); /* here we stop */
		set_blocked(sig, true);
	}
	(void)sigaction(sig, &old, NULL);
}

/* Is it a process group of the box? Then its leader is in the box's PID namespace. */
static bool group_of_box(pid_t group, const struct pidbox_info *box)
{
	char path[48];
	struct stat ns;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)group);
	return group > 0 && stat(path, &ns) == 0 && ns.st_ino == box->pid_namespace;
}

/* box: whose command was stopped, NULL: it is only we who are to stop. */
void terminal_stop_self(struct terminal *t, int sig, const struct pidbox_info *box)
{
	pid_t group = t != NULL ? tcgetpgrp(t->fd) : -1;

	if (goes_on(box))
		return;
	stop(sig, box);
	/* A job of a shell inside had the terminal, and the shell outside has given it to us: it is for that job. */
	if (t != NULL && box != NULL && group_of_box(group, box) && tcgetpgrp(t->fd) == getpgrp())
		(void)tcsetpgrp(t->fd, group);
}

void terminal_raw(struct terminal *t)
{
	struct termios raw;

	if (t == NULL)
		return;
	/* In the background: wait until the shell brings us forward, as any program that changes modes does. */
	for (int tries = 0; tcgetpgrp(t->fd) != getpgrp() && tries < 3; tries++)
		stop(SIGTTOU, NULL);
	if (!t->raw)
		(void)tcgetattr(t->fd, &t->modes);
	raw = t->modes;
	cfmakeraw(&raw);
	(void)tcsetattr(t->fd, TCSANOW, &raw);
	t->raw = true;
}

void terminal_copy_size(int master)
{
	struct winsize size;

	for (int fd = 0; fd <= 2; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
			(void)ioctl(master, TIOCSWINSZ, &size);
			return;
		}
	}
}

/*
 * With a terminal of its own the box is in another session: nothing reaches it but by us. What is about our own
 * terminal, its size and who has it, is done here. @return false: it is to be passed on
 */
bool terminal_took_signal(struct terminal *t, int master, int sig)
{
	switch (sig) {
	case SIGWINCH:
		terminal_copy_size(master);
		return true;
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		terminal_restore(t);
		terminal_stop_self(NULL, SIGTSTP, NULL);
		break;
	case SIGCONT: /* somebody had stopped us by SIGSTOP: the shell has its own modes now */
		break;
	default:
		return false;
	}
	terminal_raw(t);
	terminal_copy_size(master);
	return true;
}
