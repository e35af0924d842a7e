/* SPDX-License-Identifier: MIT */
/* cpuburn [MILLISECONDS [FILE]]: uses CPU for that long (CPU time; default 60 s); then makes FILE and stays, idle. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long ms = argc > 1 ? atol(argv[1]) : 60000;

	while (clock() / (CLOCKS_PER_SEC / 1000) < ms)
		for (volatile int i = 0; i < 10000; i++)
			;
	if (argc > 2 && open(argv[2], O_CREAT | O_WRONLY, 0644) >= 0)
		pause();
	return 0;
}
