/* SPDX-License-Identifier: MIT */
/* pidbox ls */
#include "base/sink.h"
#include "base/util.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/forest.h"
#include "cli/table.h"

#include <string.h>
#include <time.h>

struct ls {
	bool quiet, own, json, all;
	struct pidbox_list *list;
};

/* lsns(8), docker-ps(1), ip-netns(8) and friends. */
static const struct args_elsewhere elsewhere[] = {
	{ "-t", "PID namespaces are all that there is to list here" },
	{ "--type", "PID namespaces are all that there is to list here" },
	{ "-p", "`pidbox ps PID` lists the processes of the box that PID is in" },
	{ "--task", "`pidbox ps PID` lists the processes of the box that PID is in" },
	{ "-J", "use --json" },
	{ "--format", "use --json, and jq to take what is wanted" },
	{ "-o", "use --json, and jq to take what is wanted" },
	{ "--output", "use --json, and jq to take what is wanted" },
	{ "-n", "use --quiet, which prints names or ids alone" },
	{ "-l", "all columns are always there" },
	{ "-T", "`pidbox tree` draws a tree; ls indents what lies in another" },
	{ "--tree", "`pidbox tree` draws a tree; ls indents what lies in another" },
};

/* ------------------------------------------------------------ what is shown */

static bool is_shown(const struct ls *ls, const struct pidbox_list_entry *e)
{
	return !ls->own || (e->pidbox == 1 && e->depth > 0);
}

/* What other verbs take as BOX. */
static const char *address_of(const struct pidbox_list_entry *e, char buf[32])
{
	if (e->name != NULL)
		return e->name;
	if (e->id[0] != '\0')
		return e->id;
	(void)snprintf(buf, 32, "ns:%llu", (unsigned long long)e->pid_namespace);
	return buf;
}

static int print_quiet(const struct ls *ls)
{
	struct pidbox_list_entry e;
	char buf[32];

	for (size_t i = 0; pidbox_list_get(ls->list, i, &e) == 0; i++)
		if (is_shown(ls, &e))
			(void)printf("%s\n", address_of(&e, buf));
	return finish_output();
}

/* ------------------------------------------------------------ JSON */

static const char *const status_words[] = {
	[PIDBOX_LIST_RUNNING] = "running",
	[PIDBOX_LIST_ENDING] = "ending",
	[PIDBOX_LIST_EMPTY] = "empty",
	[PIDBOX_LIST_ENDED] = "ended",
};

static void put_text(struct sink *s, const char *key, const char *text)
{
	sink_str(s, key);
	if (text != NULL)
		sink_json(s, text, strlen(text));
	else
		sink_str(s, "null");
}

static void put_number(struct sink *s, const char *key, int64_t n, bool known)
{
	sink_str(s, key);
	if (known)
		sink_num(s, n);
	else
		sink_str(s, "null");
}

static void put_entry(struct sink *s, const struct pidbox_list_entry *e)
{
	put_text(s, "{\"name\":", e->name);
	put_text(s, ",\"id\":", e->id[0] != '\0' ? e->id : NULL);
	put_number(s, ",\"pid_namespace\":", (int64_t)e->pid_namespace, e->pid_namespace != 0);
	put_number(s, ",\"parent\":", (int64_t)e->parent, e->parent != 0);
	put_number(s, ",\"depth\":", e->depth, true);
	put_number(s, ",\"init_pid\":", e->init_pid, e->init_pid != 0);
	put_number(s, ",\"process_count\":", (int64_t)e->process_count, true);
	put_number(s, ",\"uid\":", e->uid, e->uid >= 0);
	put_text(s, ",\"user\":", e->user);
	sink_str(s, ",\"started\":");
	if (e->started_us >= 0)
		sink_time(s, e->started_us);
	else
		sink_str(s, "null");
	sink_str(s, ",\"command\":");
	if (e->command != NULL)
		sink_arguments(s, e->command, e->command_size);
	else
		sink_str(s, "null");
	sink_str(s, e->pidbox < 0 ? ",\"pidbox\":null" : e->pidbox == 1 ? ",\"pidbox\":true" : ",\"pidbox\":false");
	put_text(s, ",\"status\":", status_words[e->status]);
	put_text(s, ",\"runtime\":", e->runtime);
	put_text(s, ",\"container_id\":", e->container_id);
	put_text(s, ",\"pod_uid\":", e->pod_uid);
	put_text(s, ",\"cgroup\":", e->cgroup);
	if (e->status == PIDBOX_LIST_EMPTY)
		put_number(s, ",\"held_by\":", e->held_by, e->held_by != 0);
	sink_str(s, "}");
}

static int print_json(const struct ls *ls)
{
	struct pidbox_list_entry e;
	bool first = true;
	char buf[4096];
	struct sink s = SINK_STDOUT(buf, sizeof(buf));

	put_number(&s, "{\"schema\":1,\"unseen\":", (int64_t)pidbox_list_unseen(ls->list), true);
	sink_str(&s, ",\"boxes\":[");
	for (size_t i = 0; pidbox_list_get(ls->list, i, &e) == 0; i++) {
		if (!is_shown(ls, &e))
			continue;
		sink_str(&s, first ? "" : ",");
		put_entry(&s, &e);
		first = false;
	}
	sink_str(&s, "]}\n");
	return finish_sink(&s);
}

/* ------------------------------------------------------------ the table */

static void put_container(struct table *t, const struct pidbox_list_entry *e)
{
	if (e->container_id == NULL)
		table_cell(t, "-");
	else if (e->pod_uid != NULL)
		table_cell(t, "pod:%.8s/%.12s", e->pod_uid, e->container_id);
	else
		table_cell(t, "%s:%.*s", e->runtime != NULL ? e->runtime : "id",
			   strlen(e->container_id) == 64 ? 12 : 200, e->container_id);
}

