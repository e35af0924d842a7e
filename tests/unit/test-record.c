/* SPDX-License-Identifier: MIT */
/* The record: every key that the contract names, in text that a JSON reader takes (python3, when it is there). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "core/record.h"
#include "tap.h"

/* ------------------------------------------------------------ times */

static void time_text(int64_t us, char buf[64])
{
	struct sink s = SINK_BUF(buf, 64);

	sink_time(&s, us);
	(void)sink_end(&s);
}

static void test_known_times(void)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ 999999, "1970-01-01T00:00:00.999999Z" },
		{ 951782399999999, "2000-02-28T23:59:59.999999Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z" }, /* 2000 has a leap day */
		{ 951868800000000, "2000-03-01T00:00:00.000000Z" },
		{ 978307199000000, "2000-12-31T23:59:59.000000Z" },
		{ 1000000000000000, "2001-09-09T01:46:40.000000Z" },
		{ 1709164800000000, "2024-02-29T00:00:00.000000Z" },
		{ 2147483648000000, "2038-01-19T03:14:08.000000Z" },
		{ 4107542399000000, "2100-02-28T23:59:59.000000Z" }, /* 2100 has none */
		{ 4107542400000000, "2100-03-01T00:00:00.000000Z" },
		{ 13574563200000000, "2400-02-29T00:00:00.000000Z" },
		{ 253402300799999999, "9999-12-31T23:59:59.999999Z" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[64], wanted[64];

		time_text(rows[i].us, buf);
		snprintf(wanted, sizeof(wanted), "\"%s\"", rows[i].text);
		ok(strcmp(buf, wanted) == 0, "%s (expected %s)", buf, wanted);
	}
}

