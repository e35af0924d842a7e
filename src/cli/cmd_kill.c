/* SPDX-License-Identifier: MIT */
/* pidbox kill: the end of boxes, or a signal to them */
#include "base/parse.h"
#include "cli/args.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct killing {
	int signal; /* 0: end them */
	int64_t grace_us;
	size_t done, gone, failed;
};

/* ------------------------------------------------------------ options */

static int set_signal(void *context, const char *value, struct pidbox_error *err)
{
	struct killing *k = context;
	int sig = pidbox_signal_number(value);

	if (sig > 0) {
		k->signal = sig;
		return 0;
	}
	(void)snprintf(err->what, sizeof(err->what), "\"%.100s\" is not a signal", value);
	(void)snprintf(err->fix, sizeof(err->fix), "%s",
		       strcmp(value, "0") == 0 ? "`pidbox ps BOX` tells whether it is there"
					       : "give a name (TERM, RTMIN+1) or a number (1 to 64)");
	return -EINVAL;
}

static int set_grace(void *context, const char *value, struct pidbox_error *err)
{
	struct killing *k = context;

	if (parse_duration(value, &k->grace_us) == 0)
		return 0;
	(void)snprintf(err->what, sizeof(err->what), "--grace: \"%.100s\" is not a duration", value);
	(void)snprintf(err->fix, sizeof(err->fix), "give seconds, or a number with us, ms, s, m, h, d: --grace 1.5s");
	return -EINVAL;
}

/*
 * -9, -KILL, -kill: as kill(1) takes them. What follows a -s is its value: no name of a signal is an "s" with another
 * one behind it. A letter alone is no signal's name.
 */
static int other(void *context, const char *word, struct pidbox_error *err)
{
	bool digit = word[1] >= '0' && word[1] <= '9';
	int r;

	if (pidbox_signal_number(word + 1) < 0 && (word[1] == 's' || (word[2] == '\0' && !digit)))
		return 0;
	r = set_signal(context, word + 1, err);
	return r < 0 ? r : 1;
}

/* ------------------------------------------------------------ results */

static void say_gone(struct killing *k, const char *name)
{
	out_note("pidbox: %s has ended already\n", name);
	k->gone++;
}

static void say_failed(struct killing *k, const struct pidbox_error *err)
{
	out_error(err);
	k->failed++;
}

/* R7. What comes is right all the same: it ends when the grace is over. */
static void note_dropped(const char *name, const char *sig, const char *then)
{
	out_note("pidbox: note: %s did not get %s [PID1_IGNORES_SIGNAL]\n"
		 "  why: it is PID 1 of its PID namespace and has no handler for it: the kernel drops such signals\n"
		 "  fix: %s\n",
		 name, sig, then);
}

static void say_held_up(struct killing *k, const char *name, const struct pidbox_target *target)
{
	char text[1024];

	if (pidbox_target_holdouts(target, text, sizeof(text)) == 0)
		(void)snprintf(text, sizeof(text), "(it cannot be seen from here)\n");
	out_note("pidbox: warning: %s is killed, but the kernel waits for somebody outside to reap: %s"
		 "  why: a process that entered by setns (nsenter) or is traced is its outside parent's or tracer's to "
		 "reap; one in state D waits for a device\n"
		 "  fix: let that one go on (kill -CONT) or end it\n",
		 name, text);
	k->failed++;
}

/* ------------------------------------------------------------ the work */

static void signal_one(struct killing *k, struct pidbox_target *target, const char *name)
{
	struct pidbox_error err = { 0 };
	int r = pidbox_target_signal(target, k->signal, &err);
	char sig[16];

	pidbox_signal_name(k->signal, sig);
	if (r == -ESRCH) {
		say_gone(k, name);
	} else if (r < 0) {
		say_failed(k, &err);
	} else {
		if (r == 1)
			note_dropped(
				name, sig,
				"SIGKILL ends it: `pidbox kill` without a signal waits for the grace, then does that");
		k->done++;
	}
}

static void on_dropped(const struct pidbox_ending *e)
{
	note_dropped(
		e->context, "SIGTERM",
		"wait for SIGKILL, when the grace is over; next time --grace 0 saves the wait for what cannot come");
}

