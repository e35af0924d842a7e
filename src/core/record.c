/* SPDX-License-Identifier: MIT */
#include "core/record.h"

#include "base/err.h"
#include "base/util.h"
#include "kern/sig.h"

#include <string.h>

const char *record_reason_word(enum pidbox_reason reason)
{
	static const char *const words[] = {
		[PIDBOX_REASON_EXITED] = "exited",
		[PIDBOX_REASON_SIGNALED] = "signaled",
		[PIDBOX_REASON_TIMEOUT] = "timeout",
		[PIDBOX_REASON_CPU_TIME] = "cpu-time",
		[PIDBOX_REASON_OOM] = "oom",
		[PIDBOX_REASON_KILLED] = "killed",
		[PIDBOX_REASON_PARENT_GONE] = "parent-gone",
		[PIDBOX_REASON_SETUP_FAILED] = "setup-failed",
	};

	return words[reason];
}

int record_exit_status(const struct pidbox_result *res, bool fail_on_leak)
{
	if (res->reason == PIDBOX_REASON_TIMEOUT || res->reason == PIDBOX_REASON_CPU_TIME)
		return PIDBOX_EXIT_TIMEOUT;
	if (res->reason == PIDBOX_REASON_SETUP_FAILED)
		return PIDBOX_EXIT_FAILED;
	if (res->signal > 0)
		return 128 + (res->signal & 0x7f);
	if (res->exit_code == 0 && fail_on_leak && res->leaked_total > 0)
		return PIDBOX_EXIT_LEAK;
	/* Nobody knows how PID 1 ended: its status was thrown away. */
	return res->exit_code < 0 ? PIDBOX_EXIT_FAILED : res->exit_code & 0xff;
}

/* ------------------------------------------------------------ values; the unknown is null */

static void key(struct sink *s, const char *name)
{
	sink_str(s, ",\"");
	sink_str(s, name);
	sink_str(s, "\":");
}

static void text(struct sink *s, const char *name, const char *value)
{
	key(s, name);
	if (value == NULL || value[0] == '\0')
		sink_str(s, "null");
	else
		sink_json(s, value, strlen(value));
}

static void number(struct sink *s, const char *name, int64_t value)
{
	key(s, name);
	sink_num(s, value);
}

static void number_unless(struct sink *s, const char *name, int64_t value, int64_t unknown)
{
	if (value != unknown) {
		number(s, name, value);
		return;
	}
	key(s, name);
	sink_str(s, "null");
}

static void signal_name(struct sink *s, const char *name, int sig)
{
	char word[16];

	if (sig > 0)
		sig_name(sig, word);
	text(s, name, sig > 0 ? word : NULL);
}

static void ended_by(struct sink *s, const struct pidbox_result *r)
{
	char word[16];

	key(s, "ended_by");
	if (r == NULL || r->ended_by_signal == 0) {
		sink_str(s, "null");
		return;
	}
	sig_name(r->ended_by_signal, word);
	sink_str(s, "{\"signal\":");
	sink_json(s, word, strlen(word));
	number_unless(s, "pid", r->ended_by_pid, 0);
	number_unless(s, "uid", r->ended_by_uid, -1);
	sink_str(s, "}");
}

static void leaked(struct sink *s, const struct pidbox_result *r)
{
	key(s, "leaked");
	if (r != NULL && r->leaked_total < 0) {
		sink_str(s, "null");
		return;
	}
	sink_str(s, "[");
	for (size_t i = 0; r != NULL && i < r->n_leaked; i++) {
		const struct pidbox_leak *leak = &r->leaked[i];

		sink_str(s, i > 0 ? ",{\"pid\":" : "{\"pid\":");
		if (leak->pid > 0)
			sink_num(s, leak->pid);
		else
			sink_str(s, "null");
		number(s, "inside_pid", leak->inside_pid);
		key(s, "command");
		sink_arguments(s, leak->command, leak->command_size);
		number(s, "age_us", leak->age_us);
		sink_str(s, "}");
	}
	sink_str(s, "]");
}

static void command(struct sink *s, char *const *argv)
{
	key(s, "command");
	if (argv == NULL) {
		sink_str(s, "null");
		return;
	}
	sink_str(s, "[");
	for (size_t i = 0; argv[i] != NULL; i++) {
		if (i > 0)
			sink_str(s, ",");
		sink_json(s, argv[i], strlen(argv[i]));
	}
	sink_str(s, "]");
}

static void usage(struct sink *s, const struct pidbox_result *r)
{
	number_unless(s, "user_us", r->user_us, -1);
	number_unless(s, "sys_us", r->sys_us, -1);
	number_unless(s, "max_rss_kib", r->max_rss_kib, -1);
	number_unless(s, "reaped", r->reaped, -1);
}

static void no_usage(struct sink *s)
{
	static const struct pidbox_result none;

	usage(s, &none);
}

static void failure(struct sink *s, const struct pidbox_error *err)
{
	text(s, "step", err->step);
	text(s, "errno", err_name(err->errnum));
	text(s, "code", pidbox_code_name(err->code));
	text(s, "why", err->why);
	text(s, "fix", err->fix);
}

void record_write(struct sink *s, const struct record *rec)
{
	const struct pidbox_result *r = rec->result;

	sink_str(s, "{\"schema\":1");
	text(s, "reason", record_reason_word(r != NULL ? r->reason : PIDBOX_REASON_SETUP_FAILED));
	number_unless(s, "exit_code", r != NULL ? r->exit_code : -1, -1);
	signal_name(s, "signal", r != NULL ? r->signal : 0);
	key(s, "core_dumped");
	sink_str(s, r != NULL && r->core_dumped ? "true" : "false");
	ended_by(s, r);
	text(s, "containment", rec->containment);
	text(s, "proc", rec->proc);
	text(s, "name", rec->name);
	text(s, "id", rec->id);
	number_unless(s, "pid_namespace", (int64_t)rec->pid_namespace, 0);
	command(s, rec->command);
	number_unless(s, "init_pid", rec->init_pid, 0);
	number_unless(s, "command_pid", rec->command_pid, 0);
	if (rec->inside_pid > 0)
		number(s, "inside_pid", rec->inside_pid);
	key(s, "started");
	sink_time(s, rec->started_realtime_us);
	number(s, "wall_us", r != NULL ? r->wall_us : rec->wall_us);
	if (r != NULL)
		usage(s, r);
	else
		no_usage(s);
	leaked(s, r);
	key(s, "limits");
	sink_str(s, "{\"oom_killed\":");
	sink_str(s, r == NULL || r->oom_killed == 0 ? "false}" : r->oom_killed > 0 ? "true}" : "null}");
	if (rec->error != NULL)
		failure(s, rec->error);
	sink_str(s, "}");
}
