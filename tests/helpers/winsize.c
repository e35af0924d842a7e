/* SPDX-License-Identifier: MIT */
/* winsize: prints "ROWS COLS" of its terminal, again at each SIGWINCH; ends with status 4 when a line is typed. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

int main(void)
{
	struct signalfd_siginfo si;
	struct winsize w;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	struct pollfd p[2] = { { .fd = signalfd(-1, &set, 0), .events = POLLIN }, { .fd = 0, .events = POLLIN } };
	setvbuf(stdout, NULL, _IOLBF, 0);
	do {
		if (ioctl(0, TIOCGWINSZ, &w))
			return 99;
		printf("%d %d\n", w.ws_row, w.ws_col);
		poll(p, 2, -1);
		if (p[0].revents && read(p[0].fd, &si, sizeof si) < 0)
			return 98;
	} while (!p[1].revents);
	return 4;
}
