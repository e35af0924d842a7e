/* SPDX-License-Identifier: MIT */
/* Takes every signal of the kernel (1-64) by signalfd and prints "got SIGNAL CODE VALUE" for each; "ready" first, and
 * "end" when its standard input has a line or is at end of file. Raw calls: libc hides 32 and 33. With the argument
 * "stay", SIGTSTP, SIGTTIN, SIGTTOU and SIGCONT keep their default action. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t all = ~UINT64_C(0);
	struct signalfd_siginfo si;
	char buf[64];

	if (argc > 1 && !strcmp(argv[1], "stay"))
		all &= ~(UINT64_C(1) << 19 | UINT64_C(1) << 20 | UINT64_C(1) << 21 | UINT64_C(1) << 17);
	syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, sizeof all);
	int fd = (int)syscall(SYS_signalfd4, -1, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return 99;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
		if (poll(p, 2, -1) < 0)
			continue;
		while (read(fd, &si, sizeof si) == sizeof si)
			printf("got %u %d %d\n", si.ssi_signo, si.ssi_code, si.ssi_int);
		if (p[1].revents) {
			(void)!read(0, buf, sizeof buf);
			puts("end");
			return 0;
		}
	}
}
