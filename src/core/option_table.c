/* SPDX-License-Identifier: MIT */
#include "core/options.h"

#include "base/err.h"
#include "base/parse.h"
#include "base/util.h"
#include "kern/ns.h"
#include "kern/sig.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------ helpers */

#define usage(s, ...) err_set((s)->err, 0, PIDBOX_CODE_USAGE, __VA_ARGS__)

/* Grow a list by one. @return its new last entry, NULL when out of memory */
static void *append(void **list, size_t n, size_t size)
{
	char *grown = reallocarray(*list, n + 2, size); /* one more for the NULL that ends lists of strings */

	if (grown == NULL)
		return NULL;
	*list = grown;
	memset(grown + n * size, 0, 2 * size);
	return grown + n * size;
}

struct word {
	const char *word;
	int value;
};

static int one_of(const struct word *words, size_t n, const char *value, int *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i].word, value) == 0) {
			*ret = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

static int duration(struct pidbox_options *s, const char *option, const char *value, int64_t *ret)
{
	int r = parse_duration(value, ret);

	if (r == -ERANGE) {
		(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is too long", option, value);
		err_fix(s->err, "give at most 106751991d (2^63-1 microseconds)");
	} else if (r < 0) {
		(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is not a duration", option, value);
		err_fix(s->err, "durations are 500us, 500ms, 2s, 1.5s, 1m30s, 1h, 1d; a bare number is seconds");
	}
	return r < 0 ? -EINVAL : 0;
}

static int signal_number(struct pidbox_options *s, const char *option, const char *value)
{
	int sig = sig_parse(value);

	if (sig > 0)
		return sig;
	(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is not a signal", option, value);
	err_fix(s->err, "give a name (TERM, RTMIN+1) or a number (1 to 64)");
	return -EINVAL;
}

static int descriptor(struct pidbox_options *s, const char *option, const char *value, int *ret)
{
	if (parse_fd(value, ret) == 0)
		return 0;
	(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is not the number of a descriptor", option, value);
	err_fix(s->err, "open one in the shell, for example 3>FILE, and give its number");
	return -EINVAL;
}

static int out_of_memory(struct pidbox_options *s)
{
	return err_no_memory(s->err, "reading the options");
}

/* ------------------------------------------------------------ namespaces and identity */

static int kinds(struct pidbox_options *s, const char *option, const char *value, uint32_t *bits)
{
	uint32_t set;

	if (ns_parse_list(value, &set, NULL) < 0) {
		(void)err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is not a list of namespace kinds", option,
			      value);
		err_fix(s->err, "kinds are user, pid, mount, uts, ipc, net, cgroup, time and all, with commas between");
		return -EINVAL;
	}
	*bits |= set;
	return 0;
}

/* "all" is what --share leaves of it; a kind that is named is in both by mistake. */
static int set_unshare(struct pidbox_options *s, const char *value)
{
	for (const char *p = value;; p++) {
		int len = (int)strcspn(p, ",");
		char word[16]; /* longer than each of them */
		int r = 0;

		(void)snprintf(word, sizeof(word), "%.*s", len, p);
		if (strcmp(word, "all") == 0)
			s->unshare_all = PIDBOX_NS_ALL;
		else
			r = kinds(s, "--unshare", word, &s->spec.unshare);
		p += len;
		if (r < 0 || *p == '\0')
			return r;
	}
}

static int set_share(struct pidbox_options *s, const char *value)
{
	return kinds(s, "--share", value, &s->spec.share);
}

static int set_propagation(struct pidbox_options *s, const char *value)
{
	static const struct word words[] = {
		{ "slave", PIDBOX_PROPAGATION_SLAVE },
		{ "private", PIDBOX_PROPAGATION_PRIVATE },
		{ "shared", PIDBOX_PROPAGATION_SHARED },
		{ "unchanged", PIDBOX_PROPAGATION_UNCHANGED },
	};
	int n = 0;

	if (one_of(words, ARRAY_LEN(words), value, &n) < 0)
		return usage(s, "--propagation takes slave, private, shared or unchanged, not \"%s\"", value);
	s->spec.propagation = (enum pidbox_propagation)n;
	return 0;
}

static int set_map(struct pidbox_options *s, const char *value)
{
	static const struct word words[] = {
		{ "me", PIDBOX_MAP_ME },
		{ "root", PIDBOX_MAP_ROOT },
		{ "auto", PIDBOX_MAP_AUTO },
	};
	int n = 0;

	if (one_of(words, ARRAY_LEN(words), value, &n) < 0)
		return usage(s, "--map takes me, root or auto, not \"%s\"", value);
	s->has_map = true;
	s->spec.map = (enum pidbox_map)n;
	return 0;
}

static int add_range(struct pidbox_options *s, const char *option, const char *value, struct pidbox_idrange **list,
		     size_t *n)
{
	struct pidbox_idrange range, *at;

	if (parse_idrange(value, &range) < 0)
		return err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is not INSIDE:OUTSIDE:COUNT", option, value);
	at = append((void **)list, *n, sizeof(range));
	if (at == NULL)
		return out_of_memory(s);
	*at = range;
	(*n)++;
	s->spec.map = PIDBOX_MAP_EXACT;
	return 0;
}

static int add_uid_map(struct pidbox_options *s, const char *value)
{
	return add_range(s, "--uid-map", value, &s->uid_maps, &s->spec.n_uid_maps);
}

static int add_gid_map(struct pidbox_options *s, const char *value)
{
	return add_range(s, "--gid-map", value, &s->gid_maps, &s->spec.n_gid_maps);
}

static int set_time_offset(struct pidbox_options *s, const char *value)
{
	struct pidbox_spec *spec = &s->spec;
	char part[64];

	for (const char *p = value;; p++) {
		size_t len = strcspn(p, ",");
		bool mono = strncmp(p, "monotonic=", 10) == 0, boot = strncmp(p, "boottime=", 9) == 0;
		size_t skip = mono ? 10 : 9;

		if ((!mono && !boot) || len - skip >= sizeof(part))
			return usage(s, "--time-offset takes monotonic=SECONDS,boottime=SECONDS, not \"%s\"", value);
		memcpy(part, p + skip, len - skip);
		part[len - skip] = '\0';
		if (parse_time_offset(part, mono ? &spec->monotonic : &spec->boottime) < 0)
			return usage(s, "--time-offset: \"%s\" is not a number of seconds", part);
		spec->has_monotonic |= mono;
		spec->has_boottime |= boot;
		p += len;
		if (*p == '\0')
			return 0;
	}
}

/* ------------------------------------------------------------ /proc */

static int set_proc(struct pidbox_options *s, const char *value)
{
	static const struct word words[] = {
		{ "fresh", PIDBOX_PROC_FRESH },
		{ "auto", PIDBOX_PROC_AUTO },
		{ "keep", PIDBOX_PROC_KEEP },
		{ "none", PIDBOX_PROC_NONE },
	};
	int n = 0;

	if (one_of(words, ARRAY_LEN(words), value, &n) < 0) {
		(void)usage(s, "--proc takes fresh, auto, keep or none, not \"%s\"", value);
		if (strcmp(value, "/proc") == 0) /* bwrap's */
			err_fix(s->err, "use --proc fresh, which is the default");
		return -EINVAL;
	}
	s->spec.proc = (enum pidbox_proc)n;
	return 0;
}

static int set_proc_subset(struct pidbox_options *s, const char *value)
{
	if (strcmp(value, "pid") != 0)
		return usage(s, "--proc-subset takes pid, not \"%s\"", value);
	s->spec.proc_subset_pid = true;
	return 0;
}

static int set_number(struct pidbox_options *s, const char *option, const char *value, uint32_t *ret)
{
	if (parse_u32(value, 1, 4194304, ret) < 0)
		return err_set(s->err, 0, PIDBOX_CODE_USAGE, "%s: \"%s\" is not a PID (1 to 4194304)", option, value);
	return 0;
}

static int set_first_pid(struct pidbox_options *s, const char *value)
{
	return set_number(s, "--first-pid", value, &s->spec.first_pid);
}

static int set_pid_max(struct pidbox_options *s, const char *value)
{
	return set_number(s, "--pid-max", value, &s->spec.pid_max);
}

/* ------------------------------------------------------------ the end */

static int set_on_exit(struct pidbox_options *s, const char *value)
{
	static const struct word words[] = {
		{ "kill", PIDBOX_ON_EXIT_KILL },
		{ "term", PIDBOX_ON_EXIT_TERM },
		{ "wait", PIDBOX_ON_EXIT_WAIT },
	};
	int n = 0;

	if (one_of(words, ARRAY_LEN(words), value, &n) < 0)
		return usage(s, "--on-exit takes kill, term or wait, not \"%s\"", value);
	s->has_on_exit = true;
	s->spec.on_exit = (enum pidbox_on_exit)n;
	return 0;
}

static int set_stop_signal(struct pidbox_options *s, const char *value)
{
	int sig = signal_number(s, "--stop-signal", value);

	if (sig > 0)
		s->spec.stop_signal = sig;
	return sig > 0 ? 0 : sig;
}

static int set_signal_map(struct pidbox_options *s, const char *value)
{
	struct pidbox_sigmap rows[SIG_MAX];
	size_t n = 0;

	if (sig_parse_map(value, rows, ARRAY_LEN(rows), &n) < 0) {
		(void)usage(s, "--signal-map: \"%s\" cannot be used", value);
		err_fix(s->err, "write TERM=QUIT,HUP= (HUP is dropped); KILL and STOP cannot be changed");
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		struct pidbox_sigmap *at =
			append((void **)&s->signal_map, s->spec.n_signal_map, sizeof(*s->signal_map));

		if (at == NULL)
			return out_of_memory(s);
		*at = rows[i];
		s->spec.n_signal_map++;
	}
	return 0;
}

static int set_grace(struct pidbox_options *s, const char *value)
{
	s->spec.has_grace = true;
	return duration(s, "--grace", value, &s->spec.grace_us);
}

static int set_timeout(struct pidbox_options *s, const char *value)
{
	return duration(s, "--timeout", value, &s->spec.timeout_us);
}

static int set_cpu_time(struct pidbox_options *s, const char *value)
{
	return duration(s, "--cpu-time", value, &s->spec.cpu_time_us);
}

static int set_leak_grace(struct pidbox_options *s, const char *value)
{
	s->spec.has_leak_grace = true;
	return duration(s, "--leak-grace", value, &s->spec.leak_grace_us);
}

/* ------------------------------------------------------------ the command's world */

static int add_env(struct pidbox_options *s, const char *value)
{
	const char **at;

	if (!parse_env_name_ok(value, strcspn(value, "=")))
		return usage(s, "--env takes NAME=VALUE or NAME, not \"%s\"", value);
	at = append((void **)&s->set_env, s->n_set_env, sizeof(*at));
	if (at == NULL)
		return out_of_memory(s);
	*at = value;
	s->n_set_env++;
	return 0;
}

static int add_unset_env(struct pidbox_options *s, const char *value)
{
	const char **at;

	if (!parse_env_name_ok(value, strlen(value)))
		return usage(s, "--unset-env takes a NAME, not \"%s\"", value);
	at = append((void **)&s->unset_env, s->n_unset_env, sizeof(*at));
	if (at == NULL)
		return out_of_memory(s);
	*at = value;
	s->n_unset_env++;
	return 0;
}

static int add_keep_fd(struct pidbox_options *s, const char *value)
{
	int fd, *at;

	if (descriptor(s, "--keep-fd", value, &fd) < 0)
		return -EINVAL;
	at = append((void **)&s->keep_fds, s->spec.n_keep_fds, sizeof(*at));
	if (at == NULL)
		return out_of_memory(s);
	*at = fd;
	s->spec.n_keep_fds++;
	return 0;
}

static int set_hold_fd(struct pidbox_options *s, const char *value)
{
	s->spec.hold = true;
	return descriptor(s, "--hold-fd", value, &s->hold_fd);
}

static int set_events(struct pidbox_options *s, const char *value)
{
	if (strncmp(value, "fd:", 3) != 0) {
		(void)usage(s, "--events takes fd:N, not \"%s\"", value);
		err_fix(s->err, "open it in the shell: --events fd:3 ... 3>FILE");
		return -EINVAL;
	}
	return descriptor(s, "--events", value + 3, &s->events_fd);
}

static int set_report(struct pidbox_options *s, const char *value)
{
	int fd;

	if (value[0] == '\0') {
		(void)usage(s, "--report takes a file, fd:N or -, not \"\"");
		err_fix(s->err, "name a file, or a descriptor that is open; - is standard error");
		return -EINVAL;
	}
	if (strncmp(value, "fd:", 3) == 0 && descriptor(s, "--report", value + 3, &fd) < 0)
		return -EINVAL;
	s->report = value;
	return 0;
}

/* What --report takes besides a file would be the caller's, who is not there any more. */
static int set_log(struct pidbox_options *s, const char *value)
{
	if (value[0] == '\0' || strcmp(value, "-") == 0 || strncmp(value, "fd:", 3) == 0) {
		(void)usage(s, "--log takes a file, not \"%s\"", value);
		err_fix(s->err, "name a file, %s",
			value[0] == '\0' ? "or leave it out: the output goes to /dev/null"
					 : "also by its path: what is called so is ./- or ./fd:N");
		return -EINVAL;
	}
	s->log = value;
	return 0;
}

static int set_fallback(struct pidbox_options *s, const char *value)
{
	s->fallback = strcmp(value, "subreaper") == 0;
	if (s->fallback)
		return 0;
	(void)usage(s, "--fallback: \"%s\" is nothing to fall back to", value);
	err_fix(s->err, "what there is without namespaces is --fallback subreaper");
	return -EINVAL;
}

static int ignore(struct pidbox_options *s, const char *value)
{
	(void)s;
	(void)value;
	return 0;
}

/* ------------------------------------------------------------ the table */

#define AT(member) offsetof(struct pidbox_options, member)

const struct option option_table[] = {
	{ "The box", 0, "name", "NAME", "name it, for pidbox ls, exec, kill, wait", 0, AT(spec.name), NULL },
	{ "The box", 0, "replace", NULL, "end a live box of that name first", AT(spec.replace), 0, NULL },
	{ "The box", 'd', "detach", NULL, "go on in the background, and print the name", AT(detach), 0, NULL },
	{ "The box", 0, "log", "FILE", "with -d: where the output is appended (default /dev/null)", 0, 0, set_log },
	{ "The box", 0, "idle", NULL, "no command: the init alone, until it is ended", AT(spec.idle), 0, NULL },
	{ "Namespaces", 0, "unshare", "KIND,...", "also new: net, user, cgroup, time (all)", 0, 0, set_unshare },
	{ "Namespaces", 0, "share", "KIND,...", "keep the caller's: uts, ipc, mount (with --proc keep)", 0, 0,
	  set_share },
	{ "Namespaces", 0, "hostname", "NAME", "host name inside", 0, AT(spec.hostname), NULL },
	{ "Namespaces", 0, "propagation", "HOW", "of mounts: slave (default), private, shared, unchanged", 0, 0,
	  set_propagation },
	{ "Namespaces", 0, "map", "HOW", "rootless identity: me (default), root, auto (subordinate ids)", 0, 0,
	  set_map },
	{ "Namespaces", 0, "uid-map", "IN:OUT:COUNT", "exact map of uids (may be repeated)", 0, 0, add_uid_map },
	{ "Namespaces", 0, "gid-map", "IN:OUT:COUNT", "exact map of gids (may be repeated)", 0, 0, add_gid_map },
	{ "Namespaces", 0, "time-offset", "CLOCK=S,...", "clocks inside: monotonic=S, boottime=S", 0, 0,
	  set_time_offset },
	{ "Namespaces", 0, "fallback", "subreaper", "where none can be had: run it under a subreaper", 0, 0,
	  set_fallback },
	{ "/proc and PIDs", 0, "proc", "HOW", "fresh (default), auto, keep, none", 0, 0, set_proc },
	{ "/proc and PIDs", 0, "proc-hidepid", "HOW", "off, noaccess, invisible, ptraceable", 0, AT(spec.proc_hidepid),
	  NULL },
	{ "/proc and PIDs", 0, "proc-subset", "pid", "only the processes, no other files", 0, 0, set_proc_subset },
	{ "/proc and PIDs", 0, "first-pid", "N", "PID of the command", 0, 0, set_first_pid },
	{ "/proc and PIDs", 0, "pid-max", "N", "highest PID inside (301 to the outer limit; Linux 6.14)", 0, 0,
	  set_pid_max },
	{ "/proc and PIDs", 0, "as-pid1", NULL, "the command itself is PID 1, without an init", AT(spec.as_pid1), 0,
	  NULL },
	{ "The end", 0, "on-exit", "HOW", "what outlives the command: kill (default), term, wait", 0, 0, set_on_exit },
	{ "The end", 0, "stop-signal", "SIG", "how the box is asked to end (default TERM)", 0, 0, set_stop_signal },
	{ "The end", 0, "grace", "D", "from the stop signal to SIGKILL (default 10s)", 0, 0, set_grace },
	{ "The end", 0, "timeout", "D", "end the box after D of wall clock; 0: no limit", 0, 0, set_timeout },
	{ "The end", 0, "cpu-time", "D", "end the box after D of CPU time of all its processes; 0: no limit", 0, 0,
	  set_cpu_time },
	{ "The end", 0, "signal-map", "A=B,...", "signal A arrives as B; A= drops it", 0, 0, set_signal_map },
	{ "The end", 0, "fail-on-leak", NULL, "status 123 when anything outlived a successful command",
	  AT(spec.fail_on_leak), 0, NULL },
	{ "The end", 0, "leak-grace", "D", "what outlives the command by D is a leak (default 100ms)", 0, 0,
	  set_leak_grace },
	{ "The command's world", 'C', "chdir", "DIR", "directory inside", 0, AT(spec.chdir), NULL },
	{ "The command's world", 'e', "env", "NAME[=VALUE]", "set; without VALUE keep under --clear-env", 0, 0,
	  add_env },
	{ "The command's world", 0, "unset-env", "NAME", "take out of the environment", 0, 0, add_unset_env },
	{ "The command's world", 0, "clear-env", NULL, "start with an empty environment", AT(spec.clear_env), 0, NULL },
	{ "The command's world", 0, "user", "U[:G]", "run as this user", 0, AT(spec.user), NULL },
	{ "The command's world", 0, "close-fds", NULL, "close descriptors above 2", AT(close_fds), 0, NULL },
	{ "The command's world", 0, "keep-fd", "N", "keep this one open (may be repeated)", 0, 0, add_keep_fd },
	{ "The command's world", 0, "hold-fd", "N", "start the command when a byte arrives on N", 0, 0, set_hold_fd },
	{ "The command's world", 't', "tty", NULL, "a terminal of its own", AT(spec.tty), 0, NULL },
	{ "The command's world", 'i', "interactive", NULL, "accepted, changes nothing", 0, 0, ignore },
	{ "What it tells", 0, "report", "FILE|fd:N|-", "at the end, the record as JSON", 0, 0, set_report },
	{ "What it tells", 0, "summary", NULL, "at the end, a short text on standard error", AT(summary), 0, NULL },
	{ "What it tells", 0, "events", "fd:N", "JSON lines as things happen", 0, 0, set_events },
	{ "What it tells", 0, "dry-run", NULL, "print the plan and do nothing", AT(dry_run), 0, NULL },
	{ "What it tells", 0, "explain", NULL, "narrate each step on standard error", AT(explain), 0, NULL },
	{ "What it tells", 0, "timing", NULL, "microseconds per step at the end", AT(spec.timing), 0, NULL },
	{ "What it tells", 'h', "help", NULL, "print this help", AT(help), 0, NULL },
};
const size_t option_table_count = ARRAY_LEN(option_table);
