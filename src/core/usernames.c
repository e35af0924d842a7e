/* SPDX-License-Identifier: MIT */
#include "core/usernames.h"

#include "base/util.h"
#include "kern/user.h"

#include <string.h>

struct username {
	uint32_t uid;
	char *name; /* NULL: none */
};

const char *usernames_get(struct usernames *names, uint32_t uid)
{
	struct username *all;
	char name[256];

	for (size_t i = 0; i < names->n; i++)
		if (names->all[i].uid == uid)
			return names->all[i].name;
	all = reallocarray(names->all, names->n + 1, sizeof(*all));
	if (all == NULL)
		return NULL;
	names->all = all;
	all[names->n] = (struct username){ uid, user_name(uid, NULL, name, sizeof(name)) == 0 ? strdup(name) : NULL };
	return all[names->n++].name;
}

void usernames_free(struct usernames *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->all[i].name);
	free(names->all);
}
