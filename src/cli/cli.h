/* SPDX-License-Identifier: MIT */
/* The command line. It knows pidbox.h and nothing else of the library. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <pidbox.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/signalfd.h>

/* A verb: one row in main.c, one file. argv[0] is the verb. @return exit status */
int cmd_doctor(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_init(int argc, char **argv);
/* fallback.c: can a subreaper be tried after this failure of a start? */
bool fallback_is_for(const struct pidbox_error *err);
/* Become it. Returns only when that failed, with *err filled. */
void fallback_run(const struct pidbox_options *opts, const struct pidbox_spec *s, int report_fd, uint64_t mask,
		  struct pidbox_error *err);
int cmd_ls(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_pid(int argc, char **argv);
int cmd_wait(int argc, char **argv);

/* main.c: the end of what goes to standard output. @return 0, or PIDBOX_EXIT_FAILED after an error of three lines */
int finish_output(void);
/* The same for a sink of standard output (SINK_STDOUT). */
struct sink;
int finish_sink(struct sink *s);

/* out.c: what pidbox says on standard error */
void out_error(const struct pidbox_error *err);
int out_no_memory(const char *what); /* @return PIDBOX_EXIT_FAILED */
void out_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
int out_write(int fd, const void *buf, size_t size); /* @return 0 or -errno; -EINTR: a signal is to end us */
bool out_wait_for_room(int fd, int timeout_ms);
void out_ended_by(int signals); /* from signals_open_fatal */

/* fds.c: the caller's descriptors and our own */
void fds_hold_places(void);
/*
 * A descriptor that an option names is for us, not for the command.
 * @param access  O_RDONLY or O_WRONLY: what we do with it
 * @return its number from now on, or -errno
 */
int fds_claim(int fd, int access, const char *option, struct pidbox_error *err);
void fds_keep_only(const int *own, size_t n, bool keep_stdio);

/* plan_words.c: a plan in words */
void words_plan(FILE *out, const struct pidbox_plan *plan);
void words_explain(const struct pidbox *box, enum pidbox_side from, enum pidbox_side to);
void words_explain_rest(const struct pidbox *box, const struct pidbox_spec *spec);
/* The steps from that side on, up to the one that failed. */
void words_explain_failure(const struct pidbox_spec *spec, enum pidbox_side from, const struct pidbox_error *err);
void words_timing(const struct pidbox *box);

/* equivalent.c */
void words_equivalent(FILE *out, const struct pidbox_plan *plan, const struct pidbox_spec *spec);

/* record.c: --report, --events, --summary */
struct reporting {
	int report_fd, events_fd; /* -1: not wanted */
	struct pidbox_options *opts;
	int64_t t0_us;
	struct pidbox_info info; /* what is known of the box before its command runs; init_pid 0: it is not there */
};
int reporting_open(struct reporting *r, struct pidbox_options *opts, struct pidbox_error *err);
void reporting_created(void *reporting, const struct pidbox *box);
void reporting_ready(struct reporting *r, const struct pidbox_info *info);
void reporting_exec(const struct reporting *r, const struct pidbox_info *info);
void reporting_end(const struct reporting *r, const struct pidbox *box, const struct pidbox_result *res);
void reporting_failed(const struct reporting *r, const struct pidbox_error *err);
/* What of a box and of an exec is the same: the record to where it is wanted, the summary when it is. */
void reporting_write(const struct reporting *r, size_t (*record)(const void *of, char *buf, size_t size),
		     const void *of);
void reporting_summary(const struct reporting *r, const struct pidbox_result *res);

/* An error of open(2). @return -errnum */
int reporting_cannot_open(const char *what, const char *where, int errnum, struct pidbox_error *err);

/* detach.c: run --detach */
struct detach {
	int callers, fronts; /* the ends of a socket between the two; -1: closed */
	int stdio[3];        /* of the command, and of the front when it is alone */
	char made_up[16];    /* name; "": one was given */
};
int detach_prepare(struct detach *d, struct pidbox_options *opts, struct pidbox_error *err); /* opens all there is to */
/* @return -1: we are the front; else the caller's exit status */
int detach_fork(struct detach *d, const char *name);
/* The box is there, and nothing of the caller's is open but the standard streams: part. @return 0; -EPIPE: the caller
 * is gone, or could not print the name */
int detach_started(struct detach *d);
int detach_ended(const struct detach *d, int status); /* the front has ended before; @return status */

/* terminal.c: the caller's terminal, as it was and as it is to be again */
struct terminal;
struct terminal *terminal_save(void);      /* NULL: there is none */
int terminal_fd(const struct terminal *t); /* -1: none */
void terminal_raw(struct terminal *t);
void terminal_restore(struct terminal *t);
/* Stop as the command was stopped, and come back as the shell wants it. */
void terminal_stop_self(struct terminal *t, int sig, const struct pidbox_info *box);
void terminal_copy_size(int master);
bool terminal_took_signal(struct terminal *t, int master, int sig);

/* signals.c: the front's own signals */
int signals_open_fatal(uint64_t mask);                  /* reads only what would end us; or -errno */
int signals_open(uint64_t *ret_mask);                   /* blocks all; a descriptor that reads them, or -errno */
void signals_die_of(int sig) __attribute__((noreturn)); /* as the command died, without a core of our own */
bool signals_of_own_write(const struct signalfd_siginfo *info);
int signals_fatal_pending(int fd, bool *ret_stop); /* while held: the signal that ends us, 0 */

/* relay.c: the loop while the box runs */
struct relay {
	struct pidbox *box;
	struct terminal *terminal;
	int signals;   /* from signals_open */
	int tty;       /* master of the box's own terminal, or -EBADF */
	bool detached; /* there is nobody who would let us go on, had we stopped with the command */
};
int relay_run(struct relay *r, struct pidbox_result *ret); /* @return as pidbox_wait */
/* Wait for the byte on --hold-fd. @return 0; -ECANCELED at its end; a signal that ends us */
int relay_hold(struct relay *r, int hold_fd);

#endif
