/* SPDX-License-Identifier: MIT */
#include "kern/mnt.h"

#include "base/sink.h"

#include <string.h>

/* The fifth field of a line of mountinfo is the mount point. @return its start, NULL at the end of the text */
static const char *mount_point(const char *line, size_t *ret_len)
{
	for (int field = 1; field < 5; field++) {
		line = strchr(line, ' ');
		if (line == NULL)
			return NULL;
		line++;
	}
	*ret_len = strcspn(line, " \n");
	return line;
}

size_t mnt_proc_masks(const char *mountinfo, char *buf, size_t size)
{
	static const char prefix[] = "/proc/";
	struct sink s = SINK_BUF(buf, size);
	size_t n = 0;
	enum { NAMED = 6 };

	for (const char *line = mountinfo; line != NULL && *line != '\0';) {
		size_t len;
		const char *point = mount_point(line, &len);

		if (point == NULL)
			break;
		if (len >= sizeof(prefix) && strncmp(point, prefix, sizeof(prefix) - 1) == 0) {
			if (n < NAMED) {
				sink_str(&s, n > 0 ? ", " : "");
				sink_bytes(&s, point, len);
			}
			n++;
		}
		line = strchr(point, '\n');
		if (line != NULL)
			line++;
	}
	if (n > NAMED) {
		sink_str(&s, " and ");
		sink_num(&s, (int64_t)(n - NAMED));
		sink_str(&s, " more");
	}
	(void)sink_end(&s);
	return n;
}
