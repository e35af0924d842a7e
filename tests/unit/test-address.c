/* SPDX-License-Identifier: MIT */
/* How a box is written: docs, "Naming a box". */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "core/address.h"
#include "tap.h"

#define X64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_good(void)
{
	static const struct {
		const char *text;
		struct address want;
	} rows[] = {
		{ "build", { .kind = ADDRESS_NAME, .name = "build" } },
		{ "b", { .kind = ADDRESS_NAME, .name = "b" } },
		{ "A1_.-", { .kind = ADDRESS_NAME, .name = "A1_.-" } },
		{ "ns", { .kind = ADDRESS_NAME, .name = "ns" } },
		{ "id", { .kind = ADDRESS_NAME, .name = "id" } },
		{ "build@ann", { .kind = ADDRESS_NAME, .name = "build", .user = "ann" } },
		{ "build@1000", { .kind = ADDRESS_NAME, .name = "build", .user = "1000" } },
		{ "build@ann@realm", { .kind = ADDRESS_NAME, .name = "build", .user = "ann@realm" } },
		{ "build/17", { .kind = ADDRESS_NAME, .name = "build", .inside_pid = 17 } },
		{ "build@ann/1", { .kind = ADDRESS_NAME, .name = "build", .user = "ann", .inside_pid = 1 } },
		{ "1", { .kind = ADDRESS_PID, .id.pid = 1 } },
		{ "2147483647", { .kind = ADDRESS_PID, .id.pid = 2147483647 } },
		{ "0042", { .kind = ADDRESS_PID, .id.pid = 42 } },
		{ "17574/2", { .kind = ADDRESS_PID, .id.pid = 17574, .inside_pid = 2 } },
		{ "17574:98127", { .kind = ADDRESS_ID, .id.pid = 17574, .id.inode = 98127 } },
		{ "17574:98127/3", { .kind = ADDRESS_ID, .id.pid = 17574, .id.inode = 98127, .inside_pid = 3 } },
		{ "17574@5512345", { .kind = ADDRESS_ID, .id.pid = 17574, .id.start_ticks = 5512345 } },
		{ "ns:4026532567", { .kind = ADDRESS_NAMESPACE, .pid_namespace = 4026532567 } },
		{ "ns:4026532567/9", { .kind = ADDRESS_NAMESPACE, .pid_namespace = 4026532567, .inside_pid = 9 } },
		{ "id:a", { .kind = ADDRESS_CONTAINER, .container = "a" } },
		{ "id:0aF9", { .kind = ADDRESS_CONTAINER, .container = "0af9" } },
		{ "id:" X64 "/5", { .kind = ADDRESS_CONTAINER, .container = X64, .inside_pid = 5 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct address *want = &rows[i].want;
		struct address got;
		int r = address_parse(rows[i].text, &got, NULL);

		ok(r == 0 && got.kind == want->kind && got.id.pid == want->id.pid && got.id.inode == want->id.inode &&
			   got.id.start_ticks == want->id.start_ticks && got.id.pidfd == -1 &&
			   got.pid_namespace == want->pid_namespace && got.inside_pid == want->inside_pid &&
			   strcmp(got.name, want->name) == 0 && strcmp(got.user, want->user) == 0 &&
			   strcmp(got.container, want->container) == 0,
		   "%s", rows[i].text);
	}
}

static void test_bad(void)
{
	static const char *const rows[] = {
		"",
		"/",
		"/1",
		"build/",
		"build/x",
		"build/0",
		"build/-1",
		"build/1/2",
		"build/+1",
		"build/ 1",
		"0",
		"-1",
		"2147483648",
		"99999999999999999999",
		"1x",
		"1:",
		"1:0",
		"1:x",
		"01:5",
		"1@",
		"1@0",
		":5",
		"@ann",
		"build@",
		"_build",
		".build",
		"-build",
		"buil d",
		"b\xc3\xa4r",
		"build:1",
		"build\n",
		"ns:",
		"ns:0",
		"ns:x",
		"ns:-1",
		"ns:18446744073709551616",
		"NS:1",
		"id:",
		"id:xyz",
		"id:12 ",
		("id:" X64 "0"),
		("a" X64), /* 65 bytes */
	};
	char longest[600];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pidbox_error err = { 0 };
		struct address got = { .inside_pid = 77 };
		int r = address_parse(rows[i], &got, &err);

		ok(r == -EINVAL && err.code == PIDBOX_CODE_USAGE && err.why[0] != '\0' && err.fix[0] != '\0' &&
			   got.inside_pid == 77,
		   "refused: %s", rows[i]);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	ok(address_parse(longest, &(struct address){ 0 }, NULL) == -EINVAL, "one of 599 bytes");
	longest[1] = '@';
	ok(address_parse(longest, &(struct address){ 0 }, NULL) == -EINVAL, "a user of 597 bytes");
}

int main(void)
{
	test_good();
	test_bad();
	return tap_end();
}
