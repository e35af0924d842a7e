/* SPDX-License-Identifier: MIT */
/* The payload of an exec, which an init takes from a client: what is let through lies inside of it, to the last byte.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/exec_wire.h"
#include "fuzz.h"

/* As the init goes over them: a byte too far is seen by the sanitizer, for the buffer is as long as the payload. */
static void go_over(const char *bytes, size_t size, const struct exec_strings *s)
{
	uint32_t n = 0;

	if (s->size == 0) {
		CHECK(s->count == 0);
		return;
	}
	CHECK(s->offset >= sizeof(struct exec_payload) && s->offset + (uint64_t)s->size <= size);
	for (uint32_t at = 0; at < s->size; at += (uint32_t)strlen(bytes + s->offset + at) + 1)
		n++;
	CHECK(n == s->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Half of the inputs have a head that is good so far: a random one hardly ever gets behind the magic. */
	static const struct exec_payload good = { .magic = EXEC_MAGIC, .version = EXEC_VERSION, .stop_signal = 15 };
	struct exec_payload *p = malloc(size > 0 ? size : 1);
	uint64_t sum = 0;
	int r;

	CHECK(p);
	if (size > 0)
		memcpy(p, data, size);
	if (size >= sizeof(*p) && data[size - 1] % 2 == 0) {
		p->magic = good.magic;
		p->version = good.version;
		p->stop_signal = good.stop_signal;
		p->flags &= EXEC_FLAGS_KNOWN;
		p->grace_us = p->timeout_us = 0;
	}
	r = exec_payload_check(p, size);
	CHECK(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP);
	if (r == 0) {
		go_over((const char *)p, size, &p->argv);
		go_over((const char *)p, size, &p->env);
		go_over((const char *)p, size, &p->chdir);
		CHECK(p->chdir.count <= 1 && p->stop_signal >= 1 && p->stop_signal <= 64);
		for (uint32_t i = 0; (p->flags & EXEC_USER) && i < p->n_groups; i++)
			sum += ((const uint32_t *)(const void *)((const char *)p + p->groups))[i];
	}
	free(p);
	return sum == UINT64_MAX;
}
