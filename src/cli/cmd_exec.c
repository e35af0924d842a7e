/* SPDX-License-Identifier: MIT */
/* pidbox exec */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exec {
	/* as given */
	bool tty, interactive, summary;
	bool after_dashes; /* the command stands behind a "--" */
	const char *chdir, *user, *timeout, *grace, *stop_signal, *report, *events;
	const char **set_env, **unset_env; /* with room for all arguments; the first of set_env is for TERM */
	size_t n_set, n_unset;
	char **texts; /* what we have put together of them */
	size_t n_texts;

	struct pidbox_options *opts; /* those that `run` has, too */
	struct pidbox_exec_spec spec;
	struct pidbox_target *target;
	struct pidbox_exec *exec;
	struct reporting reporting;
	struct terminal *terminal;
	struct flow flow;
	int signals, fatal;
	uint64_t mask;  /* blocked signals of the caller */
	int stopped_by; /* what we have passed on as SIGSTOP */
	bool result;
};

/* ------------------------------------------------------------ the command line */

/* "K=V", or "K": with the value that it has here, if any. The first is kept for TERM, which all others come after. */
static int add_env(void *context, const char *value, struct pidbox_error *err)
{
	struct exec *e = context;
	const char *here = strchr(value, '=') == NULL ? getenv(value) : NULL;
	char *text;

	if (value[0] == '=' || value[0] == '\0') {
		(void)snprintf(err->what, sizeof(err->what), "--env takes NAME or NAME=VALUE, not \"%s\"", value);
		return -EINVAL;
	}
	if (strchr(value, '=') == NULL && here == NULL)
		return 0;
	if (here == NULL) {
		e->set_env[++e->n_set] = value;
		return 0;
	}
	text = malloc(strlen(value) + strlen(here) + 2);
	if (text == NULL)
		return -ENOMEM;
	(void)sprintf(text, "%s=%s", value, here);
	e->texts[e->n_texts++] = text;
	e->set_env[++e->n_set] = text;
	return 0;
}

static int add_unset(void *context, const char *value, struct pidbox_error *err)
{
	struct exec *e = context;

	if (value[0] == '\0' || strchr(value, '=') != NULL) {
		(void)snprintf(err->what, sizeof(err->what), "--unset-env takes a NAME, not \"%s\"", value);
		return -EINVAL;
	}
	e->unset_env[e->n_unset++] = value;
	return 0;
}

static int add_only(void *context, const char *value, struct pidbox_error *err)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} kinds[] = {
		{ "user", PIDBOX_NS_USER },     { "pid", PIDBOX_NS_PID },   { "mount", PIDBOX_NS_MOUNT },
		{ "uts", PIDBOX_NS_UTS },       { "ipc", PIDBOX_NS_IPC },   { "net", PIDBOX_NS_NET },
		{ "cgroup", PIDBOX_NS_CGROUP }, { "time", PIDBOX_NS_TIME }, { "all", PIDBOX_NS_ALL },
	};
	struct exec *e = context;

	for (const char *p = value;; p++) {
		size_t len = strcspn(p, ","), i = 0;

		while (i < sizeof(kinds) / sizeof(kinds[0]) &&
		       (strlen(kinds[i].word) != len || strncmp(kinds[i].word, p, len) != 0))
			i++;
		if (i == sizeof(kinds) / sizeof(kinds[0])) {
			(void)snprintf(err->what, sizeof(err->what), "--only: \"%s\" is not a list of namespace kinds",
				       value);
			(void)snprintf(err->fix, sizeof(err->fix),
				       "kinds are user, pid, mount, uts, ipc, net, cgroup, time and all, with commas "
				       "between");
			return -EINVAL;
		}
		e->spec.only |= kinds[i].bit;
		p += len;
		if (*p == '\0')
			return 0;
	}
}

static const struct args_elsewhere elsewhere[] = {
	{ "--target", "name the box: pidbox exec PID COMMAND" },
	{ "--all", "leave it out: all namespaces are entered, and --only takes less" },
	{ "-a", "leave it out: all namespaces are entered, and --only takes less" },
	{ "--mount", "--only mount" },
	{ "-m", "--only mount" },
	{ "--uts", "--only uts" },
	{ "--ipc", "--only ipc" },
	{ "--net", "--only net" },
	{ "-n", "--only net" },
	{ "--pid", "--only pid" },
	{ "-p", "--only pid" },
	{ "--cgroup", "--only cgroup" },
	{ "--time", "--only time" },
	{ "--setuid", "--user UID" },
	{ "-S", "--user UID" },
	{ "--setgid", "--user UID:GID" },
	{ "-G", "--user UID:GID" },
	{ "-u", "--user U (or --only uts, for nsenter's)" },
	{ "--wd", "--chdir DIR" },
	{ "--workdir", "--chdir DIR" },
	{ "-w", "--chdir DIR" },
	{ "--root", "leave it out: the root directory is the box's" },
	{ "--no-fork", "leave it out: the command is always a new process" },
	{ "-F", "leave it out: the command is always a new process" },
	{ "--detach", "pidbox exec BOX COMMAND & (or a box of its own: pidbox run -d)" },
	{ "-d", "pidbox exec BOX COMMAND & (or a box of its own: pidbox run -d)" },
	{ "--env-file", "-e NAME=VALUE for each" },
	{ "--privileged", "leave it out: the command is confined as the box is" },
};

