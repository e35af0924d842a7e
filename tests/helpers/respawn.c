/* SPDX-License-Identifier: MIT */
/* respawn: a moving target. Each generation forks the next one and exits, for five seconds at most; the first process
 * returns at once. */
#include <time.h>
#include <unistd.h>

static long now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

int main(void)
{
	long end = now() + 5;

	if (fork())
		return 0;
	setsid();
	while (now() < end) {
		pid_t p = fork();
		if (p > 0)
			_exit(0);
		if (p < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return 0;
}
