/* SPDX-License-Identifier: MIT */
/* --dry-run: the command lines of unshare(1) and bwrap(1) that set up about the same, where there are any. */
#include "cli/cli.h"

#include <string.h>

enum tool { UNSHARE, BWRAP, TOOLS };

/* What the tools call a new namespace of each kind. bwrap makes a mount namespace always, a time namespace never. */
static const struct {
	const char *flag, *words[TOOLS];
} kinds[] = {
	{ "CLONE_NEWUSER", { "--user", "--unshare-user" } },
	{ "CLONE_NEWPID", { "--pid", "--unshare-pid" } },
	{ "CLONE_NEWNS", { "--mount", "" } },
	{ "CLONE_NEWUTS", { "--uts", "--unshare-uts" } },
	{ "CLONE_NEWIPC", { "--ipc", "--unshare-ipc" } },
	{ "CLONE_NEWNET", { "--net", "--unshare-net" } },
	{ "CLONE_NEWCGROUP", { "--cgroup", "--unshare-cgroup" } },
	{ "CLONE_NEWTIME", { "--time", "" } },
};

/* Steps that a tool cannot do are named. Those that only say how pidbox does it are no loss. */
static const struct {
	const char *step;
	bool lost[TOOLS];
} losses[] = {
	{ "claim", { true, true } },     { "open-tty", { true, true } },  { "loopback", { true, false } },
	{ "hostname", { true, false } }, { "hide-proc", { true, true } }, { "pid-max", { true, true } },
	{ "first-pid", { true, true } }, { "user", { true, true } },      { "close-fds", { true, true } },
};

/* A word as the shell takes it. */
static void put_word(FILE *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
		(void)fprintf(out, " %s", word);
		return;
	}
	(void)fputs(" '", out);
	for (; *word != '\0'; word++)
		if (*word == '\'')
			(void)fputs("'\\''", out);
		else
			(void)fputc(*word, out);
	(void)fputc('\'', out);
}

static void put_option(FILE *out, const char *option, const char *value)
{
	if (value == NULL)
		return;
	(void)fprintf(out, " %s", option);
	put_word(out, value);
}

static void put_clocks(FILE *out, const struct pidbox_spec *s)
{
	if (s->has_monotonic)
		(void)fprintf(out, " --monotonic %lld", (long long)s->monotonic.seconds);
	if (s->has_boottime)
		(void)fprintf(out, " --boottime %lld", (long long)s->boottime.seconds);
}

/* ------------------------------------------------------------ what holds while it runs */

enum { LIMIT_OPTIONS = 7 };

/* Of these options the tools have none; our init, which runs under unshare as well, has those of which it knows. */
struct limit {
	const char *option;
	bool given, of_init;
};

static void list_limits(const struct pidbox_spec *s, struct limit ret[LIMIT_OPTIONS])
{
	const struct limit list[LIMIT_OPTIONS] = {
		{ "timeout", s->timeout_us > 0, true },      { "grace", s->has_grace, true },
		{ "stop-signal", s->stop_signal > 0, true }, { "on-exit", s->on_exit != PIDBOX_ON_EXIT_KILL, true },
		{ "signal-map", s->n_signal_map > 0, true }, { "cpu-time", s->cpu_time_us > 0, false },
		{ "fail-on-leak", s->fail_on_leak, false },
	};

	memcpy(ret, list, sizeof(list));
}

static void put_duration(FILE *out, const char *option, int64_t us)
{
	if (us % 1000 != 0)
		(void)fprintf(out, " %s %lldus", option, (long long)us);
	else if (us % 1000000 != 0)
		(void)fprintf(out, " %s %lldms", option, (long long)(us / 1000));
	else
		(void)fprintf(out, " %s %lld", option, (long long)(us / 1000000));
}

/* sig: 0 is none */
static void put_signal(FILE *out, const char *before, int sig)
{
	char name[16] = "SIG";

	if (sig > 0)
		pidbox_signal_name(sig, name);
	(void)fprintf(out, "%s%s", before, name + strlen("SIG"));
}

static void put_init(FILE *out, const struct pidbox_spec *s)
{
	static const char *const how[] = {
		[PIDBOX_ON_EXIT_KILL] = NULL,
		[PIDBOX_ON_EXIT_TERM] = "term",
		[PIDBOX_ON_EXIT_WAIT] = "wait",
	};

	(void)fputs(" pidbox init", out);
	if (s->timeout_us > 0)
		put_duration(out, "--timeout", s->timeout_us);
	if (s->has_grace)
		put_duration(out, "--grace", s->grace_us);
	if (s->stop_signal > 0)
		put_signal(out, " --stop-signal ", s->stop_signal);
	put_option(out, "--on-exit", how[s->on_exit]);
	for (size_t i = 0; i < s->n_signal_map; i++) {
		put_signal(out, i == 0 ? " --signal-map " : ",", s->signal_map[i].from);
		put_signal(out, "=", s->signal_map[i].to);
	}
	(void)fputs(" --", out);
}

/* By env(1). What is to be kept of the caller's is there when the shell has it. */
static void put_environment(FILE *out, const struct pidbox_spec *s)
{
	static const char *const none[] = { NULL };
	const char *const *set = s->set_env != NULL ? s->set_env : none;
	const char *const *unset = s->unset_env != NULL && !s->clear_env ? s->unset_env : none;

	if (s->clear_env || set[0] != NULL || unset[0] != NULL)
		(void)fputs(s->clear_env ? " env -i" : " env", out);
	for (; *unset != NULL; unset++)
		put_option(out, "-u", *unset);
	for (; *set != NULL; set++)
		if (strchr(*set, '=') != NULL)
			put_word(out, *set);
		else if (s->clear_env)
			(void)fprintf(out, " ${%s+\"%s=$%s\"}", *set, *set, *set);
}

