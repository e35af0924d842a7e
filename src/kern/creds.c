/* SPDX-License-Identifier: MIT */
#include "kern/creds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What follows "NAME:\t" at the start of a line; NULL: no such line. */
static const char *find_line(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, name, len) == 0 && text[len] == ':')
			return text + len + 1;
	}
	return NULL;
}

/* @return the number and *rest behind it; false at the end of the line or of what are numbers */
static bool next_number(const char **rest, int base, uint64_t *ret)
{
	const char *p = *rest + strspn(*rest, " \t");
	char *end;

	if (*p == '\n' || *p == '\0' || *p == '-')
		return false;
	errno = 0;
	*ret = strtoull(p, &end, base);
	*rest = end;
	return end != p && errno == 0;
}

static int parse_set(const char *status, const char *name, uint64_t *ret)
{
	const char *p = find_line(status, name);

	return p != NULL && next_number(&p, 16, ret) ? 0 : -EBADMSG;
}

/* "Uid:" and "Gid:" have four: real, effective, saved, file system. */
static int parse_id(const char *status, const char *name, uint32_t *ret)
{
	const char *p = find_line(status, name);
	uint64_t real, effective;

	if (p == NULL || !next_number(&p, 10, &real) || !next_number(&p, 10, &effective) || effective > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)effective;
	return 0;
}

static int parse_groups(const char *status, struct creds *ret)
{
	const char *p = find_line(status, "Groups");
	uint64_t gid;

	if (p == NULL)
		return -EBADMSG;
	for (ret->n_groups = 0; next_number(&p, 10, &gid); ret->n_groups++) {
		if (gid > UINT32_MAX)
			return -EBADMSG;
		if (ret->n_groups == CREDS_MAX_GROUPS)
			return -E2BIG;
		ret->groups[ret->n_groups] = (uint32_t)gid;
	}
	return 0;
}

int creds_parse(const char *status, struct creds *ret)
{
	const struct {
		const char *name;
		uint64_t *set;
	} sets[] = {
		{ "CapInh", &ret->inheritable }, { "CapPrm", &ret->permitted }, { "CapEff", &ret->effective },
		{ "CapBnd", &ret->bounding },    { "CapAmb", &ret->ambient },
	};
	const char *nnp = find_line(status, "NoNewPrivs");
	int r = parse_id(status, "Uid", &ret->uid);

	if (r == 0)
		r = parse_id(status, "Gid", &ret->gid);
	if (r == 0)
		r = parse_groups(status, ret);
	for (size_t i = 0; r == 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
		r = parse_set(status, sets[i].name, sets[i].set);
	ret->no_new_privs = nnp != NULL && nnp[strspn(nnp, " \t")] == '1';
	return r;
}

static bool has_group(const struct creds *c, uint32_t gid)
{
	for (uint32_t i = 0; i < c->n_groups; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

static bool has_groups_of(const struct creds *a, const struct creds *b)
{
	for (uint32_t i = 0; i < b->n_groups; i++)
		if (!has_group(a, b->groups[i]))
			return false;
	return true;
}

bool creds_same_ids(const struct creds *a, const struct creds *b)
{
	return a->uid == b->uid && a->gid == b->gid && has_groups_of(a, b) && has_groups_of(b, a);
}
