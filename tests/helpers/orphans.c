/* SPDX-License-Identifier: MIT */
/* orphans N ALIVE: makes N orphans one after the other, each of which ends at once, and goes on only while all but
 * ALIVE of them are gone, reaped by our parent. Every thousand it counts that one's zombies. Then it waits until there
 * is none (5 s at most) and prints "made N most M left L"; "stuck at I" when one is not reaped within 20 s. */
#define _GNU_SOURCE
#include "zombies.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ALIVE = 256, STACK = 8192 };

static char stacks[MOST_ALIVE + 1][STACK] __attribute__((aligned(16)));
static pid_t orphan[MOST_ALIVE];

static int leaf(void *arg)
{
	(void)arg;
	return 0;
}

static int middle(void *arg)
{
	pid_t *slot = arg;

	*slot = clone(leaf, stacks[slot - orphan] + STACK, CLONE_VM | SIGCHLD, NULL);
	return 0;
}

/* Nothing is copied for any of them: the memory is shared, and who makes one waits for who made it. */
static int make(int slot)
{
	pid_t pid = clone(middle, stacks[MOST_ALIVE] + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &orphan[slot]);

	return pid > 0 && waitpid(pid, NULL, 0) == pid && orphan[slot] > 0 ? 0 : -1;
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int is_reaped(pid_t pid)
{
	for (int i = 0; i < 20000; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return 1;
		if (i < 100)
			sched_yield();
		else
			pause_a_little();
	}
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, alive = argc > 2 ? atoi(argv[2]) : 0, most = 0, left = 0;

	if (alive < 1 || alive > MOST_ALIVE)
		return 97;
	for (int i = 0; i < n; i++) {
		if (i >= alive && !is_reaped(orphan[i % alive])) {
			printf("stuck at %d\n", i);
			return 1;
		}
		if (make(i % alive) < 0)
			return 98;
		if (i % 1000 == 999) {
			int now = count_zombies(getppid());

			most = now > most ? now : most;
		}
	}
	for (int i = 0; i < 5000 && (left = count_zombies(getppid())); i++)
		pause_a_little();
	printf("made %d most %d left %d\n", n, most, left);
	return 0;
}
