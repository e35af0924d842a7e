/* SPDX-License-Identifier: MIT */
/* The checks of what a box is made of: processes, namespaces, /proc, ids, a terminal, the init. */
#include "core/doctor.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/box.h"
#include "core/image.h"
#include "kern/caps.h"
#include "kern/ns.h"
#include "kern/tty.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

/* ------------------------------------------------------------ processes */

static void look_at_nothing(void *found)
{
	*(char *)found = 1;
}

/*
 * R3: our next child may belong elsewhere. In a PID namespace where nothing has begun it would be PID 1, and its end
 * the namespace's: then none is made.
 */
static int try_child(struct pidbox_doctor *d)
{
	enum ns_children where = ns_children("pid");
	char found = 0;
	int r;

	if (where == NS_CHILDREN_FIRST || where == NS_CHILDREN_OTHER)
		return diagnose_call(STEP_CLONE, PIDBOX_NS_PID, EINVAL, &d->no_child);
	r = doctor_send(d, 0, look_at_nothing, &found, sizeof(found));
	return r < 0 ? diagnose_call(STEP_CLONE, 0, -r, &d->no_child) : 0;
}

static void check_processes(struct pidbox_doctor *d)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (try_child(d) < 0) {
		d->has_no_child = true;
		doctor_failed(d, "processes", PIDBOX_CHECK_REFUSED, &d->no_child);
		return;
	}
	(void)getrlimit(RLIMIT_NPROC, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		doctor_works(d, "processes", "RLIMIT_NPROC is no limit");
	else
		doctor_works(d, "processes",
			     "RLIMIT_NPROC is %llu, and counts every process and thread of this uid on the machine",
			     (unsigned long long)limit.rlim_cur);
}

/* ------------------------------------------------------------ namespaces */

struct kind_trial {
	uint32_t kind, uid, gid;
	bool maps;
	enum step_op op; /* what was refused */
	int errnum;
};

static void look_at_kind(void *found)
{
	struct kind_trial *t = found;

	t->op = STEP_MAP_SELF;
	t->errnum = t->maps ? -doctor_map_ids(t->uid, t->gid) : 0;
	if (t->errnum != 0 || t->kind != PIDBOX_NS_TIME)
		return;
	t->op = STEP_TIME_NS;
	t->errnum = unshare(CLONE_NEWTIME) < 0 ? errno : 0;
}

/*
 * As a box does it: by clone(2), but for time namespaces, which that does not make; and where the rights take a user
 * namespace the kind lies in one, with the ids mapped: AppArmor refuses that, not the clone. The maps of a caller that
 * is not dumpable are another's to write (proc(5)).
 */
static int try_kind(struct pidbox_doctor *d, uint32_t kind, struct pidbox_error *err)
{
	uint32_t kinds = doctor_with_rights(d, kind);
	struct kind_trial t = {
		.kind = kind,
		.uid = geteuid(),
		.gid = getegid(),
		.maps = (kinds & PIDBOX_NS_USER) && d->dumpable,
		.op = STEP_CLONE,
		.errnum = EPERM, /* of one that a seccomp filter has killed */
	};
	int r;

	if (d->has_no_child) {
		*err = d->no_child;
		return -err->errnum;
	}
	r = doctor_send(d, kinds & ~(uint32_t)PIDBOX_NS_TIME, look_at_kind, &t, sizeof(t));
	if (r < 0)
		return diagnose_call(STEP_CLONE, kinds, -r, err);
	return t.errnum != 0 ? diagnose_call(t.op, kinds, t.errnum, err) : 0;
}

static bool is_in_default_box(uint32_t kind)
{
	return kind & (PIDBOX_NS_PID | PIDBOX_NS_MOUNT | PIDBOX_NS_UTS | PIDBOX_NS_IPC);
}

static void check_kind(struct pidbox_doctor *d, const struct ns_kind *kind)
{
	char name[32], path[80], limit[32];
	struct pidbox_error err;
	bool needed = is_in_default_box(kind->bit) || (doctor_with_rights(d, 0) & kind->bit);

	(void)snprintf(name, sizeof(name), "%s namespace", kind->word);
	if (try_kind(d, kind->bit, &err) < 0) {
		if (kind->bit == PIDBOX_NS_USER) {
			d->has_no_user_ns = true;
			d->user_ns_errnum = err.errnum;
		}
		d->has_no_ns |= needed;
		doctor_failed(d, name, PIDBOX_CHECK_REFUSED, &err);
		return;
	}
	(void)snprintf(path, sizeof(path), "/proc/sys/user/%s", kind->limit);
	if (io_read_file(AT_FDCWD, path, limit, sizeof(limit)) <= 0) {
		doctor_works(d, name, "%s", "");
		return;
	}
	limit[strcspn(limit, "\n")] = '\0';
	doctor_works(d, name, "user.%s is %s", kind->limit, limit);
}

