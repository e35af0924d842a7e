/* SPDX-License-Identifier: MIT */
/*
 * pidbox-list.h - every PID namespace that can be seen. Included by pidbox.h; the rules that hold for every function
 * are told there.
 *
 *     struct pidbox_list *list;
 *     struct pidbox_list_entry entry;
 *
 *     if (pidbox_list(0, &list, &err) < 0)
 *             ... err.what, err.why, err.fix
 *     for (size_t i = 0; pidbox_list_get(list, i, &entry) == 0; i++)
 *             ... entry.id, entry.init_pid
 *     pidbox_list_free(list);
 *
 * A list is what was found while it was made: rows whose PID 1 ended meanwhile, so that their numbers may be somebody
 * else's, are left out. It changes no more. All of it is there since version 0.1. Manual: pidbox-ls(1).
 */
#ifndef PIDBOX_LIST_H
#define PIDBOX_LIST_H

#include <pidbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was found, with all that it takes in memory. */
struct pidbox_list;

/** What pidbox_list is to look for, as bits. */
enum pidbox_list_flag {
	PIDBOX_LIST_ALL = 1 << 0, /**< also namespaces that no process is in, and ended boxes whose record is kept */
};

/** How a box is. */
enum pidbox_list_status {
	PIDBOX_LIST_RUNNING,
	PIDBOX_LIST_ENDING, /**< its PID 1 has ended, and the kernel waits for the rest to be reaped (R8) */
	PIDBOX_LIST_EMPTY,  /**< no process is in it; something holds the namespace */
	PIDBOX_LIST_ENDED,  /**< it is gone, its record is kept */
};

/** One PID namespace. Its strings belong to the list. */
struct pidbox_list_entry {
	/** Of a box of pidbox's own, as pidbox_open takes it from this caller: NAME, another user's NAME@UID. NULL: it
	 * has none, or none that the caller could say (its front has another runtime directory) */
	const char *name;
	char id[48];            /**< "PID:INODE" of PID 1, stable; "": not known */
	uint64_t pid_namespace; /**< inode number; 0: not known (another user's, who does not let it be opened) */
	uint64_t parent;        /**< inode number of the namespace that it lies in; 0: not known, or not visible */
	size_t parent_index;    /**< where that is in the list; SIZE_MAX: it is not */
	unsigned depth;         /**< below the caller's own namespace, which is 0 */
	pid_t init_pid;         /**< PID 1, as the caller sees it; 0: none */
	pid_t held_by;          /**< of an empty one: a process that holds it; 0: a mount does, or none is known */
	uint64_t process_count; /**< in it alone, not in those below */
	int64_t uid;            /**< effective one of PID 1; -1: not known */
	const char *user;       /**< its name; NULL: it has none */
	int64_t started_us;     /**< microseconds since 1970 (CLOCK_REALTIME); -1: not known */
	/** The command's arguments, each with its NUL: of pidbox's own boxes that which runs under the init, of others
	 * that of PID 1. NULL: not known. */
	const char *command;
	size_t command_size;
	int pidbox; /**< 1: PID 1 is pidbox's init, or an entry of pidbox's says so; 0: not; -1: not known */
	enum pidbox_list_status status;
	const char *runtime; /**< "docker", "podman", "containerd", "cri-o", "kubernetes", "systemd-nspawn", "lxc" */
	const char *container_id; /**< NULL: in no container that is known */
	const char *pod_uid;      /**< NULL: in no pod */
	const char *cgroup;       /**< path (cgroups(7)); NULL: not known */
	uint64_t reserved_[8];    /**< room to grow */
};

/**
 * List the PID namespaces that the caller can see: his own and those below. It costs one system call a process, and a
 * few a namespace.
 * @param flags  PIDBOX_LIST_* bits
 * @param ret    the caller's, to be freed with pidbox_list_free
 * @return 0; negative errno with err filled: no /proc that shows the caller's own PID namespace, -EINVAL (USAGE),
 *         -ENOMEM, -EMFILE
 */
PIDBOX_API int pidbox_list(uint32_t flags, struct pidbox_list **ret, struct pidbox_error *err);
/** Entry number index, outermost first: the caller's own is the first one. @return 0 and *ret, or -ENOENT */
PIDBOX_API int pidbox_list_get(const struct pidbox_list *list, size_t index, struct pidbox_list_entry *ret);
/** How many processes of other users are there of which not even their namespace's depth is shown (hidepid, proc(5)).
 */
PIDBOX_API uint64_t pidbox_list_unseen(const struct pidbox_list *list);
/** Free a list; NULL is fine. */
PIDBOX_API void pidbox_list_free(struct pidbox_list *list);

#ifdef __cplusplus
}
#endif
#endif
