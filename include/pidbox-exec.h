/* SPDX-License-Identifier: MIT */
/*
 * pidbox-exec.h - run a command in a box that is there already. Included by pidbox.h; the rules that hold for every
 * function are told there.
 *
 *     const char *argv[] = { "make", "check", NULL };
 *     struct pidbox_exec_spec spec = { .size = sizeof spec, .argv = argv };
 *     struct pidbox_exec *exec;
 *
 *     if (pidbox_exec(target, &spec, &exec, &err) < 0)
 *             ... err.what, err.why, err.fix
 *     pidbox_exec_wait(exec, PIDBOX_DEFAULT, &res);
 *     pidbox_exec_free(exec);
 *
 * In a box of pidbox's own the box's init starts it: a true child of PID 1 inside, with the box's own identity,
 * confinement, directory and environment, and no right is needed but to be the box's user or root. Any other PID
 * namespace is entered by setns(2).
 *
 * All of it is there since version 0.1. Manual: pidbox_exec(3); what the options do is in pidbox-exec(1).
 */
#ifndef PIDBOX_EXEC_H
#define PIDBOX_EXEC_H

#include <pidbox.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pidbox_target; /* pidbox-target.h: a box that has been named */
struct pidbox_exec;   /* a command that runs in it */

/**
 * What is to run, and how. Zero every member that is not used (designated initialisers do); set size. Nothing has to
 * outlive the call of pidbox_exec.
 */
struct pidbox_exec_spec {
	size_t size; /**< sizeof(struct pidbox_exec_spec): lets the struct grow */

	const char *const *argv;      /**< NULL-terminated; NULL: $SHELL of the box, else /bin/sh */
	const char *const *set_env;   /**< "K=V", added to the box's environment; NULL-terminated; may be NULL */
	const char *const *unset_env; /**< names; NULL-terminated; may be NULL */
	const char *chdir;            /**< directory inside; NULL: the box's own */
	const char *user;             /**< "U[:G]", by the box's passwd and group; NULL: the box's own */
	const int *stdio; /**< three descriptors that become 0, 1, 2; NULL: the caller's, but for CLOEXEC; -1: closed */
	bool tty;         /**< a terminal of its own for 0, 1, 2: pidbox_exec_tty_fd() is the master; not with stdio */
	bool has_grace;   /**< grace_us was given (else 10 s, and 0 when the caller is gone) */
	uint8_t reserved_[6];
	int stop_signal;    /**< 0: SIGTERM; how it is asked to end at its time limit */
	uint32_t only;      /**< PIDBOX_NS_*: enter just those namespaces, by setns; 0: all of the box */
	int64_t grace_us;   /**< from the stop signal to SIGKILL */
	int64_t timeout_us; /**< 0: no limit; it ends the command and what is in its session, not the box */
	/** > 0: when this becomes readable before the command has been executed, and a second later it still has not
	 * (a stopped init, a file system that hangs), pidbox_exec gives up with -EINTR. A signalfd(2) is meant. */
	int interrupt_fd;
	uint8_t reserved2_[4];
};

/**
 * Start a command in a box. Returns when it has been executed. It leads a session and a process group of its own; with
 * the end of the calling process, or pidbox_exec_free, it is ended, and what is in its session with it.
 * @param target  the box (pidbox-target.h); not needed after the call
 * @param ret     the caller's, to be freed with pidbox_exec_free
 * @return 0; negative errno with err filled: -EINVAL (USAGE), -ESRCH (BOX_DEAD), -ENOENT (NOT_FOUND), -EPERM or
 *         -EACCES (DENIED), -EAGAIN (PROC_LIMIT, or more commands than the init takes at once), -EOPNOTSUPP (the box
 * was started by another release), -EINTR, and what a step can fail with
 */
PIDBOX_API int pidbox_exec(const struct pidbox_target *target, const struct pidbox_exec_spec *spec,
			   struct pidbox_exec **ret, struct pidbox_error *err);

