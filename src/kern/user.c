/* SPDX-License-Identifier: MIT */
/*
 * user.c - the user databases; see user.h.
 *
 * A file is read as a whole before anything is taken from it, so that a read error cannot leave half an answer. Spans
 * point into that buffer, which ends in a NUL: a number that is read at a span's start stops inside the buffer.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "kern/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"
#include "kern/helper.h"

#define NAME_SIZE     256
#define FILE_SIZE_MAX ((size_t)64 << 20)
/* One line of getent: the gids of an initgroups answer, ten digits and a blank each, are the longest of use. */
#define ANSWER_SIZE (NAME_SIZE + USER_GROUPS_MAX * 11)
#define ID_MAX      (UINT32_MAX - 1) /* 2^32-1 is "no id" in every call */

struct span {
	const char *at;
	size_t len;
};

struct entry {
	struct span name;
	uint32_t id;         /* the uid of a user, the gid of a group */
	uint32_t gid;        /* of a user */
	struct span members; /* of a group */
};

/* What is looked for: an id when text is all digits, else a name. */
struct key {
	char text[NAME_SIZE];
	bool is_id;
	uint32_t id;
};

struct account {
	char name[NAME_SIZE];
	uint32_t uid, gid;
	bool from_getent;
};

/* ---------------------------------------------------------------- files */

static int read_all(int fd, char **ret, size_t *ret_len)
{
	size_t size = 4096, len = 0;
	char *buf = malloc(size);

	while (buf) {
		ssize_t n = read(fd, buf + len, size - len - 1);
		char *larger;

		if (n == 0) {
			buf[len] = '\0';
			*ret = buf;
			*ret_len = len;
			return 0;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || size > FILE_SIZE_MAX) {
			int r = n < 0 ? -errno : -EFBIG;

			free(buf);
			return r;
		}
		len += (size_t)n;
		if (len < size - 1)
			continue;
		size *= 2;
		larger = realloc(buf, size);
		if (!larger)
			free(buf);
		buf = larger;
	}
	return -ENOMEM;
}

static int read_file(const char *path, char **ret, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return -errno;
	r = read_all(fd, ret, ret_len);
	close(fd);
	return r;
}

/* Cut what is before the next sep off the front of `from`. False when nothing is left to cut. */
static bool take_until(struct span *from, char sep, struct span *ret)
{
	const char *end;

	if (!from->at)
		return false;
	end = memchr(from->at, sep, from->len);
	ret->at = from->at;
	ret->len = end ? (size_t)(end - from->at) : from->len;
	/* "a:" has two fields and "a" has one: only after a separator there is a rest, though it may be empty. */
	from->at = end ? end + 1 : NULL;
	from->len -= end ? ret->len + 1 : ret->len;
	return true;
}

