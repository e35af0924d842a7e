/* SPDX-License-Identifier: MIT */
#include "kern/oom.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is the word in a list with commas? The empty word stands for the empty list. */
static bool listed(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	if (word_len == 0)
		return len == 0;
	for (const char *p = list, *end = list + len; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma != NULL ? comma : end) - p);

		if (n == word_len && memcmp(p, word, n) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

/* Lines are "ID:CONTROLLERS:PATH" (cgroups(7)); version 2 has no controllers there. */
int oom_cgroup_path(const char *cgroups, const char *controller, char *buf, unsigned long size)
{
	for (const char *line = cgroups; line != NULL && *line != '\0';) {
		const char *list = strchr(line, ':');
		const char *path = list != NULL ? strchr(list + 1, ':') : NULL;
		size_t len = path != NULL ? strcspn(path + 1, "\n") : 0;

		if (path == NULL)
			return -1;
		if (listed(list + 1, (size_t)(path - list - 1), controller) && len < size) {
			memcpy(buf, path + 1, len);
			buf[len] = '\0';
			return 0;
		}
		line = strchr(path, '\n');
		if (line != NULL)
			line++;
	}
	return -1;
}

int64_t oom_kills(void)
{
	static const struct {
		const char *controller, *root, *file;
	} places[] = {
		{ "", "/sys/fs/cgroup", "memory.events" },
		{ "memory", "/sys/fs/cgroup/memory", "memory.oom_control" },
	};
	char cgroups[4096], path[1024], file[1200], text[1024];

	if (io_read_file(AT_FDCWD, "/proc/self/cgroup", cgroups, sizeof(cgroups)) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *count;

		if (oom_cgroup_path(cgroups, places[i].controller, path, sizeof(path)) < 0)
			continue;
		(void)snprintf(file, sizeof(file), "%s%s/%s", places[i].root, path, places[i].file);
		if (io_read_file(AT_FDCWD, file, text, sizeof(text)) < 0)
			continue;
		count = strstr(text, "oom_kill ");
		if (count != NULL)
			return atoll(count + strlen("oom_kill "));
	}
	return -1;
}
