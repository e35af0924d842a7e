/* SPDX-License-Identifier: MIT */
/* The inside of struct pidbox: a running box as its front sees it. */
#ifndef CORE_BOX_H
#define CORE_BOX_H

#include "core/plan.h"
#include "core/wire.h"
#include "core/witness.h"

#include <pidbox.h>
#include <signal.h>
#include <sys/resource.h>

struct queued_msg {
	struct wire_msg msg;
	pid_t about;
};

struct file_id {
	dev_t dev;
	ino_t ino; /* 0: not known */
};

struct pidbox {
	struct pidbox_plan *plan;
	int socket, pidfd, tty;
	pid_t init_pid, command_pid;
	struct file_id init_file;
	uint64_t pid_namespace; /* 0: nobody has asked yet, see box_namespace */
	char id[48];
	uint32_t warnings; /* steps that failed and were done without */
	int64_t t0_us, created_us, ready_us, exec_us;

	int interrupt_fd;       /* see spec; -1: none */
	int64_t interrupted_us; /* when it became readable; 0: it has not */

	bool held; /* waits for pidbox_release */
	bool has_started;
	bool closed; /* the init's end of the socket is closed */
	bool has_result;
	bool told_end; /* the caller has had PIDBOX_EVENT_RESULT */
	bool reaped;   /* the init has been waited for */
	bool held_up;  /* ... and pidbox_wait gave up waiting for that */
	bool fail_on_leak;
	int64_t oom_before; /* oom_kills() at the start; -1: not known, or nobody asks */
	struct pidbox_result result;
	struct pidbox_leak *leaks;
	size_t n_leaks, leaks_size;

	/* --as-pid1: there is no init to keep the time */
	int64_t timeout_at, cpu_at, kill_at; /* 0: none */
	enum pidbox_reason asked;
	bool ending;
	bool killed; /* SIGKILL has been sent: the end is the kernel's to make */
	struct witness witness;
	struct reach *reach;      /* NULL: nobody reaches it; reach.c */
	struct queued_msg *queue; /* what came while we waited for an answer; see messages.c */
	size_t n_queue, queue_at;
	int lost_signal; /* PID 1 has no handler for it, and somebody should hear of that */
	int forwarded;
};

/* spawn.c */
int box_start(struct pidbox *box, struct pidbox_error *err);
void box_abort(struct pidbox *box);
/* diagnose_step() for a row of the box's plan. */
int box_step_failed(struct pidbox *box, size_t row, int errnum, int aux, struct pidbox_error *err);

/* messages.c: one message of the init. @return 1, 0: none yet (or for ever: box->closed), -errno */
int box_receive(struct pidbox *box, struct wire_msg *msg, pid_t *ret_about);
/* Ask the init and wait for the answer of this type; other messages are kept for box_receive. @return 0, -ESRCH,
 * -ETIMEDOUT */
int box_ask(struct pidbox *box, const struct wire_msg *ask, uint32_t type, struct wire_msg *answer);
/* Send without waiting, but for what set-up depends on (MSG_GO, MSG_RUN). @return 0, -ESRCH, -EAGAIN: no room */
int box_send(struct pidbox *box, const struct wire_msg *msg, size_t size);
/* Nothing can keep the box any more: the init has said so or is gone, or the command has been killed as PID 1. */
bool box_is_ending(const struct pidbox *box);
bool box_init_has_ended(const struct pidbox *box);
/* The init's end of the socket is closed, or nothing more comes from there. */
void box_set_closed(struct pidbox *box);
/* Wait until there is a message or the init has ended, while the box is set up. @return 0; -EINTR when the caller wants
 * to give up (spec.interrupt_fd) */
int box_poll_setup(struct pidbox *box, int64_t timeout_us);
void box_take_leak(struct pidbox *box, const struct wire_msg *msg, pid_t pid);

/* follow.c: pidbox_signal for somebody else */
int box_signal_from(struct pidbox *box, int sig, pid_t pid, uid_t uid);
/* wait.c: the command as it is in the plan. @return NULL-terminated, to be freed but for its strings; NULL: no memory
 */
char **box_argv(const struct pidbox *box);

/* identity.c */
void box_identify(struct pidbox *box);
/* The inode number of its PID namespace: as it is known, else looked up while its init is there. @return 0: unknown */
uint64_t box_namespace(const struct pidbox *box);
/* Does PID 1 run another program than the init? Unknown counts as no. */
bool box_runs_another(const struct pidbox *box);

/* pid1.c: what the front does itself when the command is PID 1 */
void pid1_started(struct pidbox *box);
int pid1_signal(struct pidbox *box, int sig, const struct wire_msg *msg);
/* @param by  its sender is who wants the end */
void pid1_kill(struct pidbox *box, enum pidbox_reason why, int64_t grace_us, const struct wire_msg *by);
int64_t pid1_next_deadline(const struct pidbox *box);
void pid1_check_deadlines(struct pidbox *box);
void pid1_finish(struct pidbox *box, const siginfo_t *info, const struct rusage *usage);

/* diagnose.c: the words for a step that failed */
int diagnose_step(const struct pidbox_plan *plan, size_t row, int errnum, int aux, struct pidbox_error *err);

#endif
