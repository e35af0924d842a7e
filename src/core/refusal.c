/* SPDX-License-Identifier: MIT */
#include "core/refusal.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/caps.h"
#include "kern/ns.h"
#include "kern/scout.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* @return the number in a file, -1 when there is none */
static long long number_in(const char *path)
{
	char text[32];

	return io_read_file(AT_FDCWD, path, text, sizeof(text)) > 0 ? atoll(text) : -1;
}

static bool seccomp_filtered(void)
{
	char status[4096];
	const char *p;

	if (io_read_file(AT_FDCWD, "/proc/self/status", status, sizeof(status)) < 0)
		return false;
	p = strstr(status, "\nSeccomp:\t");
	return p != NULL && p[strlen("\nSeccomp:\t")] == '2';
}

/* A directory that is no mount is root of no mount namespace. Of one that is, PID 1 tells, to whom it is shown. */
static bool chrooted(void)
{
	struct stat own, init;
	struct sys_statx root;

	if (sys_statx(AT_FDCWD, "/", 0, SYS_STATX_INODE, &root) == 0 && (root.attributes_mask & SYS_STATX_MOUNT_ROOT) &&
	    !(root.attributes & SYS_STATX_MOUNT_ROOT))
		return true;
	return stat("/", &own) == 0 && stat("/proc/1/root/.", &init) == 0 &&
	       (own.st_ino != init.st_ino || own.st_dev != init.st_dev);
}

/* What the switches of distributions ask for: CAP_SYS_ADMIN in the machine's first user namespace. */
static bool is_the_machines_admin(void)
{
	struct caps caps;

	return ns_user_is_initial() && caps_get(&caps) == 0 && (caps.effective & CAPS_SYS_ADMIN);
}

bool refusal_by_sysctl(struct pidbox_error *err)
{
	if (number_in("/proc/sys/kernel/unprivileged_userns_clone") != 0 || is_the_machines_admin())
		return false;
	err->code = PIDBOX_CODE_USERNS_DISABLED;
	err_why(err, "the sysctl kernel.unprivileged_userns_clone is 0: only who has CAP_SYS_ADMIN in the "
		     "machine's own user namespace may make another");
	err_fix(err, "sysctl kernel.unprivileged_userns_clone=1 (as root of the machine), or run as that root");
	return true;
}

bool refusal_by_apparmor(struct pidbox_error *err)
{
	char exe[256];
	ssize_t n;

	if (number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != 1 || is_the_machines_admin())
		return false;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	err->code = PIDBOX_CODE_USERNS_APPARMOR;
	err_why(err, "kernel.apparmor_restrict_unprivileged_userns=1 and %s has no AppArmor profile that allows userns",
		n > 0 ? exe : "this program");
	err_fix(err,
		"as root, give this one binary a profile: `pidbox doctor --install-apparmor` (without root it prints "
		"it); or run as root");
	return true;
}

/* A label of AppArmor's is "name (mode)"; "unconfined" has no mode. @return false: no profile refuses this process a
 * thing */
static bool confined(char *profile, size_t size)
{
	static const char *const files[] = { "/proc/self/attr/apparmor/current", "/proc/self/attr/current" };
	ssize_t n = -1;
	char *mode;

	for (size_t i = 0; i < ARRAY_LEN(files) && n <= 0; i++)
		n = io_read_file(AT_FDCWD, files[i], profile, size);
	mode = n > 0 ? strrchr(profile, '(') : NULL;
	if (mode == NULL || mode - profile < 2 || strncmp(mode, "(unconfined)", 12) == 0 ||
	    strncmp(mode, "(complain)", 10) == 0)
		return false;
	mode[-1] = '\0';
	return true;
}

bool refusal_by_profile(const char *lacks, struct pidbox_error *err)
{
	char profile[256];

	if (!confined(profile, sizeof(profile)))
		return false;
	err_why(err, "the AppArmor profile %s confines this process, and does not allow it (it lacks `%s`)", profile,
		lacks);
	err_fix(err,
		"as root, put `%s` into the AppArmor profile %s and load it again (apparmor_parser -r); a container is "
		"started without one by --security-opt apparmor=unconfined",
		lacks, profile);
	return true;
}

/* Who asks the module gets EACCES (apparmor_userns_create); what a capability is wanted for gives EPERM. */
bool refusal_by_confinement(struct pidbox_error *err)
{
	if (err->errnum != EACCES || !refusal_by_profile("userns,", err))
		return false;
	err->code = PIDBOX_CODE_USERNS_APPARMOR;
	return true;
}

