/* SPDX-License-Identifier: MIT */
/* The command's first memory: what is given out, and that only what is not its own is given back to the C library. */
#include "cli/arena.c"

#include "tap.h"

#include <stdlib.h>

static unsigned taken, freed;

void *__real_malloc(size_t size)
{
	taken++;
	return malloc(size);
}

void *__real_calloc(size_t n, size_t size)
{
	taken++;
	return calloc(n, size);
}

void *__real_realloc(void *old, size_t size)
{
	return realloc(old, size);
}

void __real_free(void *old)
{
	freed += old != NULL;
	free(old);
}

/* Blocks of this size until the C library gives one. @return how many */
static int fill(size_t size)
{
	int n = 0;

	for (taken = freed = 0; taken == 0; n++) {
		void *block = __wrap_malloc(size);

		__wrap_free(block);
		if (freed != taken)
			return -1;
	}
	return n;
}

int main(void)
{
	char *text = __wrap_malloc(5), *longer;

	memcpy(text, "text", 5);
	longer = __wrap_realloc(text, 100);
	ok(taken == 0 && longer != text && strcmp(longer, "text") == 0, "a block that grows keeps what is in it");
	text = __wrap_malloc(LARGEST + 1);
	ok(taken == 1, "what is large is the C library's");
	__wrap_free(text);
	ok(freed == 1, "and is given back to it");
	ok(fill(4000) > 1, "as is what does not fit any more");
	/* One that begins where the arena ends would be taken for a block of the C library's. */
	ok(fill(0) > 1, "blocks of no bytes");
	return tap_end();
}
