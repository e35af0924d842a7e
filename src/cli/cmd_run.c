/* SPDX-License-Identifier: MIT */
/* pidbox run */
#include "cli/args.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run {
	struct pidbox_options *opts;
	struct reporting reporting;
	struct relay relay;
	int hold_fd;   /* -1: none */
	uint64_t mask; /* blocked signals of the caller */
	int fatal;     /* from signals_open_fatal */
	bool detached;
	struct detach detach;
	struct pidbox_error err; /* of whatever fails: large, and mostly never touched */
};

static int print_help(void)
{
	struct pidbox_option_row row;
	const char *group = "";

	(void)printf("usage: pidbox run [OPTION...] [--] [COMMAND [ARG...]]\n\n"
		     "Run COMMAND (default: the shell) as its own process world. When pidbox returns, everything of it "
		     "is gone.\n");
	for (size_t i = 0; pidbox_option_row(i, &row) == 0; i++) {
		if (strcmp(group, row.group) != 0)
			(void)printf("\n%s\n", row.group);
		group = row.group;
		args_print_option(row.letter, row.name, row.argument, row.help);
	}
	(void)printf("\nExit status: the command's own; 123 leak, 124 time limit, 125 pidbox failed, 126 cannot be "
		     "executed,\n"
		     "127 not found. When the command dies of a signal, so does pidbox. See pidbox-run(1).\n");
	return finish_output();
}