static bool take_u32(struct span *from, char sep, uint32_t max, uint32_t *ret)
{
	struct span field;
	const char *p;
	uint64_t value;

	if (!take_until(from, sep, &field))
		return false;
	p = field.at;
	if (parse_digits(&p, &value) < 0 || p != field.at + field.len || value > max)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool span_is(struct span span, const char *s)
{
	return strlen(s) == span.len && memcmp(span.at, s, span.len) == 0;
}

/* NAME:PASSWORD: and the rest. Comments and the +NAME and -NAME of NIS are no entries. */
static bool take_name(struct span *line, struct span *ret)
{
	struct span password;

	return take_until(line, ':', ret) && take_until(line, ':', &password) && ret->len > 0 && ret->len < NAME_SIZE &&
	       !memchr("#+-", ret->at[0], 3) && !memchr(ret->at, '\0', ret->len);
}

static bool parse_user(struct span line, struct entry *ret)
{
	return take_name(&line, &ret->name) && take_u32(&line, ':', ID_MAX, &ret->id) &&
	       take_u32(&line, ':', ID_MAX, &ret->gid);
}

static bool parse_group(struct span line, struct entry *ret)
{
	if (!take_name(&line, &ret->name) || !take_u32(&line, ':', ID_MAX, &ret->id))
		return false;
	if (!take_until(&line, ':', &ret->members))
		ret->members = (struct span){ NULL, 0 };
	return true;
}

typedef bool parse_entry_fn(struct span line, struct entry *ret);

static bool key_matches(const struct key *key, const struct entry *entry)
{
	return key->is_id ? entry->id == key->id : span_is(entry->name, key->text);
}

static bool find_entry(struct span text, parse_entry_fn *parse, const struct key *key, struct entry *ret)
{
	struct span line;

	while (take_until(&text, '\n', &line)) {
		struct entry entry;

		if (parse(line, &entry) && key_matches(key, &entry)) {
			*ret = entry;
			return true;
		}
	}
	return false;
}

/* ---------------------------------------------------------------- getent */

static const char *const getent_paths[] = { "/usr/bin/getent", "/bin/getent", NULL };

static bool is_default(const char *path, const char *usual)
{
	return !path || strcmp(path, usual) == 0;
}

/* @return -ENOENT when there is no such program, -ESRCH when it does not know; others */
static int run_getent(const char *path, const char *database, const char *key, char *buf, size_t size, size_t *ret_len)
{
	/* Not the caller's environment: the answer is to depend on the system alone. A script needs its PATH. */
	static char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	/* execve takes what it does not change as char *. */
	char *const argv[] = { "getent", (char *)database, (char *)key, NULL };
	int r = helper_run(path, argv, env, STDOUT_FILENO, buf, size, ret_len);

	/* Where the host reaps every child itself, the answer alone has to tell. */
	return r == -ECHILD ? 0 : r > 0 ? -ESRCH : r;
}

/* The first line of getent's answer. -ENOENT when it does not know, is not to be asked, or is not there. */
static int ask_getent(const struct user_db *db, const char *database, const char *key, char buf[static ANSWER_SIZE],
		      struct span *ret)
{
	const char *const given[] = { db->getent, NULL };
	const char *const *path = db->getent ? given : getent_paths;
	struct span answer = { buf, 0 };
	int r = -ENOENT;

	if (!db->getent && (!is_default(db->passwd, USER_PASSWD) || !is_default(db->group, USER_GROUP)))
		return r;
	/* getent would take these for an option or, as strtoul does, for a number: "+0" is no name of root's. */
	if (memchr("-+ ", key[0], 3))
		return r;
	for (; r == -ENOENT && *path; path++)
		r = run_getent(*path, database, key, buf, ANSWER_SIZE, &answer.len);
	if (r < 0)
		return r == -ESRCH ? -ENOENT : r;
	take_until(&answer, '\n', ret);
	return ret->len > 0 ? 0 : -ENOENT;
}

/* ---------------------------------------------------------------- look-ups */

/* The entry in the file, else from getent. The strings of *ret are in *ret_text, to be freed by the caller. */
static int find_in_file(const char *path, parse_entry_fn *parse, const struct key *key, struct entry *ret,
			char **ret_text)
{
	struct span text = { 0 };
	char *buf = NULL;
	int r = read_file(path, &buf, &text.len);

	if (r < 0)
		return r;
	text.at = buf;
	if (!find_entry(text, parse, key, ret)) {
		free(buf);
		return -ENOENT;
	}
	*ret_text = buf;
	return 0;
}

static void fill_account(const struct entry *entry, bool from_getent, struct account *ret)
{
	memcpy(ret->name, entry->name.at, entry->name.len);
	ret->name[entry->name.len] = '\0';
	ret->uid = entry->id;
	ret->gid = entry->gid;
	ret->from_getent = from_getent;
}

static int find_account(const struct user_db *db, const struct key *key, struct account *ret)
{
	char answer[ANSWER_SIZE], *text = NULL;
	struct entry entry;
	struct span line;
	int r = find_in_file(db->passwd ? db->passwd : USER_PASSWD, parse_user, key, &entry, &text);

	if (r == 0) {
		fill_account(&entry, false, ret);
		free(text);
	}
	if (r != -ENOENT)
		return r;
	r = ask_getent(db, "passwd", key->text, answer, &line);
	if (r < 0)
		return r;
	/* The name may differ from the one asked for, as directories fold case and add domains; an id may not. */
	if (!parse_user(line, &entry) || (key->is_id && entry.id != key->id))
		return -ENOENT;
	fill_account(&entry, true, ret);
	return 0;
}

static int find_gid(const struct user_db *db, const struct key *key, uint32_t *ret)
{
	char answer[ANSWER_SIZE], *text = NULL;
	struct entry entry;
	struct span line;
	int r;

	if (key->is_id) {
		*ret = key->id;
		return 0;
	}
	r = find_in_file(db->group ? db->group : USER_GROUP, parse_group, key, &entry, &text);
	if (r == 0) {
		*ret = entry.id;
		free(text);
	}
	if (r != -ENOENT)
		return r;
	r = ask_getent(db, "group", key->text, answer, &line);
	if (r < 0)
		return r;
	if (!parse_group(line, &entry))
		return -ENOENT;
	*ret = entry.id;
	return 0;
}

static int add_group(struct user_ids *ids, uint32_t gid)
{
	for (size_t i = 0; i < ids->n_groups; i++) {
		if (ids->groups[i] == gid)
			return 0;
	}
	/* Not cut off silently: a group can also be what keeps somebody out. */
	if (ids->n_groups == USER_GROUPS_MAX)
		return -E2BIG;
	ids->groups[ids->n_groups++] = gid;
	return 0;
}

static int add_groups_of_file(const char *path, const char *name, struct user_ids *ids)
{
	struct span text = { 0 }, line, member;
	char *buf = NULL;
	int r = read_file(path, &buf, &text.len);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	text.at = buf;
	while (r == 0 && take_until(&text, '\n', &line)) {
		struct entry entry;

		if (!parse_group(line, &entry))
			continue;
		while (r == 0 && take_until(&entry.members, ',', &member)) {
			if (span_is(member, name))
				r = add_group(ids, entry.id);
		}
	}
	free(buf);
	return r;
}

/* "NAME   GID GID GID"; Alpine's getent has no such database: then -ENOENT. */
static int add_groups_of_getent(const struct user_db *db, const char *name, struct user_ids *ids)
{
	char answer[ANSWER_SIZE];
	size_t name_len = strlen(name);
	struct span line, field;
	int r = ask_getent(db, "initgroups", name, answer, &line);

	if (r < 0)
		return r;
	if (line.len < name_len || memcmp(line.at, name, name_len) != 0)
		return -ENOENT;
	if (line.at + line.len == answer + ANSWER_SIZE - 1)
		return -E2BIG; /* cut, maybe in a number */
	line.at += name_len;
	line.len -= name_len;
	while (r == 0 && take_until(&line, ' ', &field)) {
		uint32_t gid;

		if (field.len > 0 && take_u32(&field, ' ', ID_MAX, &gid))
			r = add_group(ids, gid);
	}
	return r;
}

static int add_groups_of_account(const struct user_db *db, const struct account *account, struct user_ids *ids)
{
	int r = -ENOENT;

	if (account->from_getent)
		r = add_groups_of_getent(db, account->name, ids);
	if (r == -ENOENT)
		r = add_groups_of_file(db->group ? db->group : USER_GROUP, account->name, ids);
	return r;
}

static int parse_key(const char *s, size_t len, struct key *ret)
{
	struct key key = { .is_id = true };

	if (len == 0 || len >= sizeof(key.text))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f || s[i] == ':')
			return -EINVAL;
		if (s[i] < '0' || s[i] > '9')
			key.is_id = false;
	}
	memcpy(key.text, s, len);
	if (key.is_id && parse_u32(key.text, 0, ID_MAX, &key.id) < 0)
		return -EINVAL;
	*ret = key;
	return 0;
}

