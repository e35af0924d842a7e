/* SPDX-License-Identifier: MIT */
/* From what a scan found to rows: the inside of struct pidbox_list. */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include "base/pool.h"
#include "core/scan.h"
#include "core/usernames.h"

#include <pidbox-list.h>

struct pidbox_list {
	struct pidbox_list_entry *rows;
	size_t n, size;
	uint64_t unseen;
	struct pool pool; /* its strings */
	struct usernames users;
};

/* The cgroups of one process and what they tell: the next one often has the same ones. */
struct list_cgroup {
	char text[2048];
	size_t len; /* 0: none yet */
	const char *runtime, *container_id, *pod_uid, *cgroup;
};

/* While it is made. */
struct listing {
	struct scan scan;
	struct pidbox_list *list;
	size_t *row_of; /* of a namespace of the scan: index of its row, SCAN_NONE */
	struct list_cgroup last;
	int64_t boot_us; /* CLOCK_REALTIME of the start of CLOCK_BOOTTIME */
	long ticks_per_s;
};

/** Room for one more row, zeroed. @return NULL: no memory */
struct pidbox_list_entry *list_add(struct pidbox_list *list);
/**
 * All that is told of a namespace (list_row.c).
 * @return false: it has ended since it was seen first, and what was counted for it may be another one's, which has got
 * its inode number
 */
bool list_make_row(struct listing *l, size_t ns, struct pidbox_list_entry *e);
/** Names, by the entries of fronts (list_names.c); with ended also the boxes whose record is kept. @return 0; -ENOMEM
 */
int list_names(struct listing *l, bool ended);

#endif
