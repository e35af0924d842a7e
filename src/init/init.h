/* SPDX-License-Identifier: MIT */
/*
 * pidbox-init: PID 1 of a box.
 *
 * It is executed inside the new namespaces, gets the plan over the inherited socket, does the steps that are its own,
 * starts the command, and from then on waits in one place (loop.c) for four things: a signal, a message of the
 * front, the front's end, a deadline. It has no fatal path after the start: PID 1's end is everybody's end.
 *
 * No malloc, no stdio: the plan is one piece of memory, the rest is in struct box.
 *
 *   main.c      receives the plan, runs the steps, starts the command
 *   front.c     what it says to the front
 *   inside.c    the steps of the init
 *   command.c   the steps of a process that becomes a command
 *   exec.c      what `pidbox exec` starts, from its request to its end
 *   exec_clone.c how that process is made
 *   exec_task.c the process that becomes it
 *   enter.c     the helper that is no init: it enters other namespaces, and has one exec there
 *   join.c      how it joins them
 *   loop.c      the one wait, reaping
 *   signals.c   what is passed on to the command, and how often
 *   end.c       deadlines, and how a box ends
 *   rest.c      everybody else inside: signals to them, and their end
 *   alone*.c    the second door: an init without a front (alone.h)
 *   survey.c    who is inside, and what they have used: leaks, CPU time
 *   report.c    the record, when nobody else is left to write it
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include "base/sys.h"
#include "core/exec_wire.h"
#include "core/steps.h"
#include "core/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum { INIT_PATIENCE_US = 2000000 };

enum deadline {
	DEADLINE_TIMEOUT,    /* --timeout */
	DEADLINE_CPU,        /* next look at the CPU time */
	DEADLINE_GRACE,      /* after the stop signal: SIGKILL */
	DEADLINE_LEAK_GRACE, /* what is left by now is a leak */
	DEADLINE_LOOK,       /* has a request to end come to nothing? (alone_lost.c) */
	DEADLINE_MAX_
};

/* What the process that becomes the command tells the init, and the signal handler of both. */
struct start {
	bool forked;      /* it is there */
	bool mask_is_set; /* its signal mask is the command's */
	uint32_t step;    /* of a failure */
	int32_t errnum, aux;
};

/* What a process becomes: the box's command, or what `pidbox exec` starts. */
struct task {
	char *const *argv, *const *envp;
	char *const *paths; /* files to try in turn, as execvp(3) does */
	const struct wire_step *steps;
	uint32_t n_steps;     /* those of other sides are passed over */
	int stdio[3];         /* as in the plan */
	int terminal;         /* which the session takes; -1: none */
	const char *chdir[2]; /* one after the other; NULL: stay */
	uint32_t uid, gid, n_groups;
	const uint32_t *groups;
	const int32_t *keep; /* descriptors that stay open */
	uint32_t n_keep;
};

/* What the start of an exec says of its failure. */
struct exec_failure {
	int32_t errnum, step, aux; /* step: enum exec_step */
};

/* Which step of a task failed, by its index. */
struct failure {
	uint32_t step;
	int32_t errnum, aux;
};

/* What the init itself got of one signal, in the order of coming; see signals.c. */
struct echo {
	int32_t got, claimed; /* numbers of the next one to come, and of the next one that nobody has accounted for */
	bool asked;           /* the front has been asked, and has not answered */
	bool kernel;          /* the last one came from the kernel */
	uint64_t order;       /* of the last one, among all signals that came */
};

struct alone;

struct box {
	struct wire_plan *plan;
	struct alone *alone;         /* there is no front, see alone.h; NULL: there is one */
	struct exec_failure refused; /* with WIRE_ENTER: what has kept it out; errnum 0: nothing */
	bool asked_for;              /* with WIRE_ENTER: its one request has come, or nobody is left to make it */
	int socket;                  /* to the front */
	int signals;                 /* signalfd of everything */
	int events;                  /* epoll of the signals, the socket and the front's end */
	int proc;                    /* root of a procfs that shows the box; -1: nobody asks, or there is none */
	bool proc_outer;             /* that procfs is the caller's: PIDs in it are outer ones */
	bool front_gone;
	int64_t patience_us; /* how long in all we still wait for a front that does not read */

