/* SPDX-License-Identifier: MIT */
#include "core/doctor.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/child.h"
#include "core/refusal.h"
#include "kern/caps.h"
#include "kern/idmap.h"
#include "kern/ns.h"
#include "kern/scout.h"
#include "kern/sig.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

/* ------------------------------------------------------------ putting down */

const char *doctor_keep(struct pidbox_doctor *d, const char *text)
{
	const char *kept = text[0] != '\0' ? pool_text(&d->pool, text, strlen(text)) : NULL;

	d->no_memory |= text[0] != '\0' && kept == NULL;
	return kept;
}

/* Which layer a code stands for. */
static const char *const layers[PIDBOX_CODE_MAX_] = {
	[PIDBOX_CODE_PROC_MASKED] = "mount",
	[PIDBOX_CODE_USERNS_DISABLED] = "sysctl",
	[PIDBOX_CODE_USERNS_APPARMOR] = "security module",
	[PIDBOX_CODE_USERNS_SECCOMP] = "seccomp",
	[PIDBOX_CODE_NEED_USERNS] = "security module",
	[PIDBOX_CODE_NS_LIMIT] = "limit",
	[PIDBOX_CODE_BOX_DEAD] = "namespace",
	[PIDBOX_CODE_IDMAP] = "id map",
	[PIDBOX_CODE_TTY] = "device",
	[PIDBOX_CODE_PROC_LIMIT] = "limit",
};

static const char *layer_of(const struct pidbox_error *err)
{
	struct pidbox_error other = { 0 };

	if (layers[err->code] != NULL)
		return layers[err->code];
	if (err->code == PIDBOX_CODE_DENIED && strcmp(err->step, step_rows[STEP_LOAD_INIT].name) == 0)
		return "sysctl"; /* vm.memfd_noexec */
	if (err->code == PIDBOX_CODE_DENIED && refusal_by_seccomp(&other))
		return "seccomp";
	if (err->code == PIDBOX_CODE_DENIED && strcmp(err->step, step_rows[STEP_CLONE].name) == 0 &&
	    refusal_by_chroot(&other))
		return "kernel";
	if (err->code == PIDBOX_CODE_DENIED)
		return "security module";
	switch (err->errnum) {
	case EROFS:
	case ENOENT:
	case ENOTDIR:
		return "mount";
	case EPERM: /* with no code it is what this kernel has not */
	case EACCES:
	case ENOSYS:
	case EINVAL:
	case ENODEV:
	case ENOTTY:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
		return "kernel";
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EFBIG:
	case ENOSPC:
		return "limit";
	default:
		return NULL;
	}
}

static void put(struct pidbox_doctor *d, const struct pidbox_check *check)
{
	if (d->n_checks < DOCTOR_MAX_CHECKS)
		d->checks[d->n_checks++] = *check;
}

