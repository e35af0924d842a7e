/* SPDX-License-Identifier: MIT */
/*
 * PID namespaces that no process is in, but that something holds: a process whose children are to begin there (before
 * the first one has begun the kernel does not show it, pid_namespaces(7)), a descriptor, a mount.
 */
#include "base/dir.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/scan.h"
#include "kern/mnt.h"
#include "kern/pidns.h"
#include "kern/proc.h"
#include "kern/quiet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
	struct scan *scan;
	uint64_t *mounts; /* mount namespaces that have been looked at: a hash, 0 is free */
	size_t n, size;
	int error;
};

static uint64_t number_of(const char *link, const char *kind)
{
	size_t len = strlen(kind);

	return strncmp(link, kind, len) == 0 && strncmp(link + len, ":[", 2) == 0 ? strtoull(link + len + 2, NULL, 10)
										  : 0;
}

/* @return the inode number that a link to a namespace of this kind has in its text; 0: it leads elsewhere */
static uint64_t read_link(int dir, const char *path, const char *kind)
{
	char link[64];
	ssize_t n = readlinkat(dir, path, link, sizeof(link) - 1);

	if (n <= 0)
		return 0;
	link[n] = '\0';
	return number_of(link, kind);
}

/* Consumes fd, which is to be the namespace with this number. */
static void found(struct search *s, int fd, uint64_t inode, pid_t holder)
{
	size_t before = s->scan->n;
	int r;

	if (fd < 0 || pidns_inode(fd) != inode) {
		cleanup_close(&fd);
		return;
	}
	r = scan_add(s->scan, fd);
	if (r == -ENOMEM)
		s->error = r;
	/* With those that it lies in, when they are empty too. One with a PID 1 has begun since we looked. */
	for (size_t i = before; i < s->scan->n; i++) {
		s->scan->ns[i].held = true;
		s->scan->ns[i].held_by = holder;
	}
}

/* A link in /proc that, when it leads to an unknown PID namespace, can be opened as that. */
static void look_at_link(struct search *s, int dir, const char *path, pid_t holder)
{
	uint64_t inode = read_link(dir, path, "pid");

	if (inode != 0 && !scan_knows(s->scan, inode))
		found(s, sys_openat(dir, path, O_RDONLY | O_CLOEXEC), inode, holder);
}

/* Where the children of each thread begin: a thread can unshare for its own. */
static void look_at_threads(struct search *s, int dir, pid_t pid)
{
	struct proc_iter it = { .root = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	pid_t tid;

	if (it.root < 0)
		return;
	while ((tid = proc_next(&it)) > 0) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%d/ns/pid_for_children", (int)tid);
		look_at_link(s, it.root, path, pid);
	}
	(void)close(it.root);
}

static void look_at_descriptors(struct search *s, int dir, pid_t pid)
{
	const struct sys_dirent64 *entry;
	struct dir_iter it;

	dir_begin(&it, openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (it.fd >= 0 && (entry = dir_next(&it)) != NULL)
		look_at_link(s, it.fd, entry->name, pid);
	cleanup_close(&it.fd);
}

/* ------------------------------------------------------------ mounts */

static size_t slot_of(const struct search *s, uint64_t inode)
{
	size_t i = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (s->size - 1);

	while (s->mounts[i] != 0 && s->mounts[i] != inode)
		i = (i + 1) & (s->size - 1);
	return i;
}

/* @return true when it was not there */
static bool remember(struct search *s, uint64_t inode)
{
	uint64_t *old = s->mounts;
	size_t old_size = s->size;

	if (2 * s->n >= s->size) {
		size_t size = s->size > 0 ? 2 * s->size : 64;
		uint64_t *mounts = calloc(size, sizeof(*mounts));

		if (mounts == NULL) {
			s->error = -ENOMEM;
			return false;
		}
		s->mounts = mounts;
		s->size = size;
		for (size_t i = 0; i < old_size; i++)
			if (old[i] != 0)
				s->mounts[slot_of(s, old[i])] = old[i];
		free(old);
	}
	if (s->mounts[slot_of(s, inode)] == inode)
		return false;
	s->mounts[slot_of(s, inode)] = inode;
	s->n++;
	return true;
}

static void look_at_mount(struct search *s, pid_t pid, const struct mnt_line *line, uint64_t inode)
{
	uint64_t dev, at;
	char path[4096];
	int fd;

	if (!mnt_unescape(line->point, line->point_len, path, sizeof(path)))
		return;
	fd = quiet_open(s->scan->proc, pid, path);
	/* Something else may lie over it; a file of nsfs does not hold one up. */
	if (fd >= 0 && quiet_stat(fd, &dev, &at) == 0 && dev == line->dev && at == inode)
		found(s, quiet_reopen(s->scan->proc, fd), inode, 0);
	cleanup_close(&fd);
}

static void look_at_mounts(struct search *s, int dir, pid_t pid)
{
	uint64_t inode = read_link(dir, "ns/mnt", "mnt");
	const char *text = s->scan->text;
	struct mnt_line line;

	if (inode == 0 || !remember(s, inode) || io_read_file(dir, "mountinfo", s->scan->text, SCAN_TEXT) <= 0)
		return;
	while (mnt_next(&text, &line)) {
		uint64_t ns =
			line.type_len == 4 && strncmp(line.type, "nsfs", 4) == 0 ? number_of(line.root, "pid") : 0;

		if (ns != 0 && !scan_knows(s->scan, ns))
			look_at_mount(s, pid, &line, ns);
	}
}

int scan_held(struct scan *scan)
{
	struct search s = { .scan = scan };
	struct proc_iter it = { .root = scan->proc };
	pid_t pid;

	while ((pid = proc_next(&it)) > 0) {
		char path[16];
		int dir;

		(void)snprintf(path, sizeof(path), "%d", (int)pid);
		dir = sys_openat(scan->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			continue;
		look_at_threads(&s, dir, pid);
		look_at_descriptors(&s, dir, pid);
		look_at_mounts(&s, dir, pid);
		(void)close(dir);
	}
	free(s.mounts);
	return pid < 0 ? pid : s.error;
}
