/* SPDX-License-Identifier: MIT */
/* What the second door says. Each manner has its own way to begin a line, and its own streams. */
#include "init/alone.h"

#include "base/io.h"
#include "base/sink.h"
#include "base/util.h"
#include "kern/sig.h"

#include <string.h>

#define TINI_VERSION "0.19.0"
#define DUMB_VERSION "1.2.5"

enum level { FATAL, WARN, INFO, DEBUG };

static const char *const level_words[] = { "FATAL", "WARN ", "INFO ", "DEBUG" };

/* A line that is made piece by piece. No reader holds PID 1 up: what finds no room is lost. */
struct line {
	char text[512];
	struct sink sink;
};

static void begin(struct line *l, const struct alone *a, enum level level)
{
	bool out = a->manner == MANNER_TINI && level >= INFO;

	l->sink = SINK_FD(l->text, sizeof(l->text), out ? a->out : a->err);
	l->sink.patience_ms = 0;
	switch (a->manner) {
	case MANNER_TINI:
		sink_str(&l->sink, "[");
		sink_str(&l->sink, level_words[level]);
		sink_str(&l->sink, " tini (");
		sink_num(&l->sink, getpid());
		sink_str(&l->sink, ")] ");
		break;
	case MANNER_CATATONIT:
		sink_str(&l->sink, level == FATAL  ? "ERROR"
				   : level == WARN ? "WARN"
				   : level == INFO ? "INFO"
						   : "DEBUG");
		sink_str(&l->sink, " (catatonit:");
		sink_num(&l->sink, getpid());
		sink_str(&l->sink, "): ");
		break;
	case MANNER_DUMB_INIT:
		sink_str(&l->sink, "[dumb-init] ");
		break;
	case MANNER_OWN:
		sink_str(&l->sink, "pidbox-init: ");
		break;
	}
}

static void text(struct line *l, const char *s)
{
	sink_str(&l->sink, s);
}

static void number(struct line *l, int64_t n)
{
	sink_num(&l->sink, n);
}

static void end(struct line *l)
{
	text(l, "\n");
	if (l->sink.fd >= 0)
		(void)sink_end(&l->sink);
}

/* Is this level wanted? */
static bool wanted(const struct alone *a, enum level level)
{
	return a->verbosity >= (int)level;
}

static const char *error_text(int errnum)
{
	return strerror(errnum);
}

/* ------------------------------------------------------------ failures */

void alone_say_errno(const struct alone *a, const char *what, int errnum)
{
	struct line l;

	begin(&l, a, FATAL);
	text(&l, what);
	text(&l, ": ");
	text(&l, error_text(errnum));
	end(&l);
}

void alone_say_no_report(const struct alone *a, int errnum)
{
	alone_say_errno(a, "warning: writing the report", errnum);
}

void alone_say_exec_failed(const struct alone *a, int errnum)
{
	struct line l;

	begin(&l, a, FATAL);
	if (a->manner == MANNER_CATATONIT) {
		text(&l, "failed to exec pid1");
	} else if (a->manner == MANNER_TINI) {
		text(&l, "exec ");
		text(&l, a->argv[0]);
		text(&l, " failed");
	} else {
		text(&l, a->argv[0]);
	}
	text(&l, ": ");
	text(&l, error_text(errnum));
	end(&l);
}

/* ------------------------------------------------------------ usage */

static const char own_usage[] = "usage: pidbox-init [OPTION...] [--] COMMAND [ARG...]\n";
static const char own_help[] =
	"\nRun COMMAND under an init: orphans are reaped, signals passed on, and nothing is left when it ends.\n\n"
	"  -g, --group                    signals go to the command's process group\n"
	"  -c, --single-child             signals go to the command alone (the default)\n"
	"      --setsid                   the command leads a session, signals go to its group\n"
	"  -s, --subreaper                accepted: where it is not PID 1 it is one anyway\n"
	"  -p, --parent-death-signal SIG  get SIG when the parent ends\n"
	"  -e, --remap-exit CODE          this status of the command's becomes 0; can be repeated\n"
	"  -r, --rewrite A:B              signal A arrives as B; 0: it is dropped; can be repeated\n"
	"      --signal-map A=B,...       the same, as in `pidbox run`\n"
	"      --grace D                  so long after a request to end, whatever is left is killed\n"
	"      --stop-signal SIG          a request to end besides SIGTERM, and what --timeout sends\n"
	"      --on-exit HOW              what outlives the command: kill (default), term, wait\n"
	"      --timeout D                end it all after D; the status is 124\n"
	"      --report FILE              write a record of how it ended, as JSON\n"
	"  -w, --warn-on-reap             say so when an orphan is reaped\n"
	"  -v, --verbose                  say more; up to three times\n"
	"  -l, --license                  print the licence\n"
	"  -h, --help                     print this\n"
	"  -V, --version                  print the version\n\n"
	"Called as tini, docker-init, dumb-init or catatonit it takes that program's options. pidbox-init(1) tells "
	"more.\n";

