/* SPDX-License-Identifier: MIT */
#include "core/scan.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/translate.h"
#include "kern/pidns.h"
#include "kern/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------ the table */

static size_t slot_of(const struct scan *s, uint64_t inode)
{
	size_t mask = 2 * s->size - 1, i = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (s->slots[i] != 0 && s->ns[s->slots[i] - 1].inode != inode)
		i = (i + 1) & mask;
	return i;
}

static size_t find(const struct scan *s, uint64_t inode)
{
	uint32_t slot = s->slots[slot_of(s, inode)];

	return slot != 0 ? slot - 1 : SCAN_NONE;
}

bool scan_knows(const struct scan *s, uint64_t inode)
{
	return find(s, inode) != SCAN_NONE;
}

static int grow(struct scan *s)
{
	size_t size = s->size > 0 ? 2 * s->size : 64;
	struct scan_ns *ns = reallocarray(s->ns, size, sizeof(*ns));
	uint32_t *slots = calloc(2 * size, sizeof(*slots));

	if (ns != NULL)
		s->ns = ns;
	if (ns == NULL || slots == NULL) {
		free(slots);
		return -ENOMEM;
	}
	free(s->slots);
	s->slots = slots;
	s->size = size;
	for (size_t i = 0; i < s->n; i++)
		if (s->ns[i].inode != 0)
			s->slots[slot_of(s, s->ns[i].inode)] = (uint32_t)i + 1;
	return 0;
}

/* @return index or -ENOMEM */
static int add(struct scan *s, const struct scan_ns *ns)
{
	if (s->n == s->size && grow(s) < 0)
		return -ENOMEM;
	s->ns[s->n] = *ns;
	if (ns->inode != 0)
		s->slots[slot_of(s, ns->inode)] = (uint32_t)s->n + 1;
	return (int)s->n++;
}

/* PID 1 of a namespace. It has the number before and after it is taken note of: then it is the right one. */
static void find_init(struct scan *s, int fd, struct scan_ns *ns)
{
	pid_t pid = pidns_pid_from(fd, 1);
	struct pidref ref = PIDREF_NONE;

	if (pid == -ENOTTY)
		s->old_kernel = true;
	if (pid > 0 && pidref_look(pid, &s->pidfs, &ref) == 0 && pidns_pid_from(fd, 1) == pid)
		ns->init = ref;
}

/* With PID 1 as it was seen, when it was. Consumes fd. */
static int add_opened(struct scan *s, int fd, const struct scan_ns *seen)
{
	struct scan_ns ns = { .inode = pidns_inode(fd), .init = PIDREF_NONE, .uid = -1 };
	size_t known = ns.inode != 0 ? find(s, ns.inode) : SCAN_NONE;
	int parent = known != SCAN_NONE ? 0 : pidns_parent(fd);

	if (known != SCAN_NONE || parent < 0) {
		cleanup_close(&fd);
		/* EPERM: it lies outside of ours. */
		return known != SCAN_NONE ? (int)known : parent == -EPERM ? -EXDEV : parent;
	}
	parent = scan_add(s, parent); /* 32 deep at most (R10) */
	if (seen != NULL && seen->inode == ns.inode)
		ns = *seen;
	if (parent >= 0) {
		ns.parent = (size_t)parent;
		ns.depth = s->ns[parent].depth + 1;
		if (ns.init.pid == 0)
			find_init(s, fd, &ns);
	}
	cleanup_close(&fd);
	return parent >= 0 ? add(s, &ns) : parent;
}

int scan_add(struct scan *s, int fd)
{
	return add_opened(s, fd, NULL);
}

bool scan_is_below(const struct scan *s, size_t i, size_t top)
{
	while (i != SCAN_NONE && i != top)
		i = s->ns[i].parent;
	return i == top;
}

/* ------------------------------------------------------------ one process */

