/* SPDX-License-Identifier: MIT */
/* forkstorm N: makes N orphans, one after the other, each of which exits at once. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;

	for (int i = 0; i < n; i++) {
		pid_t p = fork();
		if (p < 0)
			return 98;
		if (p == 0)
			_exit(fork() < 0 ? 97 : 0);
		int st;
		if (waitpid(p, &st, 0) != p || st)
			return 99;
	}
	return 0;
}
