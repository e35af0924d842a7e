/* SPDX-License-Identifier: MIT */
/*
 * The record of `--report`: one JSON object in one line. Written by the front, and by the init when the front is gone:
 * so it needs no malloc and no stdio, which is why no JSON library writes it.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "base/sink.h"

#include <pidbox.h>

struct record {
	const struct pidbox_result *result; /* NULL: setup failed */
	const struct pidbox_error *error;   /* with setup-failed */
	const char *name, *containment, *proc, *id;
	uint64_t pid_namespace;      /* 0: unknown */
	pid_t init_pid, command_pid; /* 0: unknown */
	pid_t inside_pid;            /* of an exec; 0: there is no such key */
	char *const *command;        /* NULL-terminated; NULL: unknown */
	int64_t started_realtime_us;
	int64_t wall_us; /* with setup-failed */
};

void record_write(struct sink *s, const struct record *record);
/** What `pidbox run` exits with (pidbox-run(1)): 0 to 255. */
int record_exit_status(const struct pidbox_result *res, bool fail_on_leak);
/** The word of a reason: "exited". */
const char *record_reason_word(enum pidbox_reason reason);

#endif
