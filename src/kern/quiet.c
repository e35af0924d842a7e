/* SPDX-License-Identifier: MIT */
#include "kern/quiet.h"

#include "base/sys.h"
#include "base/util.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* As the kernel has it (linux/stat.h): not every C library does. */
struct statx_answer {
	uint32_t unused[8];
	uint64_t inode;
	uint64_t unused_more[12];
	uint32_t dev_major, dev_minor;
	uint64_t room[14];
};
_Static_assert(sizeof(struct statx_answer) == 256 && offsetof(struct statx_answer, dev_major) == 136, "statx(2)");

#define STATX_WANT_INODE 0x100u
#define STATX_DONT_SYNC  0x4000 /* AT_STATX_DONT_SYNC */

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
	struct statx_answer st;
	int r = sys_ret(syscall(SYS_statx, fd, "", AT_EMPTY_PATH | STATX_DONT_SYNC, STATX_WANT_INODE, &st));

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
