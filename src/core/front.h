/* SPDX-License-Identifier: MIT */
/* Which process is a front, and of what box. */
#ifndef CORE_FRONT_H
#define CORE_FRONT_H

#include "kern/pidref.h"

/**
 * Does this process lead a box? A front has one child, which is PID 1 of a PID namespace of its own, and is the program
 * `pidbox`, or, in the caller's own PID namespace, has an entry for that one (a program on libpidbox, a pidbox of
 * another name). Nothing else that has started a box (a shell, unshare) stands for it.
 * @return true and *ret, the box's init
 */
bool front_leads(int proc, const struct pidref *process, struct pidref *ret);

#endif
