/* SPDX-License-Identifier: MIT */
/*
 * The init as a file to execute. The library carries it inside itself, so that it works without being installed, and
 * puts it into sealed memory: what is PID 1 inside cannot be overwritten from there, as a file on a disk could be
 * through /proc/1/exe. Where the machine does not execute memory files (vm.memfd_noexec), the installed one is used.
 * Which init a box gets: image_library.c, image_program.c.
 */
#include "core/image.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "kern/memfile.h"

#ifndef PIDBOX_INIT_PATH
#define PIDBOX_INIT_PATH "/usr/libexec/pidbox/pidbox-init"
#endif

const char *pidbox_init_path(void)
{
	return PIDBOX_INIT_PATH;
}

int pidbox_become_init(char *const argv[], char *const envp[], struct pidbox_error *err)
{
	int fd = image_seal(pidbox_init_image, pidbox_init_image_size), r = fd;

	if (fd >= 0)
		r = sys_execveat(fd, "", argv, envp, AT_EMPTY_PATH);
	if (fd >= 0)
		(void)close(fd);
	(void)err_set(err, -r, PIDBOX_CODE_NONE, "executing the init");
	err_why(err, "it is executed from memory, or where this machine does not allow that, from %s",
		PIDBOX_INIT_PATH);
	err_fix(err, "use the program pidbox-init itself");
	return r;
}

int image_seal(const unsigned char *bytes, size_t size)
{
	int fd = memfile_make("pidbox-init", true, bytes, size);
	int installed;

	if (fd >= 0)
		return fd;
	installed = io_above_stdio(open(PIDBOX_INIT_PATH, O_RDONLY | O_CLOEXEC));
	return installed >= 0 ? installed : fd;
}
