/* SPDX-License-Identifier: MIT */
/* A terminal for a program under measurement: its master is ours. */
#ifndef BENCH_TERMINAL_H
#define BENCH_TERMINAL_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The program has it as its controlling terminal and its standard streams. @return its PID; < 0: there is none */
static inline pid_t spawn_on_terminal(char *const argv[], int *ret_master)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid_t pid = -1;

	if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
		pid = fork();
	if (pid == 0) {
		int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);

		(void)setsid();
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 ||
		    dup2(slave, 2) < 0)
			_exit(125);
		(void)execvp(argv[0], argv);
		_exit(125);
	}
	if (pid > 0)
		*ret_master = master;
	else
		(void)close(master);
	return pid;
}

#endif
