/* SPDX-License-Identifier: MIT */
/* fds [FILE]: the open descriptors, "N DEV:INO" a line, to FILE (opened afterwards) or standard output. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	static char out[1 << 20];
	size_t n = 0;
	struct stat st;

	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fstat(fd, &st) == 0 && n < sizeof out - 100)
			n += (size_t)sprintf(out + n, "%d %lx:%lu\n", fd, (unsigned long)st.st_dev,
					     (unsigned long)st.st_ino);
	FILE *f = argc > 1 ? fopen(argv[1], "w") : stdout;
	return f && fwrite(out, 1, n, f) == n && fflush(f) == 0 ? 0 : 99;
}
