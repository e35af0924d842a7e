/* SPDX-License-Identifier: MIT */
/*
 * Plans: from a spec and the facts of any caller on any machine to steps, without doing one of them. What is expected
 * comes from the contract, docs/DESIGN.md and the manual pages that the rows name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/util.h"
#include "core/plan.h"
#include "kern/caps.h"
#include "tap.h"

#define MAP_CAPS (CAPS_SETUID | CAPS_SETGID)
#define ALL_CAPS ((UINT64_C(1) << 41) - 1)

static const char *const env[] = { "PATH=/usr/bin:/bin", "SHELL=/bin/bash", "A=1", "B=2", "odd", "C=", NULL };
static const char *const echo[] = { "echo", "hi", NULL };

static const struct plan_facts root = {
	.dumpable = true, .caps = ALL_CAPS, .environ = env, .signal_mask = 0x10, .realtime_us = 1234567
};
static const struct plan_facts ann = { .dumpable = true, .euid = 1000, .egid = 1001, .environ = env };
static const struct plan_facts ann_subids = {
	.dumpable = true,
	.euid = 1000,
	.egid = 1001,
	.environ = env,
	.subuids = { { { 0, 100000, 65536 }, { 0, 300000, 10 } }, 2 },
	.subgids = { { { 0, 200000, 65536 } }, 1 },
};
/* What `setpriv --ambient-caps +sys_admin` gives, and a service with CAP_SETUID and CAP_SETGID. */
static const struct plan_facts admin = {
	.dumpable = true, .euid = 1000, .egid = 1001, .environ = env, .caps = CAPS_SYS_ADMIN
};
static const struct plan_facts mapper = {
	.dumpable = true, .euid = 1000, .egid = 1001, .environ = env, .caps = MAP_CAPS
};
static struct user_ids another = { .uid = 5, .gid = 6, .groups = { 6, 7 }, .n_groups = 2 };
static const struct plan_facts ann_as_user = {
	.dumpable = true,
	.euid = 1000,
	.egid = 1001,
	.environ = env,
	.user = &another,
};

static struct pidbox_spec with_defaults(struct pidbox_spec spec)
{
	spec.size = sizeof(spec);
	if (spec.argv == NULL)
		spec.argv = echo;
	return spec;
}

static struct pidbox_plan *make(const struct pidbox_spec *spec, const struct plan_facts *facts)
{
	struct pidbox_plan *plan = NULL;
	struct pidbox_error err = { 0 };

	if (spec_check(spec, &err) < 0 || plan_make(spec, facts, &plan, &err) < 0) {
		(void)ok(false, "a plan is refused: %s", err.what);
		exit(tap_end());
	}
	plan_put_words(plan);
	return plan;
}

/* ------------------------------------------------------------ which steps, in which order */

#define FRONT  "connect load-init send-plan clone exec-init "
#define ANN    "connect load-init send-plan clone map-ids raise-caps exec-init "
#define GOES   "connect load-init send-plan clone raise-caps exec-init map-ids go checkpoint "
#define INSIDE "propagation mount-proc "
#define EXEC   "signals exec"
#define DROPS  "drop-caps signals exec"

static const struct pidbox_idrange several[] = { { 0, 1000, 1 }, { 1, 100000, 10 } };
static const struct pidbox_idrange own[] = { { 7, 1000, 1 } };
static const struct pidbox_idrange own_gid[] = { { 8, 1001, 1 } };
static const struct pidbox_idrange all_ids[] = { { 0, 0, 4294967295u } };
static const struct pidbox_sigmap map_term[] = { { 15, 3 }, { 1, 0 } };
static const int three[] = { 5, 6, -1 };
static const int kept[] = { 9, 12 };

