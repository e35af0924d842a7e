/* SPDX-License-Identifier: MIT */
/*
 * Which PID namespaces there are: the caller's own and those below it, found by way of the processes in them. One
 * system call a process tells its namespace, a few more are made when one is seen for the first time.
 *
 * Processes come and go meanwhile, and numbers are used again: a namespace's inode number at once, when it has ended.
 * But as long as PID 1 of a namespace is the same process, the namespace is the same one. So PID 1 is taken note of
 * with what makes it that process (pidref) when the namespace is first seen, and compared at the end (list.c): a row
 * that stays has had its numbers for itself from the first to the last look. Whatever is read of PID 1 in between may
 * be read by its number therefore.
 */
#ifndef CORE_SCAN_H
#define CORE_SCAN_H

#include "kern/pidref.h"

#include <pidbox.h>

#define SCAN_NONE SIZE_MAX

struct scan_ns {
	uint64_t inode;     /* 0: its processes do not let it be opened */
	struct pidref init; /* pidfd -1; pid 0: none, or not found (yet) */
	int64_t uid;        /* effective one of that; -1: not read */
	size_t parent;      /* index; SCAN_NONE: not known */
	int depth;
	uint64_t processes;
	pid_t held_by; /* of one that no process is in; 0: a mount does */
	bool held;
};

/* A process whose namespace may not be looked at; its numbers may (PID/status). */
struct scan_hidden {
	pid_t pid, parent, own_pid;
	int depth;
	size_t ns; /* SCAN_NONE: not known (yet) */
};

struct scan {
	int proc;     /* a procfs of the caller's own PID namespace */
	uint64_t own; /* inode number of that */
	struct scan_ns *ns;
	size_t n, size;
	uint32_t *slots;            /* hash by inode: index + 1, 0 is free; 2 * size of them */
	struct scan_hidden *hidden; /* from scan_resolve on in the order of their PIDs */
	size_t n_hidden, size_hidden;
	uint64_t unseen;
	uint64_t pidfs;  /* for pidref_look */
	bool old_kernel; /* no ioctl tells PID 1 (before Linux 6.11) */
	char *text;      /* room for a file of /proc */
};

enum { SCAN_TEXT = 1 << 20 }; /* status has up to 65536 groups */

/** Begin with the caller's own namespace, which is number 0. @return 0; -errno with err filled */
int scan_begin(struct scan *s, struct pidbox_error *err);
void scan_end(struct scan *s);

/** Where a process was found to be. */
enum {
	SCAN_GONE = -1,   /* it has ended */
	SCAN_HIDDEN = -2, /* to be asked again by scan_where after scan_resolve */
	SCAN_UNSEEN = -3, /* nothing may be seen of it */
	SCAN_FAILED = -4, /* s is not whole: errno tells (ENOMEM, EMFILE) */
};
/** Count a process where it belongs. @return index of its namespace, or one of these */
int scan_place(struct scan *s, pid_t pid);
/** Place all processes of the procfs. @return 0; -errno */
int scan_all(struct scan *s);
/** Find places for those that are hidden, by their parents. @return 0; -errno */
int scan_resolve(struct scan *s);
/** Of a process that was hidden. @return index, SCAN_NONE */
size_t scan_where(const struct scan *s, pid_t pid);
/** The namespace of a descriptor, with all that it lies in. Consumes ns. @return index; -EXDEV: outside; -errno */
int scan_add(struct scan *s, int ns);
bool scan_knows(const struct scan *s, uint64_t inode);
/** Add namespaces that no process is in (scan_held.c). @return 0; -errno */
int scan_held(struct scan *s);
/** Is it, or does it lie below, the one with index top? */
bool scan_is_below(const struct scan *s, size_t i, size_t top);
/** The error of a scan that failed. @return r */
int scan_error(int r, struct pidbox_error *err);

#endif
