/* SPDX-License-Identifier: MIT */
/*
 * `pidbox run --fallback subreaper`: where no namespace can be had, this process becomes the init alone
 * (pidbox-init(1)) as a subreaper. What the options ask of the command is done here, what they ask of its end is the
 * init's.
 */
#include "cli/cli.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool fallback_is_for(const struct pidbox_error *err)
{
	switch (err->code) {
	case PIDBOX_CODE_USERNS_DISABLED:
	case PIDBOX_CODE_USERNS_APPARMOR:
	case PIDBOX_CODE_USERNS_SECCOMP:
	case PIDBOX_CODE_NEED_USERNS:
	case PIDBOX_CODE_NS_LIMIT:
		return true;
	default:
		return strcmp(err->step, "clone") == 0 &&
		       (err->errnum == EPERM || err->errnum == ENOSYS || err->errnum == EINVAL);
	}
}

/* What only a box can do. Namespaces themselves are what was refused: those options say nothing here. */
static const char *not_without_a_box(const struct pidbox_options *opts, const struct pidbox_spec *s)
{
	const uint32_t flags = pidbox_options_flags(opts);
	const struct {
		bool asked;
		const char *option;
	} rows[] = {
		{ flags & PIDBOX_OPTION_DETACH, "--detach" },
		{ flags & PIDBOX_OPTION_SUMMARY, "--summary" },
		{ s->name != NULL, "--name" },
		{ s->idle, "--idle" },
		{ s->tty, "--tty" },
		{ s->user != NULL, "--user" },
		{ s->cpu_time_us > 0, "--cpu-time" },
		{ s->fail_on_leak, "--fail-on-leak" },
		{ pidbox_options_hold_fd(opts) >= 0, "--hold-fd" },
		{ pidbox_options_events_fd(opts) >= 0, "--events" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].asked)
			return rows[i].option;
	return NULL;
}

/* ------------------------------------------------------------ the command's world */

/* Under --clear-env the named ones are kept: their texts stay where they are, also when environ has let go of them. */
static int keep_named_only(const struct pidbox_spec *s)
{
	char **old = environ;

	if (clearenv() != 0)
		return -ENOMEM;
	for (; old != NULL && *old != NULL; old++) {
		size_t len = strcspn(*old, "=");

		for (const char *const *named = s->set_env; named != NULL && *named != NULL; named++)
			if (strlen(*named) == len && strncmp(*named, *old, len) == 0 && putenv(*old) != 0)
				return -ENOMEM;
	}
	return 0;
}

static int set_environment(const struct pidbox_spec *s)
{
	if (s->clear_env && keep_named_only(s) < 0)
		return -ENOMEM;
	for (const char *const *name = s->unset_env; name != NULL && *name != NULL; name++)
		(void)unsetenv(*name);
	for (const char *const *entry = s->set_env; entry != NULL && *entry != NULL; entry++)
		if (strchr(*entry, '=') != NULL && putenv((char *)(uintptr_t)*entry) != 0)
			return -ENOMEM;
	return 0;
}

static int set_descriptors(const struct pidbox_spec *s, int report_fd)
{
	int r = 0;

	if (!s->inherit_fds)
		io_close_range(3, ~0u, true);
	for (size_t i = 0; i < s->n_keep_fds && r == 0; i++)
		r = fcntl(s->keep_fds[i], F_SETFD, 0) < 0 ? -errno : 0;
	if (r == 0 && report_fd >= 0)
		r = fcntl(report_fd, F_SETFD, 0) < 0 ? -errno : 0;
	return r;
}

static int set_world(const struct pidbox_spec *s, int report_fd, struct pidbox_error *err)
{
	int r = s->chdir != NULL && chdir(s->chdir) < 0 ? -errno : 0;

	*err = (struct pidbox_error){ .exit_status = PIDBOX_EXIT_FAILED, .fix = "name another directory" };
	(void)snprintf(err->what, sizeof(err->what), "going to the directory %s", s->chdir);
	if (r == 0) {
		(void)snprintf(err->what, sizeof(err->what), "preparing the command");
		(void)snprintf(err->fix, sizeof(err->fix), "name descriptors that are open, and a smaller environment");
		r = set_environment(s);
	}
	if (r == 0)
		r = set_descriptors(s, report_fd);
	err->errnum = -r;
	return r;
}

/* ------------------------------------------------------------ the init's words */

