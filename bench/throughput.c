/* SPDX-License-Identifier: MIT */
/*
 * What a box does to its command's output: usage: throughput PIDBOX FLOOR COMMAND [ROUNDS [MIB]]. COMMAND is
 * inits-command, which writes so many MiB (1024) of lines. The time runs from the first byte that is read here to the
 * end. Round by round each way in turn.
 *
 *   pipe   MiB a second through a pipe
 *   tty    the same, an eighth of it, through a terminal that is drained here. With `pidbox run -t` and under script(1)
 *          there is a second one, and a relay between the two
 */
#include "box.h"
#include "stats.h"
#include "terminal.h"
#include "ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { TTY_SHARE = 8 };

/* "%S" is the command as one word for a shell; the last one is put in, where it is a number: of MiB. */
static struct way by_pipe[] = {
	{ .name = "no box", .words = "%T w 0", .as_root = true, .as_user = true },
	{ .name = "pidbox run", .words = "%P run -- %T w 0", .as_root = true, .as_user = true },
};
static struct way by_tty[] = {
	{ .name = "no box", .words = "%T w 0", .as_root = true, .as_user = true },
	{ .name = "pidbox run", .words = "%P run -- %T w 0", .as_root = true, .as_user = true },
	{ .name = "pidbox run -t", .words = "%P run -t -- %T w 0", .as_root = true, .as_user = true },
	{ .name = "script", .words = "script -qec %S /dev/null", .as_root = true, .as_user = true },
};

/* Read to the end, which is EIO of a terminal. @return MiB a second; < 0: it is not all there */
static double drain(int fd, int mib)
{
	static char buf[256 * 1024];
	double from = 0;
	int64_t all = 0;
	ssize_t n;

	while (readable(fd, PROC_LIMIT_MS) && (n = read(fd, buf, sizeof(buf))) > 0) {
		from = all == 0 ? clock_now_us() : from;
		all += n;
	}
	return all >= (int64_t)mib * 1024 * 1024 ? mib / (clock_now_us() - from) * 1e6 : -1;
}

static void measure_pipe(struct way *w, int mib)
{
	int out[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	double rate = -1;
	pid_t pid = -1;

	if (pipe2(out, O_CLOEXEC) == 0) {
		pid = spawn_with(w->argv, null, out[1]);
		(void)close(out[1]);
		rate = drain(out[0], mib);
		(void)close(out[0]);
	}
	(void)close(null);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (rate > 0)
		series_add(&w->times, rate);
	else
		w->missing = "not all of it came";
}

static void measure_tty(struct way *w, int mib)
{
	int master = -1;
	pid_t pid = spawn_on_terminal(w->argv, &master);
	double rate = pid > 0 ? drain(master, mib) : -1;

	if (pid > 0) {
		(void)close(master);
		(void)waitpid(pid, NULL, 0);
	}
	if (rate > 0)
		series_add(&w->times, rate);
	else
		w->missing = "not all of it came";
}

static void prepare(struct way *ways, size_t n, struct way_programs *programs, int mib)
{
	char number[16], line[4200];

	(void)snprintf(number, sizeof(number), "%d", mib);
	(void)snprintf(line, sizeof(line), "%s w %d", programs->command, mib);
	for (size_t i = 0; i < n; i++) {
		way_prepare(&ways[i], programs);
		for (char **word = ways[i].argv; *word != NULL; word++)
			if (strcmp(*word, "%S") == 0)
				*word = strdup(line);
			else if (strcmp(*word, "0") == 0)
				*word = strdup(number);
	}
}

int main(int argc, char *argv[])
{
	int rounds = argc > 4 ? atoi(argv[4]) : 10, mib = argc > 5 ? atoi(argv[5]) : 1024;
	struct way_programs programs;

	if (argc < 4 || rounds < 1 || mib < TTY_SHARE) {
		(void)fprintf(stderr, "usage: throughput PIDBOX FLOOR COMMAND [ROUNDS [MIB]]\n");
		return 2;
	}
	(void)setenv("SHELL", "/bin/sh", 1); /* which script(1) starts */
	programs = way_programs(argv[1], argv[2]);
	(void)snprintf(programs.command, sizeof(programs.command), "%s", argv[3]);
	prepare(by_pipe, LEN(by_pipe), &programs, mib);
	prepare(by_tty, LEN(by_tty), &programs, mib / TTY_SHARE);
	for (int round = 0; round < rounds; round++) {
		for (size_t k = 0; k < LEN(by_pipe); k++) {
			struct way *w = &by_pipe[way_turn(round, k, LEN(by_pipe))];

			if (w->missing == NULL)
				measure_pipe(w, mib);
		}
		for (size_t k = 0; k < LEN(by_tty); k++) {
			struct way *w = &by_tty[way_turn(round, k, LEN(by_tty))];

			if (w->missing == NULL)
				measure_tty(w, mib / TTY_SHARE);
		}
	}
	for (size_t i = 0; i < LEN(by_pipe); i++)
		way_tell(row_of("pipe"), 0, "MiB/s", &by_pipe[i]);
	for (size_t i = 0; i < LEN(by_tty); i++)
		way_tell(row_of("tty"), 0, "MiB/s", &by_tty[i]);
	return by_pipe[1].missing == NULL && by_tty[2].missing == NULL ? 0 : 1;
}
