/* SPDX-License-Identifier: MIT */
/* The library's host is somebody else's program: the init is the library's own. */
#include "core/image.h"

bool image_is_program(void)
{
	return false;
}

int image_open(void)
{
	return image_sealed();
}
