/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include "cli/cli.h"

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

static const struct args_option *find(const struct args *a, const char *name, size_t len, char letter)
{
	for (size_t i = 0; i < a->n_options; i++) {
		const struct args_option *o = &a->options[i];

		if (name != NULL ? strlen(o->name) == len && strncmp(o->name, name, len) == 0 : o->letter == letter)
			return o;
	}
	return NULL;
}

/* @return 0, or the exit status after an error */
static int apply(const struct args *a, const struct args_option *o, const char *value)
{
	struct pidbox_error err = { .exit_status = PIDBOX_EXIT_FAILED };

	if (o->flag != NULL)
		*o->flag = true;
	if (o->text != NULL)
		*o->text = value;
	return o->set != NULL && o->set(a->context, value, &err) < 0 ? value_error(a, &err) : 0;
}

static int unknown(const struct args *a, const char *word)
{
	struct pidbox_error err = { .exit_status = PIDBOX_EXIT_FAILED };
	size_t len = strcspn(word, "=");
	int r = a->other != NULL ? a->other(a->context, word, &err) : 0;

	if (r != 0)
		return r < 0 ? value_error(a, &err) : 0;
	for (size_t i = 0; i < a->n_elsewhere; i++)
		if (strlen(a->elsewhere[i].theirs) == len && strncmp(a->elsewhere[i].theirs, word, len) == 0)
			return args_error(a, a->elsewhere[i].ours, "unknown option %.*s", (int)len, word);
	return args_error(a, NULL, "unknown option %.*s", (int)len, word);
}

/* "--name", "--name=value", "--name value". *at moves on. @return 0, or the exit status after an error */
static int take_long(const struct args *a, int argc, char **argv, int *at)
{
	const char *word = argv[(*at)++], *name = word + 2;
	size_t len = strcspn(name, "=");
	const struct args_option *o = find(a, name, len, 0);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;

	if (o == NULL)
		return unknown(a, word);
	if (o->argument == NULL && value != NULL)
		return args_error(a, NULL, "--%s takes no argument", o->name);
	if (o->argument != NULL && value == NULL) {
		if (*at == argc)
			return args_error(a, NULL, "--%s needs an argument: %s", o->name, o->argument);
		value = argv[(*at)++];
	}
	return apply(a, o, value);
}

/* "-qa", "-s 9", "-s9". *at moves on. @return 0, or the exit status after an error */
static int take_letters(const struct args *a, int argc, char **argv, int *at)
{
	const char *word = argv[(*at)++];

	for (const char *p = word + 1; *p != '\0'; p++) {
		const struct args_option *o = find(a, NULL, 0, *p);
		const char alone[] = { '-', *p, '\0' };
		int status;

		if (o == NULL)
			return unknown(a, p == word + 1 ? word : alone);
		if (o->argument == NULL) {
			status = apply(a, o, NULL);
			if (status != 0)
				return status;
			continue;
		}
		if (p[1] != '\0')
			return apply(a, o, p + 1);
		if (*at == argc)
			return args_error(a, NULL, "-%c needs an argument: %s", *p, o->argument);
		return apply(a, o, argv[(*at)++]);
	}
	return 0;
}

static int print_help(const struct args *a)
{
	(void)printf("usage: pidbox %s [OPTION...]%s%s\n\n%s\n\n", a->verb, a->operands != NULL ? " " : "",
		     a->operands != NULL ? a->operands : "", a->about);
	for (size_t i = 0; i < a->n_options; i++) {
		const struct args_option *o = &a->options[i];
		char left[64];

		(void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : " ", o->letter ? o->letter : ' ',
			       o->letter ? ", " : "  ", o->name, o->argument != NULL ? " " : "",
			       o->argument != NULL ? o->argument : "");
		(void)printf("  %-30s %s\n", left, o->help);
	}
	(void)printf("  %-30s %s\n", "-h, --help", "print this");
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

bool args_parse(const struct args *a, int argc, char **argv, int *ret)
{
	int at = 1, status = 0;

	while (status == 0 && at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
			*ret = print_help(a);
			return false;
		}
		status = argv[at][1] == '-' ? take_long(a, argc, argv, &at) : take_letters(a, argc, argv, &at);
	}
	if (status == 0)
		status = check_operands(a, argc - at, argv + at);
	*ret = status != 0 ? status : at;
	return status == 0;
}
