/* SPDX-License-Identifier: MIT */
/* The plan of a helper that enters namespaces (enter.h). Pure. */
#include "core/enter.h"

#include "base/err.h"
#include "core/blob.h"
#include "kern/caps.h"
#include "kern/ns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct maker {
	const struct enter_facts *f;
	struct pidbox_plan *plan;
	struct wire_step steps[WIRE_MAX_STEPS];
	struct blob blob;
	uint32_t kinds;
	bool identity;           /* the command is to be who the process is */
	bool entered;            /* a user namespace is entered, in which one has all capabilities at first */
	bool privileged;         /* the caller may become anybody */
	const struct creds *ids; /* what BECOME and USER take */
	struct wire_plan wire;
};

static struct wire_step *add(struct maker *m, enum step_op op)
{
	size_t row = m->plan->n_rows++;

	m->plan->rows[row] = (struct plan_row){ .op = op, .took_us = -1 };
	m->steps[row] = (struct wire_step){ .op = (uint16_t)op };
	return &m->steps[row];
}

/* A descriptor that the helper has to find open. */
static int64_t keep(struct maker *m, int fd)
{
	m->wire.keep[m->wire.n_keep++] = fd;
	return fd;
}

static size_t row_of(uint32_t bit)
{
	size_t i = 0;

	while (i < ns_kinds_count && ns_kinds[i].bit != bit)
		i++;
	return i;
}

/*
 * R3: who has called unshare or setns is in one PID namespace, and its children in another. The other is meant when it
 * was addressed, or when the process itself is where the caller is already (unshare(1) is an example).
 */
static bool by_children(const struct enter_facts *f)
{
	size_t pid = row_of(PIDBOX_NS_PID);

	return f->theirs_children != 0 && f->theirs_children != f->theirs[pid] &&
	       (f->pid_namespace == f->theirs_children || f->theirs[pid] == f->own[pid]);
}

uint32_t enter_kinds(const struct enter_facts *f, uint32_t only)
{
	uint32_t kinds = 0;

	for (size_t i = 0; i < ns_kinds_count; i++) {
		uint64_t theirs = f->theirs[i];

		if (ns_kinds[i].bit == PIDBOX_NS_PID && by_children(f))
			theirs = f->theirs_children;
		if (theirs != 0 && theirs != f->own[i] && (only == 0 || (only & ns_kinds[i].bit)))
			kinds |= ns_kinds[i].bit;
	}
	return kinds;
}

static void add_join(struct maker *m, uint32_t kinds, int fd)
{
	struct wire_step *step;

	if (kinds == 0)
		return;
	step = add(m, STEP_JOIN);
	step->a = (int64_t)ns_clone_flags(kinds);
	step->b = keep(m, fd);
}

static void plan_joins(struct maker *m)
{
	const struct enter_facts *f = m->f;
	uint32_t apart = by_children(f) ? m->kinds & PIDBOX_NS_PID : 0;
	bool before = f->self.effective & CAPS_SYS_ADMIN;

	/* The pidfd stands for the process's own PID namespace. The other one is judged like it: before, while there
	 * is a right outside, else by that which the user namespace gives. */
	if (before)
		add_join(m, apart, f->children_ns);
	add_join(m, m->kinds & ~apart, f->process);
	if (!before)
		add_join(m, apart, f->children_ns);
}

static void plan_ids(struct maker *m, enum step_op op, const struct creds *ids, bool groups)
{
	add(m, op)->flags = groups ? 0 : STEP_USER_KEEP_GROUPS;
	m->ids = ids;
}

static void plan_become(struct maker *m)
{
	const struct enter_facts *f = m->f;

	if (m->identity && m->entered && m->privileged && !creds_same_ids(&f->self, &f->them))
		plan_ids(m, STEP_BECOME, &f->them, f->may_set_groups);
}

static void plan_user(struct maker *m)
{
	const struct enter_facts *f = m->f;

	if (!m->identity || m->ids != NULL || creds_same_ids(&f->self, &f->them))
		return;
	if (m->entered && f->inside_known)
		plan_ids(m, STEP_USER, &f->inside, f->may_set_groups_inside);
	else if (!m->entered && m->privileged)
		plan_ids(m, STEP_USER, &f->them, f->may_set_groups);
}

static void plan_caps(struct maker *m, bool raised)
{
	const struct creds *them = &m->f->them;
	const struct wire_caps caps = { them->permitted, them->effective, them->inheritable, them->ambient };
	struct wire_step *step;

	if (!m->identity) {
		if (raised)
			(void)add(m, STEP_DROP_CAPS);
		return;
	}
	if (m->entered || (m->f->self.effective & CAPS_SETPCAP))
		add(m, STEP_BOUND)->a = (int64_t)them->bounding;
	plan_user(m);
	step = add(m, STEP_LIMIT_CAPS);
	step->flags = them->no_new_privs ? STEP_LIMIT_NO_NEW : 0;
	step->text = blob_ids(&m->blob, (const uint32_t *)(const void *)&caps, sizeof(caps) / sizeof(uint32_t));
}

