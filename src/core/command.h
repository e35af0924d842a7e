/* SPDX-License-Identifier: MIT */
/* What the command is started with: its arguments, its environment, and the files that execvp(3) would try. Pure. */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "core/blob.h"
#include "core/plan.h"

struct command_tables {
	uint32_t argv, envp, paths, name, file; /* offsets in the blob */
};

void command_build(struct blob *b, const struct pidbox_spec *spec, const struct plan_facts *facts,
		   struct command_tables *ret);

#endif
