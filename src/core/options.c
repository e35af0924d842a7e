/* SPDX-License-Identifier: MIT */
/* The options of `run`, read by their table. */
#include "core/options.h"

#include "base/args.h"
#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <string.h>

static struct arg_row row(const void *context, size_t index)
{
	const struct option *o = &option_table[index];

	(void)context;
	return (struct arg_row){ o->name, o->letter, o->argument };
}

static int apply(void *context, size_t index, const char *value)
{
	const struct option *o = &option_table[index];
	struct pidbox_options *s = context;
	char *base = context;

	if (o->flag != 0)
		*(bool *)(base + o->flag) = true;
	if (o->text != 0)
		*(const char **)(void *)(base + o->text) = value;
	return o->set != NULL ? o->set(s, value) : 0;
}

/* An option of another tool, perhaps. */
static int unknown(void *context, const char *word)
{
	const struct pidbox_options *s = context;
	const char *elsewhere = option_elsewhere(word);

	if (elsewhere == NULL)
		return 0;
	(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "unknown option %.*s", (int)strcspn(word, "="), word);
	err_fix(s->err, "%s", elsewhere);
	return -EINVAL;
}

/* Of which descriptor --report and --events are, 0: none of the standard streams. */
static bool goes_to_caller(const struct pidbox_options *s)
{
	const char *report = s->report != NULL ? s->report : "";

	return strcmp(report, "-") == 0 || (strncmp(report, "fd:", 3) == 0 && atoi(report + 3) <= 2) ||
	       (s->events_fd >= 0 && s->events_fd <= 2);
}

static int wrong(const struct pidbox_options *s, const char *why, const char *fix)
{
	(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s", why);
	err_fix(s->err, "%s", fix);
	return -EINVAL;
}

static const char leave_out[] = "leave one of them out";

static int check_detach(const struct pidbox_options *s)
{
	if (!s->detach && s->log != NULL)
		return wrong(s, "--log is the output of a box that goes on by itself (-d)",
			     "add -d; or, without it: pidbox run ... >>FILE 2>&1");
	if (!s->detach)
		return 0;
	if (s->spec.tty)
		return wrong(s, "-d has no terminal: --tty cannot work with it", leave_out);
	if (s->spec.as_pid1)
		return wrong(s, "--as-pid1 has no init: -d cannot work with it", leave_out);
	if (goes_to_caller(s))
		return wrong(s,
			     "the standard streams are the caller's, who does not wait for the end of a box with -d: "
			     "--report and --events cannot go there",
			     "name a file: --report FILE, --events fd:3 3>FILE");
	return 0;
}

static int check(const struct pidbox_options *s)
{
	const struct pidbox_spec *spec = &s->spec;

	if (spec->as_pid1 && s->has_on_exit)
		return wrong(s, "--as-pid1 has no init: --on-exit cannot work with it", leave_out);
	if (s->has_map && (spec->n_uid_maps > 0 || spec->n_gid_maps > 0))
		return wrong(s, "--map and --uid-map or --gid-map exclude each other", leave_out);
	if (spec->replace && spec->name == NULL)
		return wrong(s, "--replace is for a box with a name, and none is given", "add --name NAME");
	return check_detach(s);
}

int pidbox_options_parse(int argc, char *const argv[], struct pidbox_options **ret, struct pidbox_error *err)
{
	struct pidbox_options *s = calloc(1, sizeof(*s));
	const struct arg_reader reader = { "run", option_table_count, s, err, row, apply, unknown, NULL };
	int r, i;

	if (s == NULL)
		return err_no_memory(err, "reading the options");
	s->err = err;
	s->spec.size = sizeof(s->spec);
	s->hold_fd = s->events_fd = -EBADF;
	i = r = args_read(&reader, argc, argv);
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
	/* The record of a detached box is kept: somebody will read it. */
	s->spec.account = s->report != NULL || s->summary || s->spec.fail_on_leak || s->events_fd >= 0 || s->detach;
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

const char *pidbox_options_log(const struct pidbox_options *opts)
{
	return opts->log;
}

uint32_t pidbox_options_flags(const struct pidbox_options *opts)
{
	return (opts->summary ? PIDBOX_OPTION_SUMMARY : 0u) | (opts->explain ? PIDBOX_OPTION_EXPLAIN : 0u) |
	       (opts->dry_run ? PIDBOX_OPTION_DRY_RUN : 0u) | (opts->help ? PIDBOX_OPTION_HELP : 0u) |
	       (opts->detach ? PIDBOX_OPTION_DETACH : 0u) | (opts->close_fds ? PIDBOX_OPTION_CLOSE_FDS : 0u) |
	       (opts->fallback ? PIDBOX_OPTION_FALLBACK : 0u);
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
