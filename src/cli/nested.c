/* SPDX-License-Identifier: MIT */
#include "cli/nested.h"

#include "cli/table.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEVELS = 34 };

int nested_begin(struct nested *t, const struct pidbox_list *list)
{
	struct pidbox_list_entry e;

	*t = (struct nested){ .list = list, .index = SIZE_MAX };
	while (pidbox_list_get(list, t->n, &e) == 0)
		t->n++;
	t->child = reallocarray(NULL, t->n + 1, sizeof(*t->child));
	t->sibling = reallocarray(NULL, t->n + 1, sizeof(*t->sibling));
	if (t->child == NULL || t->sibling == NULL) {
		nested_end(t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->n; i++)
		t->child[i] = t->sibling[i] = SIZE_MAX;
	/* From the last one on: each becomes the first of its siblings, so that they end up in the order of the list.
	 */
	for (size_t i = t->n; i-- > 1;) {
		size_t parent;

		(void)pidbox_list_get(list, i, &e);
		parent = e.parent_index < i ? e.parent_index : 0;
		t->sibling[i] = t->child[parent];
		t->child[parent] = i;
	}
	return 0;
}

/* Downwards first, then aside, then upwards until there is an aside. */
static size_t follow(struct nested *t)
{
	size_t next = t->child[t->index];

	if (next != SIZE_MAX && t->branches.depth + 1 < LEVELS) {
		t->branches.depth++;
		return next;
	}
	for (next = t->sibling[t->index]; next == SIZE_MAX && t->branches.depth > 0;) {
		t->branches.depth--;
		next = t->sibling[t->path[t->branches.depth]];
	}
	return t->branches.depth > 0 ? next : SIZE_MAX;
}

bool nested_next(struct nested *t)
{
	if (t->n == 0)
		return false;
	t->index = t->index == SIZE_MAX ? 0 : follow(t);
	if (t->index == SIZE_MAX) {
		t->n = 0;
		return false;
	}
	(void)pidbox_list_get(t->list, t->index, &t->entry);
	t->path[t->branches.depth] = t->index;
	t->branches.more[t->branches.depth] = t->sibling[t->index] != SIZE_MAX;
	return true;
}

void nested_end(struct nested *t)
{
	free(t->child);
	free(t->sibling);
}

void nested_draw(const struct branches *b, char *buf, size_t size)
{
	static const char *const lines[][4] = {
		{ "  ", "  ", "  ", "  " },
		{ "|  ", "   ", "|- ", "`- " },
		{ "│  ", "   ", "├─ ", "└─ " },
	};
	const char *const *line = lines[table_width() == 0 ? 0 : table_draws() ? 2 : 1];
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned level = 1; level <= b->depth && n + 12 < size; level++) {
		bool here = level == b->depth;

		n += (size_t)snprintf(buf + n, size - n, "%s", line[(here ? 2 : 0) + !b->more[level]]);
	}
}
