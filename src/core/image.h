/* SPDX-License-Identifier: MIT */
/* The init as a file to execute. */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

/* The whole init, which works alone, too; tools/embed makes it. */
extern const unsigned char pidbox_init_image[];
extern const size_t pidbox_init_image_size;

/* Such bytes in sealed memory, or where that is refused the installed init. @return a descriptor or -errno */
int image_seal(const unsigned char *bytes, size_t size);

/* image_program.c in the command, image_library.c in the library: */

/* The init for a box. @return a descriptor or -errno */
int image_open(void);
/* Is that the file of the program that runs? */
bool image_is_program(void);
/* One in sealed memory. @return as image_seal */
int image_sealed(void);
/* Bytes that this takes. */
size_t image_size(void);

#endif
