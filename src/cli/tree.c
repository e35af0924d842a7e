/* SPDX-License-Identifier: MIT */
#include "cli/tree.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct number {
	uint64_t n;
	size_t index;
};

static int compare(const void *a, const void *b)
{
	uint64_t x = ((const struct number *)a)->n, y = ((const struct number *)b)->n;

	return (x > y) - (x < y);
}

static size_t find(const struct number *numbers, size_t count, uint64_t n)
{
	struct number key = { .n = n };
	const struct number *found = n != 0 ? bsearch(&key, numbers, count, sizeof(key), compare) : NULL;

	return found != NULL ? found->index : SIZE_MAX;
}

/* What is found by a number: processes by PID, boxes by inode number and by their PID 1. */
struct indexes {
	struct number *pids, *inodes, *inits;
};

static int make_indexes(const struct tree *t, struct indexes *x)
{
	x->pids = reallocarray(NULL, t->n + 1, sizeof(*x->pids));
	x->inodes = reallocarray(NULL, t->n_boxes + 1, sizeof(*x->inodes));
	x->inits = reallocarray(NULL, t->n_boxes + 1, sizeof(*x->inits));
	if (x->pids == NULL || x->inodes == NULL || x->inits == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		x->pids[i] = (struct number){ (uint64_t)t->all[i].p.pid, i };
	for (size_t i = 0; i < t->n_boxes; i++) {
		x->inodes[i] = (struct number){ t->boxes[i].pid_namespace, i };
		x->inits[i] = (struct number){ (uint64_t)t->boxes[i].init_pid, i };
	}
	qsort(x->pids, t->n, sizeof(*x->pids), compare);
	qsort(x->inodes, t->n_boxes, sizeof(*x->inodes), compare);
	qsort(x->inits, t->n_boxes, sizeof(*x->inits), compare);
	return 0;
}

static void free_indexes(struct indexes *x)
{
	free(x->pids);
	free(x->inodes);
	free(x->inits);
}

/* Another user's process does not tell its namespace: a PID 1 is known by its number, others are where their parent is
 * when that is as deep (pid_namespaces(7)). */
static size_t place(const struct tree *t, const struct indexes *x, const struct tree_process *q)
{
	for (size_t hops = 0; hops < t->n; hops++) {
		const struct tree_process *parent;

		if (q->ns != SIZE_MAX)
			return q->ns;
		if (q->p.pid_namespace != 0)
			return find(x->inodes, t->n_boxes, q->p.pid_namespace);
		if (q->p.own_pid == 1)
			return find(x->inits, t->n_boxes, (uint64_t)q->p.pid);
		parent = q->parent != SIZE_MAX ? &t->all[q->parent] : NULL;
		if (parent == NULL || parent->p.depth != q->p.depth)
			break;
		q = parent;
	}
	return SIZE_MAX;
}

/*
 * The inode number of a namespace that ends is used again at once. Between the processes and the boxes it may have
 * become another one's: a box is the one that its processes are in when its PID 1 is among them, and is the only one.
 */
static void leave_out_mixtures(struct tree *t)
{
	for (size_t box = 1; box < t->n_boxes; box++) {
		bool right = false, wrong = false;

		for (size_t i = t->first[box]; i != SIZE_MAX; i = t->all[i].next) {
			right |= t->all[i].p.pid == t->boxes[box].init_pid;
			wrong |= t->all[i].p.own_pid == 1 && t->all[i].p.pid != t->boxes[box].init_pid;
		}
		if (right && !wrong)
			continue;
		for (size_t i = t->first[box]; i != SIZE_MAX; i = t->all[i].next)
			t->all[i].ns = SIZE_MAX;
		t->first[box] = SIZE_MAX;
	}
}

static int connect_all(struct tree *t)
{
	struct indexes x = { 0 };
	int r = make_indexes(t, &x);

	for (size_t i = 0; r == 0 && i < t->n; i++)
		t->all[i].parent = find(x.pids, t->n, (uint64_t)t->all[i].p.parent_pid);
	t->unseen = pidbox_processes_unseen(t->processes);
	for (size_t i = t->n; r == 0 && i-- > 0;) {
		struct tree_process *q = &t->all[i];

		q->ns = place(t, &x, q);
		if (q->ns == SIZE_MAX) {
			/* It has ended, and its box with it, before that was looked at; or that may not be known. */
			t->unseen += q->p.pid_namespace == 0 && (kill(q->p.pid, 0) == 0 || errno != ESRCH);
			continue;
		}
		q->next = t->first[q->ns];
		t->first[q->ns] = i;
	}
	free_indexes(&x);
	if (r == 0)
		leave_out_mixtures(t);
	return r;
}

static int take(struct tree *t)
{
	struct pidbox_process p;
	struct pidbox_list_entry e;

	while (pidbox_processes_get(t->processes, t->n, &p) == 0)
		t->n++;
	while (pidbox_list_get(t->list, t->n_boxes, &e) == 0)
		t->n_boxes++;
	t->all = reallocarray(NULL, t->n + 1, sizeof(*t->all));
	t->boxes = reallocarray(NULL, t->n_boxes + 1, sizeof(*t->boxes));
	t->first = reallocarray(NULL, t->n_boxes + 1, sizeof(*t->first));
	if (t->all == NULL || t->boxes == NULL || t->first == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		(void)pidbox_processes_get(t->processes, i, &p);
		t->all[i] = (struct tree_process){ .p = p, .ns = SIZE_MAX, .parent = SIZE_MAX, .next = SIZE_MAX };
	}
	for (size_t i = 0; i < t->n_boxes; i++) {
		(void)pidbox_list_get(t->list, i, &t->boxes[i]);
		t->first[i] = SIZE_MAX;
	}
	return connect_all(t);
}

static size_t find_root(const struct tree *t, const struct pidbox_target *box)
{
	struct pidbox_target_info info;

	if (box == NULL)
		return 0;
	pidbox_target_get_info(box, &info);
	if (info.own)
		return 0;
	for (size_t i = 1; i < t->n_boxes; i++)
		if (t->boxes[i].init_pid == info.init_pid)
			return i;
	return SIZE_MAX;
}

static int failed(int r, struct pidbox_error *err)
{
	*err = (struct pidbox_error){
		.errnum = -r,
		.code = r == -ESRCH ? PIDBOX_CODE_NO_SUCH_BOX : PIDBOX_CODE_NONE,
		.what = "putting the tree together",
		.why = "it has ended",
		.fix = "`pidbox ls` shows the boxes that there are",
	};
	if (r == -ENOMEM) {
		(void)snprintf(err->why, sizeof(err->why), "there is no memory left");
		(void)snprintf(err->fix, sizeof(err->fix), "free memory, or raise the limit (ulimit -v, the cgroup's)");
	}
	return r;
}

int tree_begin(struct tree *t, const struct pidbox_target *box, struct pidbox_error *err)
{
	int r = 0;

	*t = (struct tree){ 0 };
	/* Processes first: a box that they are in and that is not listed afterwards has ended. */
	r = pidbox_processes(box, &t->processes, err);
	if (r == 0)
		r = pidbox_list(0, &t->list, err);
	if (r == 0) {
		r = take(t);
		if (r == 0)
			t->root = find_root(t, box);
		if (r == 0 && t->root == SIZE_MAX)
			r = -ESRCH;
		if (t->root == 0)
			t->unseen = pidbox_list_unseen(t->list); /* it has asked again for those that were moving */
		r = r < 0 ? failed(r, err) : 0;
	}
	if (r < 0)
		tree_end(t);
	return r;
}

void tree_end(struct tree *t)
{
	pidbox_list_free(t->list);
	pidbox_processes_free(t->processes);
	free(t->all);
	free(t->boxes);
	free(t->first);
	*t = (struct tree){ 0 };
}
