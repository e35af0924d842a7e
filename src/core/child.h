/* SPDX-License-Identifier: MIT */
/*
 * The new process between clone and the exec of the init. It runs in the caller's memory while the caller's thread
 * waits (CLONE_VM|CLONE_VFORK): only system calls, no allocation, no locks, and nothing changed but *result.
 */
#ifndef CORE_CHILD_H
#define CORE_CHILD_H

#include "core/plan.h"

struct child_args {
	const struct pidbox_plan *plan;
	int init_fd;
	const int *open_fds; /* what the init gets: their CLOEXEC is taken off in this process's own table */
	size_t n_open_fds;
	bool close_others; /* and everything else above 2 is closed by the exec */
	char socket_arg[16];

	/* written by the child */
	volatile int failed_row, errnum; /* errnum 0: the init has been executed */
};

int child_main(void *args);

/** Write the maps of the caller's own new user namespace, after giving up setgroups. @return 0 or -errno */
int child_map_self(const char *uids, const char *gids);

#endif