static const char tini_help[] = "\nCommand line options:\n\n"
				"  --version: Show version and exit.\n"
				"  -h: Show this help message and exit.\n"
				"  -s: Register as a process subreaper (requires Linux >= 3.4).\n"
				"  -p SIGNAL: Trigger SIGNAL when parent dies, e.g. \"-p SIGKILL\".\n"
				"  -v: Generate more verbose output. Repeat up to 3 times.\n"
				"  -w: Print a warning when processes are getting reaped.\n"
				"  -g: Send signals to the child's process group.\n"
				"  -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0.\n"
				"  -l: Show license and exit.\n\n"
				"Environment variables:\n\n"
				"  TINI_SUBREAPER: Register as a process subreaper (requires Linux >= 3.4).\n"
				"  TINI_VERBOSITY: Set the verbosity level (default: 1).\n"
				"  TINI_KILL_PROCESS_GROUP: Send signals to the child's process group.\n\n";

static const char dumb_help[] =
	"\npidbox-init in the manner of dumb-init: an init that passes signals on to a session of its own.\n\n"
	"Optional arguments:\n"
	"   -c, --single-child   Run in single-child mode: signals go to the direct child alone.\n"
	"   -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.\n"
	"                        To ignore (not proxy) a signal, rewrite it to 0.\n"
	"                        This option can be specified multiple times.\n"
	"   -v, --verbose        Print debugging information to stderr.\n"
	"   -h, --help           Print this help message and exit.\n"
	"   -V, --version        Print the current version and exit.\n";

static const char catatonit_usage[] = "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n";
static const char catatonit_help[] = "\noptions:\n"
				     "  -g    Forward signals to the entire process group of the child.\n"
				     "  -P    Run in pause mode: no program is run, and it waits to be ended.\n"
				     "  -h    Print this help page.\n"
				     "  -L    Print license information.\n"
				     "  -V    Print version information.\n";

static void print(int fd, const char *s)
{
	(void)io_write_all(fd, s, strlen(s));
}

static void print_usage(const struct alone *a, int fd)
{
	switch (a->manner) {
	case MANNER_TINI:
		print(fd, a->name);
		print(fd, " (tini version " TINI_VERSION ")\nUsage: ");
		print(fd, a->name);
		print(fd, " [OPTIONS] PROGRAM -- [ARGS] | --version\n");
		print(fd, "\nExecute a program under the supervision of a valid init process (");
		print(fd, a->name);
		print(fd, ")\n");
		print(fd, tini_help);
		break;
	case MANNER_DUMB_INIT:
		print(fd, "Usage: ");
		print(fd, a->called);
		print(fd, " [option] program [args]\nTry ");
		print(fd, a->called);
		print(fd, " --help for full usage.\n");
		break;
	case MANNER_CATATONIT:
		print(fd, catatonit_usage);
		break;
	case MANNER_OWN:
		print(fd, own_usage);
		break;
	}
}

void alone_say_bad_option(const struct alone *a, const char *word, const char *what)
{
	struct line l;

	if (a->manner == MANNER_OWN) {
		begin(&l, a, FATAL);
		text(&l, word);
		text(&l, what);
		text(&l, "; `pidbox-init --help` has the options");
		end(&l);
		return;
	}
	if (a->manner != MANNER_DUMB_INIT)
		print_usage(a, STDERR_FILENO);
}

void alone_say_bad_value(const struct alone *a, const char *option, const char *value)
{
	struct line l;

	if (a->manner == MANNER_DUMB_INIT) {
		print(STDERR_FILENO, "Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.\n"
				     "This option can be specified multiple times.\nUse --help for full usage.\n");
		return;
	}
	begin(&l, a, FATAL);
	if (a->manner == MANNER_TINI) {
		text(&l, "Not a valid option for -");
		text(&l, option[0] == 'r' ? "e" : "p"); /* remap-exit, parent-death-signal */
		text(&l, ": ");
		text(&l, value);
	} else {
		text(&l, "\"");
		text(&l, value);
		text(&l, "\" is no value of --");
		text(&l, option);
		text(&l, "; `pidbox-init --help` has the options");
	}
	end(&l);
}

