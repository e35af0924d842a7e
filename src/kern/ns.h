/* SPDX-License-Identifier: MIT */
/* Namespaces: what is said of their kinds, and where the caller is. */
#ifndef KERN_NS_H
#define KERN_NS_H

#include "kern/ns_kinds.h"

#include <stdbool.h>

/** A comma-separated list of kinds ("net,cgroup", "all"). @return 0 and *ret, or -EINVAL and *ret_bad (may be NULL) */
int ns_parse_list(const char *list, uint32_t *ret, const char **ret_bad);

/** Where the caller's next child begins. unshare(2) and setns(2) move children only, into PID and time namespaces. */
enum ns_children {
	NS_CHILDREN_HERE,  /* where the caller is, as a rule */
	NS_CHILDREN_FIRST, /* in a PID namespace where nothing has begun: it would be PID 1 */
	NS_CHILDREN_OTHER, /* in another namespace */
	NS_CHILDREN_DEAD,  /* in a PID namespace whose init has ended (only Linux 6.11 and later tell it from the other)
			    */
};
/** kind: "pid" or "time". Reads /proc/self/ns; without a /proc: NS_CHILDREN_HERE. */
enum ns_children ns_children(const char *kind);
/** Is the caller in the machine's first user namespace? */
bool ns_user_is_initial(void);

#endif
