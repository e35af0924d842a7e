/* SPDX-License-Identifier: MIT */
/*
 * The init as a file to execute. The library carries it inside itself, so that it works without being installed, and
 * puts it into sealed memory: what is PID 1 inside cannot be overwritten from there, as a file on a disk could be
 * through /proc/1/exe. Where the machine does not execute memory files (vm.memfd_noexec), the installed one is used.
 */
#include "core/box.h"

#include "base/io.h"
#include "base/sys.h"
#include "kern/memfile.h"

#ifndef PIDBOX_INIT_PATH
#define PIDBOX_INIT_PATH "/usr/libexec/pidbox/pidbox-init"
#endif
extern const unsigned char pidbox_init_image[];
extern const size_t pidbox_init_image_size;

const char *pidbox_init_path(void)
{
	return PIDBOX_INIT_PATH;
}

int image_open(void)
{
	int fd = memfile_make("pidbox-init", true, pidbox_init_image, pidbox_init_image_size);
	int installed;

	if (fd >= 0)
		return fd;
	installed = io_above_stdio(open(PIDBOX_INIT_PATH, O_RDONLY | O_CLOEXEC));
	return installed >= 0 ? installed : fd;
}
