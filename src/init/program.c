/* SPDX-License-Identifier: MIT */
/* pidbox-init: the init as a program of its own, for a library's host, and for who has PID 1 already. */
#include "init/door.h"

int main(int argc, char **argv, char **envp)
{
	return init_main(argc, argv, envp);
}
