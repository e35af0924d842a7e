/* SPDX-License-Identifier: MIT */
#include "kern/pidns.h"

#include "base/sys.h"
#include "base/util.h"
#include "kern/proc.h"

#include <stdio.h>
#include <sys/stat.h>

/* linux/nsfs.h, linux/pidfd.h */
#define NSFS_GET_PID_FROM_PIDNS _IOR(0xb7, 0x6, int) /* Linux 6.11 */
#define NSFS_GET_PID_IN_PIDNS   _IOR(0xb7, 0x8, int) /* Linux 6.11 */
#define PIDFD_PID_NAMESPACE     _IO(0xff, 5)         /* Linux 6.11 */

/* By the raw call: musl's ioctl takes an int for the request. */
static int nsfs(int fd, unsigned long request, long arg)
{
	return sys_ret(syscall(SYS_ioctl, fd, request, arg));
}

int pidns_open_proc(void)
{
	int fd = sys_openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char self[16];
	ssize_t n;
	int own;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "self", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		if (atoi(self) == getpid())
			return fd;
	}
	(void)close(fd);
	own = proc_open_detached();
	return own >= 0 ? own : n > 0 ? -EXDEV : -ENOENT;
}

int pidns_open(int proc, pid_t pid)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "%d/ns/pid", (int)pid);
	return sys_openat(proc, path, O_RDONLY | O_CLOEXEC);
}

int pidns_of_pidfd(int pidfd)
{
	return nsfs(pidfd, PIDFD_PID_NAMESPACE, 0);
}

uint64_t pidns_inode(int ns)
{
	struct stat st;

	return ns >= 0 && fstat(ns, &st) == 0 ? st.st_ino : 0;
}

uint64_t pidns_inode_of(int proc, pid_t pid)
{
	struct stat st;
	char path[40];

	(void)snprintf(path, sizeof(path), "%d/ns/pid", (int)pid);
	return fstatat(proc, path, &st, 0) == 0 ? st.st_ino : 0;
}

int pidns_parent(int ns)
{
	return sys_ns_parent(ns);
}

bool pidns_is_below(int ns, uint64_t ancestor)
{
	while (ns >= 0) {
		bool found = pidns_inode(ns) == ancestor;
		int parent = found ? -1 : pidns_parent(ns);

		(void)close(ns);
		if (found)
			return true;
		ns = parent; /* the kernel shows the parents up to our own */
	}
	return false;
}

pid_t pidns_pid_from(int ns, pid_t pid)
{
	return nsfs(ns, NSFS_GET_PID_FROM_PIDNS, pid);
}

pid_t pidns_pid_in(int ns, pid_t pid)
{
	return nsfs(ns, NSFS_GET_PID_IN_PIDNS, pid);
}
