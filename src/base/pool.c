/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64 * 1024, ALIGN = 16 };

struct pool_chunk {
	struct pool_chunk *next;
	char bytes[] __attribute__((aligned(ALIGN)));
};

void *pool_alloc(struct pool *pool, size_t size)
{
	void *place;

	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (pool->chunks == NULL || pool->size - pool->used < size) {
		size_t most = size > CHUNK ? size : CHUNK;
		struct pool_chunk *chunk = malloc(sizeof(*chunk) + most);

		if (chunk == NULL)
			return NULL;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
		pool->used = 0;
		pool->size = most;
	}
	place = pool->chunks->bytes + pool->used;
	pool->used += size;
	return place;
}

char *pool_text(struct pool *pool, const char *text, size_t len)
{
	char *copy = pool_alloc(pool, len + 1);

	if (copy != NULL) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

void pool_free(struct pool *pool)
{
	while (pool->chunks != NULL) {
		struct pool_chunk *next = pool->chunks->next;

		free(pool->chunks);
		pool->chunks = next;
	}
	*pool = (struct pool){ 0 };
}
