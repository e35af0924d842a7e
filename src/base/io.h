/* SPDX-License-Identifier: MIT */
/* Small things done with descriptors. All are async-signal-safe. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Write all of buf. @return 0 or -errno */
int io_write_all(int fd, const void *buf, size_t size);
/** Write a short text to a file in one write, as /proc files need it. @return 0 or -errno */
int io_write_file(int dirfd, const char *path, const char *text, size_t size);
/**
 * Read a file whole, at most size-1 bytes, and terminate it.
 * @return length or -errno; a longer file is cut
 */
ssize_t io_read_file(int dirfd, const char *path, char *buf, size_t size);
/**
 * Move a descriptor above 2, so that it cannot be taken for a standard stream that the caller had closed. Consumes fd.
 * @return the descriptor or -errno; passes negative fd through
 */
int io_above_stdio(int fd);
/**
 * close_range(2), and where that is refused or too old, one by one up to the limit of descriptors.
 * @param cloexec  mark them instead of closing them
 */
void io_close_range(unsigned first, unsigned last, bool cloexec);
/** Write n in decimal without a terminator. @return its length (at most 20) */
size_t io_decimal(char *buf, long long n);

/**
 * Those of n_own descriptors that are open, not -1: what an object tells of its own.
 * @param fds  room for n
 * @return how many there are; at most n are stored
 */
size_t io_list_open(const int *own, size_t n_own, int *fds, size_t n);

#endif
