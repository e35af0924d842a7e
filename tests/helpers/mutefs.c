/* SPDX-License-Identifier: MIT */
/* mutefs DIR COMMAND...: mount a file system in user space (FUSE) there whose daemon never answers, then exec. Who asks
 * it anything waits until the command and all that have inherited its descriptor have ended. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char options[128];
	int fd = open("/dev/fuse", O_RDWR);

	if (argc < 3 || fd < 0) {
		perror("mutefs: /dev/fuse");
		return 99;
	}
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, getuid(), getgid());
	if (mount("mute", argv[1], "fuse", 0, options) < 0) {
		perror("mutefs: mount");
		return 98;
	}
	execvp(argv[2], argv + 2);
	perror("mutefs: exec");
	return 97;
}
