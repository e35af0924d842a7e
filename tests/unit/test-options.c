/* SPDX-License-Identifier: MIT */
/*
 * The options of `run`: every row of the table by each of its spellings, other tools' spellings, what is refused, and
 * what contradicts itself in a spec, from options or from a C program.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/options.h"
#include "core/plan.h"
#include "tap.h"

static const char *const echo[] = { "echo", "hi", NULL };

static struct pidbox_spec with_defaults(struct pidbox_spec spec)
{
	spec.size = sizeof(spec);
	if (spec.argv == NULL)
		spec.argv = echo;
	return spec;
}

enum { MAX_ARGS = 32 };

/* Words with blanks between. */
struct args {
	char text[512];
	char *argv[MAX_ARGS + 1];
	int argc;
};

static void split(struct args *a, const char *words)
{
	char *p = a->text;

	a->argc = 0;
	snprintf(a->text, sizeof(a->text), "%s", words);
	for (char *end; *p != '\0' && a->argc < MAX_ARGS; p = end) {
		a->argv[a->argc++] = p;
		end = p + strcspn(p, " ");
		if (*end != '\0')
			*end++ = '\0';
	}
	a->argv[a->argc] = NULL;
}

static struct pidbox_options *parse(struct args *a, const char *words)
{
	struct pidbox_options *opts = NULL;
	struct pidbox_error err = { 0 };

	split(a, words);
	return pidbox_options_parse(a->argc, a->argv, &opts, &err) == 0 ? opts : NULL;
}

/* ------------------------------------------------------------ values: option, its argument, how a C program would say
 * it */

static bool text_is(const char *text, const char *wanted)
{
	return text != NULL && strcmp(text, wanted) == 0;
}

#define S(o) ((o)->spec)
#define IS(name, member, value)                          \
	static bool name(const struct pidbox_options *o) \
	{                                                \
		return (o)->member == (value);           \
	}
#define TEXT(name, member, value)                        \
	static bool name(const struct pidbox_options *o) \
	{                                                \
		return text_is((o)->member, value);      \
	}
IS(is_unshare, spec.unshare, PIDBOX_NS_NET | PIDBOX_NS_TIME)
IS(is_unshare_all, spec.unshare, PIDBOX_NS_ALL)
IS(is_share, spec.share, PIDBOX_NS_UTS | PIDBOX_NS_IPC)
TEXT(is_hostname, spec.hostname, "box")
IS(is_propagation, spec.propagation, PIDBOX_PROPAGATION_PRIVATE)
IS(is_map, spec.map, PIDBOX_MAP_AUTO)
IS(is_proc, spec.proc, PIDBOX_PROC_NONE)
TEXT(is_hidepid, spec.proc_hidepid, "invisible")
IS(is_subset, spec.proc_subset_pid, true)
IS(is_fallback, fallback, true)
IS(is_first, spec.first_pid, 300)
IS(is_max, spec.pid_max, 400)
IS(is_pid1, spec.as_pid1, true)
IS(is_on_exit, spec.on_exit, PIDBOX_ON_EXIT_TERM)
IS(is_stop, spec.stop_signal, 3)
IS(is_timeout, spec.timeout_us, 90000000)
IS(is_cpu, spec.cpu_time_us, 500000)
TEXT(is_chdir, spec.chdir, "/tmp")
IS(is_clear, spec.clear_env, true)
TEXT(is_user, spec.user, "ann:adm")
IS(is_close, close_fds, true)
IS(is_tty, spec.tty, true)
IS(is_events, events_fd, 7)
IS(is_dry, dry_run, true)
IS(is_explain, explain, true)
IS(is_timing, spec.timing, true)
IS(is_help, help, true)

/* --fail-on-leak and --summary want what a record wants. */
static bool is_fail(const struct pidbox_options *o)
{
	return S(o).fail_on_leak && S(o).account;
}

static bool is_summary(const struct pidbox_options *o)
{
	return o->summary && S(o).account;
}

static bool is_hold(const struct pidbox_options *o)
{
	return S(o).hold && o->hold_fd == 1;
}

static bool is_range(const struct pidbox_idrange *r, size_t n)
{
	return n == 1 && r->inside == 0 && r->outside == 1000 && r->count == 5;
}

