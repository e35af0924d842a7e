/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/args.h"
#include "base/sink.h"
#include "init/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

/* THE table of verbs. */
static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{ "run", cmd_run, "run a command in a box of its own" },
	{ "exec", cmd_exec, "run a command in a box that is there already" },
	{ "ls", cmd_ls, "every PID namespace that you can see" },
	{ "tree", cmd_tree, "boxes and processes as a tree" },
	{ "ps", cmd_ps, "the processes of a box, with their PIDs inside and outside" },
	{ "kill", cmd_kill, "end boxes, or signal them" },
	{ "wait", cmd_wait, "wait until boxes have ended; with their exit status" },
	{ "pid", cmd_pid, "translate PIDs between inside and outside" },
	{ "doctor", cmd_doctor, "what works on this machine, what does not, and the one fix" },
	{ "init", cmd_init, "the init alone, for a container whose PID 1 is ours to be" },
	{ "help", cmd_help, "print this, or the options of a verb" },
	{ "version", cmd_version, "print the version and what is built in" },
};

static const struct verb *find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool is_either(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int usage_error(const char *what, const char *word, const char *fix)
{
	struct pidbox_error err = {
		.code = PIDBOX_CODE_USAGE,
		.what = "reading the command line",
	};

	(void)snprintf(err.why, sizeof(err.why), what, word);
	(void)snprintf(err.fix, sizeof(err.fix), fix, word);
	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}

static int unknown_verb(const char *word)
{
	size_t least = ARGS_UNLIKE;
	const char *near = NULL;
	char fix[128];

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		size_t n = args_mistakes(word, strlen(word), verbs[i].name);

		if (n < least) {
			least = n;
			near = verbs[i].name;
		}
	}
	(void)snprintf(fix, sizeof(fix), "%s%s%s`pidbox help` lists the verbs",
		       near != NULL ? "did you mean `pidbox " : "", near != NULL ? near : "",
		       near != NULL ? "`? " : "");
	return usage_error("unknown verb \"%s\"", word, fix);
}

static int unknown(const char *word)
{
	if (word[0] == '-')
		return usage_error("unknown option %s", word,
				   "options follow the verb: pidbox run %s ...; `pidbox help` lists the verbs");
	return unknown_verb(word);
}

static void print_help(FILE *out)
{
	(void)fprintf(
		out,
		"usage: pidbox VERB [OPTION...]\n\nRun any command as its own process world: PIDs from 1, an init, "
		"a /proc and a host name\nof its own; and nothing of it is left when it ends.\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		(void)fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	(void)fprintf(out, "\n`pidbox VERB --help` tells more; so do pidbox(1) and pidbox-run(1).\n");
}

static int output_error(int errnum)
{
	const struct pidbox_error err = {
		.errnum = errnum,
		.what = "writing to standard output",
		.why = "what was to be printed is lost, or cut off",
		.fix = "give a standard output that can be written to: a terminal, a pipe or a file with room",
	};

	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}

int finish_output(void)
{
	/* A line may have failed before: then there is nothing left to flush, and errno is that of the last write. */
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : output_error(errno);
}

int finish_sink(struct sink *s)
{
	int64_t r = sink_end(s);

	return r < 0 ? output_error((int)-r) : finish_output();
}

static int cmd_help(int argc, char **argv)
{
	char help[] = "--help";
	const struct verb *verb = argc > 1 ? find(argv[1]) : NULL;
	char *of_verb[] = { argc > 1 ? argv[1] : NULL, help, NULL };

	if (argc > 1 && verb == NULL && !is_either(argv[1], "--help", "-h"))
		return unknown(argv[1]);
	if (verb != NULL && verb->run != cmd_help)
		return verb->run(2, of_verb);
	print_help(stdout);
	return finish_output();
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)printf("pidbox %s\nbuilt in:", pidbox_version());
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i].run != cmd_help && verbs[i].run != cmd_version)
			(void)printf(" %s", verbs[i].name);
	(void)printf("; init as sealed memory; namespaces user pid mount uts ipc net cgroup time\n");
	return finish_output();
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (init_is_meant(argc, argv))
		return init_main(argc, argv, environ);
	if (argc < 2)
		return usage_error("no verb was given%s", "", "`pidbox help` lists the verbs%s");
	if (is_either(argv[1], "--help", "-h"))
		return cmd_help(1, argv);
	if (is_either(argv[1], "--version", "-V") ||
	    (argc > 2 && find(argv[1]) != NULL && find(argv[1])->run != cmd_init &&
	     is_either(argv[2], "--version", "-V")))
		return cmd_version(1, argv);
	verb = find(argv[1]);
	if (verb == NULL)
		return unknown(argv[1]);
	return verb->run(argc - 1, argv + 1);
}
