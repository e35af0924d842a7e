/* SPDX-License-Identifier: MIT */
#include "core/plan.h"

#include "base/err.h"
#include "base/util.h"
#include "core/blob.h"
#include "core/command.h"
#include "kern/caps.h"
#include "kern/idmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* A plan in the making. */
struct maker {
	const struct pidbox_spec *spec;
	const struct plan_facts *facts;
	struct pidbox_plan *plan;
	struct blob blob; /* becomes plan->wire; starts with room for the struct */
	struct wire_step steps[WIRE_MAX_STEPS];
	bool user_ns, self_map;
	bool waits_for_init; /* the front, before it writes the maps */
};

/* Add a row; the returned step is to be filled with the numbers that its executor needs. */
static struct wire_step *add(struct maker *m, enum step_op op)
{
	struct pidbox_plan *plan = m->plan;
	struct wire_step *step = &m->steps[plan->n_rows];

	plan->rows[plan->n_rows++] = (struct plan_row){ .op = op, .took_us = -1 };
	*step = (struct wire_step){ .op = (uint16_t)op };
	return step;
}

/* ------------------------------------------------------------ identity */

static struct plan_map map_one(uint32_t inside, uint32_t outside)
{
	return (struct plan_map){ .ranges = { { inside, outside, 1 } }, .n = 1 };
}

/* The caller's id as root, its subordinate ids from 1 on. */
static struct plan_map map_auto(uint32_t outside, const struct plan_map *subids)
{
	struct plan_map map = map_one(0, outside);
	uint32_t inside = 1;

	for (size_t i = 0; i < subids->n && map.n < PLAN_MAX_RANGES; i++) {
		map.ranges[map.n++] =
			(struct pidbox_idrange){ inside, subids->ranges[i].outside, subids->ranges[i].count };
		inside += subids->ranges[i].count;
	}
	return map;
}

static struct plan_map map_exact(const struct pidbox_idrange *ranges, size_t n, uint32_t own)
{
	struct plan_map map = { .n = n };

	if (n == 0)
		return map_one(own, own);
	memcpy(map.ranges, ranges, n * sizeof(*ranges));
	return map;
}

static void choose_maps(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;
	const struct plan_facts *f = m->facts;
	struct pidbox_plan *plan = m->plan;

	switch (s->map) {
	case PIDBOX_MAP_DEFAULT:
	case PIDBOX_MAP_ME:
		plan->uid_map = map_one(f->euid, f->euid);
		plan->gid_map = map_one(f->egid, f->egid);
		break;
	case PIDBOX_MAP_ROOT:
		plan->uid_map = map_one(0, f->euid);
		plan->gid_map = map_one(0, f->egid);
		break;
	case PIDBOX_MAP_AUTO:
		plan->uid_map = map_auto(f->euid, &f->subuids);
		plan->gid_map = map_auto(f->egid, &f->subgids);
		break;
	case PIDBOX_MAP_EXACT:
		plan->uid_map = map_exact(s->uid_maps, s->n_uid_maps, f->euid);
		plan->gid_map = map_exact(s->gid_maps, s->n_gid_maps, f->egid);
		break;
	}
}

static bool maps_only(const struct plan_map *map, uint32_t own)
{
	return map->n == 1 && map->ranges[0].count == 1 && map->ranges[0].outside == own;
}

/*
 * Who writes the maps: the child its own single id, a privileged front what it likes, newuidmap the rest. The files of
 * a child of a caller that is not dumpable belong to root (proc(5)): there the front writes, once the init has been
 * executed.
 */
