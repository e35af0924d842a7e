/* SPDX-License-Identifier: MIT */
#include "core/command.h"

#include "base/util.h"
#include "core/search.h"

#include <errno.h>
#include <string.h>

/* A list of offsets that grows. */
struct offsets {
	uint32_t *at;
	size_t n, size;
};

static void push(struct blob *b, struct offsets *list, uint32_t offset)
{
	if (list->n == list->size) {
		size_t size = list->size > 0 ? 2 * list->size : 64;
		uint32_t *at = reallocarray(list->at, size, sizeof(*at));

		if (at == NULL) {
			b->error = -ENOMEM;
			return;
		}
		list->at = at;
		list->size = size;
	}
	list->at[list->n++] = offset;
}

static uint32_t finish(struct blob *b, struct offsets *list)
{
	uint32_t table = b->error == 0 ? blob_table(b, list->at, list->n) : 0;

	free(list->at);
	return table;
}

/* ------------------------------------------------------------ environment */

static bool named_in(const char *entry, const char *const *list, bool with_value)
{
	for (; list != NULL && *list != NULL; list++)
		if (env_same_name(entry, *list) && (!with_value || env_value(*list) != NULL))
			return true;
	return false;
}

static bool passes(const struct pidbox_spec *s, const char *entry)
{
	if (named_in(entry, s->set_env, true))
		return false; /* replaced */
	if (s->clear_env)
		return named_in(entry, s->set_env, false); /* "-e K" keeps K */
	return !named_in(entry, s->unset_env, false);
}

static bool set_again_later(const char *const *entry)
{
	for (const char *const *p = entry + 1; *p != NULL; p++)
		if (env_same_name(*entry, *p) && env_value(*p) != NULL)
			return true;
	return false;
}

static uint32_t build_env(struct blob *b, const struct pidbox_spec *s, const char *const *base)
{
	bool all = s->set_env == NULL && s->unset_env == NULL && !s->clear_env;
	struct offsets list = { 0 };

	for (; base != NULL && *base != NULL; base++)
		if (all || passes(s, *base))
			push(b, &list, blob_str(b, *base));
	for (const char *const *p = s->set_env; p != NULL && *p != NULL; p++)
		if (env_value(*p) != NULL && !set_again_later(p))
			push(b, &list, blob_str(b, *p));
	return finish(b, &list);
}

static const char *env_lookup(const struct pidbox_spec *s, const char *const *base, const char *name)
{
	const char *found = NULL;

	for (; base != NULL && *base != NULL && found == NULL; base++)
		if (env_same_name(*base, name) && passes(s, *base))
			found = env_value(*base);
	for (const char *const *p = s->set_env; p != NULL && *p != NULL; p++)
		if (env_same_name(*p, name) && env_value(*p) != NULL)
			found = env_value(*p);
	return found;
}

/* ------------------------------------------------------------ files to try */

static uint32_t build_paths(struct blob *b, const char *file, const char *path)
{
	struct offsets list = { 0 };
	const char *dir;
	size_t len;

	if (search_is_file(file)) {
		push(b, &list, blob_str(b, file));
		return finish(b, &list);
	}
	while ((dir = search_next(&path, &len)) != NULL) {
		uint32_t at = blob_add(b, dir, len);

		(void)blob_add(b, "/", 1);
		(void)blob_str(b, file);
		push(b, &list, at);
	}
	return finish(b, &list);
}

void command_build(struct blob *b, const struct pidbox_spec *spec, const struct plan_facts *facts,
		   struct command_tables *ret)
{
	const char *const *base = spec->envp != NULL ? spec->envp : facts->environ;
	bool of_a_shell = spec->argv == NULL || spec->argv[0] == NULL;
	const char *shell = of_a_shell ? env_lookup(spec, base, "SHELL") : NULL;
	const char *path = env_lookup(spec, base, "PATH");
	const char *default_argv[] = { shell != NULL && shell[0] != '\0' ? shell : "/bin/sh", NULL };
	const char *const *argv = of_a_shell ? default_argv : spec->argv;
	struct offsets list = { 0 }, none = { 0 };

	ret->envp = build_env(b, spec, base);
	if (spec->idle) {
		ret->argv = finish(b, &list);
		ret->paths = finish(b, &none);
		return;
	}

	ret->file = blob_str(b, argv[0]);
	push(b, &list, spec->argv0 != NULL ? blob_str(b, spec->argv0) : ret->file);
	for (size_t i = 1; argv[i] != NULL; i++)
		push(b, &list, blob_str(b, argv[i]));
	ret->argv = finish(b, &list);
	ret->paths = build_paths(b, argv[0], path != NULL ? path : SEARCH_DEFAULT_PATH);
}
