/* SPDX-License-Identifier: MIT */
#include "kern/memfile.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/sig.h"

#include <sys/mman.h>
#include <sys/resource.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif
enum { SEALS = 1 | 2 | 4 | 8 }; /* F_SEAL_SEAL, _SHRINK, _GROW, _WRITE */

struct lifted {
	int fd;
	const void *bytes;
	size_t size;
	struct rlimit limit;
	int r;
};

/* In the child that write_lifted makes: raw calls alone, since libc may act upon a pending pthread_cancel in others. */
static int write_in_child(void *arg)
{
	struct lifted *l = arg;

	l->r = sys_ret(syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, &l->limit, NULL));
	if (l->r == 0)
		l->r = io_write_all(l->fd, l->bytes, l->size);
	_exit(0);
}

/*
 * The limit is the whole process's: other threads would see it lifted, and writes of theirs that it is to refuse would
 * pass. A child that shares the memory but is a process of its own has a limit of its own. It sends no signal at its
 * end (clone(2)), so that neither a handler nor an ignored SIGCHLD of the caller takes notice.
 */
static int write_lifted(int fd, const void *bytes, size_t size, rlim_t limit)
{
	enum { STACK = 64 * 1024 };
	struct lifted l = { .fd = fd, .bytes = bytes, .size = size, .limit = { limit, limit }, .r = -EIO };
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigbits mask;
	pid_t pid;

	if (stack == MAP_FAILED)
		return -errno;
	(void)sig_block_all(&mask); /* the caller's handlers must not run in it */
	pid = clone(write_in_child, stack + STACK, CLONE_VM | CLONE_VFORK, &l);
	if (pid < 0)
		l.r = -errno;
	(void)sig_set_mask(mask);
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	(void)munmap(stack, STACK);
	return l.r;
}

/* Passing RLIMIT_FSIZE would raise SIGXFSZ. @return 0, or -EFBIG */
static int write_all(int fd, const void *bytes, size_t size)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_FSIZE, &lim) < 0 || lim.rlim_cur >= size)
		return io_write_all(fd, bytes, size);
	return lim.rlim_max < size ? -EFBIG : write_lifted(fd, bytes, size, lim.rlim_max);
}

int memfile_make(const char *name, bool executable, const void *bytes, size_t size)
{
	const unsigned flags = SYS_MFD_CLOEXEC | SYS_MFD_ALLOW_SEALING;
	CLEANUP(cleanup_close)
	int fd = sys_memfd_create(name, flags | (executable ? SYS_MFD_EXEC : SYS_MFD_NOEXEC_SEAL));
	int r;

	if (fd == -EINVAL) /* before Linux 6.3 memory files are executable unasked */
		fd = sys_memfd_create(name, flags);
	fd = io_above_stdio(fd);
	if (fd < 0)
		return fd;
	r = write_all(fd, bytes, size);
	if (r == 0)
		r = sys_ret(fcntl(fd, F_ADD_SEALS, SEALS));
	return r < 0 ? r : take_fd(&fd);
}