/** Who a command is. */
struct pidbox_exec_info {
	pid_t pid;              /**< as the caller sees it; 0: not known */
	pid_t inside_pid;       /**< its PID in the box; 0: not known */
	pid_t init_pid;         /**< PID 1 of the box, as the caller sees it; 0: none to be seen */
	uint64_t pid_namespace; /**< inode number of the box's; 0: not known */
	char id[48];            /**< the box's, "PID:INODE" */
	int64_t exec_us;        /**< from the call of pidbox_exec to the command's execution */
	/** Entered by setns(2): errno, when a cgroup of the process that was addressed could not be joined; else 0. */
	int cgroup_errnum;
	int reserved0_;
	uint64_t reserved_[7]; /**< room to grow */
};
/** What is known of a command. Works after its end, too. */
PIDBOX_API void pidbox_exec_get_info(const struct pidbox_exec *exec, struct pidbox_exec_info *ret);

/**
 * A descriptor that is readable when pidbox_exec_next_event may have something (poll(2)).
 * @return owned by the exec; -EBADF once there is nothing more to come
 */
PIDBOX_API int pidbox_exec_fd(const struct pidbox_exec *exec);
/** The terminal's master end with spec->tty (pty(7)). @return owned by the exec; -EBADF without a terminal */
PIDBOX_API int pidbox_exec_tty_fd(const struct pidbox_exec *exec);
/** Every descriptor that it owns, as pidbox_fds. @return how many there are; at most n are stored */
PIDBOX_API size_t pidbox_exec_fds(const struct pidbox_exec *exec, int *fds, size_t n);

/**
 * Take the next event without blocking: PIDBOX_EVENT_STOPPED (signal says by what), PIDBOX_EVENT_RESULT (it has ended;
 * pidbox_exec_wait has the result), PIDBOX_EVENT_NONE.
 * @return 1 and *ret; 0 when there is none; -EPROTO: what the other side said makes no sense
 */
PIDBOX_API int pidbox_exec_next_event(struct pidbox_exec *exec, struct pidbox_event *ret);

/**
 * Send a signal to the command's process group. Returns at once. (The group is an orphaned one, in which the kernel
 * drops SIGTSTP, SIGTTIN and SIGTTOU; SIGSTOP stops it.)
 * @param sig  1 to 64, the kernel's number
 * @return 0; -ESRCH when it has ended; -EAGAIN when there is no room: somebody has stopped the init; -EINVAL
 */
PIDBOX_API int pidbox_exec_signal(struct pidbox_exec *exec, int sig);

/**
 * Wait until the command has ended. Takes the events that come meanwhile. When the box's end has ended it, everything
 * in the box is gone, too.
 * @param timeout_us  PIDBOX_DEFAULT: for ever; 0: do not wait
 * @param ret  may be NULL. Members that only a box has (leaked, reaped, oom_killed) are 0, NULL and -1; user_us,
 *             sys_us and max_rss_kib are those of the command and of the children that it has waited for
 * @return 0 and *ret, also when it is called again; -ETIMEDOUT
 */
PIDBOX_API int pidbox_exec_wait(struct pidbox_exec *exec, int64_t timeout_us, struct pidbox_result *ret);
/** Was it the end of the box that ended it? Known after pidbox_exec_wait. */
PIDBOX_API bool pidbox_exec_box_ended(const struct pidbox_exec *exec);
/**
 * The exit status of `pidbox exec` for a result: the command's own, 128+n for signal n, or one of enum pidbox_exit.
 * @param res  NULL: what pidbox_exec_wait gave last
 * @return 0 to 255
 */
PIDBOX_API int pidbox_exec_status(const struct pidbox_exec *exec, const struct pidbox_result *res);
/**
 * The record of a command that has ended as one line of JSON, with the keys of a box's (pidbox-run(1)) and inside_pid.
 * @param buf  may be NULL when size is 0; always terminated when size > 0
 * @return length of the whole text; more than size-1 when it was cut
 */
PIDBOX_API size_t pidbox_exec_record(const struct pidbox_exec *exec, char *buf, size_t size);
/**
 * The record of a command that was never executed.
 * @param target,spec,err  as pidbox_exec took and filled them; target and spec may be NULL
 * @param buf,size         as pidbox_exec_record
 * @return as pidbox_exec_record
 */
PIDBOX_API size_t pidbox_exec_record_failed(const struct pidbox_target *target, const struct pidbox_exec_spec *spec,
					    const struct pidbox_error *err, char *buf, size_t size);
/** End the command when it still runs, and free everything that belongs to it. NULL is fine. */
PIDBOX_API void pidbox_exec_free(struct pidbox_exec *exec);

#ifdef __cplusplus
}
#endif
#endif