static void end_all(struct killing *k, struct pidbox_ending *list, char **names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		list[i].on_dropped = on_dropped;
		list[i].context = names[i];
	}
	(void)pidbox_end(list, n, k->grace_us);
	for (size_t i = 0; i < n; i++) {
		if (list[i].result == 0)
			k->done++;
		else if (list[i].result == -ESRCH)
			say_gone(k, names[i]);
		else if (list[i].result == -EBUSY)
			say_held_up(k, names[i], list[i].target);
		else
			say_failed(k, &list[i].error);
	}
}

/* Each box takes three descriptors, and there may be many. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* All are opened before the first is signalled: an end of one must not make another's number somebody else's. */
static int kill_boxes(struct killing *k, char **names, size_t n)
{
	struct pidbox_ending *list = calloc(n, sizeof(*list));
	char **found = calloc(n, sizeof(*found));
	size_t n_found = 0;

	if (list == NULL || found == NULL) {
		free(list);
		free(found);
		out_note("pidbox: no memory for %zu boxes\n", n);
		return PIDBOX_EXIT_FAILED;
	}
	raise_limit();
	for (size_t i = 0; i < n; i++) {
		struct pidbox_error err = { 0 };
		struct pidbox_target *target;

		if (pidbox_open(names[i], &target, &err) < 0) {
			say_failed(k, &err);
			continue;
		}
		list[n_found].target = target;
		found[n_found++] = names[i];
	}
	if (k->signal > 0)
		for (size_t i = 0; i < n_found; i++)
			signal_one(k, list[i].target, found[i]);
	else
		end_all(k, list, found, n_found);
	for (size_t i = 0; i < n_found; i++)
		pidbox_close(list[i].target);
	free(list);
	free(found);
	if (k->failed > 0 && k->done == 0 && k->gone == 0)
		return PIDBOX_EXIT_FAILED;
	return k->failed > 0 || k->gone > 0;
}

int cmd_kill(int argc, char **argv)
{
	struct killing k = { .grace_us = PIDBOX_DEFAULT };
	const struct args_option options[] = {
		{ .name = "signal",
		  .letter = 's',
		  .argument = "SIG",
		  .help = "only this signal, to its command (foreign: to PID 1), or to the process; also -SIG",
		  .set = set_signal },
		{ .name = "grace",
		  .argument = "D",
		  .help = "how long it may take to end before SIGKILL; 0: at once (default: the box's own; 10s)",
		  .set = set_grace },
	};
	const struct args_elsewhere elsewhere[] = {
		{ "-l", "signals are those of signal(7), by name or number: TERM, KILL, RTMIN+1, 9" },
		{ "--list", "signals are those of signal(7), by name or number: TERM, KILL, RTMIN+1, 9" },
		{ "-t", "how long to wait before SIGKILL is --grace" },
		{ "--time", "how long to wait before SIGKILL is --grace" },
		{ "--timeout", "how long to wait before SIGKILL is --grace" },
		{ "-a", "name the boxes; `pidbox ls -q --own` lists their ids" },
		{ "--all", "name the boxes; `pidbox ls -q --own` lists their ids" },
	};
	const struct args args = {
		.verb = "kill",
		.operands = "BOX[/PID]...",
		.least = 1,
		.most = -1,
		.about = "End boxes, all at once: the stop signal, the grace, then SIGKILL of PID 1, with which the "
			 "kernel ends the rest.\n"
			 "BOX/PID is one process: SIGTERM, the grace, SIGKILL. Never the caller's own PID namespace.",
		.more = "Exit status: 0; 1 when one had ended before, or not all are done; 125 error. See "
			"pidbox-kill(1).",
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.elsewhere = elsewhere,
		.n_elsewhere = sizeof(elsewhere) / sizeof(elsewhere[0]),
		.other = other,
		.context = &k,
	};
	int at;

	if (!args_parse(&args, argc, argv, &at))
		return at;
	return kill_boxes(&k, argv + at, (size_t)(argc - at));
}
