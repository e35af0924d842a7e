/* SPDX-License-Identifier: MIT */
#include "kern/mnt.h"

#include "base/sink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A field that ends at a blank. @return what follows the blank; NULL: the line is at its end */
static const char *field(const char *p, const char **ret, size_t *ret_len)
{
	size_t len = strcspn(p, " \n");

	*ret = p;
	*ret_len = len;
	return p[len] == ' ' ? p + len + 1 : NULL;
}

/* ID PARENT MAJOR:MINOR ROOT POINT OPTIONS TAG... - TYPE SOURCE OPTIONS */
static bool parse_line(const char *p, struct mnt_line *ret)
{
	const char *skipped, *dev;
	size_t len = 0;
	char *end;
	unsigned long major, minor;

	p = field(p, &skipped, &len);
	p = p != NULL ? field(p, &skipped, &len) : NULL;
	p = p != NULL ? field(p, &dev, &len) : NULL;
	p = p != NULL ? field(p, &ret->root, &ret->root_len) : NULL;
	p = p != NULL ? field(p, &ret->point, &ret->point_len) : NULL;
	if (p == NULL)
		return false;
	major = strtoul(dev, &end, 10);
	if (*end != ':')
		return false;
	minor = strtoul(end + 1, NULL, 10);
	ret->dev = makedev((unsigned)major, (unsigned)minor);
	do {
		p = field(p, &skipped, &len);
	} while (p != NULL && !(len == 1 && *skipped == '-'));
	return p != NULL && field(p, &ret->type, &ret->type_len) != NULL;
}

bool mnt_next(const char **text, struct mnt_line *ret)
{
	while (**text != '\0') {
		const char *line = *text;

		*text += strcspn(line, "\n");
		*text += **text == '\n';
		if (parse_line(line, ret))
			return true;
	}
	return false;
}

bool mnt_unescape(const char *path, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		const char *p = path + i;

		if (len - i >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			buf[n++] = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			i += 3;
		} else {
			buf[n++] = *p;
		}
		if (i + 1 == len) {
			buf[n] = '\0';
			return true;
		}
	}
	return false;
}

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
