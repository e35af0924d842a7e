/* SPDX-License-Identifier: MIT */
#include "core/entry.h"

#include "base/parse.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT = 1 };

void entry_set_command(struct entry *entry, char *const *argv)
{
	size_t len = 1;

	entry->command[0] = '[';
	for (size_t i = 0; argv[i] != NULL; i++) {
		size_t left = sizeof(entry->command) - len - sizeof(",]");
		struct sink s = SINK_BUF(entry->command + len + (i > 0), left);
		int64_t n;

		sink_json(&s, argv[i], strlen(argv[i]));
		n = sink_end(&s);
		if (n >= (int64_t)left)
			break;
		if (i > 0)
			entry->command[len++] = ',';
		len += (size_t)n;
	}
	memcpy(entry->command + len, "]", sizeof("]"));
}

size_t entry_format(const struct entry *entry, char *buf, size_t size)
{
	char id[PIDREF_ID_SIZE];

	pidref_format(&entry->id, id);
	return (size_t)snprintf(buf, size,
				"format %d\nid %s\npid_namespace %llu\nboot_id %s\nstarted %lld\nversion %s\ncommand "
				"%s\nend\n",
				FORMAT, id, (unsigned long long)entry->pid_namespace, entry->boot_id,
				(long long)entry->started_us, entry->version, entry->command);
}

/* ------------------------------------------------------------ reading */

static int number(const char *value, uint64_t *ret)
{
	return parse_digits(&value, ret) == 0 && *value == '\0' ? 0 : -EBADMSG;
}

/* Nobody's terminal is to be written to from here. */
static int text(const char *value, char *buf, size_t size)
{
	size_t len = strlen(value);

	if (len >= size)
		return -EBADMSG;
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return -EBADMSG;
	memcpy(buf, value, len + 1);
	return 0;
}

static int take_line(struct entry *e, const char *key, const char *value)
{
	uint64_t n;
	int r = 0;

	if (strcmp(key, "format") == 0) {
		r = number(value, &n);
		return r == 0 && n != FORMAT ? -EBADMSG : r;
	}
	if (strcmp(key, "id") == 0)
		return pidref_parse(value, &e->id) == 0 ? 0 : -EBADMSG;
	if (strcmp(key, "pid_namespace") == 0)
		return number(value, &e->pid_namespace);
	if (strcmp(key, "boot_id") == 0)
		return text(value, e->boot_id, sizeof(e->boot_id));
	if (strcmp(key, "version") == 0)
		return text(value, e->version, sizeof(e->version));
	if (strcmp(key, "command") == 0)
		return text(value, e->command, sizeof(e->command));
	if (strcmp(key, "started") == 0) {
		r = number(value, &n);
		if (r == 0 && n <= INT64_MAX)
			e->started_us = (int64_t)n;
	}
	return r; /* of a newer release: not for us */
}

int entry_parse(const char *given, struct entry *ret)
{
	struct entry e = { .id = PIDREF_NONE };
	char line[ENTRY_COMMAND_SIZE + 32];

	if (given[0] != '\0' && strncmp(given, "format ", 7) != 0)
		return strncmp("format ", given, strlen(given)) == 0 ? -ENODATA : -EBADMSG;
	for (const char *p = given; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		char *value;
		int r;

		if (p[len] == '\0')
			return -ENODATA;
		if (len >= sizeof(line))
			return -EBADMSG;
		memcpy(line, p, len);
		line[len] = '\0';
		p += len + 1;
		if (strcmp(line, "end") == 0) {
			if (e.id.pid == 0 || *p != '\0')
				return -EBADMSG;
			*ret = e;
			return 0;
		}
		value = strchr(line, ' ');
		if (value == NULL)
			return -EBADMSG;
		*value = '\0';
		r = take_line(&e, line, value + 1);
		if (r < 0)
			return r;
	}
	return -ENODATA;
}

int kept_parse(const char *given, size_t len, struct kept *ret)
{
	const char *end = memchr(given, '\n', len), *p = given;
	struct kept kept = { 0 };
	uint64_t status, signal;
	size_t head;

	if (end == NULL)
		return len < 64 ? -ENODATA : -EBADMSG;
	head = (size_t)(end - given) + 1;
	if (head < sizeof("exit 0 0") || memcmp(p, "exit ", 5) != 0)
		return -EBADMSG;
	p += 5;
	if (parse_digits(&p, &status) < 0 || *p++ != ' ' || parse_digits(&p, &signal) < 0 || *p != '\n' ||
	    status > 255 || signal > 64)
		return -EBADMSG;
	kept.record = end + 1;
	kept.size = len - head;
	if (kept.size == 0 || kept.record[kept.size - 1] != '\n')
		return -ENODATA;
	kept.size--;
	if (memchr(kept.record, '\n', kept.size) != NULL || memchr(kept.record, '\0', kept.size) != NULL)
		return -EBADMSG;
	kept.status = (int)status;
	kept.signal = (int)signal;
	*ret = kept;
	return 0;
}