static bool is_uids(const struct pidbox_options *o)
{
	return is_range(S(o).uid_maps, S(o).n_uid_maps) && S(o).map == PIDBOX_MAP_EXACT;
}

static bool is_gids(const struct pidbox_options *o)
{
	return is_range(S(o).gid_maps, S(o).n_gid_maps) && S(o).map == PIDBOX_MAP_EXACT;
}

static bool is_offset(const struct pidbox_options *o)
{
	return S(o).has_monotonic && S(o).monotonic.seconds == -2 && S(o).monotonic.nanoseconds == 500000000 &&
	       S(o).has_boottime && S(o).boottime.seconds == 10 && S(o).boottime.nanoseconds == 1;
}

static bool is_grace(const struct pidbox_options *o)
{
	return S(o).has_grace && S(o).grace_us == 0;
}

static bool is_leak_grace(const struct pidbox_options *o)
{
	return S(o).has_leak_grace && S(o).leak_grace_us == 1500000;
}

static bool is_sigmap(const struct pidbox_options *o)
{
	return S(o).n_signal_map == 2 && S(o).signal_map[0].from == 15 && S(o).signal_map[0].to == 3 &&
	       S(o).signal_map[1].from == 1 && S(o).signal_map[1].to == 0;
}

static bool is_env(const struct pidbox_options *o)
{
	return S(o).set_env != NULL && text_is(S(o).set_env[0], "K=a=b") && S(o).set_env[1] == NULL;
}

static bool is_unset(const struct pidbox_options *o)
{
	return S(o).unset_env != NULL && text_is(S(o).unset_env[0], "K") && S(o).unset_env[1] == NULL;
}

static bool is_keep(const struct pidbox_options *o)
{
	return S(o).n_keep_fds == 1 && S(o).keep_fds[0] == 9;
}

static bool is_report(const struct pidbox_options *o)
{
	return text_is(o->report, "fd:5") && S(o).account;
}

static bool is_name(const struct pidbox_options *o)
{
	return text_is(S(o).name, "build");
}

static bool is_idle(const struct pidbox_options *o)
{
	return S(o).idle;
}

static bool is_detach(const struct pidbox_options *o)
{
	return pidbox_options_flags(o) == PIDBOX_OPTION_DETACH;
}

static bool is_nothing(const struct pidbox_options *o)
{
	return !S(o).account && !S(o).tty && o->hold_fd < 0 && o->events_fd < 0 && S(o).size == sizeof(S(o));
}

static const struct {
	const char *name, *value; /* NULL: takes none */
	char letter;
	bool (*is)(const struct pidbox_options *);
} rows[] = {
	{ "name", "build", 0, is_name },
	{ "detach", NULL, 'd', is_detach },
	{ "idle", NULL, 0, is_idle },
	{ "unshare", "net,time", 0, is_unshare },
	{ "unshare", "all", 0, is_unshare_all },
	{ "share", "uts,ipc", 0, is_share },
	{ "hostname", "box", 0, is_hostname },
	{ "propagation", "private", 0, is_propagation },
	{ "map", "auto", 0, is_map },
	{ "uid-map", "0:1000:5", 0, is_uids },
	{ "gid-map", "0:1000:5", 0, is_gids },
	{ "time-offset", "monotonic=-1.5,boottime=10.000000001", 0, is_offset },
	{ "fallback", "subreaper", 0, is_fallback },
	{ "proc", "none", 0, is_proc },
	{ "proc-hidepid", "invisible", 0, is_hidepid },
	{ "proc-subset", "pid", 0, is_subset },
	{ "first-pid", "300", 0, is_first },
	{ "pid-max", "400", 0, is_max },
	{ "as-pid1", NULL, 0, is_pid1 },
	{ "on-exit", "term", 0, is_on_exit },
	{ "stop-signal", "QUIT", 0, is_stop },
	{ "grace", "0", 0, is_grace },
	{ "timeout", "1m30s", 0, is_timeout },
	{ "cpu-time", "500ms", 0, is_cpu },
	{ "signal-map", "TERM=QUIT,HUP=", 0, is_sigmap },
	{ "fail-on-leak", NULL, 0, is_fail },
	{ "leak-grace", "1.5", 0, is_leak_grace },
	{ "chdir", "/tmp", 'C', is_chdir },
	{ "env", "K=a=b", 'e', is_env },
	{ "unset-env", "K", 0, is_unset },
	{ "clear-env", NULL, 0, is_clear },
	{ "user", "ann:adm", 0, is_user },
	{ "close-fds", NULL, 0, is_close },
	{ "keep-fd", "9", 0, is_keep },
	{ "hold-fd", "1", 0, is_hold },
	{ "tty", NULL, 't', is_tty },
	{ "interactive", NULL, 'i', is_nothing },
	{ "report", "fd:5", 0, is_report },
	{ "summary", NULL, 0, is_summary },
	{ "events", "fd:7", 0, is_events },
	{ "dry-run", NULL, 0, is_dry },
	{ "explain", NULL, 0, is_explain },
	{ "timing", NULL, 0, is_timing },
	{ "help", NULL, 'h', is_help },
};

