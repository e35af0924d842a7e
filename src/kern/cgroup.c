/* SPDX-License-Identifier: MIT */
#include "kern/cgroup.h"

#include <errno.h>
#include <string.h>

bool cgroup_next(const char **rest, struct cgroup_line *ret)
{
	while (**rest != '\0') {
		const char *line = *rest, *end = line + strcspn(line, "\n");
		const char *a = memchr(line, ':', (size_t)(end - line));
		const char *b = a != NULL ? memchr(a + 1, ':', (size_t)(end - a - 1)) : NULL;

		*rest = *end == '\n' ? end + 1 : end;
		if (b == NULL || b[1] != '/')
			continue;
		*ret = (struct cgroup_line){ a + 1, b + 1, (size_t)(b - a - 1), (size_t)(end - b - 1) };
		return true;
	}
	return false;
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

bool cgroup_find(const char *text, const struct cgroup_line *like, struct cgroup_line *ret)
{
	while (cgroup_next(&text, ret))
		if (same(ret->controllers, ret->controllers_len, like->controllers, like->controllers_len))
			return true;
	return false;
}

/* Is each of the comma-separated words of `part` one of `whole`? */
static bool has_words(const char *whole, size_t whole_len, const char *part, size_t part_len)
{
	while (part_len > 0) {
		const char *comma = memchr(part, ',', part_len);
		size_t len = comma != NULL ? (size_t)(comma - part) : part_len;
		bool found = false;

		for (size_t at = 0; at < whole_len && !found;) {
			const char *end = memchr(whole + at, ',', whole_len - at);
			size_t n = end != NULL ? (size_t)(end - whole) - at : whole_len - at;

			found = same(whole + at, n, part, len);
			at += n + 1;
		}
		if (!found)
			return false;
		part += len + (comma != NULL);
		part_len -= len + (comma != NULL);
	}
	return true;
}

struct field {
	const char *text;
	size_t len;
};

/* The fields of a line of mountinfo (proc(5)) that matter here; those after " - " have a place of their own. */
struct mount_line {
	struct field root, point, type, options;
};

static bool split(const char *line, size_t len, struct mount_line *ret)
{
	enum { ROOT = 3, POINT = 4, BEFORE_DASH = 6 };
	struct field fields[64];
	size_t n = 0, dash = 0;

	for (size_t at = 0; at < len && n < 64; at++) {
		size_t from = at;

		while (at < len && line[at] != ' ')
			at++;
		if (dash == 0 && n >= BEFORE_DASH && at - from == 1 && line[from] == '-')
			dash = n;
		fields[n++] = (struct field){ line + from, at - from };
	}
	if (dash == 0 || n < dash + 4)
		return false;
	*ret = (struct mount_line){ fields[ROOT], fields[POINT], fields[dash + 1], fields[dash + 3] };
	return true;
}

static bool is_hierarchy(const struct mount_line *m, const struct cgroup_line *line)
{
	if (line->controllers_len == 0)
		return same(m->type.text, m->type.len, "cgroup2", 7);
	return same(m->type.text, m->type.len, "cgroup", 6) &&
	       has_words(m->options.text, m->options.len, line->controllers, line->controllers_len);
}

/* The path below the mounted part. @return false when it is not in there */
static bool path_below(const struct mount_line *m, const struct cgroup_line *line, struct field *ret)
{
	size_t len = m->root.len == 1 ? 0 : m->root.len; /* "/" */

	if (line->path_len < len || memcmp(line->path, m->root.text, len) != 0)
		return false;
	*ret = (struct field){ line->path + len, line->path_len - len };
	if (same(ret->text, ret->len, "/", 1))
		ret->len = 0;
	/* "/..": above the root of the reader's cgroup namespace (cgroup_namespaces(7)) */
	if (ret->len >= 3 && memcmp(ret->text, "/..", 3) == 0 && (ret->len == 3 || ret->text[3] == '/'))
		return false;
	return ret->len == 0 || ret->text[0] == '/';
}

int cgroup_directory(const struct cgroup_line *line, const char *mountinfo, char *buf, size_t size)
{
	while (*mountinfo != '\0') {
		size_t len = strcspn(mountinfo, "\n");
		struct mount_line m;
		struct field below;

		if (split(mountinfo, len, &m) && is_hierarchy(&m, line) && path_below(&m, line, &below)) {
			if (m.point.len + below.len >= size)
				return -ENAMETOOLONG;
			memcpy(buf, m.point.text, m.point.len);
			memcpy(buf + m.point.len, below.text, below.len);
			buf[m.point.len + below.len] = '\0';
			return 0;
		}
		mountinfo += len + (mountinfo[len] == '\n');
	}
	return -ENOENT;
}
