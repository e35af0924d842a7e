/* SPDX-License-Identifier: MIT */
/* Where a process's cgroups are in the file system (cgroups(7)). Pure: from the texts of /proc files. */
#ifndef KERN_CGROUP_H
#define KERN_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/** A line of /proc/PID/cgroup: "4:memory:/path", "1:name=systemd:/path", "0::/path". Points into the text. */
struct cgroup_line {
	const char *controllers, *path; /* not terminated */
	size_t controllers_len, path_len;
};
/** @return the next line of *rest; false after the last one. Lines that make no sense are passed over. */
bool cgroup_next(const char **rest, struct cgroup_line *ret);
/** The line of the same hierarchy in another process's file. */
bool cgroup_find(const char *text, const struct cgroup_line *like, struct cgroup_line *ret);
/**
 * Its directory, by the text of mountinfo.
 * @return 0; -ENOENT: the hierarchy is not mounted, or not this part of it; -ENAMETOOLONG
 */
int cgroup_directory(const struct cgroup_line *line, const char *mountinfo, char *buf, size_t size);

#endif
