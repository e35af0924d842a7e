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

/*
 * RLIMIT_FSIZE holds for memory files too, and passing it would raise SIGXFSZ. Where only the soft limit is in the way
 * it is lifted for the moment of writing. @return 0, or -EFBIG
 */
static int write_image(int fd)
{
	struct rlimit lim, lifted;
	bool low = getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur < pidbox_init_image_size;
	int r;

	if (low && lim.rlim_max < pidbox_init_image_size)
		return -EFBIG;
	lifted = (struct rlimit){ lim.rlim_max, lim.rlim_max };
	if (low)
		(void)setrlimit(RLIMIT_FSIZE, &lifted);
	r = io_write_all(fd, pidbox_init_image, pidbox_init_image_size);
	if (low)
		(void)setrlimit(RLIMIT_FSIZE, &lim);
	return r;
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
