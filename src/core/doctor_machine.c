/* SPDX-License-Identifier: MIT */
/* The checks of what the machine, or the container, has set for everybody: switches, filters, mounts, cgroups. */
#include "core/doctor.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sink.h"
#include "base/util.h"
#include "core/refusal.h"
#include "kern/cgroup.h"
#include "kern/mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MOUNTINFO_SIZE = 256 * 1024 };

/* The first line of a file. @return false: there is none to be read */
static bool read_line(const char *path, char *buf, size_t size)
{
	ssize_t n = io_read_file(AT_FDCWD, path, buf, size);

	if (n > 0)
		buf[strcspn(buf, "\n")] = '\0';
	return n > 0;
}

/* ------------------------------------------------------------ switches */

/* A switch counts as refusing when it would, and user namespaces are refused. */
static bool is_refused(struct pidbox_doctor *d, const char *name, bool refused, bool (*by)(struct pidbox_error *))
{
	struct pidbox_error err = { .errnum = d->user_ns_errnum };

	if (!refused || !by(&err))
		return false;
	doctor_failed(d, name, PIDBOX_CHECK_REFUSED, &err);
	return true;
}

static void check_sysctl(struct pidbox_doctor *d)
{
	static const char name[] = "kernel.unprivileged_userns_clone";
	char value[32];

	if (is_refused(d, name, d->has_no_user_ns, refusal_by_sysctl))
		return;
	if (read_line("/proc/sys/kernel/unprivileged_userns_clone", value, sizeof(value)))
		doctor_works(d, name, "it is %s", value);
	else
		doctor_works(d, name, "this kernel has no such sysctl, which Debian added");
}

static void check_apparmor(struct pidbox_doctor *d)
{
	static const char name[] = "kernel.apparmor_restrict_unprivileged_userns";
	char value[32], label[256];

	if (is_refused(d, name, d->has_no_user_ns, refusal_by_apparmor))
		return;
	if (!read_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", value, sizeof(value)))
		doctor_works(d, name, "this kernel has no such sysctl, which Ubuntu added");
	else if (read_line("/proc/self/attr/apparmor/current", label, sizeof(label)))
		doctor_works(d, name, "it is %s; this process runs as %s", value, label);
	else
		doctor_works(d, name, "it is %s", value);
}

static void check_seccomp(struct pidbox_doctor *d)
{
	struct pidbox_error err = { 0 };

	if (is_refused(d, "seccomp filter", d->has_no_user_ns || d->has_no_ns, refusal_by_seccomp))
		return;
	if (refusal_by_seccomp(&err))
		doctor_works(d, "seccomp filter", "one is active, and lets new namespaces pass");
	else
		doctor_works(d, "seccomp filter", "none is active");
}

static void check_modules(struct pidbox_doctor *d)
{
	static const char name[] = "security modules";
	char list[256], label[256];
	bool has_label = read_line("/proc/self/attr/current", label, sizeof(label));

	if (is_refused(d, name, d->has_no_user_ns, refusal_by_confinement))
		return;
	if (read_line("/sys/kernel/security/lsm", list, sizeof(list)))
		doctor_works(d, name, "%s%s%s", list, has_label ? "; this process runs as " : "",
			     has_label ? label : "");
	else if (has_label)
		doctor_works(d, name, "this process runs as %s", label);
	else
		doctor_works(d, name, "none shows itself (/sys/kernel/security/lsm)");
}

static void check_own_ids(struct pidbox_doctor *d)
{
	if (!is_refused(d, "own ids", d->has_no_user_ns, refusal_by_ids))
		doctor_works(d, "own ids", "uid %u, gid %u", geteuid(), getegid());
}

static void check_chroot(struct pidbox_doctor *d)
{
	if (!is_refused(d, "root directory", d->has_no_user_ns, refusal_by_chroot))
		doctor_works(d, "root directory", "%s", "");
}

/* ------------------------------------------------------------ /proc */

/* /proc/self is the reader, when it is a procfs of the reader's PID namespace. */
static bool is_own_proc(void)
{
	char self[16] = "";

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) == getpid();
}

static void check_proc(struct pidbox_doctor *d, const char *mountinfo)
{
	bool rootless = doctor_with_rights(d, 0) & PIDBOX_NS_USER;
	struct pidbox_error err;
	char masks[512];

	if (!is_own_proc()) {
		(void)diagnose_call(rootless ? STEP_MAP_SELF : STEP_MAP_FRONT, PIDBOX_NS_USER, ENOENT, &err);
		doctor_failed(d, "/proc", d->default_box ? PIDBOX_CHECK_LIMITED : PIDBOX_CHECK_REFUSED, &err);
	} else if (mnt_proc_masks(mountinfo, masks, sizeof(masks)) > 0) {
		doctor_works(d, "/proc", "mounted on top of it: %s", masks);
	} else {
		doctor_works(d, "/proc", "nothing is mounted on top of it");
	}
}