static const struct {
	const char *name, *steps;
	const struct plan_facts *facts;
	struct pidbox_spec spec;
} orders[] = {
	{ "root", FRONT INSIDE "start " EXEC, &root, { .inherit_fds = true } },
	{ "an ordinary user", ANN INSIDE "start " DROPS, &ann, { .inherit_fds = true } },
	{ "an ordinary user, --map me",
	  ANN INSIDE "start " DROPS,
	  &ann,
	  { .inherit_fds = true, .map = PIDBOX_MAP_ME } },
	/* root inside keeps its capabilities over an exec (capabilities(7)): nothing is to be raised or dropped */
	{ "an ordinary user, --map root",
	  "connect load-init send-plan clone map-ids exec-init " INSIDE "start " EXEC,
	  &ann,
	  { .inherit_fds = true, .map = PIDBOX_MAP_ROOT } },
	{ "an ordinary user, --map auto",
	  "connect load-init send-plan clone raise-caps exec-init map-subids go checkpoint " INSIDE "start " DROPS,
	  &ann_subids,
	  { .inherit_fds = true, .map = PIDBOX_MAP_AUTO } },
	{ "an ordinary user, exact ranges",
	  "connect load-init send-plan clone raise-caps exec-init map-subids go checkpoint " INSIDE "start " DROPS,
	  &ann,
	  { .inherit_fds = true, .map = PIDBOX_MAP_EXACT, .uid_maps = several, .n_uid_maps = 2 } },
	{ "an ordinary user, its own id exactly",
	  ANN INSIDE "start " DROPS,
	  &ann,
	  { .inherit_fds = true,
	    .map = PIDBOX_MAP_EXACT,
	    .uid_maps = own,
	    .n_uid_maps = 1,
	    .gid_maps = own_gid,
	    .n_gid_maps = 1 } },
	{ "CAP_SYS_ADMIN without uid 0",
	  "connect load-init send-plan clone raise-caps exec-init " INSIDE "start " DROPS,
	  &admin,
	  { .inherit_fds = true } },
	{ "CAP_SETUID and CAP_SETGID alone", GOES INSIDE "start " DROPS, &mapper, { .inherit_fds = true } },
	{ "root, --map me", GOES INSIDE "start " DROPS, &root, { .inherit_fds = true, .map = PIDBOX_MAP_ME } },
	{ "root, --unshare user",
	  GOES INSIDE "start " DROPS,
	  &root,
	  { .inherit_fds = true, .unshare = PIDBOX_NS_USER } },
	{ "root, exact ranges",
	  GOES INSIDE "start " DROPS,
	  &root,
	  { .inherit_fds = true, .map = PIDBOX_MAP_EXACT, .uid_maps = all_ids, .n_uid_maps = 1 } },
	{ "--close-fds", FRONT INSIDE "start close-fds " EXEC, &root, { 0 } },
	{ "--unshare net",
	  FRONT "loopback " INSIDE "start " EXEC,
	  &root,
	  { .inherit_fds = true, .unshare = PIDBOX_NS_NET } },
	{ "--unshare cgroup", FRONT INSIDE "start " EXEC, &root, { .inherit_fds = true, .unshare = PIDBOX_NS_CGROUP } },
	{ "--hostname", FRONT "hostname " INSIDE "start " EXEC, &root, { .inherit_fds = true, .hostname = "box" } },
	{ "--share uts,ipc",
	  FRONT INSIDE "start " EXEC,
	  &root,
	  { .inherit_fds = true, .share = PIDBOX_NS_UTS | PIDBOX_NS_IPC } },
	{ "--share mount --proc keep",
	  FRONT "start " EXEC,
	  &root,
	  { .inherit_fds = true, .share = PIDBOX_NS_MOUNT, .proc = PIDBOX_PROC_KEEP } },
	{ "--propagation private",
	  FRONT INSIDE "start " EXEC,
	  &root,
	  { .inherit_fds = true, .propagation = PIDBOX_PROPAGATION_PRIVATE } },
	/* on a shared /proc the new one would show outside (R4: "touches nobody else") */
	{ "--propagation shared",
	  FRONT "propagation proc-private mount-proc start " EXEC,
	  &root,
	  { .inherit_fds = true, .propagation = PIDBOX_PROPAGATION_SHARED } },
	{ "--propagation unchanged",
	  FRONT "proc-private mount-proc start " EXEC,
	  &root,
	  { .inherit_fds = true, .propagation = PIDBOX_PROPAGATION_UNCHANGED } },
	{ "--proc keep", FRONT "propagation start " EXEC, &root, { .inherit_fds = true, .proc = PIDBOX_PROC_KEEP } },
	{ "--proc none",
	  FRONT "propagation hide-proc start " EXEC,
	  &root,
	  { .inherit_fds = true, .proc = PIDBOX_PROC_NONE } },
	{ "--proc auto", FRONT INSIDE "start " EXEC, &root, { .inherit_fds = true, .proc = PIDBOX_PROC_AUTO } },
	{ "--pid-max, --first-pid",
	  FRONT INSIDE "pid-max first-pid start " EXEC,
	  &root,
	  { .inherit_fds = true, .pid_max = 400, .first_pid = 100 } },
	/* a procfs with subset=pid has no sys (proc(5)) */
	{ "--first-pid --proc-subset pid",
	  FRONT "propagation first-pid mount-proc start " EXEC,
	  &root,
	  { .inherit_fds = true, .first_pid = 100, .proc_subset_pid = true } },
	{ "--first-pid --proc none",
	  FRONT "propagation first-pid hide-proc start " EXEC,
	  &root,
	  { .inherit_fds = true, .first_pid = 100, .proc = PIDBOX_PROC_NONE } },
	{ "--unshare time",
	  FRONT INSIDE "time-ns start " EXEC,
	  &root,
	  { .inherit_fds = true, .unshare = PIDBOX_NS_TIME } },
	{ "--time-offset", FRONT INSIDE "time-ns start " EXEC, &root, { .inherit_fds = true, .has_boottime = true } },
	{ "--hold-fd", FRONT INSIDE "hold start " EXEC, &root, { .inherit_fds = true, .hold = true } },
	{ "--tty",
	  "connect load-init open-tty send-plan clone exec-init " INSIDE "start session stdio " EXEC,
	  &root,
	  { .inherit_fds = true, .tty = true } },
	{ "three descriptors", FRONT INSIDE "start stdio " EXEC, &root, { .inherit_fds = true, .stdio = three } },
	{ "--user --chdir",
	  ANN INSIDE "start user chdir " DROPS,
	  &ann_as_user,
	  { .inherit_fds = true, .user = "5:6", .chdir = "/tmp" } },
	{ "--as-pid1", FRONT INSIDE EXEC, &root, { .inherit_fds = true, .as_pid1 = true } },
	/* only where front and command share a group can a signal have gone to either (kill(2)) */
	{ "--as-pid1 as the command line has it",
	  "connect witness load-init send-plan clone exec-init " INSIDE EXEC,
	  &root,
	  { .inherit_fds = true, .as_pid1 = true, .front_forwards = true } },
	{ "--as-pid1 --hold-fd --tty",
	  "connect load-init open-tty send-plan clone exec-init " INSIDE "hold session stdio " EXEC,
	  &root,
	  { .inherit_fds = true, .as_pid1 = true, .hold = true, .tty = true } },
	{ "everything",
	  "connect load-init open-tty send-plan clone map-ids raise-caps exec-init loopback hostname " INSIDE
	  "pid-max time-ns first-pid hold start session stdio user chdir drop-caps close-fds " EXEC,
	  &ann_as_user,
	  { .unshare = PIDBOX_NS_ALL,
	    .hostname = "box",
	    .pid_max = 1000,
	    .first_pid = 300,
	    .has_monotonic = true,
	    .hold = true,
	    .tty = true,
	    .user = "5",
	    .chdir = "/" } },
};

