/* SPDX-License-Identifier: MIT */
/*
 * From (step, errno) to words: what was being done, why it failed, with the layer that refused, and one fix. First
 * THE table of what is known; a row may have a probe that looks closer (it only reads). What no row knows is step +
 * errno.
 */
#include "core/box.h"

#include "base/err.h"
#include "base/io.h"
#include "base/util.h"
#include "core/refusal.h"
#include "kern/mnt.h"
#include "kern/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct failure {
	const struct pidbox_plan *plan;
	size_t row;
	int errnum, aux;
	struct pidbox_error *err;
};

struct diagnosis {
	enum step_op op;
	int errnum;
	enum pidbox_code code;
	const char *why, *fix;
	void (*probe)(const struct failure *f);
};

#define ANY_STEP       STEP_MAX_
#define PROC_OUTER     "use --proc keep (ps inside will show the outer PIDs) or --proc none"
#define MORE_PROCESSES "end other processes, or raise the limit (ulimit -u, pids.max)"

/* ------------------------------------------------------------ probes */

static void probe_clone_refused(const struct failure *f)
{
	refusal_of_namespaces(f->plan->kinds & PIDBOX_NS_USER, f->err);
}

static void probe_limit(const struct failure *f)
{
	refusal_by_limit(f->plan->kinds, f->err);
}

static void probe_process_limit(const struct failure *f)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NPROC, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY)
		err_why(f->err,
			"RLIMIT_NPROC is %llu and counts every process and thread of this uid on the whole machine, "
			"not this box's; or the cgroup's pids.max or kernel.threads-max is reached",
			(unsigned long long)lim.rlim_cur);
}

static void probe_dead_namespace(const struct failure *f)
{
	struct stat own, children;

	/* Children go into another PID namespace than our own, and its init has ended (R9). */
	if (stat("/proc/self/ns/pid", &own) == 0 &&
	    (stat("/proc/self/ns/pid_for_children", &children) < 0 || own.st_ino != children.st_ino)) {
		f->err->code = PIDBOX_CODE_BOX_DEAD;
		err_why(f->err, "the caller's children go into a PID namespace whose init (PID 1) has ended; "
				"nothing can be started in it any more");
		err_fix(f->err, "start from a shell that has not called unshare or setns on a PID namespace");
	}
}

static bool in_initial_user_namespace(void)
{
	char map[128];
	unsigned inside, outside, count;

	return io_read_file(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) > 0 &&
	       sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 &&
	       count == UINT32_MAX;
}

