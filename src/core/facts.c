/* SPDX-License-Identifier: MIT */
/* What a plan must know of the caller. Everything here only reads. */
#include "core/plan.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/caps.h"
#include "kern/user.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;

static int gather_subids(struct plan_facts *f, struct pidbox_error *err)
{
	char name[64] = "";
	int r;

	(void)user_name(f->euid, NULL, name, sizeof(name));
	r = subid_read("/etc/subuid", f->euid, name, f->subuids.ranges, PLAN_MAX_RANGES - 1, &f->subuids.n);
	if (r == 0)
		r = subid_read("/etc/subgid", f->euid, name, f->subgids.ranges, PLAN_MAX_RANGES - 1, &f->subgids.n);
	if (r == 0 && f->subuids.n > 0 && f->subgids.n > 0)
		return 0;
	r = err_set(err, r < 0 ? -r : ENOENT, PIDBOX_CODE_IDMAP, "mapping subordinate ids");
	err_why(err, "%s has no range for %s (uid %u)", f->subuids.n == 0 ? "/etc/subuid" : "/etc/subgid",
		name[0] ? name : "this user", f->euid);
	if (name[0] != '\0')
		err_fix(err,
			"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s (as root), or --map root",
			name);
	else /* usermod takes only what has an entry in /etc/passwd */
		err_fix(err,
			"as root, add the line %u:100000:65536 to /etc/subuid and to /etc/subgid, or use --map root",
			f->euid);
	return r;
}

static bool is_in(uint32_t id, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

/* Without its gid, is the user in the same groups as the caller without its own? */
static bool has_own_groups(const struct user_ids *user, uint32_t egid)
{
	gid_t own[USER_GROUPS_MAX];
	int n = getgroups(USER_GROUPS_MAX, own);

	if (n < 0)
		return false; /* in more of them than a user is given */
	for (int i = 0; i < n; i++)
		if (own[i] != egid && !is_in(own[i], user->groups, user->n_groups))
			return false;
	for (size_t i = 0; i < user->n_groups; i++)
		if (user->groups[i] != user->gid && !is_in(user->groups[i], own, (size_t)n))
			return false;
	return true;
}

/*
 * Who names himself, and no group, keeps what he has where nobody could give him other groups: without CAP_SETGID
 * setgroups(2) is refused, and in a user namespace of his own it is denied.
 */
static bool names_himself(const char *spec, const struct plan_facts *f)
{
	return strchr(spec, ':') == NULL && f->user->uid == f->euid && f->user->gid == f->egid &&
	       !(f->caps & CAPS_SETGID);
}

/* A number that has no entry is in group 0, as under docker; who is that himself is in his own groups. */
static void take_own_groups(struct plan_facts *f)
{
	gid_t own[USER_GROUPS_MAX];
	int n = getgroups(USER_GROUPS_MAX, own);

	user_set_groups(f->user, f->egid, own, n > 0 ? (size_t)n : 0);
}

static void judge_groups(const char *spec, struct plan_facts *f)
{
	if (f->user->is_number && f->user->uid == f->euid)
		take_own_groups(f);
	f->own_groups = has_own_groups(f->user, f->egid) || names_himself(spec, f);
}

/* Which part of U:G nobody knows: a user that can be looked up alone, or is a number, is not the one. */
static bool group_is_missing(const char *user, const struct user_db *db, struct user_ids *scratch)
{
	size_t len = strcspn(user, ":");
	char alone[256];

	if (user[len] == '\0')
		return false;
	(void)snprintf(alone, sizeof(alone), "%.*s", (int)len, user);
	return user_lookup(alone, db, scratch) == 0;
}

int facts_user(const char *user, const struct user_db *db, struct user_ids *ret, struct pidbox_error *err)
{
	int r = user_lookup(user, db, ret);

	if (r == 0)
		return 0;
	if (r == -E2BIG) {
		r = err_set(err, -r, PIDBOX_CODE_NONE, "looking up the user \"%s\"", user);
		err_why(err, "it is in more than %d groups", USER_GROUPS_MAX);
		err_fix(err, "name one group: --user U:G");
	} else if (r == -EINVAL) {
		r = err_set(err, 0, PIDBOX_CODE_USAGE, "looking up the user \"%s\"", user);
		err_why(err, "no name is empty or has control characters, and no id is above 4294967294 (2^32-1 means "
			     "none)");
		err_fix(err, "give names or numbers: --user U[:G]");
	} else if (group_is_missing(user, db, ret)) {
		r = err_set(err, -r, PIDBOX_CODE_NOT_FOUND, "looking up the group \"%s\"", strchr(user, ':') + 1);
		err_why(err, "neither /etc/group nor getent(1) know it");
		err_fix(err, "give a number: --user U:GID");
	} else {
		r = err_set(err, -r, PIDBOX_CODE_NOT_FOUND, "looking up the user \"%.*s\"", (int)strcspn(user, ":"),
			    user);
		err_why(err, "neither /etc/passwd nor getent(1) know it");
		err_fix(err, "give numbers: --user UID:GID");
	}
	return r;
}

/* The kernel would take more in a new namespace, but the PIDs outside could never be given out. */
static int check_pid_max(uint32_t wanted, struct pidbox_error *err)
{
	char text[24];
	unsigned long outer;

	if (wanted == 0 || io_read_file(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) <= 0)
		return 0;
	outer = strtoul(text, NULL, 10);
	if (wanted <= outer)
		return 0;
	(void)err_set(err, 0, PIDBOX_CODE_USAGE, "planning the box");
	err_why(err, "--pid-max %u is above the outer namespace's pid_max, %lu", wanted, outer);
	err_fix(err, "give 301 to %lu", outer);
	return -EINVAL;
}

static int gather_user(const char *user, struct plan_facts *f, struct pidbox_error *err)
{
	int r;

	f->user = calloc(1, sizeof(*f->user));
	if (f->user == NULL)
		return err_no_memory(err, "planning the box");
	r = facts_user(user, NULL, f->user, err);
	if (r == 0)
		judge_groups(user, f);
	return r;
}

int facts_gather(const struct pidbox_spec *spec, struct plan_facts *f, struct pidbox_error *err)
{
	struct caps caps = { 0 };
	int r = caps_get(&caps);

	*f = (struct plan_facts){ 0 };
	f->euid = geteuid();
	f->egid = getegid();
	f->environ = (const char *const *)environ;
	f->realtime_us = clock_us(CLOCK_REALTIME);
	if (r < 0) {
		r = err_set(err, -r, PIDBOX_CODE_DENIED, "reading the caller's capabilities");
		err_why(err,
			"a seccomp filter or security module refuses capget(2), and without it nothing can be planned");
		err_fix(err, "start the outer container with a profile that allows capget");
		return r;
	}
	f->dumpable = prctl(PR_GET_DUMPABLE) == 1;
	f->caps = caps.effective;
	f->caps_inheritable = caps.inheritable;
	/* Ambient capabilities are always inheritable ones: mostly there is nothing to ask for. */
	f->caps_ambient = caps.inheritable != 0 ? caps_ambient(caps.inheritable) : 0;
	if (spec->signal_mask == NULL)
		(void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &f->signal_mask, 8);
	r = check_pid_max(spec->pid_max, err);
	if (r == 0 && spec->map == PIDBOX_MAP_AUTO)
		r = gather_subids(f, err);
	if (r == 0 && spec->user != NULL)
		r = gather_user(spec->user, f, err);
	return r;
}

void facts_release(struct plan_facts *f)
{
	free(f->user);
	f->user = NULL;
}