static void check_proc_sys(struct pidbox_doctor *d)
{
	struct pidbox_error err;
	struct statvfs fs;

	if (statvfs("/proc/sys", &fs) < 0)
		(void)diagnose_call(STEP_FIRST_PID, 0, ENOENT, &err);
	else if (fs.f_flag & ST_RDONLY)
		(void)diagnose_call(STEP_FIRST_PID, 0, EROFS, &err);
	else {
		doctor_works(d, "/proc/sys", "%s", "");
		return;
	}
	doctor_failed(d, "/proc/sys", PIDBOX_CHECK_LIMITED, &err);
}

/* ------------------------------------------------------------ cgroups */

/*
 * The unified hierarchy (cgroups(7)), "0::/path", and where it is; and the controllers that version 1 has.
 * @return 0 or -errno
 */
static int own_cgroup(const char *mountinfo, char *dir, size_t size, struct sink *old)
{
	char text[8192];
	const char *rest = text;
	struct cgroup_line line;
	int r = -ENODEV;

	if (io_read_file(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) <= 0)
		return -ENOENT;
	while (cgroup_next(&rest, &line)) {
		if (line.controllers_len == 0) {
			r = cgroup_directory(&line, mountinfo, dir, size);
		} else if (memchr(line.controllers, '=', line.controllers_len) == NULL) {
			sink_str(old, old->len == 0 ? "; version 1 has " : " ");
			sink_bytes(old, line.controllers, line.controllers_len);
		}
	}
	return r;
}

/* A cgroup is delegated to who may write what makes children of it and moves processes (cgroups(7)). */
static bool is_delegated(const char *dir)
{
	static const char *const files[] = { "", "/cgroup.procs", "/cgroup.subtree_control" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", dir, files[i]);
		if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
			return false;
	}
	return true;
}

static void check_cgroups(struct pidbox_doctor *d, const char *mountinfo)
{
	char dir[PATH_MAX], path[PATH_MAX + 32], controllers[256] = "";
	char old[256];
	struct sink s = SINK_BUF(old, sizeof(old));
	struct pidbox_error err;
	int r = own_cgroup(mountinfo, dir, sizeof(dir), &s);

	(void)sink_end(&s);

	if (r == 0) {
		(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
		(void)read_line(path, controllers, sizeof(controllers));
	}
	if (r == 0 && controllers[0] != '\0' && is_delegated(dir)) {
		doctor_works(d, "cgroups", "version 2, with %s; %s may be written by this user%s", controllers, dir,
			     old);
		return;
	}
	(void)err_set(&err, r < 0 ? ENOENT : 0, PIDBOX_CODE_NONE, "looking at the cgroups");
	if (r < 0) {
		err_why(&err,
			"version 2 of the cgroups is not mounted here, or not the part that this process is in; boxes "
			"do without%s",
			old);
		err_fix(&err, "mount -t cgroup2 none /sys/fs/cgroup (as root)");
	} else if (controllers[0] == '\0') {
		err_why(&err, "version 2 is at %s, without controllers, which nobody has passed on%s", dir, old);
		err_fix(&err, "boot with systemd.unified_cgroup_hierarchy=1, or write +memory +pids +cpu to "
			      "cgroup.subtree_control of the groups above");
	} else {
		err_why(&err, "version 2 is at %s, with %s, but this user may not make groups there%s", dir,
			controllers, old);
		err_fix(&err, "systemd-run --user --scope -p Delegate=yes pidbox ..., or root gives this user a group "
			      "(chown)");
	}
	doctor_failed(d, "cgroups", PIDBOX_CHECK_LIMITED, &err);
}

/* ------------------------------------------------------------ the whole */

void doctor_check_machine(struct pidbox_doctor *d)
{
	char *mountinfo = malloc(MOUNTINFO_SIZE);

	if (mountinfo == NULL) {
		d->no_memory = true;
		return;
	}
	if (io_read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo, MOUNTINFO_SIZE) <= 0)
		mountinfo[0] = '\0';
	check_sysctl(d);
	check_apparmor(d);
	check_seccomp(d);
	check_modules(d);
	check_own_ids(d);
	check_chroot(d);
	check_proc(d, mountinfo);
	check_proc_sys(d);
	check_cgroups(d, mountinfo);
	free(mountinfo);
}