/* Against the C library, over every day of four hundred years and a bit more. */
static void test_all_days(void)
{
	int64_t bad = -1;

	for (int64_t day = 0; day < 150000 && bad < 0; day++) {
		time_t t = (time_t)(day * 86400 + day % 86400);
		char buf[64], wanted[64];
		struct tm tm;

		gmtime_r(&t, &tm);
		time_text((int64_t)t * US_PER_S, buf);
		snprintf(wanted, sizeof(wanted), "\"%04d-%02d-%02dT%02d:%02d:%02d.000000Z\"", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		if (strcmp(buf, wanted) != 0)
			bad = day;
	}
	ok(bad < 0, "150000 days as gmtime_r has them (bad: %lld)", (long long)bad);
}

/* ------------------------------------------------------------ records */

static const struct pidbox_result exited = { .exit_code = 0,
					     .ended_by_uid = -1,
					     .wall_us = 812345,
					     .user_us = 501200,
					     .sys_us = 90110,
					     .max_rss_kib = 20480,
					     .reaped = 212 };
static const struct pidbox_result segv = {
	.reason = PIDBOX_REASON_SIGNALED, .exit_code = -1, .signal = 11, .core_dumped = true, .ended_by_uid = -1
};
static const struct pidbox_result rt = {
	.reason = PIDBOX_REASON_SIGNALED, .exit_code = -1, .signal = 37, .ended_by_uid = -1
};
static const struct pidbox_result killed = { .reason = PIDBOX_REASON_KILLED,
					     .exit_code = -1,
					     .signal = 15,
					     .ended_by_signal = 15,
					     .ended_by_pid = 99,
					     .ended_by_uid = 0 };
static const struct pidbox_result killed_by_unknown = {
	.reason = PIDBOX_REASON_KILLED, .exit_code = 3, .ended_by_signal = 1, .ended_by_uid = -1
};
static const struct pidbox_result timeout = { .reason = PIDBOX_REASON_TIMEOUT, .exit_code = 0, .ended_by_uid = -1 };
static const struct pidbox_result cpu = {
	.reason = PIDBOX_REASON_CPU_TIME, .exit_code = -1, .signal = 9, .ended_by_uid = -1
};
static const struct pidbox_result oom = {
	.reason = PIDBOX_REASON_OOM, .exit_code = -1, .signal = 9, .ended_by_uid = -1
};
static const struct pidbox_result gone = {
	.reason = PIDBOX_REASON_PARENT_GONE, .exit_code = -1, .signal = 9, .ended_by_uid = -1
};
static const struct pidbox_leak two_leaks[] = {
	{ .pid = 17810,
	  .inside_pid = 214,
	  .age_us = 700123,
	  .command = "sleep\0"
		     "1000\0",
	  .command_size = 11 },
	{ .inside_pid = 215,
	  .command = "a\xff\0\0"
		     "c d",
	  .command_size = 7 },
};
static const struct pidbox_leak nameless[] = { { .pid = 5, .inside_pid = 6, .age_us = 7, .command = "" } };
static const struct pidbox_result leaks = {
	.exit_code = 0, .ended_by_uid = -1, .leaked = two_leaks, .n_leaked = 2, .leaked_total = 2
};
static const struct pidbox_result no_name = {
	.exit_code = 0, .ended_by_uid = -1, .leaked = nameless, .n_leaked = 1, .leaked_total = 1
};

/* As of a box whose init was killed. */
static const struct pidbox_result uncounted = { .reason = PIDBOX_REASON_KILLED,
						.exit_code = -1,
						.signal = 9,
						.ended_by_uid = -1,
						.wall_us = 5,
						.user_us = -1,
						.sys_us = -1,
						.max_rss_kib = -1,
						.reaped = -1,
						.leaked = two_leaks,
						.n_leaked = 1,
						.leaked_total = -1 };

static const struct pidbox_error masked = {
	.errnum = EPERM, .code = PIDBOX_CODE_PROC_MASKED, .step = "mount-proc", .why = "a \"why\"", .fix = "a fix"
};
static const struct pidbox_error unknown = { .errnum = EIO, .step = "exec" };

#define ARGV(...) ((char *const[]){ __VA_ARGS__, NULL })

/* Every fragment is a whole member: a ',' or '}' follows it. */
enum { MAX_FRAGMENTS = 24 };
static struct {
	const char *name;
	struct record rec;
	const char *has[MAX_FRAGMENTS];
} rows[] = {
	{ "that of the contract",
	  { .result = &exited,
	    .name = "build",
	    .containment = "pidns",
	    .proc = "fresh",
	    .id = "17574:98127",
	    .pid_namespace = 4026532567,
	    .init_pid = 17574,
	    .command_pid = 17575,
	    .started_realtime_us = 1795292102123456 },
	  { "\"schema\":1",
	    "\"reason\":\"exited\"",
	    "\"exit_code\":0",
	    "\"signal\":null",
	    "\"core_dumped\":false",
	    "\"ended_by\":null",
	    "\"containment\":\"pidns\"",
	    "\"proc\":\"fresh\"",
	    "\"name\":\"build\"",
	    "\"id\":\"17574:98127\"",
	    "\"pid_namespace\":4026532567",
	    "\"command\":[\"make\",\"-j8\"]",
	    "\"init_pid\":17574",
	    "\"command_pid\":17575",
	    "\"started\":\"2026-11-21T20:15:02.123456Z\"",
	    "\"wall_us\":812345",
	    "\"user_us\":501200",
	    "\"sys_us\":90110",
	    "\"max_rss_kib\":20480",
	    "\"reaped\":212",
	    "\"leaked\":[]" } },
	{ "what is not known is null",
	  { .result = &exited, .containment = "pidns" },
	  { "\"name\":null", "\"id\":null", "\"pid_namespace\":null", "\"init_pid\":null", "\"command_pid\":null",
	    "\"proc\":null" } },
	{ "what nobody has counted is null",
	  { .result = &uncounted, .containment = "pidns" },
	  { "\"wall_us\":5", "\"user_us\":null", "\"sys_us\":null", "\"max_rss_kib\":null", "\"reaped\":null",
	    "\"leaked\":null" } },
	{ "a core dump",
	  { .result = &segv },
	  { "\"reason\":\"signaled\"", "\"exit_code\":null", "\"signal\":\"SIGSEGV\"", "\"core_dumped\":true",
	    "\"ended_by\":null" } },
	{ "a real-time signal", { .result = &rt }, { "\"signal\":\"SIGRTMIN+3\"" } },
	{ "killed",
	  { .result = &killed },
	  { "\"reason\":\"killed\"", "\"signal\":\"SIGTERM\"",
	    "\"ended_by\":{\"signal\":\"SIGTERM\",\"pid\":99,\"uid\":0}" } },
	{ "killed, by whom is not known",
	  { .result = &killed_by_unknown },
	  { "\"reason\":\"killed\"", "\"exit_code\":3",
	    "\"ended_by\":{\"signal\":\"SIGHUP\",\"pid\":null,\"uid\":null}" } },
	{ "a time limit",
	  { .result = &timeout },
	  { "\"reason\":\"timeout\"", "\"exit_code\":0", "\"ended_by\":null" } },
	{ "CPU time", { .result = &cpu }, { "\"reason\":\"cpu-time\"", "\"signal\":\"SIGKILL\"" } },
	{ "memory", { .result = &oom }, { "\"reason\":\"oom\"" } },
	{ "the front is gone", { .result = &gone }, { "\"reason\":\"parent-gone\"" } },
	{ "leaks",
	  { .result = &leaks },
	  { "\"inside_pid\":214", "\"pid\":17810", "\"command\":[\"sleep\",\"1000\"]", "\"age_us\":700123",
	    "\"inside_pid\":215", "\"pid\":null", "\"command\":[\"a\xef\xbf\xbd\",\"\",\"c d\"]", "\"age_us\":0" } },
	{ "a leak without a command line", { .result = &no_name }, { "\"inside_pid\":6", "\"command\":[]" } },
	{ "set-up failed",
	  { .error = &masked, .name = "n", .containment = "pidns", .wall_us = 55 },
	  { "\"reason\":\"setup-failed\"", "\"step\":\"mount-proc\"", "\"errno\":\"EPERM\"", "\"code\":\"PROC_MASKED\"",
	    "\"why\":\"a \\\"why\\\"\"", "\"fix\":\"a fix\"", "\"exit_code\":null", "\"signal\":null",
	    "\"ended_by\":null", "\"command_pid\":null", "\"init_pid\":null", "\"pid_namespace\":null", "\"leaked\":[]",
	    "\"name\":\"n\"" } },
	{ "set-up failed without a code",
	  { .error = &unknown },
	  { "\"step\":\"exec\"", "\"errno\":\"EIO\"", "\"code\":null", "\"why\":null", "\"fix\":null" } },
};

static FILE *all; /* for python3 */
static char all_path[] = "/tmp/test-record-XXXXXX";

static size_t write_one(const struct record *rec, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);

	record_write(&s, rec);
	(void)sink_end(&s);
	if (all != NULL)
		fprintf(all, "%s\n", buf);
	return s.len;
}

