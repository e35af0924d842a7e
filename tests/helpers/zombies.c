/* SPDX-License-Identifier: MIT */
/* zombies N: a child of it makes N zombies and exits, so that PID 1 gets all at once; then waits (5 s at most) until
 * /proc shows no zombie any more and prints "made N left M"; with "now" it does not wait and prints "made N". */
#include "zombies.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 100, left = 0, made = 0, fd[2];

	if (pipe(fd))
		return 97;
	pid_t mid = fork();
	if (mid == 0) {
		for (int i = 0; i < n; i++) {
			pid_t p = fork();
			if (p == 0)
				_exit(0);
			siginfo_t si;
			if (p > 0 && waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT) == 0)
				made++;
		}
		(void)!write(fd[1], &made, sizeof made);
		_exit(0);
	}
	(void)!read(fd[0], &made, sizeof made);
	waitpid(mid, NULL, 0);
	if (argc > 2) {
		printf("made %d\n", made);
		return 0;
	}
	for (int i = 0; i < 500 && (left = count_zombies(-1)); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	printf("made %d left %d\n", made, left);
	return 0;
}
