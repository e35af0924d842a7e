/* SPDX-License-Identifier: MIT */
/* orphan: makes an orphan, waits for it and prints whose child it became: "ppid N". */
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	int fd[2], ppid = -1;

	if (pipe(fd))
		return 99;
	pid_t p = fork();
	if (p == 0) {
		pid_t was = getpid();
		if (fork())
			_exit(0);
		for (int i = 0; i < 2000 && getppid() == was; i++)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		ppid = getppid();
		(void)!write(fd[1], &ppid, sizeof ppid);
		_exit(0);
	}
	waitpid(p, NULL, 0);
	close(fd[1]);
	(void)!read(fd[0], &ppid, sizeof ppid);
	printf("ppid %d\n", ppid);
	return 0;
}
