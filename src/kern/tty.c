/* SPDX-License-Identifier: MIT */
#include "kern/tty.h"

#include "base/io.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* The first standard stream that is a terminal tells; the others may be pipes. */
static void copy_size(int master)
{
	struct winsize size;

	for (int fd = 0; fd <= 2; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
			(void)ioctl(master, TIOCSWINSZ, &size);
			return;
		}
	}
}

int tty_open_pair(int *ret_master, int *ret_slave)
{
	CLEANUP(cleanup_close) int master = io_above_stdio(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	CLEANUP(cleanup_close) int slave = -1;
	int unlock = 0;

	if (master < 0)
		return -errno;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	/* By descriptor, not by name: the name may be that of another devpts (Linux 4.13). */
	slave = io_above_stdio(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (slave < 0)
		return -errno;
	copy_size(master);
	*ret_master = take_fd(&master);
	*ret_slave = take_fd(&slave);
	return 0;
}
