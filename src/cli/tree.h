/* SPDX-License-Identifier: MIT */
/* The namespaces of a box and the processes in them, put together. */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "cli/forest.h"

#include <pidbox.h>

struct tree_process {
	struct pidbox_process p;
	size_t ns;     /* row of its namespace in the list */
	size_t parent; /* index; SIZE_MAX: outside of the box */
	size_t next;   /* the next one in the same namespace; SIZE_MAX */
};

struct tree {
	struct pidbox_list *list;
	struct pidbox_processes *processes;
	struct tree_process *all; /* by inside_pid */
	size_t n;
	struct pidbox_list_entry *boxes; /* rows of the list */
	size_t *first;                   /* the first process of each; SIZE_MAX: it is not in the box, or has ended */
	size_t n_boxes, root;
	uint64_t unseen; /* processes that are not shown: this user may not know in which box they are */
};

/** @param box  NULL: the caller's own namespace. @return 0 and *t, to be ended; -errno with err filled */
int tree_begin(struct tree *t, const struct pidbox_target *box, struct pidbox_error *err);
void tree_end(struct tree *t);

#endif
