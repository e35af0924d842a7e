/* SPDX-License-Identifier: MIT */
/* The public spec: taking a copy of any size, and what contradicts itself in it. */
#include "core/plan.h"

#include "base/err.h"
#include "base/util.h"
#include "core/address.h"
#include "kern/ns.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { SPEC_SIZE_SANE = 65536 };

/*
 * How large the struct was in 0.1, where it ended with idle: programs of then must be taken for ever. It has no padding
 * there, so that a member which comes next never stands where an old program has left garbage.
 */
#define SPEC_SIZE_0_1 (offsetof(struct pidbox_spec, idle) + sizeof(((struct pidbox_spec *)NULL)->idle))
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
	if (given->size > sizeof(spec) && !all_zero((const uint8_t *)given + sizeof(spec), given->size - sizeof(spec)))
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

static int wrong(struct pidbox_error *err, const char *why, const char *fix)
{
	int r = err_set(err, 0, PIDBOX_CODE_USAGE, "planning the box");

	err_why(err, "%s", why);
	err_fix(err, "%s", fix);
	return r;
}

static int check_values(const struct pidbox_spec *s, struct pidbox_error *err)
{
	const char *constants = "use the constants of pidbox.h";

	if ((s->unshare | s->share) & ~(uint32_t)PIDBOX_NS_ALL)
		return wrong(err, "an unknown kind of namespace in unshare or share", constants);
	if ((unsigned)s->propagation > PIDBOX_PROPAGATION_UNCHANGED)
		return wrong(err, "an unknown propagation", constants);
	if ((unsigned)s->map > PIDBOX_MAP_EXACT)
		return wrong(err, "an unknown map", constants);
	if ((unsigned)s->proc > PIDBOX_PROC_NONE)
		return wrong(err, "an unknown proc", constants);
	if ((unsigned)s->on_exit > PIDBOX_ON_EXIT_WAIT)
		return wrong(err, "an unknown on_exit", constants);
	for (size_t i = 0; i < s->n_signal_map; i++)
		if (s->signal_map[i].from < 1 || s->signal_map[i].from > 64 || s->signal_map[i].to > 64)
			return wrong(err, "signal_map: not a signal",
				     "give 1 to 64; to may be 0: the signal is dropped");
	return 0;
}

static int check_kinds(const struct pidbox_spec *s, struct pidbox_error *err)
{
	const uint32_t by_default = PIDBOX_NS_NET | PIDBOX_NS_CGROUP | PIDBOX_NS_TIME;

	if (s->share & s->unshare)
		return wrong(err, "a namespace cannot be both in --share and in --unshare", "name it in one of them");
	if (s->share & PIDBOX_NS_PID)
		return wrong(err, "--share pid: a box without a PID namespace would be no box",
			     "leave it out: --share takes uts, ipc and mount");
	if (s->share & PIDBOX_NS_USER)
		return wrong(err,
			     "--share user: a user namespace is made only when the caller has not the right to make "
			     "the others",
			     "leave it out: --share takes uts, ipc and mount; root keeps its own without --map");
	if (s->share & by_default)
		return wrong(err, "--share: net, cgroup and time are the caller's anyway",
			     "leave it out: shared is the default, --unshare makes a new one");
	if ((s->share & PIDBOX_NS_MOUNT) && s->proc != PIDBOX_PROC_KEEP)
		return wrong(err, "--share mount: a new /proc would replace the caller's", "add --proc keep");
	if ((s->share & PIDBOX_NS_MOUNT) && s->propagation != PIDBOX_PROPAGATION_SLAVE)
		return wrong(err,
			     "--propagation is for the box's own mount namespace, which --share mount does without",
			     "leave one of them out");
	if ((s->share & PIDBOX_NS_UTS) && s->hostname != NULL)
		return wrong(err, "--hostname with --share uts would rename the machine", "leave one of them out");
	return 0;
}

static int check_proc(const struct pidbox_spec *s, struct pidbox_error *err)
{
	bool fresh = s->proc == PIDBOX_PROC_FRESH || s->proc == PIDBOX_PROC_AUTO;

	if ((s->proc_hidepid != NULL || s->proc_subset_pid) && !fresh)
		return wrong(err, "--proc-hidepid and --proc-subset are options of a fresh /proc",
			     "use --proc fresh, or leave them out");
	if (s->proc_hidepid != NULL && !hidepid_known(s->proc_hidepid))
		return wrong(err, "--proc-hidepid has a value that is none",
			     "give off, noaccess, invisible or ptraceable (0, 1, 2, 4)");
	return 0;
}

static int check_pid1(const struct pidbox_spec *s, struct pidbox_error *err)
{
	const char *one = "leave one of them out";

	if (!s->as_pid1)
		return 0;
	if (s->on_exit != PIDBOX_ON_EXIT_KILL)
		return wrong(err, "--as-pid1 has no init: --on-exit cannot work with it", one);
	if (s->fail_on_leak)
		return wrong(err, "--as-pid1 has no init: --fail-on-leak cannot work with it", one);
	if (s->first_pid != 0)
		return wrong(err, "--as-pid1 makes the command's PID 1: --first-pid cannot work with it", one);
	return 0;
}

