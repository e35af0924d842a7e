/* SPDX-License-Identifier: MIT */
/* The namespaces of a list as a tree: each one behind what it lies in. */
#ifndef CLI_NESTED_H
#define CLI_NESTED_H

#include <pidbox.h>
#include <stdbool.h>
#include <stddef.h>

/* Where something stands in a tree. */
struct branches {
	unsigned depth;
	bool more[34]; /* at each level from 1 on: does another one follow that hangs on the same? */
};

struct nested {
	const struct pidbox_list *list;
	size_t n, *child, *sibling; /* the first of those that lie in it, the next that lies in the same; SIZE_MAX */
	size_t index;               /* what follows are of this one */
	struct pidbox_list_entry entry;
	struct branches branches; /* what lies in nothing that is known hangs on the first one */
	size_t path[34];
};

/** How the branches are drawn: on a terminal as lines, in a pipe as two blanks for each level. */
void nested_draw(const struct branches *b, char *buf, size_t size);
/** @return 0; -ENOMEM */
int nested_begin(struct nested *t, const struct pidbox_list *list);
/** @return false after the last one */
bool nested_next(struct nested *t);
void nested_end(struct nested *t);

#endif
