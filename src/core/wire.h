/* SPDX-License-Identifier: MIT */
/*
 * What front and init say to each other. Both are built from one source, and the version is checked, so the structs go
 * over the socket as they lie in memory.
 *
 * The socket is SOCK_SEQPACKET: one packet a message. The front sends the plan first, in packets of at most
 * WIRE_PACKET bytes; after it only struct wire_msg, both ways.
 */
#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include <pidbox.h>
#include <stdint.h>

enum {
	WIRE_VERSION = 1,
	WIRE_PACKET = 32 * 1024,
	WIRE_LEAK_COMMAND = 1024, /* bytes of a leaked process's command line that are reported */
	WIRE_LEAKS_NAMED = 1024,  /* leaked processes that are named; the rest is counted */
	WIRE_MAX_STEPS = 40,
	WIRE_MAX_KEEP = 64,
};

/* ------------------------------------------------------------ the plan */

enum wire_flag {
	WIRE_AS_PID1 = 1 << 0,
	WIRE_HOLD = 1 << 1,    /* wait for MSG_RUN when all is ready */
	WIRE_ACCOUNT = 1 << 2, /* find leaks and reap everything before the end */
	WIRE_TIMING = 1 << 3,
	WIRE_CLOSE_FDS = 1 << 4,       /* the command keeps only 0, 1, 2 and those in keep */
	WIRE_SHARED_GROUP = 1 << 5,    /* front, init and command share a process group, see MSG_ECHO */
	WIRE_FORK = 1 << 6,            /* the command is started without sharing memory (time namespaces) */
	WIRE_HAS_GRACE = 1 << 7,       /* the grace was given: it holds even when the front is gone */
	WIRE_SIGCHLD_IGNORED = 1 << 8, /* the command starts with SIGCHLD ignored, whatever the front did to it */
	WIRE_ONE_THREAD = 1 << 9,      /* the front is a program of one thread: parent-death signals follow it */
	WIRE_FAIL_ON_LEAK = 1 << 10,   /* for the status that is kept, when the front is gone */
	WIRE_ENTER = 1 << 11, /* no box: a helper that enters other namespaces and starts a command there (enter.h) */
	WIRE_SUBREAPER = 1 << 12, /* not PID 1: what is inside is what descends from the init */
	WIRE_TO_GROUP = 1 << 13,  /* signals go to the command's process group */
};

/* One step of the inside (child, init or command), as numbers. Texts are offsets into the plan, 0: none. */
struct wire_step {
	uint16_t op; /* enum step_op */
	uint16_t flags;
	uint32_t text, text2;
	int64_t a, b;
};

/* The start of a plan. Tables of pointers hold offsets until the init adds its base to them; 0 ends a table. */
struct wire_plan {
	uint32_t version;
	uint32_t size; /* of the whole plan */
	uint32_t flags;
	uint32_t n_steps;
	uint32_t argv, envp; /* offsets of tables: what the command gets */
	uint32_t paths;      /* offset of a table: files to try in turn, as execvp(3) does */
	uint32_t name;       /* offset of the box's name, 0: none */
	uint32_t n_keep;
	int32_t keep[WIRE_MAX_KEEP];
	int32_t front_pidfd, report_fd, kept_fd, tty_fd; /* -1: none */
	int32_t proc_fd;  /* with WIRE_ENTER: a procfs that shows where the front is; -1 */
	int32_t stdio[3]; /* -1: closed; i: as it is */
	uint32_t stdio_given, tty;
	uint64_t signal_mask;
	uint64_t caps_ambient, caps_inheritable; /* what the caller had, to be put back before the command */
	uint8_t signal_map[65];                  /* signal n arrives as signal_map[n]; 0: dropped */
	uint8_t on_exit, stop_signal, has_user;
	int64_t grace_us, timeout_us, cpu_time_us, leak_grace_us;
	int64_t started_realtime_us;
	uint32_t uid, gid, n_groups;
	uint32_t groups;   /* offset of n_groups ids */
	char proc_word[8]; /* "fresh", "keep" or "none", for the record */
	struct wire_step steps[WIRE_MAX_STEPS];
};

/* What limit-caps leaves (its text). */
struct wire_caps {
	uint64_t permitted, effective, inheritable, ambient;
};

/* ------------------------------------------------------------ messages */

enum wire_type {
	/* init -> front */
	MSG_FAILED = 1, /* a step failed: step, value = errno, aux; the box ends */
	MSG_WARNING,    /* the same, but the box goes on */
	MSG_HERE,       /* at a checkpoint for which the front waits (STEP_CHECKPOINT_SPEAKS): the init is there */
	MSG_READY,      /* all steps before the start are done (only with WIRE_HOLD) */
	MSG_IDLE,       /* all steps are done, and there is no command to start */
	MSG_EXEC,       /* the command has been executed; the sender's credentials carry its PID */
	MSG_STOPPED,    /* the command was stopped by signal */
	MSG_ECHO,       /* with WIRE_SHARED_GROUP: the init got signal, from its group or alone? value = its number */
	MSG_CLAIMED,    /* answer to MSG_CLAIM: value = got it; group = and so did the command */
	MSG_TIMES,      /* times: microseconds of each step */
	MSG_LEAK,       /* leak; credentials carry its PID */
	MSG_RESULT,     /* result: the init ends next */
	/* front -> init */
	MSG_GO,          /* the front has done its part (id maps): checkpoint passed */
	MSG_RUN,         /* end of WIRE_HOLD */
	MSG_CLAIM,       /* with WIRE_SHARED_GROUP: the front got signal; did the init? */
	MSG_SIGNAL,      /* signal for the command */
	MSG_ECHO_ANSWER, /* everything that the front had got of it has been claimed; value = the number */
	MSG_KILL,        /* end the box; value = grace in us, or -1 */
	MSG_IDENT,       /* ident: who the box is outside, for a record that the init may have to write */
	MSG_REQUEST,     /* a client's CONTROL_EXEC, with its descriptors: connection, payload, 0, 1, 2 (exec_wire.h) */
};

struct wire_ident {
	int32_t init_pid, command_pid;
	uint64_t pid_namespace;
	char id[48];
};

struct wire_leak {
	int32_t inside_pid;
	uint32_t command_size;
	int64_t age_us;
	char command[WIRE_LEAK_COMMAND];
};

struct wire_msg {
	uint32_t type;
	uint32_t step;
	int32_t value, aux;
	int32_t signal, sender_pid;
	int64_t sender_uid;
	int64_t sigval;
	int64_t us;
	uint8_t queued, group, kernel; /* kernel: it came from there, not from a process */
	union {
		struct pidbox_result result;
		struct wire_ident ident;
		struct wire_leak leak;
		int64_t times[WIRE_MAX_STEPS]; /* -1: not done */
	};
};

/* Bytes of a message up to, and without, its union: what most types need. */
#define WIRE_HEAD offsetof(struct wire_msg, result)

#endif