static void steps_of(const struct pidbox_plan *plan, char *buf, size_t size)
{
	struct pidbox_step step;
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; pidbox_plan_step(plan, i, &step) == 0 && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i > 0 ? " " : "", step.name);
}

/* Nobody does a step before somebody else has made its doer: front, child, init, command. */
static bool sides_in_order(const struct pidbox_plan *plan)
{
	int exec_init = plan_find(plan, STEP_EXEC_INIT), start = plan_find(plan, STEP_START);
	struct pidbox_step step;

	for (int i = 0; pidbox_plan_step(plan, (size_t)i, &step) == 0; i++) {
		if (step.side == PIDBOX_SIDE_CHILD && i > exec_init)
			return false;
		if (step.side == PIDBOX_SIDE_INIT && i < exec_init)
			return false;
		if (step.side == PIDBOX_SIDE_COMMAND && i < start)
			return false;
		if (step.call[0] == '\0' || step.does[0] == '\0' || step.rule == NULL || step.took_us != -1 ||
		    step.done)
			return false;
	}
	return true;
}

static void test_orders(void)
{
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		const struct pidbox_spec spec = with_defaults(orders[i].spec);
		struct pidbox_plan *plan = make(&spec, orders[i].facts);
		char steps[512];

		steps_of(plan, steps, sizeof(steps));
		ok(strcmp(steps, orders[i].steps) == 0, "%s: %s (expected %s)", orders[i].name, steps, orders[i].steps);
		ok(sides_in_order(plan), "%s: each side begins when it exists", orders[i].name);
		ok(plan->wire->n_steps == plan->n_rows && plan->wire->version == WIRE_VERSION &&
			   plan->wire->size >= sizeof(struct wire_plan),
		   "%s: the head of the wire plan", orders[i].name);
		pidbox_plan_free(plan);
	}
}

/* ------------------------------------------------------------ namespaces and flags */

enum { DEFAULT_KINDS = PIDBOX_NS_PID | PIDBOX_NS_MOUNT | PIDBOX_NS_UTS | PIDBOX_NS_IPC };

static const struct {
	const char *name;
	const struct plan_facts *facts;
	struct pidbox_spec spec;
	uint32_t kinds, flags;
} worlds[] = {
	{ "root", &root, { .inherit_fds = true }, DEFAULT_KINDS, 0 },
	{ "a user", &ann, { .inherit_fds = true }, DEFAULT_KINDS | PIDBOX_NS_USER, 0 },
	{ "CAP_SYS_ADMIN", &admin, { .inherit_fds = true }, DEFAULT_KINDS, 0 },
	{ "the library's default", &root, { 0 }, DEFAULT_KINDS, WIRE_CLOSE_FDS },
	{ "--map by root makes one too",
	  &root,
	  { .inherit_fds = true, .map = PIDBOX_MAP_ROOT },
	  DEFAULT_KINDS | PIDBOX_NS_USER,
	  0 },
	{ "--unshare all", &root, { .inherit_fds = true, .unshare = PIDBOX_NS_ALL }, PIDBOX_NS_ALL, WIRE_FORK },
	{ "--share uts,ipc",
	  &root,
	  { .inherit_fds = true, .share = PIDBOX_NS_UTS | PIDBOX_NS_IPC },
	  PIDBOX_NS_PID | PIDBOX_NS_MOUNT,
	  0 },
	{ "--time-offset",
	  &root,
	  { .inherit_fds = true, .has_monotonic = true },
	  DEFAULT_KINDS | PIDBOX_NS_TIME,
	  WIRE_FORK },
	{ "--as-pid1", &root, { .inherit_fds = true, .as_pid1 = true }, DEFAULT_KINDS, WIRE_AS_PID1 },
	{ "--hold-fd --timing",
	  &root,
	  { .inherit_fds = true, .hold = true, .timing = true },
	  DEFAULT_KINDS,
	  WIRE_HOLD | WIRE_TIMING },
	{ "--report", &root, { .inherit_fds = true, .account = true }, DEFAULT_KINDS, WIRE_ACCOUNT },
	{ "the front forwards",
	  &root,
	  { .inherit_fds = true, .front_forwards = true },
	  DEFAULT_KINDS,
	  WIRE_SHARED_GROUP },
	{ "with -t the init has a group of its own",
	  &root,
	  { .inherit_fds = true, .front_forwards = true, .tty = true },
	  DEFAULT_KINDS,
	  0 },
	{ "--grace 0", &root, { .inherit_fds = true, .has_grace = true }, DEFAULT_KINDS, WIRE_HAS_GRACE },
};

