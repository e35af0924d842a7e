/* SPDX-License-Identifier: MIT */
#include "core/exec_wire.h"

#include "core/control.h"

#include <errno.h>
#include <string.h>

int exec_payload_check_head(const struct exec_payload *head)
{
	if (head->magic != EXEC_MAGIC)
		return -EBADMSG;
	if (head->version != EXEC_VERSION || (head->flags & ~(uint32_t)EXEC_FLAGS_KNOWN))
		return -EOPNOTSUPP;
	if (head->stop_signal < 1 || head->stop_signal > 64 || head->grace_us < 0 || head->timeout_us < 0)
		return -EBADMSG;
	return 0;
}

static bool is_inside(uint32_t offset, size_t length, size_t size)
{
	return offset >= sizeof(struct exec_payload) && offset <= size && length <= size - offset;
}

/* As many NULs as there are strings, and the last byte is one of them. */
static int check_strings(const char *bytes, size_t size, const struct exec_strings *s, uint32_t most)
{
	uint32_t count = 0;

	if (s->size == 0)
		return s->count == 0 ? 0 : -EBADMSG;
	if (s->count > most || !is_inside(s->offset, s->size, size) || bytes[s->offset + s->size - 1] != '\0')
		return -EBADMSG;
	for (const char *p = bytes + s->offset, *end = p + s->size; p < end; p += strlen(p) + 1)
		count++;
	return count == s->count ? 0 : -EBADMSG;
}

int exec_payload_check(const void *bytes, size_t size)
{
	const struct exec_payload *p = bytes;
	int r;

	if (size < sizeof(*p) || size > CONTROL_MAX_PAYLOAD)
		return -EBADMSG;
	r = exec_payload_check_head(p);
	if (r == 0)
		r = check_strings(bytes, size, &p->argv, UINT32_MAX);
	if (r == 0)
		r = check_strings(bytes, size, &p->env, EXEC_MAX_ENV);
	if (r == 0)
		r = check_strings(bytes, size, &p->chdir, 1);
	if (r < 0 || !(p->flags & EXEC_USER))
		return r;
	if (p->n_groups > EXEC_MAX_GROUPS || p->groups % sizeof(uint32_t) != 0 ||
	    !is_inside(p->groups, p->n_groups * sizeof(uint32_t), size))
		return -EBADMSG;
	return 0;
}
