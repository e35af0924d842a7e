/* SPDX-License-Identifier: MIT */
/* --report, --events, --summary. */
#include "base/util.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------ opening */

/* open(2) */
static const struct {
	int errnum;
	enum pidbox_code code;
	const char *why, *fix;
} cannot_open[] = {
	{ ENOENT, PIDBOX_CODE_NOT_FOUND, "the directory that it is to be in is not there",
	  "make it, or name another file" },
	{ ENOTDIR, PIDBOX_CODE_NOT_FOUND, "a part of its path is not a directory", "name another file" },
	{ EISDIR, PIDBOX_CODE_USAGE, "it is a directory", "name a file in it" },
	{ EACCES, PIDBOX_CODE_DENIED, "this user may not write there", "name a file that can be written" },
	{ EPERM, PIDBOX_CODE_DENIED, "the file may not be changed (its attributes: lsattr)", "name another file" },
	{ EROFS, PIDBOX_CODE_DENIED, "its file system is mounted read-only", "name a file on another one" },
	{ ENXIO, PIDBOX_CODE_NONE, "it is a socket, or a device that is not there", "name a file" },
};

int reporting_cannot_open(const char *what, const char *where, int errnum, struct pidbox_error *err)
{
	const char *why = "it is opened before the start, so that nothing that is said is lost";
	const char *fix = "name a file that can be written";

	*err = (struct pidbox_error){ .errnum = errnum, .exit_status = PIDBOX_EXIT_FAILED };
	for (size_t i = 0; i < sizeof(cannot_open) / sizeof(cannot_open[0]); i++) {
		if (cannot_open[i].errnum != errnum)
			continue;
		err->code = cannot_open[i].code;
		why = cannot_open[i].why;
		fix = cannot_open[i].fix;
	}
	(void)snprintf(err->what, sizeof(err->what), "opening the %s %s", what, where);
	(void)snprintf(err->why, sizeof(err->why), "%s", why);
	(void)snprintf(err->fix, sizeof(err->fix), "%s", fix);
	return -errnum;
}

static int open_report(const char *where, struct pidbox_error *err)
{
	int fd;

	if (strcmp(where, "-") == 0)
		return fds_claim(STDERR_FILENO, O_WRONLY, "--report", err);
	if (strncmp(where, "fd:", 3) == 0)
		return fds_claim(atoi(where + 3), O_WRONLY, "--report", err);
	fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd >= 0 ? fd : reporting_cannot_open("report", where, errno, err);
}

int reporting_open(struct reporting *r, struct pidbox_options *opts, struct pidbox_error *err)
{
	int events_fd = pidbox_options_events_fd(opts);
	const char *report = pidbox_options_report(opts);

	r->opts = opts;
	r->report_fd = r->events_fd = -1;
	r->t0_us = report != NULL || events_fd >= 0 ? now_us() : 0;
	if (events_fd >= 0) {
		r->events_fd = fds_claim(events_fd, O_WRONLY, "--events", err);
		if (r->events_fd < 0)
			return r->events_fd;
	}
	if (report != NULL) {
		r->report_fd = open_report(report, err);
		if (r->report_fd < 0)
			return r->report_fd;
	}
	return 0;
}

/* ------------------------------------------------------------ events */

/* Called by pidbox_spawn, see spec.on_created. */
void reporting_created(void *reporting, const struct pidbox *box)
{
	struct reporting *r = reporting;
	const struct pidbox_info *info = &r->info;
	char line[256];
	int len;

	pidbox_get_info(box, &r->info);
	if (r->events_fd < 0)
		return;
	len = snprintf(
		line, sizeof(line),
		"{\"event\":\"created\",\"init_pid\":%d,\"id\":\"%s\",\"pid_namespace\":%llu,\"time_us\":%lld}\n",
		(int)info->init_pid, info->id, (unsigned long long)info->pid_namespace, (long long)info->created_us);
	(void)out_write(r->events_fd, line, (size_t)len);
}

void reporting_ready(struct reporting *r, const struct pidbox_info *info)
{
	char line[80];
	int len;

	r->info = *info;
	if (r->events_fd < 0)
		return;
	len = snprintf(line, sizeof(line), "{\"event\":\"ready\",\"time_us\":%lld}\n", (long long)info->ready_us);
	(void)out_write(r->events_fd, line, (size_t)len);
}

void reporting_exec(const struct reporting *r, const struct pidbox_info *info)
{
	char line[256];
	int len;

	if (r->events_fd < 0)
		return;
	len = snprintf(line, sizeof(line), "{\"event\":\"exec\",\"command_pid\":%d,\"time_us\":%lld}\n",
		       (int)info->command_pid, (long long)info->exec_us);
	(void)out_write(r->events_fd, line, (size_t)len);
}

/* ------------------------------------------------------------ the record */

static void write_late(int fd, const char *what, const char *text, size_t len)
{
	int r = out_write(fd, text, len);

	/* The command has run: its status is worth more than the report. */
	if (r < 0)
		out_note("pidbox: writing %s: %s\n", what, strerror(-r));
}

