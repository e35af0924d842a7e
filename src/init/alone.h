/* SPDX-License-Identifier: MIT */
/*
 * The second door of the init: `pidbox init`, a container's PID 1, and what stands in for other inits. There is no
 * front: the options are the plan, the end is an exit status, and what there is to say goes to standard error.
 *
 *   alone.c          the plan from the options, the start, the end
 *   alone_options.c  what each manner's command line and environment say
 *   alone_signals.c  what comes from outside, and the terminal
 *   alone_lost.c     who asks for the end, and is not heard
 *   alone_unwoken.c  orphans left to the kernel
 *   alone_words.c    what is said, and how each manner says it
 *   rest.c           everybody else inside, for PID 1 and for a subreaper
 */
#ifndef INIT_ALONE_H
#define INIT_ALONE_H

#include "init/init.h"

/* Whose command line and habits: by the name that it is called with. */
enum manner {
	MANNER_OWN = 1 << 0,
	MANNER_TINI = 1 << 1, /* docker-init, too */
	MANNER_DUMB_INIT = 1 << 2,
	MANNER_CATATONIT = 1 << 3,
};

/* What a process gets for faults of its own. Of these tini and catatonit die. */
#define ALONE_FAULTS                                                                                              \
	(SIGBIT(SIGFPE) | SIGBIT(SIGILL) | SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGABRT) | SIGBIT(SIGTRAP) | \
	 SIGBIT(SIGSYS))

/* What stops a process, and can be caught. */
#define ALONE_STOPS (SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))

enum placement {
	PLACE_OWN_GROUP,  /* the command leads a group of its own, which gets the terminal if we have it */
	PLACE_SESSION,    /* it leads a session, which takes the terminal from us */
	PLACE_SAME_GROUP, /* it is in ours */
};

/* Why a signal comes to nothing. Each is said once. */
enum loss {
	LOST_AT_PID1, /* it is for a PID 1 that is our parent, and has no handler (R7) */
	LOST_IGNORED,
	LOST_BLOCKED, /* the command has not taken it, and these are why */
	LOST_STOPPED,
	LOST_REFUSED, /* we may not send it */
};

/* What has come of reading the command line. */
enum { ALONE_GO_ON = -1 };

struct alone {
	enum manner manner;
	const char *called; /* argv[0], for usage texts */
	const char *name;   /* its last part */
	char *const *argv;  /* the command; NULL: none, we only wait to be ended (catatonit -P) */
	enum placement placement;
	uint64_t taken; /* signals that are; of others we die, unless we are PID 1 */
	bool to_group;  /* signals go to the command's group */
	bool subreaper, warn_reaped, debug_variable, pause;
	int verbosity;     /* 0: nothing, 1: warnings, up to 4 */
	int parent_death;  /* 0: no signal */
	uint64_t remap[4]; /* bit n: status n becomes 0 */
	bool has_grace;
	int64_t grace_us, timeout_us;
	uint8_t on_exit, stop_signal, signal_map[65];
	const char *report; /* file; NULL: none */
	int out, err;       /* where words go after the start; -1: nowhere */
	pid_t command;      /* also when it has ended */
	int detached;       /* errno of leaving the terminal; 0: it worked */
	int awaited;        /* a request to end that may have come to nothing; 0: none */
	bool was_ignored;   /* by the command, before it came */
	unsigned said_lost; /* bits of enum loss */
	bool in_foreground; /* the command's group has been given the terminal */
	bool tried;         /* whether orphans can be left to the kernel */
	int command_pidfd;  /* while orphans are left to the kernel; -1 */
	int requests;       /* signalfd, then */
};

/* alone.c */
void alone_run(struct box *b, int argc, char **argv, char **envp, uint64_t mask) __attribute__((noreturn));
void alone_failed(struct box *b, uint32_t step, int errnum) __attribute__((noreturn));
int alone_status(const struct box *b);         /* what to exit with */
int alone_kept(const struct alone *a, int fd); /* @return fd when there may be something to say there later, or -1 */

/* alone_options.c */
int alone_read_options(struct alone *a, int argc, char **argv, char **envp); /* @return ALONE_GO_ON or an exit status */

/* alone_signals.c */
void alone_signal(struct box *b, int sig, int code, pid_t sender, uint32_t uid, int64_t value);
bool alone_hears_of_stops(const struct alone *a);
void alone_stopped(struct box *b, int sig);     /* the command was */
int alone_open_terminal(const struct alone *a); /* @return the one that the command is to have, -1: none */
bool alone_has_terminal(void);                  /* has our session one? */
void alone_leave_terminal(struct alone *a);     /* that another session may take it */
void alone_return_terminal(const struct box *b);

/* alone_lost.c */
void alone_watch(struct box *b);
void alone_expect(struct box *b, int sig);
void alone_look(struct box *b);

/* alone_unwoken.c */
void unwoken_try(struct box *b);                 /* before reaping: can it be left to the kernel from here on? */
bool unwoken(const struct box *b);               /* is it so? How the command ended is not heard of by reaping, then */
bool unwoken_wait(struct box *b, int64_t until); /* @return false: it is not, or a signal is to be taken */

/* alone_words.c: what may have to wait for a reader is lost instead */
void alone_say_errno(const struct alone *a, const char *what, int errnum);
void alone_say_exec_failed(const struct alone *a, int errnum);
/** After what getopt has said. @param what  is wrong with it, said in our own manner alone */
void alone_say_bad_option(const struct alone *a, const char *word, const char *what);
void alone_say_bad_value(const struct alone *a, const char *option, const char *value);
void alone_say_reserved(const struct alone *a, const char *variable);
void alone_say_no_command(const struct alone *a);
void alone_say_not_pid1(const struct alone *a);
void alone_say_blind(const struct alone *a);
void alone_say_lost(struct alone *a, int sig, enum loss why, bool inherited); /* inherited: it was so at our start */
void alone_say_no_report(const struct alone *a, int errnum);
void alone_say_spawned(const struct alone *a);
void alone_say_signal(const struct alone *a, int sig);
void alone_say_reaped(const struct alone *a, pid_t pid, int status);
void alone_say_ended(const struct alone *a, int status);
int alone_help(const struct alone *a); /* these three: @return the exit status */
int alone_version(const struct alone *a);
int alone_license(const struct alone *a);

#endif
