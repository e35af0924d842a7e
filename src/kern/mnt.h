/* SPDX-License-Identifier: MIT */
/* Mounts by the text of mountinfo (proc(5)), and what mount(2)'s bare errno does not say. */
#ifndef KERN_MNT_H
#define KERN_MNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line. The strings are not terminated. */
struct mnt_line {
	uint64_t dev;
	const char *root, *point, *type;
	size_t root_len, point_len, type_len;
};
/** The next line that is whole. *text moves on. @return false: there is none */
bool mnt_next(const char **text, struct mnt_line *ret);
/** A path of it with \ooo turned back into bytes. @return false: it does not fit */
bool mnt_unescape(const char *path, size_t len, char *buf, size_t size);

/**
 * Name the mounts that lie on top of /proc: in a user namespace the kernel refuses a new procfs while anything of the
 * caller's is covered (mount_too_revealing, fs/namespace.c).
 * @param mountinfo  text of /proc/PID/mountinfo (proc(5))
 * @return how many there are; buf gets their paths, "/proc/kcore, /proc/sys and 3 more"
 */
size_t mnt_proc_masks(const char *mountinfo, char *buf, size_t size);

#endif
