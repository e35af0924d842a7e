/* SPDX-License-Identifier: MIT */
/* die N: dies of signal N, whatever was inherited; "die later" of the first signal that it gets, "die handled" exits 7
 * at the first signal; "die abort" calls abort(), "die fault" touches address 0, "die sigchld" sends PID 1 a SIGCHLD
 * and exits with 0. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int handled;

static void last_words(int sig)
{
	if (handled)
		_exit(7);
	signal(sig, SIG_DFL);
	raise(sig);
}

int main(int argc, char **argv)
{
	const uint64_t none = 0, by_default[4] = { 0 }; /* the kernel's sigaction: SIG_DFL, no flags, no mask */
	int sig;

	if (argc < 2)
		return 99;
	handled = !strcmp(argv[1], "handled");
	if (handled || !strcmp(argv[1], "later")) { /* at the latest after five seconds */
		for (sig = 1; sig < 32; sig++)
			signal(sig, last_words);
		alarm(5);
		for (;;)
			pause();
	}
	if (!strcmp(argv[1], "abort"))
		abort();
	if (!strcmp(argv[1], "sigchld")) {
		kill(1, SIGCHLD);
		_exit(0);
	}
	if (!strcmp(argv[1], "fault"))
		*(volatile int *)8 = 1;
	sig = atoi(argv[1]);
	syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof none); /* libc's refuses 32 and 33, its own */
	syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &none, NULL, sizeof none);
	syscall(SYS_kill, getpid(), sig);
	return 98;
}
