/* SPDX-License-Identifier: MIT */
/* Why setns(2) said no: which namespace, whose it is, which right is missing. Probes that change nothing. */
#include "core/enter.h"

#include "base/err.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/exec_wire.h"
#include "kern/caps.h"
#include "kern/ns.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NSFS_GET_USERNS    _IO(0xb7, 0x1)
#define NSFS_GET_OWNER_UID _IO(0xb7, 0x4)

/* By the raw call: musl's ioctl takes an int for the request. */
static int nsfs(int fd, unsigned long request, void *arg)
{
	return sys_ret(syscall(SYS_ioctl, fd, request, arg));
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static uint64_t own_namespace(const struct ns_kind *kind)
{
	struct stat st;
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kind->file);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* What is known of the user namespace that owns another one. */
struct owner {
	bool seen; /* the kernel shows those at and below the caller's own */
	bool own;  /* it is the caller's own */
	uid_t uid;
	bool may; /* the caller has all capabilities over it: his effective ones in his own, or as its maker below it */
};

/*
 * As the kernel judges (cap_capable in security/commoncap.c): in one's own user namespace what counts is the
 * capability; who has made a namespace right below it has all in that one and in all below.
 */
static struct owner owner_of(int ns, bool is_user)
{
	uint64_t own = own_namespace(&ns_kinds[0]); /* user comes first */
	struct owner o = { 0 };
	struct caps caps = { 0 };
	int fd = is_user ? fcntl(ns, F_DUPFD_CLOEXEC, 3) : nsfs(ns, NSFS_GET_USERNS, NULL);

	(void)caps_get(&caps);
	o.seen = fd >= 0;
	o.own = fd >= 0 && inode_of(fd) == own;
	if (fd >= 0 && nsfs(fd, NSFS_GET_OWNER_UID, &o.uid) < 0)
		o.uid = (uid_t)-1;
	o.may = caps.effective & CAPS_SYS_ADMIN;
	while (fd >= 0 && inode_of(fd) != own && !o.may) {
		int parent = sys_ns_parent(fd);
		uid_t maker = (uid_t)-1;

		if (parent >= 0 && inode_of(parent) == own && nsfs(fd, NSFS_GET_OWNER_UID, &maker) == 0)
			o.may = maker == geteuid();
		(void)close(fd);
		fd = parent;
	}
	cleanup_close(&fd);
	o.may &= o.seen;
	return o;
}

/* @return was it this one? */
static bool explain_kind(pid_t pid, const struct ns_kind *kind, struct pidbox_error *err)
{
	bool is_user = kind->bit == PIDBOX_NS_USER;
	struct owner o = { .may = true };
	char path[48];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind->file);
	fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && inode_of(fd) != own_namespace(kind))
		o = owner_of(fd, is_user);
	cleanup_close(&fd);
	if (o.may)
		return false;
	if (!o.seen)
		err_why(err,
			"its %s namespace belongs to a user namespace outside of the caller's own, where the caller "
			"has no rights",
			kind->word);
	else if (o.own)
		err_why(err,
			"its %s namespace belongs to the user namespace that the caller is in, and takes "
			"CAP_SYS_ADMIN there",
			kind->word);
	else
		err_why(err, "its %s namespace %s uid %u has made, and takes CAP_SYS_ADMIN there", kind->word,
			is_user ? "is one that" : "belongs to a user namespace that", o.uid);
	if (o.seen && !o.own && o.uid != (uid_t)-1)
		err_fix(err, "run pidbox as uid %u, or as root", o.uid);
	else if (o.own)
		enter_fix_right(err, geteuid(), "CAP_SYS_ADMIN", "run pidbox as root of the machine");
	else
		err_fix(err, "run pidbox as root of the machine, outside of this user namespace");
	return true;
}

