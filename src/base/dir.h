/* SPDX-License-Identifier: MIT */
/* Going over a directory. readdir(3) would allocate, and its first allocation costs more than the reading. */
#ifndef BASE_DIR_H
#define BASE_DIR_H

#include "base/sys.h"

struct dir_iter {
	int fd;      /* the caller's */
	int len, at; /* of what is in buf; len is -errno after a failure */
	char buf[2048] __attribute__((aligned(8)));
};

/** Begin, from where the descriptor stands. What is read goes into the iterator: it need not be zeroed. */
static inline void dir_begin(struct dir_iter *it, int fd)
{
	it->fd = fd;
	it->len = it->at = 0;
}

/** @return the next entry but "." and "..", good until the next call; NULL at the end and when it fails */
static inline const struct sys_dirent64 *dir_next(struct dir_iter *it)
{
	for (;;) {
		const struct sys_dirent64 *entry;
		const char *name;

		if (it->at >= it->len) {
			it->len = sys_getdents64(it->fd, it->buf, sizeof(it->buf));
			it->at = 0;
			if (it->len <= 0)
				return NULL;
		}
		entry = (const void *)(it->buf + it->at);
		it->at += entry->reclen;
		name = entry->name;
		if (name[0] != '.' || (name[1] != '\0' && (name[1] != '.' || name[2] != '\0')))
			return entry;
	}
}

#endif
