/* SPDX-License-Identifier: MIT */
/*
 * Entering namespaces that are there already, by setns(2), and starting a command there.
 *
 *   caller                         helper                                   command
 *   facts, plan
 *   box_start ───────────────────▶ the init's image, outside of everything
 *   REQUEST ─────────────────────▶ takes the ids, joins
 *                                  fork ──────────────────────────────────▶ cgroup, root, user, capabilities, exec
 *   events ◀─────────────────────── STARTED, STOPPED, ENDED (core/control.h)
 *
 * Why a process of its own, and that program: into a user, mount or time namespace goes only who has one thread and
 * shares neither memory nor directories, and into a PID namespace only children go (R3). And it is the parent that a
 * process inside must have outside: one that reaps it at once, for until then the end of the box's PID 1 is not
 * reported (R8).
 *
 * Order. setns(2) with a pidfd (Linux 5.8) joins all of them in one call, and all are judged by the rights of the
 * caller before it. One after the other they are judged by what is left: who enters the user namespace first has no
 * rights over what is owned from outside of it (bwrap: the user namespace of the process lies below the one that owns
 * its mounts), who enters it last has, as an ordinary user, none before. init/join.c does it where the one call is
 * refused.
 *
 * Ids. Root that enters an ordinary user's namespace would be there what no id inside names, but root to the files
 * outside still, and a process inside may trace it: so the ids of the process addressed are taken before.
 */
#ifndef CORE_ENTER_H
#define CORE_ENTER_H

#include "core/plan.h"
#include "core/target.h"
#include "kern/creds.h"

enum { ENTER_KINDS = 8, ENTER_MAX_CGROUPS = 16 };

/* What the plan must know of the caller and of the process addressed. */
struct enter_facts {
	pid_t pid; /* for words */
	uint64_t own[ENTER_KINDS],
		theirs[ENTER_KINDS];                /* namespaces, in the order of ns_kinds; 0: there is no such kind */
	uint64_t theirs_children;                   /* the PID namespace of its children; 0: none, or as theirs */
	uint64_t pid_namespace;                     /* which was addressed; 0: theirs */
	struct creds self, them;                    /* ids as the caller's user namespace has them */
	struct creds inside;                        /* ids alone: theirs in their user namespace */
	bool inside_known;                          /* they have numbers there */
	bool may_set_groups, may_set_groups_inside; /* /proc/PID/setgroups */
	const char *const *environ;                 /* the process's */
	const char *const *own_environ;
	int proc;                       /* a procfs that shows where the caller is */
	int process;                    /* pidfd */
	int children_ns;                /* descriptor of theirs_children */
	int root, directory;            /* -1: could not be opened */
	int cgroups[ENTER_MAX_CGROUPS]; /* cgroup.procs of each that the caller is not in */
	size_t n_cgroups;
	int cgroup_refused; /* errno of the first one that could not be opened; 0: none */
};

/** Which kinds are to be entered: those that differ from the caller's, out of `only` (0: all). Pure. */
uint32_t enter_kinds(const struct enter_facts *facts, uint32_t only);
/** Pure. @return 0 and *ret; -EPERM, -ENOMEM, -E2BIG with err filled */
int enter_plan_make(const struct enter_facts *facts, uint32_t only, struct pidbox_plan **ret, struct pidbox_error *err);

/* enter_facts.c */
/** @return 0 and *ret, which enter_facts_free() frees; -ESRCH, -EACCES... with err filled */
int enter_facts_gather(const struct pidref *process, uint64_t pid_namespace, struct enter_facts *ret,
		       struct pidbox_error *err);
void enter_facts_free(struct enter_facts *facts);
/** The ids of a process as it has them itself, in its own user namespace. @return 0, or a negative errno */
int enter_ids_inside(const struct pidref *process, struct creds *ret);

/**
 * The words for what only happens to a helper, into an error whose what is there: of a refused setns(2), which
 * namespace refuses, whose it is, which right is missing. Leaves others as they are.
 * @param step  enum exec_step
 */
void enter_explain(const struct pidbox_target *target, uint32_t only, int step, int errnum, struct pidbox_error *err);
/**
 * The fix for who lacks a capability. Root that has not all of them is not told to become root.
 * @param uid     the caller's
 * @param others  for anybody else
 */
void enter_fix_right(struct pidbox_error *err, uint32_t uid, const char *capability, const char *others);
/** Why looking at the namespaces of a process is refused, and the fix. */
void enter_explain_look(struct pidbox_error *err);

#endif
