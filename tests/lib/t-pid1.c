/* SPDX-License-Identifier: MIT */
/* The command is PID 1: what an init would do, the library does. */
#include "lib.h"

static const char *const sleeper[] = { "/bin/sleep", "1000", NULL };

/* ------------------------------------------------------------ who asked for the end */

static void asked(void)
{
	static const struct {
		const char *words;
		int64_t grace_us;
		struct pidbox_origin origin;
		pid_t pid;
		int64_t uid;
	} rows[] = {
		{ "somebody", 10000 * MS, { .pid = 4711, .uid = 815 }, 4711, 815 },
		{ "somebody, without a grace", 0, { .pid = 4711, .uid = 815 }, 4711, 815 },
		{ "nobody knows who, without a grace", 0, { .uid = 815 }, 0, -1 },
	};
	/* With a handler for it, or the kernel drops the stop signal (R7). */
	const char *argv[] = { "/bin/sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done", NULL };

	for (size_t i = 0; i < 2 * LEN(rows); i++) {
		size_t row = i / 2;
		int out[2], stdio[] = { 0, -1, 2 };
		struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio, .as_pid1 = i % 2 == 0);
		const char *how = spec.as_pid1 ? "as PID 1" : "below an init";
		struct pidbox_result res = { 0 };
		struct pidbox *box;

		if (pipe2(out, O_CLOEXEC) < 0)
			return;
		stdio[1] = out[1];
		box = start(&spec);
		close(out[1]);
		if (box == NULL)
			return;
		ok(readable_within(out[0], 5000), "the command is up");
		close(out[0]);
		ok(pidbox_kill(box, rows[row].grace_us, &rows[row].origin) == 0 &&
			   pidbox_wait(box, 20000 * MS, &res) == 0 && res.reason == PIDBOX_REASON_KILLED,
		   "%s, %s ends it: reason %d", how, rows[row].words, (int)res.reason);
		ok(res.ended_by_signal == SIGTERM && res.ended_by_pid == rows[row].pid &&
			   res.ended_by_uid == rows[row].uid,
		   "%s, %s: by signal %d of PID %d, uid %lld", how, rows[row].words, res.ended_by_signal,
		   (int)res.ended_by_pid, (long long)res.ended_by_uid);
		pidbox_free(box);
	}
}

/* ------------------------------------------------------------ CPU time */

static int role_burn(int argc, char **argv)
{
	volatile unsigned long n = 0;

	(void)argc, (void)argv;
	while (n < ~0ul)
		n++;
	return 0;
}

/* Only the box's own time counts, whatever /proc inside shows. */
static void cpu_time(void)
{
	static const struct {
		const char *words;
		enum pidbox_proc proc;
	} rows[] = { { "fresh", PIDBOX_PROC_FRESH }, { "keep", PIDBOX_PROC_KEEP }, { "none", PIDBOX_PROC_NONE } };
	const char *burn[] = { self_path(), "burn", NULL };
	const char *brief[] = { "/bin/sleep", "0.1", NULL };
	pid_t other = fork();

	if (other == 0)
		role_burn(0, NULL);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct pidbox_spec burns = SPEC(.argv = burn, .as_pid1 = true, .proc = rows[i].proc, .has_grace = true,
						.cpu_time_us = 100 * MS, .timeout_us = 60000 * MS);
		struct pidbox_spec rests =
			SPEC(.argv = brief, .as_pid1 = true, .proc = rows[i].proc, .cpu_time_us = 90 * MS);
		struct pidbox_result res = { 0 };

		ok(run(&burns, &res) == PIDBOX_EXIT_TIMEOUT && res.reason == PIDBOX_REASON_CPU_TIME,
		   "--proc %s, a command that works reaches the limit: reason %d", rows[i].words, (int)res.reason);
		ok(run(&rests, &res) == 0, "--proc %s, one that rests does not: reason %d", rows[i].words,
		   (int)res.reason);
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

/* ------------------------------------------------------------ durations beyond all times */

static void for_ever(void)
{
	static const char *const words[] = { "below an init", "as PID 1" };

	for (int pid1 = 0; pid1 < 2; pid1++) {
		struct pidbox_spec spec = SPEC(.argv = sleeper, .as_pid1 = pid1 == 1, .timeout_us = INT64_MAX,
					       .cpu_time_us = INT64_MAX, .has_grace = true, .grace_us = INT64_MAX);
		struct pidbox *box = start(&spec);
		struct pidbox_result res = { 0 };

		if (box == NULL)
			continue;
		ok(pidbox_wait(box, 50 * MS, &res) == -ETIMEDOUT, "%s: limits of 292000 years are not over",
		   words[pid1]);
		if (pid1 == 1) {
			ok(pidbox_kill(box, PIDBOX_DEFAULT, NULL) == 0 && pidbox_wait(box, 50 * MS, &res) == -ETIMEDOUT,
			   "%s: nor is such a grace", words[pid1]);
			ok(pidbox_kill(box, INT64_MAX, NULL) == 0 && pidbox_wait(box, 50 * MS, &res) == -ETIMEDOUT,
			   "%s: nor another", words[pid1]);
		}
		ok(pidbox_kill(box, 0, NULL) == 0 && pidbox_wait(box, INT64_MAX, &res) == 0 &&
			   res.reason == PIDBOX_REASON_KILLED,
		   "%s: a wait of so long ends with the box", words[pid1]);
		pidbox_free(box);
	}
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "burn", role_burn } };
	int r = play_role(roles, LEN(roles), argc, argv), fds;

	if (r >= 0)
		return r;
	become_subreaper();
	fds = count_fds();
	asked();
	cpu_time();
	for_ever();
	nothing_left(fds, "all boxes");
	return tap_end();
}
