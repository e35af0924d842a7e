/* SPDX-License-Identifier: MIT */
#include "core/usernames.h"

#include "base/util.h"
#include "kern/user.h"

#include <string.h>

enum { ASKED_MAX = 32 };

struct username {
	uint32_t uid;
	char *name; /* NULL: none */
};

/* Where a uid is, or is to be put: they are in order. */
static size_t find(const struct usernames *names, uint32_t uid)
{
	size_t from = 0, to = names->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (names->all[middle].uid < uid)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static char *look_up(const struct usernames *names, uint32_t uid)
{
	/* With any other group file than the usual one getent is not asked: the names of many are not worth a process
	 * for each. */
	static const struct user_db files = { .group = "/dev/null" };
	char name[256];

	return user_name(uid, names->n <= ASKED_MAX ? NULL : &files, name, sizeof(name)) == 0 ? strdup(name) : NULL;
}

const char *usernames_get(struct usernames *names, uint32_t uid)
{
	size_t at = find(names, uid);
	struct username *all;

	if (at < names->n && names->all[at].uid == uid)
		return names->all[at].name;
	all = reallocarray(names->all, names->n + 1, sizeof(*all));
	if (all == NULL)
		return NULL;
	names->all = all;
	memmove(all + at + 1, all + at, (names->n - at) * sizeof(*all));
	names->n++;
	all[at] = (struct username){ uid, look_up(names, uid) };
	return all[at].name;
}

void usernames_free(struct usernames *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->all[i].name);
	free(names->all);
}
