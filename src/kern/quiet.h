/* SPDX-License-Identifier: MIT */
/*
 * Looking at paths of somebody else's mount namespace without being held up by him: a path may lead through a file
 * system in user space (FUSE), whose daemon never answers. So nothing is asked of a file system here: names are looked
 * up where the kernel has them already (openat2(2), RESOLVE_CACHED; the place of a mount is always there), and what is
 * found is told by what the kernel knows of it (statx(2), AT_STATX_DONT_SYNC).
 */
#ifndef KERN_QUIET_H
#define KERN_QUIET_H

#include <stdint.h>
#include <sys/types.h>

/**
 * Open a path below the root directory of a process, O_PATH.
 * @param path  from that root on; links in it stay below it
 * @return descriptor; -EAGAIN: it takes a file system to tell; -EINVAL: this kernel cannot do without (before 5.12)
 */
int quiet_open(int proc, pid_t pid, const char *path);
/** Device and inode number of a descriptor. @return 0 or -errno */
int quiet_stat(int fd, uint64_t *ret_dev, uint64_t *ret_inode);
/** Open what an O_PATH descriptor is, for reading: only of a file system that is known not to hold one up. */
int quiet_reopen(int proc, int fd);

#endif
