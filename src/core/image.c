/* SPDX-License-Identifier: MIT */
/*
 * The init as a file to execute. The library carries it inside itself, so that it works without being installed, and
 * puts it into sealed memory: what is PID 1 inside cannot be overwritten from there, as a file on a disk could be
 * through /proc/1/exe. Where the machine does not execute memory files (vm.memfd_noexec), the installed one is used.
 */
#include "core/box.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/sig.h"

#include <sys/mman.h>
#include <sys/resource.h>

#ifndef PIDBOX_INIT_PATH
#define PIDBOX_INIT_PATH "/usr/libexec/pidbox/pidbox-init"
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif
enum { SEALS = 1 | 2 | 4 | 8 }; /* F_SEAL_SEAL, _SHRINK, _GROW, _WRITE */

extern const unsigned char pidbox_init_image[];
extern const size_t pidbox_init_image_size;

const char *pidbox_init_path(void)
{
	return PIDBOX_INIT_PATH;
}

struct lifted {
	int fd;
	struct rlimit limit;
	int r;
};

/* In the child that write_lifted makes: raw calls alone, since libc may act upon a pending pthread_cancel in others. */
static int write_in_child(void *arg)
{
	struct lifted *l = arg;

	l->r = sys_ret(syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, &l->limit, NULL));
	if (l->r == 0)
		l->r = io_write_all(l->fd, pidbox_init_image, pidbox_init_image_size);
	_exit(0);
}

/*
 * The limit is the whole process's: other threads would see it lifted, and writes of theirs that it is to refuse would
 * pass. A child that shares the memory but is a process of its own has a limit of its own. It sends no signal at its
 * end (clone(2)), so that neither a handler nor an ignored SIGCHLD of the caller takes notice.
 */
static int write_lifted(int fd, rlim_t limit)
{
	enum { STACK = 64 * 1024 };
	struct lifted l = { .fd = fd, .limit = { limit, limit }, .r = -EIO };
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

/* RLIMIT_FSIZE holds for memory files too, and passing it would raise SIGXFSZ. @return 0, or -EFBIG */
static int write_image(int fd)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_FSIZE, &lim) < 0 || lim.rlim_cur >= pidbox_init_image_size)
		return io_write_all(fd, pidbox_init_image, pidbox_init_image_size);
	return lim.rlim_max < pidbox_init_image_size ? -EFBIG : write_lifted(fd, lim.rlim_max);
}

static int open_memory(void)
{
	const unsigned flags = SYS_MFD_CLOEXEC | SYS_MFD_ALLOW_SEALING;
	CLEANUP(cleanup_close) int fd = sys_memfd_create("pidbox-init", flags | SYS_MFD_EXEC);
	int r;

	if (fd == -EINVAL) /* before Linux 6.3 memory files are executable unasked */
		fd = sys_memfd_create("pidbox-init", flags);
	fd = io_above_stdio(fd);
	if (fd < 0)
		return fd;
	r = write_image(fd);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return take_fd(&fd);
}

int image_open(void)
{
	int fd = open_memory();
	int installed;

	if (fd >= 0)
		return fd;
	installed = io_above_stdio(open(PIDBOX_INIT_PATH, O_RDONLY | O_CLOEXEC));
	return installed >= 0 ? installed : fd;
}