	bool chld_ignored; /* SIGCHLD was ignored by the caller: put back for the command */

	volatile struct start *start; /* where both see it: the next, or a shared page */
	struct start own_start;
	pid_t command;   /* inside PID; 0 once it has been reaped */
	bool idle;       /* there is no command, and nobody has ended the box yet */
	pid_t first_pid; /* what it is to be; 0: whatever comes */
	uint32_t first_pid_step;
	bool stopped;                    /* the command is, and so is to be, for a shell to see it, the front */
	bool front_told;                 /* ... and has been told, and may be stopped still */
	int64_t deadline[DEADLINE_MAX_]; /* CLOCK_MONOTONIC us; 0: none */
	struct echo echo[65];
	uint64_t n_received;
	bool children; /* SIGCHLD came: there is something to reap */
	struct wire_ident ident;

	bool ending;              /* the stop signal has been sent */
	bool ended;               /* nothing is decided any more: the last reaping */
	enum pidbox_reason asked; /* why, while ending */
	int forwarded;            /* last signal that was passed on, after --signal-map */
	int64_t started_us, exec_us;
	struct pidbox_result result;
	int64_t times[WIRE_MAX_STEPS];
};

/*
 * What an init alone does. A box's init is copied at each start, so it is built without that (BOX_INIT): here its
 * compiler sees that there is none, and leaves out all that asks.
 */
static inline struct alone *alone_of(const struct box *b)
{
#ifdef BOX_INIT
	(void)b;
	return NULL;
#else
	return b->alone;
#endif
}

/* main.c */
int init_descriptor(const char *arg); /* its number; -1: it is none */
char *box_text(struct box *b, uint32_t offset);

/* front.c */
void box_fail(struct box *b, uint32_t step, int errnum, int aux) __attribute__((noreturn));
void box_warn(struct box *b, uint32_t step, int errnum);
void front_send(struct box *b, const struct wire_msg *msg, size_t size, pid_t about);
bool box_try_send(struct box *b, const struct wire_msg *msg); /* @return false when there is no room now */
void box_send_result(struct box *b);
void box_send_times(struct box *b);

/* inside.c: each returns 0 or -errno */
int inside_step(struct box *b, uint32_t index);
int inside_wait_for(struct box *b, uint32_t type);
int inside_follow_front(struct box *b, int sig);

/* command.c: only async-signal-safe calls; with CLONE_VM the memory is the init's */
int task_become_user(const struct task *t, const struct wire_step *step, int32_t *ret_aux);
struct failure task_run(struct box *b, const struct task *t); /* returns only on failure */
void task_of_plan(struct box *b, struct task *ret);
void command_fail(struct box *b, uint32_t step, int errnum, int aux); /* tell the init */
void command_run(struct box *b); /* returns only on failure, which is in b->start */

/* loop.c */
int loop_prepare(struct box *b); /* before the start. @return 0 or -errno */
void loop_run(struct box *b) __attribute__((noreturn));
void loop_take_signal(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value);
void loop_drop_signals(struct box *b);                     /* but for SIGCHLD */
bool loop_wait_for_child(struct box *b, int64_t until);    /* other signals are dropped. @return false: in vain */
bool loop_reap(struct box *b);                             /* @return false when nothing is left */
ssize_t loop_receive(struct box *b, struct wire_msg *msg); /* a request of a client goes to exec_requested */
int loop_timeout(int64_t at);                              /* for epoll; 0: none */