static void plan_maps(struct maker *m, bool after_clone)
{
	struct pidbox_plan *plan = m->plan;
	const struct plan_facts *f = m->facts;
	const uint64_t needed = CAPS_SETUID | CAPS_SETGID;
	bool privileged = (f->caps & needed) == needed;
	bool own = maps_only(&plan->uid_map, f->euid) && maps_only(&plan->gid_map, f->egid);
	char uids[1024] = "", gids[1024] = "";
	enum step_op op = privileged    ? STEP_MAP_FRONT
			  : !own        ? STEP_MAP_HELPER
			  : f->dumpable ? STEP_MAP_SELF
					: STEP_MAP_FRONT;
	struct wire_step *step;

	m->self_map = op == STEP_MAP_SELF;
	if (after_clone == m->self_map)
		return;
	(void)idmap_format(plan->uid_map.ranges, plan->uid_map.n, uids, sizeof(uids));
	(void)idmap_format(plan->gid_map.ranges, plan->gid_map.n, gids, sizeof(gids));
	plan->needs_go = !m->self_map;
	step = add(m, op);
	step->flags = !privileged && op != STEP_MAP_HELPER ? STEP_MAP_DENY_SETGROUPS : 0;
	m->waits_for_init = op == STEP_MAP_FRONT && step->flags != 0;
	step->text = blob_str(&m->blob, uids);
	step->text2 = blob_str(&m->blob, gids);
}

/* Under which uid the init is executed decides whether its capabilities survive that (capabilities(7)). */
static void plan_caps(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;
	bool root_at_exec = m->user_ns ? m->self_map && m->plan->uid_map.ranges[0].inside == 0 : m->facts->euid == 0;
	uint64_t set = CAPS_SYS_ADMIN | CAPS_KILL | CAPS_SYS_PTRACE;

	if (root_at_exec)
		return;
	if (m->plan->kinds & PIDBOX_NS_NET)
		set |= CAPS_NET_ADMIN;
	if (m->plan->kinds & PIDBOX_NS_TIME)
		set |= CAPS_SYS_TIME;
	if (s->user != NULL)
		set |= CAPS_SETUID | CAPS_SETGID;
	add(m, STEP_RAISE_CAPS)->a = (int64_t)set;
}

/* ------------------------------------------------------------ front and child */

static void plan_kinds(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;
	uint32_t kinds = PIDBOX_NS_PID | PIDBOX_NS_MOUNT | PIDBOX_NS_UTS | PIDBOX_NS_IPC;

	kinds = (kinds | s->unshare) & ~s->share;
	if (s->has_monotonic || s->has_boottime)
		kinds |= PIDBOX_NS_TIME;
	if (!(m->facts->caps & CAPS_SYS_ADMIN) || s->map != PIDBOX_MAP_DEFAULT)
		kinds |= PIDBOX_NS_USER;
	m->plan->kinds = kinds;
	m->user_ns = kinds & PIDBOX_NS_USER;
}

static bool is_named(const struct pidbox_spec *s)
{
	return s->name != NULL && s->reachable != PIDBOX_UNREACHABLE;
}

static void plan_outside(struct maker *m)
{
	if (is_named(m->spec))
		add(m, STEP_CLAIM);
	add(m, STEP_CONNECT);
	if (m->spec->as_pid1 && m->spec->front_forwards && !m->spec->tty)
		add(m, STEP_WITNESS);
	add(m, STEP_LOAD_INIT);
	if (m->spec->tty)
		add(m, STEP_OPEN_TTY);
	add(m, STEP_SEND_PLAN);
	add(m, STEP_CLONE);
	if (m->user_ns) {
		choose_maps(m);
		plan_maps(m, false);
	}
	plan_caps(m);
	add(m, STEP_EXEC_INIT);
	if (m->user_ns)
		plan_maps(m, true);
	/* Without an entry a box with a name is none: its command waits for that. No other does. */
	if (m->plan->needs_go && !is_named(m->spec))
		add(m, STEP_GO);
	if (m->spec->reachable != PIDBOX_UNREACHABLE)
		add(m, STEP_ENTRY);
	if (is_named(m->spec))
		add(m, STEP_GO);
	m->plan->needs_go |= is_named(m->spec);
}

/* ------------------------------------------------------------ init */

