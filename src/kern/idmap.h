/* SPDX-License-Identifier: MIT */
/* Id maps of user namespaces (user_namespaces(7)). */
#ifndef KERN_IDMAP_H
#define KERN_IDMAP_H

#include <pidbox.h>
#include <stdint.h>

/** The text of a map file, one range a line. @return its length, 0 when it does not fit */
size_t idmap_format(const struct pidbox_idrange *ranges, size_t n, char *buf, size_t size);
/**
 * What an id is inside, by the text of /proc/PID/uid_map or gid_map, whose second column is the reader's ids.
 * @return 0 and *ret; -ENOENT: it has no number inside
 */
int idmap_inside(const char *map, uint32_t outside, uint32_t *ret);
/**
 * Run newuidmap or newgidmap, which write a map with the rights that /etc/subuid and /etc/subgid give.
 * @param words  gets the first line of what it said on standard error, maybe ""
 * @return 0; -ENOENT: not installed; -EPERM: it refused; -EINTR: a signal ended it
 */
int idmap_run_helper(const char *program, pid_t pid, const struct pidbox_idrange *ranges, size_t n, char *words,
		     size_t size);

#endif
