/* SPDX-License-Identifier: MIT */
/* The error object: names of errnos, and what is in an error. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tap.h"

/* The record gives the errno by name: each one of the kernel's (asm-generic/errno.h, errno(3)) has one. */
static void test_names(void)
{
	enum { LAST = 133 }; /* EHWPOISON, the last one that user space sees */

	for (int n = 1; n <= LAST; n++) {
		if (n == 41 || n == 58) { /* numbers that other machines use for EAGAIN and EDEADLK */
			ok(err_name(n)[0] == '\0', "%d is no errno", n);
			continue;
		}
#ifdef __GLIBC__
		ok(strerrorname_np(n) != NULL && strcmp(err_name(n), strerrorname_np(n)) == 0, "%d is %s", n,
		   err_name(n));
#else
		ok(err_name(n)[0] == 'E', "%d is %s", n, err_name(n));
#endif
	}
	ok(strcmp(err_name(EREMOTEIO), "EREMOTEIO") == 0 && strcmp(err_name(EKEYREJECTED), "EKEYREJECTED") == 0 &&
		   strcmp(err_name(EHOSTUNREACH), "EHOSTUNREACH") == 0,
	   "what file systems of the network and of FUSE say");
	for (int n = LAST + 1; n < 140; n++)
		ok(err_name(n)[0] == '\0', "%d is no errno", n);
	ok(err_name(0)[0] == '\0' && err_name(-1)[0] == '\0' && err_name(4096)[0] == '\0', "nor are these");
}

static void test_no_memory(void)
{
	struct pidbox_error err = { 0 };
	char text[2304];

	ok(err_no_memory(&err, "making things") == -ENOMEM && err.errnum == ENOMEM, "-ENOMEM");
	pidbox_error_format(&err, text, sizeof(text));
	ok(strncmp(text, "pidbox: making things: ", 23) == 0 && strstr(text, "\n  why: ") != NULL &&
		   strstr(text, "\n  fix: ") != NULL,
	   "the three lines: %s", text);
	ok(err_no_memory(NULL, "making things") == -ENOMEM, "without an object the number says enough");
}

int main(void)
{
	test_names();
	test_no_memory();
	return tap_end();
}