/* Has this id a number in the caller's user namespace? The first column of a map is its numbers. */
static bool is_mapped(const char *map, unsigned long id)
{
	char text[4096], *p = text;

	if (io_read_file(AT_FDCWD, map, text, sizeof(text)) < 0)
		return true; /* it is not known */
	while (*p != '\0') {
		unsigned long inside = strtoul(p, &p, 10), n;

		(void)strtoul(p, &p, 10);
		n = strtoul(p, &p, 10);
		if (id >= inside && id - inside < n)
			return true;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return false;
}

bool refusal_by_ids(struct pidbox_error *err)
{
	bool uid = is_mapped("/proc/self/uid_map", geteuid());

	if (uid && is_mapped("/proc/self/gid_map", getegid()))
		return false;
	err->code = PIDBOX_CODE_IDMAP;
	err_why(err,
		"the caller's %s has no number in this user namespace, and who has none can make no other (clone(2))",
		uid ? "gid" : "uid");
	err_fix(err,
		"map it where this user namespace is made (unshare --map-user and --map-group, the container's maps)");
	return true;
}

bool refusal_by_seccomp(struct pidbox_error *err)
{
	if (!seccomp_filtered())
		return false;
	err->code = PIDBOX_CODE_USERNS_SECCOMP;
	err_why(err, "a seccomp filter is active (Seccomp: 2 in /proc/self/status): the container runtime blocks new "
		     "namespaces; the kernel itself would allow them");
	err_fix(err, "start the outer container with a seccomp profile that allows clone and unshare with namespaces");
	return true;
}

bool refusal_by_chroot(struct pidbox_error *err)
{
	if (!chrooted())
		return false;
	err_why(err, "the caller is in a chroot, and the kernel makes no user namespace there (clone(2))");
	err_fix(err, "enter the directory by pivot_root instead of chroot, or run as root");
	return true;
}

void refusal_of_namespaces(bool user_namespace, struct pidbox_error *err)
{
	if (user_namespace &&
	    (refusal_by_confinement(err) || refusal_by_sysctl(err) || refusal_by_apparmor(err) || refusal_by_ids(err)))
		return;
	if (refusal_by_seccomp(err) || (user_namespace && refusal_by_chroot(err)))
		return;
	if (refusal_by_profile("capability sys_admin,", err)) {
		err->code = user_namespace ? PIDBOX_CODE_USERNS_APPARMOR : PIDBOX_CODE_NEED_USERNS;
	} else if (!user_namespace) {
		err->code = PIDBOX_CODE_NEED_USERNS;
		err_why(err, "CAP_SYS_ADMIN is there, yet a security module refuses new namespaces");
		err_fix(err, "try --unshare user");
	}
}

struct first_refused {
	uint32_t kinds;
	size_t at;
};

static void find_refused(void *arg)
{
	struct first_refused *f = arg;

	for (size_t i = 0; i < ns_kinds_count && f->at == ns_kinds_count; i++)
		if ((f->kinds & ns_kinds[i].bit) && unshare((int)ns_kinds[i].clone_flag) < 0) {
			if (errno == ENOSPC || errno == EUSERS)
				f->at = i;
			return;
		}
}

/*
 * Which kind is refused: a child that nobody sees makes them one after the other, as the clone would have, and ends.
 * @return its row in ns_kinds; ns_kinds_count when nothing is refused any more
 */
static size_t kind_at_limit(uint32_t kinds)
{
	struct first_refused f = { .kinds = kinds, .at = ns_kinds_count };

	(void)scout_send(0, find_refused, &f, sizeof(f));
	return f.at;
}

/*
 * A namespace counts in the user namespace that owns it and in each one above, for the user that made the one below
 * (namespaces(7)). Limits above cannot be read from here, but some can be ruled out: a new user namespace begins
 * without limits (INT_MAX, create_user_ns), and above the first one is nothing.
 */
static void used_up(const struct ns_kind *kind, long long value, struct pidbox_error *err)
{
	const bool first = ns_user_is_initial();
	const char *nested = kind->bit == PIDBOX_NS_PID              ? ", or PID namespaces are nested 32 deep"
			     : kind->bit == PIDBOX_NS_USER && !first ? ", or user namespaces are nested 32 deep"
								     : "";

	if (first)
		err_why(err,
			"user.%s=%lld, in the machine's first user namespace, is used up by this user%s; no disk is "
			"full",
			kind->limit, value, nested);
	else if (value >= INT_MAX)
		err_why(err,
			"user.%s is used up in a user namespace above this one, which has no limit of its own%s; no "
			"disk "
			"is full",
			kind->limit, nested);
	else
		err_why(err, "user.%s is used up, in this user namespace (%lld) or in one above it%s; no disk is full",
			kind->limit, value, nested);
	err_fix(err, "end other boxes, nest less deep, or raise user.%s (sysctl, as root of that user namespace)",
		kind->limit);
}

void refusal_by_limit(uint32_t kinds, struct pidbox_error *err)
{
	long long values[32];
	char words[512] = "";
	size_t len = 0, at;

	for (size_t i = 0; i < ns_kinds_count; i++) {
		char path[80];

		if (!(kinds & ns_kinds[i].bit))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/sys/user/%s", ns_kinds[i].limit);
		values[i] = number_in(path);
		if (values[i] == 0) {
			err_why(err,
				"user.%s is 0 in this user namespace: no %s namespace may be made; no disk is full",
				ns_kinds[i].limit, ns_kinds[i].word);
			err_fix(err, "sysctl user.%s=15000, as root of the user namespace that set it to 0",
				ns_kinds[i].limit);
			return;
		}
		len += (size_t)snprintf(words + len, len < sizeof(words) ? sizeof(words) - len : 0, "%suser.%s=%lld",
					len > 0 ? ", " : "", ns_kinds[i].limit, values[i]);
	}
	at = kind_at_limit(kinds);
	if (at < ns_kinds_count) {
		used_up(&ns_kinds[at], values[at], err);
		return;
	}
	err_why(err,
		"one of %s was used up, here or in a user namespace above; or namespaces are nested 32 deep, which is "
		"the kernel's end; no disk is full",
		words);
	err_fix(err, "nest less deep, end other boxes, or raise the limit (sysctl user.max_..._namespaces)");
}
