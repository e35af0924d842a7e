/* SPDX-License-Identifier: MIT */
/* Files in memory that nobody can change any more (memfd_create(2)). */
#ifndef KERN_MEMFILE_H
#define KERN_MEMFILE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Make one with this content, sealed against every change. RLIMIT_FSIZE holds for it too; where its hard limit allows
 * the size, the soft one is no hindrance.
 * @param executable  it is a program
 * @return a descriptor above 2; -EFBIG: RLIMIT_FSIZE; -EACCES: vm.memfd_noexec; other -errno
 */
int memfile_make(const char *name, bool executable, const void *bytes, size_t size);

#endif
