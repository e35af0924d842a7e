/* SPDX-License-Identifier: MIT */
#ifndef KERN_PIDMAX_H
#define KERN_PIDMAX_H

/**
 * Has the kernel pid_max per PID namespace (Linux 6.14)? Before that a write inside a box would change the machine's.
 * It is found out without writing: a process of an ordinary uid, in new user and PID namespaces, may open the file for
 * writing only where the file is the namespace's own.
 * @return 1, 0, or -errno
 */
int pidmax_is_per_namespace(void);

#endif
