/* SPDX-License-Identifier: MIT */
/*
 * What pidbox uses of the kernel where it is there, and what it does without. Each ability is tried, for what a kernel
 * calls itself says little: distributions bring calls to older ones, seccomp filters and emulations take them away.
 */
#include "core/doctor.h"

#include "base/err.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/ns.h"
#include "kern/pidmax.h"
#include "kern/pidns.h"
#include "kern/pidref.h"
#include "kern/proc.h"
#include "kern/scout.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#define PIDFD_OF_THREAD O_EXCL

/* ------------------------------------------------------------ in the caller: what takes no right */

static int close_it(int fd)
{
	if (fd >= 0)
		(void)close(fd);
	return fd < 0 ? fd : 0;
}

static int try_pidfd_open(void)
{
	return close_it(sys_pidfd_open(getpid(), 0));
}

static int try_pidfd_signal(void)
{
	CLEANUP(cleanup_close) int fd = sys_pidfd_open(getpid(), 0);

	return fd < 0 ? fd : sys_pidfd_send_signal(fd, 0, NULL);
}

static int try_pidfs(void)
{
	struct pidref ref = PIDREF_NONE;
	int r = pidref_open(getpid(), &ref);

	if (r == 0)
		r = ref.inode != 0 ? 0 : -ENOSYS;
	pidref_close(&ref);
	return r;
}

static int try_thread_pidfd(void)
{
	return close_it(sys_pidfd_open((pid_t)syscall(SYS_gettid), PIDFD_OF_THREAD));
}

static int try_pid_namespace_of(void)
{
	CLEANUP(cleanup_close) int fd = sys_pidfd_open(getpid(), 0);

	return fd < 0 ? fd : close_it(pidns_of_pidfd(fd));
}

static int try_translation(void)
{
	CLEANUP(cleanup_close) int fd = sys_pidfd_open(getpid(), 0);
	CLEANUP(cleanup_close) int ns = fd < 0 ? fd : pidns_of_pidfd(fd);
	int pid = ns < 0 ? ns : pidns_pid_in(ns, getpid());

	return pid < 0 ? pid : 0;
}

static int try_close_range(void)
{
	return sys_close_range(~0u, ~0u, SYS_CLOSE_RANGE_CLOEXEC); /* there is none with that number */
}

/* Who knows the flag may find that the cache does not serve just now (EAGAIN): somebody mounts or renames something. */
static int try_cached_lookup(void)
{
	int r = close_it(sys_openat2(AT_FDCWD, "/", O_PATH | O_CLOEXEC, SYS_RESOLVE_CACHED));

	return r == -EAGAIN ? 0 : r;
}

static int try_peer_pidfd(void)
{
	int pair[2], r, fd = -1;
	socklen_t size = sizeof(fd);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = sys_ret(getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &size));
	if (r == 0)
		(void)close(fd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return r;
}

/* ------------------------------------------------------------ in a box's namespaces */

struct inside {
	uint32_t uid, gid;
	bool user;
	int detached, of_another, exit_info, hang_up, setns;
};

/* How a process ended that somebody else has waited for; and that it has been waited for. */
static void look_at_the_dead(struct inside *in)
{
	struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_EXIT };
	struct pollfd reaped;
	int fd = -1;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);

	if (pid == 0)
		_exit(5);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return;
	reaped = (struct pollfd){ .fd = fd };
	in->hang_up = poll(&reaped, 1, 0) > 0 && (reaped.revents & POLLHUP) ? 0 : -ENOSYS;
	in->exit_info = sys_pidfd_get_info(fd, &info);
	if (in->exit_info == 0 && (!(info.mask & SYS_PIDFD_INFO_EXIT) || info.exit_code != 5 << 8))
		in->exit_info = -EINVAL;
}

static void look_inside(void *found)
{
	struct inside *in = found;
	int self = sys_pidfd_open(getpid(), 0), ns;

	if (in->user)
		(void)doctor_map_ids(in->uid, in->gid);
	look_at_the_dead(in);
	in->setns = self < 0 ? self : sys_ret(setns(self, CLONE_NEWUTS | CLONE_NEWIPC));
	in->detached = close_it(proc_open_detached());
	ns = proc_open_detached();
	ns = sys_openat(ns >= 0 ? ns : AT_FDCWD, ns >= 0 ? "self/ns/pid" : "/proc/self/ns/pid", O_RDONLY);
	in->of_another = ns < 0 ? ns : close_it(proc_open_detached_of(ns));
}

/* @return 0 or -errno when no such box can be had */
static int try_inside(struct pidbox_doctor *d, struct inside *ret)
{
	uint32_t kinds = doctor_with_rights(d, PIDBOX_NS_PID | PIDBOX_NS_MOUNT | PIDBOX_NS_UTS | PIDBOX_NS_IPC);
	struct inside in = {
		.uid = geteuid(),
		.gid = getegid(),
		.user = (kinds & PIDBOX_NS_USER) && d->dumpable,
		.exit_info = -ENOSYS,
		.hang_up = -ENOSYS,
	};
	int r = doctor_send(d, kinds, look_inside, &in, sizeof(in));

	*ret = in;
	return r;
}

/* ------------------------------------------------------------ the table */

struct ability {
	const char *name, *since, *without;
	bool needed;       /* no box without it */
	enum step_op like; /* it is refused for the same reasons as this step; ANY_STEP: for none of its own */
	int (*in_caller)(void);
	size_t inside; /* with no in_caller: where in struct inside it is */
};

