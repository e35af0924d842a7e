/* SPDX-License-Identifier: MIT */
/*
 * Reading a procfs (proc(5)) relative to the descriptor of its root, so that it may be another one than /proc, or a
 * recorded one. No malloc, no stdio: the init uses it.
 */
#ifndef KERN_PROC_H
#define KERN_PROC_H

#include "base/dir.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Open a procfs of the caller's own PID namespace that is mounted nowhere (fsmount(2)). @return descriptor or -errno
 */
int proc_open_detached(void);
/** The same of another PID namespace (Linux 6.18), by a descriptor of it. @return descriptor; -EINVAL before, -EPERM */
int proc_open_detached_of(int pidns);

enum { PROC_PIDS_MAX = 33 }; /* PID namespaces nest 32 deep below the first one (R10) */

struct proc_stat {
	char state; /* R S D Z T t X I */
	pid_t parent;
	int64_t cpu_us;       /* of its own and of the children that it has waited for */
	uint64_t start_ticks; /* since boot */
	int64_t own_cpu_us;   /* of all its threads, without children */
	uint32_t threads;
	uint64_t rss_pages;
	char name[64]; /* of its main thread; kernel threads have names longer than the 15 bytes of others */
};
/**
 * Read a file that the kernel hands out whole when there is room for it (stat, status, cgroup, cmdline: proc(5)), so
 * that no second read is needed to see its end.
 * @return bytes, with a NUL behind them that does not count; -errno
 */
ssize_t proc_read_file(int root, const char *path, char *buf, size_t size);
/** The same of PID/file; the name has 20 bytes at most. */
ssize_t proc_read_file_of(int root, pid_t pid, const char *file, char *buf, size_t size);
/** Read PID/stat. @return 0; -ENOENT or -ESRCH: it is gone; -EBADMSG */
int proc_read_stat(int root, pid_t pid, struct proc_stat *ret);
/** The same by a descriptor of PID itself. */
int proc_read_stat_of(int process, struct proc_stat *ret);
/** The same from the file's text, which is all that is parsed of it. */
int proc_parse_stat(const char *text, long ticks_per_s, struct proc_stat *ret);

/** Behind the key of a line "Key:\t...", not the first, as in PID/status and fdinfo. @return NULL: there is none */
const char *proc_line(const char *text, const char *key);

/** What is used of PID/status. */
struct proc_status {
	uint32_t uid; /* the effective one */
	pid_t parent; /* 0: outside of the procfs's PID namespace */
	int n_pids;   /* as proc_parse_pids */
	pid_t pids[PROC_PIDS_MAX];
};
/** From the file's text. @return 0; -EBADMSG */
int proc_parse_status(const char *text, struct proc_status *ret);

/**
 * Open the directory of a process: what is read through it is that process's or ESRCH, whoever gets its number later.
 * @return descriptor; -ENOENT: nobody has that number
 */
int proc_open(int root, pid_t pid);
/** What a process is, from the files stat and status of its directory. */
struct proc_details {
	struct proc_stat stat;
	struct proc_status status;
};
/** @return 0; -ENOENT or -ESRCH: it is gone; -EBADMSG */
int proc_read_details(int process, struct proc_details *ret);
/** Read PID/status. @return 0; -ENOENT or -ESRCH: it is gone; -EBADMSG: also when it has no room in the buffer */
int proc_read_status(int root, pid_t pid, char *buf, size_t size, struct proc_status *ret);
/** Read PID/cmdline, each argument with its NUL. @return bytes (0 for kernel threads and zombies) or -errno */
ssize_t proc_read_cmdline(int root, pid_t pid, char *buf, size_t size);

/**
 * The numbers of "NSpid:" in the text of PID/status, one for each PID namespace from the procfs's own inwards.
 * @return how many there are, 1 at least; -EBADMSG
 */
int proc_parse_pids(const char *status, pid_t ret[PROC_PIDS_MAX]);
/**
 * The last number of "NSpid:" in the text of PID/status: the PID in the process's own namespace.
 * @return it, or -EBADMSG
 */
pid_t proc_parse_innermost_pid(const char *status);

/** How a process stands to signals. A mask has bit n-1 for signal n; those of a process are its main thread's. */
struct proc_signals {
	uint64_t pending; /* for the process, not for one of its threads */
	uint64_t blocked, ignored, caught;
	char state; /* as in struct proc_stat */
};
/** From the text of PID/status. @return 0; -EBADMSG */
int proc_parse_signals(const char *text, struct proc_signals *ret);
/** Of PID/status. @return 0; -ENOENT or -ESRCH: it is gone; -EBADMSG */
int proc_read_signals(int root, pid_t pid, struct proc_signals *ret);
/**
 * Would a PID 1 never get this signal, having no handler for it and not blocking it (R7)? Unknown counts as no: who may
 * not trace the process is not told whether it waits in sigtimedwait(2). SIGKILL, SIGSTOP and SIGCONT do something all
 * the same. Takes some milliseconds when it seems so.
 */
bool proc_drops_signal(int root, pid_t pid, int sig);

/** Go over the processes. Zeroed but for root before the first call. */
struct proc_iter {
	int root;
	bool open; /* by the first call */
	struct dir_iter dir;
};
/** @return the next PID, 0 after the last one, -errno. Closes what it opened at the end. */
pid_t proc_next(struct proc_iter *it);

#endif
