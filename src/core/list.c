/* SPDX-License-Identifier: MIT */
#include "core/list.h"

#include "base/err.h"
#include "base/sys.h"
#include "base/util.h"

#include <string.h>

struct order {
	int depth;
	pid_t init;
	size_t ns;
};

static int compare(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	if (x->init != y->init)
		return x->init < y->init ? -1 : 1;
	return (x->ns > y->ns) - (x->ns < y->ns);
}

struct pidbox_list_entry *list_add(struct pidbox_list *list)
{
	if (list->n == list->size) {
		size_t size = list->size > 0 ? 2 * list->size : 64;
		struct pidbox_list_entry *rows = reallocarray(list->rows, size, sizeof(*rows));

		if (rows == NULL)
			return NULL;
		list->rows = rows;
		list->size = size;
	}
	list->rows[list->n] = (struct pidbox_list_entry){ 0 };
	return &list->rows[list->n++];
}

static int make_row(struct listing *l, size_t ns)
{
	struct pidbox_list_entry *e = list_add(l->list);
	size_t parent = l->scan.ns[ns].parent;

	if (e == NULL)
		return -ENOMEM;
	if (!list_make_row(l, ns, e)) {
		l->list->n--;
		return 0;
	}
	/* It lies less deep, so it has been made already. */
	if (parent != SCAN_NONE) {
		e->parent = l->scan.ns[parent].inode;
		e->parent_index = l->row_of[parent];
	}
	l->row_of[ns] = l->list->n - 1;
	return 0;
}

static int make_rows(struct listing *l)
{
	struct scan *s = &l->scan;
	CLEANUP(cleanup_free) struct order *order = reallocarray(NULL, s->n, sizeof(*order));
	int r = 0;

	l->row_of = reallocarray(NULL, s->n, sizeof(*l->row_of));
	if (order == NULL || l->row_of == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		l->row_of[i] = SCAN_NONE;
		order[i] = (struct order){ s->ns[i].depth, s->ns[i].init.pid, i };
	}
	qsort(order, s->n, sizeof(*order), compare);
	for (size_t i = 0; r == 0 && i < s->n; i++)
		r = make_row(l, order[i].ns);
	return r;
}

static int make_list(struct listing *l, uint32_t flags)
{
	bool all = flags & PIDBOX_LIST_ALL;
	int r = scan_all(&l->scan);

	if (r == 0)
		r = scan_resolve(&l->scan);
	if (r == 0 && all)
		r = scan_held(&l->scan);
	if (r == 0)
		r = make_rows(l);
	if (r == 0)
		r = list_names(l, all);
	l->list->unseen = l->scan.unseen;
	return r;
}

int pidbox_list(uint32_t flags, struct pidbox_list **ret, struct pidbox_error *err)
{
	struct listing l = {
		.boot_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME),
		.ticks_per_s = sysconf(_SC_CLK_TCK),
	};
	int r;

	if (flags & ~(uint32_t)PIDBOX_LIST_ALL) {
		r = err_set(err, 0, PIDBOX_CODE_USAGE, "listing PID namespaces");
		err_why(err, "a flag is not known to this version: 0x%x", flags);
		err_fix(err, "give PIDBOX_LIST_* bits of this version's header");
		return r;
	}
	r = scan_begin(&l.scan, err);
	if (r < 0)
		return r;
	l.list = calloc(1, sizeof(*l.list));
	r = l.list != NULL ? make_list(&l, flags) : -ENOMEM;
	scan_end(&l.scan);
	free(l.row_of);
	if (r < 0) {
		pidbox_list_free(l.list);
		return scan_error(r, err);
	}
	*ret = l.list;
	return 0;
}

int pidbox_list_get(const struct pidbox_list *list, size_t index, struct pidbox_list_entry *ret)
{
	if (index >= list->n)
		return -ENOENT;
	*ret = list->rows[index];
	return 0;
}

uint64_t pidbox_list_unseen(const struct pidbox_list *list)
{
	return list->unseen;
}

void pidbox_list_free(struct pidbox_list *list)
{
	if (list == NULL)
		return;
	pool_free(&list->pool);
	usernames_free(&list->users);
	free(list->rows);
	free(list);
}
