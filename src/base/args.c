/* SPDX-License-Identifier: MIT */
#include "base/args.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

enum { NONE = -1 };

static int find_long(const struct arg_reader *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->count; i++) {
		const char *own = r->row(r->context, i).name;

		if (strlen(own) == len && strncmp(own, name, len) == 0)
			return (int)i;
	}
	return NONE;
}

static int find_letter(const struct arg_reader *r, char letter)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->row(r->context, i).letter == letter)
			return (int)i;
	return NONE;
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
static const char *near_miss(const struct arg_reader *r, const char *arg)
{
	const char *best = NULL;
	size_t len = strcspn(arg, "="), least = 3;

	if (len < 3 || strncmp(arg, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < r->count && len - 2 <= LONGEST_NAME; i++) {
		const char *name = r->row(r->context, i).name;
		size_t n = strlen(name) <= LONGEST_NAME ? distance(arg + 2, len - 2, name) : least;

		if (n < least && n * 3 <= strlen(name)) {
			least = n;
			best = name;
		}
	}
	return best;
}

/* @return 1: somebody has taken it; -errno */
static int unknown(const struct arg_reader *r, const char *arg)
{
	int taken = r->unknown(r->context, arg);
	const char *near;

	if (taken != 0)
		return taken;
	near = near_miss(r, arg);
	(void)err_set(r->err, 0, PIDBOX_CODE_USAGE, "unknown option %.*s", (int)strcspn(arg, "="), arg);
	if (near != NULL)
		err_fix(r->err, "did you mean --%s? `pidbox %s --help` lists the options", near, r->verb);
	else
		err_fix(r->err, "`pidbox %s --help` lists the options; -- ends them", r->verb);
	return -EINVAL;
}

static int missing(const struct arg_reader *r, const struct arg_row *row)
{
	return err_set(r->err, 0, PIDBOX_CODE_USAGE, "--%s needs an argument: %s", row->name, row->argument);
}

static int apply(const struct arg_reader *r, int index, const char *value, int took)
{
	int done = r->apply(r->context, (size_t)index, value);

	return done < 0 ? done : took;
}

/* "--name", "--name=value", "--name value". @return how many arguments it took, or -errno */
static int take_long(const struct arg_reader *r, char *const argv[], int left)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	int index = find_long(r, name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	struct arg_row row;

	if (index == NONE)
		return unknown(r, argv[0]);
	row = r->row(r->context, (size_t)index);
	if (row.argument == NULL && value != NULL)
		return err_set(r->err, 0, PIDBOX_CODE_USAGE, "--%s takes no argument", row.name);
	if (row.argument == NULL || value != NULL)
		return apply(r, index, value, 1);
	return left < 2 ? missing(r, &row) : apply(r, index, argv[1], 2);
}

/* "-it", "-C dir", "-Cdir" */
static int take_letters(const struct arg_reader *r, char *const argv[], int left)
{
	for (const char *p = argv[0] + 1; *p != '\0'; p++) {
		const char alone[] = { '-', *p, '\0' };
		int index = find_letter(r, *p), done;
		struct arg_row row;

		if (index == NONE && p == argv[0] + 1 && r->unknown(r->context, argv[0]) > 0)
			return 1;
		if (index == NONE)
			return unknown(r, alone);
		row = r->row(r->context, (size_t)index);
		if (row.argument == NULL) {
			done = apply(r, index, NULL, 1);
			if (done < 0)
				return done;
			continue;
		}
		if (p[1] != '\0')
			return apply(r, index, p + 1, 1);
		return left < 2 ? missing(r, &row) : apply(r, index, argv[1], 2);
	}
	return 1;
}

int args_read(const struct arg_reader *r, int argc, char *const argv[])
{
	int i = 0;

	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		int took;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		took = argv[i][1] == '-' ? take_long(r, argv + i, argc - i) : take_letters(r, argv + i, argc - i);
		if (took < 0)
			return took;
		i += took;
	}
	return i;
}
