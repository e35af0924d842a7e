/* SPDX-License-Identifier: MIT */
/*
 * What a command may try against its init, and then sleep (or, with "end" as the last word, exit with 0):
 *   nofile      lower PID 1's limit of descriptors to nothing, and wake it
 *   flood SIG   send SIG to PID 1 for ever, by three processes, itself deaf to it
 *   many SIG N  send SIG to PID 1 N times
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int sig = argc > 2 ? atoi(argv[2]) : 0;
	struct rlimit none = { 0, 0 };

	if (sig > 0)
		signal(sig, SIG_IGN);
	if (!strcmp(what, "nofile")) {
		if (prlimit(1, RLIMIT_NOFILE, &none, NULL) < 0)
			return 99;
		kill(1, SIGCONT);
	}
	puts("ready");
	fflush(stdout);
	if (!strcmp(what, "flood")) {
		(void)!fork();
		(void)!fork();
		for (;;)
			kill(1, sig);
	}
	if (!strcmp(what, "many"))
		for (int i = atoi(argv[3]); i > 0; i--)
			kill(1, sig);
	if (strcmp(argv[argc - 1], "end") != 0)
		sleep(1000);
	return 0;
}
