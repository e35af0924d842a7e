/* SPDX-License-Identifier: MIT */
/*
 * What `pidbox exec BOX true` costs beside nsenter into the same box, and beside the program alone.
 * usage: exec PIDBOX TRUE [ROUNDS]. Round by round each one in turn; medians, tails and ratios.
 */
#include "proc.h"
#include "stats.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ALONE, EXEC, NSENTER, WAYS, WARM_UP = 5 };

static const char *const names[] = { "the command alone", "pidbox exec", "nsenter" };

/* A box that sleeps. @return the PID of its front; *ret_init: that of its init, when its command is there */
static pid_t start_box(char *pidbox, int *ret_init)
{
	char run[] = "run", name[] = "sleep", seconds[] = "100000";
	char *argv[] = { pidbox, run, name, seconds, NULL };
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return -1;
	for (int tries = 0; tries < 10000; tries++) {
		*ret_init = child_of(pid);
		if (*ret_init > 0 && child_of(*ret_init) > 0)
			return pid;
		(void)usleep(1000);
	}
	(void)kill(pid, SIGTERM);
	return -1;
}

int main(int argc, char *argv[])
{
	int count = argc > 3 ? atoi(argv[3]) : 300, init = 0, status = 0;
	char box[16], target[16], exec[] = "exec", nsenter[] = "nsenter", all[] = "-a",
				  keep[] = "--preserve-credentials", option[] = "-t";
	struct series times[WAYS] = { 0 };
	double median[WAYS];
	pid_t front;

	if (argc < 3 || count < 1) {
		(void)fprintf(stderr, "usage: exec PIDBOX TRUE [ROUNDS]\n");
		return 2;
	}
	char *alone[] = { argv[2], NULL }, *by_exec[] = { argv[1], exec, box, argv[2], NULL },
	     *by_nsenter[] = { nsenter, all, keep, option, target, argv[2], NULL };
	/* To an ordinary user -a is refused: it enters the cgroup namespace, which is his own already. */
	char user[] = "-U", mount[] = "-m", uts[] = "-u", ipc[] = "-i", pid[] = "-p";
	char *by_user[] = { nsenter, user, mount, uts, ipc, pid, keep, option, target, argv[2], NULL };
	char **const ways[WAYS] = { alone, by_exec, geteuid() == 0 ? by_nsenter : by_user };

	front = start_box(argv[1], &init);
	if (front < 0)
		return 1;
	(void)snprintf(box, sizeof(box), "%d", (int)front);
	(void)snprintf(target, sizeof(target), "%d", init);
	for (int round = -WARM_UP; round < count; round++) {
		for (int i = 0; i < WAYS; i++) {
			double us = time_program(ways[i]);

			if (us < 0 && i != NSENTER) /* which may not be there */
				status = 1;
			if (us >= 0 && round >= 0)
				series_add(&times[i], us);
		}
	}
	printf("uid %u, %d rounds, interleaved\n%-24s%10s%10s%12s\n", geteuid(), count, "", "median us", "p99 us",
	       "of nsenter");
	for (int i = 0; i < WAYS; i++)
		median[i] = series_median(&times[i]);
	for (int i = 0; i < WAYS; i++)
		printf("%-24s%10.0f%10.0f%12.2f\n", names[i], median[i], series_quantile(&times[i], 0.99),
		       median[NSENTER] > 0 ? median[i] / median[NSENTER] : 0);
	(void)kill(front, SIGTERM);
	(void)waitpid(front, NULL, 0);
	return status;
}
