/* SPDX-License-Identifier: MIT */
/*
 * The entry of a box that was addressed by a process. The front makes it while the command may have begun already
 * (nothing waits for it), so that of a box which is that young it may still come.
 */
#include "core/target.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/pidns.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY_PATIENCE_US = 1000000, LOOK_AGAIN_US = 2000 };

bool target_runs_our_init(const struct pidref *init)
{
	CLEANUP(cleanup_close) int proc = pidns_open_proc();
	char path[40], name[32];

	(void)snprintf(path, sizeof(path), "%d/comm", (int)init->pid);
	return proc >= 0 && io_read_file(proc, path, name, sizeof(name)) > 0 && strcmp(name, "pidbox-init\n") == 0 &&
	       pidref_verify(init) == 0;
}

bool target_find_entry(struct pidbox_target *t)
{
	while (registry_find_id(&t->init, t->pid_namespace, &t->entry) < 0) {
		if (!target_runs_our_init(&t->init) || pidref_age_us(&t->init) > ENTRY_PATIENCE_US)
			return false;
		(void)usleep(LOOK_AGAIN_US);
	}
	return true;
}