static void check_nesting(struct pidbox_doctor *d)
{
	struct doctor_nest nest;
	struct pidbox_error err;

	/* The maps of a caller that is not dumpable are another's to write, and without one there is no level below. */
	if (!d->dumpable && (doctor_with_rights(d, 0) & PIDBOX_NS_USER))
		return;
	doctor_nest(d, &nest);
	d->levels = nest.levels;
	d->levels_errnum = nest.errnum;
	if (nest.levels > 0) {
		doctor_works(d, "nesting", "%d more levels can be made below this one; %s", nest.levels,
			     nest.errnum == EAGAIN ? "there a limit of processes ended it" : "the kernel's end is 32");
		return;
	}
	if (d->has_no_child)
		err = d->no_child;
	else
		(void)diagnose_call(nest.op, nest.kinds, nest.errnum, &err);
	doctor_failed(d, "nesting", PIDBOX_CHECK_REFUSED, &err);
}

/* ------------------------------------------------------------ /proc */

/* In a user namespace the kernel looks whether /proc is whole; a box of root's has none unless that is asked for. */
static void check_fresh_proc(struct pidbox_doctor *d)
{
	struct pidbox_spec spec = { .share = PIDBOX_NS_UTS | PIDBOX_NS_IPC };
	bool rootless = doctor_with_rights(d, 0) & PIDBOX_NS_USER;
	struct pidbox_error err;

	if (doctor_try_box(d, &spec, &err) < 0) {
		doctor_failed(d, "fresh /proc", PIDBOX_CHECK_REFUSED, &err);
		return;
	}
	spec.map = PIDBOX_MAP_ME;
	if (!rootless && !d->has_no_user_ns && doctor_try_box(d, &spec, &err) < 0)
		doctor_failed(d, "fresh /proc", PIDBOX_CHECK_LIMITED, &err);
	else
		doctor_works(d, "fresh /proc", "%s", "");
}

/* ------------------------------------------------------------ ids */

static void put_ranges(const struct plan_map *map, char *buf, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < map->n && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%u-%u", i > 0 ? ", " : "", map->ranges[i].outside,
					map->ranges[i].outside + map->ranges[i].count - 1);
}

static void check_subordinate_ids(struct pidbox_doctor *d)
{
	const struct pidbox_spec spec = {
		.size = sizeof(spec),
		.share = PIDBOX_NS_UTS | PIDBOX_NS_IPC | PIDBOX_NS_MOUNT,
		.proc = PIDBOX_PROC_KEEP,
		.map = PIDBOX_MAP_AUTO,
	};
	struct plan_facts *facts = calloc(1, sizeof(*facts));
	struct pidbox_error err;
	char uids[256] = "", gids[256] = "";

	if (facts == NULL) {
		d->no_memory = true;
		return;
	}
	if (facts_gather(&spec, facts, &err) < 0 || doctor_try_box(d, &spec, &err) < 0) {
		doctor_failed(d, "subordinate ids", PIDBOX_CHECK_REFUSED, &err);
	} else {
		put_ranges(&facts->subuids, uids, sizeof(uids));
		put_ranges(&facts->subgids, gids, sizeof(gids));
		doctor_works(d, "subordinate ids", "uids %s; gids %s", uids, gids);
	}
	facts_release(facts);
	free(facts);
}

/* Where posix_spawnp(3) will find it. */
static bool find_program(const char *name, char *buf, size_t size)
{
	const char *p = getenv("PATH");

	for (p = p != NULL ? p : "/usr/local/bin:/bin:/usr/bin"; *p != '\0'; p += strspn(p, ":")) {
		size_t len = strcspn(p, ":");

		if ((size_t)snprintf(buf, size, "%.*s/%s", (int)len, p, name) < size && access(buf, X_OK) == 0)
			return true;
		p += len;
	}
	return false;
}

