/* SPDX-License-Identifier: MIT */
/*
 * What `pidbox exec BOX true` costs beside nsenter into the same box, and beside the program alone:
 * exec PIDBOX FLOOR [ROUNDS]. Round by round each one in turn. Row "exec", microseconds.
 */
#include "proc.h"
#include "ways.h"

#include <signal.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { OURS = 1 };

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
	int count = argc > 3 ? atoi(argv[3]) : 300, init = 0;
	char by_exec[64], by_root[64], by_user[64];
	struct way ways[] = {
		{ .name = "the command alone", .words = "%T", .as_root = true, .as_user = true },
		[OURS] = { .name = "pidbox exec", .words = by_exec, .as_root = true, .as_user = true },
		{ .name = "nsenter", .words = by_root, .as_root = true },
		{ .name = "nsenter", .words = by_user, .as_user = true },
	};
	struct way_programs programs;
	pid_t front;

	if (argc < 3 || count < 1) {
		(void)fprintf(stderr, "usage: exec PIDBOX FLOOR [ROUNDS]\n");
		return 2;
	}
	front = start_box(argv[1], &init);
	if (front < 0)
		return 1;
	(void)snprintf(by_exec, sizeof(by_exec), "%%P exec %d %%T", (int)front);
	(void)snprintf(by_root, sizeof(by_root), "nsenter -a --preserve-credentials -t %d %%T", init);
	/* To an ordinary user -a is refused: it enters the cgroup namespace, which is his own already. */
	(void)snprintf(by_user, sizeof(by_user), "nsenter -U -m -u -i -p --preserve-credentials -t %d %%T", init);
	programs = way_programs(argv[1], argv[2]);
	ways_prepare(ways, LEN(ways), &programs);
	ways_time(ways, LEN(ways), count);
	ways_tell(row_of("exec"), 0, "us", ways, LEN(ways));
	(void)kill(front, SIGTERM);
	(void)waitpid(front, NULL, 0);
	return ways[OURS].missing == NULL ? 0 : 1;
}