void alone_say_reserved(const struct alone *a, const char *variable)
{
	struct line l;

	begin(&l, a, FATAL);
	text(&l, variable);
	text(&l, " is reserved for future use");
	end(&l);
}

void alone_say_no_command(const struct alone *a)
{
	struct line l;

	if (a->manner == MANNER_CATATONIT || a->manner == MANNER_OWN) {
		begin(&l, a, FATAL);
		text(&l, a->manner == MANNER_OWN ? "there is no command" : "missing program name");
		end(&l);
	}
	print_usage(a, STDERR_FILENO);
}

int alone_help(const struct alone *a)
{
	int fd = a->manner == MANNER_DUMB_INIT || a->manner == MANNER_CATATONIT ? STDERR_FILENO : STDOUT_FILENO;

	if (a->manner == MANNER_DUMB_INIT) {
		print(fd, "dumb-init v" DUMB_VERSION "\nUsage: ");
		print(fd, a->called);
		print(fd, " [option] command [[arg] ...]\n");
		print(fd, dumb_help);
		return 0;
	}
	print_usage(a, fd);
	if (a->manner == MANNER_CATATONIT)
		print(fd, catatonit_help);
	if (a->manner == MANNER_OWN)
		print(fd, own_help);
	return 0;
}

int alone_version(const struct alone *a)
{
	switch (a->manner) {
	case MANNER_TINI:
		print(STDOUT_FILENO, "tini version " TINI_VERSION " (pidbox-init " PIDBOX_VERSION ")\n");
		break;
	case MANNER_CATATONIT: /* whoever runs it asks whether it is tini */
		print(STDOUT_FILENO, "tini version " TINI_VERSION "_catatonit (pidbox-init " PIDBOX_VERSION ")\n");
		break;
	case MANNER_DUMB_INIT:
		print(STDERR_FILENO, "dumb-init v" DUMB_VERSION " (pidbox-init " PIDBOX_VERSION ")\n");
		break;
	case MANNER_OWN:
		print(STDOUT_FILENO, "pidbox-init " PIDBOX_VERSION "\n");
		break;
	}
	return 0;
}

int alone_license(const struct alone *a)
{
	(void)a;
	print(STDOUT_FILENO, "pidbox-init is part of pidbox, and under the MIT License: you may use, copy, change and\n"
			     "pass it on, with its copyright notice, and there is no warranty.\n"
			     "SPDX-License-Identifier: MIT\n");
	return 0;
}

/* ------------------------------------------------------------ what happens */

void alone_say_not_pid1(const struct alone *a)
{
	struct line l;

	if (a->manner != MANNER_TINI || !wanted(a, WARN))
		return;
	begin(&l, a, WARN);
	text(&l, "Tini is not running as PID 1 and isn't registered as a child subreaper.\n"
		 "Zombie processes will not be re-parented to Tini, so zombie reaping won't work.\n"
		 "To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register "
		 "Tini as a child subreaper, or run Tini as PID 1.");
	end(&l);
}

/* A subreaper without a /proc of its PID namespace. */
void alone_say_blind(const struct alone *a)
{
	struct line l;

	begin(&l, a, WARN);
	text(&l,
	     "warning: /proc does not show the processes here: what leaves the command's group may be left at the end");
	end(&l);
}

/* For what the others lose they have no word, nor does their stand-in. */
void alone_say_lost(struct alone *a, int sig, enum loss why, bool inherited)
{
	char name[16];
	struct line l;

	if (a->manner != MANNER_OWN || (a->said_lost & 1u << why))
		return;
	a->said_lost |= 1u << why;
	sig_name(sig, name);
	begin(&l, a, WARN);
	text(&l, "warning: ");
	text(&l, name);
	if (why == LOST_AT_PID1) {
		text(&l, " to PID 1 is lost [PID1_IGNORES_SIGNAL]: it is the parent of pidbox-init and has no handler; "
			 "`exec pidbox-init` takes its place");
		end(&l);
		return;
	}
	text(&l, why == LOST_IGNORED ? " is lost: PID " : " does not reach the command: PID ");
	number(&l, a->command);
	switch (why) {
	case LOST_IGNORED:
		text(&l, " ignores it");
		break;
	case LOST_BLOCKED:
		text(&l, " blocks it");
		break;
	case LOST_STOPPED:
		text(&l, " is stopped");
		break;
	default:
		text(&l, " is not ours to signal (");
		text(&l, error_text(EPERM));
		text(&l, ")");
	}
	if (inherited)
		text(&l, " (pidbox-init was started so)");
	text(&l, why == LOST_STOPPED ? "; SIGCONT lets it go on" : "; with --grace it is ended all the same");
	end(&l);
}

