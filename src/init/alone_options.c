/* SPDX-License-Identifier: MIT */
/* The command lines of the second door: one table of options for all manners, and their environment variables. */
#include "init/alone.h"

#include "base/parse.h"
#include "base/util.h"
#include "core/search.h"
#include "kern/sig.h"

#include <getopt.h>
#include <string.h>

enum { OWN = MANNER_OWN, TINI = MANNER_TINI, DUMB = MANNER_DUMB_INIT, CATA = MANNER_CATATONIT };

enum option_id {
	OPT_GROUP = 256,
	OPT_SINGLE_CHILD,
	OPT_SETSID,
	OPT_SUBREAPER,
	OPT_PARENT_DEATH,
	OPT_REMAP,
	OPT_REWRITE,
	OPT_SIGNAL_MAP,
	OPT_WARN_REAPED,
	OPT_VERBOSE,
	OPT_GRACE,
	OPT_STOP_SIGNAL,
	OPT_ON_EXIT,
	OPT_TIMEOUT,
	OPT_REPORT,
	OPT_PAUSE,
	OPT_LICENSE,
	OPT_HELP,
	OPT_VERSION,
};

/* THE table. A letter of 0 and a name of NULL: there is none. */
static const struct {
	char letter;
	const char *name;
	bool value;
	enum option_id id;
	unsigned manners, long_in; /* who has the letter, and who the name */
} rows[] = {
	{ 'g', "group", false, OPT_GROUP, OWN | TINI | CATA, OWN },
	{ 'c', "single-child", false, OPT_SINGLE_CHILD, OWN | DUMB, OWN | DUMB },
	{ 0, "setsid", false, OPT_SETSID, 0, OWN },
	{ 's', "subreaper", false, OPT_SUBREAPER, OWN | TINI, OWN },
	{ 'p', "parent-death-signal", true, OPT_PARENT_DEATH, OWN | TINI, OWN },
	{ 'e', "remap-exit", true, OPT_REMAP, OWN | TINI, OWN },
	{ 'r', "rewrite", true, OPT_REWRITE, OWN | DUMB, OWN | DUMB },
	{ 0, "signal-map", true, OPT_SIGNAL_MAP, 0, OWN },
	{ 'w', "warn-on-reap", false, OPT_WARN_REAPED, OWN | TINI, OWN },
	{ 'v', "verbose", false, OPT_VERBOSE, OWN | TINI | DUMB, OWN | DUMB },
	{ 0, "grace", true, OPT_GRACE, 0, OWN },
	{ 0, "stop-signal", true, OPT_STOP_SIGNAL, 0, OWN },
	{ 0, "on-exit", true, OPT_ON_EXIT, 0, OWN },
	{ 0, "timeout", true, OPT_TIMEOUT, 0, OWN },
	{ 0, "report", true, OPT_REPORT, 0, OWN },
	{ 'P', "pause", false, OPT_PAUSE, CATA, CATA },
	{ 'l', "license", false, OPT_LICENSE, OWN | TINI, OWN },
	{ 'L', "license", false, OPT_LICENSE, CATA, CATA },
	{ 'h', "help", false, OPT_HELP, OWN | TINI | DUMB | CATA, OWN | DUMB },
	{ 'V', "version", false, OPT_VERSION, OWN | DUMB | CATA, OWN | DUMB | CATA },
};

struct tables {
	char letters[2 * ARRAY_LEN(rows) + 3];
	struct option names[ARRAY_LEN(rows) + 1];
};

/* "+": options end at the first word that is none, as the command's own options are not ours. */
static void build_tables(enum manner manner, struct tables *ret)
{
	struct option *name = ret->names;
	char *letter = ret->letters;

	*letter++ = '+';
	if (manner == MANNER_OWN)
		*letter++ = ':'; /* what lacks its value is told from what is no option */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].manners & manner) {
			*letter++ = rows[i].letter;
			if (rows[i].value)
				*letter++ = ':';
		}
		if (rows[i].long_in & manner)
			*name++ = (struct option){
				.name = rows[i].name,
				.has_arg = rows[i].value ? required_argument : no_argument,
				.val = (int)rows[i].id,
			};
	}
	*letter = '\0';
	*name = (struct option){ 0 };
}