/* The number in "pid:[4026531836]". By readlink: it costs less than stat, as it opens nothing. @return 0 with errno */
static uint64_t read_namespace(const struct scan *s, pid_t pid)
{
	static const char head[] = "pid:[";
	char path[40], link[40];
	size_t len = io_decimal(path, pid);
	ssize_t n;

	memcpy(path + len, "/ns/pid", sizeof("/ns/pid"));
	n = readlinkat(s->proc, path, link, sizeof(link) - 1);
	if (n == 0)
		errno = EACCES; /* so says Linux 5.10.262 to who may not look */
	if (n <= 0)
		return 0;
	link[n] = '\0';
	errno = EBADMSG;
	return strncmp(link, head, sizeof(head) - 1) == 0 ? strtoull(link + sizeof(head) - 1, NULL, 10) : 0;
}

static int read_status(const struct scan *s, pid_t pid, struct proc_status *ret)
{
	return proc_read_status(s->proc, pid, s->text, SCAN_TEXT, ret);
}

static int fail(int r)
{
	errno = -r;
	return SCAN_FAILED;
}

static int hide(struct scan *s, pid_t pid, const struct proc_status *status)
{
	if (s->n_hidden == s->size_hidden) {
		size_t size = s->size_hidden > 0 ? 2 * s->size_hidden : 256;
		struct scan_hidden *hidden = reallocarray(s->hidden, size, sizeof(*hidden));

		if (hidden == NULL)
			return fail(-ENOMEM);
		s->hidden = hidden;
		s->size_hidden = size;
	}
	s->hidden[s->n_hidden++] = (struct scan_hidden){
		.pid = pid,
		.parent = status->parent,
		.own_pid = status->pids[status->n_pids - 1],
		.depth = status->n_pids - 1,
		.ns = SCAN_NONE,
	};
	return SCAN_HIDDEN;
}

/* It may not be looked at. One number alone tells that it is in our own namespace; more, how deep it is. */
static int place_by_numbers(struct scan *s, pid_t pid)
{
	struct proc_status status;
	int r = read_status(s, pid, &status);

	if (r == -ENOENT || r == -ESRCH)
		return SCAN_GONE;
	if (r < 0) {
		s->unseen++;
		return SCAN_UNSEEN;
	}
	if (status.n_pids > 1)
		return hide(s, pid, &status);
	s->ns[0].processes++;
	return 0;
}

/* Before Linux 6.11 PID 1 is found when the listing comes to it. */
static void maybe_init(struct scan *s, struct scan_ns *ns, pid_t pid)
{
	struct proc_status status;
	struct pidref ref = PIDREF_NONE;

	if (read_status(s, pid, &status) == 0 && status.pids[status.n_pids - 1] == 1 &&
	    pidref_look(pid, &s->pidfs, &ref) == 0 && read_namespace(s, pid) == ns->inode)
		ns->init = ref;
}

/*
 * The first process that is seen of a namespace. Mostly it is PID 1, which has the lowest number; then nobody need be
 * asked for that, nor, one level down, for what the namespace lies in: it is ours.
 */
static int meet(struct scan *s, pid_t pid, uint64_t inode)
{
	struct scan_ns ns = { .inode = inode, .init = PIDREF_NONE, .depth = 1 };
	struct proc_status status;
	int fd, r = pidref_look(pid, &s->pidfs, &ns.init);

	/* It must be in there after it is taken note of: the number may have been another one's before. */
	if (r == 0 && read_namespace(s, pid) != inode)
		r = -ESRCH;
	if (r == 0)
		r = read_status(s, pid, &status);
	if (r < 0)
		return r;
	ns.uid = status.uid;
	if (status.pids[status.n_pids - 1] == 1 && status.n_pids == 2)
		return add(s, &ns);
	fd = pidns_open(s->proc, pid);
	return fd < 0 ? fd : add_opened(s, fd, status.pids[status.n_pids - 1] == 1 ? &ns : NULL);
}