/* The child has its session by the time it has been executed. */
static void say_detached(const struct alone *a)
{
	struct line l;

	if (a->detached != 0) {
		begin(&l, a, INFO);
		text(&l, "Unable to detach from controlling tty (errno=");
		number(&l, a->detached);
		text(&l, " ");
		text(&l, error_text(a->detached));
		text(&l, ").");
		end(&l);
	}
	begin(&l, a, INFO);
	text(&l, "setsid complete.");
	end(&l);
}

void alone_say_spawned(const struct alone *a)
{
	struct line l;

	if (!wanted(a, INFO) || a->argv == NULL)
		return;
	if (a->debug_variable) {
		begin(&l, a, DEBUG);
		text(&l, "Running in debug mode.");
		end(&l);
	}
	if (a->manner == MANNER_DUMB_INIT && a->placement == PLACE_SESSION)
		say_detached(a);
	begin(&l, a, INFO);
	switch (a->manner) {
	case MANNER_TINI:
		text(&l, "Spawned child process '");
		text(&l, a->argv[0]);
		text(&l, "' with pid '");
		number(&l, a->command);
		text(&l, "'");
		break;
	case MANNER_DUMB_INIT:
		text(&l, "Child spawned with PID ");
		number(&l, a->command);
		text(&l, ".");
		break;
	case MANNER_CATATONIT:
		text(&l, "pid1 (");
		number(&l, a->command);
		text(&l, ") spawned: ");
		text(&l, a->argv[0]);
		break;
	case MANNER_OWN:
		text(&l, "started ");
		text(&l, a->argv[0]);
		text(&l, ", PID ");
		number(&l, a->command);
		break;
	}
	end(&l);
}

void alone_say_signal(const struct alone *a, int sig)
{
	char name[16];
	struct line l;

	if (!wanted(a, DEBUG))
		return;
	begin(&l, a, DEBUG);
	sig_name(sig, name);
	text(&l, a->manner == MANNER_DUMB_INIT ? "Received signal "
		 : a->manner == MANNER_TINI    ? "Passing signal: '"
		 : a->signal_map[sig] == 0     ? "dropping "
					       : "passing on ");
	if (a->manner == MANNER_DUMB_INIT)
		number(&l, sig);
	else
		text(&l, a->manner == MANNER_TINI ? strsignal(sig) : name);
	text(&l, a->manner == MANNER_DUMB_INIT ? "." : a->manner == MANNER_TINI ? "'" : "");
	end(&l);
}

static void say_reaped_as_dumb_init(const struct alone *a, pid_t pid, int status)
{
	bool signaled = WIFSIGNALED(status);
	struct line l;

	if (!wanted(a, DEBUG))
		return;
	begin(&l, a, DEBUG);
	text(&l, "A child with PID ");
	number(&l, pid);
	text(&l, signaled ? " was terminated by signal " : " exited with exit status ");
	number(&l, signaled ? WTERMSIG(status) : WEXITSTATUS(status));
	text(&l, ".");
	end(&l);
}

void alone_say_reaped(const struct alone *a, pid_t pid, int status)
{
	struct line l;

	if (a->manner == MANNER_DUMB_INIT) {
		say_reaped_as_dumb_init(a, pid, status);
		return;
	}
	if (a->manner == MANNER_TINI && wanted(a, DEBUG)) {
		begin(&l, a, DEBUG);
		text(&l, "Reaped child with pid: '");
		number(&l, pid);
		text(&l, "'");
		end(&l);
	}
	if (!a->warn_reaped || pid == a->command || !wanted(a, WARN))
		return;
	begin(&l, a, WARN);
	text(&l, a->manner == MANNER_TINI ? "Reaped zombie process with pid=" : "reaped an orphan, PID ");
	number(&l, pid);
	end(&l);
}

void alone_say_ended(const struct alone *a, int status)
{
	struct line l;

	if (!wanted(a, INFO) || a->argv == NULL)
		return;
	begin(&l, a, INFO);
	if (a->manner == MANNER_TINI && status > 128) {
		text(&l, "Main child exited with signal (with signal '");
		text(&l, strsignal(status - 128));
		text(&l, "')");
	} else if (a->manner == MANNER_TINI) {
		text(&l, "Main child exited normally (with status '");
		number(&l, status);
		text(&l, "')");
	} else if (a->manner == MANNER_DUMB_INIT) {
		text(&l, "Child exited with status ");
		number(&l, status);
		text(&l, ". Goodbye.");
	} else {
		text(&l, "the command has ended, status ");
		number(&l, status);
	}
	end(&l);
}
