/* SPDX-License-Identifier: MIT */
/* The way into the init, for the programs that have it built in. */
#ifndef INIT_DOOR_H
#define INIT_DOOR_H

#include <stdbool.h>
#include <string.h>

/* Has a front executed this program to be an init? "@N" is the socket to it, which nobody else gives. */
static inline bool init_is_meant(int argc, char **argv)
{
	return argc == 2 && argv[1][0] == '@' && strcmp(argv[0], "pidbox-init") == 0;
}

/* The init, from its start to its end. @return its exit status; mostly it does not return */
int init_main(int argc, char **argv, char **envp);

#endif
