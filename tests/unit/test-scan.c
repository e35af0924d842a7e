/* SPDX-License-Identifier: MIT */
/*
 * Placing processes that may not be looked at, by their numbers: in recorded trees, where PID/ns cannot be entered, as
 * /proc is for an ordinary user. Where nothing is hidden, the namespace's number is a link's text.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "core/scan.h"
#include "tap.h"

enum { OWN = 1000, USER = 54321 };

/* A process of a tree: inode 0: hidden, no numbers: not even its status can be read (hidepid=1). */
struct recorded {
	int pid, parent;
	uint64_t inode;
	const char *numbers;
};

static int tree = -1;
static char path[] = "/tmp/pidbox-scan-XXXXXX";

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

static void record(const struct recorded *p)
{
	char name[32], text[256];
	int dir;

	snprintf(name, sizeof(name), "%d", p->pid);
	if (mkdirat(tree, name, 0755) < 0)
		abort();
	dir = openat(tree, name, O_RDONLY | O_DIRECTORY);
	if (mkdirat(dir, "ns", 0755) < 0)
		abort();
	snprintf(text, sizeof(text), "pid:[%llu]", (unsigned long long)p->inode);
	if (p->inode != 0 && symlinkat(text, dir, "ns/pid") < 0)
		abort();
	if (p->inode == 0 && fchmodat(dir, "ns", 0, 0) < 0)
		abort();
	snprintf(text, sizeof(text), "Name:\tx\nPPid:\t%d\nUid:\t0\t0\t0\t0\nNSpid:\t%s\n", p->parent,
		 p->numbers != NULL ? p->numbers : "");
	write_file(dir, "status", text);
	if (p->numbers == NULL && fchmodat(dir, "status", 0, 0) < 0)
		abort();
	close(dir);
}

static void forget(const struct recorded *p)
{
	static const char *const files[] = { "ns/pid", "status" };
	char name[64];

	snprintf(name, sizeof(name), "%d/ns", p->pid);
	(void)fchmodat(tree, name, 0755, 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(name, sizeof(name), "%d/%s", p->pid, files[i]);
		(void)unlinkat(tree, name, 0);
	}
	snprintf(name, sizeof(name), "%d/ns", p->pid);
	(void)unlinkat(tree, name, AT_REMOVEDIR);
	snprintf(name, sizeof(name), "%d", p->pid);
	(void)unlinkat(tree, name, AT_REMOVEDIR);
}

static struct scan scan_of(const struct recorded *rows, size_t n, int *ret)
{
	struct pidbox_error err;
	struct scan s;

