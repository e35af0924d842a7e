/* SPDX-License-Identifier: MIT */
/*
 * How long a signal takes from whoever sends it to the front of a box until the command's sigwaitinfo has it: usage:
 * signal PIDBOX FLOOR COMMAND [ROUNDS [SIGNALS]]. COMMAND is inits-command. In each round all of them live, anew: which
 * processors they are on counts; signal by signal each one in turn.
 *
 * unshare's front passes nothing on: there it is sent to tini, PID 1 inside. The relays are the least that two
 * processes between can do: the front waits for the signal and writes a byte, PID 1 reads it and sends the signal.
 */
#include "box.h"
#include "floor.h"
#include "stats.h"
#include "ways.h"

#include <sys/socket.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { WARM_UP = 5 };

static struct way ways[] = {
	{ .name = "the command itself", .words = "%T l", WAY_BOTH },
	{ .name = "floor: two relays", .words = "%T l", WAY_BOTH },
	{ .name = "pidbox run", .words = "%P run -- %T l", WAY_BOTH },
	{ .name = "pidbox run --as-pid1", .words = "%P run --as-pid1 -- %T l", WAY_BOTH },
	{ .name = "unshare + tini-static: to tini",
	  .words = WAY_UNSHARE " --kill-child tini-static -- %T l",
	  .as_root = true,
	  .also = "tini-static" },
	{ .name = "unshare + tini-static: to tini",
	  .words = WAY_UNSHARE_USER " --kill-child tini-static -- %T l",
	  .as_user = true,
	  .also = "tini-static" },
	{ .name = "bwrap", .words = WAY_BWRAP_WITH("--die-with-parent ") " %T l", WAY_BOTH },
	{ .name = "firejail", .words = "firejail --quiet --noprofile -- %T l", .as_root = true },
};
enum { WAYS = LEN(ways), ALONE = 0, RELAYS = 1, OURS = 2, TINI = 4, TINI_OF_USER = 5 };

/* ------------------------------------------------------------ the relays */

static void take_and_tell(int to)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	while (sigwaitinfo(&set, NULL) == SIGUSR1)
		if (write(to, "", 1) != 1)
			break;
	_exit(0);
}

/* PID 1, whose child is the command. */
static void hear_and_signal(char *const argv[], int from)
{
	pid_t command = fork();
	sigset_t none;
	char byte;

	if (command == 0) {
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)execv(argv[0], argv);
		_exit(125);
	}
	while (read(from, &byte, 1) == 1)
		(void)kill(command, SIGUSR1);
	_exit(0);
}

static pid_t spawn_relays(char *const argv[], int in, int out)
{
	struct floor_start s;
	sigset_t set;
	pid_t front = fork(), pid;
	int pair[2];

	if (front != 0)
		return front;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		_exit(125);
	floor_prepare(&s, -1, argv);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | (s.user ? CLONE_NEWUSER : 0) | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0 || (pid == 0 && s.user && floor_map_self(&s) < 0))
		_exit(125);
	(void)close(pair[pid == 0 ? 0 : 1]);
	if (pid == 0)
		hear_and_signal(argv, pair[1]);
	take_and_tell(pair[0]);
	return -1;
}

/* ------------------------------------------------------------ rounds */

static void measure_round(int signals)
{
	struct box boxes[WAYS];
	struct said said;

	for (size_t i = 0; i < WAYS; i++)
		if (ways[i].missing == NULL &&
		    !box_start(i == RELAYS ? spawn_relays : spawn_with, ways[i].argv, &boxes[i]))
			ways[i].missing = "does not work here";
	for (int n = -WARM_UP; n < signals; n++)
		for (size_t k = 0; k < WAYS; k++) {
			size_t i = way_turn(n & 1, k, WAYS);
			pid_t to = i == TINI || i == TINI_OF_USER ? boxes[i].first : boxes[i].front;
			double from;

			if (ways[i].missing != NULL)
				continue;
			from = clock_now_us();
			if (kill(to, SIGUSR1) < 0 || !said_hear(boxes[i].out, &said)) {
				box_end(&boxes[i]);
				ways[i].missing = "does not pass SIGUSR1 on";
			} else if (n >= 0) {
				series_add(&ways[i].times, (double)said.ns / 1e3 - from);
			}
		}
	for (size_t i = 0; i < WAYS; i++)
		if (ways[i].missing == NULL)
			box_end(&boxes[i]);
}

int main(int argc, char *argv[])
{
	int rounds = argc > 4 ? atoi(argv[4]) : 15, signals = argc > 5 ? atoi(argv[5]) : 100;
	struct way_programs programs;

	if (argc < 4 || rounds < 1 || signals < 1) {
		(void)fprintf(stderr, "usage: signal PIDBOX FLOOR COMMAND [ROUNDS [SIGNALS]]\n");
		return 2;
	}
	programs = way_programs(argv[1], argv[2]);
	(void)snprintf(programs.command, sizeof(programs.command), "%s", argv[3]);
	for (size_t i = 0; i < WAYS; i++)
		way_prepare(&ways[i], &programs);
	for (int round = 0; round < rounds; round++)
		measure_round(signals);
	for (size_t i = 0; i < WAYS; i++)
		way_tell(row_of("signal"), 0, "us", &ways[i]);
	return ways[OURS].missing == NULL ? 0 : 1;
}
