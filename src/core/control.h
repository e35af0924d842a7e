/* SPDX-License-Identifier: MIT */
/*
 * What the control socket of a box speaks. Unlike core/wire.h, both ends may be of different releases: a box that was
 * started before an upgrade is listed, entered and ended by the newer command. So the structs here never change their
 * size or the meaning of a member; what is new takes a new type, or a reserved member that was zero.
 *
 * The socket is SOCK_SEQPACKET. The front listens; the client connects and sends one struct control_request, with its
 * descriptors by SCM_RIGHTS: the first is always a pidfd of the client itself, the proof of who it is (control.c says
 * why SO_PEERCRED alone is none).
 *
 *   CONTROL_SIGNAL   signal to the command              ──▶ CONTROL_DONE
 *   CONTROL_KILL     the ladder of the box begins        ──▶ CONTROL_DONE, with the grace in wall_us
 *   CONTROL_WAIT     ... until the box has ended         ──▶ CONTROL_ENDED, with a descriptor that holds the record.
 *                    With CONTROL_WAIT_SHARED it may be CONTROL_DONE, with a socket: there CONTROL_ENDED will be. All
 *                    who wait have that socket, so each looks without taking it (MSG_PEEK); its end is the front's
 *   CONTROL_EXEC     + payload, 0, 1, 2: the front hands the connection to the init, which from then on speaks to the
 *                    client alone: CONTROL_FAILED, or CONTROL_STARTED, CONTROL_STOPPED..., CONTROL_ENDED. The client
 *                    may send CONTROL_SIGNAL there; the end of the connection is its end, and the process's.
 * Any failure: CONTROL_FAILED with errnum; nothing is said to whom the front refuses but that.
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include <stdint.h>

enum {
	CONTROL_MAGIC = 0x31584250, /* "PBX1" */
	CONTROL_VERSION = 1,
	CONTROL_MAX_FDS = 8,
	CONTROL_MAX_PAYLOAD = 8 * 1024 * 1024,
};

enum control_type {
	/* client -> front, and after CONTROL_EXEC client -> init */
	CONTROL_SIGNAL = 1,
	CONTROL_KILL,
	CONTROL_WAIT,
	CONTROL_EXEC,
	/* the answers */
	CONTROL_DONE = 64,
	CONTROL_FAILED,
	CONTROL_STARTED,
	CONTROL_STOPPED,
	CONTROL_ENDED,
};

enum control_flag {
	CONTROL_WAIT_SHARED = 1 << 0, /* CONTROL_WAIT: the client can wait at a socket that is not its own */
};

struct control_request {
	uint32_t magic, version, type;
	int32_t signal;
	int64_t grace_us; /* CONTROL_KILL: -1: the box's own */
	uint64_t payload; /* CONTROL_EXEC: bytes in its descriptor, a sealed memfd */
	uint64_t flags;   /* enum control_flag; those that are not known are passed over */
	uint64_t reserved[3];
};

struct control_reply {
	uint32_t magic, version, type;
	int32_t errnum;     /* CONTROL_FAILED: positive */
	int32_t step, aux;  /* CONTROL_FAILED of an exec: which step of core/exec_wire.h, and more about it */
	int32_t inside_pid; /* CONTROL_STARTED */
	int32_t status;     /* CONTROL_ENDED: what `pidbox wait` or `exec` exits with; -1: not known */
	int32_t signal;     /* CONTROL_ENDED, CONTROL_STOPPED: 0: none */
	int32_t exit_code;  /* CONTROL_ENDED: -1: it died of the signal */
	int32_t reason;     /* CONTROL_ENDED: enum pidbox_reason */
	int32_t core_dumped;
	int64_t wall_us, user_us, sys_us, max_rss_kib;
	uint64_t record; /* CONTROL_ENDED of a wait: bytes of the record in the descriptor */
	uint64_t reserved[4];
};

_Static_assert(sizeof(struct control_request) == 64, "spoken between releases");
_Static_assert(sizeof(struct control_reply) == 120, "spoken between releases");

#endif
