/* SPDX-License-Identifier: MIT */
/* The loop of `run` while its box runs: signals inwards, events outwards, and the box's own terminal both ways. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* One direction of the terminal: what has been read and not been written yet. */
struct flow {
	char buf[4096]; /* no more than a pipe takes in one piece when it is writable (PIPE_BUF) */
	size_t len, at;
	bool ended;
};

struct loop {
	struct relay *r;
	struct flow in, out;
	char last_in;        /* last byte that went inwards */
	bool eof_was_a_line; /* the end of our input went to a terminal that edited lines */
	bool result;
};

/* ------------------------------------------------------------ signals */

static void forward(struct loop *l, const struct signalfd_siginfo *info)
{
	struct pidbox_origin origin = {
		.pid = (pid_t)info->ssi_pid,
		.uid = info->ssi_uid,
		.queued = info->ssi_code == SI_QUEUE,
		.from_kernel = info->ssi_code == SI_KERNEL,
		.value = (int64_t)info->ssi_ptr,
	};

	(void)pidbox_forward(l->r->box, (int)info->ssi_signo, &origin);
}

/* With a terminal of its own the box is in another session: nothing reaches it but by us. */
static void take_signal_with_tty(struct loop *l, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGWINCH:
		terminal_copy_size(l->r->tty);
		break;
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		terminal_restore(l->r->terminal);
		terminal_stop_self(NULL, SIGTSTP, NULL);
		terminal_raw(l->r->terminal);
		terminal_copy_size(l->r->tty);
		break;
	case SIGCONT: /* somebody had stopped us by SIGSTOP: the shell has its own modes now */
		terminal_raw(l->r->terminal);
		terminal_copy_size(l->r->tty);
		break;
	default:
		forward(l, info);
	}
}

static void take_signals(struct loop *l)
{
	struct signalfd_siginfo info;

	while (read(l->r->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD && info.ssi_code > 0)
			continue; /* from the kernel: the pidfd tells more */
		if (signals_of_own_write(&info))
			continue;
		if (l->r->tty >= 0)
			take_signal_with_tty(l, &info);
		else
			forward(l, &info);
	}
}

static void lost(int sig)
{
	struct pidbox_error err = {
		.code = PIDBOX_CODE_PID1_IGNORES_SIGNAL,
		.why = "the command is PID 1 and has no handler for it: the kernel drops it",
	};
	char name[16];

	pidbox_signal_name(sig, name);
	(void)snprintf(err.what, sizeof(err.what), "sending %s", name);
	(void)snprintf(err.fix, sizeof(err.fix),
		       "leave --as-pid1 out, or use --signal-map %s=KILL, by the name it is sent with",
		       name + strlen("SIG"));
	out_error(&err);
}

static void take_events(struct loop *l)
{
	struct pidbox_event ev;
	struct pidbox_info info;

	while (pidbox_next_event(l->r->box, &ev) > 0) {
		switch (ev.type) {
		case PIDBOX_EVENT_STOPPED:
			pidbox_get_info(l->r->box, &info);
			if (l->r->tty < 0)
				terminal_stop_self(l->r->terminal, ev.signal, &info);
			break;
		case PIDBOX_EVENT_ECHO:
			take_signals(l);
			(void)pidbox_echo(l->r->box, &ev);
			break;
		case PIDBOX_EVENT_LOST:
			lost(ev.signal);
			break;
		case PIDBOX_EVENT_RESULT:
			l->result = true;
			break;
		case PIDBOX_EVENT_NONE:
			break;
		}
	}
}

/* ------------------------------------------------------------ the terminal */

/* @return false when the source is at its end */
static bool fill(struct flow *f, int from)
{
	ssize_t n = read(from, f->buf, sizeof(f->buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	f->at = 0;
	f->len = n > 0 ? (size_t)n : 0;
	return n > 0; /* EIO: the last slave end is closed */
}

static int drain(struct flow *f, int to)
{
	ssize_t n = write(to, f->buf + f->at, f->len - f->at);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	f->at += (size_t)n;
	if (f->at == f->len)
		f->at = f->len = 0;
	return 0;
}

/* The end of our input is the terminal's end-of-file character, twice when a line is unfinished (termios(3)). */
static void put_eof(struct loop *l)
{
	struct termios modes;
	char eof = 4;

	if (tcgetattr(l->r->tty, &modes) == 0) {
		eof = (char)modes.c_cc[VEOF];
		l->eof_was_a_line = modes.c_lflag & ICANON;
	}
	l->in.buf[0] = l->in.buf[1] = eof;
	l->in.at = 0;
	l->in.len = l->last_in == '\n' || l->last_in == '\0' ? 1 : 2;
}

/*
 * What a shell has not read when it takes line editing over is no end to it any more. It has just said something, its
 * prompt perhaps: tell it again, in its own mode.
 */
static void repeat_eof(struct loop *l)
{
	struct termios modes;

	if (!l->in.ended || l->in.len > 0 || tcgetattr(l->r->tty, &modes) < 0)
		return;
	if (modes.c_lflag & ICANON)
		l->eof_was_a_line = true;
	else if (l->eof_was_a_line)
		put_eof(l);
}

static void take_input(struct loop *l)
{
	if (fill(&l->in, STDIN_FILENO)) {
		if (l->in.len > 0)
			l->last_in = l->in.buf[l->in.len - 1];
		return;
	}
	l->in.ended = true;
	put_eof(l);
}

/*
 * Nobody reads any more: as when a terminal's user has left, its master is closed. Then the kernel sends SIGHUP inside,
 * and reads and writes there come to an end (tty_ioctl(2)). The descriptor is the box's, so something else takes its
 * place.
 */
static void hang_up(struct loop *l)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup3(null, l->r->tty, O_CLOEXEC);
		(void)close(null);
	}
	l->in.len = l->out.len = 0;
	l->in.ended = l->out.ended = true;
}

