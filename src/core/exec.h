/* SPDX-License-Identifier: MIT */
/*
 * The inside of struct pidbox_exec, and how a command is started in a box.
 *
 * An exec is one connection that speaks core/control.h: the other side says CONTROL_STARTED or CONTROL_FAILED, then
 * CONTROL_STOPPED and, last, CONTROL_ENDED; it takes CONTROL_SIGNAL; and the end of the connection is the command's
 * end. The other side is the box's init, or, where a foreign namespace is entered, a helper process of ours
 * (core/enter.c) that does the same. Everything after the start is common to both (core/exec.c).
 *
 * PIDs: CONTROL_STARTED carries the command's as credentials (SCM_CREDENTIALS), which the kernel translates.
 */
#ifndef CORE_EXEC_H
#define CORE_EXEC_H

#include "core/control.h"
#include "core/exec_wire.h"
#include "core/registry.h"
#include "kern/pidref.h"
#include "kern/user.h"

#include <pidbox-exec.h>
#include <pidbox.h>
#include <stdbool.h>

struct pidbox_exec {
	int connection;       /* SOCK_SEQPACKET; -1: it has ended */
	bool refused;         /* the front took us for somebody who is not outside of its box */
	int tty;              /* the master; -1: none */
	struct pidref init;   /* PID 1 of the box, with a pidfd of our own; pid 0: none to be seen */
	struct pidref helper; /* enter.c: the child of ours at the other end, to be reaped; pid 0: none */
	uint64_t pid_namespace;
	char id[PIDREF_ID_SIZE];
	char name[REGISTRY_NAME_SIZE]; /* of the box; "": none */
	pid_t pid, inside_pid;         /* 0: not known */
	char **command;                /* its arguments; NULL: the shell of the box */
	int64_t t0_us, exec_us, started_realtime_us;
	int forwarded;      /* the last signal that was sent to it */
	int cgroup_refused; /* enter.c: errno, when a cgroup of the process could not be joined; 0 */
	bool box_ended;
	bool has_result, told_end;
	struct pidbox_result result;
};

struct registry_entry;

/* What is to be started: checked, resolved, and the same for both ways. */
struct exec_request {
	const struct pidbox_target *target;
	const struct registry_entry *entry;  /* of a box of pidbox's own, with a front that listens; NULL: it is none */
	const struct pidbox_exec_spec *spec; /* whole, whatever size the caller's had */
	int payload;                         /* sealed memory file, see core/exec_wire.h */
	size_t payload_size;
	int stdio[3];     /* what becomes 0, 1, 2: all are open; a closed one has EXEC_CLOSED_n in the payload */
	int interrupt_fd; /* -1: none */
};

/*
 * The two ways. Each makes exec->connection and sends the request; exec.c then waits for CONTROL_STARTED or
 * CONTROL_FAILED. (CONTROL_FAILED's step is one of enum exec_step; exec.c has the words.)
 * @return 0; -errno with err filled, and nothing is left
 */
int exec_by_init(struct pidbox_exec *exec, const struct exec_request *request, struct pidbox_error *err);
int exec_by_setns(struct pidbox_exec *exec, const struct exec_request *request, struct pidbox_error *err); /* enter.c */

/*
 * exec_payload.c: what a spec asks for, as a sealed memory file.
 * @param user    who it is to be; NULL: the box's own
 * @param closed  bit i: standard stream i is closed
 * @return descriptor; -errno, -E2BIG when the arguments and changes are more than a payload takes
 */
int exec_payload_build(const struct pidbox_exec_spec *spec, const struct user_ids *user, unsigned closed,
		       size_t *ret_size);

/* exec.c: one message of the other side. @return 1; 0: none yet, or for ever (connection -1); -EPROTO */
int exec_receive(struct pidbox_exec *exec, struct control_reply *ret, pid_t *ret_about);
void exec_take_end(struct pidbox_exec *exec, const struct control_reply *reply);

/* exec_words.c: the words for what the other side could not do */
int exec_diagnose(const struct pidbox_exec_spec *spec, int errnum, int step, int aux, struct pidbox_error *err);

#endif
