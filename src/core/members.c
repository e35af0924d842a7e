/* SPDX-License-Identifier: MIT */
#include "core/members.h"

#include "base/sys.h"
#include "base/util.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define NSFS_GET_PARENT _IO(0xb7, 0x2) /* ioctl_ns(2): the namespace that this one was made in */

int members_begin(struct members *m, uint64_t pid_namespace)
{
	struct stat own;

	*m = (struct members){ .box = pid_namespace };
	m->it.root = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->it.root < 0)
		return -errno;
	if (fstatat(m->it.root, "self/ns/pid", &own, 0) == 0)
		m->outer = own.st_ino;
	return 0;
}

/* Namespaces nest, 32 deep (R10); the kernel shows the parents up to our own. */
static bool is_below(int fd, uint64_t ancestor)
{
	for (;;) {
		struct stat ns;
		int parent;

		if (fstat(fd, &ns) == 0 && ns.st_ino == ancestor) {
			(void)close(fd);
			return true;
		}
		parent = ioctl(fd, NSFS_GET_PARENT);
		(void)close(fd);
		if (parent < 0)
			return false;
		fd = parent;
	}
}

static bool is_member(const struct members *m, pid_t pid)
{
	struct stat ns;
	char path[40];
	int fd;

	(void)snprintf(path, sizeof(path), "%d/ns/pid", (int)pid);
	if (fstatat(m->it.root, path, &ns, 0) < 0 || ns.st_ino == m->outer)
		return false;
	if (ns.st_ino == m->box)
		return true;
	fd = openat(m->it.root, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && is_below(fd, m->box);
}

pid_t members_next(struct members *m, struct proc_stat *ret_stat)
{
	pid_t pid;

	while ((pid = proc_next(&m->it)) > 0)
		if (is_member(m, pid) && proc_read_stat(m->it.root, pid, ret_stat) == 0)
			return pid;
	return 0;
}

void members_end(struct members *m)
{
	(void)close(m->it.root);
}
