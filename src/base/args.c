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

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters must be put in, taken out, changed, or swapped with the next one, to make one of the other (optimal
 * string alignment), by the usual table.
 */
static size_t distance(const char *a, size_t len, const char *b)
{
	size_t table[LONGEST_NAME + 1][LONGEST_NAME + 1], cols = strlen(b);

	for (size_t k = 0; k <= cols; k++)
		table[0][k] = k;
	for (size_t i = 1; i <= len; i++) {
		table[i][0] = i;
		for (size_t k = 1; k <= cols; k++) {
			size_t n = table[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

			n = least_of(n, least_of(table[i - 1][k], table[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				n = least_of(n, table[i - 2][k - 2] + 1);
			table[i][k] = n;
		}
	}
	return table[len][cols];
}

size_t args_mistakes(const char *word, size_t len, const char *name)
{
	enum { MOST = 2 };
	size_t name_len = strlen(name), longer = len > name_len ? len : name_len, n;

	if (longer > LONGEST_NAME)
		return ARGS_UNLIKE;
	n = distance(word, len, name);
	return n <= MOST && n * 3 <= longer ? n : ARGS_UNLIKE;
}

/* The option that arg is a misspelling of. NULL when there is none */
static const char *near_miss(const struct arg_reader *r, const char *arg)
{
	const char *best = NULL;
	size_t len = strcspn(arg, "="), least = ARGS_UNLIKE;

	if (len < 3 || strncmp(arg, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < r->count; i++) {
		const char *name = r->row(r->context, i).name;
		size_t n = args_mistakes(arg + 2, len - 2, name);

		if (n < least) {
			least = n;
			best = name;
		}
	}
	return best;
}

static int unknown(const struct arg_reader *r, const char *arg)
{
	int said = r->unknown(r->context, arg);
	const char *near;

	if (said != 0)
		return said;
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

/* "-it", "-C dir", "-Cdir"; or all of it is one word ("-HUP") */
static int take_letters(const struct arg_reader *r, char *const argv[], int left)
{
	int taken = r->word != NULL ? r->word(r->context, argv[0]) : 0;

	if (taken != 0)
		return taken;
	for (const char *p = argv[0] + 1; *p != '\0'; p++) {
		const char alone[] = { '-', *p, '\0' };
		int index = find_letter(r, *p), done;
		struct arg_row row;

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
