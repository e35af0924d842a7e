/* SPDX-License-Identifier: MIT */
/*
 * How long the end of a box takes that holds many processes: usage: end PIDBOX FLOOR COMMAND [ROUNDS [MOST]]. COMMAND
 * is inits-command. X is the number of processes in it: 10, 1000, 10000. Round by round each way in turn.
 *
 *   end-exit   from the command's last instruction but one until all inside has ended and the front has been reaped
 *   end-kill   the same from a SIGKILL to the front, or from the start of `pidbox kill`
 *
 * "PID 1 alone" is the command itself as PID 1 of a PID namespace: what the kernel takes, nobody can do better.
 */
#include "box.h"
#include "floor.h"
#include "stats.h"
#include "ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { COUNTS = 3 };
static const int counts[COUNTS] = { 10, 1000, 10000 };
static const int times_a_round[COUNTS] = { 12, 6, 1 }; /* what is over soon varies most */

/* The last word is put in: the number of processes. */
static struct way ways[] = {
	{ .name = "PID 1 alone", .words = "%T c 0", WAY_BOTH },
	{ .name = "floor", .words = "%F %T c 0", WAY_BOTH },
	{ .name = "pidbox run", .words = "%P run -- %T c 0", WAY_BOTH },
	{ .name = "pidbox run --as-pid1", .words = "%P run --as-pid1 -- %T c 0", WAY_BOTH },
	{ .name = "unshare", .words = WAY_UNSHARE " --kill-child %T c 0", .as_root = true },
	{ .name = "unshare", .words = WAY_UNSHARE_USER " --kill-child %T c 0", .as_user = true },
	{ .name = "unshare + tini-static",
	  .words = WAY_UNSHARE " --kill-child tini-static -- %T c 0",
	  .as_root = true,
	  .also = "tini-static" },
	{ .name = "bwrap", .words = WAY_BWRAP_WITH("--die-with-parent ") " %T c 0", WAY_BOTH },
	/* Only its end is another one's. */
	{ .name = "pidbox kill", .words = "%P run -- %T c 0", WAY_BOTH },
};
enum { WAYS = LEN(ways), ALONE = 0, OURS = 2, BY_VERB = WAYS - 1 };

static struct series by_exit[WAYS][COUNTS], by_kill[WAYS][COUNTS];
static const char *missing[WAYS][COUNTS];

/* ------------------------------------------------------------ ends */

static void add(size_t i, int count, struct series *s, double from, double to, const char *why)
{
	if (from > 0 && to > from)
		series_add(s, (to - from) / 1e3);
	else
		missing[i][count] = why;
}

static bool begin(size_t i, int count, struct box *ret)
{
	static char number[16];
	char **word = ways[i].argv;

	(void)snprintf(number, sizeof(number), "%d", counts[count]);
	while (word[1] != NULL)
		word++;
	*word = number;
	if (box_start(i == ALONE ? spawn_as_pid1 : spawn_with, ways[i].argv, ret))
		return true;
	missing[i][count] = "so many processes could not be made";
	return false;
}

static void measure_exit(size_t i, int count)
{
	struct said said = { 0 };
	struct box b;
	double to;
	bool heard;

	if (!begin(i, count, &b))
		return;
	heard = write(b.in, "", 1) == 1 && said_hear(b.out, &said);
	to = heard ? box_gone(&b) : -1;
	if (heard)
		box_close(&b);
	else
		box_end(&b);
	add(i, count, &by_exit[i][count], (double)said.ns / 1e3, to, "does not end with its command");
}

static void measure_kill(size_t i, int count, char *pidbox)
{
	char verb[] = "kill", target[16];
	char *argv[] = { pidbox, verb, target, NULL };
	pid_t killer = -1;
	struct box b;
	double from, to;

	if (!begin(i, count, &b))
		return;
	(void)snprintf(target, sizeof(target), "%d", (int)b.front);
	from = clock_now_us();
	if (i != BY_VERB)
		(void)kill(b.front, SIGKILL);
	else if (posix_spawn(&killer, argv[0], NULL, NULL, argv, environ) != 0)
		(void)kill(b.front, SIGKILL);
	to = box_gone(&b);
	box_close(&b);
	if (killer > 0)
		(void)waitpid(killer, NULL, 0);
	add(i, count, &by_kill[i][count], i != BY_VERB || killer > 0 ? from : -1, to, "does not end with its front");
}

/* Each way once. */
static void measure(int turn, int count, char *pidbox)
{
	for (size_t k = 0; k < WAYS; k++) {
		size_t i = way_turn(turn, k, WAYS);

		if (ways[i].missing == NULL && missing[i][count] == NULL && i != BY_VERB)
			measure_exit(i, count);
		if (ways[i].missing == NULL && missing[i][count] == NULL)
			measure_kill(i, count, pidbox);
	}
}

static void tell(size_t i, int count)
{
	const struct way *w = &ways[i];
	const char *why = w->missing != NULL ? w->missing : missing[i][count];

	if (why != NULL && why[0] == '\0')
		return;
	for (int k = 0; k < 2; k++) {
		const char *row = row_of(k == 0 ? "end-exit" : "end-kill");

		if (why != NULL)
			tell_missing(row, w->name, why);
		else if (k == 1 || i != BY_VERB)
			series_tell(row, w->name, counts[count], "ms",
				    k == 0 ? &by_exit[i][count] : &by_kill[i][count]);
	}
}

int main(int argc, char *argv[])
{
	int rounds = argc > 4 ? atoi(argv[4]) : 10, most = argc > 5 ? atoi(argv[5]) : counts[COUNTS - 1];
	struct way_programs programs;

	if (argc < 4 || rounds < 1) {
		(void)fprintf(stderr, "usage: end PIDBOX FLOOR COMMAND [ROUNDS [MOST]]\n");
		return 2;
	}
	programs = way_programs(argv[1], argv[2]);
	(void)snprintf(programs.command, sizeof(programs.command), "%s", argv[3]);
	for (size_t i = 0; i < WAYS; i++)
		way_prepare(&ways[i], &programs);
	for (int round = 0; round < rounds; round++)
		for (int count = 0; count < COUNTS && counts[count] <= most; count++)
			for (int time = 0; time < times_a_round[count]; time++)
				measure(round + time, count, argv[1]);
	for (size_t i = 0; i < WAYS; i++)
		for (int count = 0; count < COUNTS && counts[count] <= most; count++)
			tell(i, count);
	return ways[OURS].missing == NULL && missing[OURS][0] == NULL ? 0 : 1;
}
