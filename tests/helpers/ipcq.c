/* SPDX-License-Identifier: MIT */
/* ipcq make|find|drop KEY: a System V message queue; prints "yes" or "no". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 99;
	int id = msgget((key_t)atoi(argv[2]), strcmp(argv[1], "make") ? 0 : IPC_CREAT | 0600);
	if (id >= 0 && !strcmp(argv[1], "drop"))
		msgctl(id, IPC_RMID, NULL);
	puts(id < 0 ? "no" : "yes");
	return 0;
}