/* @return how it gets its right, NULL: it has none */
static const char *right_of(const char *path)
{
	struct statvfs fs;
	struct stat st;

	if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		return NULL;
	if (getxattr(path, "security.capability", NULL, 0) > 0)
		return "file capabilities";
	return stat(path, &st) == 0 && (st.st_mode & S_ISUID) && st.st_uid == 0 ? "setuid root" : NULL;
}

static void check_helpers(struct pidbox_doctor *d)
{
	static const char name[] = "newuidmap and newgidmap";
	static const char *const programs[] = { "newuidmap", "newgidmap" };
	char path[PATH_MAX];
	const char *right[2];
	struct pidbox_error err;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (!find_program(programs[i], path, sizeof(path))) {
			(void)diagnose_call(STEP_MAP_HELPER, 0, ENOENT, &err);
			doctor_failed(d, name, PIDBOX_CHECK_REFUSED, &err);
			return;
		}
		right[i] = right_of(path);
		if (right[i] == NULL || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
			(void)diagnose_call(STEP_MAP_HELPER, 0, EPERM, &err);
			err_why(&err,
				right[i] == NULL ? "%s is neither setuid root nor has it file capabilities, or its "
						   "file system is mounted nosuid: it cannot write maps"
						 : "no_new_privs is set here (prctl(2)), so %s gains no right",
				path);
			err_fix(&err, right[i] == NULL
					      ? "install the package uidmap again, or use --map me or --map root"
					      : "use --map me or --map root, or start without no_new_privs");
			doctor_failed(d, name, PIDBOX_CHECK_REFUSED, &err);
			return;
		}
	}
	doctor_works(d, name, "%s; %s", right[0], right[1]);
}

/* ------------------------------------------------------------ terminal, init */

static void check_terminal(struct pidbox_doctor *d)
{
	struct pidbox_error err;
	int master, slave, r = tty_open_pair(&master, &slave);

	if (r < 0) {
		(void)diagnose_call(STEP_OPEN_TTY, 0, -r, &err);
		doctor_failed(d, "terminal", PIDBOX_CHECK_REFUSED, &err);
		return;
	}
	(void)close(slave);
	(void)close(master);
	doctor_works(d, "terminal", "%s", "");
}

/* @param no_box  what the default box has failed with, or NULL */
static void check_init(struct pidbox_doctor *d, const struct pidbox_error *no_box)
{
	bool installed = false;
	struct pidbox_error err;
	struct stat st;
	int fd;

	if (no_box != NULL && strcmp(no_box->step, step_rows[STEP_EXEC_INIT].name) == 0) {
		doctor_failed(d, "init in memory", PIDBOX_CHECK_REFUSED, no_box);
		return;
	}
	fd = image_sealed();
	if (fd < 0) {
		(void)diagnose_call(STEP_LOAD_INIT, 0, -fd, &err);
		doctor_failed(d, "init in memory", PIDBOX_CHECK_REFUSED, &err);
		return;
	}
	installed = fstat(fd, &st) == 0 && st.st_nlink > 0;
	(void)close(fd);
	if (!installed) {
		doctor_works(d, "init in memory", "%s", "");
		return;
	}
	(void)diagnose_call(STEP_LOAD_INIT, 0, EACCES, &err);
	err_why(&err,
		"a sealed file in memory cannot be made or executed here (vm.memfd_noexec); the installed %s is used",
		pidbox_init_path());
	err_fix(&err, "sysctl vm.memfd_noexec=0; or leave it: boxes work all the same");
	doctor_failed(d, "init in memory", PIDBOX_CHECK_LIMITED, &err);
}

/* ------------------------------------------------------------ the whole */

void doctor_check_box(struct pidbox_doctor *d)
{
	const struct pidbox_spec spec = { .size = sizeof(spec) };
	struct pidbox_error no_box;

	check_processes(d);
	d->default_box = doctor_try_box(d, &spec, &no_box) == 0;
	if (d->default_box)
		doctor_works(d, "default box", "%s", "");
	else
		doctor_failed(d, "default box", PIDBOX_CHECK_REFUSED, &no_box);
	for (size_t i = 0; i < ns_kinds_count; i++)
		check_kind(d, &ns_kinds[i]);
	check_nesting(d);
	check_fresh_proc(d);
	check_subordinate_ids(d);
	check_helpers(d);
	check_terminal(d);
	check_init(d, d->default_box ? NULL : &no_box);
}
