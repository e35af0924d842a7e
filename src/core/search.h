/* SPDX-License-Identifier: MIT */
/* Entries of an environment, and directories of a PATH: what the front and the init both look through. Pure. */
#ifndef CORE_SEARCH_H
#define CORE_SEARCH_H

#include <stdbool.h>
#include <string.h>

#define SEARCH_DEFAULT_PATH "/bin:/usr/bin" /* where there is no PATH, as execvp(3) */

static inline size_t env_name_length(const char *entry)
{
	return strcspn(entry, "=");
}

/* Do two entries, "K=V" or "K", name the same variable? */
static inline bool env_same_name(const char *a, const char *b)
{
	for (; *a == *b && *a != '=' && *a != '\0'; a++)
		b++;
	return (*a == '=' || *a == '\0') && (*b == '=' || *b == '\0');
}

/* The value in "K=V"; NULL in "K". */
static inline const char *env_value(const char *entry)
{
	entry += env_name_length(entry);
	return *entry == '=' ? entry + 1 : NULL;
}

/* With a slash in it the name is the file itself (execvp(3)). */
static inline bool search_is_file(const char *name)
{
	return strchr(name, '/') != NULL || name[0] == '\0';
}

/* The next directory of *rest, where an empty one is the current directory. @return NULL after the last one */
static inline const char *search_next(const char **rest, size_t *ret_len)
{
	const char *dir = *rest;

	if (dir == NULL)
		return NULL;
	*ret_len = strcspn(dir, ":");
	*rest = dir[*ret_len] == ':' ? dir + *ret_len + 1 : NULL;
	if (*ret_len > 0)
		return dir;
	*ret_len = 1;
	return ".";
}

#endif
