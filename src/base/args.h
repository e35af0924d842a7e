/* SPDX-License-Identifier: MIT */
/*
 * Reading an argv by a table of options: "-it", "-Cdir", "-C dir", "--name", "--name=value", "--name value"; the first
 * operand or "--" ends them. One parser for all verbs, so that all of them have the same habits.
 */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H

#include <pidbox.h>

/** An option: a row of a verb's table. */
struct arg {
	const char *group; /* heading in the help; NULL: none */
	char letter;       /* 0: no short form */
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
	size_t flag;                                  /* offset of a bool in the context that it sets; 0: none */
	size_t text;                                  /* offset of a const char * that it sets; 0: none */
	int (*set)(void *context, const char *value); /* or this. @return 0 or -errno with the error filled */
};

struct arg_table {
	const char *verb;
	const struct arg *table;
	size_t count;
	/** What another tool's option is called here, NULL when nothing is known about it; may be NULL */
	const char *(*elsewhere)(const char *name);
};

/**
 * Read the options. Offset 0 of the context is none of theirs.
 * @return how many arguments they took, a "--" among them; negative errno with err filled (code USAGE): its what says
 * what is wrong (see err_shape_usage)
 */
int args_parse(const struct arg_table *args, int argc, char *const argv[], void *context, struct pidbox_error *err);

#endif
