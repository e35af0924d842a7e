/* SPDX-License-Identifier: MIT */
/* loopback: a TCP connection to itself on 127.0.0.1; "ok", or the step that failed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t l = sizeof a;
	int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);

	alarm(5);
	if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 1) || getsockname(s, (struct sockaddr *)&a, &l))
		return perror("bind"), 1;
	if (connect(c, (struct sockaddr *)&a, sizeof a))
		return perror("connect"), 1;
	puts("ok");
	return 0;
}
