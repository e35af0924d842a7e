/* SPDX-License-Identifier: MIT */
/*
 * family [own|apart|alone] [stay]: itself and a child ("kid") that has its group; one of its own with "own", a session
 * of its own with "apart"; no kid with "alone". Both take every signal by signalfd and print "me got SIGNAL CODE VALUE"
 * or "kid got …"; with "stay" the signals of job control keep their default action. Before that, for each of them:
 *   NAME pid P ppid P pgrp P sid P tpgid P blocked HEX ignored HEX
 * ("tpgid": of its controlling terminal, -1 without one) and then "ready". It ends with status 7 at a line or the end
 * of its standard input, the kid when descriptor 9 is at its end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static void status_of(unsigned long long *blocked, unsigned long long *ignored)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f)) {
		sscanf(line, "SigBlk: %llx", blocked);
		sscanf(line, "SigIgn: %llx", ignored);
	}
	if (f)
		fclose(f);
}

static void introduce(const char *name, unsigned long long blocked, unsigned long long ignored)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	dprintf(1, "%s pid %d ppid %d pgrp %d sid %d tpgid %d blocked %llx ignored %llx\n", name, getpid(), getppid(),
		getpgrp(), getsid(0), tty < 0 ? -1 : tcgetpgrp(tty), blocked, ignored);
	if (tty >= 0)
		close(tty);
}

static int live(const char *name, int end, int sfd)
{
	struct signalfd_siginfo si;

	for (;;) {
		struct pollfd p[2] = { { .fd = sfd, .events = POLLIN }, { .fd = end, .events = POLLIN } };
		if (poll(p, 2, -1) < 0)
			continue;
		while (read(sfd, &si, sizeof si) == sizeof si)
			dprintf(1, "%s got %u %d %d\n", name, si.ssi_signo, si.ssi_code, si.ssi_int);
		if (p[1].revents)
			return 7;
	}
}

int main(int argc, char **argv)
{
	uint64_t all = ~UINT64_C(0);
	unsigned long long blocked = 0, ignored = 0;
	int own = 0, apart = 0, alone = 0, go[2];
	char c;

	for (int i = 1; i < argc; i++) {
		own |= !strcmp(argv[i], "own");
		apart |= !strcmp(argv[i], "apart");
		alone |= !strcmp(argv[i], "alone");
		if (!strcmp(argv[i], "stay"))
			all &= ~(UINT64_C(1) << 19 | UINT64_C(1) << 20 | UINT64_C(1) << 21 | UINT64_C(1) << 17);
	}
	status_of(&blocked, &ignored);
	syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, NULL, sizeof all);
	introduce("me", blocked, ignored);
	if (!alone) {
		if (pipe(go))
			return 98;
		pid_t kid = fork();
		if (kid == 0) {
			close(go[0]);
			if (own)
				setpgid(0, 0);
			if (apart)
				setsid();
			introduce("kid", blocked, ignored);
			int sfd = (int)syscall(SYS_signalfd4, -1, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK);
			close(go[1]);
			return live("kid", 9, sfd);
		}
		close(go[1]);
		(void)!read(go[0], &c, 1);
		close(go[0]);
	}
	int sfd = (int)syscall(SYS_signalfd4, -1, &all, sizeof all, SFD_CLOEXEC | SFD_NONBLOCK);
	dprintf(1, "ready\n");
	return live("me", 0, sfd);
}