static int dry_run(const struct pidbox_spec *spec)
{
	struct pidbox_error err;
	struct pidbox_plan *plan;

	if (pidbox_plan(spec, &plan, &err) < 0) {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	words_plan(stdout, plan);
	words_equivalent(stdout, plan, spec);
	pidbox_plan_free(plan);
	return finish_output();
}

/* With those of clients that have come already. */
enum { OWN_MAX = 128 };

static void let_go_of_the_callers(const struct run *run)
{
	int own[OWN_MAX] = {
		run->relay.signals,
		terminal_fd(run->relay.terminal),
		run->reporting.report_fd,
		run->reporting.events_fd,
		run->fatal,
		run->detached ? run->detach.fronts : -1,
		run->detached ? run->detach.stdio[0] : -1,
		run->detached ? run->detach.stdio[1] : -1,
	};
	size_t n = 8;

	n += pidbox_fds(run->relay.box, own + n, OWN_MAX - n);
	/* The relay of a terminal of the box's own reads and writes 0 and 1. */
	fds_keep_only(own, n, run->relay.tty >= 0);
}

static void warn_of_steps(const struct pidbox *box)
{
	struct pidbox_step step;

	for (size_t i = 0; pidbox_get_step(box, i, &step) == 0; i++) {
		if (step.errnum == 0)
			continue;
		out_note("pidbox: warning: the step %s (%s) failed: %s\n", step.name, step.call, strerror(step.errnum));
		if (strcmp(step.name, "mount-proc") == 0)
			out_note("pidbox: warning: /proc is the caller's: it shows the outer PIDs\n");
	}
}

/* ------------------------------------------------------------ the end */

static void warn_of_holdouts(const struct pidbox *box)
{
	char text[1024];

	if (pidbox_holdouts(box, text, sizeof(text)) == 0)
		(void)snprintf(text, sizeof(text), "(it cannot be seen from here)\n");
	out_note("pidbox: warning: all is killed, but the kernel waits for somebody outside to reap: %s"
		 "  why: a process that entered by setns (nsenter) or is traced is its outside parent's or tracer's to "
		 "reap\n"
		 "  fix: let that one go on (kill -CONT) or end it\n",
		 text);
}

static int end(struct run *run, const struct pidbox_result *res, int waited)
{
	int status = pidbox_exit_status(run->relay.box, res);
	int sig = status > 128 && res->signal > 0 && status == 128 + res->signal ? res->signal : 0;

	terminal_restore(run->relay.terminal);
	if (waited == -EBUSY)
		warn_of_holdouts(run->relay.box);
	if (pidbox_options_spec(run->opts)->timing)
		words_timing(run->relay.box);
	reporting_end(&run->reporting, run->relay.box, res);
	/* Of a box that has ended there is only memory left, which goes with us: each page that is given back by itself
	 * is an interrupt to the processor where the child has run in it. The command as PID 1 has had a witness, too.
	 */
	if (waited != 0 || pidbox_options_spec(run->opts)->as_pid1)
		pidbox_free(run->relay.box);
	if (sig > 0)
		signals_die_of(sig);
	return status;
}

/* ------------------------------------------------------------ starting */

static int give_up(struct run *run)
{
	const struct pidbox_error *err = &run->err;
	bool stop;
	int sig;

	pidbox_free(run->relay.box);
	run->relay.box = NULL;
	out_error(err);
	reporting_failed(&run->reporting, err);
	/* Ctrl-C while newuidmap ran, say: a loop of the shell stops only when we die of it. */
	sig = signals_fatal_pending(run->relay.signals, &stop);
	if (sig > 0 && !(run->mask >> (sig - 1) & 1))
		signals_die_of(sig);
	return err->exit_status != 0 ? err->exit_status : PIDBOX_EXIT_FAILED;
}

static void hold_error(int fd, int r, struct pidbox_error *err)
{
	*err = (struct pidbox_error){
		.errnum = -r,
		.exit_status = PIDBOX_EXIT_FAILED,
		.step = "hold",
		.why = "the descriptor cannot be read, so the command was not started",
		.fix = "give a descriptor that is open for reading: a pipe, a FIFO or a socket",
	};
	(void)snprintf(err->what, sizeof(err->what), "waiting on --hold-fd %d", fd);
	if (r == -ECANCELED) {
		(void)snprintf(err->why, sizeof(err->why), "its end came before a byte: the command was not started");
		(void)snprintf(err->fix, sizeof(err->fix),
			       "write a byte to start the command, and keep the writing end open until then");
	} else if (r == -ESRCH) {
		(void)snprintf(err->why, sizeof(err->why), "the init has ended: somebody has killed it");
		(void)snprintf(err->fix, sizeof(err->fix), "start the box again");
	}
}

/* By a signal to us, before the command could have got it: the record is all that tells of the box. */
static void __attribute__((noreturn)) die_while_held(struct run *run, int sig)
{
	struct pidbox_error err = {
		.errnum = EINTR,
		.exit_status = 128 + sig,
		.step = "hold",
		.what = "waiting on --hold-fd",
		.fix = "write a byte to start the command",
	};
	char name[16];

	pidbox_signal_name(sig, name);
	(void)snprintf(err.why, sizeof(err.why), "%s ended pidbox first: the command was not started", name);
	pidbox_free(run->relay.box);
	terminal_restore(run->relay.terminal);
	reporting_failed(&run->reporting, &err);
	signals_die_of(sig);
}

/* Between ready and start: the story, and the caller's checkpoint. @return 0, or the exit status */
static int hold(struct run *run)
{
	struct pidbox_result res;
	struct pidbox_info info;
	int r;

	pidbox_get_info(run->relay.box, &info);
	reporting_ready(&run->reporting, &info);
	if (pidbox_options_flags(run->opts) & PIDBOX_OPTION_EXPLAIN)
		words_explain(run->relay.box, PIDBOX_SIDE_FRONT, PIDBOX_SIDE_INIT);
	r = run->hold_fd >= 0 ? relay_hold(&run->relay, run->hold_fd) : 0;
	if (r > 0)
		die_while_held(run, r);
	/* The time limit runs from the beginning, and ends a box that is held, too. */
	if (r == -ESRCH && pidbox_wait(run->relay.box, PIDBOX_DEFAULT, &res) == 0 &&
	    res.reason == PIDBOX_REASON_TIMEOUT)
		return end(run, &res, 0);
	if (r < 0) {
		hold_error(pidbox_options_hold_fd(run->opts), r, &run->err);
		return give_up(run);
	}
	r = pidbox_release(run->relay.box, &run->err);
	if (pidbox_options_flags(run->opts) & PIDBOX_OPTION_EXPLAIN) {
		if (r == 0) {
			words_explain(run->relay.box, PIDBOX_SIDE_COMMAND, PIDBOX_SIDE_COMMAND);
			words_explain_rest(run->relay.box, pidbox_options_spec(run->opts));
		} else {
			words_explain_failure(pidbox_options_spec(run->opts), PIDBOX_SIDE_COMMAND, &run->err);
		}
	}
	return r < 0 ? give_up(run) : 0;
}

/*
 * While SIGCHLD is ignored the kernel throws the status of our child away (wait(2)). The command gets it ignored all
 * the same. @return was it ignored?
 */
static bool hear_of_children(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;

	return sigaction(SIGCHLD, &act, &old) == 0 && old.sa_handler == SIG_IGN;
}

static int start(struct run *run)
{
	struct pidbox_spec *spec = pidbox_options_spec(run->opts);
	struct pidbox_info info;
	int status = 0;

	spec->signal_mask = &run->mask;
	spec->interrupt_fd = run->fatal;
	spec->report_fd = run->reporting.report_fd;
	spec->sigchld_ignored = hear_of_children();
	if (run->reporting.events_fd >= 0 || run->reporting.report_fd >= 0) {
		spec->on_created = reporting_created;
		spec->context = &run->reporting;
	}
	if (pidbox_spawn(spec, &run->relay.box, &run->err) < 0) {
		if (pidbox_options_flags(run->opts) & PIDBOX_OPTION_EXPLAIN)
			words_explain_failure(spec, PIDBOX_SIDE_FRONT, &run->err);
		if ((pidbox_options_flags(run->opts) & PIDBOX_OPTION_FALLBACK) && fallback_is_for(&run->err))
			fallback_run(run->opts, spec, run->reporting.report_fd, run->mask, &run->err);
		return give_up(run);
	}
	if (spec->hold)
		status = hold(run);
	if (status != 0)
		return status;
	pidbox_get_info(run->relay.box, &info);
	if (!spec->hold)
		reporting_ready(&run->reporting, &info);
	if (!spec->idle)
		reporting_exec(&run->reporting, &info);
	if (info.warnings > 0)
		warn_of_steps(run->relay.box);
	return 0;
}

/* ------------------------------------------------------------ the whole */

/* What is the caller's to open, before there is anything that could fail after it. */
static int open_all(struct run *run)
{
	struct pidbox_error *err = &run->err;

	fds_hold_places();
	run->hold_fd = pidbox_options_hold_fd(run->opts);
	if (run->hold_fd >= 0)
		run->hold_fd = fds_claim(run->hold_fd, O_RDONLY, "--hold-fd", err);
	if (run->hold_fd < 0 && pidbox_options_hold_fd(run->opts) >= 0)
		return run->hold_fd;
	if (reporting_open(&run->reporting, run->opts, err) < 0)
		return -1;
	return run->detached ? detach_prepare(&run->detach, run->opts, err) : 0;
}

/* The caller of a detached box could not be told of it. */
static int end_untold(struct run *run)
{
	struct pidbox_result res;

	(void)pidbox_kill(run->relay.box, 0, NULL);
	return end(run, &res, pidbox_wait(run->relay.box, PIDBOX_DEFAULT, &res));
}

static int run_front(struct run *run)
{
	struct pidbox_result res;
	int status, waited;

	run->relay.signals = signals_open(&run->mask);
	if (run->relay.signals < 0) {
		run->err = (struct pidbox_error){
			.errnum = -run->relay.signals,
			.what = "opening a descriptor of signals",
			.why = "signalfd(2) is refused",
			.fix = "start the outer container with a seccomp profile that knows signalfd4",
		};
		if (run->err.errnum == EMFILE) { /* in the words of every other step */
			(void)strcpy(run->err.why, "the caller has as many descriptors open as RLIMIT_NOFILE allows");
			(void)strcpy(run->err.fix, "raise it (ulimit -n), or close some");
		}
		return give_up(run);
	}
	run->fatal = signals_open_fatal(run->mask);
	out_ended_by(run->fatal);
	run->relay.terminal = run->detached ? NULL : terminal_save();
	run->relay.tty = -EBADF;
	run->relay.detached = run->detached;
	status = start(run);
	if (status != 0)
		return status;
	run->relay.tty = pidbox_tty_fd(run->relay.box);
	let_go_of_the_callers(run);
	if (run->detached && detach_started(&run->detach) < 0)
		return end_untold(run);
	waited = relay_run(&run->relay, &res);
	return end(run, &res, waited);
}

static int run_box(struct run *run)
{
	int status;

	if (open_all(run) < 0) {
		out_error(&run->err);
		return PIDBOX_EXIT_FAILED;
	}
	if (!run->detached)
		return run_front(run);
	status = detach_fork(&run->detach, pidbox_options_spec(run->opts)->name);
	return status >= 0 ? status : detach_ended(&run->detach, run_front(run));
}

int cmd_run(int argc, char **argv)
{
	static struct run run;
	struct pidbox_spec *spec;
	uint32_t flags;
	int status;

	if (pidbox_options_parse(argc - 1, argv + 1, &run.opts, &run.err) < 0) {
		out_error(&run.err);
		return PIDBOX_EXIT_FAILED;
	}
	spec = pidbox_options_spec(run.opts);
	flags = pidbox_options_flags(run.opts);
	/* What the command line does otherwise than the library. */
	run.detached = flags & PIDBOX_OPTION_DETACH;
	spec->inherit_fds = !(flags & PIDBOX_OPTION_CLOSE_FDS) && !run.detached;
	spec->front_forwards = true;
	spec->reachable = PIDBOX_REACHABLE;
	spec->hold = pidbox_options_hold_fd(run.opts) >= 0 || (flags & PIDBOX_OPTION_EXPLAIN) ||
		     pidbox_options_events_fd(run.opts) >= 0;
	if (flags & PIDBOX_OPTION_HELP)
		status = print_help();
	else if (flags & PIDBOX_OPTION_DRY_RUN)
		status = dry_run(spec);
	else
		status = run_box(&run);
	return status; /* as with the box: the options go with us */
}
