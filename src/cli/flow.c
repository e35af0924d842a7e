/* SPDX-License-Identifier: MIT */
#include "cli/flow.h"

#include "base/util.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

/* @return false when the source is at its end */
static bool fill(struct flow_half *h, int from)
{
	ssize_t n = read(from, h->buf, FLOW_ROOM);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	h->at = 0;
	h->len = n > 0 ? (size_t)n : 0;
	return n > 0; /* EIO: the last slave end is closed */
}

static int drain(struct flow_half *h, int to)
{
	ssize_t n = write(to, h->buf + h->at, h->len - h->at);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	h->at += (size_t)n;
	if (h->at == h->len)
		h->at = h->len = 0;
	return 0;
}

/* The end of our input is the terminal's end-of-file character, twice when a line is unfinished (termios(3)). */
static void put_eof(struct flow *f)
{
	struct termios modes;
	char eof = 4;

	if (tcgetattr(f->master, &modes) == 0) {
		eof = (char)modes.c_cc[VEOF];
		f->eof_was_a_line = modes.c_lflag & ICANON;
	}
	f->in.buf[0] = f->in.buf[1] = eof;
	f->in.at = 0;
	f->in.len = f->last_in == '\n' || f->last_in == '\0' ? 1 : 2;
}

/*
 * What a shell has not read when it takes line editing over is no end to it any more. It has just said something, its
 * prompt perhaps: tell it again, in its own mode.
 */
static void repeat_eof(struct flow *f)
{
	struct termios modes;

	if (!f->in.ended || f->in.len > 0 || tcgetattr(f->master, &modes) < 0)
		return;
	if (modes.c_lflag & ICANON)
		f->eof_was_a_line = true;
	else if (f->eof_was_a_line)
		put_eof(f);
}

static void take_input(struct flow *f)
{
	if (fill(&f->in, STDIN_FILENO)) {
		if (f->in.len > 0)
			f->last_in = f->in.buf[f->in.len - 1];
		return;
	}
	f->in.ended = true;
	put_eof(f);
}

/*
 * Nobody reads any more: as when a terminal's user has left, its master is closed. Then the kernel sends SIGHUP inside,
 * and reads and writes there come to an end (tty_ioctl(2)). The descriptor is the box's, so something else takes its
 * place.
 */
static void hang_up(struct flow *f)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup3(null, f->master, O_CLOEXEC);
		(void)close(null);
	}
	f->in.len = f->out.len = 0;
	f->in.ended = f->out.ended = true;
}

void flow_begin(struct flow *f, int master)
{
	static char room[2][FLOW_ROOM] LIES_BEHIND; /* mostly there is no terminal, and nobody touches it */

	*f = (struct flow){
		.master = master,
		.in = { .buf = room[0], .ended = master < 0 },
		.out = { .buf = room[1], .ended = master < 0 },
	};
}

enum { IN, MASTER, OUT };

void flow_poll(const struct flow *f, struct pollfd fds[FLOW_FDS])
{
	short master = (short)((f->in.len > 0 ? POLLOUT : 0) | (f->out.len == 0 && !f->out.ended ? POLLIN : 0));

	fds[IN] = (struct pollfd){ .fd = f->in.len == 0 && !f->in.ended ? STDIN_FILENO : -1, .events = POLLIN };
	fds[MASTER] = (struct pollfd){ .fd = master != 0 ? f->master : -1, .events = master };
	fds[OUT] = (struct pollfd){ .fd = f->out.len > 0 ? STDOUT_FILENO : -1, .events = POLLOUT };
}

void flow_turn(struct flow *f, const struct pollfd fds[FLOW_FDS])
{
	bool room = fds[OUT].revents != 0;

	if (f->master < 0)
		return;
	if (fds[IN].revents != 0)
		take_input(f);
	if (f->in.len > 0 && (fds[MASTER].revents & POLLOUT) && drain(&f->in, f->master) < 0)
		f->in.len = 0;
	if (f->out.len == 0 && !f->out.ended && (fds[MASTER].revents & (POLLIN | POLLHUP | POLLERR))) {
		f->out.ended = !fill(&f->out, f->master);
		repeat_eof(f);
		/* Mostly it can go on at once: half the turns for as many bytes. */
		room = f->out.len > 0 && out_wait_for_room(STDOUT_FILENO, 0);
	}
	if (f->out.len > 0 && room && drain(&f->out, STDOUT_FILENO) < 0)
		hang_up(f);
}

void flow_end(struct flow *f, bool patient)
{
	enum { PATIENCE_MS = 2000 };
	struct pollfd fd = { .fd = f->master, .events = POLLIN };

	while (f->out.len > 0 || (!f->out.ended && poll(&fd, 1, 0) > 0 && fill(&f->out, f->master)))
		if (f->out.len > 0 && (!out_wait_for_room(STDOUT_FILENO, patient ? -1 : PATIENCE_MS) ||
				       drain(&f->out, STDOUT_FILENO) < 0))
			break;
}
