/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include "base/parse.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ------------------------------------------------------------ characters */

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	return false;
}

#define IN(c, ranges) in_ranges(c, ranges, sizeof(ranges) / sizeof((ranges)[0]))

/* Controls, and what the reader does not see but the terminal obeys: marks and overrides of direction, invisible ones,
 * tags (Unicode: Cc, Cf, and the line and paragraph separators). */
static const struct range harmful[] = {
	{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x61c, 0x61c },
	{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
};
/* Two columns (UAX 11: W and F), the great blocks of them. */
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },
	{ 0xa000, 0xa4cf }, { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};
/* None: they are put upon the one before. */
static const struct range combining[] = {
	{ 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },   { 0x64b, 0x65f },
	{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

static size_t width_of(uint32_t c)
{
	if (c < combining[0].from)
		return 1;
	return IN(c, combining) ? 0 : IN(c, wide) ? 2 : 1;
}

/* @return its length; at most left */
static size_t next_char(const char *p, size_t left, uint32_t *ret)
{
	size_t len = utf8_length((const unsigned char *)p, left);

	*ret = len > 0 ? utf8_decode((const unsigned char *)p, len) : UINT32_MAX;
	return len > 0 ? len : 1;
}

/* to has room for len + 1 */
static void make_harmless(const char *text, size_t len, char *to)
{
	/* A terminal that is not told to understand UTF-8 may obey its second bytes. */
	bool ascii = table_width() > 0 && !table_draws();

	for (size_t at = 0; at < len;) {
		uint32_t c;

		if (text[at] >= ' ' && text[at] <= '~') {
			*to++ = text[at++];
			continue;
		}
		size_t n = next_char(text + at, len - at, &c);

		if (c == UINT32_MAX || IN(c, harmful) || (ascii && n > 1)) {
			*to++ = '?';
		} else {
			memcpy(to, text + at, n);
			to += n;
		}
		at += n;
	}
	*to = '\0';
}

char *table_harmless(const char *text, size_t len)
{
	char *out = malloc(len + 1);

	if (out != NULL)
		make_harmless(text, len, out);
	return out;
}

size_t table_columns(const char *text)
{
	size_t columns = 0, len = strlen(text);

	for (size_t at = 0; at < len;) {
		uint32_t c;

		at += next_char(text + at, len - at, &c);
		columns += width_of(c);
	}
	return columns;
}

struct table_text {
	const char *text;
	size_t columns;
};

/* Where a text is to be cut, with one column left for the sign of it. @return columns that are printed then */
static size_t cut(const char *text, size_t columns, size_t *ret_len)
{
	size_t len = strlen(text), at = 0, used = 0;

	while (at < len) {
		uint32_t c;
		size_t n = next_char(text + at, len - at, &c);

		if (used + width_of(c) >= columns)
			break;
		used += width_of(c);
		at += n;
	}
	*ret_len = at;
	return used + 1;
}

/* @return columns that it took */
static size_t put(struct table_text text, size_t columns)
{
	size_t len;

	if (text.columns <= columns) {
		(void)fputs(text.text, stdout);
		return text.columns;
	}
	columns = cut(text.text, columns, &len);
	(void)printf("%.*s%s", (int)len, text.text, table_draws() ? "\xe2\x80\xa6" : "~");
	return columns;
}

/* ------------------------------------------------------------ the terminal */

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0';
}

/* Of a terminal that does not know: serial lines, some consoles and editors. */
static size_t width_said(void)
{
	uint32_t width;

	return is_set("COLUMNS") && parse_u32(getenv("COLUMNS"), 1, UINT16_MAX, &width) == 0 ? width : 80;
}

/* Standard output, as it was when it was first asked for: a long table asks for every cell. */
static const struct screen {
	bool known, terminal, colours, draws;
	size_t width;
} * screen(void)
{
	static struct screen s;
	const char *term, *names[] = { "LC_ALL", "LC_CTYPE", "LANG" }, *locale = "";
	struct winsize size;
	bool dumb;

	if (s.known)
		return &s;
	s.known = true;
	s.terminal = isatty(STDOUT_FILENO) == 1;
	if (!s.terminal)
		return &s;
	term = getenv("TERM");
	dumb = term == NULL || strcmp(term, "dumb") == 0;
	for (size_t i = 0; i < 3 && locale[0] == '\0'; i++)
		locale = is_set(names[i]) ? getenv(names[i]) : "";
	s.colours = !dumb && !is_set("NO_COLOR");
	s.draws = !dumb && (strstr(locale, "UTF-8") != NULL || strstr(locale, "utf8") != NULL);
	s.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : width_said();
	return &s;
}

bool table_colours(void)
{
	return screen()->colours;
}

bool table_draws(void)
{
	return screen()->draws;
}

size_t table_width(void)
{
	return screen()->width;
}

const char *table_begin(enum table_colour colour)
{
	static const char *const codes[] = {
		[TABLE_PLAIN] = "",         [TABLE_BOLD] = "\x1b[1m",    [TABLE_DIM] = "\x1b[2m",
		[TABLE_GREEN] = "\x1b[32m", [TABLE_YELLOW] = "\x1b[33m", [TABLE_CYAN] = "\x1b[36m",
	};

	return table_colours() ? codes[colour] : "";
}

const char *table_end(enum table_colour colour)
{
	return colour != TABLE_PLAIN && table_colours() ? "\x1b[0m" : "";
}

/* ------------------------------------------------------------ the table */

static void add(struct table *t, const char *text, size_t len)
{
	char *harmless;

	if (t->n == t->size) {
		size_t size = t->size > 0 ? 2 * t->size : 64;
		struct table_text *cells = reallocarray(t->cells, size, sizeof(*cells));

		if (cells == NULL)
			return;
		t->cells = cells;
		t->size = size;
	}
	harmless = pool_alloc(&t->pool, len + 1);
	if (harmless != NULL)
		make_harmless(text, len, harmless);
	t->cells[t->n++] =
		(struct table_text){ harmless != NULL ? harmless : "", harmless != NULL ? table_columns(harmless) : 0 };
}

void table_cell(struct table *t, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add(t, text, strlen(text));
}

void table_command(struct table *t, const char *prefix, const char *command, size_t size)
{
	size_t before = strlen(prefix);
	char *text = pool_alloc(&t->pool, before + size + 1);

	if (text == NULL) {
		add(t, "", 0);
		return;
	}
	memcpy(text, prefix, before);
	for (size_t i = 0; i < size; i++)
		text[before + i] = command[i] == '\0' ? ' ' : command[i];
	size += before;
	while (size > before && text[size - 1] == ' ')
		size--;
	add(t, text, size);
}

static struct table_text cell(const struct table *t, size_t row, size_t column, size_t columns)
{
	if (row == 0)
		return (struct table_text){ t->head[column], table_columns(t->head[column]) };
	return t->cells[(row - 1) * columns + column];
}

static void put_blanks(size_t n)
{
	static const char blanks[] = "                                ";
	const size_t most = sizeof(blanks) - 1;

	for (; n > most; n -= most)
		(void)fputs(blanks, stdout);
	(void)fputs(blanks + most - n, stdout);
}

/* How wide each column is printed; 0: it is left out. */
struct layout {
	size_t columns, most;
	size_t natural[TABLE_COLUMNS], widths[TABLE_COLUMNS];
};

/* With so many of the columns, the most important ones, cut to no less than that: the widest first. */
static bool fit(const struct table *t, struct layout *l, size_t kept, size_t least)
{
	size_t total = 2 * (kept - 1);

	memset(l->widths, 0, sizeof(l->widths));
	for (size_t i = 0; i < kept; i++) {
		size_t c = t->order[i];

		l->widths[c] = t->cut[c] && l->natural[c] > l->most ? l->most : l->natural[c];
		total += l->widths[c];
	}
	for (; total > l->most; total--) {
		size_t widest = TABLE_COLUMNS;

		for (size_t i = 0; i < kept; i++) {
			size_t c = t->order[i];

			if (t->cut[c] && l->widths[c] > least &&
			    (widest == TABLE_COLUMNS || l->widths[c] > l->widths[widest]))
				widest = c;
		}
		if (widest == TABLE_COLUMNS)
			return false;
		l->widths[widest]--;
	}
	return true;
}

/* Ten columns hold any number of a user, and enough of a name to know it by. Below that it is for some columns alone.
 */
static void lay_out(const struct table *t, struct layout *l)
{
	enum { ROOMY = 10, TIGHT = 4, KEPT = 3 };

	if (l->most == 0) {
		memcpy(l->widths, l->natural, sizeof(l->widths));
		return;
	}
	for (size_t kept = l->columns; kept >= KEPT; kept--)
		if (fit(t, l, kept, ROOMY))
			return;
	for (size_t kept = l->columns < KEPT ? l->columns : KEPT; kept > 0; kept--)
		if (fit(t, l, kept, TIGHT))
			return;
}

static void print_row(const struct table *t, size_t row, const struct layout *l)
{
	size_t gap = 0; /* before the next column: behind the last one there is none */

	for (size_t c = 0; c < l->columns; c++) {
		enum table_colour colour = row == 0 ? TABLE_BOLD : t->colour[c];
		struct table_text text = cell(t, row, c, l->columns);
		size_t width = l->widths[c], used;

		if (width == 0)
			continue;
		put_blanks(gap + (t->right[c] && text.columns < width ? width - text.columns : 0));
		(void)fputs(table_begin(colour), stdout);
		used = put(text, width);
		(void)fputs(table_end(colour), stdout);
		gap = 2 + (t->right[c] ? 0 : width - used);
	}
	(void)putchar('\n');
}

void table_print(struct table *t)
{
	struct layout l = { .most = table_width() };
	size_t rows;

	while (l.columns < TABLE_COLUMNS && t->head[l.columns] != NULL)
		l.columns++;
	rows = t->n / l.columns + 1;
	for (size_t row = 0; row < rows; row++) {
		for (size_t c = 0; c < l.columns; c++) {
			size_t width = cell(t, row, c, l.columns).columns;

			if (width > l.natural[c])
				l.natural[c] = width;
		}
	}
	lay_out(t, &l);
	for (size_t row = 0; row < rows; row++)
		print_row(t, row, &l);
	free(t->cells);
	pool_free(&t->pool);
	t->cells = NULL;
	t->n = t->size = 0;
}