static bool has(const char *text, const char *member)
{
	size_t len = strlen(member);

	for (const char *p = strstr(text, member); p != NULL; p = strstr(p + 1, member))
		if ((p[-1] == ',' || p[-1] == '{') && (p[len] == ',' || p[len] == '}'))
			return true;
	return false;
}

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[4096];
		size_t len;

		rows[i].rec.command = ARGV("make", "-j8");
		len = write_one(&rows[i].rec, buf, sizeof(buf));
		ok(len == strlen(buf) && buf[0] == '{' && buf[len - 1] == '}' && strchr(buf, '\n') == NULL,
		   "%s: one line", rows[i].name);
		for (size_t k = 0; k < MAX_FRAGMENTS && rows[i].has[k] != NULL; k++)
			ok(has(buf, rows[i].has[k]), "%s: %s", rows[i].name, rows[i].has[k]);
	}
}

static void test_commands(void)
{
	const struct {
		char *const *argv;
		const char *member;
	} texts[] = {
		{ NULL, "\"command\":null" },
		{ ARGV(""), "\"command\":[\"\"]" },
		{ ARGV("sh", "-c", "echo \"$1\"\n\\"), "\"command\":[\"sh\",\"-c\",\"echo \\\"$1\\\"\\n\\\\\"]" },
		{ ARGV("\x1b[31m\x01"), "\"command\":[\"\\u001b[31m\\u0001\"]" },
		{ ARGV("\xff\xc3\xa9\xe2\x82"), "\"command\":[\"\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct record rec = { .result = &exited, .command = texts[i].argv };
		char buf[4096];

		write_one(&rec, buf, sizeof(buf));
		ok(has(buf, texts[i].member), "%s", texts[i].member);
	}
}

/* Every errno that a step can have has a name in the record, and every code has its word. */
static void test_names(void)
{
	static const int errnums[] = { EPERM,  ENOENT,    EINTR,   EIO,          E2BIG,     ENOEXEC, EBADF,
				       ECHILD, EAGAIN,    ENOMEM,  EACCES,       EBUSY,     ENODEV,  ENOTDIR,
				       EISDIR, EINVAL,    ENFILE,  EMFILE,       ENOTTY,    ETXTBSY, ENOSPC,
				       EROFS,  EPIPE,     ERANGE,  ENAMETOOLONG, ENOSYS,    ELOOP,   EOVERFLOW,
				       EUSERS, ETIMEDOUT, ESTALE,  ECANCELED,    ELIBBAD,   EPROTO,  EALREADY,
				       ESRCH,  EDQUOT,    ENOBUFS, EMSGSIZE,     ECONNRESET };

	for (size_t i = 0; i < ARRAY_LEN(errnums); i++)
		ok(err_name(errnums[i])[0] == 'E', "errno %d is %s", errnums[i], err_name(errnums[i]));
	ok(err_name(0)[0] == '\0' && err_name(-1)[0] == '\0' && err_name(100000)[0] == '\0',
	   "what is no errno has no name");
	for (int code = PIDBOX_CODE_NONE + 1; code < PIDBOX_CODE_MAX_; code++)
		ok(pidbox_code_name((enum pidbox_code)code)[0] != '\0', "code %d is %s", code,
		   pidbox_code_name((enum pidbox_code)code));
	ok(pidbox_code_name(PIDBOX_CODE_NONE)[0] == '\0' && pidbox_code_name((enum pidbox_code)999)[0] == '\0',
	   "no code");
}

static void test_by_python(void)
{
	char command[256];

	if (all == NULL || system("command -v python3 >/dev/null") != 0) {
		tap_skip("python3 reads them all", "there is no python3");
		return;
	}
	fclose(all);
	snprintf(command, sizeof(command),
		 "python3 -c 'import json, sys\n"
		 "for line in open(sys.argv[1], encoding=\"utf-8\"): assert type(json.loads(line)) is dict\n"
		 "' %s",
		 all_path);
	ok(system(command) == 0, "python3 reads them all, strictly");
}

int main(void)
{
	int fd = mkstemp(all_path);

	all = fd >= 0 ? fdopen(fd, "w") : NULL;
	test_known_times();
	test_all_days();
	test_rows();
	test_commands();
	test_names();
	test_by_python();
	if (fd >= 0)
		(void)unlink(all_path);
	return tap_end();
}
