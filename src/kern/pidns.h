/* SPDX-License-Identifier: MIT */
/*
 * PID namespaces by descriptor (ioctl_nsfs(2)), and the numbers that a process has in them. A procfs is read relative
 * to the descriptor of its root; it must be one of the caller's own PID namespace (pidns_open_proc).
 */
#ifndef KERN_PIDNS_H
#define KERN_PIDNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PIDNS_LEVELS_MAX = 33 }; /* they nest 32 deep below the first one (R10) */

/**
 * Open /proc, or when that shows another PID namespace (`--proc keep`), a procfs of the caller's own.
 * @return descriptor; -ENOENT: nothing is mounted there; -EXDEV: another namespace's, and no other may be had
 */
int pidns_open_proc(void);
/** The PID namespace of a process. @return descriptor; -ENOENT, -ESRCH: it is gone; -EACCES */
int pidns_open(int proc, pid_t pid);
/** The same, of the process (or with PIDFD_THREAD the thread) of a pidfd. @return descriptor; -ENOTTY before 6.11 */
int pidns_of_pidfd(int pidfd);
/** Its inode number. 0: it cannot be told */
uint64_t pidns_inode(int ns);
/** That of a process, without opening it. @return 0: it is gone, or may not be looked at (errno tells) */
uint64_t pidns_inode_of(int proc, pid_t pid);
/** The one that it was made in. @return descriptor; -EPERM: that is outside of the caller's */
int pidns_parent(int ns);
/** Is it, or does it lie below, the one with this inode number? Consumes ns. */
bool pidns_is_below(int ns, uint64_t ancestor);
/**
 * What has number pid in namespace ns, as the caller sees it, and the opposite; of a thread also (Linux 6.11).
 * @return a PID; -ESRCH: nothing has that number, or none there; -ENOTTY before 6.11
 */
pid_t pidns_pid_from(int ns, pid_t pid);
pid_t pidns_pid_in(int ns, pid_t pid);

#endif