int user_lookup(const char *spec, const struct user_db *db, struct user_ids *ret)
{
	static const struct user_db usual = { 0 };
	size_t len = strcspn(spec, ":");
	const char *group_spec = spec[len] == ':' ? spec + len + 1 : NULL;
	struct account account = { 0 };
	struct user_ids ids = { 0 };
	struct key user, group;
	bool known = false;
	int r = parse_key(spec, len, &user);

	if (!db)
		db = &usual;
	if (r == 0 && group_spec)
		r = parse_key(group_spec, strlen(group_spec), &group);
	if (r < 0)
		return r;
	account.uid = user.id;
	if (!user.is_id || !group_spec) {
		r = find_account(db, &user, &account);
		if (r < 0 && (r != -ENOENT || !user.is_id))
			return r;
		known = r == 0;
	}
	ids.uid = account.uid;
	ids.gid = account.gid;
	ids.is_number = !group_spec && !known;
	if (group_spec) {
		r = find_gid(db, &group, &ids.gid);
		if (r < 0)
			return r;
	}
	r = add_group(&ids, ids.gid);
	if (r == 0 && !group_spec && known)
		r = add_groups_of_account(db, &account, &ids);
	if (r < 0)
		return r;
	*ret = ids;
	return 0;
}

void user_set_groups(struct user_ids *user, uint32_t gid, const uint32_t *groups, size_t n)
{
	user->gid = gid;
	user->n_groups = 0;
	(void)add_group(user, gid);
	for (size_t i = 0; i < n; i++)
		(void)add_group(user, groups[i]);
}

int user_name(uint32_t uid, const struct user_db *db, char *buf, size_t size)
{
	static const struct user_db usual = { 0 };
	struct key key = { .is_id = true, .id = uid };
	struct account account;
	size_t len;
	int r;

	snprintf(key.text, sizeof(key.text), "%lu", (unsigned long)uid);
	r = find_account(db ? db : &usual, &key, &account);
	if (r < 0)
		return r;
	len = strlen(account.name);
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, account.name, len + 1);
	return 0;
}

static bool parse_subid(struct span line, uint32_t uid, const char *name, struct pidbox_idrange *ret)
{
	struct pidbox_idrange range = { 0 };
	struct span owner = line, text;
	uint32_t id;

	if (!take_until(&line, ':', &text) || text.len == 0)
		return false;
	if (!(name && span_is(text, name)) && !(take_u32(&owner, ':', ID_MAX, &id) && id == uid))
		return false;
	if (!take_u32(&line, ':', UINT32_MAX, &range.outside) || !take_u32(&line, ':', UINT32_MAX, &range.count))
		return false;
	if (line.at || range.count == 0 || range.count > UINT32_MAX - range.outside)
		return false;
	*ret = range;
	return true;
}

int subid_read(const char *path, uint32_t uid, const char *name, struct pidbox_idrange *ret_ranges, size_t max,
	       size_t *ret_n)
{
	struct span text = { 0 }, line;
	size_t n = 0;
	char *buf = NULL;
	int r = read_file(path, &buf, &text.len);

	if (r < 0)
		return r;
	text.at = buf;
	while (n < max && take_until(&text, '\n', &line)) {
		if (parse_subid(line, uid, name, &ret_ranges[n]))
			n++;
	}
	free(buf);
	*ret_n = n;
	return 0;
}
