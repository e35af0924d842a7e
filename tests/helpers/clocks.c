/* SPDX-License-Identifier: MIT */
/* clocks: "monotonic NS boottime NS" */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec m, b;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_BOOTTIME, &b);
	printf("monotonic %lld boottime %lld\n", m.tv_sec * 1000000000LL + m.tv_nsec,
	       b.tv_sec * 1000000000LL + b.tv_nsec);
	return 0;
}
