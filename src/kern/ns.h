/* SPDX-License-Identifier: MIT */
/* THE table of namespace kinds (namespaces(7)). Everything that goes over kinds iterates it. */
#ifndef KERN_NS_H
#define KERN_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ns_kind {
	uint32_t bit;          /* PIDBOX_NS_* */
	uint64_t clone_flag;   /* CLONE_NEW* */
	const char *word;      /* on the command line and in texts: "pid" */
	const char *flag_name; /* "CLONE_NEWPID" */
	const char *file;      /* in /proc/PID/ns: "pid"; that of mount is "mnt" */
	const char *limit;     /* /proc/sys/user/ file that bounds their number */
};

/* User comes first: the others are created in it, and what may be done with them is its capabilities. */
extern const struct ns_kind ns_kinds[];
extern const size_t ns_kinds_count;

/** CLONE_NEW* flags of a set of PIDBOX_NS_* bits. */
uint64_t ns_clone_flags(uint32_t bits);
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
