/* SPDX-License-Identifier: MIT */
/*
 * The payload of a CONTROL_EXEC request (core/control.h): what is to be run, in a sealed memory file. As with the rest
 * of that language both ends may be of different releases: members keep their place and meaning, new ones are reserved
 * ones that were zero, and what an older init must not overlook takes a flag, which it refuses with EOPNOTSUPP.
 *
 * The file begins with struct exec_payload. All else is named by offsets from its start: lists of strings that lie one
 * after the other, each with its NUL, and the group ids. Whoever reads it believes nothing: exec_payload_check().
 *
 * With the request go, by SCM_RIGHTS: the connection, this file, and what becomes 0, 1, 2.
 */
#ifndef CORE_EXEC_WIRE_H
#define CORE_EXEC_WIRE_H

#include "core/steps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXEC_MAGIC = 0x45584250, /* "PBXE" */
	EXEC_VERSION = 1,
	EXEC_SEALS = 0x000f, /* F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE: nobody changes it any more */
	EXEC_MAX_GROUPS = 1024,
	EXEC_MAX_ENV = 16384, /* changes to the environment */
	EXEC_REQUEST_FDS = 5,
};

enum exec_flag {
	EXEC_TTY = 1 << 0,       /* descriptor 0 is a terminal, and becomes the session's own */
	EXEC_USER = 1 << 1,      /* uid, gid and groups are given */
	EXEC_HAS_GRACE = 1 << 2, /* the grace holds when the client is gone, too */
	EXEC_CLOSED_0 = 1 << 3,  /* standard stream 0 (and so on) is closed: what was sent for it holds the place */
	EXEC_CLOSED_1 = 1 << 4,
	EXEC_CLOSED_2 = 1 << 5,
	EXEC_FLAGS_KNOWN = (1 << 6) - 1,
};

/* Strings one after the other. */
struct exec_strings {
	uint32_t offset, size; /* bytes, the last one a NUL; 0: none */
	uint32_t count;
};

struct exec_payload {
	uint32_t magic, version, flags;
	struct exec_strings argv;  /* none: $SHELL, else /bin/sh */
	struct exec_strings env;   /* changes to the box's environment: "K=V" sets, "K" unsets; the last one counts */
	struct exec_strings chdir; /* one, or none: where the box's command began; seen from there */
	uint32_t uid, gid, n_groups;
	uint32_t groups;     /* offset of n_groups ids, a multiple of 4 */
	int32_t stop_signal; /* 1 to 64 */
	uint32_t reserved0;
	int64_t grace_us;   /* from the stop signal to SIGKILL */
	int64_t timeout_us; /* 0: none */
	uint64_t reserved[8];
};

_Static_assert(sizeof(struct exec_payload) == 152, "spoken between releases");

/* What failed: control_reply.step. Numbers are for ever; aux is that of the step. */
enum exec_step {
	EXEC_STEP_TAKE = 1, /* taking the request: descriptors, the payload */
	EXEC_STEP_START,    /* making the process */
	EXEC_STEP_SESSION,
	EXEC_STEP_STDIO,
	EXEC_STEP_USER,  /* aux: 1 groups, 2 gid, 3 uid */
	EXEC_STEP_CHDIR, /* aux: 1 to the box's directory, 2 from there to the one that was asked for */
	EXEC_STEP_DROP_CAPS,
	EXEC_STEP_CLOSE_FDS,
	EXEC_STEP_SIGNALS,
	EXEC_STEP_EXEC,
	/* of a namespace that is entered by setns(2) */
	EXEC_STEP_JOIN, /* aux: which, PIDBOX_NS_* */
	EXEC_STEP_ROOT,
	EXEC_STEP_CGROUP,
	EXEC_STEP_MAX_
};

/* CONTROL_ENDED.aux: why, when it did not end by itself. */
enum exec_ended {
	EXEC_ENDED_ITSELF,
	EXEC_ENDED_BOX, /* the box's end was its end */
};

/**
 * Is it whole, and is every offset, count and string inside it? Pure.
 * @param bytes  aligned as an int64_t
 * @return 0; -EOPNOTSUPP: of a version or with a flag that is not known; -EBADMSG
 */
int exec_payload_check(const void *bytes, size_t size);
/** The same of the head alone, which is all that the init itself looks at. */
int exec_payload_check_head(const struct exec_payload *head);

#endif
