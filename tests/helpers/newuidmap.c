/* SPDX-License-Identifier: MIT */
/* newuidmap PID INSIDE OUTSIDE COUNT...: newuidmap(1), and newgidmap(1) by that name, without a look at /etc/subuid.
 * Set user ID root it is a program that may write maps. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[64], text[1024] = "";
	size_t len = 0;
	int fd;

	if (argc < 5 || (argc - 2) % 3)
		return 99;
	for (int i = 2; i < argc; i += 3)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s %s %s\n", argv[i], argv[i + 1], argv[i + 2]);
	snprintf(path, sizeof path, "/proc/%s/%s", argv[1], strstr(argv[0], "newgid") ? "gid_map" : "uid_map");
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len) {
		perror(argv[0]);
		return 1;
	}
	return 0;
}