static void write_record(const struct reporting *r, const char *record, size_t len)
{
	static const char head[] = "{\"event\":\"exit\",\"record\":";
	char *line = malloc(sizeof(head) + len + 3);

	if (line == NULL)
		return;
	memcpy(line, record, len);
	line[len] = '\n';
	if (r->report_fd >= 0)
		write_late(r->report_fd, "the report", line, len + 1);
	if (r->events_fd >= 0) {
		memcpy(line, head, sizeof(head) - 1);
		memcpy(line + sizeof(head) - 1, record, len);
		memcpy(line + sizeof(head) - 1 + len, "}\n", 2);
		write_late(r->events_fd, "events", line, sizeof(head) - 1 + len + 2);
	}
	free(line);
}

static void print_leaked(const struct pidbox_result *res)
{
	for (size_t i = 0; i < res->n_leaked; i++) {
		const struct pidbox_leak *leak = &res->leaked[i];
		char text[200];
		size_t n = leak->command_size < sizeof(text) ? leak->command_size : sizeof(text) - 1;

		for (size_t k = 0; k < n; k++)
			text[k] = leak->command[k] >= ' ' && leak->command[k] != 0x7f ? leak->command[k] : ' ';
		while (n > 0 && text[n - 1] == ' ')
			n--;
		text[n] = '\0';
		out_note("pidbox: leaked: PID %d (inside %d), %.1f s old: %s\n", (int)leak->pid, (int)leak->inside_pid,
			 (double)leak->age_us / 1e6, text);
	}
	if (res->leaked_total > (int64_t)res->n_leaked)
		out_note("pidbox: leaked: and %lld more\n", (long long)(res->leaked_total - (int64_t)res->n_leaked));
}

static const char *ending_words(const struct pidbox_result *res, char *buf, size_t size)
{
	static const char *const why[] = {
		[PIDBOX_REASON_TIMEOUT] = "the time limit ended it",
		[PIDBOX_REASON_CPU_TIME] = "the limit of CPU time ended it",
		[PIDBOX_REASON_OOM] = "the kernel ran out of memory for it",
		[PIDBOX_REASON_PARENT_GONE] = "the caller was gone",
		[PIDBOX_REASON_SETUP_FAILED] = "it was not started",
	};
	char name[16];

	if (res->reason == PIDBOX_REASON_EXITED) {
		(void)snprintf(buf, size, "exited with %d", res->exit_code);
	} else if (res->reason == PIDBOX_REASON_SIGNALED || res->reason == PIDBOX_REASON_KILLED) {
		pidbox_signal_name(res->signal, name);
		(void)snprintf(buf, size, "%s %s%s",
			       res->reason == PIDBOX_REASON_KILLED ? "ended on demand by" : "died of", name,
			       res->core_dumped ? " (core dumped)" : "");
	} else {
		return why[res->reason];
	}
	return buf;
}

static void print_summary(const struct pidbox_result *res)
{
	char words[80], used[128] = "what it used is not known", left[80] = "";

	if (res->user_us >= 0)
		(void)snprintf(used, sizeof(used), "user %.3f s, sys %.3f s, max rss %lld KiB",
			       (double)res->user_us / 1e6, (double)res->sys_us / 1e6, (long long)res->max_rss_kib);
	if (res->reaped >= 0 && res->leaked_total >= 0)
		(void)snprintf(left, sizeof(left), ", reaped %lld, leaked %lld", (long long)res->reaped,
			       (long long)res->leaked_total);
	out_note("pidbox: %s\npidbox: wall %.3f s, %s%s\n", ending_words(res, words, sizeof(words)),
		 (double)res->wall_us / 1e6, used, left);
}

void reporting_write(const struct reporting *r, size_t (*record)(const void *of, char *buf, size_t size),
		     const void *of)
{
	size_t len = r->report_fd >= 0 || r->events_fd >= 0 ? record(of, NULL, 0) : 0;
	char *text = len > 0 ? malloc(len + 1) : NULL;

	if (text == NULL)
		return;
	/* A date may be taken anew, but its length is always the same. */
	(void)record(of, text, len + 1);
	write_record(r, text, len);
	free(text);
}

void reporting_summary(const struct reporting *r, const struct pidbox_result *res)
{
	if (pidbox_options_flags(r->opts) & PIDBOX_OPTION_SUMMARY)
		print_summary(res);
}

static size_t record_of_box(const void *box, char *buf, size_t size)
{
	return pidbox_record(box, buf, size);
}

void reporting_end(const struct reporting *r, const struct pidbox *box, const struct pidbox_result *res)
{
	bool summary = pidbox_options_flags(r->opts) & PIDBOX_OPTION_SUMMARY;

	reporting_write(r, record_of_box, box);
	reporting_summary(r, res);
	if ((summary || pidbox_options_spec(r->opts)->fail_on_leak) && res->leaked_total > 0)
		print_leaked(res);
}

/* A box that did not come to its command. */
struct unstarted {
	const struct reporting *r;
	const struct pidbox_error *err;
	int64_t wall_us;
};

static size_t record_of_unstarted(const void *of, char *buf, size_t size)
{
	const struct unstarted *u = of;
	const struct pidbox_info *info = u->r->info.init_pid > 0 ? &u->r->info : NULL;

	return pidbox_record_unstarted(pidbox_options_spec(u->r->opts), u->err, info, u->wall_us, buf, size);
}

void reporting_failed(const struct reporting *r, const struct pidbox_error *err)
{
	const struct unstarted u = { .r = r, .err = err, .wall_us = now_us() - r->t0_us };

	reporting_write(r, record_of_unstarted, &u);
}