static bool read_options(struct exec *e, int argc, char **argv, int *ret)
{
	const struct args_option options[] = {
		{ .name = "tty",
		  .letter = 't',
		  .help = "a terminal of its own (default when standard input and output are one)",
		  .flag = &e->tty },
		{ .name = "interactive",
		  .letter = 'i',
		  .help = "accepted, and changes nothing",
		  .flag = &e->interactive },
		{ .name = "chdir",
		  .letter = 'C',
		  .argument = "DIR",
		  .help = "directory inside (default: the box's)",
		  .text = &e->chdir },
		{ .name = "env",
		  .letter = 'e',
		  .argument = "NAME[=VALUE]",
		  .help = "set; without VALUE as it is here",
		  .set = add_env },
		{ .name = "unset-env",
		  .argument = "NAME",
		  .help = "take out of the box's environment",
		  .set = add_unset },
		{ .name = "user", .argument = "U[:G]", .help = "run as this user of the box", .text = &e->user },
		{ .name = "timeout",
		  .argument = "D",
		  .help = "end the command after D; the box goes on",
		  .text = &e->timeout },
		{ .name = "stop-signal",
		  .argument = "SIG",
		  .help = "how it is asked to end then (default TERM)",
		  .text = &e->stop_signal },
		{ .name = "grace",
		  .argument = "D",
		  .help = "from the stop signal to SIGKILL (default 10s)",
		  .text = &e->grace },
		{ .name = "only",
		  .argument = "KIND,...",
		  .help = "enter just these namespaces, by setns",
		  .set = add_only },
		{ .name = "report",
		  .argument = "FILE|fd:N|-",
		  .help = "the record as JSON, at the end",
		  .text = &e->report },
		{ .name = "summary", .help = "at the end, a short text on standard error", .flag = &e->summary },
		{ .name = "events", .argument = "fd:N", .help = "JSON lines as they happen", .text = &e->events },
	};
	const struct args args = {
		.verb = "exec",
		.operands = "BOX [--] [COMMAND [ARG...]]",
		.least = 1,
		.most = -1,
		.about = "Run COMMAND (default: the box's shell) in a box that is there already.",
		.more = "Exit status: the command's own; 124 time limit, 125 pidbox failed, 126 cannot be executed, "
			"127 not "
			"found.\nWhen the command dies of a signal, so does pidbox. See pidbox-exec(1).",
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.elsewhere = elsewhere,
		.n_elsewhere = sizeof(elsewhere) / sizeof(elsewhere[0]),
		.context = e,
	};

	return args_parse(&args, argc, argv, ret);
}

/* What `run` has, too, means the same and is read by the same parser. */
static int read_common_options(struct exec *e, struct pidbox_error *err)
{
	const struct {
		const char *option, *value;
	} given[] = {
		{ "--timeout", e->timeout }, { "--grace", e->grace },   { "--stop-signal", e->stop_signal },
		{ "--report", e->report },   { "--events", e->events },
	};
	char *argv[2 * sizeof(given) / sizeof(given[0]) + 2];
	static char summary[] = "--summary";
	int n = 0, r;

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		if (given[i].value == NULL)
			continue;
		argv[n++] = (char *)(uintptr_t)given[i].option;
		argv[n++] = (char *)(uintptr_t)given[i].value;
	}
	if (e->summary)
		argv[n++] = summary;
	argv[n] = NULL;
	r = pidbox_options_parse(n, argv, &e->opts, err);
	if (r < 0 && err->code == PIDBOX_CODE_USAGE)
		(void)snprintf(err->what, sizeof(err->what), "reading the options of pidbox exec");
	return r;
}

static void fill_spec(struct exec *e, char **command)
{
	const struct pidbox_spec *common = pidbox_options_spec(e->opts);
	const char *term = getenv("TERM");
	char *text = term != NULL ? malloc(strlen(term) + sizeof("TERM=")) : NULL;

	e->spec.size = sizeof(e->spec);
	e->spec.argv = command[0] != NULL ? (const char *const *)command : NULL;
	e->spec.chdir = e->chdir;
	e->spec.user = e->user;
	e->spec.tty = e->tty || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
	e->spec.timeout_us = common->timeout_us;
	e->spec.stop_signal = common->stop_signal;
	e->spec.has_grace = common->has_grace;
	e->spec.grace_us = common->grace_us;
	e->spec.interrupt_fd = e->fatal > 0 ? e->fatal : 0;
	e->spec.unset_env = e->unset_env;
	e->spec.set_env = e->set_env + 1;
	if (text == NULL)
		return;
	(void)sprintf(text, "TERM=%s", term);
	e->texts[e->n_texts++] = text;
	e->set_env[0] = text;
	e->spec.set_env = e->set_env;
}

