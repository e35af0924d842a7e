/* SPDX-License-Identifier: MIT */
/* A closer look at some failures, for words that name the very thing. */
#include "core/diagnose.h"

#include "base/err.h"
#include "base/io.h"
#include "core/box.h"
#include "core/image.h"
#include "core/refusal.h"
#include "kern/mnt.h"
#include "kern/ns.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/stat.h>

void probe_clone_refused(const struct failure *f)
{
	refusal_of_namespaces(f->plan->kinds & PIDBOX_NS_USER, f->err);
}

void probe_limit(const struct failure *f)
{
	refusal_by_limit(f->plan->kinds & ~(uint32_t)PIDBOX_NS_TIME, f->err);
}

void probe_time_limit(const struct failure *f)
{
	refusal_by_limit(f->plan->kinds & (PIDBOX_NS_USER | PIDBOX_NS_TIME), f->err);
}

void probe_process_limit(const struct failure *f)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NPROC, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY)
		err_why(f->err,
			"RLIMIT_NPROC is %llu and counts every process and thread of this uid on the whole machine, "
			"not this box's; or the cgroup's pids.max or kernel.threads-max is reached",
			(unsigned long long)lim.rlim_cur);
}

/*
 * R3: unshare and setns move only children. clone(2) makes a new PID namespace only for a caller whose children stay in
 * its own (copy_pid_ns); before Linux 6.0 it shares memory only within one time namespace (copy_namespaces).
 */
void probe_children_elsewhere(const struct failure *f)
{
	enum ns_children pid = ns_children("pid");

	if (pid == NS_CHILDREN_DEAD) {
		probe_dead_namespace(f);
	} else if (pid == NS_CHILDREN_FIRST) {
		err_why(f->err,
			"the caller has unshared its PID namespace and has no child in the new one yet, where that "
			"would be PID 1; a process whose children go into another PID namespace than its own "
			"cannot make a further one (clone(2))");
		err_fix(f->err, "fork first: unshare --pid --fork");
	} else if (pid == NS_CHILDREN_OTHER) {
		err_why(f->err,
			"the caller's children go into another PID namespace than its own (unshare and setns move "
			"only children), and such a process cannot make a further one (clone(2))");
		err_fix(f->err,
			"fork first (nsenter without --no-fork, unshare with --fork), or start from outside of it");
	} else if (ns_children("time") != NS_CHILDREN_HERE) {
		err_why(f->err,
			"the caller's children go into another time namespace than its own, and before Linux 6.0 "
			"such a process cannot make one that shares its memory");
		err_fix(f->err, "fork first: unshare --time --fork");
	}
}

/* R9: fork says ENOMEM in a namespace whose init has ended. */
void probe_dead_namespace(const struct failure *f)
{
	enum ns_children pid = ns_children("pid");

	if (pid != NS_CHILDREN_DEAD && pid != NS_CHILDREN_OTHER)
		return;
	f->err->code = PIDBOX_CODE_BOX_DEAD;
	err_why(f->err,
		"the caller's children go into a PID namespace whose init (PID 1) has ended, so that nothing can "
		"be started in it any more, or has not begun");
	err_fix(f->err, "start from a process that has not called unshare or setns on that PID namespace");
}

/* The node may be there and lead nowhere: it opens the devpts at /dev/pts beside it (Linux 4.7). */
void probe_ptmx(const struct failure *f)
{
	struct stat st;

	if (stat("/dev/ptmx", &st) == 0)
		err_why(f->err, "/dev/ptmx is there, but no devpts is mounted on /dev/pts");
}

static bool closed(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) < 0;
}

void probe_init_size(const struct failure *f)
{
	err_fix(f->err, "raise ulimit -f to %zu KiB or more", (image_size() + 1023) / 1024);
}

/* Which of the descriptors that the command is to have is not there. */
void probe_descriptors(const struct failure *f)
{
	static const char *const stream[] = { "input", "output", "error" };
	const struct wire_plan *w = f->plan->wire;

	for (uint32_t i = 0; i < w->n_keep; i++) {
		if (!closed(w->keep[i]))
			continue;
		(void)snprintf(f->err->what, sizeof(f->err->what), "keeping descriptor %d open", w->keep[i]);
		f->err->code = PIDBOX_CODE_USAGE;
		err_why(f->err, "--keep-fd %d names a descriptor that the caller does not have open", w->keep[i]);
		err_fix(f->err, "open it first, or leave --keep-fd %d out", w->keep[i]);
		return;
	}
	for (int i = 0; i < 3 && w->stdio_given && !w->tty; i++) {
		if (w->stdio[i] == i || !closed(w->stdio[i]))
			continue;
		err_why(f->err, "descriptor %d, given as standard %s, is not open", w->stdio[i], stream[i]);
		return;
	}
	if (closed(w->report_fd))
		err_why(f->err, "descriptor %d, given for the report, is not open", w->report_fd);
}