/* One spelling, followed by the command, which has to be left alone. */
static void spelling(size_t i, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void spelling(size_t i, const char *format, ...)
{
	struct pidbox_options *opts;
	struct args a;
	char words[128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	opts = parse(&a, words);
	ok(opts != NULL && rows[i].is(opts), "%s", words);
	ok(opts != NULL && S(opts).argv != NULL && text_is(S(opts).argv[0], "echo") && text_is(S(opts).argv[1], "-t") &&
		   S(opts).argv[2] == NULL,
	   "%s: the command", words);
	pidbox_options_free(opts);
}

static void refused(const char *words)
{
	struct pidbox_options *opts = (void *)&opts;
	struct pidbox_error err = { 0 };
	struct args a;
	int r;

	split(&a, words);
	r = pidbox_options_parse(a.argc, a.argv, &opts, &err);
	ok(r == -EINVAL && err.code == PIDBOX_CODE_USAGE && err.exit_status == PIDBOX_EXIT_FAILED && err.errnum == 0 &&
		   err.what[0] != '\0' && opts == (void *)&opts,
	   "\"%s\" is refused: %s", words, err.what);
}

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char words[64];

		if (rows[i].value == NULL) {
			spelling(i, "--%s echo -t", rows[i].name);
			spelling(i, "--%s -- echo -t", rows[i].name);
			snprintf(words, sizeof(words), "--%s=1", rows[i].name);
			refused(words);
			if (rows[i].letter)
				spelling(i, "-%c echo -t", rows[i].letter);
			continue;
		}
		spelling(i, "--%s %s echo -t", rows[i].name, rows[i].value);
		spelling(i, "--%s=%s -- echo -t", rows[i].name, rows[i].value);
		snprintf(words, sizeof(words), "--%s", rows[i].name);
		refused(words);
		if (rows[i].letter) {
			spelling(i, "-%c %s echo -t", rows[i].letter, rows[i].value);
			spelling(i, "-%c%s echo -t", rows[i].letter, rows[i].value);
			snprintf(words, sizeof(words), "-%c", rows[i].letter);
			refused(words);
		}
	}
}

/* Options that are nothing without another one. */
static void test_pairs(void)
{
	struct pidbox_options *opts;
	struct args a;

	opts = parse(&a, "--name build --replace echo");
	ok(opts != NULL && S(opts).replace, "--replace with a name");
	pidbox_options_free(opts);
	opts = parse(&a, "-d --log out echo");
	ok(opts != NULL && text_is(pidbox_options_log(opts), "out"), "--log with -d");
	pidbox_options_free(opts);
	opts = parse(&a, "-d --report fd:3 --events fd:4 echo");
	ok(opts != NULL && pidbox_options_log(opts) == NULL, "-d with a report");
	pidbox_options_free(opts);
}

/* The table has no row that is not tested here, and each row has its words. */
static void test_table(void)
{
	struct pidbox_option_row row;

	for (size_t i = 0; pidbox_option_row(i, &row) == 0; i++) {
		bool tested = false;

		if (strcmp(row.name, "replace") == 0 || strcmp(row.name, "log") == 0)
			tested = true; /* test_pairs */
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			tested = tested || (strcmp(rows[k].name, row.name) == 0 && rows[k].letter == row.letter &&
					    !rows[k].value == !row.argument);
		ok(tested && row.group[0] != '\0' && row.help[0] != '\0', "--%s has a row here, a group and help",
		   row.name);
	}
	ok(pidbox_option_row(SIZE_MAX, &row) == -ENOENT, "no row after the last one");
}