/* ------------------------------------------------------------ while it runs */

/*
 * Nothing but what we pass on reaches it: it is in a session of its own. There a stop signal of a terminal would be
 * dropped by the kernel (its group is an orphaned one), so Ctrl-Z becomes SIGSTOP; we stop when it has.
 */
static void pass_on(struct exec *e, int sig)
{
	bool stops = sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;

	if (stops)
		e->stopped_by = sig;
	(void)pidbox_exec_signal(e->exec, stops ? SIGSTOP : sig);
}

static void take_signals(struct exec *e)
{
	struct signalfd_siginfo info;

	while (read(e->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int sig = (int)info.ssi_signo;

		if ((sig == SIGCHLD && info.ssi_code > 0) || signals_of_own_write(&info))
			continue;
		if (e->flow.master < 0 || !terminal_took_signal(e->terminal, e->flow.master, sig))
			pass_on(e, sig);
	}
}

static void stop_with_it(struct exec *e, int sig)
{
	struct pidbox_exec_info info;
	struct pidbox_info as_box = { 0 };

	if (e->flow.master >= 0)
		return;
	pidbox_exec_get_info(e->exec, &info);
	as_box.command_pid = info.pid;
	as_box.pid_namespace = info.pid_namespace;
	terminal_stop_self(e->terminal, sig == SIGSTOP && e->stopped_by != 0 ? e->stopped_by : sig, &as_box);
	e->stopped_by = 0;
}

static void take_events(struct exec *e)
{
	struct pidbox_event ev;

	while (pidbox_exec_next_event(e->exec, &ev) > 0) {
		if (ev.type == PIDBOX_EVENT_STOPPED)
			stop_with_it(e, ev.signal);
		e->result |= ev.type == PIDBOX_EVENT_RESULT;
	}
}

static void follow(struct exec *e, struct pidbox_result *ret)
{
	enum { SIGNALS, EVENTS, FLOW, N = FLOW + FLOW_FDS };
	bool wanted;
	int n;

	flow_begin(&e->flow, pidbox_exec_tty_fd(e->exec));
	if (e->flow.master >= 0)
		terminal_raw(e->terminal);
	while (!e->result) {
		struct pollfd fds[N] = {
			[SIGNALS] = { .fd = e->signals, .events = POLLIN },
			[EVENTS] = { .fd = pidbox_exec_fd(e->exec), .events = POLLIN },
		};

		flow_poll(&e->flow, &fds[FLOW]);
		n = poll(fds, N, -1);
		if (n < 0 && errno != EINTR && errno != ENOMEM && errno != EAGAIN)
			break;
		if (fds[SIGNALS].revents != 0)
			take_signals(e);
		/* Bytes of the terminal tell nothing of the command. */
		if (n < 0 || fds[EVENTS].fd < 0 || (fds[SIGNALS].revents | fds[EVENTS].revents) != 0)
			take_events(e);
		flow_turn(&e->flow, &fds[FLOW]);
	}
	(void)pidbox_exec_wait(e->exec, PIDBOX_DEFAULT, ret);
	wanted = ret->reason != PIDBOX_REASON_EXITED && ret->reason != PIDBOX_REASON_SIGNALED;
	flow_end(&e->flow, !wanted);
}

/* ------------------------------------------------------------ start and end */

static void let_go_of_the_callers(const struct exec *e)
{
	int own[16] = {
		e->signals, terminal_fd(e->terminal), e->reporting.report_fd, e->reporting.events_fd, e->fatal,
	};
	size_t n = 5;

	n += pidbox_exec_fds(e->exec, own + n, sizeof(own) / sizeof(own[0]) - n);
	fds_keep_only(own, n, pidbox_exec_tty_fd(e->exec) >= 0);
}

/* A command that was not executed. */
struct failed {
	const struct exec *e;
	const struct pidbox_error *err;
};

static size_t record_of_failed(const void *of, char *buf, size_t size)
{
	const struct failed *f = of;

	return pidbox_exec_record_failed(f->e->target, &f->e->spec, f->err, buf, size);
}

static size_t record_of_exec(const void *of, char *buf, size_t size)
{
	return pidbox_exec_record(of, buf, size);
}

/* As under docker and nsenter, options end at BOX: behind it they are taken for the command. */
static void hint_at_order(const struct exec *e, const char *box, struct pidbox_error *err)
{
	const char *word = e->spec.argv != NULL ? e->spec.argv[0] : "";

	if (err->exit_status == PIDBOX_EXIT_NOT_FOUND && word[0] == '-' && !e->after_dashes)
		(void)snprintf(err->fix, sizeof(err->fix), "options go before BOX: pidbox exec %.100s ... %.100s", word,
			       box);
}

static int give_up(struct exec *e, const struct pidbox_error *err)
{
	const struct failed failed = { e, err };
	bool stop;
	int sig;

	out_error(err);
	reporting_write(&e->reporting, record_of_failed, &failed);
	sig = signals_fatal_pending(e->signals, &stop);
	if (sig > 0 && !(e->mask >> (sig - 1) & 1))
		signals_die_of(sig);
	return err->exit_status != 0 ? err->exit_status : PIDBOX_EXIT_FAILED;
}

static int end(struct exec *e, const struct pidbox_result *res)
{
	int status = pidbox_exec_status(e->exec, res);
	int sig = status > 128 && res->signal > 0 && status == 128 + res->signal ? res->signal : 0;

	terminal_restore(e->terminal);
	if (pidbox_exec_box_ended(e->exec))
		out_note("pidbox: the box has ended, and the command with it\n");
	reporting_write(&e->reporting, record_of_exec, e->exec);
	reporting_summary(&e->reporting, res);
	pidbox_exec_free(e->exec);
	e->exec = NULL;
	if (sig > 0)
		signals_die_of(sig);
	return status;
}

/* While SIGCHLD is ignored the kernel throws the status of a child of ours away (wait(2)); setns makes one. */
static void hear_of_children(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL };

	(void)sigaction(SIGCHLD, &act, NULL);
}

