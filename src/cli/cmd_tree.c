/* SPDX-License-Identifier: MIT */
/* pidbox tree */
#include "base/sink.h"
#include "base/util.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/process_words.h"
#include "cli/table.h"
#include "cli/tree.h"

#include <string.h>

/* ------------------------------------------------------------ JSON */

static void put_known(struct sink *s, const char *key, uint64_t n)
{
	sink_str(s, key);
	if (n != 0)
		sink_num(s, (int64_t)n);
	else
		sink_str(s, "null");
}

/* As `pidbox ps` of that very box would have it. */
static void put_process(struct sink *s, const struct tree *t, const struct tree_process *q)
{
	const struct tree_process *parent = q->parent != SIZE_MAX ? &t->all[q->parent] : NULL;
	struct pidbox_process p = q->p;

	p.inside_pid = p.own_pid;
	p.parent_inside_pid = parent != NULL && parent->ns == q->ns ? parent->p.own_pid : 0;
	process_json(s, &p);
}

/* They nest 32 deep (R10). */
static void put_box(struct sink *s, const struct tree *t, size_t box, bool outermost)
{
	const struct pidbox_list_entry *e = &t->boxes[box];
	bool first = true;

	put_known(s, outermost ? "{\"schema\":1,\"pid_namespace\":" : "{\"pid_namespace\":", e->pid_namespace);
	sink_str(s, ",\"id\":");
	if (e->id[0] != '\0')
		sink_json(s, e->id, strlen(e->id));
	else
		sink_str(s, "null");
	put_known(s, ",\"init_pid\":", (uint64_t)e->init_pid);
	sink_str(s, ",\"processes\":[");
	for (size_t i = t->first[box]; i != SIZE_MAX; i = t->all[i].next) {
		sink_str(s, i != t->first[box] ? "," : "");
		put_process(s, t, &t->all[i]);
	}
	sink_str(s, "],\"children\":[");
	for (size_t i = box + 1; i < t->n_boxes; i++) {
		if (t->boxes[i].parent_index != box || t->first[i] == SIZE_MAX)
			continue;
		sink_str(s, first ? "" : ",");
		put_box(s, t, i, false);
		first = false;
	}
	sink_str(s, "]}");
}

static int print_json(const struct tree *t)
{
	char buf[4096];
	struct sink s = SINK_STDOUT(buf, sizeof(buf));

	put_box(&s, t, t->root, true);
	sink_str(&s, "\n");
	return finish_sink(&s);
}

/* ------------------------------------------------------------ dot */

enum { DOT_COLUMNS = 48 };

/* A text of dot(1): what is harmless on a terminal, with its own signs escaped. */
static void put_label(struct sink *s, const char *text, size_t size)
{
	char *words = malloc(size + 1), *harmless = NULL;

	for (size_t i = 0; words != NULL && i < size; i++)
		words[i] = text[i] == '\0' ? ' ' : text[i];
	while (words != NULL && size > 0 && words[size - 1] == ' ')
		size--;
	harmless = words != NULL ? table_harmless(words, size) : NULL;
	for (const char *p = harmless; p != NULL && *p != '\0'; p++) {
		bool whole = ((unsigned char)*p & 0xc0) != 0x80;

		if (whole && p - harmless >= DOT_COLUMNS) {
			sink_str(s, "...");
			break;
		}
		if (*p == '"' || *p == '\\')
			sink_str(s, "\\");
		sink_bytes(s, p, 1);
		if (*p == '&')
			sink_str(s, "amp;"); /* graphviz knows the entities of HTML in every label */
	}
	free(words);
	free(harmless);
}

static void put_node(struct sink *s, const struct tree *t, size_t i)
{
	const struct pidbox_process *p = &t->all[i].p;

	sink_str(s, "p");
	sink_num(s, p->pid);
	sink_str(s, " [label=\"");
	sink_num(s, p->own_pid);
	if (p->own_pid != p->pid) {
		sink_str(s, " (");
		sink_num(s, p->pid);
		sink_str(s, ")");
	}
	sink_str(s, "\\n");
	put_label(s, p->command, p->command_size);
	sink_str(s, "\"];\n");
}

static void put_cluster(struct sink *s, const struct tree *t, size_t box)
{
	const struct pidbox_list_entry *e = &t->boxes[box];

	sink_str(s, "subgraph cluster_");
	sink_num(s, (int64_t)box);
	sink_str(s, " {\nlabel=\"");
	if (e->name != NULL) {
		put_label(s, e->name, strlen(e->name));
		sink_str(s, "  ");
	}
	put_label(s, e->id, strlen(e->id));
	sink_str(s, "\";\n");
	for (size_t i = t->first[box]; i != SIZE_MAX; i = t->all[i].next)
		put_node(s, t, i);
	for (size_t i = box + 1; i < t->n_boxes; i++)
		if (t->boxes[i].parent_index == box && t->first[i] != SIZE_MAX)
			put_cluster(s, t, i);
	sink_str(s, "}\n");
}