static void test_worlds(void)
{
	const uint32_t known = WIRE_AS_PID1 | WIRE_HOLD | WIRE_ACCOUNT | WIRE_TIMING | WIRE_CLOSE_FDS |
			       WIRE_SHARED_GROUP | WIRE_FORK | WIRE_HAS_GRACE;

	for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
		const struct pidbox_spec spec = with_defaults(worlds[i].spec);
		struct pidbox_plan *plan = make(&spec, worlds[i].facts);
		const char *call = plan->rows[plan_find(plan, STEP_CLONE)].call;

		ok(plan->kinds == worlds[i].kinds, "%s: kinds %#x (expected %#x)", worlds[i].name, plan->kinds,
		   worlds[i].kinds);
		ok((plan->wire->flags & known) == worlds[i].flags, "%s: flags %#x (expected %#x)", worlds[i].name,
		   plan->wire->flags, worlds[i].flags);
		ok(strstr(call, "CLONE_NEWPID") != NULL && strstr(call, "CLONE_NEWTIME") == NULL &&
			   !strstr(call, "CLONE_NEWUSER") == !(worlds[i].kinds & PIDBOX_NS_USER),
		   "%s: %s", worlds[i].name, call);
		pidbox_plan_free(plan);
	}
}

/* ------------------------------------------------------------ maps and capabilities */

static const struct {
	const char *name, *uids, *gids;
	const struct plan_facts *facts;
	struct pidbox_spec spec;
	enum step_op op;
	bool deny;
	uint64_t caps; /* that are raised; 0: none */
} maps[] = {
#define BASE (CAPS_SYS_ADMIN | CAPS_KILL | CAPS_SYS_PTRACE)
	/* user_namespaces(7): the writer's own id, with setgroups denied before the gid_map */
	{ "me", "1000 1000 1\n", "1001 1001 1\n", &ann, { 0 }, STEP_MAP_SELF, true, BASE },
	{ "root", "0 1000 1\n", "0 1001 1\n", &ann, { .map = PIDBOX_MAP_ROOT }, STEP_MAP_SELF, true, 0 },
	{ "auto",
	  "0 1000 1\n1 100000 65536\n65537 300000 10\n",
	  "0 1001 1\n1 200000 65536\n",
	  &ann_subids,
	  { .map = PIDBOX_MAP_AUTO },
	  STEP_MAP_HELPER,
	  false,
	  BASE },
	{ "exact, uids alone",
	  "0 1000 1\n1 100000 10\n",
	  "1001 1001 1\n",
	  &ann,
	  { .map = PIDBOX_MAP_EXACT, .uid_maps = several, .n_uid_maps = 2 },
	  STEP_MAP_HELPER,
	  false,
	  BASE },
	{ "exact, the own ids",
	  "7 1000 1\n",
	  "8 1001 1\n",
	  &ann,
	  { .map = PIDBOX_MAP_EXACT, .uid_maps = own, .n_uid_maps = 1, .gid_maps = own_gid, .n_gid_maps = 1 },
	  STEP_MAP_SELF,
	  true,
	  BASE },
	{ "root, me", "0 0 1\n", "0 0 1\n", &root, { .map = PIDBOX_MAP_ME }, STEP_MAP_FRONT, false, BASE },
	{ "root, all",
	  "0 0 4294967295\n",
	  "0 0 4294967295\n",
	  &root,
	  { .map = PIDBOX_MAP_EXACT, .uid_maps = all_ids, .n_uid_maps = 1, .gid_maps = all_ids, .n_gid_maps = 1 },
	  STEP_MAP_FRONT,
	  false,
	  BASE },
	{ "net",
	  "1000 1000 1\n",
	  "1001 1001 1\n",
	  &ann,
	  { .unshare = PIDBOX_NS_NET },
	  STEP_MAP_SELF,
	  true,
	  BASE | CAPS_NET_ADMIN },
	{ "--user",
	  "1000 1000 1\n",
	  "1001 1001 1\n",
	  &ann_as_user,
	  { .user = "5" },
	  STEP_MAP_SELF,
	  true,
	  BASE | CAPS_SETUID | CAPS_SETGID },
};

