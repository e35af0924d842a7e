/* SPDX-License-Identifier: MIT */
/* The processes of a box as its front sees them, in the outer /proc: the box's own is the box's to shape. */
#ifndef CORE_MEMBERS_H
#define CORE_MEMBERS_H

#include "kern/proc.h"

struct members {
	struct proc_iter it;
	uint64_t outer, box; /* inode numbers of PID namespaces */
};

/** Begin, for the box whose PID namespace has this inode number. @return 0 or -errno; then nothing is to be ended */
int members_begin(struct members *m, uint64_t pid_namespace);
/**
 * The next process that is in the box or in a PID namespace inside it, its init and the dead that nobody has reaped
 * included.
 * @return its PID outside and *ret_stat; 0 after the last one
 */
pid_t members_next(struct members *m, struct proc_stat *ret_stat);
void members_end(struct members *m);

#endif
