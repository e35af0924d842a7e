/* SPDX-License-Identifier: MIT */
/* What diagnose.c, its table and its probes share. */
#ifndef CORE_DIAGNOSE_H
#define CORE_DIAGNOSE_H

#include "core/plan.h"

#include <pidbox.h>

/* A step that failed, and the error that is being filled. */
struct failure {
	const struct pidbox_plan *plan;
	size_t row;
	int errnum, aux;
	struct pidbox_error *err;
};

/* A row: what an errno of a step means. The first that fits counts, so those for any step come last. */
struct diagnosis {
	enum step_op op; /* or ANY_STEP */
	int errnum;
	enum pidbox_code code;
	const char *why, *fix;
	void (*probe)(const struct failure *f); /* may know better; NULL: none */
};

#define ANY_STEP   STEP_MAX_
#define PROC_OUTER "use --proc keep (ps inside will show the outer PIDs) or --proc none"

/* diagnose.c: the first row that fits, or NULL; what a step does, in words; what a command line exits with */
const struct diagnosis *diagnose_find(enum step_op op, int errnum);
const char *diagnose_doing(enum step_op op);
int diagnose_exit_status(enum step_op op, int errnum);

/* the words for a step that was tried outside of any plan, on PIDBOX_NS_* kinds. @return -errnum */
int diagnose_call(enum step_op op, uint32_t kinds, int errnum, struct pidbox_error *err);

/* diagnose_table.c */
extern const struct diagnosis diagnoses[];
extern const size_t diagnoses_count;

/* diagnose_probes.c: they only look, and change words only where they are sure */
void probe_clone_refused(const struct failure *f);
void probe_limit(const struct failure *f);
void probe_time_limit(const struct failure *f);
void probe_process_limit(const struct failure *f);
void probe_children_elsewhere(const struct failure *f);
void probe_dead_namespace(const struct failure *f);
void probe_init_size(const struct failure *f);
void probe_ptmx(const struct failure *f);
void probe_descriptors(const struct failure *f);
void probe_masks(const struct failure *f);
void probe_mount_denied(const struct failure *f);
void probe_init_denied(const struct failure *f);
void probe_map_refused(const struct failure *f);
void probe_map_helper(const struct failure *f);
void probe_exec_denied(const struct failure *f);
void probe_exec_format(const struct failure *f);
void probe_user(const struct failure *f);

#endif