/* ------------------------------------------------------------ the tools */

static void put_unshare(FILE *out, const struct pidbox_spec *s, bool user_ns, bool proc)
{
	static const char *const propagation[] = {
		[PIDBOX_PROPAGATION_SLAVE] = "slave",
		[PIDBOX_PROPAGATION_PRIVATE] = "private",
		[PIDBOX_PROPAGATION_SHARED] = "shared",
		[PIDBOX_PROPAGATION_UNCHANGED] = "unchanged",
	};

	(void)fputs(" --fork --kill-child", out);
	if (user_ns)
		(void)fputs(s->map == PIDBOX_MAP_ROOT ? " --map-root-user" : " --map-current-user", out);
	if (!(s->share & PIDBOX_NS_MOUNT))
		put_option(out, "--propagation", propagation[s->propagation]);
	if (proc)
		(void)fputs(" --mount-proc", out);
	put_clocks(out, s);
	put_option(out, "--wd", s->chdir);
	(void)fputs(" --", out);
	if (!s->as_pid1)
		put_init(out, s);
}

static void put_bwrap(FILE *out, const struct pidbox_spec *s, bool proc)
{
	(void)fputs(" --die-with-parent --dev-bind / /", out);
	if (proc)
		(void)fputs(" --proc /proc", out);
	if (s->map == PIDBOX_MAP_ROOT)
		(void)fputs(" --uid 0 --gid 0", out);
	put_option(out, "--hostname", s->hostname);
	put_option(out, "--chdir", s->chdir);
	(void)fputs(s->as_pid1 ? " --as-pid-1 --" : " --", out);
}

static bool has_step(const struct pidbox_plan *plan, const char *name, struct pidbox_step *ret)
{
	for (size_t i = 0; pidbox_plan_step(plan, i, ret) == 0; i++)
		if (strcmp(ret->name, name) == 0)
			return true;
	return false;
}

static const char *put_loss(FILE *out, const char *before, const char *what)
{
	(void)fprintf(out, "%s%s", before, what);
	return ", ";
}

static void put_losses(FILE *out, const struct pidbox_plan *plan, const struct pidbox_spec *s, enum tool tool)
{
	bool has_init = tool == UNSHARE && !s->as_pid1;
	const char *before = "  without: ";
	struct limit limits[LIMIT_OPTIONS];
	struct pidbox_step step;

	list_limits(s, limits);
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		if (losses[i].lost[tool] && has_step(plan, losses[i].step, &step))
			before = put_loss(out, before, losses[i].step);
	for (size_t i = 0; i < LIMIT_OPTIONS; i++)
		if (limits[i].given && !(limits[i].of_init && has_init))
			before = put_loss(out, before, limits[i].option);
	if (strcmp(before, ", ") == 0)
		(void)fputc('\n', out);
}

/* bwrap as root takes capabilities away, and always changes mounts; of maps both know one id. */
static bool can(enum tool tool, const struct pidbox_spec *s, bool user_ns)
{
	if (s->idle || s->map == PIDBOX_MAP_AUTO || s->map == PIDBOX_MAP_EXACT || s->proc_hidepid != NULL ||
	    s->proc_subset_pid)
		return false;
	if (tool == UNSHARE)
		return s->monotonic.nanoseconds == 0 && s->boottime.nanoseconds == 0;
	return user_ns && !(s->share & PIDBOX_NS_MOUNT) && s->propagation == PIDBOX_PROPAGATION_SLAVE;
}

static void put_line(FILE *out, const struct pidbox_plan *plan, const struct pidbox_spec *s, enum tool tool,
		     const char *flags)
{
	bool user_ns = strstr(flags, "CLONE_NEWUSER") != NULL;
	struct pidbox_step step;
	bool proc = has_step(plan, "mount-proc", &step), time_ns = has_step(plan, "time-ns", &step);

	if (!can(tool, s, user_ns) || (time_ns && tool == BWRAP))
		return;
	(void)fprintf(out, "about the same: %s", tool == UNSHARE ? "unshare" : "bwrap");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].words[tool][0] != '\0' &&
		    (strstr(flags, kinds[i].flag) != NULL || (time_ns && strstr(kinds[i].flag, "TIME") != NULL)))
			(void)fprintf(out, " %s", kinds[i].words[tool]);
	if (tool == UNSHARE)
		put_unshare(out, s, user_ns, proc);
	else
		put_bwrap(out, s, proc);
	put_environment(out, s);
	for (size_t i = 0; s->argv != NULL && s->argv[i] != NULL; i++)
		put_word(out, s->argv[i]);
	(void)fputs(s->argv == NULL || s->argv[0] == NULL ? " \"${SHELL:-/bin/sh}\"\n" : "\n", out);
	put_losses(out, plan, s, tool);
}

void words_equivalent(FILE *out, const struct pidbox_plan *plan, const struct pidbox_spec *spec)
{
	struct pidbox_step clone;

	for (enum tool tool = UNSHARE; tool < TOOLS && has_step(plan, "clone", &clone); tool++)
		put_line(out, plan, spec, tool, clone.call);
}
