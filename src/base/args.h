/* SPDX-License-Identifier: MIT */
/*
 * Reading an argv: "-it", "-Cdir", "-C dir", "--name", "--name=value", "--name value"; the first operand or "--" ends
 * the options. One reader for all verbs, so that all of them have the same habits; the tables are the verbs' own.
 */
#ifndef BASE_ARGS_H
#define BASE_ARGS_H

#include <pidbox.h>

/** What the reader must know of one option. */
struct arg_row {
	const char *name;
	char letter;          /* 0: no short form */
	const char *argument; /* what it takes, in words; NULL: nothing */
};

struct arg_reader {
	const char *verb;
	size_t count;
	void *context;
	struct pidbox_error *err;
	struct arg_row (*row)(const void *context, size_t index);
	/** @return 0, or -errno with the error filled */
	int (*apply)(void *context, size_t index, const char *value);
	/** A word with '-' that no row has. @return 0: say that it is unknown; -errno: it is said */
	int (*unknown)(void *context, const char *word);
	/** A word with one '-', before its letters are looked at ("-HUP"); may be NULL. @return 1: taken; 0; -errno */
	int (*word)(void *context, const char *word);
};

/**
 * Read the options.
 * @return how many arguments they took, a "--" among them; negative errno with the error filled (code USAGE): its what
 * says what is wrong (see err_shape_usage)
 */
int args_read(const struct arg_reader *r, int argc, char *const argv[]);

enum { ARGS_UNLIKE = 99 };
/**
 * How many typing mistakes lie between the first len letters of a word and a name: one or two, of a short one one.
 * @return ARGS_UNLIKE: it is no misspelling of that
 */
size_t args_mistakes(const char *word, size_t len, const char *name);

#endif
