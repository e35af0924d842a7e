/* SPDX-License-Identifier: MIT */
/*
 * The command `pidbox` has the init built in, so its boxes' init is the file that runs already: nothing is copied, and
 * the memory of its code is shared by all boxes. That shows nothing inside that was not there: who may open
 * /proc/1/exe may go by /proc/1/root to that file as well, and to all others (proc(5): the same right is asked), and
 * the file's permissions protect it, as they do from outside. In somebody else's namespaces that is not so, and who
 * enters those takes sealed memory.
 */
#include "core/image.h"

#include "base/io.h"

#include <fcntl.h>
#include <sys/auxv.h>

bool image_is_program(void)
{
	return true;
}

int image_open(void)
{
	/* With rights from its file (setuid, setcap) it would get those inside as well. */
	int fd = getauxval(AT_SECURE) ? -1 : io_above_stdio(openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC));

	return fd >= 0 ? fd : image_sealed();
}

/* The whole one, which is there for `pidbox init`, does as well. */
int image_sealed(void)
{
	return image_seal(pidbox_init_image, pidbox_init_image_size);
}

size_t image_size(void)
{
	return pidbox_init_image_size;
}