static void plan_propagation(struct maker *m)
{
	static const unsigned long how[] = {
		[PIDBOX_PROPAGATION_SLAVE] = MS_SLAVE,
		[PIDBOX_PROPAGATION_PRIVATE] = MS_PRIVATE,
		[PIDBOX_PROPAGATION_SHARED] = MS_SHARED,
	};
	enum pidbox_propagation p = m->spec->propagation;

	if (p != PIDBOX_PROPAGATION_UNCHANGED)
		add(m, STEP_PROPAGATION)->a = (int64_t)(MS_REC | how[p]);
}

static void plan_mount_proc(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;
	struct wire_step *step;
	char options[64];

	if (s->propagation == PIDBOX_PROPAGATION_SHARED || s->propagation == PIDBOX_PROPAGATION_UNCHANGED)
		add(m, STEP_PROC_PRIVATE);
	step = add(m, STEP_MOUNT_PROC);
	step->flags = s->proc == PIDBOX_PROC_AUTO ? STEP_PROC_AUTO : 0;
	if (s->proc_hidepid == NULL && !s->proc_subset_pid)
		return;
	(void)snprintf(options, sizeof(options), "%s%s%s%s", s->proc_hidepid != NULL ? "hidepid=" : "",
		       s->proc_hidepid != NULL ? s->proc_hidepid : "",
		       s->proc_hidepid != NULL && s->proc_subset_pid ? "," : "",
		       s->proc_subset_pid ? "subset=pid" : "");
	step->text = blob_str(&m->blob, options);
}

static void plan_time(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;
	char text[128] = "";
	int len = 0;

	if (!(m->plan->kinds & PIDBOX_NS_TIME))
		return;
	if (s->has_monotonic)
		len += snprintf(text, sizeof(text), "monotonic %lld %u\n", (long long)s->monotonic.seconds,
				s->monotonic.nanoseconds);
	if (s->has_boottime)
		(void)snprintf(text + len, sizeof(text) - (size_t)len, "boottime %lld %u\n",
			       (long long)s->boottime.seconds, s->boottime.nanoseconds);
	add(m, STEP_TIME_NS)->text = blob_str(&m->blob, text);
}

/* Steps that write to /proc/sys and /proc/self. */
static void plan_sysctls(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;

	if (s->pid_max != 0)
		add(m, STEP_PID_MAX)->a = s->pid_max;
	plan_time(m);
	if (s->first_pid != 0)
		add(m, STEP_FIRST_PID)->a = (int64_t)s->first_pid - 1;
}

static void plan_inside(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;
	uint32_t kinds = m->plan->kinds;
	bool fresh = s->proc == PIDBOX_PROC_FRESH || s->proc == PIDBOX_PROC_AUTO;
	/* Through the new /proc where it has what is needed: the old one may be read-only, as in containers. */
	bool sysctls_first = !fresh || s->proc_subset_pid;

	if (m->plan->needs_go)
		add(m, STEP_CHECKPOINT)->flags = m->waits_for_init ? STEP_CHECKPOINT_SPEAKS : 0;
	if (kinds & PIDBOX_NS_NET)
		add(m, STEP_LOOPBACK);
	if (s->hostname != NULL)
		add(m, STEP_HOSTNAME)->text = blob_str(&m->blob, s->hostname);
	if (kinds & PIDBOX_NS_MOUNT)
		plan_propagation(m);
	if (sysctls_first)
		plan_sysctls(m);
	if (fresh)
		plan_mount_proc(m);
	if (s->proc == PIDBOX_PROC_NONE)
		add(m, STEP_HIDE_PROC);
	if (!sysctls_first)
		plan_sysctls(m);
	if (s->hold)
		add(m, STEP_HOLD);
	if (s->idle)
		add(m, STEP_IDLE);
	else if (!s->as_pid1)
		add(m, STEP_START);
}

/* ------------------------------------------------------------ command */

/*
 * setgroups is denied where an ordinary user maps a single id (user_namespaces(7)), and refused without CAP_SETGID. Who
 * becomes what the caller is already does without. With more ids mapped, a number inside is not the same group outside.
 */
static bool groups_are_there(const struct maker *m, uint32_t gid)
{
	const struct plan_map *map = &m->plan->gid_map;
	uint32_t own = m->facts->egid;

	if (!m->facts->own_groups)
		return false;
	return m->user_ns ? maps_only(map, own) && map->ranges[0].inside == gid : gid == own;
}

