/* SPDX-License-Identifier: MIT */
/* The init as a file to execute. */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

/* In sealed memory, or where that is refused the installed one. @return a descriptor or -errno */
int image_sealed(void);
/* Bytes that this takes. */
size_t image_size(void);

/* For a box: image_program.c in the command, image_library.c in the library. @return a descriptor or -errno */
int image_open(void);
/* Is it the file of the program that runs? */
bool image_is_program(void);

#endif
