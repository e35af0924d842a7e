/* SPDX-License-Identifier: MIT */
/*
 * The first memory of the command: a few pages beside its other data. A front allocates a dozen things at its start,
 * which live until its end, and the C library would take three mappings and a heap for them: system calls, page faults,
 * and for each box 12 KiB of page tables. What comes later, or is large, is the C library's. The linker sends every
 * call of malloc and the like here (--wrap); there is one thread.
 */
#include "base/util.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *old);

enum { ARENA = 24 * 1024, LARGEST = 10 * 1024 }; /* the largest is a plan that has grown once */

/* Each block has its size before it. */
struct head {
	size_t size;
} __attribute__((aligned(16)));

static char arena[ARENA] __attribute__((aligned(4096))) LIES_BEHIND;
static size_t used;

static bool is_ours(const void *block)
{
	return (uintptr_t)block >= (uintptr_t)arena && (uintptr_t)block < (uintptr_t)arena + ARENA;
}

/* Fresh memory of the arena is zero: no byte of it is given out twice. A block of no bytes, too, begins in it. */
static void *take(size_t size)
{
	struct head *h = (void *)(arena + used);
	size_t whole = sizeof(*h) + (size + 15) / 16 * 16;

	if (size > LARGEST || whole >= ARENA - used)
		return NULL;
	used += whole;
	h->size = size;
	return h + 1;
}

void *__wrap_malloc(size_t size)
{
	void *block = take(size);

	return block != NULL ? block : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	size_t bytes;
	void *block = __builtin_mul_overflow(n, size, &bytes) ? NULL : take(bytes);

	return block != NULL ? block : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	void *block;
	size_t had;

	if (old == NULL)
		return __wrap_malloc(size);
	if (!is_ours(old))
		return __real_realloc(old, size);
	had = ((const struct head *)old - 1)->size;
	block = __wrap_malloc(size);
	if (block != NULL)
		memcpy(block, old, had < size ? had : size);
	return block;
}

void __wrap_free(void *old)
{
	if (!is_ours(old))
		__real_free(old);
}
