/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include "base/args.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void default_fix(const struct args *a, struct pidbox_error *err)
{
	if (err->fix[0] == '\0')
		(void)snprintf(err->fix, sizeof(err->fix), "`pidbox %s --help` lists the options", a->verb);
}

int args_error(const struct args *a, const char *fix, const char *why, ...)
{
	struct pidbox_error err = { .code = PIDBOX_CODE_USAGE, .exit_status = PIDBOX_EXIT_FAILED };
	va_list ap;

	(void)snprintf(err.what, sizeof(err.what), "reading the options of pidbox %s", a->verb);
	(void)snprintf(err.fix, sizeof(err.fix), "%s", fix != NULL ? fix : "");
	va_start(ap, why);
	(void)vsnprintf(err.why, sizeof(err.why), why, ap);
	va_end(ap);
	default_fix(a, &err);
	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}

/* The error of a value: its what alone becomes the why. */
static int value_error(const struct args *a, struct pidbox_error *err)
{
	if (err->why[0] == '\0') {
		(void)snprintf(err->why, sizeof(err->why), "%s", err->what);
		(void)snprintf(err->what, sizeof(err->what), "reading the options of pidbox %s", a->verb);
	}
	if (err->code == PIDBOX_CODE_NONE)
		err->code = PIDBOX_CODE_USAGE;
	default_fix(a, err);
	out_error(err);
	return PIDBOX_EXIT_FAILED;
}

/* What the reader's functions share. */
struct reading {
	const struct args *args;
	struct pidbox_error err;
	bool help;
};

/* The last row is everybody's. */
static struct arg_row row(const void *context, size_t index)
{
	const struct args *a = ((const struct reading *)context)->args;

	if (index == a->n_options)
		return (struct arg_row){ "help", 'h', NULL };
	return (struct arg_row){ a->options[index].name, a->options[index].letter, a->options[index].argument };
}

static int apply(void *context, size_t index, const char *value)
{
	struct reading *r = context;
	const struct args_option *o = &r->args->options[index];

	if (index == r->args->n_options) {
		r->help = true;
		return 0;
	}
	if (o->flag != NULL)
		*o->flag = true;
	if (o->text != NULL)
		*o->text = value;
	return o->set != NULL ? o->set(r->args->context, value, &r->err) : 0;
}

static int unknown(void *context, const char *word)
{
	struct reading *r = context;
	const struct args *a = r->args;
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < a->n_elsewhere; i++) {
		if (strlen(a->elsewhere[i].theirs) != len || strncmp(a->elsewhere[i].theirs, word, len) != 0)
			continue;
		(void)snprintf(r->err.what, sizeof(r->err.what), "unknown option %.*s", (int)len, word);
		(void)snprintf(r->err.fix, sizeof(r->err.fix), "%s", a->elsewhere[i].ours);
		return -EINVAL;
	}
	return 0;
}

static int whole_word(void *context, const char *word)
{
	struct reading *r = context;

	return r->args->other != NULL ? r->args->other(r->args->context, word, &r->err) : 0;
}

void args_print_option(char letter, const char *name, const char *argument, const char *help)
{
	char left[64];

	(void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s", letter ? "-" : " ", letter ? letter : ' ',
		       letter ? ", " : "  ", name, argument != NULL ? " " : "", argument != NULL ? argument : "");
	(void)printf("  %-30s %s\n", left, help);
}

static int print_help(const struct args *a)
{
	(void)printf("usage: pidbox %s [OPTION...]%s%s\n\n%s\n\n", a->verb, a->operands != NULL ? " " : "",
		     a->operands != NULL ? a->operands : "", a->about);
	for (size_t i = 0; i < a->n_options; i++) {
		const struct args_option *o = &a->options[i];
		args_print_option(o->letter, o->name, o->argument, o->help);
	}
	args_print_option('h', "help", NULL, "print this");
	if (a->more != NULL)
		(void)printf("\n%s\n", a->more);
	return finish_output();
}

static int check_operands(const struct args *a, int n, char **operands)
{
	if (n < a->least)
		return args_error(a, NULL, "an operand is missing: %s", a->operands);
	if (a->most < 0 || n <= a->most)
		return 0;
	if (operands[a->most][0] == '-')
		return args_error(a, "options go before the operands", "%s comes after them", operands[a->most]);
	return args_error(a, NULL, "\"%s\" is one operand too many", operands[a->most]);
}

/* An operand goes to the end, where in their order they all come to stand, so that the options behind it are found. */
static void put_last(char **words, int n)
{
	char *first = words[0];

	memmove(words, words + 1, (size_t)(n - 1) * sizeof(*words));
	words[n - 1] = first;
}

/* @return how many words were options, or -errno */
static int read_options(const struct args *a, const struct arg_reader *reader, int n, char **words)
{
	int at = args_read(reader, n, words);

	for (int end = n; a->mixed && at >= 0 && at < end;) {
		bool last = at > 0 && strcmp(words[at - 1], "--") == 0;
		int took = 0;

		put_last(words + at, n - at);
		end--;
		if (!last)
			took = args_read(reader, end - at, words + at);
		at = took < 0 ? took : at + took;
	}
	return at;
}

bool args_parse(const struct args *a, int argc, char **argv, int *ret)
{
	struct reading r = { .args = a, .err.exit_status = PIDBOX_EXIT_FAILED };
	const struct arg_reader reader = { a->verb, a->n_options + 1, &r, &r.err, row, apply, unknown, whole_word };
	int took = read_options(a, &reader, argc - 1, argv + 1), status = 0;

	if (took < 0)
		status = value_error(a, &r.err);
	if (took >= 0 && r.help) {
		*ret = print_help(a);
		return false;
	}
	if (took >= 0)
		status = check_operands(a, argc - 1 - took, argv + 1 + took);
	*ret = status != 0 ? status : took + 1;
	return status == 0;
}