static void put_command(struct table *t, const struct pidbox_list_entry *e)
{
	char how[64] = "";

	if (e->status == PIDBOX_LIST_EMPTY && e->held_by > 0)
		(void)snprintf(how, sizeof(how), "(empty, held by process %d)", (int)e->held_by);
	else if (e->status == PIDBOX_LIST_EMPTY)
		(void)snprintf(how, sizeof(how), "(empty, held by a mount)");
	else if (e->status != PIDBOX_LIST_RUNNING)
		(void)snprintf(how, sizeof(how), "(%s) ", status_words[e->status]);
	table_command(t, how, e->command != NULL ? e->command : "", e->command_size);
}

/* Whole units, the largest that there is one of. */
static void put_age(struct table *t, int64_t started_us)
{
	static const struct {
		int64_t seconds;
		char letter;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	struct timespec now;
	int64_t s;
	size_t i = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	s = (int64_t)now.tv_sec - started_us / 1000000;
	while (i < 3 && s < units[i].seconds)
		i++;
	if (started_us < 0)
		table_cell(t, "-");
	else
		table_cell(t, "%lld%c", (long long)(s > 0 ? s / units[i].seconds : 0), units[i].letter);
}

static void put_row(struct table *t, const char *before, const struct pidbox_list_entry *e)
{
	table_cell(t, "%s%s", before, e->name != NULL ? e->name : "-");
	table_cell(t, "%s", e->id[0] != '\0' ? e->id : "-");
	table_cell(t, "%u", e->depth);
	table_cell(t, e->init_pid > 0 ? "%d" : "-", (int)e->init_pid);
	table_cell(t, "%llu", (unsigned long long)e->process_count);
	if (e->user != NULL)
		table_cell(t, "%s", e->user);
	else
		table_cell(t, e->uid >= 0 ? "%lld" : "-", (long long)e->uid);
	put_age(t, e->started_us);
	put_container(t, e);
	put_command(t, e);
}

static int print_table(const struct ls *ls)
{
	enum { NAME, ID, DEPTH, PID, PROCESSES, USER, AGE, CONTAINER, COMMAND };
	struct table t = {
		.head = { "NAME", "ID", "DEPTH", "PID", "PROCESSES", "USER", "AGE", "CONTAINER", "COMMAND" },
		.cut = { [NAME] = true, [USER] = true, [CONTAINER] = true, [COMMAND] = true },
		.order = { PID, NAME, COMMAND, USER, ID, AGE, PROCESSES, CONTAINER, DEPTH },
		.right = { false, false, true, true, true, false, true },
		.colour = { TABLE_GREEN, TABLE_DIM, TABLE_PLAIN, TABLE_CYAN },
	};
	struct pidbox_list_entry e;
	struct forest forest;
	size_t n = 0;

	while (pidbox_list_get(ls->list, n, &e) == 0)
		n++;
	if (forest_begin(&forest, n) < 0)
		return out_no_memory("putting the boxes in order");
	/* What lies in something that is not known is put into ours. */
	for (size_t i = n; i-- > 0;) {
		(void)pidbox_list_get(ls->list, i, &e);
		forest_hang(&forest, i, i == 0 ? FOREST_NONE : e.parent_index < i ? e.parent_index : 0);
	}
	for (size_t i = forest_next(&forest, FOREST_NONE); i != FOREST_NONE; i = forest_next(&forest, i)) {
		char before[200] = "";

		(void)pidbox_list_get(ls->list, i, &e);
		if (!ls->own)
			forest_draw(&forest, i, before, sizeof(before));
		if (is_shown(ls, &e))
			put_row(&t, before, &e);
	}
	forest_end(&forest);
	table_print(&t);
	return finish_output();
}

/* ------------------------------------------------------------ the whole */

int cmd_ls(int argc, char **argv)
{
	struct ls ls = { 0 };
	struct pidbox_error err;
	const struct args_option options[] = {
		{ .name = "quiet", .letter = 'q', .help = "names alone, or ids of what has none", .flag = &ls.quiet },
		{ .name = "own", .help = "only pidbox's own boxes", .flag = &ls.own },
		{ .name = "all",
		  .letter = 'a',
		  .help = "also namespaces that no process is in, and ended boxes whose record is kept",
		  .flag = &ls.all },
		{ .name = "json", .help = "one JSON document", .flag = &ls.json },
	};
	const struct args args = {
		.verb = "ls",
		.about = "List every PID namespace that you can see, whoever made it: yours first, then what lies in "
			 "it.",
		.options = options,
		.n_options = ARRAY_LEN(options),
		.elsewhere = elsewhere,
		.n_elsewhere = ARRAY_LEN(elsewhere),
		.more = "Exit status: 0, or 125 after an error. See pidbox-ls(1).",
	};
	int status;

	if (!args_parse(&args, argc, argv, &status))
		return status;
	if (ls.quiet && ls.json)
		return args_error(&args, "give one of them", "--quiet and --json are two forms of the same");
	if (pidbox_list(ls.all ? PIDBOX_LIST_ALL : 0, &ls.list, &err) < 0) {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	status = ls.json ? print_json(&ls) : ls.quiet ? print_quiet(&ls) : print_table(&ls);
	if (!ls.json && !ls.quiet && pidbox_list_unseen(ls.list) > 0)
		out_note("pidbox: %llu processes of other users could not be looked at\n",
			 (unsigned long long)pidbox_list_unseen(ls.list));
	pidbox_list_free(ls.list);
	return status;
}
