/* SPDX-License-Identifier: MIT */
/* What mount(2)'s bare errno does not say. */
#ifndef KERN_MNT_H
#define KERN_MNT_H

#include <stddef.h>

/**
 * Name the mounts that lie on top of /proc: in a user namespace the kernel refuses a new procfs while anything of the
 * caller's is covered (mount_too_revealing, fs/namespace.c).
 * @param mountinfo  text of /proc/PID/mountinfo (proc(5))
 * @return how many there are; buf gets their paths, "/proc/kcore, /proc/sys and 3 more"
 */
size_t mnt_proc_masks(const char *mountinfo, char *buf, size_t size);

#endif
