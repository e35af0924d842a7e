/* SPDX-License-Identifier: MIT */
/*
 * A crowd to be listed: crowd PROCESSES NAMESPACES makes so many sleeping processes, spread evenly over so many new PID
 * namespaces side by side. It prints the PID of the first namespace's init when all are there, and ends them at the end
 * of its standard input.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t fork_into(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static void sleep_for_ever(void)
{
	for (;;)
		(void)pause();
}

/* PID 1 of a namespace: when it ends the kernel ends the others. */
static void be_init(long others, int ready)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (long i = 0; i < others; i++) {
		pid_t pid = fork_into(0);

		if (pid < 0)
			_exit(1);
		if (pid == 0)
			sleep_for_ever();
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	sleep_for_ever();
}

int main(int argc, char *argv[])
{
	long processes = argc == 3 ? atol(argv[1]) : 0, namespaces = argc == 3 ? atol(argv[2]) : 0;
	pid_t first = 0;
	int ready[2];
	char c;

	if (namespaces < 1 || processes < namespaces || pipe(ready) < 0) {
		(void)fprintf(stderr, "usage: crowd PROCESSES NAMESPACES\n");
		return 2;
	}
	for (long i = 0; i < namespaces; i++) {
		pid_t pid = fork_into(CLONE_NEWPID);

		if (pid < 0) {
			perror("crowd: clone");
			return 1;
		}
		if (pid == 0)
			be_init((processes + i) / namespaces - 1, ready[1]);
		first = first > 0 ? first : pid;
	}
	(void)close(ready[1]);
	for (long i = 0; i < namespaces; i++)
		if (read(ready[0], &c, 1) != 1) {
			(void)fprintf(stderr, "crowd: not all of them could be made\n");
			return 1;
		}
	(void)printf("%d\n", (int)first);
	(void)fflush(stdout);
	while (read(0, &c, 1) > 0 || errno == EINTR)
		errno = 0;
	return 0;
}
