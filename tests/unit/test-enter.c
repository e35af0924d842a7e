/* SPDX-License-Identifier: MIT */
/* What a helper that enters namespaces is to do, from what is known of the process: order, ids, capabilities. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/enter.h"
#include "kern/caps.h"
#include "kern/ns.h"
#include "tap.h"

enum { USER, PID, MOUNT, UTS, IPC, NET, CGROUP, TIME }; /* the order of ns_kinds */
enum { PIDFD = 10, CHILDREN = 11, ROOT = 12, DIRECTORY = 13, JOIN_CGROUP = 14, PROC = 15 };
#define ALL_CAPS (CAP_BIT(41) - 1)

/* Somebody of the same user, whose namespaces are all the caller's. */
static struct enter_facts facts_of(uint32_t uid, uint64_t caps)
{
	static const char *const theirs[] = { "BOX=1", "a title, written over it", "=odd", NULL },
				 *own[] = { "OWN=1", NULL };
	struct enter_facts f = {
		.pid = 4711,
		.self = { .uid = uid, .gid = uid, .permitted = caps, .effective = caps, .bounding = ALL_CAPS },
		.them = { .uid = uid, .gid = uid, .bounding = ALL_CAPS },
		.may_set_groups = true,
		.environ = theirs,
		.own_environ = own,
		.proc = PROC,
		.process = PIDFD,
		.children_ns = CHILDREN,
		.root = ROOT,
		.directory = DIRECTORY,
	};

	for (uint64_t i = 0; i < ENTER_KINDS; i++)
		f.own[i] = f.theirs[i] = 100 + i;
	f.theirs_children = f.theirs[PID];
	return f;
}

static void differ(struct enter_facts *f, int kind)
{
	f->theirs[kind] += 100;
	if (kind == PID)
		f->theirs_children = f->theirs[PID];
}

/* The plan's rows from the helper's on, as words: "join(user,mount|10) root limit-caps". */
static void describe(const struct pidbox_plan *plan, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < plan->n_rows; i++) {
		const struct wire_step *s = &plan->wire->steps[i];

		if (s->op < STEP_BECOME && s->op != STEP_USER && s->op != STEP_RAISE_CAPS && s->op != STEP_DROP_CAPS)
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s", len > 0 ? " " : "", step_rows[s->op].name);
		if (s->op == STEP_JOIN) {
			len += (size_t)snprintf(buf + len, size - len, "(");
			for (size_t k = 0; k < ns_kinds_count; k++)
				if ((uint64_t)s->a & ns_kinds[k].clone_flag)
					len += (size_t)snprintf(buf + len, size - len, "%s,", ns_kinds[k].word);
			len += (size_t)snprintf(buf + len, size - len, "%lld)", (long long)s->b);
		}
		if ((s->op == STEP_USER || s->op == STEP_BECOME))
			len += (size_t)snprintf(buf + len, size - len, "(%u:%u%s)", plan->wire->uid, plan->wire->gid,
						s->flags & STEP_USER_KEEP_GROUPS ? "" : ",groups");
	}
}

static void expect(const char *name, const struct enter_facts *f, uint32_t only, const char *want)
{
	struct pidbox_error err = { 0 };
	struct pidbox_plan *plan = NULL;
	int r = enter_plan_make(f, only, &plan, &err);
	char got[512] = "";

	if (r == 0)
		describe(plan, got, sizeof(got));
	ok(r < 0 ? strstr(err.fix, want) != NULL && err.code == PIDBOX_CODE_DENIED : strcmp(got, want) == 0,
	   "%s: %s%s (expected %s)", name, got, err.fix, want);
	pidbox_plan_free(plan);
}

static void test_order(void)
{
	struct enter_facts f = facts_of(0, ALL_CAPS);

	expect("nothing differs", &f, 0, "root bound limit-caps follow");
	differ(&f, PID);
	differ(&f, MOUNT);
	expect("root, unshare -fp", &f, 0, "join(pid,mount,10) root bound limit-caps follow");
	expect("only those that are named", &f, PIDBOX_NS_PID | PIDBOX_NS_NET, "join(pid,10) follow");
	expect("a mount namespace alone brings its root", &f, PIDBOX_NS_MOUNT, "join(mount,10) root follow");
	f.theirs[TIME] = 0;
	expect("an older kernel has no time namespaces", &f, 0, "join(pid,mount,10) root bound limit-caps follow");
	f.theirs[PID] = f.own[PID];
	expect("unshare(1) itself: its children's", &f, 0, "join(pid,11) join(mount,10) root bound limit-caps follow");
	f.pid_namespace = f.theirs_children;
	f.theirs[PID] += 7;
	expect("addressed by its children's", &f, 0, "join(pid,11) join(mount,10) root bound limit-caps follow");
	f.pid_namespace = f.theirs[PID];
	expect("inside, having unshared again: its own", &f, 0, "join(pid,mount,10) root bound limit-caps follow");

	f = facts_of(1000, 0);
	for (int kind = USER; kind <= TIME; kind++)
		differ(&f, kind);
	expect("an ordinary user, everything in one call", &f, 0,
	       "join(user,pid,mount,uts,ipc,net,cgroup,time,10) root bound limit-caps follow");
	f.theirs[PID] = f.own[PID];
	expect("the user namespace before the children's PID namespace", &f, 0,
	       "join(user,mount,uts,ipc,net,cgroup,time,10) join(pid,11) root bound limit-caps follow");
}

