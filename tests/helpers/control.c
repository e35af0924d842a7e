/* SPDX-License-Identifier: MIT */
/*
 * control [-n | -p FD] [-s FD] [-f] PATH TYPE [SIGNAL [GRACE]]: one request to a control socket, by the numbers of
 * core/control.h; prints "TYPE ERRNUM STATUS" of the answer, or "closed". -n: without a pidfd; -p FD: with that
 * descriptor for one; -s FD: over that connection; -f: sent by a grandchild, whose parents have ended.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
	uint32_t magic, version, type;
	int32_t signal;
	int64_t grace_us;
	uint64_t rest[5];
};
struct reply {
	uint32_t magic, version, type;
	int32_t errnum, step, aux, inside_pid, status, rest[4];
	int64_t more[9];
};

int main(int argc, char **argv)
{
	struct request ask = { .magic = 0x31584250, .version = 1, .grace_us = -1 };
	struct reply reply = { 0 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(5 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &ask, sizeof(ask) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	int option, none = 0, sock = -1, pidfd = -1, orphan = 0, tries = 0;
	ssize_t n;

	while ((option = getopt(argc, argv, "np:s:f")) != -1) {
		none |= option == 'n';
		orphan |= option == 'f';
		if (option == 'p')
			pidfd = atoi(optarg);
		if (option == 's')
			sock = atoi(optarg);
	}
	if (argc - optind < 2)
		return 2;
	ask.type = (uint32_t)atoi(argv[optind + 1]);
	ask.signal = argc - optind > 2 ? atoi(argv[optind + 2]) : 0;
	ask.grace_us = argc - optind > 3 ? atoll(argv[optind + 3]) : -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[optind]);
	if (sock < 0) {
		sock = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0) {
			printf("connect %d\n", errno);
			return 0;
		}
	}
	if (orphan) {
		int status, alive[2];
		pid_t child = pipe(alive) == 0 ? fork() : -1;

		if (child < 0)
			return 2;
		if (child > 0) { /* it ends before its child speaks */
			close(alive[1]);
			waitpid(child, &status, 0);
			while (wait(&status) > 0) /* in a box it is PID 1's */
				continue;
			/* Our end is the box's: not before the orphan has spoken, whose end closes the pipe. */
			while (read(alive[0], &status, 1) > 0)
				continue;
			return 0;
		}
		if (fork() > 0)
			_exit(0);
		while (getppid() == child)
			usleep(1000);
		usleep(50000);
	}
	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (!none) {
		int fds[5] = { pidfd, 0, 0, 1, 2 };
		size_t count = ask.type == 4 ? 5 : 1;

		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
		head.msg_control = &control;
		head.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
	}
	(void)sendmsg(sock, &head, MSG_NOSIGNAL);
	do
		n = recv(sock, &reply, sizeof(reply), 0);
	while (n < 0 && tries++ < 3);
	if (n == sizeof(reply))
		printf("%u %d %d\n", reply.type, reply.errnum, reply.status);
	else
		printf("closed\n");
	return 0;
}
