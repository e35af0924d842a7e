/* SPDX-License-Identifier: MIT */
/* thread: start a second thread, print its number, and wait for ever. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *second(void *unused)
{
	printf("%ld\n", syscall(SYS_gettid));
	fflush(stdout);
	for (;;)
		pause();
	return unused;
}

int main(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, second, NULL))
		return 1;
	for (;;)
		pause();
}
