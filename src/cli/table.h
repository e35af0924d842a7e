/* SPDX-License-Identifier: MIT */
/*
 * Columns for people. On a terminal they fit its width: the widest of those that may be are cut, then the least
 * important ones are left out. In a pipe nothing is cut, and there are no colours. Whatever comes from a process is
 * shown harmless: no control characters, no escape sequences, no marks that turn the direction of text.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/pool.h"

#include <stdbool.h>
#include <stddef.h>

enum { TABLE_COLUMNS = 16 };

enum table_colour { TABLE_PLAIN, TABLE_BOLD, TABLE_DIM, TABLE_GREEN, TABLE_YELLOW, TABLE_CYAN };

struct table {
	const char *head[TABLE_COLUMNS];    /* NULL after the last one */
	bool right[TABLE_COLUMNS];          /* numbers */
	bool cut[TABLE_COLUMNS];            /* it may be: it is no number */
	unsigned char order[TABLE_COLUMNS]; /* all of them, the most important one first */
	enum table_colour colour[TABLE_COLUMNS];
	struct table_text *cells; /* row by row; owned, as are the texts in the pool */
	size_t n, size;
	struct pool pool;
};

/** Begin the next cell's text: printf. Out of memory it stays empty. */
void table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** A cell of a command: its arguments, each with its NUL, with spaces between. prefix: what goes before it, or "" */
void table_command(struct table *t, const char *prefix, const char *command, size_t size);
/** Print all and free it. */
void table_print(struct table *t);

/** A text made harmless, and its width in columns. @return allocated; NULL: no memory */
char *table_harmless(const char *text, size_t len);
/** What stands out is coloured: standard output is a terminal that can, and NO_COLOR is not set. */
bool table_colours(void);
/** Lines may be drawn with more than ASCII: standard output is a terminal, and the locale says UTF-8. */
bool table_draws(void);
/** Width of the terminal of standard output; when that does not know, COLUMNS, else 80. @return 0: it is none */
size_t table_width(void);
/** How many columns a harmless text takes. */
size_t table_columns(const char *text);
const char *table_begin(enum table_colour colour); /* "" without colours */
const char *table_end(enum table_colour colour);

#endif