static void test_maps(void)
{
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct pidbox_spec spec = with_defaults(maps[i].spec);
		struct pidbox_plan *plan = make(&spec, maps[i].facts);
		const struct wire_plan *w = plan->wire;
		int at = plan_find(plan, maps[i].op), caps = plan_find(plan, STEP_RAISE_CAPS);

		if (!ok(at >= 0, "%s: the map has its writer", maps[i].name)) {
			pidbox_plan_free(plan);
			continue;
		}
		ok(strcmp(plan_text(w, w->steps[at].text), maps[i].uids) == 0, "%s: uids %s", maps[i].name,
		   plan_text(w, w->steps[at].text));
		ok(strcmp(plan_text(w, w->steps[at].text2), maps[i].gids) == 0, "%s: gids %s", maps[i].name,
		   plan_text(w, w->steps[at].text2));
		ok(!(w->steps[at].flags & STEP_MAP_DENY_SETGROUPS) == !maps[i].deny, "%s: setgroups", maps[i].name);
		ok((caps >= 0 ? (uint64_t)w->steps[caps].a : 0) == maps[i].caps, "%s: capabilities %#llx", maps[i].name,
		   caps >= 0 ? (unsigned long long)w->steps[caps].a : 0);
		ok(plan->needs_go == (maps[i].op != STEP_MAP_SELF),
		   "%s: a round trip only when the front has to do something", maps[i].name);
		at = plan_find(plan, STEP_CHECKPOINT);
		ok((at >= 0 && (w->steps[at].flags & STEP_CHECKPOINT_SPEAKS)) ==
			   (maps[i].op == STEP_MAP_FRONT && maps[i].deny),
		   "%s: the init speaks only to a front that waits for it", maps[i].name);
		pidbox_plan_free(plan);
	}
}

/* Thirty-two ranges of subordinate ids are as many as a map may have here; no row may be lost or written past the end.
 */
static void test_many_ranges(void)
{
	struct plan_facts facts = ann;
	const struct pidbox_spec spec = with_defaults((struct pidbox_spec){ .map = PIDBOX_MAP_AUTO });
	struct pidbox_plan *plan;

	for (uint32_t i = 0; i < PLAN_MAX_RANGES - 1; i++)
		facts.subuids.ranges[i] = facts.subgids.ranges[i] =
			(struct pidbox_idrange){ 0, 4000000000u + i * 2, 1 };
	facts.subuids.n = facts.subgids.n = PLAN_MAX_RANGES - 1;
	plan = make(&spec, &facts);
	ok(plan->uid_map.n == PLAN_MAX_RANGES && plan->uid_map.ranges[31].inside == 31 &&
		   plan->uid_map.ranges[31].outside == 4000000060u,
	   "31 subordinate ranges follow the own id");
	ok(strstr(plan_text(plan->wire, plan->wire->steps[plan_find(plan, STEP_MAP_HELPER)].text),
		  "31 4000000060 1\n") != NULL,
	   "the text has the last of them");
	pidbox_plan_free(plan);
}

/* ------------------------------------------------------------ texts and numbers of single steps */

static const struct wire_step *step_of(const struct pidbox_plan *plan, enum step_op op)
{
	static const struct wire_step none;
	int at = plan_find(plan, op);

	return at >= 0 ? &plan->wire->steps[at] : &none;
}

static void test_single_steps(void)
{
	const struct pidbox_spec spec = with_defaults((struct pidbox_spec){ .hostname = "box",
									    .propagation = PIDBOX_PROPAGATION_SHARED,
									    .proc = PIDBOX_PROC_AUTO,
									    .proc_hidepid = "invisible",
									    .proc_subset_pid = true,
									    .pid_max = 400,
									    .first_pid = 100,
									    .chdir = "/tmp",
									    .has_monotonic = true,
									    .monotonic = { -2, 500000000 },
									    .has_boottime = true,
									    .boottime = { 86400, 0 } });
	const struct pidbox_spec plain =
		with_defaults((struct pidbox_spec){ .has_boottime = true, .boottime = { 7, 1 } });
	struct pidbox_plan *plan = make(&spec, &root);
	const struct wire_plan *w = plan->wire;

	ok(strcmp(plan_text(w, step_of(plan, STEP_HOSTNAME)->text), "box") == 0, "the host name");
	ok(step_of(plan, STEP_PROPAGATION)->a == (MS_REC | MS_SHARED), "propagation is recursive");
	ok(step_of(plan, STEP_MOUNT_PROC)->flags == STEP_PROC_AUTO, "--proc auto may fail");
	ok(strcmp(plan_text(w, step_of(plan, STEP_MOUNT_PROC)->text), "hidepid=invisible,subset=pid") == 0,
	   "options of the new /proc");
	ok(step_of(plan, STEP_PID_MAX)->a == 400, "--pid-max");
	/* proc(5): ns_last_pid is the last one given out */
	ok(step_of(plan, STEP_FIRST_PID)->a == 99, "--first-pid");
	ok(strcmp(plan_text(w, step_of(plan, STEP_CHDIR)->text), "/tmp") == 0, "--chdir");
	/* time_namespaces(7): clock, seconds, nanoseconds */
	ok(strcmp(plan_text(w, step_of(plan, STEP_TIME_NS)->text), "monotonic -2 500000000\nboottime 86400 0\n") == 0,
	   "the lines of timens_offsets");
	ok(strcmp(w->proc_word, "fresh") == 0, "the record's word for /proc");
	pidbox_plan_free(plan);
	plan = make(&plain, &root);
	ok(strcmp(plan_text(plan->wire, step_of(plan, STEP_TIME_NS)->text), "boottime 7 1\n") == 0, "one clock alone");
	ok(step_of(plan, STEP_PROPAGATION)->a == (MS_REC | MS_SLAVE), "slave is the default");
	ok(step_of(plan, STEP_MOUNT_PROC)->text == 0 && step_of(plan, STEP_MOUNT_PROC)->flags == 0, "a plain /proc");
	pidbox_plan_free(plan);
}

