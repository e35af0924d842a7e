/* SPDX-License-Identifier: MIT */
/* The public spec: taking a copy of any size, and what contradicts itself in it. */
#include "core/plan.h"

#include "base/err.h"
#include "base/util.h"
#include "kern/ns.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { SPEC_SIZE_SANE = 65536 };

/*
 * How large the struct was in 0.1, where it ended with reserved_: programs of then must be taken for ever. It has no
 * padding there, so that a member which comes next never stands where an old program has left garbage.
 */
#define SPEC_SIZE_0_1 (offsetof(struct pidbox_spec, reserved_) + sizeof(((struct pidbox_spec *)NULL)->reserved_))
#ifdef __LP64__
_Static_assert(SPEC_SIZE_0_1 == 360, "the layout of 0.1 never changes");
_Static_assert(SPEC_SIZE_0_1 % _Alignof(struct pidbox_spec) == 0, "struct pidbox_spec has padding at its end");
#endif
_Static_assert(sizeof(struct pidbox_spec) >= SPEC_SIZE_0_1, "struct pidbox_spec only grows");

static bool all_zero(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static int too_old(struct pidbox_error *err)
{
	int r = err_set(err, 0, PIDBOX_CODE_USAGE, "reading struct pidbox_spec");

	err_why(err, "it asks for something that this library (" PIDBOX_VERSION ") is too old to know");
	err_fix(err, "use a library as new as the header, or leave the newer members 0");
	return r;
}

int spec_take(const struct pidbox_spec *given, struct pidbox_spec *ret, struct pidbox_error *err)
{
	struct pidbox_spec spec = { 0 };

	if (given == NULL || given->size < SPEC_SIZE_0_1 || given->size > SPEC_SIZE_SANE) {
		(void)err_set(err, 0, PIDBOX_CODE_USAGE, "reading struct pidbox_spec");
		err_why(err, "its size is not that of any version of the struct");
		err_fix(err, "set .size = sizeof(struct pidbox_spec)");
		return -EINVAL;
	}
	memcpy(&spec, given, given->size < sizeof(spec) ? given->size : sizeof(spec));
	/* From a newer header: fine as long as it asks for nothing that is unknown here. */
	if (!all_zero(spec.reserved_, sizeof(spec.reserved_)) ||
	    (given->size > sizeof(spec) &&
	     !all_zero((const uint8_t *)given + sizeof(spec), given->size - sizeof(spec))))
		return too_old(err);
	spec.size = sizeof(spec);
	*ret = spec;
	return 0;
}

static bool hidepid_known(const char *word)
{
	static const char *const words[] = { "0", "1", "2", "4", "off", "noaccess", "invisible", "ptraceable" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static const char *unknown_values(const struct pidbox_spec *s)
{
	if ((s->unshare | s->share) & ~(uint32_t)PIDBOX_NS_ALL)
		return "an unknown kind of namespace in unshare or share";
	if ((unsigned)s->propagation > PIDBOX_PROPAGATION_UNCHANGED)
		return "an unknown propagation";
	if ((unsigned)s->map > PIDBOX_MAP_EXACT)
		return "an unknown map";
	if ((unsigned)s->proc > PIDBOX_PROC_NONE)
		return "an unknown proc";
	if ((unsigned)s->on_exit > PIDBOX_ON_EXIT_WAIT)
		return "an unknown on_exit";
	for (size_t i = 0; i < s->n_signal_map; i++)
		if (s->signal_map[i].from < 1 || s->signal_map[i].from > 64 || s->signal_map[i].to > 64)
			return "signal_map: not a signal";
	return NULL;
}

static const char *contradiction_of_kinds(const struct pidbox_spec *s)
{
	const uint32_t may_share = PIDBOX_NS_UTS | PIDBOX_NS_IPC | PIDBOX_NS_MOUNT;

	if (s->share & ~may_share)
		return "--share takes only uts, ipc and mount: without the others it would be no box";
	if (s->share & s->unshare)
		return "a namespace cannot be both in --share and in --unshare";
	if ((s->share & PIDBOX_NS_MOUNT) && s->proc != PIDBOX_PROC_KEEP)
		return "--share mount needs --proc keep: a new /proc would replace the caller's";
	if ((s->share & PIDBOX_NS_MOUNT) && s->propagation != PIDBOX_PROPAGATION_SLAVE)
		return "--propagation is for the box's own mount namespace, which --share mount does without";
	if ((s->share & PIDBOX_NS_UTS) && s->hostname != NULL)
		return "--hostname with --share uts would rename the machine";
	return NULL;
}

static const char *contradiction_of_proc(const struct pidbox_spec *s)
{
	bool fresh = s->proc == PIDBOX_PROC_FRESH || s->proc == PIDBOX_PROC_AUTO;

	if ((s->proc_hidepid != NULL || s->proc_subset_pid) && !fresh)
		return "--proc-hidepid and --proc-subset are options of a fresh /proc";
	if (s->proc_hidepid != NULL && !hidepid_known(s->proc_hidepid))
		return "--proc-hidepid takes off, noaccess, invisible or ptraceable (0, 1, 2, 4)";
	return NULL;
}

static const char *contradiction_of_pid1(const struct pidbox_spec *s)
{
	if (!s->as_pid1)
		return NULL;
	if (s->on_exit != PIDBOX_ON_EXIT_KILL)
		return "--as-pid1 has no init: --on-exit cannot work with it";
	if (s->fail_on_leak)
		return "--as-pid1 has no init: --fail-on-leak cannot work with it";
	if (s->first_pid != 0)
		return "--as-pid1 makes the command's PID 1: --first-pid cannot work with it";
	return NULL;
}

static const char *contradiction_of_streams(const struct pidbox_spec *s)
{
	if (s->tty && s->stdio != NULL)
		return "tty and stdio: the standard streams are either the terminal or what is given";
	return NULL;
}

static const char *contradiction_of_numbers(const struct pidbox_spec *s)
{
	const uint32_t limit = 4194304; /* PID_MAX_LIMIT, include/linux/threads.h */

	if (s->pid_max != 0 && (s->pid_max < 301 || s->pid_max > limit))
		return "--pid-max takes 301 to 4194304";
	if (s->first_pid != 0 && (s->first_pid < 2 || s->first_pid >= limit))
		return "--first-pid takes 2 to 4194303";
	if (s->first_pid != 0 && s->pid_max != 0 && s->first_pid >= s->pid_max)
		return "--first-pid must be below --pid-max";
	if (s->stop_signal < 0 || s->stop_signal > 64)
		return "--stop-signal is not a signal";
	if (s->grace_us < 0 || s->timeout_us < 0 || s->cpu_time_us < 0 || s->leak_grace_us < 0)
		return "a duration is negative";
	if (s->monotonic.nanoseconds > 999999999 || s->boottime.nanoseconds > 999999999)
		return "--time-offset has more than 999999999 nanoseconds";
	if (s->n_uid_maps > PLAN_MAX_RANGES || s->n_gid_maps > PLAN_MAX_RANGES)
		return "too many id ranges";
	if (s->n_keep_fds > WIRE_MAX_KEEP)
		return "too many descriptors to keep";
	if (s->hostname != NULL && (strlen(s->hostname) > 64 || s->hostname[0] == '\0'))
		return "--hostname takes 1 to 64 bytes";
	return NULL;
}

int spec_check(const struct pidbox_spec *spec, struct pidbox_error *err)
{
	static const char *(*const checks[])(const struct pidbox_spec *) = {
		unknown_values,        contradiction_of_kinds,   contradiction_of_proc,
		contradiction_of_pid1, contradiction_of_streams, contradiction_of_numbers,
	};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const char *what = checks[i](spec);

		if (what != NULL)
			return err_set(err, 0, PIDBOX_CODE_USAGE, "%s", what);
	}
	return 0;
}
