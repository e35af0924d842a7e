/* SPDX-License-Identifier: MIT */
#ifndef KERN_OOM_H
#define KERN_OOM_H

#include <stdint.h>

/**
 * How many processes the kernel has killed in the caller's memory cgroup because memory ran out: "oom_kill" of
 * memory.events (cgroup v2) or of memory.oom_control (v1).
 * @return the count; -1: it cannot be known here
 */
int64_t oom_kills(void);

/** Find the caller's path in a hierarchy. @param cgroups text of /proc/self/cgroup; "" names version 2. @return 0, -1
 */
int oom_cgroup_path(const char *cgroups, const char *controller, char *buf, unsigned long size);

#endif