static void test_numbers(void)
{
	const uint64_t mask = 0x4004;
	const struct pidbox_spec none = with_defaults((struct pidbox_spec){ 0 });
	const struct pidbox_spec some = with_defaults((struct pidbox_spec){ .stop_signal = 3,
									    .has_grace = true,
									    .grace_us = 5,
									    .timeout_us = 6,
									    .cpu_time_us = 7,
									    .has_leak_grace = true,
									    .signal_map = map_term,
									    .n_signal_map = 2,
									    .signal_mask = &mask,
									    .keep_fds = kept,
									    .n_keep_fds = 2,
									    .stdio = three,
									    .report_fd = 4,
									    .on_exit = PIDBOX_ON_EXIT_WAIT,
									    .name = "me",
									    .user = "5:6" });
	struct pidbox_plan *plan = make(&none, &root);
	const struct wire_plan *w = plan->wire;
	const uint32_t *groups;
	bool same = true;

	for (int i = 1; i <= 64; i++)
		same = same && w->signal_map[i] == i;
	ok(same, "signals arrive as they are");
	ok(w->stop_signal == 15 && w->grace_us == 10 * US_PER_S && w->leak_grace_us == 100000, "TERM, 10s, 100ms");
	ok(w->timeout_us == 0 && w->cpu_time_us == 0 && w->on_exit == PIDBOX_ON_EXIT_KILL,
	   "no limits; the rest is killed");
	ok(w->signal_mask == 0x10 && w->started_realtime_us == 1234567, "mask and time of the facts");
	ok(w->front_pidfd == -1 && w->report_fd == -1 && w->tty_fd == -1 && w->n_keep == 0 && !w->stdio_given,
	   "no descriptors");
	ok(!w->has_user && w->name == 0, "no user, no name");
	pidbox_plan_free(plan);
	plan = make(&some, &ann_as_user);
	w = plan->wire;
	ok(w->stop_signal == 3 && w->grace_us == 5 && w->timeout_us == 6 && w->cpu_time_us == 7 &&
		   w->leak_grace_us == 0,
	   "what was given");
	ok(w->signal_map[15] == 3 && w->signal_map[1] == 0 && w->signal_map[2] == 2, "--signal-map TERM=QUIT,HUP=");
	ok(w->signal_mask == mask && w->on_exit == PIDBOX_ON_EXIT_WAIT && w->report_fd == 4, "mask, --on-exit, report");
	ok(w->n_keep == 2 && w->keep[0] == 9 && w->keep[1] == 12, "kept descriptors");
	ok(w->stdio_given && w->stdio[0] == 5 && w->stdio[1] == 6 && w->stdio[2] == -1,
	   "three descriptors, one closed");
	groups = (const uint32_t *)(const void *)plan_text(w, w->groups);
	ok(w->has_user && w->uid == 5 && w->gid == 6 && w->n_groups == 2 && groups[0] == 6 && groups[1] == 7,
	   "the user");
	ok(strcmp(plan_text(w, w->name), "me") == 0, "the name");
	pidbox_plan_free(plan);
}

/* setgroups(2): where it is denied, becoming who one is must do without. */
static void test_groups(void)
{
	static const struct {
		const char *name;
		uint32_t egid, gid;
		bool own_groups, kept;
		struct pidbox_spec spec;
	} rows[] = {
		{ "its own ids", 1001, 1001, true, true, { .user = "1000" } },
		{ "another group", 1001, 1002, true, false, { .user = "1000:1002" } },
		{ "fewer groups", 1001, 1001, false, false, { .user = "1000:1001" } },
		{ "root inside", 1001, 0, true, true, { .user = "0:0", .map = PIDBOX_MAP_ROOT } },
		{ "its own number, which root inside does not have",
		  1001,
		  1001,
		  true,
		  false,
		  { .user = "0:1001", .map = PIDBOX_MAP_ROOT } },
		/* 27 inside is not the 27 outside then */
		{ "subordinate ids", 1001, 0, true, false, { .user = "0", .map = PIDBOX_MAP_AUTO } },
	};
	static struct plan_facts facts;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pidbox_spec spec = with_defaults(rows[i].spec);
		struct user_ids user;
		struct pidbox_plan *plan;
		int at;

		facts = ann_subids;
		facts.egid = rows[i].egid;
		facts.own_groups = rows[i].own_groups;
		user = (struct user_ids){ .gid = rows[i].gid, .groups = { rows[i].gid }, .n_groups = 1 };
		facts.user = &user;
		plan = make(&spec, &facts);
		at = plan_find(plan, STEP_USER);
		ok(at >= 0 && !(plan->wire->steps[at].flags & STEP_USER_KEEP_GROUPS) == !rows[i].kept &&
			   (strstr(plan->rows[at].call, "setgroups") == NULL) == rows[i].kept,
		   "%s: the groups are %s", rows[i].name, rows[i].kept ? "left as they are" : "set");
		pidbox_plan_free(plan);
	}
}