static void plan_user(struct maker *m, const struct user_ids *user)
{
	add(m, STEP_USER)->flags = groups_are_there(m, user->gid) ? STEP_USER_KEEP_GROUPS : 0;
}

/* An idle box has these too: what is started in it later is this user, there. */
static void plan_who(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;

	if (s->user != NULL)
		plan_user(m, m->facts->user);
	if (s->chdir != NULL)
		add(m, STEP_CHDIR)->text = blob_str(&m->blob, s->chdir);
	if (plan_find(m->plan, STEP_RAISE_CAPS) >= 0)
		add(m, STEP_DROP_CAPS);
}

static void plan_command(struct maker *m)
{
	const struct pidbox_spec *s = m->spec;

	if (s->idle) {
		plan_who(m);
		return;
	}
	if (s->tty)
		add(m, STEP_SESSION);
	if (s->tty || s->stdio != NULL)
		add(m, STEP_STDIO);
	plan_who(m);
	if (!s->inherit_fds)
		add(m, STEP_CLOSE_FDS);
	add(m, STEP_SIGNALS);
	add(m, STEP_EXEC);
}

/* ------------------------------------------------------------ the whole */

const char *plan_proc_word(enum pidbox_proc proc)
{
	return proc == PIDBOX_PROC_KEEP ? "keep" : proc == PIDBOX_PROC_NONE ? "none" : "fresh";
}

static void fill_wire(struct maker *m, struct wire_plan *w)
{
	const struct pidbox_spec *s = m->spec;
	const struct plan_facts *f = m->facts;

	w->version = WIRE_VERSION;
	w->flags = (s->as_pid1 ? WIRE_AS_PID1 : 0u) | (s->hold ? WIRE_HOLD : 0u) | (s->account ? WIRE_ACCOUNT : 0u) |
		   (s->timing ? WIRE_TIMING : 0u) | (s->inherit_fds ? 0u : WIRE_CLOSE_FDS) |
		   (s->front_forwards && !s->tty && !s->idle ? WIRE_SHARED_GROUP : 0u) |
		   (s->has_grace ? WIRE_HAS_GRACE : 0u) | (m->plan->kinds & PIDBOX_NS_TIME ? WIRE_FORK : 0u) |
		   (s->front_forwards ? WIRE_ONE_THREAD : 0u) | (s->sigchld_ignored ? WIRE_SIGCHLD_IGNORED : 0u) |
		   (s->fail_on_leak ? WIRE_FAIL_ON_LEAK : 0u);
	w->front_pidfd = w->tty_fd = w->kept_fd = w->proc_fd = -1;
	w->report_fd = s->report_fd > 0 ? s->report_fd : -1;
	w->tty = s->tty;
	w->stdio_given = s->stdio != NULL || s->tty;
	for (int i = 0; i < 3; i++)
		w->stdio[i] = s->stdio != NULL ? s->stdio[i] : i;
	w->n_keep = (uint32_t)s->n_keep_fds;
	for (size_t i = 0; i < s->n_keep_fds; i++)
		w->keep[i] = s->keep_fds[i];
	w->signal_mask = s->signal_mask != NULL ? *s->signal_mask : f->signal_mask;
	w->caps_ambient = f->caps_ambient;
	w->caps_inheritable = f->caps_inheritable;
	for (uint8_t i = 0; i < ARRAY_LEN(w->signal_map); i++)
		w->signal_map[i] = i;
	for (size_t i = 0; i < s->n_signal_map; i++)
		if (s->signal_map[i].from <= 64)
			w->signal_map[s->signal_map[i].from] = s->signal_map[i].to;
	w->on_exit = (uint8_t)s->on_exit;
	w->stop_signal = (uint8_t)(s->stop_signal > 0 ? s->stop_signal : 15);
	w->grace_us = s->has_grace ? s->grace_us : 10 * US_PER_S;
	w->timeout_us = s->timeout_us;
	w->cpu_time_us = s->cpu_time_us;
	w->leak_grace_us = s->has_leak_grace ? s->leak_grace_us : 100000;
	w->started_realtime_us = f->realtime_us;
	w->has_user = s->user != NULL;
	if (f->user != NULL) {
		w->uid = f->user->uid;
		w->gid = f->user->gid;
		w->n_groups = (uint32_t)f->user->n_groups;
	}
	(void)strcpy(w->proc_word, plan_proc_word(s->proc));
	w->n_steps = (uint32_t)m->plan->n_rows;
	memcpy(w->steps, m->steps, sizeof(w->steps));
}