static void explain_join(const struct pidbox_target *target, uint32_t only, int errnum, struct pidbox_error *err)
{
	const struct pidref *process = &target->process;

	err->code = errnum == EPERM ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE;
	for (size_t i = 0; errnum == EPERM && i < ns_kinds_count; i++)
		if ((only == 0 || (only & ns_kinds[i].bit)) && explain_kind(process->pid, &ns_kinds[i], err))
			return;
	if (errnum == EINVAL)
		err_why(err, "its PID namespace is neither the caller's own nor one below it: setns(2) does not climb");
	else
		err_why(err, "by the kernel's rules the caller has the rights: a security module or a seccomp filter "
			     "refuses setns(2)");
	err_fix(err, "run pidbox outside: as root of the machine, where no filter is");
}

void enter_fix_right(struct pidbox_error *err, uint32_t uid, const char *capability, const char *others)
{
	if (uid == 0)
		err_fix(err,
			"this root lacks %s: start its container with that (--cap-add), or run pidbox outside, as root "
			"of the machine",
			capability);
	else
		err_fix(err, "%s", others);
}

/*
 * Who may look (ptrace(2), PTRACE_MODE_READ): who has CAP_SYS_PTRACE in the user namespace of the process; and its own
 * user, unless it has capabilities that he has not, or is not dumpable.
 */
void enter_explain_look(struct pidbox_error *err)
{
	const uint64_t machines = 0xeffffffd; /* PROC_USER_INIT_INO */
	bool nested = own_namespace(&ns_kinds[0]) != machines;
	struct caps caps = { 0 };

	(void)caps_get(&caps);
	if (caps.effective & CAPS_SYS_PTRACE) {
		err_why(err,
			"its namespaces are for those to see who may trace it (ptrace(2)). The caller has "
			"CAP_SYS_PTRACE: %sa security module (AppArmor, SELinux) says no",
			nested ? "the process is in a user namespace outside of the caller's own, or " : "");
		err_fix(err, "run pidbox outside of what confines it here: as root of the machine");
		return;
	}
	err_why(err, "its namespaces are for those to see who may trace it (ptrace(2)): the user that it runs as, "
		     "unless it has rights that this user has not, is not dumpable, or a security module (yama, "
		     "AppArmor) says no");
	enter_fix_right(err, geteuid(), "CAP_SYS_PTRACE", "run pidbox as root, or as the user who made the namespaces");
}

void enter_explain(const struct pidbox_target *target, uint32_t only, int step, int errnum, struct pidbox_error *err)
{
	const struct pidref *process = &target->process;

	if (err == NULL)
		return;
	if ((step == EXEC_STEP_JOIN && errnum == ESRCH) || pidref_has_ended(process)) {
		err->code = PIDBOX_CODE_BOX_DEAD;
		err_why(err, "process %d has ended meanwhile", (int)process->pid);
		err_fix(err, "name a process that runs: pidbox ls, pidbox ps");
	} else if (step == EXEC_STEP_JOIN) {
		explain_join(target, only, errnum, err);
	} else if (step == EXEC_STEP_START && errnum == ENOMEM) {
		err->code = PIDBOX_CODE_BOX_DEAD;
		err_why(err,
			"PID 1 of the namespace has ended, and then no process can begin in it (R9); memory is not "
			"what is short");
		err_fix(err, "start a box anew; `pidbox ls` names those that live");
	} else if (step == EXEC_STEP_USER && (errnum == EPERM || errnum == EINVAL)) {
		err->code = PIDBOX_CODE_IDMAP;
		err_why(err,
			errnum == EINVAL ? "the user namespace of process %d does not map that id"
					 : "in the user namespace of process %d groups may not be set: an ordinary "
					   "user has made it and mapped his own ids alone",
			(int)process->pid);
		err_fix(err, "leave --user out: the command is who process %d is", (int)process->pid);
	} else if (step == EXEC_STEP_ROOT) {
		err->code = PIDBOX_CODE_DENIED;
		err_why(err,
			"process %d has a root directory of its own (chroot(2)), and the caller may not go there: "
			"it takes CAP_SYS_CHROOT, and search permission",
			(int)process->pid);
		enter_fix_right(err, errnum == EPERM ? geteuid() : (uid_t)-1, "CAP_SYS_CHROOT",
				"run pidbox as root, or enter the namespaces alone: --only all");
	}
}
