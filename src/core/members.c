/* SPDX-License-Identifier: MIT */
#include "core/members.h"

#include "base/sys.h"
#include "base/util.h"
#include "kern/pidns.h"

#include <sys/stat.h>

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

static bool is_member(const struct members *m, pid_t pid)
{
	uint64_t ns = pidns_inode_of(m->it.root, pid);

	if (ns == 0 || ns == m->outer)
		return false;
	return ns == m->box || pidns_is_below(pidns_open(m->it.root, pid), m->box);
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