int scan_place(struct scan *s, pid_t pid)
{
	uint64_t inode = read_namespace(s, pid);
	size_t i;

	if (inode == 0)
		return errno == EACCES || errno == EPERM ? place_by_numbers(s, pid) : SCAN_GONE;
	i = find(s, inode);
	if (i == SCAN_NONE) {
		int r = meet(s, pid, inode);

		if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
			return fail(r);
		if (r < 0)
			return SCAN_GONE;
		i = (size_t)r;
	}
	s->ns[i].processes++;
	if (s->old_kernel && s->ns[i].init.pid == 0)
		maybe_init(s, &s->ns[i], pid);
	return (int)i;
}

int scan_all(struct scan *s)
{
	struct proc_iter it = { .root = s->proc };
	pid_t pid;

	while ((pid = proc_next(&it)) > 0) {
		if (scan_place(s, pid) == SCAN_FAILED) {
			int r = -errno;

			(void)close(it.dir.fd);
			return r;
		}
	}
	return pid;
}

/* ------------------------------------------------------------ those that are hidden */

static struct scan_hidden *find_hidden(const struct scan *s, pid_t pid)
{
	size_t from = 0, to = s->n_hidden;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (s->hidden[middle].pid == pid)
			return &s->hidden[middle];
		if (s->hidden[middle].pid < pid)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

/* Where a process is that need not be hidden. Not counted. @return index, SCAN_NONE */
static size_t visible_place(const struct scan *s, pid_t pid)
{
	uint64_t inode = read_namespace(s, pid);
	struct proc_status status;

	if (inode != 0)
		return find(s, inode);
	return read_status(s, pid, &status) == 0 && status.n_pids == 1 ? 0 : SCAN_NONE;
}

static int by_pid(const void *a, const void *b)
{
	const struct scan_hidden *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int by_init(const void *a, const void *b)
{
	const struct scan_ns *x = *(const struct scan_ns *const *)a, *y = *(const struct scan_ns *const *)b;

	return (x->init.pid > y->init.pid) - (x->init.pid < y->init.pid);
}

/* A namespace whose PID 1 is hidden may be known by way of another of its processes. */
static int place_known_inits(struct scan *s)
{
	const struct scan_ns **sorted = reallocarray(NULL, s->n, sizeof(*sorted));
	size_t at = 0;

	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++)
		sorted[i] = &s->ns[i];
	qsort(sorted, s->n, sizeof(*sorted), by_init);
	for (size_t i = 0; i < s->n_hidden; i++) {
		while (at < s->n && sorted[at]->init.pid < s->hidden[i].pid)
			at++;
		if (at < s->n && sorted[at]->init.pid == s->hidden[i].pid)
			s->hidden[i].ns = (size_t)(sorted[at] - s->ns);
	}
	free(sorted);
	return 0;
}

/* What is left of the hidden ones with number 1 are namespaces of which no process lets anything be seen. */
static int add_hidden_inits(struct scan *s)
{
	for (size_t i = 0; i < s->n_hidden; i++) {
		struct scan_hidden *h = &s->hidden[i];
		struct scan_ns ns = { .init = PIDREF_NONE, .uid = -1, .parent = SCAN_NONE, .depth = h->depth };
		int r;

		if (h->own_pid != 1 || h->ns != SCAN_NONE || pidref_look(h->pid, &s->pidfs, &ns.init) < 0)
			continue;
		r = add(s, &ns);
		if (r < 0)
			return r;
		h->ns = (size_t)r;
	}
	return 0;
}

/*
 * A child begins in the namespace of its parent or deeper, and an orphan is given to a process of its parent's own
 * namespace. So a parent that is as deep as its child is in the same one; and so is the parent of a PID 1, when it is
 * one level up, in that which the new one lies in (setns(2) leads only downwards).
 */
static size_t place_by_parent(const struct scan *s, const struct scan_hidden *h, int depth)
{
	const struct scan_hidden *parent = find_hidden(s, h->parent);
	size_t i = parent != NULL ? parent->ns : h->parent > 0 ? visible_place(s, h->parent) : SCAN_NONE;

	return i != SCAN_NONE && s->ns[i].depth == depth ? i : SCAN_NONE;
}

/* From the outside inwards, and in a namespace from PID 1 downwards: parents are placed before their children. */
static bool place_members(struct scan *s)
{
	bool moved = false;

	for (size_t i = 0; i < s->n_hidden; i++) {
		struct scan_hidden *h = &s->hidden[i];

		if (h->ns == SCAN_NONE && h->own_pid != 1) {
			h->ns = place_by_parent(s, h, h->depth);
			moved |= h->ns != SCAN_NONE;
		}
	}
	return moved;
}

/* It may have ended, or its parent has and it has got another one. @return false: it has ended */
static bool place_again(struct scan *s, struct scan_hidden *h)
{
	struct proc_status status;
	int r = read_status(s, h->pid, &status);

	if (r < 0 || status.n_pids - 1 != h->depth || status.pids[h->depth] != h->own_pid)
		return r != -ENOENT && r != -ESRCH && r != 0;
	h->parent = status.parent;
	h->ns = place_by_parent(s, h, h->depth);
	return true;
}

int scan_resolve(struct scan *s)
{
	int r;

	if (s->n_hidden == 0)
		return 0;
	qsort(s->hidden, s->n_hidden, sizeof(*s->hidden), by_pid);
	r = place_known_inits(s);
	if (r == 0)
		r = add_hidden_inits(s);
	if (r < 0)
		return r;
	while (place_members(s))
		;
	for (size_t i = 0; i < s->n_hidden; i++) {
		struct scan_hidden *h = &s->hidden[i];

		if (h->ns == SCAN_NONE && !place_again(s, h))
			continue;
		if (h->ns == SCAN_NONE)
			s->unseen++;
		else
			s->ns[h->ns].processes++;
		if (h->ns != SCAN_NONE && h->own_pid == 1 && s->ns[h->ns].parent == SCAN_NONE)
			s->ns[h->ns].parent = place_by_parent(s, h, h->depth - 1);
	}
	return 0;
}

size_t scan_where(const struct scan *s, pid_t pid)
{
	const struct scan_hidden *h = find_hidden(s, pid);

	return h != NULL ? h->ns : SCAN_NONE;
}

/* ------------------------------------------------------------ the whole */

int scan_error(int r, struct pidbox_error *err)
{
	(void)err_set(err, -r, PIDBOX_CODE_NONE, "listing PID namespaces");
	if (r == -ENOMEM)
		return err_no_memory(err, "listing PID namespaces");
	err_why(err, "%s", r == -EMFILE || r == -ENFILE ? "there are no descriptors left" : "/proc cannot be read");
	err_fix(err, "%s", r == -EMFILE ? "raise the limit of descriptors (ulimit -n)" : "try again");
	return r;
}

int scan_begin(struct scan *s, struct pidbox_error *err)
{
	struct scan_ns own = { .init = PIDREF_NONE, .uid = -1, .parent = SCAN_NONE };
	struct pidbox_translator tr;
	int r;

	*s = (struct scan){ .proc = -1 };
	r = translator_begin(&tr, err);
	if (r < 0)
		return r;
	s->proc = tr.proc;
	s->own = own.inode = tr.own;
	(void)pidref_look(1, &s->pidfs, &own.init);
	s->text = malloc(SCAN_TEXT);
	if (s->text == NULL || add(s, &own) < 0) {
		scan_end(s);
		return scan_error(-ENOMEM, err);
	}
	return 0;
}

void scan_end(struct scan *s)
{
	cleanup_close(&s->proc);
	free(s->ns);
	free(s->slots);
	free(s->hidden);
	free(s->text);
	*s = (struct scan){ .proc = -1 };
}
