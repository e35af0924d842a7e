/* SPDX-License-Identifier: MIT */
/* The inside of struct pidbox_target: a box that an address named, or a process in it. */
#ifndef CORE_TARGET_H
#define CORE_TARGET_H

#include "core/address.h"
#include "core/registry.h"
#include "kern/pidref.h"

#include <pidbox-target.h>

struct pidbox_target {
	char *address;          /* as it was given, for messages */
	struct pidref init;     /* PID 1 of the namespace; pid 0: none to be seen */
	struct pidref process;  /* what was addressed: of BOX/PID or PID; else as init. It has a pidfd of its own */
	bool one_process;       /* BOX/PID */
	pid_t inside_pid;       /* of BOX/PID; 0 */
	uint64_t pid_namespace; /* 0: not known */
	int ns;                 /* descriptor of it; -1: this user may not open it */
	bool own;               /* the caller's own namespace, or an ancestor of it: not to be harmed */
	bool live;              /* it had not ended when it was opened */
	bool has_entry; /* it is a box of pidbox\'s own that can be asked, or whose record is kept (then it is not live)
			 */
	struct registry_entry entry;

	/* target_wait.c */
	int waiting;                /* the connection on which the front will tell of the end; -1 */
	bool shared;                /* it is one at which others wait, too */
	int64_t again_us, again_at; /* the front had no place for us: pause, and when to ask again; 0: no more */
	bool told;                  /* how it ended is known */
	bool is_ours; /* PID 1 is an init of pidbox's own: its exit status says nothing of the command's */
	struct pidbox_target_status status;
	char *record; /* status.record */
};

/** What a signal goes to: the process of BOX/PID, else PID 1. */
static inline const struct pidref *target_ref(const struct pidbox_target *target)
{
	return target->one_process ? &target->process : &target->init;
}

/** The error of doing to the caller's own world what was asked for. @return -EPERM */
/** Does this run as the init of a box? By its name, which anything may have. */
bool target_runs_our_init(const struct pidref *init);
/** Find the entry of the box whose init was found. @return false: there is none */
bool target_find_entry(struct pidbox_target *t);
int target_refuse_own(const struct pidbox_target *target, const char *doing, struct pidbox_error *err);

#endif
