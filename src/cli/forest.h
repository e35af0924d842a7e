/* SPDX-License-Identifier: MIT */
/* Things that hang on each other, namespaces or processes: how they follow one another, and the lines in front of them.
 */
#ifndef CLI_FOREST_H
#define CLI_FOREST_H

#include <stddef.h>
#include <stdint.h>

#define FOREST_NONE SIZE_MAX

struct forest {
	size_t n, root;                   /* the first of those that hang on nothing */
	size_t *parent, *child, *sibling; /* of each; the first child, the next one that hangs on the same */
};

/** n things that hang on nothing. @return 0; -ENOMEM */
int forest_begin(struct forest *f, size_t n);
void forest_end(struct forest *f);
/** Put one before those that hang on the same already: so the last one is put first. parent may be FOREST_NONE. */
void forest_hang(struct forest *f, size_t i, size_t parent);
/** What follows: FOREST_NONE: the first one; at the end it is given back. What hangs on one follows it at once. */
size_t forest_next(const struct forest *f, size_t i);
/** The lines before one: drawn on a terminal, in a pipe two blanks for each level. Too deep ones stand as those before.
 */
void forest_draw(const struct forest *f, size_t i, char *buf, size_t size);

#endif
