/* SPDX-License-Identifier: MIT */
/* Reading an argv by the table. */
#include "core/options.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <string.h>

static const struct option *find_long(const char *name, size_t len)
{
	for (size_t i = 0; i < option_table_count; i++)
		if (strlen(option_table[i].name) == len && strncmp(option_table[i].name, name, len) == 0)
			return &option_table[i];
	return NULL;
}

static const struct option *find_letter(char letter)
{
	for (size_t i = 0; i < option_table_count; i++)
		if (option_table[i].letter == letter)
			return &option_table[i];
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
static const struct option *near_miss(const char *arg)
{
	const struct option *best = NULL;
	size_t len = strcspn(arg, "="), least = 3;

	if (len < 3 || strncmp(arg, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < option_table_count && len - 2 <= LONGEST_NAME; i++) {
		const struct option *o = &option_table[i];
		size_t n = strlen(o->name) <= LONGEST_NAME ? distance(arg + 2, len - 2, o->name) : least;

		if (n < least && n * 3 <= strlen(o->name)) {
			least = n;
			best = o;
		}
	}
	return best;
}

static int unknown(struct pidbox_options *s, const char *arg)
{
	const char *elsewhere = option_elsewhere(arg);
	const struct option *near = elsewhere == NULL ? near_miss(arg) : NULL;

	(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "unknown option %.*s", (int)strcspn(arg, "="), arg);
	if (elsewhere != NULL)
		err_fix(s->err, "%s", elsewhere);
	else if (near != NULL)
		err_fix(s->err, "did you mean --%s? `pidbox run --help` lists the options", near->name);
	else
		err_fix(s->err, "`pidbox run --help` lists the options; -- ends them");
	return -EINVAL;
}

static int apply(struct pidbox_options *s, const struct option *o, const char *value)
{
	char *base = (char *)s;

	if (o->flag != 0)
		*(bool *)(base + o->flag) = true;
	if (o->text != 0)
		*(const char **)(void *)(base + o->text) = value;
	return o->set != NULL ? o->set(s, value) : 0;
}

static int missing(struct pidbox_options *s, const struct option *o)
{
	return err_set(s->err, 0, PIDBOX_CODE_USAGE, "--%s needs an argument: %s", o->name, o->argument);
}

/* "--name", "--name=value", "--name value". @return how many arguments it took, or -errno */
static int take_long(struct pidbox_options *s, char *const argv[], int left)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const struct option *o = find_long(name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	int r;

	if (o == NULL)
		return unknown(s, argv[0]);
	if (o->argument == NULL && value != NULL)
		return err_set(s->err, 0, PIDBOX_CODE_USAGE, "--%s takes no argument", o->name);
	if (o->argument == NULL || value != NULL) {
		r = apply(s, o, value);
		return r < 0 ? r : 1;
	}
	if (left < 2)
		return missing(s, o);
	r = apply(s, o, argv[1]);
	return r < 0 ? r : 2;
}

/* "-it", "-C dir", "-Cdir" */
static int take_letters(struct pidbox_options *s, char *const argv[], int left)
{
	for (const char *p = argv[0] + 1; *p != '\0'; p++) {
		const struct option *o = find_letter(*p);
		const char alone[] = { '-', *p, '\0' };
		int r;

		if (o == NULL)
			return unknown(s, alone);
		if (o->argument == NULL) {
			r = apply(s, o, NULL);
			if (r < 0)
				return r;
			continue;
		}
		if (p[1] == '\0' && left < 2)
			return missing(s, o);
		r = apply(s, o, p[1] != '\0' ? p + 1 : argv[1]);
		return r < 0 ? r : p[1] != '\0' ? 1 : 2;
	}
	return 1;
}

static int check(const struct pidbox_options *s)
{
	const struct pidbox_spec *spec = &s->spec;
	const char *why = NULL;

	if (spec->as_pid1 && s->has_on_exit)
		why = "--as-pid1 has no init: --on-exit cannot work with it";
	else if (s->has_map && (spec->n_uid_maps > 0 || spec->n_gid_maps > 0))
		why = "--map and --uid-map or --gid-map exclude each other";
	if (why == NULL)
		return 0;
	(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s", why);
	err_fix(s->err, "leave one of them out");
	return -EINVAL;
}

int pidbox_options_parse(int argc, char *const argv[], struct pidbox_options **ret, struct pidbox_error *err)
{
	struct pidbox_options *s = calloc(1, sizeof(*s));
	int i = 0, r = 0;

	if (s == NULL)
		return err_no_memory(err, "reading the options");
	s->err = err;
	s->spec.size = sizeof(s->spec);
	s->hold_fd = s->events_fd = -EBADF;
	while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		r = argv[i][1] == '-' ? take_long(s, argv + i, argc - i) : take_letters(s, argv + i, argc - i);
		if (r < 0)
			break;
		i += r;
	}
	s->spec.unshare |= s->unshare_all & ~s->spec.share;
	if (r >= 0)
		r = check(s);
	if (r < 0) {
		err_shape_usage(err, "reading the options", "`pidbox run --help` tells what each option takes");
		pidbox_options_free(s);
		return r;
	}
	s->spec.argv = i < argc ? (const char *const *)(argv + i) : NULL;
	s->spec.set_env = s->set_env;
	s->spec.unset_env = s->unset_env;
	s->spec.uid_maps = s->uid_maps;
	s->spec.gid_maps = s->gid_maps;
	s->spec.signal_map = s->signal_map;
	s->spec.keep_fds = s->keep_fds;
	s->spec.account = s->report != NULL || s->summary || s->spec.fail_on_leak || s->events_fd >= 0;
	*ret = s;
	return 0;
}

struct pidbox_spec *pidbox_options_spec(struct pidbox_options *opts)
{
	return &opts->spec;
}

int pidbox_options_hold_fd(const struct pidbox_options *opts)
{
	return opts->hold_fd;
}

int pidbox_options_events_fd(const struct pidbox_options *opts)
{
	return opts->events_fd;
}

const char *pidbox_options_report(const struct pidbox_options *opts)
{
	return opts->report;
}

uint32_t pidbox_options_flags(const struct pidbox_options *opts)
{
	return (opts->summary ? PIDBOX_OPTION_SUMMARY : 0u) | (opts->explain ? PIDBOX_OPTION_EXPLAIN : 0u) |
	       (opts->dry_run ? PIDBOX_OPTION_DRY_RUN : 0u) | (opts->help ? PIDBOX_OPTION_HELP : 0u) |
	       (opts->close_fds ? PIDBOX_OPTION_CLOSE_FDS : 0u);
}

void pidbox_options_free(struct pidbox_options *opts)
{
	if (opts == NULL)
		return;
	free(opts->set_env);
	free(opts->unset_env);
	free(opts->uid_maps);
	free(opts->gid_maps);
	free(opts->signal_map);
	free(opts->keep_fds);
	free(opts);
}

int pidbox_option_row(size_t index, struct pidbox_option_row *ret)
{
	const struct option *o = &option_table[index];

	if (index >= option_table_count)
		return -ENOENT;
	*ret = (struct pidbox_option_row){
		.group = o->group,
		.name = o->name,
		.argument = o->argument,
		.help = o->help,
		.letter = o->letter,
	};
	return 0;
}