static int cannot_plan(int r, struct pidbox_error *err)
{
	if (r == -ENOMEM)
		return err_no_memory(err, "planning the box");
	r = err_set(err, -r, PIDBOX_CODE_NONE, "planning the box");
	err_why(err, "arguments and environment exceed 256 MiB; the kernel takes 6 MiB at most (execve(2))");
	err_fix(err, "pass fewer or shorter ones (xargs), or a cleared environment");
	return r;
}

int plan_make(const struct pidbox_spec *spec, const struct plan_facts *facts, struct pidbox_plan **ret,
	      struct pidbox_error *err)
{
	struct pidbox_plan *plan = calloc(1, sizeof(*plan));
	struct maker m = { .spec = spec, .facts = facts, .plan = plan };
	struct command_tables tables = { 0 };
	uint32_t groups;
	int r;

	if (plan == NULL)
		return err_no_memory(err, "planning the box");
	(void)blob_add(&m.blob, NULL, sizeof(struct wire_plan));
	plan->proc = spec->proc;
	plan->as_pid1 = spec->as_pid1;
	plan->idle = spec->idle;
	plan->reachable = spec->reachable;
	plan->replace = spec->replace;
	plan_kinds(&m);
	plan_outside(&m);
	plan_inside(&m);
	plan_command(&m);
	groups = facts->user != NULL ? blob_ids(&m.blob, facts->user->groups, facts->user->n_groups) : 0;
	command_build(&m.blob, spec, facts, &tables);
	if (spec->name != NULL)
		tables.name = blob_str(&m.blob, spec->name);
	r = m.blob.error;
	plan->wire = (struct wire_plan *)(void *)m.blob.data;
	if (r < 0) {
		pidbox_plan_free(plan);
		return cannot_plan(r, err);
	}
	fill_wire(&m, plan->wire);
	plan->wire->size = (uint32_t)m.blob.len;
	plan->wire->groups = groups;
	plan->wire->argv = tables.argv;
	plan->wire->envp = tables.envp;
	plan->wire->paths = tables.paths;
	plan->wire->name = tables.name;
	plan->file = tables.file;
	plan->default_shell = spec->argv == NULL || spec->argv[0] == NULL;
	*ret = plan;
	return 0;
}

int plan_find(const struct pidbox_plan *plan, enum step_op op)
{
	for (size_t i = 0; i < plan->n_rows; i++)
		if (plan->rows[i].op == op)
			return (int)i;
	return -1;
}

int plan_here(const struct pidbox_spec *spec, struct pidbox_plan **ret, struct pidbox_error *err)
{
	struct plan_facts facts = { 0 };
	int r = spec_check(spec, err);

	if (r == 0)
		r = facts_gather(spec, &facts, err);
	if (r == 0)
		r = plan_make(spec, &facts, ret, err);
	facts_release(&facts);
	return r;
}

int pidbox_plan(const struct pidbox_spec *given, struct pidbox_plan **ret, struct pidbox_error *err)
{
	struct pidbox_spec spec;
	int r = spec_take(given, &spec, err);

	if (r == 0)
		r = plan_here(&spec, ret, err);
	if (r == 0)
		plan_put_words(*ret);
	return r;
}

void pidbox_plan_free(struct pidbox_plan *plan)
{
	if (plan == NULL)
		return;
	for (size_t i = 0; i < plan->n_rows; i++)
		free(plan->rows[i].call);
	free(plan->wire);
	free(plan);
}