static void probe_masks(const struct failure *f)
{
	char *mountinfo = malloc(256 * 1024), masks[512];
	size_t n = 0;

	if (mountinfo != NULL && io_read_file(AT_FDCWD, "/proc/self/mountinfo", mountinfo, 256 * 1024) > 0)
		n = mnt_proc_masks(mountinfo, masks, sizeof(masks));
	free(mountinfo);
	if (!(f->plan->kinds & PIDBOX_NS_USER) && in_initial_user_namespace()) {
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

static void probe_map_refused(const struct failure *f)
{
	if (refusal_by_apparmor(f->err))
		return;
	err_why(f->err, "the kernel accepts a map only of ids that the caller may give away (its own one, or ranges of "
			"/etc/subuid and /etc/subgid by way of newuidmap), each inside id once; root needs CAP_SETUID, "
			"CAP_SETGID and, "
			"to map uid 0, CAP_SETFCAP");
}

static void probe_map_helper(const struct failure *f)
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

static void probe_exec_denied(const struct failure *f)
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
static void probe_exec_format(const struct failure *f)
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

static void probe_user(const struct failure *f)
{
	static const char *const part[] = { "", "its supplementary groups", "its gid", "its uid" };

	if (f->plan->kinds & PIDBOX_NS_USER)
		err_why(f->err, "%s cannot be set: the box's user namespace maps only some ids",
			f->aux >= 1 && f->aux <= 3 ? part[f->aux] : "the identity");
}

/* ------------------------------------------------------------ the table */

static const struct diagnosis diagnoses[] = {
	{ STEP_LOAD_INIT, EACCES, PIDBOX_CODE_DENIED,
	  "vm.memfd_noexec refuses executable memory files, and no installed pidbox-init was found",
	  "install pidbox (make install), or sysctl vm.memfd_noexec=0", NULL },
	{ STEP_OPEN_TTY, ENOENT, PIDBOX_CODE_TTY, "there is no /dev/ptmx here", "mount a devpts, or run without --tty",
	  NULL },
	{ STEP_OPEN_TTY, EIO, PIDBOX_CODE_TTY, "/dev/ptmx belongs to no devpts here",
	  "mount a devpts, or run without --tty", NULL },
	{ STEP_OPEN_TTY, EACCES, PIDBOX_CODE_TTY, "/dev/ptmx may not be opened by this user (ptmxmode of the devpts)",
	  "link /dev/ptmx to a devpts mounted with ptmxmode=666, or run without --tty", NULL },
	{ STEP_OPEN_TTY, ENOSPC, PIDBOX_CODE_TTY, "all pseudo-terminals are in use (kernel.pty.max)",
	  "close some, or raise kernel.pty.max", NULL },
	{ STEP_CLONE, EPERM, PIDBOX_CODE_DENIED, "the kernel refuses new namespaces to this caller",
	  "pidbox run as root, or ask who set this machine up", probe_clone_refused },
	{ STEP_CLONE, EACCES, PIDBOX_CODE_DENIED, "a security module refuses new namespaces to this caller",
	  "pidbox run as root, or ask who set this machine up", probe_clone_refused },
	{ STEP_CLONE, ENOSYS, PIDBOX_CODE_USERNS_SECCOMP, "a seccomp filter answers that the call does not exist",
	  "start the outer container with a seccomp profile that allows clone with namespaces", probe_clone_refused },
	{ STEP_CLONE, ENOSPC, PIDBOX_CODE_NS_LIMIT, "a limit of namespaces is reached; no disk is full",
	  "raise the limit (sysctl user.max_pid_namespaces and friends), or nest less deep", probe_limit },
	{ STEP_CLONE, EUSERS, PIDBOX_CODE_NS_LIMIT, "user namespaces are nested too deep", "nest less deep",
	  probe_limit },
	{ STEP_CLONE, EAGAIN, PIDBOX_CODE_PROC_LIMIT,
	  "no more processes are allowed: RLIMIT_NPROC, the cgroup's pids.max or kernel.threads-max", MORE_PROCESSES,
	  probe_process_limit },
	{ STEP_CLONE, ENOMEM, PIDBOX_CODE_NONE, "the kernel has no memory for another process", "free memory",
	  probe_dead_namespace },
	{ STEP_CLONE, EINVAL, PIDBOX_CODE_NONE, "this kernel lacks one of the namespace kinds that were asked for",
	  "leave out --unshare, or use a kernel with all CONFIG_*_NS", probe_dead_namespace },
	{ STEP_EXEC_INIT, EBADF, PIDBOX_CODE_USAGE, "a descriptor that is to be kept is not open",
	  "open it, or leave it out", NULL },
	{ STEP_EXEC_INIT, EACCES, PIDBOX_CODE_DENIED, "a security module refuses to execute the init",
	  "install pidbox (make install), or run as root", NULL },
	{ STEP_MAP_SELF, EPERM, PIDBOX_CODE_IDMAP, NULL, "pidbox run as root", probe_map_refused },
	{ STEP_MAP_SELF, EACCES, PIDBOX_CODE_IDMAP, NULL, "pidbox run as root", probe_map_refused },
	{ STEP_MAP_SELF, ENOENT, PIDBOX_CODE_IDMAP, "there is no /proc here to write the maps to",
	  "mount /proc outside first", NULL },
	{ STEP_MAP_FRONT, EPERM, PIDBOX_CODE_IDMAP, NULL, "map ids that the caller has", probe_map_refused },
	{ STEP_MAP_FRONT, EINVAL, PIDBOX_CODE_IDMAP,
	  "ranges overlap, or name ids that the outer namespace does not have",
	  "give each inside id and each outside id once", NULL },
	{ STEP_MAP_HELPER, ENOENT, PIDBOX_CODE_IDMAP,
	  "more than one's own id can only be mapped by newuidmap and newgidmap, which are not installed",
	  "install the package uidmap, or use --map me or --map root", NULL },
	{ STEP_MAP_HELPER, EPERM, PIDBOX_CODE_IDMAP,
	  "newuidmap or newgidmap refused: /etc/subuid and /etc/subgid must have the ranges",
	  "usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST USER (as root), or use --map me or --map root",
	  probe_map_helper },
	{ STEP_HOSTNAME, EPERM, PIDBOX_CODE_DENIED, "a security module or seccomp filter refuses it",
	  "leave --hostname out", NULL },
	{ STEP_PROC_PRIVATE, EINVAL, PIDBOX_CODE_NONE,
	  "/proc is not a mount of its own here, so a new one would show outside with this --propagation",
	  "use --propagation slave or private", NULL },
	{ STEP_MOUNT_PROC, EPERM, PIDBOX_CODE_PROC_MASKED,
	  "no /proc is fully visible here; the kernel refuses a new procfs in a user namespace then",
	  "start the outer container with an unmasked /proc, or " PROC_OUTER, probe_masks },
	{ STEP_MOUNT_PROC, EACCES, PIDBOX_CODE_DENIED, "a security module refuses to mount a procfs", PROC_OUTER,
	  NULL },
	{ STEP_MOUNT_PROC, ENOENT, PIDBOX_CODE_NONE, "there is no directory /proc here",
	  "make one (mkdir /proc), or use --proc keep", NULL },
	{ STEP_MOUNT_PROC, EINVAL, PIDBOX_CODE_NONE,
	  "this kernel does not know one of the options (hidepid by name and "
	  "subset came with Linux 5.8)",
	  "leave --proc-hidepid and --proc-subset out", NULL },
	{ STEP_PROPAGATION, EPERM, PIDBOX_CODE_DENIED, "a security module or seccomp filter refuses mount(2)",
	  "use --propagation unchanged", NULL },
	{ STEP_PID_MAX, EACCES, PIDBOX_CODE_NONE,
	  "this kernel has one pid_max for the whole machine (it is per PID namespace since Linux 6.14)",
	  "leave --pid-max out", NULL },
	{ STEP_PID_MAX, EPERM, PIDBOX_CODE_NONE,
	  "this kernel has one pid_max for the whole machine (it is per PID namespace since Linux 6.14)",
	  "leave --pid-max out", NULL },
	{ STEP_PID_MAX, EROFS, PIDBOX_CODE_NONE, "/proc/sys is read-only here", "use --proc fresh", NULL },
	{ STEP_PID_MAX, EINVAL, PIDBOX_CODE_NONE, "it is out of the range that the outer namespace allows",
	  "give 301 to the outer /proc/sys/kernel/pid_max", NULL },
	{ STEP_FIRST_PID, EROFS, PIDBOX_CODE_NONE, "/proc/sys is read-only here", "use --proc fresh", NULL },
	{ STEP_FIRST_PID, EINVAL, PIDBOX_CODE_NONE, "it is above pid_max", "give a smaller --first-pid", NULL },
	{ STEP_FIRST_PID, ENOENT, PIDBOX_CODE_NONE,
	  "there is no /proc/sys/kernel/ns_last_pid: the kernel has no CONFIG_CHECKPOINT_RESTORE, or /proc is not "
	  "mounted",
	  "leave --first-pid out", NULL },
	{ STEP_TIME_NS, EINVAL, PIDBOX_CODE_NONE, "this kernel has no time namespaces (CONFIG_TIME_NS, Linux 5.6)",
	  "leave --time-offset and --unshare time out", NULL },
	{ STEP_TIME_NS, ERANGE, PIDBOX_CODE_NONE, "a clock would become negative, or pass 146 years",
	  "give offsets that the clocks can take", NULL },
	{ STEP_TIME_NS, ENOSPC, PIDBOX_CODE_NS_LIMIT, "user.max_time_namespaces is reached", "raise it", NULL },
	{ STEP_START, EAGAIN, PIDBOX_CODE_PROC_LIMIT,
	  "no more processes are allowed: RLIMIT_NPROC, the cgroup's pids.max or kernel.threads-max", MORE_PROCESSES,
	  probe_process_limit },
	{ STEP_STDIO, EBADF, PIDBOX_CODE_NONE, "a standard stream that was given is not open", "give open descriptors",
	  NULL },
	{ STEP_USER, EINVAL, PIDBOX_CODE_IDMAP, "the user namespace does not map that id",
	  "use --map auto, or --uid-map and --gid-map with that id", probe_user },
	{ STEP_USER, EPERM, PIDBOX_CODE_IDMAP,
	  "only root, or a user namespace that maps several ids, can become another user",
	  "run as root, or use --map auto", probe_user },
	{ STEP_CHDIR, ENOENT, PIDBOX_CODE_NOT_FOUND, "the directory is not there",
	  "make it, or name another with --chdir", NULL },
	{ STEP_CHDIR, ENOTDIR, PIDBOX_CODE_NOT_FOUND, "it is not a directory", "name a directory with --chdir", NULL },
	{ STEP_CHDIR, EACCES, PIDBOX_CODE_DENIED, "this user may not enter it", "name another with --chdir", NULL },
	{ STEP_CLOSE_FDS, EBADF, PIDBOX_CODE_USAGE, "a descriptor of --keep-fd is not open", "open it, or leave it out",
	  NULL },
	{ STEP_EXEC, ENOENT, PIDBOX_CODE_NOT_FOUND,
	  "no such file, neither as it was written nor in a directory of PATH", "look at the spelling and at PATH",
	  NULL },
	{ STEP_EXEC, ENOTDIR, PIDBOX_CODE_NOT_FOUND, "a part of its path is not a directory", "look at the path",
	  NULL },
	{ STEP_EXEC, EACCES, PIDBOX_CODE_DENIED, "a file of that name may not be executed", "look at its mode",
	  probe_exec_denied },
	{ STEP_EXEC, ENOEXEC, PIDBOX_CODE_NONE, "it is not a program of this machine", "file(1) tells what it is",
	  probe_exec_format },
	{ STEP_EXEC, E2BIG, PIDBOX_CODE_NONE,
	  "arguments and environment together exceed what the kernel takes (a quarter of RLIMIT_STACK; 128 KiB each)",
	  "pass fewer or shorter ones (xargs), --clear-env, or raise ulimit -s", NULL },
	{ STEP_EXEC, ELOOP, PIDBOX_CODE_NONE, "symbolic links lead in a circle, or are too many",
	  "look at where it points (readlink -f)", NULL },
	{ STEP_EXEC, ENAMETOOLONG, PIDBOX_CODE_NONE, "a file name has at most 255 bytes, a path 4095",
	  "give a shorter one", NULL },
	{ STEP_EXEC, ETXTBSY, PIDBOX_CODE_NONE, "the file is open for writing", "close it first", NULL },
	{ STEP_EXEC, ENOMEM, PIDBOX_CODE_NONE, "there is no memory to load it", "free memory", NULL },
	{ STEP_LOAD_INIT, EFBIG, PIDBOX_CODE_NONE,
	  "RLIMIT_FSIZE (ulimit -f) is smaller than the init, which goes into a file in memory",
	  "raise ulimit -f to 64 KiB or more", NULL },
	/* whatever the step */
	{ ANY_STEP, EMFILE, PIDBOX_CODE_NONE, "the caller has as many descriptors open as RLIMIT_NOFILE allows",
	  "raise it (ulimit -n), or close some", NULL },
	{ ANY_STEP, ENFILE, PIDBOX_CODE_NONE, "the machine has as many files open as fs.file-max allows",
	  "raise fs.file-max", NULL },
	{ ANY_STEP, ENOMEM, PIDBOX_CODE_NONE, "the kernel has no memory for it, or a limit of memory is reached",
	  "free memory, or raise the limit (ulimit -v, the cgroup's)", NULL },
	{ ANY_STEP, EPERM, PIDBOX_CODE_DENIED, "a security module, a seccomp filter or a missing capability refuses it",
	  "`pidbox run --explain` shows the call; run as root or start the outer container with fewer restrictions",
	  NULL },
	{ ANY_STEP, EACCES, PIDBOX_CODE_DENIED, "a security module or the mode of a file refuses it",
	  "`pidbox run --explain` shows the call; run as root or start the outer container with fewer restrictions",
	  NULL },
	{ ANY_STEP, ENOSYS, PIDBOX_CODE_NONE,
	  "this kernel, or a seccomp filter, does not have the call (pidbox wants Linux 5.10)",
	  "use a newer kernel, or a seccomp profile that knows the call", NULL },
};

/* ------------------------------------------------------------ the sentence */

static const char *subject(const struct pidbox_plan *plan, size_t row)
{
	const struct wire_plan *w = plan->wire;
	const uintptr_t *argv = (const void *)((const char *)w + w->argv);

	switch (plan->rows[row].op) {
	case STEP_EXEC:
		return plan_text(w, (uint32_t)argv[0]);
	case STEP_CHDIR:
	case STEP_HOSTNAME:
		return plan_text(w, w->steps[row].text);
	default:
		return NULL;
	}
}

static const char *doing(enum step_op op)
{
	static const char *const words[STEP_MAX_] = {
		[STEP_LOAD_INIT] = "loading the init",
		[STEP_OPEN_TTY] = "opening a terminal for the box",
		[STEP_CLONE] = "creating the box's namespaces",
		[STEP_MAP_SELF] = "mapping the user into the box",
		[STEP_RAISE_CAPS] = "keeping capabilities for the box's set-up",
		[STEP_EXEC_INIT] = "executing the init",
		[STEP_MAP_FRONT] = "mapping ids into the box",
		[STEP_MAP_HELPER] = "mapping subordinate ids into the box",
		[STEP_GO] = "letting the init go on",
		[STEP_CHECKPOINT] = "waiting for the front",
		[STEP_LOOPBACK] = "bringing the loopback device up",
		[STEP_HOSTNAME] = "setting the host name to",
		[STEP_PROPAGATION] = "setting the propagation of mounts",
		[STEP_PROC_PRIVATE] = "making /proc private",
		[STEP_MOUNT_PROC] = "mounting a fresh /proc",
		[STEP_HIDE_PROC] = "covering /proc",
		[STEP_PID_MAX] = "setting the highest PID",
		[STEP_TIME_NS] = "setting the box's clocks",
		[STEP_FIRST_PID] = "setting the command's PID",
		[STEP_HOLD] = "waiting to be released",
		[STEP_START] = "starting the command's process",
		[STEP_SESSION] = "taking the box's terminal",
		[STEP_STDIO] = "putting the standard streams in place",
		[STEP_USER] = "becoming the user",
		[STEP_CHDIR] = "going to the directory",
		[STEP_DROP_CAPS] = "giving up the set-up's capabilities",
		[STEP_CLOSE_FDS] = "closing descriptors",
		[STEP_SIGNALS] = "restoring the signal mask",
		[STEP_EXEC] = "executing",
	};

	return words[op];
}

static int exit_status(enum step_op op, int errnum)
{
	if (op != STEP_EXEC)
		return PIDBOX_EXIT_FAILED;
	return errnum == ENOENT || errnum == ENOTDIR ? PIDBOX_EXIT_NOT_FOUND : PIDBOX_EXIT_CANNOT_EXEC;
}

int diagnose_step(const struct pidbox_plan *plan, size_t row, int errnum, int aux, struct pidbox_error *err)
{
	struct failure f = { .plan = plan, .row = row, .errnum = errnum, .aux = aux, .err = err };
	enum step_op op = row < plan->n_rows ? plan->rows[row].op : STEP_CLONE;
	const char *what = row < plan->n_rows ? subject(plan, row) : NULL;
	int r = err_set(err, errnum, PIDBOX_CODE_NONE, "%s%s%s", doing(op), what != NULL ? " " : "",
			what != NULL ? what : "");

	if (err == NULL)
		return r;
	(void)snprintf(err->step, sizeof(err->step), "%s", step_rows[op].name);
	err->exit_status = exit_status(op, errnum);
	for (size_t i = 0; i < ARRAY_LEN(diagnoses); i++) {
		const struct diagnosis *d = &diagnoses[i];

		if ((d->op != op && d->op != ANY_STEP) || d->errnum != errnum)
			continue;
		err->code = d->code;
		if (d->why != NULL)
			err_why(err, "%s", d->why);
		err_fix(err, "%s", d->fix);
		if (d->probe != NULL)
			d->probe(&f);
		return r;
	}
	err_why(err, "the step %s (%s) failed, and pidbox knows no more about this errno", step_rows[op].name,
		row < plan->n_rows && plan->rows[row].call != NULL ? plan->rows[row].call : "");
	err_fix(err, "`pidbox run --explain` shows how far it gets; strace -f shows the call");
	return r;
}
