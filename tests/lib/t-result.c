/* SPDX-License-Identifier: MIT */
/* How a box ended: result, exit status, record. */
#include "lib.h"

#include <sys/resource.h>

static void exits(void)
{
	static const int codes[] = { 0, 1, 7, 123, 124, 125, 126, 127, 128, 137, 255 };

	for (size_t i = 0; i < LEN(codes); i++) {
		char script[32];
		const char *argv[] = { "/bin/sh", "-c", script, NULL };
		struct pidbox_spec spec = SPEC(.argv = argv);
		struct pidbox_result res = { 0 };
		int status;

		snprintf(script, sizeof(script), "exit %d", codes[i]);
		status = run(&spec, &res);
		ok(status == codes[i] && res.reason == PIDBOX_REASON_EXITED && res.exit_code == codes[i] &&
			   res.signal == 0 && !res.core_dumped && res.ended_by_signal == 0 && res.leaked_total == 0,
		   "exit %d: status %d, reason %d, code %d, signal %d", codes[i], status, (int)res.reason,
		   res.exit_code, res.signal);
		ok(res.wall_us > 0 && res.wall_us < 60000000 && res.max_rss_kib > 0 && res.user_us >= 0 &&
			   res.sys_us >= 0,
		   "exit %d: %lld us of wall clock, %lld KiB", codes[i], (long long)res.wall_us,
		   (long long)res.max_rss_kib);
	}
}

/* Whether a core would be dumped here is the machine's business: what a plain child says is right. */
static bool dumps_core(int sig)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(sig, SIG_DFL);
		raise(sig);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WCOREDUMP(status);
}

static int role_die(int argc, char **argv)
{
	int sig = argc > 2 ? atoi(argv[2]) : 0;

	raise(sig);
	return 99;
}

static void signals(void)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, 34, 64 };

	for (size_t i = 0; i < LEN(sigs); i++) {
		char number[16];
		const char *argv[] = { self_path(), "die", number, NULL };
		struct pidbox_spec spec = SPEC(.argv = argv);
		struct pidbox_result res = { 0 };
		bool core = dumps_core(sigs[i]);
		int status;

		snprintf(number, sizeof(number), "%d", sigs[i]);
		if (sigs[i] == 34) { /* libc keeps it for itself */
			argv[0] = "/bin/sh";
			argv[1] = "-c";
			argv[2] = "kill -34 $$";
		}
		status = run(&spec, &res);
		ok(status == 128 + sigs[i] && res.reason == PIDBOX_REASON_SIGNALED && res.exit_code == -1 &&
			   res.signal == sigs[i],
		   "signal %d: status %d, reason %d, code %d, signal %d", sigs[i], status, (int)res.reason,
		   res.exit_code, res.signal);
		ok(res.core_dumped == core, "signal %d: core %s", sigs[i], core ? "dumped" : "not dumped");
	}
}

static void limits(void)
{
	const char *argv[] = { "/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done", NULL };
	const char *spin[] = { "/bin/sh", "-c", "while :; do :; done", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .timeout_us = 50 * MS, .has_grace = true, .grace_us = 50 * MS);
	struct pidbox_spec cpu = SPEC(.argv = spin, .cpu_time_us = 100 * MS, .has_grace = true);
	struct pidbox_result res = { 0 };
	int64_t from = now_us();
	int status = run(&spec, &res);

	ok(status == PIDBOX_EXIT_TIMEOUT && res.reason == PIDBOX_REASON_TIMEOUT && now_us() - from >= 90 * MS,
	   "time limit and grace: status %d, reason %d", status, (int)res.reason);
	status = run(&cpu, &res);
	ok(status == PIDBOX_EXIT_TIMEOUT && res.reason == PIDBOX_REASON_CPU_TIME,
	   "CPU time limit: status %d, reason %d", status, (int)res.reason);
}

