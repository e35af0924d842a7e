/* SPDX-License-Identifier: MIT */
/* Names of users, each looked up once: an id that no file has costs a run of getent(1). */
#ifndef CORE_USERNAMES_H
#define CORE_USERNAMES_H

#include <stddef.h>
#include <stdint.h>

/** Zeroed before the first use. */
struct usernames {
	struct username *all;
	size_t n;
};

/** @return its name, which belongs to *names; NULL: it has none here, or memory ran out */
const char *usernames_get(struct usernames *names, uint32_t uid);
void usernames_free(struct usernames *names);

#endif
