/* SPDX-License-Identifier: MIT */
/* The files of the runtime directory, whatever stands in them. What is taken can be written, and is taken again. */
#include <stdlib.h>
#include <string.h>

#include "core/entry.h"
#include "fuzz.h"

static void entry(const char *text)
{
	char again[ENTRY_SIZE];
	struct entry e = { .started_us = -7 }, back;

	if (entry_parse(text, &e) < 0) {
		CHECK(e.started_us == -7);
		return;
	}
	CHECK(e.id.pid > 0 && e.id.pidfd == -1 && e.started_us >= 0);
	CHECK(entry_format(&e, again, sizeof(again)) < sizeof(again));
	CHECK(entry_parse(again, &back) == 0 && pidref_same(&e.id, &back.id) && strcmp(e.command, back.command) == 0);
}

static void command(const char *text, size_t size)
{
	char *argv[32] = { NULL };
	struct entry e = { 0 };
	size_t n = 0, len;

	for (size_t at = 0; at < size && n < 31; at += strlen(text + at) + 1)
		argv[n++] = (char *)(uintptr_t)(text + at);
	entry_set_command(&e, argv);
	len = strnlen(e.command, sizeof(e.command));
	CHECK(len >= 2 && len < sizeof(e.command) && e.command[0] == '[' && e.command[len - 1] == ']');
	CHECK(strcspn(e.command, "\n\033") == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct kept kept = { .status = -1 };

	memcpy(text, data, size);
	text[size] = '\0';
	entry(text);
	command(text, size);
	free(text);
	text = malloc(size > 0 ? size : 1); /* without a terminator */
	memcpy(text, data, size);
	if (kept_parse(text, size, &kept) == 0)
		CHECK(kept.status >= 0 && kept.status <= 255 && kept.record >= text &&
		      kept.record + kept.size < text + size);
	else
		CHECK(kept.status == -1);
	free(text);
	return 0;
}
