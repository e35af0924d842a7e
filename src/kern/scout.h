/* SPDX-License-Identifier: MIT */
/*
 * A child that finds something out and is thrown away. The caller's program does not notice it: without an exit signal
 * (clone(2)) it raises no SIGCHLD, is not reaped by itself where that is ignored, and a wait for any child passes it
 * by. It is a copy of the caller, so it must run none of its handlers: signals stay blocked in it. It has none of the
 * caller's descriptors, and ends with the thread that made it (PR_SET_PDEATHSIG).
 */
#ifndef KERN_SCOUT_H
#define KERN_SCOUT_H

#include <stddef.h>
#include <stdint.h>

/**
 * Run look in a child and wait for its end: for SCOUT_PATIENCE_MS, then it is killed. After a clone without CLONE_VM,
 * so only async-signal-safe calls.
 * @param flags  CLONE_NEW* of clone(2)
 * @param size   of *found, which the child has as shared memory: what it writes there comes back, also when a caller
 *               that waits for any child has reaped it
 * @return 0; -ETIMEDOUT; -errno of clone(2) or mmap(2)
 */
int scout_send(uint64_t flags, void (*look)(void *found), void *found, size_t size);

enum { SCOUT_PATIENCE_MS = 5000 };

#endif
