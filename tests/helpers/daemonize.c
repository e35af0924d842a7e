/* SPDX-License-Identifier: MIT */
/* daemonize [SECONDS]: double fork, setsid, everything that can be ignored is ignored; returns when the daemon stands.
 * It keeps the descriptors that it was given. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd[2], left = argc > 1 ? atoi(argv[1]) : 1000;
	char c;

	if (pipe(fd))
		return 99;
	pid_t p = fork();
	if (p == 0) {
		setsid();
		if (fork())
			_exit(0);
		for (int s = 1; s < 65; s++)
			signal(s, SIG_IGN);
		(void)!write(fd[1], "r", 1);
		close(fd[0]);
		close(fd[1]);
		while (left)
			left = (int)sleep((unsigned)left);
		_exit(0);
	}
	waitpid(p, NULL, 0);
	close(fd[1]);
	return read(fd[0], &c, 1) == 1 ? 0 : 98;
}
