/* SPDX-License-Identifier: MIT */
/*
 * All parsers of strings, and those of the user databases, on the same bytes. Beside what the sanitizers see: nothing
 * is touched on failure, and what is accepted is in range and, where it has a canonical form, is read back from it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/parse.h"
#include "kern/sig.h"
#include "kern/user.h"
#include "fuzz.h"

#define FILL 0x5a

static bool untouched(const void *p, size_t size)
{
	const unsigned char *bytes = p;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != FILL)
			return false;
	}
	return true;
}

/* Call with *var filled, and see that it stays so on failure. */
#define PARSE(r, var, call)                                          \
	do {                                                         \
		memset(&(var), FILL, sizeof(var));                   \
		(r) = (call);                                        \
		CHECK((r) == 0 || (r) == -EINVAL || (r) == -ERANGE); \
		CHECK((r) == 0 || untouched(&(var), sizeof(var)));   \
	} while (0)

static void fuzz_numbers(const char *s)
{
	char text[32];
	int64_t us, us_again;
	uint64_t number;
	uint32_t u32;
	const char *p = s;
	int fd, r;

	PARSE(r, number, parse_digits(&p, &number));
	CHECK(r == -EINVAL ? p == s : p > s);
	PARSE(r, us, parse_duration(s, &us));
	if (r == 0) {
		CHECK(us >= 0);
		snprintf(text, sizeof(text), "%lldus", (long long)us);
		CHECK(parse_duration(text, &us_again) == 0 && us_again == us);
	}
	PARSE(r, u32, parse_u32(s, 301, 4194304, &u32));
	CHECK(r < 0 || (u32 >= 301 && u32 <= 4194304));
	PARSE(r, fd, parse_fd(s, &fd));
	CHECK(r < 0 || fd >= 0);
}

static void fuzz_structs(const char *s, size_t size)
{
	struct pidbox_time_offset offset;
	struct pidbox_idrange range;
	int r;

	PARSE(r, range, parse_idrange(s, &range));
	if (r == 0) {
		CHECK(range.count > 0);
		CHECK(range.inside <= UINT32_MAX - range.count && range.outside <= UINT32_MAX - range.count);
	}
	PARSE(r, offset, parse_time_offset(s, &offset));
	CHECK(r < 0 || offset.nanoseconds < 1000000000);
	CHECK(!parse_env_name_ok(s, size) || (size > 0 && !strchr(s, '=') && strlen(s) == size));
}

static void fuzz_signals(const char *s)
{
	struct pidbox_sigmap map[8];
	char name[16];
	size_t n = 99;
	int sig = sig_parse(s), r;

	CHECK(sig == -EINVAL || (sig >= 1 && sig <= SIG_MAX));
	if (sig > 0) {
		sig_name(sig, name);
		CHECK(sig_parse(name) == sig);
	}
	memset(map, FILL, sizeof(map));
	r = sig_parse_map(s, map, 8, &n);
	CHECK(r == 0 || r == -EINVAL || r == -E2BIG);
	if (r < 0) {
		CHECK(n == 99 && untouched(map, sizeof(map)));
		return;
	}
	CHECK(n >= 1 && n <= 8);
	for (size_t i = 0; i < n; i++) {
		CHECK(map[i].from >= 1 && map[i].from <= SIG_MAX && map[i].to <= SIG_MAX);
		CHECK(map[i].from != SIGKILL && map[i].from != SIGSTOP);
	}
}

/* The bytes as a file; paths that are no default keep getent out of it. */
static void fuzz_files(const uint8_t *data, size_t size)
{
	static const char *const specs[] = { "a", "0", "a:b", "0:b" };
	static struct user_ids ids;
	static char path[32];
	static int file = -1;
	const struct user_db db = { .passwd = path, .group = path };
	struct pidbox_idrange ranges[4];
	char name[8];
	size_t n = 0;
	int r;

	if (file < 0) {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		CHECK(file >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		memset(&ids, FILL, sizeof(ids));
		r = user_lookup(specs[i], &db, &ids);
		CHECK(r == 0 || r == -ENOENT || r == -E2BIG);
		if (r < 0) {
			CHECK(untouched(&ids, sizeof(ids)));
			continue;
		}
		CHECK(ids.uid != UINT32_MAX && ids.gid != UINT32_MAX);
		CHECK(ids.n_groups >= 1 && ids.n_groups <= USER_GROUPS_MAX && ids.groups[0] == ids.gid);
	}
	memset(name, FILL, sizeof(name));
	r = user_name(0, &db, name, sizeof(name));
	CHECK(r == 0 || r == -ENOENT || r == -ENAMETOOLONG);
	CHECK(r == 0 ? strnlen(name, sizeof(name)) < sizeof(name) : untouched(name, sizeof(name)));
	CHECK(subid_read(path, 0, "a", ranges, 4, &n) == 0 && n <= 4);
	for (size_t i = 0; i < n; i++)
		CHECK(ranges[i].inside == 0 && ranges[i].count > 0 &&
		      ranges[i].outside <= UINT32_MAX - ranges[i].count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct user_db nowhere = { .passwd = "/dev/null", .group = "/dev/null" };
	static struct user_ids ids;
	char *s = malloc(size + 1);
	int r;

	CHECK(s);
	if (size > 0)
		memcpy(s, data, size);
	s[size] = '\0';
	fuzz_numbers(s);
	fuzz_structs(s, size);
	fuzz_signals(s);
	/* The files cost system calls: only for what looks like one. */
	if (memchr(s, ':', size)) {
		r = user_lookup(s, &nowhere, &ids);
		CHECK(r == 0 || r == -EINVAL || r == -ENOENT);
		fuzz_files(data, size);
	}
	free(s);
	return 0;
}
