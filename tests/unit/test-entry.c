/* SPDX-License-Identifier: MIT */
/* The files of the runtime directory: written and read again, cut off, and what is none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/entry.h"
#include "tap.h"

static struct entry sample(void)
{
	struct entry e = {
		.id = { .pid = 17574, .pidfd = -1, .inode = 98127 },
		.pid_namespace = 4026532567,
		.started_us = 1795292102123456,
		.boot_id = "6d1f5b1e-0f3c-4a0e-9a4f-5f6b1b3c2d1e",
		.version = "0.1.0",
	};
	char make[] = "make", quoted[] = "a \"b\"\n", *argv[] = { make, quoted, NULL };

	entry_set_command(&e, argv);
	return e;
}

static void round_trip(void)
{
	struct entry e = sample(), back;
	char text[ENTRY_SIZE];
	size_t len = entry_format(&e, text, sizeof(text));

	ok(len > 0 && len < sizeof(text), "an entry is written");
	ok(entry_parse(text, &back) == 0, "and read again");
	ok(back.id.pid == 17574 && back.id.inode == 98127 && back.id.pidfd == -1, "its id");
	ok(back.pid_namespace == 4026532567 && back.started_us == e.started_us, "its numbers");
	ok(strcmp(back.boot_id, e.boot_id) == 0 && strcmp(back.version, "0.1.0") == 0, "boot and version");
	ok(strcmp(back.command, "[\"make\",\"a \\\"b\\\"\\n\"]") == 0, "the command is JSON: %s", back.command);
	for (size_t i = 0; i < len; i++) {
		char cut[ENTRY_SIZE];

		memcpy(cut, text, i);
		cut[i] = '\0';
		if (entry_parse(cut, &back) != -ENODATA)
			ok(false, "cut after %zu bytes it is not written yet", i);
	}
	ok(true, "cut anywhere it is not written yet");
}

static void long_commands(void)
{
	char arg[100], *argv[64], *one[2] = { NULL, NULL }, *huge = malloc(100000);
	struct entry e = sample(), back;
	char text[ENTRY_SIZE];
	size_t len;

	memset(arg, 'x', sizeof(arg));
	arg[sizeof(arg) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = i + 1 < ARRAY_LEN(argv) ? arg : NULL;
	entry_set_command(&e, argv);
	len = strlen(e.command);
	ok(len < sizeof(e.command) && e.command[len - 1] == ']' && e.command[len - 2] == '"', "as many as fit");
	ok(entry_format(&e, text, sizeof(text)) < sizeof(text) && entry_parse(text, &back) == 0 &&
		   strcmp(back.command, e.command) == 0,
	   "which is read again");
	memset(huge, '\x01', 100000);
	huge[99999] = '\0';
	one[0] = huge;
	entry_set_command(&e, one);
	ok(strcmp(e.command, "[]") == 0, "one that is too long is left out");
	one[0] = NULL;
	entry_set_command(&e, one);
	ok(strcmp(e.command, "[]") == 0, "no command");
	free(huge);
}

static void refused(void)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "", -ENODATA },
		{ "form", -ENODATA },
		{ "garbage", -EBADMSG },
		{ "format 2\nid 1:2\nend\n", -EBADMSG },
		{ "format 1\nend\n", -EBADMSG },
		{ "format 1\nid 1:2\nend\nmore\n", -EBADMSG },
		{ "format 1\nid 0:2\nend\n", -EBADMSG },
		{ "format 1\nid 1:99999999999999999999999\nend\n", -EBADMSG },
		{ "format 1\nid 1:2\npid_namespace x\nend\n", -EBADMSG },
		{ "format 1\nid 1:2\ncommand \033[2J\nend\n", -EBADMSG },
		{ "format 1\nid 1:2\nnokey\nend\n", -EBADMSG },
		{ "format 1\nid 1:2\nend\n", 0 },
		{ "format 1\nid 1@2\nof_a_newer_release 5 6\nend\n", 0 },
	};
	struct entry e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ok(entry_parse(rows[i].text, &e) == rows[i].r, "entry %zu", i);
}

static void kept(void)
{
	static const struct {
		const char *text;
		int r, status, signal;
	} rows[] = {
		{ "exit 0 0\n{}\n", 0, 0, 0 },
		{ "exit 137 9\n{\"schema\":1}\n", 0, 137, 9 },
		{ "", -ENODATA, 0, 0 },
		{ "exit 0", -ENODATA, 0, 0 },
		{ "exit 0 0\n", -ENODATA, 0, 0 },
		{ "exit 0 0\n{}", -ENODATA, 0, 0 },
		{ "exit 256 0\n{}\n", -EBADMSG, 0, 0 },
		{ "exit 0 65\n{}\n", -EBADMSG, 0, 0 },
		{ "exit 0 0 \n{}\n", -EBADMSG, 0, 0 },
		{ "exit -1 0\n{}\n", -EBADMSG, 0, 0 },
		{ "exit 0 0\n{}\n{}\n", -EBADMSG, 0, 0 },
		{ "something else entirely, and longer than the first line of a record is\n", -EBADMSG, 0, 0 },
		{ "something else entirely, and longer than the first line of a record is", -EBADMSG, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kept k = { .status = -1 };
		int r = kept_parse(rows[i].text, strlen(rows[i].text), &k);

		ok(r == rows[i].r &&
			   (r < 0 ? k.status == -1 : k.status == rows[i].status && k.signal == rows[i].signal),
		   "record %zu", i);
	}
}

int main(void)
{
	round_trip();
	long_commands();
	refused();
	kept();
	return tap_end();
}
