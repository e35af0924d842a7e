/* SPDX-License-Identifier: MIT */
/*
 * An argv from bytes: parsed, planned when it is accepted, described, freed. Words end at NULs; one that begins with a
 * small byte stands for an option of the table and its argument, so that the parsers of the arguments are reached soon.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/options.h"
#include "core/plan.h"
#include "fuzz.h"

enum { MAX_WORDS = 40 };

/* A word in memory of its own, so that the sanitizer sees its end. */
static char *word(const uint8_t *data, size_t len)
{
	char *text = NULL;

	if (len > 0 && data[0] > 0 && data[0] < 0x40) {
		struct pidbox_option_row row;

		CHECK(pidbox_option_row(data[0] % option_table_count, &row) == 0);
		CHECK(asprintf(&text, "--%s%s%.*s", row.name, row.argument != NULL ? "=" : "",
			       row.argument != NULL ? (int)(len - 1) : 0, (const char *)data + 1) > 0);
		return text;
	}
	text = malloc(len + 1);
	CHECK(text);
	memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

static void check_error(const struct pidbox_error *err)
{
	char text[4096], cut[8];
	size_t len = pidbox_error_format(err, text, sizeof(text));

	CHECK(err->what[0] != '\0' && err->exit_status == PIDBOX_EXIT_FAILED);
	CHECK(len == strlen(text) && strncmp(text, "pidbox: ", 8) == 0 && text[len - 1] == '\n');
	for (const char *p = text; *p != '\0'; p++)
		CHECK((unsigned char)*p >= 0x20 || *p == '\n');
	CHECK(pidbox_error_format(err, cut, sizeof(cut)) == len && strlen(cut) == sizeof(cut) - 1);
}

/* Each table of the wire plan lies within it, and so do its texts. */
static void check_table(const struct wire_plan *w, uint32_t table)
{
	CHECK(table >= sizeof(*w) && table % sizeof(uintptr_t) == 0);
	for (;; table += (uint32_t)sizeof(uintptr_t)) {
		uintptr_t at;

		CHECK(table + sizeof(at) <= w->size);
		memcpy(&at, (const char *)w + table, sizeof(at));
		if (at == 0)
			return;
		CHECK(at >= sizeof(*w) && at < w->size && memchr((const char *)w + at, '\0', w->size - at));
	}
}

static void check_plan(struct pidbox_spec *spec)
{
	struct pidbox_error err = { 0 };
	struct pidbox_plan *plan = NULL;
	struct pidbox_step step;
	size_t n = 0;
	int r;

	if (spec->user != NULL && strspn(spec->user, "0123456789:") != strlen(spec->user))
		spec->user = NULL; /* names may ask getent(1) */
	r = pidbox_plan(spec, &plan, &err);
	if (r < 0) {
		CHECK(plan == NULL);
		check_error(&err);
		return;
	}
	while (pidbox_plan_step(plan, n, &step) == 0) {
		CHECK(step.name[0] != '\0' && step.call != NULL && step.does[0] != '\0');
		CHECK(plan->wire->steps[n].text < plan->wire->size && plan->wire->steps[n].text2 < plan->wire->size);
		n++;
	}
	CHECK(n >= 4 && n <= WIRE_MAX_STEPS && plan->wire->n_steps == n);
	check_table(plan->wire, plan->wire->argv);
	check_table(plan->wire, plan->wire->envp);
	check_table(plan->wire, plan->wire->paths);
	pidbox_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char **argv = NULL, *words[MAX_WORDS];
	struct pidbox_options *opts = NULL;
	struct pidbox_error err = { 0 };
	int argc = 0, r;

	while (size > 0 && argc < MAX_WORDS) {
		size_t len = strnlen((const char *)data, size);

		words[argc++] = word(data, len);
		data += len;
		size -= len;
		if (size > 0) {
			data++;
			size--;
		}
	}
	argv = malloc(((size_t)argc + 1) * sizeof(*argv));
	CHECK(argv);
	memcpy(argv, words, (size_t)argc * sizeof(*argv));
	argv[argc] = NULL;
	r = pidbox_options_parse(argc, argv, &opts, &err);
	CHECK(r == 0 || r == -EINVAL);
	if (r == 0) {
		check_plan(pidbox_options_spec(opts));
	} else {
		CHECK(opts == NULL && err.code == PIDBOX_CODE_USAGE);
		check_error(&err);
	}
	pidbox_options_free(opts);
	for (int i = 0; i < argc; i++)
		free(words[i]);
	free(argv);
	return 0;
}
