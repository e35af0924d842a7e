/* SPDX-License-Identifier: MIT */
#include "kern/quiet.h"

#include "base/sys.h"
#include "base/util.h"

#include <stdio.h>
#include <sys/sysmacros.h>

int quiet_open(int proc, pid_t pid, const char *path)
{
	CLEANUP(cleanup_close) int root = -1;
	char link[32];

	(void)snprintf(link, sizeof(link), "%d/root", (int)pid);
	root = sys_openat(proc, link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return root;
	return sys_openat2(root, path, O_PATH | O_CLOEXEC,
			   SYS_RESOLVE_CACHED | SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_MAGICLINKS);
}

int quiet_stat(int fd, uint64_t *ret_dev, uint64_t *ret_inode)
{
	struct sys_statx st;
	int r = sys_statx(fd, "", AT_EMPTY_PATH | SYS_STATX_DONT_SYNC, SYS_STATX_INODE, &st);

	if (r < 0)
		return r;
	*ret_dev = makedev(st.dev_major, st.dev_minor);
	*ret_inode = st.inode;
	return 0;
}

int quiet_reopen(int proc, int fd)
{
	char link[32];

	(void)snprintf(link, sizeof(link), "self/fd/%d", fd);
	return sys_openat(proc, link, O_RDONLY | O_CLOEXEC);
}