#define INSIDE(member) NULL, offsetof(struct inside, member)

/* The order is that of their coming. */
static const struct ability abilities[] = {
	{ "pidfd_send_signal", "5.1", "processes are signalled by their numbers where that is safe, else not at all",
	  false, ANY_STEP, try_pidfd_signal, 0 },
	{ "fsmount of a procfs", "5.2", "leaks are looked for in the caller's /proc, where there is one", false,
	  STEP_MOUNT_PROC, INSIDE(detached) },
	{ "pidfd_open", "5.3", "no box can be watched", true, ANY_STEP, try_pidfd_open, 0 },
	{ "setns of several kinds", "5.8", "exec enters the namespaces of foreign boxes one by one", false, ANY_STEP,
	  INSIDE(setns) },
	{ "close_range", "5.11", "descriptors are closed one by one", false, ANY_STEP, try_close_range, 0 },
	{ "openat2 from the cache", "5.12", "every process is looked at to list those of a box", false, ANY_STEP,
	  try_cached_lookup, 0 },
	{ "SO_PEERPIDFD", "6.5", "who connects to a box is told by his PID, which is looked at twice", false, ANY_STEP,
	  try_peer_pidfd, 0 },
	{ "pidfs", "6.9", "a box's id is PID@STARTTICKS instead of PID:INODE", false, ANY_STEP, try_pidfs, 0 },
	{ "pidfd of a thread", "6.9", "a thread is told by its number alone", false, ANY_STEP, try_thread_pidfd, 0 },
	{ "PIDs between namespaces", "6.11", "PIDs are translated by way of NSpid in /proc, process by process", false,
	  ANY_STEP, try_translation, 0 },
	{ "PID namespace of a pidfd", "6.11", "a box's socket answers nobody from a PID namespace above the front's",
	  false, ANY_STEP, try_pid_namespace_of, 0 },
	{ "pidfd hangs up when reaped", "6.12", "the end of another's process is waited for a moment longer", false,
	  ANY_STEP, INSIDE(hang_up) },
	{ "PIDFD_INFO_EXIT", "6.15", "wait does not learn how processes of others ended (STATUS_UNKNOWN)", false,
	  ANY_STEP, INSIDE(exit_info) },
	{ "procfs of another namespace", "6.18", "ps reads the box's own /proc, or looks at every process", false,
	  STEP_MOUNT_PROC, INSIDE(of_another) },
};

static void put_missing(struct pidbox_doctor *d, const char *name, const struct ability *a, int r)
{
	struct pidbox_error err;
	bool denied = r == -EPERM || r == -EACCES;

	if (denied && a->like != ANY_STEP)
		(void)diagnose_call(a->like, PIDBOX_NS_USER, -r, &err);
	else
		(void)err_set(&err, -r, denied ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE, "%s", a->name);
	err_why(&err, "%s, so %s", err_name(-r), a->without);
	if (err.code == PIDBOX_CODE_NONE || err.code == PIDBOX_CODE_DENIED)
		err_fix(&err,
			denied ? "start the outer container with a profile that allows it"
			       : "a kernel of version %s or later, and no seccomp filter that takes it away",
			a->since);
	doctor_failed(d, name, a->needed ? PIDBOX_CHECK_REFUSED : PIDBOX_CHECK_LIMITED, &err);
}

/* What an option needs is told as by that option's step. */
static void put_step(struct pidbox_doctor *d, const char *name, enum step_op op, int errnum)
{
	struct pidbox_error err;

	if (errnum == 0) {
		doctor_works(d, name, "%s", "");
		return;
	}
	(void)diagnose_call(op, 0, errnum, &err);
	doctor_failed(d, name, PIDBOX_CHECK_REFUSED, &err);
}

/* Before it was per namespace a write would have changed the machine's: this is found out without writing. */
static int pid_max_errnum(const struct pidbox_doctor *d)
{
	int r = d->has_no_child ? -d->no_child.errnum : pidmax_is_per_namespace();

	return r == 1 ? 0 : r == 0 ? EPERM : -r;
}

static int last_pid_errnum(void)
{
	return faccessat(AT_FDCWD, "/proc/sys/kernel/ns_last_pid", F_OK, 0) < 0 ? errno : 0;
}

void doctor_check_kernel(struct pidbox_doctor *d)
{
	struct inside inside = { 0 };
	bool is_inside = try_inside(d, &inside) == 0;

	for (size_t i = 0; i < ARRAY_LEN(abilities); i++) {
		const struct ability *a = &abilities[i];
		const char *at = (const char *)&inside + a->inside;
		char name[64];
		int r;

		if (a->in_caller == NULL && !is_inside)
			continue; /* what refuses the namespaces has been told */
		if (a->in_caller != NULL)
			r = a->in_caller();
		else
			memcpy(&r, at, sizeof(r));
		(void)snprintf(name, sizeof(name), "kernel: %s", a->name);
		if (r < 0)
			put_missing(d, name, a, r);
		else
			doctor_works(d, name, "%s", "");
	}
	put_step(d, "kernel: ns_last_pid", STEP_FIRST_PID, last_pid_errnum());
	put_step(d, "kernel: pid_max per namespace", STEP_PID_MAX, pid_max_errnum(d));
}