static int print_dot(const struct tree *t)
{
	char buf[4096];
	struct sink s = SINK_STDOUT(buf, sizeof(buf));

	sink_str(&s, "digraph pidbox {\nrankdir=LR;\nnode [shape=box,fontname=\"sans-serif\",fontsize=10];\n"
		     "graph [fontname=\"sans-serif\",fontsize=11,style=rounded];\n");
	put_cluster(&s, t, t->root);
	for (size_t i = 0; i < t->n; i++) {
		const struct tree_process *q = &t->all[i];

		if (q->ns == SIZE_MAX || q->parent == SIZE_MAX || t->all[q->parent].ns == SIZE_MAX)
			continue;
		sink_str(&s, "p");
		sink_num(&s, t->all[q->parent].p.pid);
		sink_str(&s, " -> p");
		sink_num(&s, q->p.pid);
		sink_str(&s, ";\n");
	}
	sink_str(&s, "}\n");
	return finish_sink(&s);
}

/* ------------------------------------------------------------ for people */

/* Where a box begins it is named; a process that has entered one from outside says into which. */
static void box_words(const struct tree *t, const struct tree_process *q, char *buf, size_t size)
{
	const struct pidbox_list_entry *e = &t->boxes[q->ns];
	const char *name = e->name != NULL ? e->name : e->id;
	bool entered = q->p.own_pid != 1 && (q->parent == SIZE_MAX || t->all[q->parent].ns != q->ns);

	buf[0] = '\0';
	if (entered && q->ns != 0)
		(void)snprintf(buf, size, "(in %s) ", name);
	else if (q->p.own_pid == 1)
		(void)snprintf(buf, size, "[%s] ", name);
}

static int print_tree(const struct tree *t)
{
	enum { INSIDE, OUTSIDE, USER, COMMAND };
	struct table table = {
		.head = { "INSIDE", "OUTSIDE", "USER", "COMMAND" },
		.right = { true, true },
		.cut = { [USER] = true, [COMMAND] = true },
		.order = { INSIDE, COMMAND, OUTSIDE, USER },
		.colour = { TABLE_CYAN },
	};
	struct forest f;

	if (forest_begin(&f, t->n) < 0)
		return out_no_memory("putting the processes in order");
	for (size_t i = t->n; i-- > 0;) {
		size_t parent = t->all[i].parent;

		if (t->all[i].ns != SIZE_MAX)
			forest_hang(&f, i, parent != SIZE_MAX && t->all[parent].ns != SIZE_MAX ? parent : FOREST_NONE);
	}
	for (size_t i = forest_next(&f, FOREST_NONE); i != FOREST_NONE; i = forest_next(&f, i)) {
		const struct tree_process *q = &t->all[i];
		char before[400], box[160];

		table_cell(&table, "%d", (int)q->p.own_pid);
		table_cell(&table, "%d", (int)q->p.pid);
		if (q->p.user != NULL)
			table_cell(&table, "%s", q->p.user);
		else
			table_cell(&table, "%lld", (long long)q->p.uid);
		forest_draw(&f, i, before, sizeof(before) - sizeof(box));
		box_words(t, q, box, sizeof(box));
		(void)strncat(before, box, sizeof(before) - strlen(before) - 1);
		table_command(&table, before, q->p.command, q->p.command_size);
	}
	forest_end(&f);
	table_print(&table);
	return finish_output();
}

/* ------------------------------------------------------------ the whole */

int cmd_tree(int argc, char **argv)
{
	bool json = false, dot = false;
	const struct args_option options[] = {
		{ .name = "json", .help = "one JSON document", .flag = &json },
		{ .name = "dot", .help = "a picture: pidbox tree --dot | dot -Tsvg >boxes.svg", .flag = &dot },
	};
	static const struct args_elsewhere elsewhere[] = {
		{ "-p", "PIDs are always shown" },
		{ "-a", "arguments are always shown" },
		{ "-A", "ASCII is drawn where the locale is not UTF-8, or TERM is dumb" },
		{ "-S", "boxes are always marked" },
	};
	const struct args args = {
		.verb = "tree",
		.operands = "[BOX]",
		.most = 1,
		.about = "Show a box (default: your own PID namespace) as a tree: the processes, and the boxes that "
			 "lie in it,\neach process with its PID in its own box and with the one that you see.",
		.more = "BOX is a name, a PID in it, an id of `pidbox ls`, ns:N or id:HEX. See pidbox-tree(1).",
		.options = options,
		.n_options = ARRAY_LEN(options),
		.elsewhere = elsewhere,
		.n_elsewhere = ARRAY_LEN(elsewhere),
	};
	struct pidbox_target *box = NULL;
	struct pidbox_error err = { 0 };
	struct tree t;
	int at, r = 0;

	if (!args_parse(&args, argc, argv, &at))
		return at;
	if (json && dot)
		return args_error(&args, "give one of them", "--json and --dot are two forms of the same");
	if (at < argc)
		r = pidbox_open(argv[at], &box, &err);
	if (r == 0)
		r = tree_begin(&t, box, &err);
	pidbox_close(box);
	if (r < 0) {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	r = json ? print_json(&t) : dot ? print_dot(&t) : print_tree(&t);
	processes_note(t.root == 0, t.unseen);
	tree_end(&t);
	return r;
}