enum { WORDS_MAX = 20 };

struct words {
	char *argv[WORDS_MAX];
	size_t n;
	char texts[8][32];
	size_t n_texts;
	char map[64 * sizeof("64=64,")];
};

static void put(struct words *w, const char *word)
{
	w->argv[w->n++] = (char *)(uintptr_t)word;
}

static char *text_of(struct words *w, const char *before, int64_t n, const char *after)
{
	char *text = w->texts[w->n_texts++];

	(void)snprintf(text, sizeof(w->texts[0]), "%s%lld%s", before, (long long)n, after);
	return text;
}

static void put_signal_map(struct words *w, const struct pidbox_spec *s)
{
	size_t len = 0;

	for (size_t i = 0; i < s->n_signal_map && i < 64; i++) {
		const struct pidbox_sigmap *row = &s->signal_map[i];

		len += (size_t)snprintf(w->map + len, sizeof(w->map) - len,
					row->to != 0 ? "%s%d=%d" : "%s%d=", i > 0 ? "," : "", row->from, row->to);
	}
	if (len > 0) {
		put(w, "--signal-map");
		put(w, w->map);
	}
}

static void make_words(struct words *w, const struct pidbox_spec *s, int report_fd)
{
	static const char *const on_exit[] = {
		[PIDBOX_ON_EXIT_KILL] = "kill",
		[PIDBOX_ON_EXIT_TERM] = "term",
		[PIDBOX_ON_EXIT_WAIT] = "wait",
	};

	put(w, "pidbox-init");
	put(w, "--on-exit");
	put(w, on_exit[s->on_exit]);
	if (s->has_grace) {
		put(w, "--grace");
		put(w, text_of(w, "", s->grace_us, "us"));
	}
	if (s->timeout_us > 0) {
		put(w, "--timeout");
		put(w, text_of(w, "", s->timeout_us, "us"));
	}
	if (s->stop_signal > 0) {
		put(w, "--stop-signal");
		put(w, text_of(w, "", s->stop_signal, ""));
	}
	put_signal_map(w, s);
	if (report_fd >= 0) {
		put(w, "--report");
		put(w, text_of(w, "fd:", report_fd, ""));
	}
	put(w, "--");
}

/* @return with the command behind the init's words; NULL: no memory */
static char **whole_command(const struct words *w, const struct pidbox_spec *s)
{
	static const char *shell[2];
	const char *const *command = s->argv;
	size_t n = 0;
	char **argv;

	if (command == NULL || command[0] == NULL) {
		shell[0] = getenv("SHELL");
		shell[0] = shell[0] != NULL && shell[0][0] != '\0' ? shell[0] : "/bin/sh";
		command = shell;
	}
	while (command[n] != NULL)
		n++;
	argv = calloc(w->n + n + 1, sizeof(*argv));
	if (argv == NULL)
		return NULL;
	memcpy(argv, w->argv, w->n * sizeof(*argv));
	memcpy(argv + w->n, command, n * sizeof(*argv));
	return argv;
}

void fallback_run(const struct pidbox_options *opts, const struct pidbox_spec *s, int report_fd, uint64_t mask,
		  struct pidbox_error *err)
{
	const char *option = not_without_a_box(opts, s);
	struct words words = { .n = 0 };
	char **argv;

	if (option != NULL) {
		*err = (struct pidbox_error){
			.code = PIDBOX_CODE_USAGE,
			.exit_status = PIDBOX_EXIT_FAILED,
			.what = "falling back to a subreaper",
			.fix = "leave it out, or run where namespaces can be had (`pidbox doctor` says what "
			       "refuses them)",
		};
		(void)snprintf(err->why, sizeof(err->why), "%s is something that only a box can do", option);
		return;
	}
	out_note("pidbox: warning: %s: %s; the command runs under a subreaper, in the PID namespace that is here\n",
		 err->what, strerror(err->errnum));
	if (set_world(s, report_fd, err) < 0)
		return;
	make_words(&words, s, report_fd);
	argv = whole_command(&words, s);
	if (argv == NULL) {
		*err = (struct pidbox_error){ .errnum = ENOMEM, .what = "falling back to a subreaper" };
		return;
	}
	if (s->sigchld_ignored)
		(void)signal(SIGCHLD, SIG_IGN);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	(void)pidbox_become_init(argv, environ, err);
	free(argv);
}
