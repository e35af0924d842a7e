/* SPDX-License-Identifier: MIT */
/* Who a process is (credentials(7)) and what it may do (capabilities(7)), as the text of /proc/PID/status has it. */
#ifndef KERN_CREDS_H
#define KERN_CREDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CREDS_MAX_GROUPS = 1024 };

struct creds {
	uint32_t uid, gid; /* the effective ones, as the reader's user namespace has them */
	uint32_t n_groups;
	uint32_t groups[CREDS_MAX_GROUPS];
	uint64_t inheritable, permitted, effective, bounding, ambient;
	bool no_new_privs;
};

/** @return 0 and *ret; -EBADMSG: a line is missing or makes no sense; -E2BIG: in more groups than there is room for */
int creds_parse(const char *status, struct creds *ret);
/** Do they have the same ids? Groups in any order. */
bool creds_same_ids(const struct creds *a, const struct creds *b);

#endif
