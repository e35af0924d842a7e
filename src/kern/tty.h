/* SPDX-License-Identifier: MIT */
/* Pseudo-terminals (pty(7)). */
#ifndef KERN_TTY_H
#define KERN_TTY_H

/**
 * Open a new pair, both ends CLOEXEC, with the window size of the first of 0, 1, 2 that is a terminal.
 * @return 0 or -errno
 */
int tty_open_pair(int *ret_master, int *ret_slave);

#endif
