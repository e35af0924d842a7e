/* SPDX-License-Identifier: MIT */
/*
 * pidbox-target.h - boxes that are there already, whoever made them. Included by pidbox.h; the rules that hold for
 * every function are told there.
 *
 *     struct pidbox_target *box;
 *
 *     if (pidbox_open("build", &box, &err) < 0)
 *             ... err.what, err.why, err.fix
 *     poll(pidbox_target_pidfd(box)) ...
 *     pidbox_close(box);
 *
 * All of it is there since version 0.1. Manual: pidbox_open(3).
 */
#ifndef PIDBOX_TARGET_H
#define PIDBOX_TARGET_H

#include <pidbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A box that has been named, or one process in it. It names no other one, whatever numbers are used again. */
struct pidbox_target;

/**
 * Find the box that an address names (pidbox(1), "Naming a box"): NAME, NAME@USER, PID, PID:INODE, PID@STARTTICKS,
 * ns:N, id:HEXPREFIX; with /PID behind it the process that has that number inside.
 * @param ret  the caller's, to be freed with pidbox_close, which ends nothing
 * @return 0; negative errno with err filled: -EINVAL (USAGE), -ESRCH or -ENOENT (NO_SUCH_BOX), -EACCES (DENIED),
 * -ENOTUNIQ (NO_SUCH_BOX: several containers begin so), and what the system has no room for
 */
PIDBOX_API int pidbox_open(const char *address, struct pidbox_target **ret, struct pidbox_error *err);
/** Free a target and close what it holds open; NULL is fine. */
PIDBOX_API void pidbox_close(struct pidbox_target *target);

/** What is known of a target. */
struct pidbox_target_info {
	pid_t init_pid;         /**< PID 1 of its PID namespace, as the caller sees it; 0: none to be seen */
	pid_t pid;              /**< the process that the address names; init_pid when it names the whole box */
	pid_t inside_pid;       /**< with BOX/PID; else 0 */
	uint64_t pid_namespace; /**< inode number; 0: not known */
	char id[48];            /**< "PID:INODE" of PID 1, stable; "": none to be seen */
	const char *name;       /**< of a box of pidbox's own that has one, else NULL; belongs to the target */
	bool one_process;       /**< BOX/PID: not the box, but a process in it */
	bool own;               /**< the caller's own PID namespace, or an ancestor of it: not to be harmed */
	bool live;              /**< it had not ended when it was opened */
	bool pidbox;            /**< it is a box of pidbox's own that can be asked */
	uint8_t reserved_[4];
	uint64_t reserved_more_[8]; /**< room to grow */
};
/** What was known when it was opened. */
PIDBOX_API void pidbox_target_get_info(const struct pidbox_target *target, struct pidbox_target_info *ret);
/**
 * The pidfd of PID 1, or with BOX/PID of that process: readable when it has ended (pidfd_open(2)).
 * @return owned by the target; -EBADF when there is none to be seen
 */
PIDBOX_API int pidbox_target_pidfd(const struct pidbox_target *target);

/* ---------------------------------------------------------------- signals and the end */

/**
 * The number of a signal by name or number, as `pidbox run` takes them: "TERM", "SIGTERM", "15", "RTMIN+1" (34 is
 * RTMIN).
 * @return 1 to 64; -EINVAL
 */
PIDBOX_API int pidbox_signal_number(const char *text);
/**
 * Send a signal to the box's command (foreign: to its PID 1), with BOX/PID to that process. Never to the caller's own
 * PID namespace or an ancestor, however it was named.
 * @param sig  1 to 64, the kernel's number; the box's own signal map applies to its command
 * @return 0; 1: it is a PID 1 without a handler for it, and the kernel drops it (pid_namespaces(7)); -ESRCH: it has
 *         ended; with err filled -EPERM (OWN_NAMESPACE, DENIED), -EACCES (DENIED), -ETIMEDOUT (the front does not
 * answer: somebody has stopped it), -EINVAL
 */
PIDBOX_API int pidbox_target_signal(struct pidbox_target *target, int sig, struct pidbox_error *err);

/** One of several boxes, or processes, that are to end. */
struct pidbox_ending {
	struct pidbox_target *target; /**< the caller's */
	/** Called when signal_dropped becomes true, before the grace is waited for; may be NULL. */
	void (*on_dropped)(const struct pidbox_ending *ending);
	void *context; /**< the caller's */
	/** 0: it has ended, and everything of it is gone; -ESRCH: it had ended before; -EBUSY: SIGKILL was sent, but
	 * the kernel waits for somebody (pidbox_target_holdouts); another negative errno with error filled */
	int result;
	bool signal_dropped; /**< a PID 1 that has no handler for SIGTERM: only the end of the grace ended it */
	bool killed;         /**< it took SIGKILL from here */
	uint8_t reserved_[2];
	struct pidbox_error error;
	uint64_t reserved_more_[4]; /**< room to grow */
};
/**
 * End boxes and processes, all at once. A box of pidbox's own gets its own stop signal and its own grace; PID 1 of
 * another, or the process of BOX/PID, gets SIGTERM. What has not ended after the grace gets SIGKILL, of a box its
 * PID 1, with which the kernel ends the rest. What SIGKILL has not ended after ten seconds is -EBUSY. Never the
 * caller's own PID namespace or an ancestor of it.
 * @param list      target, on_dropped and context are the caller's; the rest is filled
 * @param grace_us  PIDBOX_DEFAULT: the box's own, of others 10 s; 0: SIGKILL at once
 * @return how many have not ended by this: 0 when all results are 0
 */