void probe_masks(const struct failure *f)
{
	char *mountinfo = malloc(256 * 1024), masks[512];
	size_t n = 0;

	if (mountinfo != NULL && io_read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo, 256 * 1024) > 0)
		n = mnt_proc_masks(mountinfo, masks, sizeof(masks));
	free(mountinfo);
	if (!(f->plan->kinds & PIDBOX_NS_USER) && ns_user_is_initial()) {
		/* Only a user namespace has to do with masks (mount_too_revealing, fs/namespace.c). */
		f->err->code = PIDBOX_CODE_DENIED;
		err_why(f->err, "a seccomp filter, a security module or a missing capability refuses mount(2)");
		err_fix(f->err, "start the outer container with --cap-add SYS_ADMIN and a profile that allows mount, "
				"or " PROC_OUTER);
		return;
	}
	if (n > 0)
		err_why(f->err, "/proc here is covered at %s; the kernel refuses a new procfs in a user namespace then",
			masks);
}

void probe_mount_denied(const struct failure *f)
{
	(void)refusal_by_profile("mount,", f->err);
}

/*
 * To AppArmor a file in memory is on no file system that can be seen: its path is disconnected, and then "/". The
 * command's own file was opened outside the new mount namespace: that is disconnected, too, and begins at its mount.
 */
void probe_init_denied(const struct failure *f)
{
	char lacks[320] = "flags=(attach_disconnected)` and `/ mrix,", own[256];
	ssize_t n = image_is_program() ? readlink("/proc/self/exe", own, sizeof(own) - 1) : 0;

	if (n > 0) {
		own[n] = '\0';
		(void)snprintf(lacks, sizeof(lacks), "flags=(attach_disconnected)` and `/{,**/}%s mrix,",
			       strrchr(own, '/') != NULL ? strrchr(own, '/') + 1 : own);
	}
	(void)refusal_by_profile(lacks, f->err);
}

void probe_map_refused(const struct failure *f)
{
	if (refusal_by_apparmor(f->err))
		return;
	err_why(f->err, "the kernel accepts a map only of ids that the caller may give away (its own one, or ranges of "
			"/etc/subuid and /etc/subgid by way of newuidmap), each inside id once; root needs CAP_SETUID, "
			"CAP_SETGID and, "
			"to map uid 0, CAP_SETFCAP");
}

void probe_map_helper(const struct failure *f)
{
	if (f->plan->helper_words[0] != '\0')
		err_why(f->err, "%s (/etc/subuid and /etc/subgid must have the ranges)", f->plan->helper_words);
}

static const char *tried_path(const struct failure *f)
{
	const struct wire_plan *w = f->plan->wire;
	const uintptr_t *paths = (const void *)((const char *)w + w->paths);

	return f->aux > 0 ? plan_text(w, (uint32_t)paths[f->aux - 1]) : NULL;
}

void probe_exec_denied(const struct failure *f)
{
	const char *path = tried_path(f);
	struct stat st;

	if (path == NULL || stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		err_why(f->err, "%s is a directory", path);
		err_fix(f->err, "name a program in it");
	} else if ((st.st_mode & 0111) == 0) {
		err_why(f->err, "%s has no execute permission", path);
		err_fix(f->err, "chmod +x %s, or run it by its interpreter", path);
	} else {
		err_why(f->err, "%s is not executable for this user, or lies on a mount with noexec", path);
		err_fix(f->err, "look at its mode, its directories' modes, and findmnt -T %s", path);
	}
}

/* The init says ENOEXEC for a file that is there but whose execve said ENOENT, too: its interpreter is missing. */
void probe_exec_format(const struct failure *f)
{
	const char *path = tried_path(f);
	char head[256];
	ssize_t n = path != NULL ? io_read_file(AT_FDCWD, path, head, sizeof(head)) : -1;

	if (n < 2)
		return;
	if (head[0] == '#' && head[1] == '!') {
		head[2 + strcspn(head + 2, "\n")] = '\0';
		err_why(f->err, "the interpreter that its first line names (%s) is missing or cannot be executed",
			head + 2 + strspn(head + 2, " \t"));
		err_fix(f->err, "correct the first line of %s, or run it by its interpreter", path);
	} else if (n >= 4 && memcmp(head, "\177ELF", 4) == 0) {
		err_why(f->err, "%s is a program for another architecture, or its dynamic loader is missing", path);
		err_fix(f->err, "file %s names what it needs", path);
	} else {
		err_why(f->err, "%s is neither a program of this machine nor a script with a #! line", path);
		err_fix(f->err, "add #!/bin/sh as its first line, or run sh %s", path);
	}
}

static bool maps_several(const struct plan_map *map)
{
	return map->n > 1 || map->ranges[0].count > 1;
}

void probe_user(const struct failure *f)
{
	static const char *const part[] = { "", "its supplementary groups", "its gid", "its uid" };

	if (f->plan->kinds & PIDBOX_NS_USER)
		err_why(f->err, "%s cannot be set: the box's user namespace maps only some ids",
			f->aux >= 1 && f->aux <= 3 ? part[f->aux] : "the identity");
	if (maps_several(&f->plan->uid_map) || maps_several(&f->plan->gid_map))
		err_fix(f->err, "name ids that the maps have (--explain shows them), or give larger ranges in "
				"/etc/subuid and /etc/subgid, or in --uid-map and --gid-map");
}