/* ------------------------------------------------------------ where the options end */

static void test_ends(void)
{
	static const struct {
		const char *words, *first, *second;
		bool tty;
	} ends[] = {
		{ "", NULL, NULL, false },
		{ "--", NULL, NULL, false },
		{ "-t", NULL, NULL, true },
		{ "-t --", NULL, NULL, true },
		{ "echo", "echo", NULL, false },
		{ "echo -t", "echo", "-t", false },
		{ "-- -t", "-t", NULL, false },
		{ "-t -- -i", "-i", NULL, true },
		{ "echo -- -t", "echo", "--", false },
		{ "-- -- x", "--", "x", false },
		{ "- -t", "-", "-t", false },
		{ "-ti echo", "echo", NULL, true },
		{ "-it echo", "echo", NULL, true },
		{ "-itC/ echo", "echo", NULL, true },
		{ "-tC / echo", "echo", NULL, true },
		{ "-C -t echo", "echo", NULL, false },
		{ "--env -- -- x", "x", NULL, false },
		{ "-te K=V x y", "x", "y", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct args a;
		struct pidbox_options *opts = parse(&a, ends[i].words);
		const char *const *argv = opts != NULL ? S(opts).argv : NULL;

		ok(opts != NULL &&
			   (ends[i].first == NULL ? argv == NULL : argv != NULL && text_is(argv[0], ends[i].first)) &&
			   (ends[i].second == NULL || text_is(argv[1], ends[i].second)) && S(opts).tty == ends[i].tty,
		   "\"%s\": the command", ends[i].words);
		pidbox_options_free(opts);
	}
	pidbox_options_free(NULL);
}

static void test_repeated(void)
{
	struct args a;
	struct pidbox_options *opts =
		parse(&a, "--keep-fd 3 --keep-fd=4 -e A=1 -e B --unset-env C --unshare net --unshare ipc "
			  "--timeout 5 --timeout 0 x");

	ok(opts != NULL && S(opts).n_keep_fds == 2 && S(opts).keep_fds[1] == 4, "--keep-fd adds up");
	ok(opts != NULL && text_is(S(opts).set_env[0], "A=1") && text_is(S(opts).set_env[1], "B") &&
		   S(opts).set_env[2] == NULL,
	   "--env adds up");
	ok(opts != NULL && S(opts).unshare == (PIDBOX_NS_NET | PIDBOX_NS_IPC), "--unshare adds up");
	ok(opts != NULL && S(opts).timeout_us == 0, "the last --timeout counts");
	pidbox_options_free(opts);
}

/* ------------------------------------------------------------ refused */

static void test_refused(void)
{
	static const char *const words[] = {
		"--nonsense",
		"-x",
		"-tx",
		"--timeou 5",
		"--timeout=",
		"--timeout 5x",
		"--timeout -1",
		"--grace 1m30",
		"--unshare",
		"--unshare=",
		"--unshare nets",
		"--unshare net,",
		"--share foo",
		"--propagation no",
		"--map you",
		"--uid-map 0:0",
		"--uid-map 0:0:0",
		"--gid-map a:0:1",
		"--uid-map 0:0:1 --map root",
		"--map root --gid-map 0:0:1",
		"--proc new",
		"--fallback box",
		"--proc-subset sys",
		"--first-pid 0",
		"--first-pid 4194305",
		"--pid-max x",
		"--on-exit die",
		"--stop-signal FOO",
		"--stop-signal 65",
		"--stop-signal 0",
		"--signal-map TERM",
		"--signal-map KILL=TERM",
		"--time-offset 5",
		"--time-offset monotonic",
		"--time-offset monotonic=x",
		"--time-offset boottime=1,",
		"--time-offset realtime=1",
		"-e =x",
		"-e=x",
		"--unset-env A=B",
		"--keep-fd x",
		"--keep-fd -1",
		"--hold-fd=",
		"--events 5",
		"--events fd:",
		"--events fd:x",
		"--report fd:x",
		"--report=",
		"--replace",
		"--log out",
		"-d --replace",
		"-d --tty",
		"-d --as-pid1",
		"-d --report -",
		"-d --report fd:2",
		"-d --events fd:1",
		"--as-pid1 --on-exit term",
		"--as-pid1 --on-exit kill",
		"---t",
		"--=x",
		"--leak-grace x",
		"--cpu-time 1y",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		refused(words[i]);
}

/* What unshare(1), bwrap(1), docker-run(1), env(1), timeout(1) and tini call it: the error names ours. */
static void test_elsewhere(void)
{
	static const struct {
		const char *theirs, *ours;
	} known[] = {
		{ "--fork", "process of its own" },
		{ "-f", "process of its own" },
		{ "--pid", "PID namespace" },
		{ "-p", "PID namespace" },
		{ "--mount-proc", "--proc" },
		{ "--mount-proc=/x", "--proc" },
		{ "--net", "--unshare net" },
		{ "-n", "--unshare net" },
		{ "--unshare-net", "--unshare net" },
		{ "-U", "--unshare user" },
		{ "--unshare-all", "--unshare all" },
		{ "-r", "--map root" },
		{ "--map-root-user", "--map root" },
		{ "--map-current-user", "--map me" },
		{ "-c", "--map me" },
		{ "--map-auto", "--map auto" },
		{ "--map-users=0,0,1", "--uid-map" },
		{ "--monotonic", "--time-offset" },
		{ "--boottime", "--time-offset" },
		{ "--kill-child", "nothing outlives" },
		{ "--die-with-parent", "nothing outlives" },
		{ "--rm", "nothing" },
		{ "--init", "init is the default" },
		{ "--as-pid-1", "--as-pid1" },
		{ "--wd", "--chdir" },
		{ "-w", "--chdir" },
		{ "--workdir=/", "--chdir" },
		{ "--setenv", "--env" },
		{ "--unsetenv", "--unset-env" },
		{ "--clearenv", "--clear-env" },
		{ "--ignore-environment", "--clear-env" },
		{ "--block-fd", "--hold-fd" },
		{ "--json-status-fd", "--events" },
		{ "--kill-after", "--grace" },
		{ "-k", "--grace" },
		{ "--signal", "--stop-signal" },
		{ "-s", "--stop-signal" },
		{ "--setuid", "--user" },
		{ "-S", "--user" },
		{ "-u", "--user" },
		{ "--reuid", "--user" },
		{ "--regid", "--user" },
		{ "--clear-groups", "--user" },
		{ "--init-groups", "--user" },
		{ "--setsid", "--tty" },
		{ "--ctty", "--tty" },
		{ "--pty", "--tty" },
		{ "--cidfile", "--events" },
		{ "--pidfile", "--report" },
		{ "--share-net", "is the default" },
		{ "-r 15:3", "--signal-map" },
		{ "--proc /proc", "--proc fresh" },
		/* of pidbox, but not yet */
		{ "--tmpfs", "not in this version" },
		{ "--overlay", "not in this version" },
		{ "--read-only", "not in this version" },
		{ "--private-tmp", "not in this version" },
		{ "--dev", "not in this version" },
		{ "--memory", "not in this version" },
		{ "--pids", "not in this version" },
		{ "--cpus", "not in this version" },
		{ "--rlimit", "not in this version" },
		{ "--cap-drop", "not in this version" },
		{ "--cap-add", "not in this version" },
		{ "--no-new-privs", "not in this version" },
		{ "--seccomp", "not in this version" },
		{ "--landlock", "not in this version" },
		{ "--sandbox", "not in this version" },
		/* misspelt */
		{ "--hostnam", "did you mean --hostname?" },
		{ "--hostnaem=x", "did you mean --hostname?" },
		{ "--time-out", "did you mean --timeout?" },
		{ "--close_fds", "did you mean --close-fds?" },
		{ "--enf", "did you mean --env?" },
		{ "--xyz", "lists the options" },
		{ "--0123456789012345678901234567890123456789", "lists the options" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct pidbox_options *opts;
		struct pidbox_error err = { 0 };
		struct args a;

		split(&a, known[i].theirs);
		ok(pidbox_options_parse(a.argc, a.argv, &opts, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE &&
			   strstr(err.fix, known[i].ours) != NULL,
		   "%s: %s", known[i].theirs, err.fix);
	}
	/* none of them has become ours meanwhile, or half of one */
	for (size_t i = 0; i < option_table_count; i++) {
		char name[40], letter[] = { '-', option_table[i].letter, '\0' };

		snprintf(name, sizeof(name), "--%s", option_table[i].name);
		ok(option_elsewhere(name) == NULL && option_elsewhere(letter) == NULL, "%s is our own", name);
	}
	ok(option_elsewhere("--timeout") == NULL && option_elsewhere("--pi") == NULL && option_elsewhere("") == NULL,
	   "what nobody calls anything");
}

/* ------------------------------------------------------------ contradictions */

#define TEN       "1234567890"
#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	const char *name;
	bool fine;
	struct pidbox_spec spec;
} checks[] = {
	{ "--share mount --proc keep", true, { .share = PIDBOX_NS_MOUNT, .proc = PIDBOX_PROC_KEEP } },
	{ "--share mount", false, { .share = PIDBOX_NS_MOUNT } },
	{ "--share mount --proc auto", false, { .share = PIDBOX_NS_MOUNT, .proc = PIDBOX_PROC_AUTO } },
	{ "--share mount --proc none", false, { .share = PIDBOX_NS_MOUNT, .proc = PIDBOX_PROC_NONE } },
	{ "--share mount --propagation private",
	  false,
	  { .share = PIDBOX_NS_MOUNT, .proc = PIDBOX_PROC_KEEP, .propagation = PIDBOX_PROPAGATION_PRIVATE } },
	{ "--share pid", false, { .share = PIDBOX_NS_PID } },
	{ "--share net", false, { .share = PIDBOX_NS_NET } },
	{ "--share user", false, { .share = PIDBOX_NS_USER } },
	{ "--share uts --unshare uts", false, { .share = PIDBOX_NS_UTS, .unshare = PIDBOX_NS_UTS } },
	{ "--share uts --hostname", false, { .share = PIDBOX_NS_UTS, .hostname = "x" } },
	{ "a name", true, { .name = "a-1_.Z", .reachable = PIDBOX_REACHABLE } },
	{ "a name of 64 bytes",
	  true,
	  { .name = "a" TEN TEN TEN TEN TEN TEN "123", .reachable = PIDBOX_REACHABLE_KEPT } },
	{ "a name of 65 bytes", false, { .name = "a" LONG_NAME, .reachable = PIDBOX_REACHABLE } },
	{ "a name that begins with a digit", false, { .name = "1a", .reachable = PIDBOX_REACHABLE } },
	{ "an empty name", false, { .name = "", .reachable = PIDBOX_REACHABLE } },
	{ "a name with a slash", false, { .name = "a/b", .reachable = PIDBOX_REACHABLE } },
	{ "a name in the record alone", true, { .name = "a/b" } },
	{ "--replace without a name", false, { .replace = true, .reachable = PIDBOX_REACHABLE } },
	{ "a kept record without a name", false, { .reachable = PIDBOX_REACHABLE_KEPT } },
	{ "--idle --tty", false, { .idle = true, .tty = true } },
	{ "--idle --as-pid1", false, { .idle = true, .as_pid1 = true } },
	{ "--hostname of 64 bytes", true, { .hostname = LONG_NAME } },
	{ "--hostname of 65 bytes", false, { .hostname = LONG_NAME "4" } }, /* __NEW_UTS_LEN, uname(2) */
	{ "an empty --hostname", false, { .hostname = "" } },
	{ "a --hostname of two lines", false, { .hostname = "a\nb" } },
	{ "a --hostname with an escape sequence", false, { .hostname = "a\033[1m" } },
	{ "a --hostname with DEL", false, { .hostname = "a\177" } },
	{ "a --hostname in UTF-8", true, { .hostname = "b\303\244r" } },
	{ "--proc-hidepid --proc keep", false, { .proc_hidepid = "2", .proc = PIDBOX_PROC_KEEP } },
	{ "--proc-subset --proc none", false, { .proc_subset_pid = true, .proc = PIDBOX_PROC_NONE } },
	{ "--proc-hidepid --proc auto", true, { .proc_hidepid = "ptraceable", .proc = PIDBOX_PROC_AUTO } },
	{ "--proc-hidepid 3", false, { .proc_hidepid = "3" } },
	{ "--proc-hidepid 1,gid=0", false, { .proc_hidepid = "1,gid=0" } },
	{ "--as-pid1 --on-exit wait", false, { .as_pid1 = true, .on_exit = PIDBOX_ON_EXIT_WAIT } },
	{ "--as-pid1 --fail-on-leak", false, { .as_pid1 = true, .fail_on_leak = true } },
	{ "--as-pid1 --first-pid", false, { .as_pid1 = true, .first_pid = 10 } },
	{ "--as-pid1 --timeout", true, { .as_pid1 = true, .timeout_us = 1 } },
	{ "--pid-max 300", false, { .pid_max = 300 } },
	{ "--pid-max 301", true, { .pid_max = 301 } },
	{ "--pid-max 4194304", true, { .pid_max = 4194304 } },
	{ "--pid-max 4194305", false, { .pid_max = 4194305 } },
	{ "--first-pid 1", false, { .first_pid = 1 } },
	{ "--first-pid 2", true, { .first_pid = 2 } },
	{ "--first-pid 4194304", false, { .first_pid = 4194304 } },
	{ "--first-pid 400 --pid-max 400", false, { .first_pid = 400, .pid_max = 400 } },
	{ "--stop-signal 65", false, { .stop_signal = 65 } },
	{ "--stop-signal -1", false, { .stop_signal = -1 } },
	{ "a negative grace", false, { .has_grace = true, .grace_us = -1 } },
	{ "a negative timeout", false, { .timeout_us = -1 } },
	{ "a negative CPU time", false, { .cpu_time_us = -1 } },
	{ "a negative leak grace", false, { .has_leak_grace = true, .leak_grace_us = -1 } },
	{ "a time offset of 1e9 ns", false, { .has_boottime = true, .boottime = { 0, 1000000000 } } },
	{ "more ranges than a map takes here", false, { .map = PIDBOX_MAP_EXACT, .n_uid_maps = PLAN_MAX_RANGES + 1 } },
	{ "more descriptors than are kept", false, { .n_keep_fds = WIRE_MAX_KEEP + 1 } },
	/* what no enum has would be read past the end of a table */
	{ "no such propagation", false, { .propagation = (enum pidbox_propagation)9 } },
	{ "no such map", false, { .map = (enum pidbox_map)9 } },
	{ "no such /proc", false, { .proc = (enum pidbox_proc)9 } },
	{ "no such end", false, { .on_exit = (enum pidbox_on_exit)9 } },
	{ "no such kind", false, { .unshare = 1 << 20 } },
};

static void test_checks(void)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const struct pidbox_spec spec = with_defaults(checks[i].spec);
		struct pidbox_error err = { 0 };
		int r = spec_check(&spec, &err);

		if (checks[i].fine)
			ok(r == 0, "%s is fine", checks[i].name);
		else
			ok(r == -EINVAL && err.code == PIDBOX_CODE_USAGE && err.exit_status == PIDBOX_EXIT_FAILED &&
				   err.what[0] && err.why[0] && err.fix[0] &&
				   strstr(err.fix, "one or the other") == NULL,
			   "%s is a usage error: %s; %s", checks[i].name, err.why, err.fix);
	}
}

/* A spec of an older or a newer header. */
static void test_sizes(void)
{
	struct {
		struct pidbox_spec spec;
		char more[16];
	} newer = { .spec = with_defaults((struct pidbox_spec){ .timeout_us = 5, .front_forwards = true }) };
	struct pidbox_spec got = { .timeout_us = 77 };
	struct pidbox_error err;

	ok(spec_take(NULL, &got, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE && got.timeout_us == 77, "no spec");
	newer.spec.size = 0;
	ok(spec_take(&newer.spec, &got, &err) == -EINVAL && got.timeout_us == 77, "a size of 0");
	newer.spec.size = sizeof(newer);
	ok(spec_take(&newer.spec, &got, &err) == 0 && got.timeout_us == 5 && got.size == sizeof(got),
	   "newer, with nothing new");
	newer.more[15] = 1;
	got.timeout_us = 77;
	ok(spec_take(&newer.spec, &got, &err) == -EINVAL && got.timeout_us == 77, "newer, with something new");
	newer.spec.size = offsetof(struct pidbox_spec, timeout_us);
	ok(spec_take(&newer.spec, &got, NULL) == -EINVAL && got.timeout_us == 77, "smaller than the first version's");
}

int main(void)
{
	test_rows();
	test_pairs();
	test_table();
	test_ends();
	test_repeated();
	test_refused();
	test_elsewhere();
	test_checks();
	test_sizes();
	return tap_end();
}
