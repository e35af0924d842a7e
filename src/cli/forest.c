/* SPDX-License-Identifier: MIT */
#include "cli/forest.h"

#include "cli/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int forest_begin(struct forest *f, size_t n)
{
	*f = (struct forest){ .n = n, .root = FOREST_NONE };
	f->parent = reallocarray(NULL, 3 * n + 1, sizeof(*f->parent));
	if (f->parent == NULL)
		return -ENOMEM;
	f->child = f->parent + n;
	f->sibling = f->child + n;
	for (size_t i = 0; i < 3 * n; i++)
		f->parent[i] = FOREST_NONE;
	return 0;
}

void forest_end(struct forest *f)
{
	free(f->parent);
	f->parent = NULL;
}

void forest_hang(struct forest *f, size_t i, size_t parent)
{
	size_t *first = parent != FOREST_NONE ? &f->child[parent] : &f->root;

	f->parent[i] = parent;
	f->sibling[i] = *first;
	*first = i;
}

size_t forest_next(const struct forest *f, size_t i)
{
	if (i == FOREST_NONE)
		return f->root;
	if (f->child[i] != FOREST_NONE)
		return f->child[i];
	while (i != FOREST_NONE && f->sibling[i] == FOREST_NONE)
		i = f->parent[i];
	return i != FOREST_NONE ? f->sibling[i] : FOREST_NONE;
}

void forest_draw(const struct forest *f, size_t i, char *buf, size_t size)
{
	/* Something hangs on the same below; nothing does; here, with others below; here, the last one. */
	static const char *const lines[][4] = {
		{ "  ", "  ", "  ", "  " },
		{ "|  ", "   ", "|- ", "`- " },
		{ "│  ", "   ", "├─ ", "└─ " },
	};
	enum { DEEPEST = 40 };
	const char *const *line = lines[table_width() == 0 ? 0 : table_draws() ? 2 : 1];
	size_t above[DEEPEST], depth = 0, n = 0, all = 0;

	for (size_t at = i; f->parent[at] != FOREST_NONE; at = f->parent[at])
		all++;
	for (size_t at = i; f->parent[at] != FOREST_NONE; at = f->parent[at], all--)
		if (all <= DEEPEST)
			above[depth++] = at;
	buf[0] = '\0';
	while (depth > 0 && n + 12 < size) {
		size_t at = above[--depth];

		n += (size_t)snprintf(buf + n, size - n, "%s",
				      line[(depth == 0 ? 2 : 0) + (f->sibling[at] == FOREST_NONE)]);
	}
}