void doctor_works(struct pidbox_doctor *d, const char *name, const char *format, ...)
{
	struct pidbox_check check = { .name = doctor_keep(d, name), .status = PIDBOX_CHECK_WORKS };
	char seen[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(seen, sizeof(seen), format, ap);
	va_end(ap);
	check.why = doctor_keep(d, seen);
	put(d, &check);
}

void doctor_failed(struct pidbox_doctor *d, const char *name, enum pidbox_check_status status,
		   const struct pidbox_error *err)
{
	struct pidbox_check check = {
		.name = doctor_keep(d, name),
		.status = status,
		.code = err->code,
		.layer = layer_of(err),
		.why = doctor_keep(d, err->why),
		.fix = doctor_keep(d, err->fix),
	};

	put(d, &check);
}

/* ------------------------------------------------------------ trying */

/* What the front of `pidbox run` has open besides the box's: its signals, those that end it, the caller's terminal. */
enum { FRONT_SIGNALS, FRONT_ENDS, FRONT_TERMINAL, FRONT_FDS };

/* @return 0, or -errno: without its signals `run` starts nothing, the others it does without */
static int open_as_front(int ret[FRONT_FDS])
{
	const sigbits none = 0;

	for (int i = FRONT_SIGNALS; i <= FRONT_ENDS; i++)
		ret[i] = io_above_stdio(sys_ret(syscall(SYS_signalfd4, -1, &none, sizeof(none), SFD_CLOEXEC)));
	ret[FRONT_TERMINAL] = -1;
	for (int fd = 0; fd <= 2 && ret[FRONT_TERMINAL] < 0; fd++)
		if (isatty(fd))
			ret[FRONT_TERMINAL] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return ret[FRONT_SIGNALS] < 0 ? ret[FRONT_SIGNALS] : 0;
}

int doctor_try_box(struct pidbox_doctor *d, const struct pidbox_spec *spec, struct pidbox_error *err)
{
	static const char *const directory[] = { "/", NULL };
	struct pidbox_spec tried = *spec;
	struct pidbox *box = NULL;
	int fds[FRONT_FDS], r;

	if (d->has_no_child) {
		*err = d->no_child;
		return -err->errnum;
	}
	tried.size = sizeof(tried);
	tried.argv = directory;
	r = open_as_front(fds);
	r = r < 0 ? diagnose_call(STEP_CONNECT, 0, -r, err) : pidbox_spawn(&tried, &box, err);
	if (r == 0)
		pidbox_free(box);
	for (size_t i = 0; i < FRONT_FDS; i++)
		cleanup_close(&fds[i]);
	return r == -EACCES && strcmp(err->step, step_rows[STEP_EXEC].name) == 0 ? 0 : r;
}

int doctor_send(struct pidbox_doctor *d, uint32_t kinds, void (*look)(void *found), void *found, size_t size)
{
	return d->has_no_child ? -d->no_child.errnum : scout_send(ns_clone_flags(kinds), look, found, size);
}

uint32_t doctor_with_rights(const struct pidbox_doctor *d, uint32_t kinds)
{
	return d->caps & CAPS_SYS_ADMIN ? kinds : kinds | PIDBOX_NS_USER;
}

int doctor_map_ids(uint32_t uid, uint32_t gid)
{
	const struct pidbox_idrange uids = { uid, uid, 1 }, gids = { gid, gid, 1 };

	char uid_map[48], gid_map[48];

	(void)idmap_format(&uids, 1, uid_map, sizeof(uid_map));
	(void)idmap_format(&gids, 1, gid_map, sizeof(gid_map));
	return child_map_self(uid_map, gid_map);
}

static void level(struct doctor_nest *nest);

/* In the one that was made just now. */
static void level_inside(struct doctor_nest *nest)
{
	nest->op = STEP_MAP_SELF;
	nest->errnum = nest->kinds & PIDBOX_NS_USER ? -doctor_map_ids(nest->uid, nest->gid) : 0;
	if (nest->errnum != 0)
		return;
	nest->levels++;
	level(nest);
}

/* Each lives until those below it have ended; when the first one is killed, so are all (R8). */
static void level(struct doctor_nest *nest)
{
	pid_t pid = (pid_t)syscall(SYS_clone, ns_clone_flags(nest->kinds) | SIGCHLD, 0, 0, 0, 0);

	if (pid < 0) {
		nest->op = STEP_CLONE;
		nest->errnum = errno;
		return;
	}
	if (pid == 0) {
		level_inside(nest);
		_exit(0);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static void look_at_levels(void *found)
{
	level_inside(found);
}

void doctor_nest(struct pidbox_doctor *d, struct doctor_nest *ret)
{
	struct doctor_nest nest = {
		.kinds = doctor_with_rights(d, PIDBOX_NS_PID),
		.uid = geteuid(),
		.gid = getegid(),
	};
	int r = doctor_send(d, nest.kinds, look_at_levels, &nest, sizeof(nest));

	if (r < 0) {
		nest.op = STEP_CLONE;
		nest.errnum = -r;
	}
	*ret = nest;
}

/* ------------------------------------------------------------ the whole */

int pidbox_doctor(uint32_t flags, struct pidbox_doctor **ret, struct pidbox_error *err)
{
	struct pidbox_doctor *d;
	struct caps caps = { 0 };

	if (flags & ~(uint32_t)PIDBOX_DOCTOR_SEMANTICS)
		return err_set(err, 0, PIDBOX_CODE_USAGE, "a flag of pidbox_doctor is not known");
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return err_no_memory(err, "looking at what works");
	if (caps_get(&caps) == 0)
		d->caps = caps.effective;
	d->dumpable = prctl(PR_GET_DUMPABLE) == 1;
	doctor_check_box(d);
	doctor_check_machine(d);
	doctor_check_kernel(d);
	if (flags & PIDBOX_DOCTOR_SEMANTICS)
		doctor_run_rules(d);
	if (d->no_memory) {
		pidbox_doctor_free(d);
		return err_no_memory(err, "looking at what works");
	}
	*ret = d;
	return 0;
}

bool pidbox_doctor_default_box(const struct pidbox_doctor *d)
{
	return d->default_box;
}

int pidbox_doctor_check(const struct pidbox_doctor *d, size_t index, struct pidbox_check *ret)
{
	if (index >= d->n_checks)
		return -ENOENT;
	*ret = d->checks[index];
	return 0;
}

int pidbox_doctor_rule(const struct pidbox_doctor *d, size_t index, struct pidbox_rule *ret)
{
	if (index >= d->n_rules)
		return -ENOENT;
	*ret = d->rules[index];
	return 0;
}

void pidbox_doctor_free(struct pidbox_doctor *d)
{
	if (d == NULL)
		return;
	pool_free(&d->pool);
	free(d);
}
