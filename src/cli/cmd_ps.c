/* SPDX-License-Identifier: MIT */
/* pidbox ps: the processes of a box, with their PIDs inside and outside. */
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/process_words.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int print_json(const struct pidbox_processes *list)
{
	struct pidbox_process p;
	char buf[4096];
	struct sink s = SINK_STDOUT(buf, sizeof(buf));

	sink_str(&s, "{\"schema\":1,\"processes\":[");
	for (size_t i = 0; pidbox_processes_get(list, i, &p) == 0; i++) {
		if (i > 0)
			sink_str(&s, ",");
		process_json(&s, &p);
	}
	sink_str(&s, "]}\n");
	return finish_sink(&s);
}

/* The clock on the day itself, else the date, as ps(1) has it. */
static void started_cell(struct table *t, int64_t started_us, time_t now)
{
	time_t at = (time_t)(started_us / 1000000);
	struct tm then, today;
	char text[32] = "?";

	if (localtime_r(&at, &then) != NULL && localtime_r(&now, &today) != NULL)
		(void)strftime(text, sizeof(text),
			       then.tm_yday == today.tm_yday && then.tm_year == today.tm_year ? "%H:%M:%S" : "%b %d %Y",
			       &then);
	table_cell(t, "%s", text);
}

static void user_cell(struct table *t, const struct pidbox_process *p)
{
	if (p->user != NULL)
		table_cell(t, "%s", p->user);
	else
		table_cell(t, "%lld", (long long)p->uid);
}

static void print_table(const struct pidbox_processes *list)
{
	enum { PID, OUTSIDE, PARENT, USER, STATE, THREADS, MEMORY, CPU, START, COMMAND };
	struct table t = {
		.head = { "PID", "OUTSIDE", "PARENT", "USER", "S", "THREADS", "MEMORY", "CPU", "START", "COMMAND" },
		.right = { true, true, true, false, false, true, true, true, true },
		.cut = { [USER] = true, [COMMAND] = true },
		.order = { PID, COMMAND, OUTSIDE, USER, STATE, CPU, MEMORY, PARENT, START, THREADS },
		.colour = { TABLE_CYAN, TABLE_PLAIN, TABLE_DIM },
	};
	time_t now = time(NULL);
	struct pidbox_process p;

	for (size_t i = 0; pidbox_processes_get(list, i, &p) == 0; i++) {
		int64_t cs = p.cpu_us / 10000;

		table_cell(&t, "%d", (int)p.inside_pid);
		table_cell(&t, "%d", (int)p.pid);
		table_cell(&t, "%d", (int)p.parent_inside_pid);
		user_cell(&t, &p);
		table_cell(&t, "%c", p.state);
		table_cell(&t, "%u", p.threads);
		if (p.rss_kib < 10000)
			table_cell(&t, "%lldK", (long long)p.rss_kib);
		else
			table_cell(&t, "%lldM", (long long)p.rss_kib / 1024);
		table_cell(&t, "%lld:%02lld.%02lld", (long long)(cs / 6000), (long long)(cs / 100 % 60),
			   (long long)(cs % 100));
		started_cell(&t, p.started_us, now);
		table_command(&t, "", p.command, p.command_size);
	}
	table_print(&t);
}

int cmd_ps(int argc, char **argv)
{
	bool json = false;
	const struct args_option options[] = {
		{ .name = "json", .help = "as one JSON document", .flag = &json },
	};
	const struct args_elsewhere elsewhere[] = {
		{ "-e", "all of the box is shown; without BOX all of this PID namespace" },
		{ "-ef", "all of the box is shown; without BOX all of this PID namespace" },
		{ "-a", "all of the box is shown; without BOX all of this PID namespace" },
		{ "-p", "name the box by a PID in it: pidbox ps PID" },
	};
	const struct args args = {
		.verb = "ps",
		.operands = "[BOX]",
		.most = 1,
		.mixed = true,
		.about = "Show the processes of a box (default: of the caller's own PID namespace), with their PIDs "
			 "inside "
			 "and outside.",
		.more = "BOX is a name, a PID in it, an id of `pidbox ls`, ns:N or id:HEX. See pidbox-ps(1).",
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.elsewhere = elsewhere,
		.n_elsewhere = sizeof(elsewhere) / sizeof(elsewhere[0]),
	};
	struct pidbox_processes *list = NULL;
	struct pidbox_target *box = NULL;
	struct pidbox_target_info info = { .own = true };
	struct pidbox_error err = { 0 };
	int at, r = 0;

	if (!args_parse(&args, argc, argv, &at))
		return at;
	if (at < argc)
		r = pidbox_open(argv[at], &box, &err);
	if (r == 0)
		r = pidbox_processes(box, &list, &err);
	if (box != NULL)
		pidbox_target_get_info(box, &info);
	pidbox_close(box);
	if (r < 0) {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	if (json) {
		at = print_json(list);
	} else {
		print_table(list);
		at = finish_output();
	}
	processes_note(info.own, pidbox_processes_unseen(list));
	pidbox_processes_free(list);
	return at;
}