static void test_rights(void)
{
	struct enter_facts f = facts_of(1000, 0);

	expect("nothing to enter takes no right", &f, 0, "root limit-caps follow");
	differ(&f, NET);
	expect("without CAP_SYS_ADMIN", &f, 0, "run pidbox as root");
	differ(&f, USER);
	expect("... the user namespace gives it", &f, 0, "join(user,net,10) root bound limit-caps follow");
	expect("... but has to be entered, too", &f, PIDBOX_NS_NET, "add user to --only");
	expect("... and then it does", &f, PIDBOX_NS_NET | PIDBOX_NS_USER, "join(user,net,10) bound limit-caps follow");
	f.self.effective = f.self.permitted = CAPS_SYS_ADMIN;
	expect("capabilities of an ordinary uid survive the exec as ambient ones", &f, PIDBOX_NS_NET,
	       "raise-caps join(net,10) drop-caps follow");
}

static void test_ids(void)
{
	struct enter_facts f = facts_of(0, ALL_CAPS);

	differ(&f, USER);
	f.them.uid = f.them.gid = 1000;
	f.inside = (struct creds){ .uid = 5, .gid = 6 };
	f.inside_known = f.may_set_groups_inside = true;
	expect("root takes the ids outside, before", &f, 0,
	       "become(1000:1000,groups) join(user,10) root bound limit-caps follow");
	f.may_set_groups = false;
	expect("... where setgroups is denied, without groups", &f, 0,
	       "become(1000:1000) join(user,10) root bound limit-caps follow");
	expect("... also when it is named alone", &f, PIDBOX_NS_USER,
	       "become(1000:1000) join(user,10) bound limit-caps follow");
	expect("... the caller's stay when it is not entered", &f, PIDBOX_NS_TIME, "follow");
	f.self = (struct creds){ .uid = 900, .gid = 900 };
	expect("an ordinary user takes them inside", &f, 0,
	       "join(user,10) root bound user(5:6,groups) limit-caps follow");
	f.may_set_groups_inside = false;
	expect("... without groups", &f, 0, "join(user,10) root bound user(5:6) limit-caps follow");
	f.inside_known = false;
	expect("... and stays who he is where they have no number", &f, 0,
	       "join(user,10) root bound limit-caps follow");
	f = facts_of(0, ALL_CAPS);
	differ(&f, PID);
	f.them.uid = f.them.gid = 33;
	expect("in the caller's user namespace", &f, 0, "join(pid,10) root bound user(33:33,groups) limit-caps follow");
	f = facts_of(0, ALL_CAPS);
	f.them.n_groups = 1;
	f.them.groups[0] = 44;
	expect("groups count", &f, 0, "root bound user(0:0,groups) limit-caps follow");
}

static void test_wire(void)
{
	struct enter_facts f = facts_of(0, ALL_CAPS);
	struct pidbox_plan *plan;
	const struct wire_caps *caps;
	const uintptr_t *env;
	int row;

	f.them.permitted = f.them.effective = CAPS_KILL;
	f.them.bounding = CAPS_KILL | CAPS_SETUID;
	f.them.no_new_privs = true;
	f.cgroups[0] = JOIN_CGROUP;
	f.n_cgroups = 1;
	if (!ok(enter_plan_make(&f, 0, &plan, NULL) == 0, "a plan with a cgroup"))
		return;
	env = (const void *)plan_text(plan->wire, plan->wire->envp);
	ok(env[0] != 0 && strcmp((const char *)plan->wire + env[0], "BOX=1") == 0 && env[1] == 0,
	   "the environment of the process, without what is no K=V");
	row = plan_find(plan, STEP_LIMIT_CAPS);
	caps = (const void *)plan_text(plan->wire, plan->wire->steps[row].text);
	ok(caps->permitted == CAPS_KILL && caps->effective == CAPS_KILL && caps->ambient == 0 &&
		   plan->wire->steps[row].flags == STEP_LIMIT_NO_NEW,
	   "its capabilities and no_new_privs");
	ok((uint64_t)plan->wire->steps[plan_find(plan, STEP_BOUND)].a == f.them.bounding, "its bounding set");
	ok(plan->wire->steps[plan_find(plan, STEP_CGROUP)].a == JOIN_CGROUP, "its cgroup");
	ok(plan->wire->n_keep == 3 && plan->wire->proc_fd == PROC, "three descriptors are kept, and a procfs");
	ok((plan->wire->flags & WIRE_ENTER) != 0 && plan->kinds == 0, "a helper, in no new namespace");
	pidbox_plan_free(plan);
	if (!ok(enter_plan_make(&f, PIDBOX_NS_NET, &plan, NULL) == 0, "a plan of one kind"))
		return;
	env = (const void *)plan_text(plan->wire, plan->wire->envp);
	ok(strcmp((const char *)plan->wire + env[0], "OWN=1") == 0 && plan_find(plan, STEP_CGROUP) < 0,
	   "with --only the environment and the cgroup are the caller's");
	pidbox_plan_free(plan);
}

int main(void)
{
	test_order();
	test_rights();
	test_ids();
	test_wire();
	return tap_end();
}
