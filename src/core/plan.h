/* SPDX-License-Identifier: MIT */
/*
 * From a spec to a flat list of steps. plan_make is pure: what it must know of the world is in struct plan_facts, which
 * facts.c gathers, so that the tests can plan for any user on any machine.
 */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include "core/steps.h"
#include "core/wire.h"
#include "kern/user.h"

#include <pidbox.h>

enum { PLAN_MAX_RANGES = 32 };

struct plan_map {
	struct pidbox_idrange ranges[PLAN_MAX_RANGES];
	size_t n;
};

/* What the plan must know of the caller. */
struct plan_facts {
	uint32_t euid, egid;
	bool dumpable; /* prctl(PR_GET_DUMPABLE) */
	uint64_t caps; /* effective capabilities */
	uint64_t caps_inheritable, caps_ambient;
	const char *const *environ;
	uint64_t signal_mask;
	int64_t realtime_us;
	struct plan_map subuids, subgids; /* only with PIDBOX_MAP_AUTO; inside is 0 in each */
	bool own_groups;                  /* besides its gid, the user is in the groups that the caller is in */
	struct user_ids *user;            /* only with --user, else NULL: it is large */
};

struct plan_row {
	enum step_op op;
	char *call;      /* the system call in words, by plan_put_words(); NULL: as the table of steps has it */
	int64_t took_us; /* -1 */
	int errnum;
	bool done;
};

struct pidbox_plan {
	struct plan_row rows[WIRE_MAX_STEPS]; /* the same numbers as in wire->steps */
	size_t n_rows;
	struct wire_plan *wire; /* what the init gets: one allocation of wire->size bytes */
	uint32_t kinds;         /* PIDBOX_NS_* that are new */
	bool needs_go;          /* the front has something to do after the clone */
	struct plan_map uid_map, gid_map;
	enum pidbox_proc proc;
	bool as_pid1, idle, default_shell;
	bool worded;       /* the rows have their words */
	uint8_t reachable; /* enum pidbox_reachable */
	bool replace;
	char helper_words[256]; /* what newuidmap or newgidmap said when it refused */
	uint32_t file;          /* offset in wire: what is executed, as it was written */
};

int plan_make(const struct pidbox_spec *spec, const struct plan_facts *facts, struct pidbox_plan **ret,
	      struct pidbox_error *err);
/** plan_make() for here and now, of a whole spec. */
int plan_here(const struct pidbox_spec *spec, struct pidbox_plan **ret, struct pidbox_error *err);
/** Row number of an operation, -1 when the plan has none. */
int plan_find(const struct pidbox_plan *plan, enum step_op op);
/** What the record calls a kind of /proc. */
const char *plan_proc_word(enum pidbox_proc proc);
/** Give each row its system call in words. Out of memory, a row keeps those of the table. */
void plan_put_words(struct pidbox_plan *plan);
/** The system call of row number index, in words. */
const char *plan_call(const struct pidbox_plan *plan, size_t index);
/** Describe row number index. */
void plan_describe(const struct pidbox_plan *plan, size_t index, struct pidbox_step *ret);
/** A text of the wire plan. */
static inline const char *plan_text(const struct wire_plan *wire, uint32_t offset)
{
	return (const char *)wire + offset;
}

/** Copy a caller's spec of any size into a whole one. @return 0 or -EINVAL with err filled */
int spec_take(const struct pidbox_spec *given, struct pidbox_spec *ret, struct pidbox_error *err);
/** What contradicts itself in a spec (spec.c). @return 0 or -EINVAL with err filled */
int spec_check(const struct pidbox_spec *spec, struct pidbox_error *err);

/** Gather the facts for a spec (facts.c). @return 0, or -errno with err filled; facts_release() either way */
int facts_gather(const struct pidbox_spec *spec, struct plan_facts *ret, struct pidbox_error *err);
void facts_release(struct plan_facts *facts);
/** user_lookup(), with words for what it refuses. */
int facts_user(const char *user, const struct user_db *db, struct user_ids *ret, struct pidbox_error *err);

#endif
