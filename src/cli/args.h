/* SPDX-License-Identifier: MIT */
/*
 * The options of a verb: one table of rows, from which its command line is read and its --help is printed. (Those of
 * `run` are the library's, pidbox_options_parse.)
 *
 *     struct args args = { .verb = "ls", .about = "...", .options = rows, .n_options = ... };
 *     int at;
 *
 *     if (!args_parse(&args, argc, argv, &at))
 *             return at;
 *     ... the operands are argv[at] to argv[argc - 1]
 *
 * -h and --help are there without a row. Short options can be put together (-qa), their value may follow at once (-s9);
 * a long one takes it after "=" or as the next word. Options end at "--" or, unless they are
 * mixed, at the first operand.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <pidbox.h>
#include <stdbool.h>
#include <stddef.h>

/* One option. What it does: the flag becomes true, the text is the value, set is called; each may be NULL. */
struct args_option {
	const char *name;
	char letter;          /* 0: no short form */
	const char *argument; /* what --help calls its value; NULL: takes none */
	const char *help;
	bool *flag;
	const char **text; /* a string of argv */
	/* @return 0, or a negative errno with err->what saying what is wrong; why and fix are filled when empty */
	int (*set)(void *context, const char *value, struct pidbox_error *err);
};

/* An option of another tool, as it is written there, and what to do here. */
struct args_elsewhere {
	const char *theirs, *ours;
};

struct args {
	const char *verb;
	const char *operands;     /* "[BOX]"; NULL: none are taken */
	int least, most;          /* number of operands; most < 0: any */
	bool mixed;               /* options may follow operands, too: the words of argv are put in order */
	const char *about, *more; /* below the usage line, and after the options; more may be NULL */
	const struct args_option *options;
	size_t n_options;
	const struct args_elsewhere *elsewhere;
	size_t n_elsewhere;
	/* A word with one '-', before it is taken for letters ("-KILL"); may be NULL. @return 1: taken; 0: letters;
	 * -errno as set */
	int (*other)(void *context, const char *word, struct pidbox_error *err);
	void *context; /* of set and other */
};

/**
 * Read a command line; argv[0] is the verb.
 * @return true: *ret is the index of the first operand, argc when there is none; false: help was printed, or an error,
 * and *ret is the exit status
 */
bool args_parse(const struct args *a, int argc, char **argv, int *ret);
/** Say what is wrong with the command line. fix NULL: where the help is. @return PIDBOX_EXIT_FAILED */
int args_error(const struct args *a, const char *fix, const char *why, ...) __attribute__((format(printf, 3, 4)));

/** A line of a help text. letter 0: no short form; argument NULL: takes none */
void args_print_option(char letter, const char *name, const char *argument, const char *help);

#endif