/* exec.c */
void exec_requested(struct box *b, const int *fds, size_t n, bool truncated); /* takes the descriptors */
void exec_take_event(struct box *b, uint64_t event);
bool exec_reaped(struct box *b, pid_t pid, int status, const struct rusage *usage); /* @return was it one? */
void exec_stopped(pid_t pid, int sig);
bool exec_any(void);
bool exec_owns(pid_t pid);        /* is it one that runs, or in the session of one, even if that has ended? */
bool exec_any_owned(void);        /* may there be such a process? */
int64_t exec_next_deadline(void); /* 0: none */
void exec_check_deadlines(struct box *b);
void exec_box_ends(struct box *b);
void exec_hang_up(struct box *b); /* as if all clients had */

/* exec_clone.c */
enum { EXECS = 1024 }; /* at once */
struct exec_start {
	struct box *box;
	int fds[EXEC_REQUEST_FDS]; /* connection, payload, what becomes 0, 1, 2 */
	int report;                /* where a failure is left */
	uint32_t flags;            /* of the payload */
	size_t payload_size;
};
void exec_make_room(void); /* raise our limit of descriptors; a new process begins with what it was */
pid_t exec_clone(const struct exec_start *s); /* @return its PID or -errno */
void exec_clone_over(void);                   /* some start is over: memory that it took may be free */
void *exec_memory(size_t size);               /* zeroed, in the new process. @return NULL when there is none */

/* exec_task.c: in the new process */
struct exec_failure exec_become(struct box *b, const int *fds, size_t payload_size); /* returns only on failure */

/* join.c */
int enter_join(int proc, int fd, uint64_t flags); /* fd: of a process or a namespace. @return 0 or -errno */

/* enter.c */
void enter_run(struct box *b) __attribute__((noreturn));
pid_t enter_inside_pid(const struct box *b, pid_t pid); /* of a child; 0: not known */
bool enter_box_is_dead(const struct box *b);
int enter_cgroup(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux);
int enter_root(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux);
int enter_bound(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux);
int enter_limit_caps(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux);
int enter_follow(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux);

/* signals.c */
bool signals_end_by_default(int sig);
void signals_received(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value);
void signals_take_one(struct box *b, int sig);
void signals_open_window(struct box *b);
void signals_started(struct box *b);
void signals_close_window(struct box *b);
void signals_pass_on(struct box *b, int sig, bool queued, int64_t value, pid_t sender, int64_t uid);
void signals_claimed(struct box *b, const struct wire_msg *ask);
void signals_requested(struct box *b, const struct wire_msg *msg);
void signals_echo_answered(struct box *b, const struct wire_msg *msg);
void signals_stop_command(struct box *b);

/* end.c */
void end_command_ended(struct box *b, int status);
void end_idle(struct box *b, int sig);
void end_begin(struct box *b, enum pidbox_reason why, int64_t grace_us);
void end_check_deadlines(struct box *b);
int64_t end_next_deadline(const struct box *b);
void end_now(struct box *b) __attribute__((noreturn));

/* rest.c */
int rest_open_proc(void);                       /* the /proc that is mounted, if it shows our PIDs. @return or -errno */
int rest_prepare(struct box *b);                /* @return -errno: a subreaper that cannot see its descendants */
bool rest_has(const struct box *b, pid_t pid);  /* is it inside, and not we? */
void rest_signal(const struct box *b, int sig); /* to all of them */
void rest_kill(const struct box *b);            /* again after each SIGCHLD, until there is no child left */

/* survey.c */
void survey_prepare(struct box *b);
int64_t survey_cpu_us(struct box *b);
void survey_leaks(struct box *b); /* what cannot be seen is not known: -1 */
void survey_kill_session(struct box *b, pid_t session);
unsigned survey_sessions(struct box *b, pid_t *sessions, unsigned n); /* keeps those that have members; how many */

/* report.c */
int report_write(struct box *b); /* @return 0, or -errno of writing the report; so does the next */
int report_not_started(struct box *b, int errnum);
void report_keep_leak(struct box *b, const struct wire_leak *leak);

#endif
