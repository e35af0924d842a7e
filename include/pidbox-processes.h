/* SPDX-License-Identifier: MIT */
/*
 * pidbox-processes.h - the processes of a box, whoever made it. Included by pidbox.h; the rules that hold for every
 * function are told there. All of it is there since version 0.1. Manual: pidbox-ps(1).
 */
#ifndef PIDBOX_PROCESSES_H
#define PIDBOX_PROCESSES_H

#include <pidbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A process (proc(5)). Its strings belong to the list. */
struct pidbox_process {
	pid_t pid;               /**< as the caller sees it */
	pid_t inside_pid;        /**< in the box's PID namespace */
	pid_t own_pid;           /**< in its own PID namespace: the box's, or one inside it */
	pid_t parent_pid;        /**< as the caller sees it; 0: outside of what he sees */
	pid_t parent_inside_pid; /**< 0: PID 1 has none, and one that entered from outside has it there */
	uint64_t pid_namespace;  /**< inode number of its own; 0: this user may not know */
	size_t depth;            /**< 0: its own PID namespace is the box's; 1: one in that; and so on */
	int64_t uid;             /**< effective, as the caller sees it */
	const char *user;        /**< its name; NULL: it has none here */
	char state;              /**< R S D Z T t X I */
	uint32_t threads;
	int64_t rss_kib;
	int64_t cpu_us;      /**< of its own, not of its children */
	int64_t started_us;  /**< CLOCK_REALTIME */
	const char *command; /**< its arguments, each with its NUL; "[name]" where there are none */
	size_t command_size;
	uint64_t reserved_[8]; /**< room to grow */
};

struct pidbox_target;
struct pidbox_processes;
/**
 * Take down who is in a box, in the PID namespaces inside it too. What ends or begins meanwhile may be there or not;
 * what is there is of one process each. It takes what is in the box, not what is on the machine, where the box has a
 * /proc of its own and the kernel translates PIDs (6.11); else every process of the machine is looked at.
 * @param box  NULL: the caller's own PID namespace
 * @param ret  the caller's, to be freed with pidbox_processes_free
 * @return 0; negative errno with err filled: -ESRCH (NO_SUCH_BOX) when it has ended, -EACCES (DENIED) when
 *         nothing in it may be looked at by this user, -ENOMEM
 */
PIDBOX_API int pidbox_processes(const struct pidbox_target *box, struct pidbox_processes **ret,
				struct pidbox_error *err);
/** Number index, by inside_pid. @return 0 and *ret, or -ENOENT after the last one */
PIDBOX_API int pidbox_processes_get(const struct pidbox_processes *list, size_t index, struct pidbox_process *ret);
/**
 * How many processes of other users could not be looked at. Of a box (not of the caller's own namespace) they are
 * those that may be in it and as well elsewhere: the kernel does not tell this user (before 6.11).
 */
PIDBOX_API uint64_t pidbox_processes_unseen(const struct pidbox_processes *list);
/** Free a list; NULL is fine. */
PIDBOX_API void pidbox_processes_free(struct pidbox_processes *list);

#ifdef __cplusplus
}
#endif
#endif
