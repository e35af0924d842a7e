/* SPDX-License-Identifier: MIT */
/* The library's host is somebody else's program: the init is the library's own, without what an init alone does. */
#include "core/image.h"

extern const unsigned char pidbox_box_init_image[];
extern const size_t pidbox_box_init_image_size;

bool image_is_program(void)
{
	return false;
}

int image_open(void)
{
	return image_sealed();
}

int image_sealed(void)
{
	return image_seal(pidbox_box_init_image, pidbox_box_init_image_size);
}

size_t image_size(void)
{
	return pidbox_box_init_image_size;
}
