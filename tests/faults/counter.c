/* SPDX-License-Identifier: MIT */
/*
 * counter SIG: counts SIG. After the first one it sends SIGUSR1 to PID 1, which comes back by way of the front: by then
 * whatever else was under way has arrived. Exit status: 70 + how many; 70 when none came within two seconds.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile sig_atomic_t count, back, late;

static void on_counted(int sig)
{
	(void)sig;
	count++;
}

static void on_back(int sig)
{
	(void)sig;
	back = 1;
}

static void on_late(int sig)
{
	(void)sig;
	late = 1;
}

int main(int argc, char **argv)
{
	int sig = argc > 1 ? atoi(argv[1]) : SIGTERM;
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGUSR1, on_back);
	signal(SIGALRM, on_late);
	signal(sig, on_counted);
	alarm(2);
	while (count == 0 && !late)
		sigsuspend(&none);
	if (count > 0)
		kill(1, SIGUSR1);
	while (!back && !late)
		sigsuspend(&none);
	return 70 + count;
}