static void relay_bytes(struct loop *l, const struct pollfd *in, const struct pollfd *master, const struct pollfd *out)
{
	if (in->revents != 0)
		take_input(l);
	if (l->in.len > 0 && (master->revents & POLLOUT) && drain(&l->in, l->r->tty) < 0)
		l->in.len = 0;
	if (l->out.len == 0 && !l->out.ended && (master->revents & (POLLIN | POLLHUP | POLLERR))) {
		l->out.ended = !fill(&l->out, l->r->tty);
		repeat_eof(l);
	}
	if (l->out.len > 0 && out->revents != 0 && drain(&l->out, STDOUT_FILENO) < 0)
		hang_up(l);
}

/* What the box wrote before its end is in the terminal still. Whoever wanted that end does not wait for a slow reader.
 */
static void flush_output(struct loop *l, const struct pidbox_result *res)
{
	enum { PATIENCE_MS = 2000 };
	bool wanted = res->reason != PIDBOX_REASON_EXITED && res->reason != PIDBOX_REASON_SIGNALED;
	struct pollfd fd = { .fd = l->r->tty, .events = POLLIN };

	while (l->out.len > 0 || (!l->out.ended && poll(&fd, 1, 0) > 0 && fill(&l->out, l->r->tty)))
		if (l->out.len > 0 &&
		    (!out_wait_for_room(STDOUT_FILENO, wanted ? PATIENCE_MS : -1) || drain(&l->out, STDOUT_FILENO) < 0))
			break;
}

/* ------------------------------------------------------------ the loop */

/* A call that is to be tried again: want of memory passes, too. */
static bool passes(int errnum)
{
	return errnum == EINTR || errnum == ENOMEM || errnum == EAGAIN;
}

static int timeout_ms(const struct relay *r)
{
	int64_t us = pidbox_timeout_us(r->box);

	return us < 0 ? -1 : us / 1000 >= INT_MAX ? INT_MAX : (int)((us + 999) / 1000);
}

int relay_run(struct relay *r, struct pidbox_result *ret)
{
	struct loop l = { .r = r, .in.ended = r->tty < 0, .out.ended = r->tty < 0 };
	enum { SIGNALS, EVENTS, INIT, IN, MASTER, OUT, N };
	int waited;

	if (r->tty >= 0)
		terminal_raw(r->terminal);
	for (;;) {
		short master = (short)((l.in.len > 0 ? POLLOUT : 0) | (l.out.len == 0 && !l.out.ended ? POLLIN : 0));
		struct pollfd fds[N] = {
			[SIGNALS] = { .fd = r->signals, .events = POLLIN },
			[EVENTS] = { .fd = pidbox_event_fd(r->box), .events = POLLIN },
			[INIT] = { .fd = pidbox_pidfd(r->box), .events = POLLIN },
			[IN] = { .fd = l.in.len == 0 && !l.in.ended ? STDIN_FILENO : -1, .events = POLLIN },
			[MASTER] = { .fd = master != 0 ? r->tty : -1, .events = master },
			[OUT] = { .fd = l.out.len > 0 ? STDOUT_FILENO : -1, .events = POLLOUT },
		};

		if (poll(fds, N, timeout_ms(r)) < 0 && !passes(errno))
			break;
		if (fds[SIGNALS].revents != 0)
			take_signals(&l);
		take_events(&l);
		if (r->tty >= 0)
			relay_bytes(&l, &fds[IN], &fds[MASTER], &fds[OUT]);
		if (fds[INIT].revents != 0 || l.result)
			break;
	}
	waited = pidbox_wait(r->box, PIDBOX_DEFAULT, ret);
	if (r->tty >= 0)
		flush_output(&l, ret);
	return waited;
}

int relay_hold(struct relay *r, int hold_fd)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = hold_fd, .events = POLLIN },
			{ .fd = r->signals, .events = POLLIN },
			{ .fd = pidbox_pidfd(r->box), .events = POLLIN },
		};
		bool stop = false;
		ssize_t n;
		char byte;
		int sig;

		if (poll(fds, 3, -1) < 0 && !passes(errno))
			return -errno;
		if (fds[2].revents != 0)
			return -ESRCH;
		sig = fds[1].revents != 0 ? signals_fatal_pending(r->signals, &stop) : 0;
		if (sig != 0)
			return sig;
		if (stop)
			terminal_stop_self(r->terminal, SIGTSTP, NULL);
		if (fds[0].revents == 0)
			continue;
		n = read(hold_fd, &byte, 1);
		if (n == 1)
			return 0;
		if (n == 0 || !passes(errno))
			return n == 0 ? -ECANCELED : -errno;
	}
}
