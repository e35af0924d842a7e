/* SPDX-License-Identifier: MIT */
/* sig.c - names and numbers of signals; see sig.h. */
#include "kern/sig.h"

#include <stdbool.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/util.h"

/*
 * Rows of bytes, not pointers: the tiny init can read them before, or without, relocation. The numbers below 32 differ
 * between architectures; the C library's macros are the kernel's there.
 */
static const char names[][8] = {
	[SIGHUP] = "HUP",       [SIGINT] = "INT",     [SIGQUIT] = "QUIT", [SIGILL] = "ILL",   [SIGTRAP] = "TRAP",
	[SIGABRT] = "ABRT",     [SIGBUS] = "BUS",     [SIGFPE] = "FPE",   [SIGKILL] = "KILL", [SIGUSR1] = "USR1",
	[SIGSEGV] = "SEGV",     [SIGUSR2] = "USR2",   [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
	[SIGCHLD] = "CHLD",     [SIGCONT] = "CONT",   [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU",     [SIGURG] = "URG",     [SIGXCPU] = "XCPU", [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM",
	[SIGPROF] = "PROF",     [SIGWINCH] = "WINCH", [SIGIO] = "IO",     [SIGPWR] = "PWR",   [SIGSYS] = "SYS",
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "STKFLT",
#endif
#ifdef SIGEMT
	[SIGEMT] = "EMT",
#endif
};

static const struct {
	char name[7];
	uint8_t sig;
} aliases[] = {
	{ "IOT", SIGABRT },
	{ "CLD", SIGCHLD },
	{ "POLL", SIGIO },
};

/* <ctype.h> and strcasecmp ask the locale: in Turkish "sigint" is not "SIGINT". */
static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* What follows `prefix` in s, in either case; NULL when s does not begin with it. */
static const char *skip_prefix(const char *s, const char *prefix)
{
	for (; *prefix != '\0'; s++, prefix++) {
		if (upper(*s) != *prefix)
			return NULL;
	}
	return s;
}

static bool same_word(const char *s, const char *word)
{
	const char *rest = skip_prefix(s, word);

	return rest && *rest == '\0';
}

/* RTMIN, RTMIN+N, RTMAX, RTMAX-N. */
static int parse_realtime(const char *s)
{
	const char *rest = skip_prefix(s, "RTMIN");
	bool up = rest != NULL;
	uint32_t n = 0;

	if (!rest)
		rest = skip_prefix(s, "RTMAX");
	if (!rest)
		return -EINVAL;
	if (*rest != '\0' && (*rest != (up ? '+' : '-') || parse_u32(rest + 1, 0, SIG_RTMAX - SIG_RTMIN, &n) < 0))
		return -EINVAL;
	return up ? SIG_RTMIN + (int)n : SIG_RTMAX - (int)n;
}

int sig_parse(const char *s)
{
	const char *rest = skip_prefix(s, "SIG");
	uint32_t n;

	if (rest)
		s = rest;
	if (parse_u32(s, 1, SIG_MAX, &n) == 0)
		return (int)n;
	for (size_t i = 1; i < ARRAY_LEN(names); i++) {
		if (names[i][0] != '\0' && same_word(s, names[i]))
			return (int)i;
	}
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (same_word(s, aliases[i].name))
			return aliases[i].sig;
	}
	return parse_realtime(s);
}

static char *put_string(char *to, const char *s)
{
	while (*s != '\0')
		*to++ = *s++;
	return to;
}

void sig_name(int sig, char buf[static 16])
{
	char *to = put_string(buf, "SIG");

	if (sig > 0 && (size_t)sig < ARRAY_LEN(names) && names[sig][0] != '\0') {
		to = put_string(to, names[sig]);
	} else if (sig == SIG_RTMAX) {
		to = put_string(to, "RTMAX");
	} else if (sig >= SIG_RTMIN && sig < SIG_RTMAX) {
		to = put_string(to, "RTMIN");
		if (sig > SIG_RTMIN) {
			*to++ = '+';
			to += io_decimal(to, sig - SIG_RTMIN);
		}
	} else {
		to += io_decimal(to, sig);
	}
	*to = '\0';
}

sigbits sig_discarded_by(int sig)
{
	const sigbits stops = SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU);

	return sig == SIGCONT ? stops : SIGBIT(sig) & stops ? SIGBIT(SIGCONT) : 0;
}

/* The signal in the first len bytes of s. */
static int parse_part(const char *s, size_t len)
{
	char word[16];

	if (len >= sizeof(word))
		return -EINVAL;
	memcpy(word, s, len);
	word[len] = '\0';
	return sig_parse(word);
}

/* A=B or A= in the first len bytes of s. */
static int parse_row(const char *s, size_t len, struct pidbox_sigmap *ret)
{
	const char *equals = memchr(s, '=', len);
	int from, to = 0;

	if (!equals)
		return -EINVAL;
	from = parse_part(s, (size_t)(equals - s));
	len -= (size_t)(equals - s) + 1;
	if (len > 0)
		to = parse_part(equals + 1, len);
	if (from < 0 || to < 0 || from == SIGKILL || from == SIGSTOP)
		return -EINVAL;
	*ret = (struct pidbox_sigmap){ .from = (uint8_t)from, .to = (uint8_t)to };
	return 0;
}

int sig_parse_map(const char *s, struct pidbox_sigmap *out, size_t max, size_t *ret_n)
{
	struct pidbox_sigmap rows[SIG_MAX];
	sigbits seen = 0;
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(s, ",");
		struct pidbox_sigmap row;
		int r = parse_row(s, len, &row);

		if (r < 0)
			return r;
		/* The last one might win, but who writes two has made a mistake that shows nowhere else. */
		if (seen & SIGBIT(row.from))
			return -EINVAL;
		seen |= SIGBIT(row.from);
		rows[n++] = row;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	if (n > max)
		return -E2BIG;
	memcpy(out, rows, n * sizeof(*rows));
	*ret_n = n;
	return 0;
}
