/* SPDX-License-Identifier: MIT */
/*
 * The command `pidbox` has the init built in, so its boxes' init is the file that runs already: nothing is copied, and
 * the memory of its code is shared by all boxes. Nothing inside can overwrite it: a file that is executed cannot be
 * opened for writing (ETXTBSY, execve(2)), and it is executed for as long as there is anybody inside. Who enters
 * somebody else's namespaces takes sealed memory nevertheless, since there that file may be executed for a moment only.
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
	int fd = getauxval(AT_SECURE) ? -1 : io_above_stdio(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));

	return fd >= 0 ? fd : image_sealed();
}