static void report_start(struct exec *e)
{
	struct pidbox_exec_info info;
	struct pidbox_info as_box = { 0 };

	pidbox_exec_get_info(e->exec, &info);
	as_box.command_pid = info.pid;
	as_box.exec_us = info.exec_us;
	if (info.cgroup_errnum != 0)
		out_note("pidbox: note: the command counts in the caller's cgroup; that of the box may not be joined: "
			 "%s\n",
			 strerror(info.cgroup_errnum));
	reporting_exec(&e->reporting, &as_box);
}

static int run(struct exec *e, const char *box, char **command)
{
	struct pidbox_result res = { .exit_code = -1 };
	struct pidbox_error err = { 0 };

	fds_hold_places();
	if (reporting_open(&e->reporting, e->opts, &err) < 0) {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	e->signals = signals_open(&e->mask);
	if (e->signals < 0) {
		err = (struct pidbox_error){
			.errnum = -e->signals,
			.what = "opening a descriptor of signals",
			.why = "signalfd(2) is refused, or there are no descriptors left (RLIMIT_NOFILE)",
			.fix = "raise ulimit -n",
		};
		return give_up(e, &err);
	}
	e->fatal = signals_open_fatal(e->mask);
	out_ended_by(e->fatal);
	hear_of_children();
	e->terminal = terminal_save();
	fill_spec(e, command);
	if (pidbox_open(box, &e->target, &err) < 0 || pidbox_exec(e->target, &e->spec, &e->exec, &err) < 0) {
		hint_at_order(e, box, &err);
		return give_up(e, &err);
	}
	report_start(e);
	take_events(e);
	if (!e->result) { /* it goes on */
		pidbox_close(e->target);
		e->target = NULL;
		let_go_of_the_callers(e);
	}
	follow(e, &res);
	return end(e, &res);
}

int cmd_exec(int argc, char **argv)
{
	/* Each value is an argument, or in one, and there is one end and one TERM more. */
	size_t room = (size_t)argc + 2;
	void **lists = calloc(3 * room, sizeof(*lists));
	struct exec all = { .set_env = (const char **)lists };
	struct pidbox_error err = { 0 };
	struct exec *e = &all;
	int at, status;

	if (lists == NULL) {
		out_note("pidbox: reading the options: %s\n", strerror(ENOMEM));
		return PIDBOX_EXIT_FAILED;
	}
	e->unset_env = e->set_env + room;
	e->texts = (char **)lists + 2 * room;
	if (!read_options(e, argc, argv, &at)) {
		free(lists);
		return at;
	}
	if (read_common_options(e, &err) < 0) {
		out_error(&err);
		status = PIDBOX_EXIT_FAILED;
	} else {
		char **command = argv + at + 1;

		e->after_dashes = command[0] != NULL && strcmp(command[0], "--") == 0;
		if (e->after_dashes)
			command++;
		status = run(e, argv[at], command);
	}
	pidbox_close(e->target);
	pidbox_options_free(e->opts);
	for (size_t i = 0; i < e->n_texts; i++)
		free(e->texts[i]);
	free(lists);
	return status;
}