static void plan_rows(struct maker *m, uint32_t only)
{
	const struct enter_facts *f = m->f;
	/* An exec leaves capabilities to root, and to others those that are ambient. */
	bool raise = f->self.uid != 0 && f->self.permitted != 0;
	struct wire_step *step;

	(void)add(m, STEP_CONNECT);
	(void)add(m, STEP_LOAD_INIT);
	(void)add(m, STEP_SEND_PLAN);
	(void)add(m, STEP_CLONE);
	if (raise)
		add(m, STEP_RAISE_CAPS)->a = (int64_t)f->self.permitted;
	(void)add(m, STEP_EXEC_INIT);
	plan_become(m);
	plan_joins(m);
	for (size_t i = 0; i < f->n_cgroups && only == 0; i++)
		add(m, STEP_CGROUP)->a = keep(m, f->cgroups[i]);
	if ((only == 0 || (only & PIDBOX_NS_MOUNT)) && f->root >= 0) {
		step = add(m, STEP_ROOT);
		step->a = keep(m, f->root);
		step->b = f->directory >= 0 ? keep(m, f->directory) : -1;
	}
	plan_caps(m, raise);
	(void)add(m, STEP_FOLLOW);
}

/* Every setns(2) asks for CAP_SYS_ADMIN in the caller's own user namespace, or in the one that is entered with it. */
static int check_rights(const struct maker *m, struct pidbox_error *err)
{
	const struct enter_facts *f = m->f;
	size_t user = row_of(PIDBOX_NS_USER);
	int r;

	if (m->kinds == 0 || m->entered || (f->self.effective & CAPS_SYS_ADMIN))
		return 0;
	r = err_set(err, EPERM, PIDBOX_CODE_DENIED, "entering the namespaces of process %d", (int)f->pid);
	err_why(err, "setns(2) takes CAP_SYS_ADMIN in the caller's own user namespace, and the caller has not that");
	if (f->theirs[user] != 0 && f->theirs[user] != f->own[user])
		err_fix(err, "enter its user namespace too, where the caller may have the right: add user to --only");
	else
		enter_fix_right(err, f->self.uid, "CAP_SYS_ADMIN",
				"run pidbox as root (of the user namespace that the process is in)");
	return r;
}

static uint32_t add_environ(struct maker *m, const char *const *entries)
{
	size_t n = 0, at = 0;
	uint32_t *offsets, table;

	while (entries != NULL && entries[n] != NULL)
		n++;
	offsets = calloc(n + 1, sizeof(*offsets));
	if (offsets == NULL) {
		m->blob.error = -ENOMEM;
		return 0;
	}
	/* What is no K=V is a process's title, written over its environment (setproctitle(3)). */
	for (size_t i = 0; i < n; i++)
		if (strchr(entries[i], '=') > entries[i])
			offsets[at++] = blob_str(&m->blob, entries[i]);
	table = blob_table(&m->blob, offsets, at);
	free(offsets);
	return table;
}

static void fill_wire(struct maker *m, uint32_t only)
{
	struct wire_plan *w = &m->wire;

	w->version = WIRE_VERSION;
	w->flags = WIRE_ENTER | WIRE_CLOSE_FDS;
	w->report_fd = w->kept_fd = w->tty_fd = w->front_pidfd = -1;
	w->proc_fd = m->f->proc;
	w->stdio[0] = w->stdio[1] = w->stdio[2] = -1;
	w->caps_ambient = m->f->self.ambient;
	w->caps_inheritable = m->f->self.inheritable;
	w->envp = add_environ(m, only == 0 ? m->f->environ : m->f->own_environ);
	w->argv = w->paths = blob_table(&m->blob, NULL, 0);
	if (m->ids != NULL) {
		w->uid = m->ids->uid;
		w->gid = m->ids->gid;
		w->n_groups = m->ids->n_groups;
		w->groups = blob_ids(&m->blob, m->ids->groups, m->ids->n_groups);
	}
	w->n_steps = (uint32_t)m->plan->n_rows;
	memcpy(w->steps, m->steps, sizeof(w->steps));
	w->size = (uint32_t)m->blob.len;
}

static int cannot_plan(int r, struct pidbox_error *err)
{
	if (r == -ENOMEM)
		return err_no_memory(err, "planning to enter the namespaces");
	r = err_set(err, -r, PIDBOX_CODE_NONE, "planning to enter the namespaces");
	err_why(err, "the environment of the process exceeds 256 MiB");
	err_fix(err, "enter the namespaces alone, with the caller's own environment: --only all");
	return r;
}

int enter_plan_make(const struct enter_facts *facts, uint32_t only, struct pidbox_plan **ret, struct pidbox_error *err)
{
	struct pidbox_plan *plan = calloc(1, sizeof(*plan));
	struct maker m = { .f = facts, .plan = plan, .kinds = enter_kinds(facts, only) };
	int r;

	if (plan == NULL)
		return err_no_memory(err, "planning to enter the namespaces");
	m.entered = m.kinds & PIDBOX_NS_USER;
	m.identity = only == 0 || m.entered;
	m.privileged = (facts->self.effective & CAPS_SETUID) && (facts->self.effective & CAPS_SETGID);
	r = check_rights(&m, err);
	if (r < 0) {
		free(plan);
		return r;
	}
	(void)blob_add(&m.blob, NULL, sizeof(struct wire_plan));
	plan_rows(&m, only);
	fill_wire(&m, only);
	if (m.blob.error != 0) {
		free(m.blob.data);
		free(plan);
		return cannot_plan(m.blob.error, err);
	}
	memcpy(m.blob.data, &m.wire, sizeof(m.wire));
	plan->wire = (struct wire_plan *)(void *)m.blob.data;
	*ret = plan;
	return 0;
}
