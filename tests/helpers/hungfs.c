/* SPDX-License-Identifier: MIT */
/* hungfs DIR: a FUSE is mounted there that answers nothing but its start; "up", or the step that failed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static void serve(int fd)
{
	static char buf[1 << 18];
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} answer = { .head = { .len = sizeof(answer) },
		     .init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 65536 } };

	for (;;) {
		const struct fuse_in_header *ask = (const void *)buf;

		if (read(fd, buf, sizeof(buf)) < 0) {
			if (errno == ENODEV)
				return;
		} else if (ask->opcode == FUSE_INIT) {
			answer.head.unique = ask->unique;
			if (write(fd, &answer, sizeof(answer)) < 0)
				return;
			puts("up");
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv)
{
	char options[100];
	int fd = open("/dev/fuse", O_RDWR);

	if (argc != 2 || fd < 0)
		return puts("/dev/fuse"), 0;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=%u,group_id=%u", fd, getuid(), getgid());
	if (mount("hung", argv[1], "fuse", 0, options) < 0)
		return puts("mount"), 0;
	serve(fd);
	return 0;
}
