/* SPDX-License-Identifier: MIT */
/* The ways to name a box. Nothing is touched on failure; what is accepted is within what its kind can be. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/address.h"
#include "fuzz.h"

static void check(const struct address *a)
{
	CHECK(a->inside_pid >= 0 && a->id.pidfd == -1);
	switch (a->kind) {
	case ADDRESS_NAME:
		CHECK(address_is_name(a->name, strnlen(a->name, sizeof(a->name))));
		CHECK(strnlen(a->user, sizeof(a->user)) < sizeof(a->user));
		return;
	case ADDRESS_PID:
		CHECK(a->id.pid > 0 && a->id.inode == 0 && a->id.start_ticks == 0);
		return;
	case ADDRESS_ID:
		CHECK(a->id.pid > 0 && (a->id.inode != 0) != (a->id.start_ticks != 0));
		return;
	case ADDRESS_NAMESPACE:
		CHECK(a->pid_namespace > 0);
		return;
	case ADDRESS_CONTAINER:
		CHECK(a->container[0] != '\0');
		CHECK(strspn(a->container, "0123456789abcdef") == strnlen(a->container, sizeof(a->container)));
		return;
	}
	CHECK(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const heads[] = { "", "ns:", "id:", "17:", "17@", "a@", "a/" };
	struct pidbox_error err = { 0 };
	const char *head = size > 0 ? heads[data[0] % 7] : "";
	size_t len = strlen(head) + (size > 0 ? size - 1 : 0);
	char *text = malloc(len + 1);
	struct address got, was;
	int r;

	CHECK(text);
	memcpy(text, head, strlen(head));
	if (size > 1)
		memcpy(text + strlen(head), data + 1, size - 1);
	text[len] = '\0';
	memset(&got, 0x5a, sizeof(got));
	was = got;
	r = address_parse(text, &got, &err);
	CHECK(r == 0 || (r == -EINVAL && err.code == PIDBOX_CODE_USAGE && memcmp(&got, &was, sizeof(got)) == 0));
	if (r == 0)
		check(&got);
	free(text);
	return 0;
}
