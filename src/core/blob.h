/* SPDX-License-Identifier: MIT */
/* A growing piece of memory that is addressed by offsets, because it moves as it grows and then goes over a socket. */
#ifndef CORE_BLOB_H
#define CORE_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
	char *data;
	size_t len, size;
	size_t first; /* how much to begin with; 0: what is a page together with the allocator's own */
	int error;    /* -ENOMEM once an allocation has failed; everything after it does nothing */
};

/** Add len bytes (zeroes when bytes is NULL). @return their offset; 0 after an error */
uint32_t blob_add(struct blob *b, const void *bytes, size_t len);
uint32_t blob_str(struct blob *b, const char *text);
/** Add n ids, aligned. */
uint32_t blob_ids(struct blob *b, const uint32_t *ids, size_t n);
/** Add a table of n offsets, which is ended by 0 and aligned as pointers are. */
uint32_t blob_table(struct blob *b, const uint32_t *offsets, size_t n);

#endif