PIDBOX_API size_t pidbox_end(struct pidbox_ending *list, size_t n, int64_t grace_us);
/**
 * Who holds the end of a box up: as pidbox_holdouts.
 * @param buf  may be NULL when size is 0; always terminated when size > 0
 * @return how many they are
 */
PIDBOX_API size_t pidbox_target_holdouts(const struct pidbox_target *target, char *buf, size_t size);

/** How a box has ended. */
struct pidbox_target_status {
	int exit_status; /**< what `pidbox wait` exits with: the command's own, 128+n for signal n, or of pidbox_exit */
	int signal;      /**< it died of this one; 0 */
	/** The record of `pidbox run --report`; of others, of which less is known, an object with less in it. Belongs
	 * to the target. */
	const char *record;
	uint64_t reserved_[4]; /**< room to grow */
};
/**
 * Wait until a box has ended, or with BOX/PID that process; also one that is no child of the caller. Of several boxes
 * call it for each with timeout_us 0 first: how it ended is told only to those who wait then.
 * @param timeout_us  PIDBOX_DEFAULT: for ever; 0: begin to wait
 * @return 0 and *ret, also when it is called again; -ETIMEDOUT; with err filled -ENODATA (STATUS_UNKNOWN: it has ended,
 *         and nobody can tell how), -EPERM (OWN_NAMESPACE)
 */
PIDBOX_API int pidbox_target_wait(struct pidbox_target *target, int64_t timeout_us, struct pidbox_target_status *ret,
				  struct pidbox_error *err);

/* ---------------------------------------------------------------- numbers */

/** How deep PID namespaces nest, the first one included (pid_namespaces(7)). */
enum { PIDBOX_LEVELS_MAX = 33 };

/** A process or thread has one number in its own PID namespace, and one in each of those that this one lies in. */
struct pidbox_level {
	uint64_t pid_namespace; /**< inode number; 0: this user may not see it */
	pid_t pid;
};

/** Keeps what translations need open between them. One is used by one thread at a time. */
struct pidbox_translator;
/**
 * @param ret  the caller's, to be freed with pidbox_translator_free
 * @return 0; negative errno with err filled: no /proc that shows the caller's own PID namespace, no memory
 */
PIDBOX_API int pidbox_translator_new(struct pidbox_translator **ret, struct pidbox_error *err);
/** Free a translator; NULL is fine. */
PIDBOX_API void pidbox_translator_free(struct pidbox_translator *translator);
/**
 * Every number that a process or thread has (by ioctl_nsfs(2), else by NSpid of proc(5)).
 * @param pid  as the caller sees it
 * @param ret  the caller's own namespace first, the process's last
 * @param ret_n  how many levels there are
 * @return 0; -ESRCH: it is gone; -EACCES: this user may not see it
 */
PIDBOX_API int pidbox_levels(struct pidbox_translator *translator, pid_t pid,
			     struct pidbox_level ret[PIDBOX_LEVELS_MAX], size_t *ret_n);
/**
 * The number that a process or thread has in another PID namespace. Never that of another process, whatever ends
 * meanwhile.
 * @param from  where pid is its number; NULL: the caller's own
 * @param to    where its number is wanted; NULL: the caller's own
 * @return 0; -ESRCH: nothing has that number there, or it is not in `to`; -EACCES: this user may not see it
 */
PIDBOX_API int pidbox_translate(struct pidbox_translator *translator, const struct pidbox_target *from, pid_t pid,
				const struct pidbox_target *to, pid_t *ret);
/**
 * The id of the container that a process is in, by the name of its cgroup (cgroups(7)): docker, podman, containerd,
 * CRI-O, Kubernetes; of systemd-nspawn and LXC the name. Who may make cgroups can call them anything.
 * @param pid   as the caller sees it
 * @param size  of ret; 256 is enough for all
 * @return 0; -ENOENT: it is in none; -ESRCH: it is gone; -EACCES; -ENAMETOOLONG
 */
PIDBOX_API int pidbox_container_id(struct pidbox_translator *translator, pid_t pid, char *ret, size_t size);

#ifdef __cplusplus
}
#endif
#endif
