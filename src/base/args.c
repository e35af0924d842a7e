/* SPDX-License-Identifier: MIT */
#include "base/args.h"

#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct arg *find_long(const struct arg_table *t, const char *name, size_t len)
{
	for (size_t i = 0; i < t->count; i++)
		if (strlen(t->table[i].name) == len && strncmp(t->table[i].name, name, len) == 0)
			return &t->table[i];
	return NULL;
}

static const struct arg *find_letter(const struct arg_table *t, char letter)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->table[i].letter == letter)
			return &t->table[i];
	return NULL;
}

enum { LONGEST_NAME = 24 };

/*
 * How many letters must be put in, taken out or changed to make one of the other (Levenshtein), by the rows of the
 * usual table; each row needs the one before it.
 */
static size_t distance(const char *a, size_t len, const char *b)
{
	size_t row[LONGEST_NAME + 1], cols = strlen(b);

	for (size_t k = 0; k <= cols; k++)
		row[k] = k;
	for (size_t i = 0; i < len; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t k = 0; k < cols; k++) {
			size_t changed = diagonal + (a[i] != b[k]);
			size_t one_more = (row[k] < row[k + 1] ? row[k] : row[k + 1]) + 1;

			diagonal = row[k + 1];
			row[k + 1] = changed < one_more ? changed : one_more;
		}
	}
	return row[cols];
}

/* The option that arg is a misspelling of: one or two letters off, of a short one less. NULL when there is none */
static const struct arg *near_miss(const struct arg_table *t, const char *arg)
{
	const struct arg *best = NULL;
	size_t len = strcspn(arg, "="), least = 3;

	if (len < 3 || strncmp(arg, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < t->count && len - 2 <= LONGEST_NAME; i++) {
		const struct arg *o = &t->table[i];
		size_t n = strlen(o->name) <= LONGEST_NAME ? distance(arg + 2, len - 2, o->name) : least;

		if (n < least && n * 3 <= strlen(o->name)) {
			least = n;
			best = o;
		}
	}
	return best;
}

/* What the functions below share. */
struct reading {
	const struct arg_table *args;
	void *context;
	struct pidbox_error *err;
};

static int unknown(const struct reading *r, const char *arg)
{
	const char *elsewhere = r->args->elsewhere != NULL ? r->args->elsewhere(arg) : NULL;
	const struct arg *near = elsewhere == NULL ? near_miss(r->args, arg) : NULL;

	(void)err_set(r->err, 0, PIDBOX_CODE_USAGE, "unknown option %.*s", (int)strcspn(arg, "="), arg);
	if (elsewhere != NULL)
		err_fix(r->err, "%s", elsewhere);
	else if (near != NULL)
		err_fix(r->err, "did you mean --%s? `pidbox %s --help` lists the options", near->name, r->args->verb);
	else
		err_fix(r->err, "`pidbox %s --help` lists the options; -- ends them", r->args->verb);
	return -EINVAL;
}

static int apply(const struct reading *r, const struct arg *o, const char *value)
{
	char *base = r->context;

	if (o->flag != 0)
		*(bool *)(base + o->flag) = true;
	if (o->text != 0)
		*(const char **)(void *)(base + o->text) = value;
	return o->set != NULL ? o->set(r->context, value) : 0;
}

static int missing(const struct reading *r, const struct arg *o)
{
	return err_set(r->err, 0, PIDBOX_CODE_USAGE, "--%s needs an argument: %s", o->name, o->argument);
}

/* "--name", "--name=value", "--name value". @return how many arguments it took, or -errno */
static int take_long(const struct reading *r, char *const argv[], int left)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const struct arg *o = find_long(r->args, name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	int done;

	if (o == NULL)
		return unknown(r, argv[0]);
	if (o->argument == NULL && value != NULL)
		return err_set(r->err, 0, PIDBOX_CODE_USAGE, "--%s takes no argument", o->name);
	if (o->argument == NULL || value != NULL) {
		done = apply(r, o, value);
		return done < 0 ? done : 1;
	}
	if (left < 2)
		return missing(r, o);
	done = apply(r, o, argv[1]);
	return done < 0 ? done : 2;
}

/* "-it", "-C dir", "-Cdir" */
static int take_letters(const struct reading *r, char *const argv[], int left)
{
	for (const char *p = argv[0] + 1; *p != '\0'; p++) {
		const struct arg *o = find_letter(r->args, *p);
		const char alone[] = { '-', *p, '\0' };
		int done;

		if (o == NULL)
			return unknown(r, alone);
		if (o->argument == NULL) {
			done = apply(r, o, NULL);
			if (done < 0)
				return done;
			continue;
		}
		if (p[1] == '\0' && left < 2)
			return missing(r, o);
		done = apply(r, o, p[1] != '\0' ? p + 1 : argv[1]);
		return done < 0 ? done : p[1] != '\0' ? 1 : 2;
	}
	return 1;
}

int args_parse(const struct arg_table *args, int argc, char *const argv[], void *context, struct pidbox_error *err)
{
	const struct reading r = { args, context, err };
	int i = 0;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		int took;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		took = argv[i][1] == '-' ? take_long(&r, argv + i, argc - i) : take_letters(&r, argv + i, argc - i);
		if (took < 0)
			return took;
		i += took;
	}
	return i;
}