	for (size_t i = 0; i < n; i++)
		record(&rows[i]);
	if (scan_begin(&s, &err) < 0)
		abort();
	close(s.proc);
	s.proc = dup(tree);
	s.ns[0].inode = OWN;
	memset(s.slots, 0, 2 * s.size * sizeof(*s.slots));
	/* By way of the table's own means: a namespace that is found by number has to be in the hash. */
	s.slots[(size_t)((uint64_t)OWN * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (2 * s.size - 1)] = 1;
	*ret = scan_all(&s);
	if (*ret == 0)
		*ret = scan_resolve(&s);
	for (size_t i = 0; i < n; i++)
		forget(&rows[i]);
	return s;
}

/* A PID that is somebody's on this machine, so that it can be taken note of: our own. */
static void test_hidden_box(void)
{
	int me = getpid(), r;
	char init[64], child[64], grandchild[64];
	const struct recorded rows[] = {
		{ 1, 0, OWN, "1" },
		{ 2, 0, 0, "2" },                       /* hidden, but one number alone: ours */
		{ me, 1, 0, init },                     /* PID 1 of a box */
		{ 100001, me, 0, child },               /* its child */
		{ 100002, 100001, 0, grandchild },      /* and the child of that */
		{ 100003, 1, 0, "100003\t9" },          /* entered by setns: its parent is outside */
		{ 100004, 100003, 0, "100004\t10" },    /* a child of that: nobody knows where */
		{ 100005, 1, 0, NULL },                 /* hidepid=1 */
		{ 100006, 100002, 0, "100006\t11\t5" }, /* deeper than its parent, and not PID 1 there */
	};
	struct scan s;

	snprintf(init, sizeof(init), "%d\t1", me);
	snprintf(child, sizeof(child), "100001\t2");
	snprintf(grandchild, sizeof(grandchild), "100002\t3");
	s = scan_of(rows, ARRAY_LEN(rows), &r);
	ok(r == 0, "a tree with hidden processes: %d", r);
	ok(s.ns[0].processes == 2, "ours: %llu", (unsigned long long)s.ns[0].processes);
	ok(s.n == 2 && s.ns[1].inode == 0 && s.ns[1].init.pid == me && s.ns[1].depth == 1,
	   "the box is found by its PID 1: %zu", s.n);
	ok(s.n == 2 && s.ns[1].parent == 0, "and lies in ours");
	ok(s.n == 2 && s.ns[1].processes == 3, "with its descendants: %llu", (unsigned long long)s.ns[1].processes);
	ok(s.unseen == 4, "what nobody knows is counted: %llu", (unsigned long long)s.unseen);
	ok(scan_where(&s, 100002) == 1 && scan_where(&s, 100003) == SCAN_NONE && scan_where(&s, 77) == SCAN_NONE,
	   "where they are can be asked");
	scan_end(&s);
}

static void test_two_deep(void)
{
	int me = getpid(), parent = getppid(), r;
	char outer[64], inner[64];
	struct recorded rows[] = {
		{ 1, 0, OWN, "1" },
		{ parent, 1, 0, outer },
		{ me, parent, 0, inner },
		{ 100001, me, 0, "100001\t8\t2" },
	};
	struct scan s;

	if (parent <= 1) {
		tap_skip("a box in a box", "the parent of this test is PID 1");
		return;
	}
	snprintf(outer, sizeof(outer), "%d\t1", parent);
	snprintf(inner, sizeof(inner), "%d\t5\t1", me);
	s = scan_of(rows, ARRAY_LEN(rows), &r);
	ok(r == 0 && s.n == 3 && s.unseen == 0, "a box in a box: %d, %zu namespaces", r, s.n);
	for (size_t i = 1; i < s.n; i++) {
		bool is_outer = s.ns[i].init.pid == parent;

		ok(s.ns[i].depth == (is_outer ? 1 : 2) && s.ns[i].processes == (is_outer ? 1 : 2),
		   "%s: depth %d, %llu processes", is_outer ? "outer" : "inner", s.ns[i].depth,
		   (unsigned long long)s.ns[i].processes);
		ok(is_outer ? s.ns[i].parent == 0
			    : s.ns[i].parent != SCAN_NONE && s.ns[s.ns[i].parent].init.pid == parent,
		   "and where it lies");
		ok(scan_is_below(&s, i, 0) && scan_is_below(&s, i, i), "below ours");
	}
	scan_end(&s);
}

/* Its PID 1 is seen first, and tells all that there is to know: nothing can be opened here. */
static void test_met(void)
{
	enum { BOX = 4026539999u };
	int me = getpid(), r;
	char init[64];
	const struct recorded rows[] = {
		{ 1, 0, OWN, "1" },
		{ me, 1, BOX, init },
		{ 2000002, me, BOX + 1, "2000002\t3\t1" }, /* gone before it is taken note of */
	};
	struct scan s;

	snprintf(init, sizeof(init), "%d\t1", me);
	s = scan_of(rows, ARRAY_LEN(rows), &r);
	ok(r == 0 && s.n == 2, "a box that may be looked at: %d, %zu namespaces", r, s.n);
	ok(s.n == 2 && s.ns[1].inode == BOX && s.ns[1].init.pid == me && s.ns[1].uid == 0, "its PID 1");
	ok(s.n == 2 && s.ns[1].parent == 0 && s.ns[1].depth == 1, "lies in ours");
	ok(s.n == 2 && s.ns[1].processes == 1, "processes: %llu", (unsigned long long)s.ns[1].processes);
	ok(s.unseen == 0, "nothing is unseen");
	scan_end(&s);
}

int main(void)
{
	bool was_root = geteuid() == 0;

	/* Root may enter everything. */
	if (was_root && (setegid(USER) < 0 || seteuid(USER) < 0))
		return tap_skip_all("root cannot become somebody else here");
	if (mkdtemp(path) == NULL)
		return tap_skip_all("no directory can be made in /tmp");
	tree = open(path, O_RDONLY | O_DIRECTORY);
	test_hidden_box();
	test_two_deep();
	test_met();
	close(tree);
	ok(rmdir(path) == 0, "nothing is left");
	/* Whoever looks for leaks at the end traces this process, which a change of ids has closed to all but root. */
	if (was_root)
		(void)!seteuid(0);
	return tap_end();
}