static int id_of(enum manner manner, int c)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (c < 256 && (rows[i].manners & manner) && rows[i].letter == c)
			return (int)rows[i].id;
	return c;
}

static const char *name_of(int id)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((int)rows[i].id == id)
			return rows[i].name;
	return "";
}

/* ------------------------------------------------------------ values */

static bool read_number(const char *text, int *ret)
{
	int n = 0;

	if (*text == '\0')
		return false;
	for (; *text >= '0' && *text <= '9' && n < 1000; text++)
		n = n * 10 + (*text - '0');
	*ret = n;
	return *text == '\0';
}

/* What strtol(3) takes before the digits. */
static const char *skip_sign(const char *text, bool *ret_minus)
{
	while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
		text++;
	*ret_minus = *text == '-';
	return *text == '-' || *text == '+' ? text + 1 : text;
}

static bool read_remap(struct alone *a, const char *text)
{
	bool minus = false;
	int status;

	if (a->manner == MANNER_TINI)
		text = *text == '\0' ? "0" : skip_sign(text, &minus);
	if (!read_number(text, &status) || status > 255 || (minus && status > 0))
		return false;
	a->remap[status / 64] |= UINT64_C(1) << status % 64;
	return true;
}

/* tini has the names alone, with SIG. */
static bool read_parent_death(struct alone *a, const char *text)
{
	if (a->manner == MANNER_TINI && strncmp(text, "SIG", 3) != 0)
		return false;
	a->parent_death = sig_parse(text);
	return a->parent_death > 0;
}

/* "A:B". Names and real-time signals too, but dumb-init has numbers up to 31 alone. 0 at the right drops it. */
static bool read_rewrite(struct alone *a, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	int from, to = 0, highest = a->manner == MANNER_DUMB_INIT ? 31 : SIG_MAX;
	char left[16];

	if (colon == NULL || len >= sizeof(left))
		return false;
	memcpy(left, text, len);
	left[len] = '\0';
	from = sig_parse(left);
	if (strcmp(colon + 1, "0") != 0)
		to = sig_parse(colon + 1);
	if (a->manner == MANNER_DUMB_INIT && !read_number(left, &from))
		return false;
	if (a->manner == MANNER_DUMB_INIT && !read_number(colon + 1, &to))
		return false;
	if (from < 1 || from > highest || to < 0 || to > highest)
		return false;
	a->signal_map[from] = (uint8_t)to;
	return true;
}

static bool read_signal_map(struct alone *a, const char *text)
{
	struct pidbox_sigmap map[SIG_MAX];
	size_t n;

	if (sig_parse_map(text, map, ARRAY_LEN(map), &n) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		a->signal_map[map[i].from] = map[i].to;
	return true;
}

static bool read_on_exit(struct alone *a, const char *text)
{
	static const char *const words[] = {
		[PIDBOX_ON_EXIT_KILL] = "kill",
		[PIDBOX_ON_EXIT_TERM] = "term",
		[PIDBOX_ON_EXIT_WAIT] = "wait",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], text) != 0)
			continue;
		a->on_exit = (uint8_t)i;
		return true;
	}
	return false;
}

static bool read_stop_signal(struct alone *a, const char *text)
{
	int sig = sig_parse(text);

	a->stop_signal = (uint8_t)sig;
	return sig > 0;
}

