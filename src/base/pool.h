/* SPDX-License-Identifier: MIT */
/* Memory that is given back all at once: what a listing keeps of many processes. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool_chunk;
struct pool {
	struct pool_chunk *chunks;
	size_t used, size; /* of the first chunk */
};

/** @return aligned for any type, not zeroed; NULL: there is no memory */
void *pool_alloc(struct pool *pool, size_t size);
/** A copy of len bytes with a NUL behind them. */
char *pool_text(struct pool *pool, const char *text, size_t len);
void pool_free(struct pool *pool);

#endif
