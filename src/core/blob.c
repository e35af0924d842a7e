/* SPDX-License-Identifier: MIT */
#include "core/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOB_MAX = 256 * 1024 * 1024, FIRST = 4800 /* a plan with 2 KiB of environment */ };

static int reserve(struct blob *b, size_t len)
{
	size_t size = b->size > 0 ? b->size : b->first > 0 ? b->first : FIRST;
	char *data;

	if (b->error != 0)
		return b->error;
	if (len > BLOB_MAX - b->len)
		return b->error = -E2BIG;
	while (size - b->len < len)
		size *= 2;
	if (size == b->size)
		return 0;
	data = realloc(b->data, size);
	if (data == NULL)
		return b->error = -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

uint32_t blob_add(struct blob *b, const void *bytes, size_t len)
{
	size_t at = b->len;

	if ((b->error != 0 || len > b->size - at) && reserve(b, len) < 0)
		return 0;
	if (bytes != NULL)
		memcpy(b->data + at, bytes, len);
	else
		memset(b->data + at, 0, len);
	b->len += len;
	return (uint32_t)at;
}

uint32_t blob_str(struct blob *b, const char *text)
{
	return blob_add(b, text, strlen(text) + 1);
}

static void align(struct blob *b)
{
	size_t misaligned = b->len % sizeof(uintptr_t);

	if (misaligned != 0)
		(void)blob_add(b, NULL, sizeof(uintptr_t) - misaligned);
}

uint32_t blob_ids(struct blob *b, const uint32_t *ids, size_t n)
{
	align(b);
	return blob_add(b, ids, n * sizeof(*ids));
}

uint32_t blob_table(struct blob *b, const uint32_t *offsets, size_t n)
{
	uint32_t at;

	align(b);
	at = (uint32_t)b->len;
	for (size_t i = 0; i <= n; i++) {
		uintptr_t entry = i < n ? offsets[i] : 0;

		(void)blob_add(b, &entry, sizeof(entry));
	}
	return at;
}
