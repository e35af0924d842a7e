/* SPDX-License-Identifier: MIT */
/*
 * THE table of namespace kinds (namespaces(7)). Everything that goes over kinds iterates it; the init, too, so there is
 * nothing else here.
 */
#ifndef KERN_NS_KINDS_H
#define KERN_NS_KINDS_H

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

#endif