/* --as-pid1: the process that was PID 1 all along does the last steps. */
static void test_sides(void)
{
	const struct pidbox_spec spec = with_defaults((struct pidbox_spec){ .as_pid1 = true });
	struct pidbox_plan *plan = make(&spec, &root);
	struct pidbox_step step = { .side = PIDBOX_SIDE_FRONT };

	ok(pidbox_plan_step(plan, plan->n_rows - 1, &step) == 0 && step.side == PIDBOX_SIDE_INIT &&
		   strcmp(step.name, "exec") == 0 && strstr(step.call, "\"echo\"") != NULL,
	   "the init itself executes the command");
	ok(pidbox_plan_step(plan, plan->n_rows, &step) == -ENOENT, "no step after the last one");
	ok(plan_find(plan, STEP_START) == -1, "there is nobody to start");
	pidbox_plan_free(plan);
	pidbox_plan_free(NULL);
}

/* ------------------------------------------------------------ what the command gets */

/* A table of the wire plan as one text, its entries with '|' between. */
static void table_of(const struct wire_plan *w, uint32_t table, char *buf, size_t size)
{
	const uintptr_t *entry = (const void *)((const char *)w + table);
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; entry[i] != 0 && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i > 0 ? "|" : "",
					plan_text(w, (uint32_t)entry[i]));
}

#define LIST(...)  ((const char *const[]){ __VA_ARGS__, NULL })
#define ALL_OF_ENV "PATH=/usr/bin:/bin|SHELL=/bin/bash|A=1|B=2|odd|C="

static const struct {
	const char *name, *argv, *paths, *envp;
	struct pidbox_spec spec;
} commands[] = {
	{ "a name", "echo|hi", "/usr/bin/echo|/bin/echo", ALL_OF_ENV, { 0 } },
	{ "with a slash", "./echo", "./echo", ALL_OF_ENV, { .argv = LIST("./echo") } },
	{ "absolute", "/x/echo|", "/x/echo", ALL_OF_ENV, { .argv = LIST("/x/echo", "") } },
	/* execvp(3): an empty name is not there, whatever PATH has */
	{ "an empty name", "", "", ALL_OF_ENV, { .argv = LIST("") } },
	{ "argv[0] of its own", "-sh|hi", "/usr/bin/echo|/bin/echo", ALL_OF_ENV, { .argv0 = "-sh" } },
	/* the contract: without COMMAND $SHELL, else /bin/sh */
	{ "no command", "/bin/bash", "/bin/bash", ALL_OF_ENV, { .argv = LIST(NULL) } },
	{ "no command, --clear-env", "/bin/sh", "/bin/sh", "", { .argv = LIST(NULL), .clear_env = true } },
	{ "no command, another SHELL",
	  "/bin/zsh",
	  "/bin/zsh",
	  "PATH=/usr/bin:/bin|A=1|B=2|odd|C=|SHELL=/bin/zsh",
	  { .argv = LIST(NULL), .set_env = LIST("SHELL=/bin/zsh") } },
	{ "no command, an empty SHELL",
	  "/bin/sh",
	  "/bin/sh",
	  "PATH=/usr/bin:/bin|A=1|B=2|odd|C=|SHELL=",
	  { .argv = LIST(NULL), .set_env = LIST("SHELL=") } },
	/* execvp(3): an empty element is the current directory */
	{ "PATH with empty elements",
	  "echo|hi",
	  "/a/echo|./echo|/b/echo|./echo",
	  "PATH=/a::/b:",
	  { .envp = LIST("PATH=/a::/b:") } },
	{ "PATH that begins with one", "echo|hi", "./echo|/a/echo", "PATH=:/a", { .envp = LIST("PATH=:/a") } },
	{ "an empty PATH", "echo|hi", "./echo", "PATH=", { .envp = LIST("PATH=") } },
	{ "no PATH", "echo|hi", "/bin/echo|/usr/bin/echo", "A=1", { .envp = LIST("A=1") } },
	{ "PATHS is not PATH",
	  "echo|hi",
	  "/bin/echo|/usr/bin/echo",
	  "PATHS=/a|PAT=/b",
	  { .envp = LIST("PATHS=/a", "PAT=/b") } },
	/* env(1): the new environment's PATH is searched */
	{ "PATH set", "echo|hi", "/a/echo", "SHELL=/bin/bash|A=1|B=2|odd|C=|PATH=/a", { .set_env = LIST("PATH=/a") } },
	{ "PATH unset",
	  "echo|hi",
	  "/bin/echo|/usr/bin/echo",
	  "SHELL=/bin/bash|A=1|B=2|odd|C=",
	  { .unset_env = LIST("PATH") } },
	{ "an environment of its own", "echo|hi", "/bin/echo|/usr/bin/echo", "X=1", { .envp = LIST("X=1") } },
	{ "-e K=V",
	  "echo|hi",
	  "/usr/bin/echo|/bin/echo",
	  "PATH=/usr/bin:/bin|SHELL=/bin/bash|B=2|odd|C=|A=3|N=4",
	  { .set_env = LIST("A=3", "N=4") } },
	{ "-e K=V twice: the last one, once",
	  "echo|hi",
	  "/usr/bin/echo|/bin/echo",
	  ALL_OF_ENV "|N=5",
	  { .set_env = LIST("N=4", "N=5") } },
	{ "-e K= is empty, not unset",
	  "echo|hi",
	  "/usr/bin/echo|/bin/echo",
	  "PATH=/usr/bin:/bin|SHELL=/bin/bash|B=2|odd|C=|A=",
	  { .set_env = LIST("A=") } },
	{ "-e K changes nothing",
	  "echo|hi",
	  "/usr/bin/echo|/bin/echo",
	  ALL_OF_ENV,
	  { .set_env = LIST("A", "missing") } },
	{ "--unset-env",
	  "echo|hi",
	  "/usr/bin/echo|/bin/echo",
	  "PATH=/usr/bin:/bin|SHELL=/bin/bash|B=2|C=",
	  { .unset_env = LIST("A", "odd", "missing", "BB") } },
	/* env(1): -u, then the assignments */
	{ "--unset-env and -e K=V",
	  "echo|hi",
	  "/usr/bin/echo|/bin/echo",
	  "PATH=/usr/bin:/bin|SHELL=/bin/bash|B=2|odd|C=|A=9",
	  { .unset_env = LIST("A"), .set_env = LIST("A=9") } },
	{ "--clear-env", "echo|hi", "/bin/echo|/usr/bin/echo", "", { .clear_env = true } },
	{ "--clear-env -e K -e N=V",
	  "echo|hi",
	  "/bin/echo|/usr/bin/echo",
	  "A=1|C=|N=1",
	  { .clear_env = true, .set_env = LIST("A", "N=1", "C", "missing") } },
	{ "a value with = in it",
	  "echo|hi",
	  "/bin/echo|/usr/bin/echo",
	  "K=a=b=",
	  { .clear_env = true, .set_env = LIST("K=a=b=") } },
};

