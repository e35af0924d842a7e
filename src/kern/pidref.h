/* SPDX-License-Identifier: MIT */
/*
 * A process as a value: more than its number, which the kernel gives to another one some day. A pidfd is the process
 * itself (pidfd_open(2)); since Linux 6.9 its inode number is never used again while the machine runs (pidfs), and
 * before that the number together with the time of the start is as good as it gets (proc(5)). No malloc, no stdio: the
 * init uses it.
 */
#ifndef KERN_PIDREF_H
#define KERN_PIDREF_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PIDREF_ID_SIZE = 48 };

struct pidref {
	pid_t pid;            /* in the caller's PID namespace; 0: nobody */
	int pidfd;            /* owned; -1: none */
	uint64_t inode;       /* of the pidfd in pidfs; 0: this kernel has none */
	uint64_t start_ticks; /* proc(5), field 22; 0: not read (there is an inode) */
};

#define PIDREF_NONE ((struct pidref){ .pidfd = -1 })

/** Take hold of the process (not the thread) that has this number now. @return 0 and *ret; -ESRCH, -EMFILE... */
int pidref_open(pid_t pid, struct pidref *ret);
/**
 * Who has this number now, without taking hold of it: pidfd -1.
 * @param pidfs  what was found out about pidfds, for the next call; 0 before the first one
 */
int pidref_look(pid_t pid, uint64_t *pidfs, struct pidref *ret);
/** Identify a process by a pidfd that is there already; takes no ownership of it. @return 0 and *ret with pidfd -1 */
int pidref_identify(pid_t pid, int pidfd, struct pidref *ret);
/** Read the time of the start as well, to compare with an id that was written without an inode. @return 0 or -errno */
int pidref_read_start(struct pidref *ref);
/** Its parent, as the caller sees it. @return 0: outside of his PID namespace; -ESRCH: it is gone; other -errno */
pid_t pidref_parent(const struct pidref *ref);
/** How long ago it began, to the clock tick. @return microseconds; INT64_MAX: it is gone, or cannot be seen */
int64_t pidref_age_us(const struct pidref *ref);
/** Hold the same process once more; ref is open. @return 0 and *ret; -EMFILE */
int pidref_dup(const struct pidref *ref, struct pidref *ret);
void pidref_close(struct pidref *ref);
/**
 * To be called after whatever has been read by the number: was it this process's still?
 * @return 0; -ESRCH: it has ended and has been reaped, so that what was read may be somebody else's
 */
int pidref_verify(const struct pidref *ref);
/** Has it ended, reaped or not? */
bool pidref_has_ended(const struct pidref *ref);
/** "PID:INODE", before pidfs "PID@STARTTICKS". */
void pidref_format(const struct pidref *ref, char buf[PIDREF_ID_SIZE]);
/** The opposite; opens nothing. @return 0 and *ret; -EINVAL */
int pidref_parse(const char *text, struct pidref *ret);
/** Are they one process? Looks at inodes, else at number and start. */
bool pidref_same(const struct pidref *a, const struct pidref *b);
/** pidfd_send_signal(2). @return 0; -ESRCH, -EPERM, -EINVAL */
int pidref_signal(const struct pidref *ref, int sig);

#endif
