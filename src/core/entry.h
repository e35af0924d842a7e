/* SPDX-License-Identifier: MIT */
/*
 * What is written in the runtime directory (rundir.h). Pure: whatever stands in such a file, reading it does no harm.
 *
 * The entry of a named box: lines "key value", the last one is "end". Later releases may add keys; one whose meaning
 * changes takes another format. The kept record of a detached box: "exit STATUS SIGNAL", then the record as JSON.
 */
#ifndef CORE_ENTRY_H
#define CORE_ENTRY_H

#include "base/sink.h"
#include "kern/pidref.h"

#include <stddef.h>

enum { ENTRY_COMMAND_SIZE = 1024, ENTRY_SIZE = 2048 };

struct entry {
	struct pidref id;                 /* of the init, as the front sees it; nothing is open */
	uint64_t pid_namespace;           /* of the box; 0: not known */
	int64_t started_us;               /* CLOCK_REALTIME */
	char boot_id[40];                 /* "": not known */
	char version[24];                 /* of the pidbox that wrote it */
	char command[ENTRY_COMMAND_SIZE]; /* a JSON array, of as many arguments as fit */
};

/** Put the arguments of a command into entry->command. */
void entry_set_command(struct entry *entry, char *const *argv);
/** Write it. @return its length, more than size-1 when it does not fit */
size_t entry_format(const struct entry *entry, char *buf, size_t size);
/** Read it. @return 0; -ENODATA: it is not written yet, or not to its end; -EBADMSG: it is none */
int entry_parse(const char *text, struct entry *ret);

struct kept {
	int status; /* what `pidbox wait` exits with */
	int signal; /* 0: none */
	const char *record;
	size_t size; /* of the record, without a newline */
};
/** @param text  what there is of it, with its length. @return 0; -ENODATA; -EBADMSG */
int kept_parse(const char *text, size_t len, struct kept *ret);

#endif