static void test_commands(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct pidbox_spec spec = with_defaults(commands[i].spec);
		struct pidbox_plan *plan = make(&spec, &root);
		const struct wire_plan *w = plan->wire;
		char argv[256], paths[256], envp[256];

		table_of(w, w->argv, argv, sizeof(argv));
		table_of(w, w->paths, paths, sizeof(paths));
		table_of(w, w->envp, envp, sizeof(envp));
		ok(strcmp(argv, commands[i].argv) == 0, "%s: argv %s (expected %s)", commands[i].name, argv,
		   commands[i].argv);
		ok(strcmp(paths, commands[i].paths) == 0, "%s: paths %s (expected %s)", commands[i].name, paths,
		   commands[i].paths);
		ok(strcmp(envp, commands[i].envp) == 0, "%s: env %s (expected %s)", commands[i].name, envp,
		   commands[i].envp);
		ok(w->argv % sizeof(uintptr_t) == 0 && w->envp % sizeof(uintptr_t) == 0 &&
			   w->paths % sizeof(uintptr_t) == 0,
		   "%s: the tables are aligned", commands[i].name);
		pidbox_plan_free(plan);
	}
}

/* A hundred thousand arguments: every offset holds, although the memory moved while it grew. */
static void test_many_arguments(void)
{
	enum { N = 100000 };
	const char **argv = calloc(N + 1, sizeof(*argv));
	const struct pidbox_spec spec = with_defaults((struct pidbox_spec){ .argv = argv });
	const uintptr_t *table;
	struct pidbox_plan *plan;
	bool same = true;

	for (size_t i = 0; i < N; i++)
		argv[i] = i % 2 ? "an argument" : "/bin/true";
	plan = make(&spec, &root);
	table = (const void *)((const char *)plan->wire + plan->wire->argv);
	for (size_t i = 0; i < N && same; i++)
		same = table[i] < plan->wire->size && strcmp(plan_text(plan->wire, (uint32_t)table[i]), argv[i]) == 0;
	ok(same && table[N] == 0, "a hundred thousand arguments");
	pidbox_plan_free(plan);
	free(argv);
}

int main(void)
{
	test_orders();
	test_worlds();
	test_maps();
	test_many_ranges();
	test_single_steps();
	test_numbers();
	test_groups();
	test_sides();
	test_commands();
	test_many_arguments();
	return tap_end();
}