/* @return false: the value is none */
static bool take(struct alone *a, int id, const char *value)
{
	switch (id) {
	case OPT_GROUP:
		a->to_group = true;
		return true;
	case OPT_SINGLE_CHILD:
		a->to_group = false;
		if (a->manner == MANNER_DUMB_INIT)
			a->placement = PLACE_SAME_GROUP;
		return true;
	case OPT_SETSID:
		a->placement = PLACE_SESSION;
		a->to_group = true;
		return true;
	case OPT_SUBREAPER:
		a->subreaper = true;
		return true;
	case OPT_WARN_REAPED:
		a->warn_reaped = true;
		return true;
	case OPT_VERBOSE:
		a->verbosity += a->manner == MANNER_DUMB_INIT ? 4 : 1;
		return true;
	case OPT_PAUSE:
		a->pause = true;
		return true;
	case OPT_PARENT_DEATH:
		return read_parent_death(a, value);
	case OPT_REMAP:
		return read_remap(a, value);
	case OPT_REWRITE:
		return read_rewrite(a, value);
	case OPT_SIGNAL_MAP:
		return read_signal_map(a, value);
	case OPT_ON_EXIT:
		return read_on_exit(a, value);
	case OPT_STOP_SIGNAL:
		return read_stop_signal(a, value);
	case OPT_GRACE:
		a->has_grace = true;
		return parse_duration(value, &a->grace_us) == 0;
	case OPT_TIMEOUT:
		return parse_duration(value, &a->timeout_us) == 0 && a->timeout_us > 0;
	case OPT_REPORT:
		a->report = value;
		return *value != '\0';
	default:
		return false;
	}
}

/* ------------------------------------------------------------ manners */

static void drop(struct alone *a, sigbits signals)
{
	for (int sig = 1; sig <= SIG_MAX; sig++)
		if (signals & SIGBIT(sig))
			a->signal_map[sig] = 0;
}

static void begin(struct alone *a, const char *called)
{
	static const struct {
		const char *name;
		enum manner manner;
	} manners[] = {
		{ "tini", MANNER_TINI },           { "tini-static", MANNER_TINI },    { "docker-init", MANNER_TINI },
		{ "dumb-init", MANNER_DUMB_INIT }, { "catatonit", MANNER_CATATONIT },
	};
	const char *slash = strrchr(called, '/');

	a->called = called;
	a->name = slash != NULL ? slash + 1 : called;
	a->manner = MANNER_OWN;
	for (size_t i = 0; i < ARRAY_LEN(manners); i++)
		if (strcmp(a->name, manners[i].name) == 0)
			a->manner = manners[i].manner;
	a->subreaper = a->manner == MANNER_OWN || a->manner == MANNER_CATATONIT;
	for (int sig = 1; sig <= SIG_MAX; sig++)
		a->signal_map[sig] = (uint8_t)sig;
	if (a->manner == MANNER_DUMB_INIT) {
		a->placement = PLACE_SESSION;
		a->to_group = true;
	}
	a->taken = SIGBITS_ALL;
	if (a->manner == MANNER_TINI || a->manner == MANNER_CATATONIT) {
		a->taken &= ~ALONE_FAULTS;
		drop(a, a->manner == MANNER_TINI ? SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU) : ALONE_STOPS);
	}
	opterr = a->manner != MANNER_OWN;
}

static const char *variable(char *const *envp, const char *name)
{
	for (; *envp != NULL; envp++)
		if (env_same_name(*envp, name) && env_value(*envp) != NULL)
			return env_value(*envp);
	return NULL;
}

static void read_tini_environment(struct alone *a, char *const *envp)
{
	const char *verbosity = variable(envp, "TINI_VERBOSITY");
	bool minus;
	int n = 0;

	a->subreaper |= variable(envp, "TINI_SUBREAPER") != NULL;
	a->to_group |= variable(envp, "TINI_KILL_PROCESS_GROUP") != NULL;
	if (verbosity == NULL)
		return;
	(void)read_number(skip_sign(verbosity, &minus), &n); /* as atoi(3): the digits that there are */
	a->verbosity = minus && n > 0 ? INT32_MAX : n;       /* ... into a number without a sign */
}

