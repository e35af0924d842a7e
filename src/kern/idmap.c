/* SPDX-License-Identifier: MIT */
#include "kern/idmap.h"

#include "base/io.h"
#include "base/sink.h"
#include "kern/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { HELPER_MAX_RANGES = 32 };

size_t idmap_format(const struct pidbox_idrange *ranges, size_t n, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);

	for (size_t i = 0; i < n; i++) {
		sink_num(&s, ranges[i].inside);
		sink_str(&s, " ");
		sink_num(&s, ranges[i].outside);
		sink_str(&s, " ");
		sink_num(&s, ranges[i].count);
		sink_str(&s, "\n");
	}
	return (size_t)sink_end(&s) < size ? s.len : 0;
}

int idmap_inside(const char *map, uint32_t outside, uint32_t *ret)
{
	while (*map != '\0') {
		char *end;
		unsigned long inside = strtoul(map, &end, 10), first = strtoul(end, &end, 10),
			      n = strtoul(end, &end, 10);

		if (outside >= first && outside - first < n) {
			*ret = (uint32_t)(inside + (outside - first));
			return 0;
		}
		map = end + strcspn(end, "\n");
		map += *map == '\n';
	}
	return -ENOENT;
}

/* The map itself tells what a status that is lost would have told. */
static int was_written(pid_t pid, const char *program)
{
	char path[48], text[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid,
		       strstr(program, "gid") != NULL ? "gid_map" : "uid_map");
	return io_read_file(AT_FDCWD, path, text, sizeof(text)) > 0 ? 0 : -EPERM;
}

int idmap_run_helper(const char *program, pid_t pid, const struct pidbox_idrange *ranges, size_t n, char *words,
		     size_t size)
{
	char numbers[1 + 3 * HELPER_MAX_RANGES][16];
	char *argv[3 + 3 * HELPER_MAX_RANGES] = { (char *)program };
	size_t argc = 1;
	size_t len;
	int r;

	words[0] = '\0';
	if (n > HELPER_MAX_RANGES)
		return -E2BIG;
	(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", (int)pid);
	argv[argc++] = numbers[0];
	for (size_t i = 0; i < n; i++) {
		const uint32_t part[] = { ranges[i].inside, ranges[i].outside, ranges[i].count };

		for (int k = 0; k < 3; k++, argc++) {
			(void)snprintf(numbers[argc - 1], sizeof(numbers[0]), "%u", part[k]);
			argv[argc] = numbers[argc - 1];
		}
	}
	argv[argc] = NULL;
	r = helper_run(program, argv, environ, STDERR_FILENO, words, size, &len);
	words[strcspn(words, "\n")] = '\0';
	if (r == -ECHILD) /* the caller ignores SIGCHLD, the status is lost */
		return was_written(pid, program);
	return r <= 0 ? r : r == 127 ? -ENOENT : r > 128 ? -EINTR : -EPERM;
}
