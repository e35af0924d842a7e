/* SPDX-License-Identifier: MIT */
/*
 * The inside of struct pidbox_doctor, and what its parts share.
 *
 * A check is a row of one of the tables in doctor_box.c, doctor_machine.c and doctor_kernel.c, and a function that
 * tries one thing. What it found it puts down by doctor_works() or doctor_failed(). It has no words of its own for what
 * `pidbox run` can fail with too: where a box can be started, that is what is tried, and the error is the check's;
 * elsewhere diagnose_call() has the words.
 */
#ifndef CORE_DOCTOR_H
#define CORE_DOCTOR_H

#include "base/pool.h"
#include "core/diagnose.h"

#include <pidbox.h>

enum { DOCTOR_MAX_CHECKS = 64, DOCTOR_RULES = 10 };

struct pidbox_doctor {
	struct pidbox_check checks[DOCTOR_MAX_CHECKS];
	size_t n_checks;
	struct pidbox_rule rules[DOCTOR_RULES];
	size_t n_rules;
	bool default_box, no_memory;
	struct pool pool; /* all texts */
	/* who asks */
	uint64_t caps; /* effective */
	bool dumpable;
	/* what the first checks found for those that follow */
	bool has_no_child; /* none can be made, for the reason in no_child */
	struct pidbox_error no_child;
	bool has_no_user_ns, has_no_ns; /* user namespaces, any namespace: refused */
	int user_ns_errnum;
	int levels, levels_errnum; /* how deep they could be nested, and what the next one failed with */
};

/** A copy of a text that lives as long as the doctor. @return NULL of "" */
const char *doctor_keep(struct pidbox_doctor *d, const char *text);
/** Put down that something works; format: what was seen, "" for nothing. */
void doctor_works(struct pidbox_doctor *d, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** Put down that it does not, with the code and the words of an error. */
void doctor_failed(struct pidbox_doctor *d, const char *name, enum pidbox_check_status status,
		   const struct pidbox_error *err);
/**
 * Start a box up to its command, which is none: the directory / cannot be executed, and all that comes before has
 * worked then. Meanwhile as many descriptors are open as `pidbox run` has. @param spec  without a command
 * @return 0 or -errno with *err filled
 */
int doctor_try_box(struct pidbox_doctor *d, const struct pidbox_spec *spec, struct pidbox_error *err);
/** scout_send(), where a child can be had at all. @return 0 or -errno, of PIDBOX_NS_* kinds that are refused, too */
int doctor_send(struct pidbox_doctor *d, uint32_t kinds, void (*look)(void *found), void *found, size_t size);
/** The caller's own kinds and, without CAP_SYS_ADMIN, a user namespace that gives it. */
uint32_t doctor_with_rights(const struct pidbox_doctor *d, uint32_t kinds);
/** In a new user namespace: the caller's ids are its own there, too. Async-signal-safe. @return 0 or -errno */
int doctor_map_ids(uint32_t uid, uint32_t gid);

/* The parts, in the order of the report. */
void doctor_check_box(struct pidbox_doctor *d);
void doctor_check_machine(struct pidbox_doctor *d);
void doctor_check_kernel(struct pidbox_doctor *d);
/* doctor_rules.c */
void doctor_run_rules(struct pidbox_doctor *d);

/** How many levels of PID namespaces (and of user namespaces, where the rights take one) can be made below this one. */
struct doctor_nest {
	uint32_t kinds, uid, gid;
	int levels;
	enum step_op op; /* what was refused at the one that could not be made */
	int errnum;
};
void doctor_nest(struct pidbox_doctor *d, struct doctor_nest *ret);

#endif
