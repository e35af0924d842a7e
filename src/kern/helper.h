/* SPDX-License-Identifier: MIT */
/* Programs of the system that are asked something: getent(1), newuidmap(1). */
#ifndef KERN_HELPER_H
#define KERN_HELPER_H

#include <stddef.h>

/**
 * Run a program to its end and take what it writes to one of its streams; its other standard streams are /dev/null. No
 * signal is blocked in it, whatever the caller blocks, and SIGCHLD is not ignored. By posix_spawn(3): the caller may
 * have threads and much memory.
 * @param path    without a slash it is looked for in the caller's PATH
 * @param stream  1 or 2
 * @param buf     gets the beginning of the text, and a NUL; what does not fit is read and thrown away
 * @param ret_len its length; set unless the program could not be run
 * @return its exit status, 128+n when signal n ended it; -ECHILD when the caller's process reaps its children itself
 *         and the status is lost; others from starting it (-ENOENT: there is none) or reading
 */
int helper_run(const char *path, char *const argv[], char *const env[], int stream, char *buf, size_t size,
	       size_t *ret_len);

#endif