static int check_pids(const struct pidbox_spec *s, struct pidbox_error *err)
{
	const uint32_t limit = 4194304; /* PID_MAX_LIMIT, include/linux/threads.h */

	if (s->pid_max != 0 && (s->pid_max < 301 || s->pid_max > limit))
		return wrong(err, "--pid-max is out of range", "give 301 to 4194304");
	if (s->first_pid != 0 && (s->first_pid < 2 || s->first_pid >= limit))
		return wrong(err, "--first-pid is out of range: 1 is the init's",
			     "give 2 to 4194303, or use --as-pid1");
	if (s->first_pid != 0 && s->pid_max != 0 && s->first_pid >= s->pid_max)
		return wrong(err, "--first-pid must be below --pid-max", "give a smaller --first-pid");
	return 0;
}

static int check_numbers(const struct pidbox_spec *s, struct pidbox_error *err)
{
	if (s->stop_signal < 0 || s->stop_signal > 64)
		return wrong(err, "--stop-signal is not a signal", "give 1 to 64; 0 is the default");
	if (s->grace_us < 0 || s->timeout_us < 0 || s->cpu_time_us < 0 || s->leak_grace_us < 0)
		return wrong(err, "a duration is negative", "give microseconds from 0 on");
	if (s->monotonic.nanoseconds > 999999999 || s->boottime.nanoseconds > 999999999)
		return wrong(err, "--time-offset has more than 999999999 nanoseconds", "give whole seconds in seconds");
	if (s->n_uid_maps > PLAN_MAX_RANGES || s->n_gid_maps > PLAN_MAX_RANGES)
		return wrong(err, "too many id ranges", "give at most 32 of --uid-map, and of --gid-map");
	if (s->n_keep_fds > WIRE_MAX_KEEP)
		return wrong(err, "too many descriptors to keep", "give at most 64 of --keep-fd");
	return 0;
}

static int no_name(const char *name, struct pidbox_error *err)
{
	char why[64];

	(void)err_set(err, 0, PIDBOX_CODE_USAGE, "planning the box");
	address_why_no_name(name, why);
	err_why(err, "--name: \"%.80s\" is no name that a box can have: %s", name, why);
	err_fix(err, "begin with a letter; then letters, digits, '_', '.' and '-', 64 in all");
	return -EINVAL;
}

static int check_name(const struct pidbox_spec *s, struct pidbox_error *err)
{
	bool named = s->reachable != PIDBOX_UNREACHABLE && s->name != NULL;

	if (s->reachable > PIDBOX_REACHABLE_KEPT)
		return wrong(err, "an unknown value of reachable", "use the constants of pidbox.h");
	if (s->replace && !named)
		return wrong(err, "--replace is for a box with a name", "give it one with --name, or leave it out");
	if (s->reachable == PIDBOX_REACHABLE_KEPT && !named)
		return wrong(err, "a record is kept by the name of its box", "give the box a name");
	if (named && !address_is_name(s->name, strlen(s->name)))
		return no_name(s->name, err);
	return 0;
}

static int check_idle(const struct pidbox_spec *s, struct pidbox_error *err)
{
	if (!s->idle)
		return 0;
	if (s->argv != NULL && s->argv[0] != NULL)
		return wrong(err, "--idle has no command", "leave --idle or the command out");
	if (s->as_pid1)
		return wrong(err, "--idle is the init alone, and --as-pid1 has none", "leave one of them out");
	if (s->tty || s->first_pid != 0)
		return wrong(err, "--tty and --first-pid are for a command, and --idle has none",
			     "leave one of them out; `pidbox exec -t` has a terminal");
	return 0;
}

static int check_rest(const struct pidbox_spec *s, struct pidbox_error *err)
{
	if (s->tty && s->stdio != NULL)
		return wrong(err, "tty and stdio: the standard streams are either the terminal or what is given",
			     "leave one of them out");
	if (s->hostname == NULL)
		return 0;
	if (s->hostname[0] == '\0' || strlen(s->hostname) > 64)
		return wrong(err, "--hostname is empty, or longer than the kernel takes (sethostname(2))",
			     "give 1 to 64 bytes");
	/* The kernel takes any bytes, but prompts and logs show the name as it is. */
	for (const char *p = s->hostname; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return wrong(err, "--hostname has a control character in it", "give a name without");
	return 0;
}

int spec_check(const struct pidbox_spec *spec, struct pidbox_error *err)
{
	static int (*const checks[])(const struct pidbox_spec *, struct pidbox_error *) = {
		check_values,  check_kinds, check_proc, check_pid1, check_pids,
		check_numbers, check_name,  check_idle, check_rest,
	};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		int r = checks[i](spec, err);

		if (r < 0)
			return r;
	}
	return 0;
}