static void read_dumb_init_environment(struct alone *a, char *const *envp)
{
	const char *debug = variable(envp, "DUMB_INIT_DEBUG"), *session = variable(envp, "DUMB_INIT_SETSID");

	if (debug != NULL && strcmp(debug, "1") == 0) {
		a->verbosity = 4;
		a->debug_variable = true;
	}
	if (session != NULL && strcmp(session, "0") == 0) {
		a->placement = PLACE_SAME_GROUP;
		a->to_group = false;
	}
}

/* In a session whose parent is not in it nobody would let a command go on that has stopped by itself; it is stopped
 * by SIGSTOP, which a process cannot refuse (signal(7)), as long as nothing else is asked for. */
static void rewrite_stops(struct alone *a)
{
	const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		if (a->signal_map[stops[i]] == stops[i])
			a->signal_map[stops[i]] = SIGSTOP;
}

static void read_environment(struct alone *a, char *const *envp)
{
	if (a->manner == MANNER_TINI)
		read_tini_environment(a, envp);
	if (a->manner == MANNER_DUMB_INIT)
		read_dumb_init_environment(a, envp);
	if (a->manner == MANNER_DUMB_INIT && a->placement == PLACE_SESSION)
		rewrite_stops(a);
	if (a->manner == MANNER_CATATONIT && variable(envp, "CATATONIT_DEBUG") != NULL)
		a->verbosity = 4;
}

static int usage_status(const struct alone *a)
{
	return a->manner == MANNER_OWN ? PIDBOX_EXIT_FAILED : 1;
}

/* Paused it only waits to be asked to end. */
static void pause_until_asked(struct alone *a)
{
	drop(a, ~(SIGBIT(SIGTERM) | SIGBIT(SIGINT)));
	a->argv = NULL;
}

/* Of the words behind the options: the command. tini's usage has a -- behind the program, if none was before it. */
static int take_command(struct alone *a, char **argv, bool had_dashes)
{
	if (a->manner == MANNER_TINI && !had_dashes && argv[0] != NULL && argv[1] != NULL &&
	    strcmp(argv[1], "--") == 0) {
		argv[1] = argv[0];
		argv++;
	}
	if (a->pause) {
		pause_until_asked(a);
		return ALONE_GO_ON;
	}
	if (argv[0] == NULL) {
		alone_say_no_command(a);
		return usage_status(a);
	}
	a->argv = argv;
	return ALONE_GO_ON;
}

int alone_read_options(struct alone *a, int argc, char **argv, char **envp)
{
	static char none[] = "";
	struct tables tables;
	int c;

	begin(a, argc > 0 ? argv[0] : none);
	if (a->manner == MANNER_CATATONIT && variable(envp, "CATATONIT_LOG") != NULL) {
		alone_say_reserved(a, "CATATONIT_LOG");
		return usage_status(a);
	}
	if (a->manner == MANNER_TINI && argc == 2 && strcmp(argv[1], "--version") == 0)
		return alone_version(a);
	build_tables(a->manner, &tables);
	while ((c = tables.names[0].name != NULL ? getopt_long(argc, argv, tables.letters, tables.names, NULL)
						 : getopt(argc, argv, tables.letters)) != -1) {
		int id = id_of(a->manner, c);

		if (id == OPT_HELP)
			return alone_help(a);
		if (id == OPT_VERSION)
			return alone_version(a);
		if (id == OPT_LICENSE)
			return alone_license(a);
		if (c == '?' || c == ':') {
			alone_say_bad_option(a, argv[optind - 1 < argc ? optind - 1 : argc - 1],
					     c == ':'        ? " lacks its value"
					     : optopt >= 256 ? " takes no value"
							     : " is no option");
			return usage_status(a);
		}
		if (!take(a, id, optarg)) {
			alone_say_bad_value(a, name_of(id), optarg);
			return usage_status(a);
		}
	}
	read_environment(a, envp);
	return take_command(a, argv + optind, optind > 1 && strcmp(argv[optind - 1], "--") == 0);
}