static void leaks(void)
{
	const char *argv[] = { "/bin/sh", "-c", "sleep 1000 & sleep 0.2", NULL };
	struct pidbox_spec spec =
		SPEC(.argv = argv, .account = true, .has_leak_grace = true, .fail_on_leak = true, .name = "leaky");
	struct pidbox *box = start(&spec);
	struct pidbox_result res = { 0 };
	char record[8192];
	size_t n;

	if (box == NULL)
		return;
	ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0, "a box that leaks ends");
	ok(res.leaked_total == 1 && res.n_leaked == 1, "one process leaked (%zu named, %llu in all)", res.n_leaked,
	   (unsigned long long)res.leaked_total);
	ok(res.n_leaked == 1 && res.leaked[0].command_size >= 11 &&
		   memcmp(res.leaked[0].command, "sleep\0001000", 11) == 0,
	   "it is named with its arguments");
	ok(pidbox_exit_status(box, &res) == PIDBOX_EXIT_LEAK, "status 123");
	n = pidbox_record(box, record, sizeof(record));
	ok(n > 0 && n < sizeof(record) && strstr(record, "\"name\":\"leaky\"") != NULL &&
		   strstr(record, "[\"sleep\",\"1000\"]") != NULL,
	   "the record names both");
	ok(pidbox_record(box, record, 10) == n && strlen(record) <= 9,
	   "a record in a small buffer is cut and terminated");
	ok(pidbox_record(box, NULL, 0) == n, "a record without a buffer tells its length");
	pidbox_free(box);
}

/* Without spec.account nobody counts what is killed at the end. */
static void uncounted(void)
{
	const char *argv[] = { "/bin/sh", "-c", "sleep 1000 & exit 0", NULL };
	const char *alone[] = { "/bin/sh", "-c", "exit 0", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv), ended = SPEC(.argv = alone);
	struct pidbox_result res = { 0 };

	ok(run(&spec, &res) == 0 && res.user_us == -1 && res.sys_us == -1 && res.max_rss_kib == -1 &&
		   res.leaked_total == -1 && res.n_leaked == 0,
	   "what nobody has counted is not known: %lld us, %lld KiB, %lld leaked", (long long)res.user_us,
	   (long long)res.max_rss_kib, (long long)res.leaked_total);
	ok(run(&ended, &res) == 0 && res.user_us >= 0 && res.max_rss_kib > 0 && res.leaked_total == 0,
	   "when nobody was left it is known all the same");
}

static void remember(void *context, const struct pidbox *box)
{
	pidbox_get_info(box, context);
}

static void failed_record(void)
{
	struct pidbox_info info = { 0 };
	char wanted[64];
	const char *argv[] = { "no-such-command", "\"quoted\"\n", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .on_created = remember, .context = &info);
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;
	char record[8192];

	ok(pidbox_spawn(&spec, &box, &err) < 0, "a spawn fails");
	pidbox_record_unstarted(&spec, &err, &info, 1234, record, sizeof(record));
	snprintf(wanted, sizeof(wanted), "\"init_pid\":%d,\"command_pid\":null", (int)info.init_pid);
	ok(info.init_pid > 0 && strstr(record, wanted) != NULL && strstr(record, "\"wall_us\":1234") != NULL &&
		   strstr(record, "\"proc\":\"fresh\"") != NULL,
	   "the record of what there was: %.400s", record);
	pidbox_record_failed(&spec, &err, record, sizeof(record));
	ok(strstr(record, "\"reason\":\"setup-failed\"") != NULL && strstr(record, "\"errno\":\"ENOENT\"") != NULL &&
		   strstr(record, "\\\"quoted\\\"") != NULL,
	   "its record: %.200s", record);
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "die", role_die } };
	struct rlimit core;
	int r = play_role(roles, LEN(roles), argc, argv), fds;

	if (r >= 0)
		return r;
	if (getrlimit(RLIMIT_CORE, &core) == 0) {
		core.rlim_cur = core.rlim_max;
		setrlimit(RLIMIT_CORE, &core);
	}
	become_subreaper();
	fds = count_fds();
	exits();
	signals();
	limits();
	leaks();
	uncounted();
	failed_record();
	nothing_left(fds, "all boxes");
	return tap_end();
}
