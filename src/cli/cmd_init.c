/* SPDX-License-Identifier: MIT */
/* pidbox init: this process becomes the init, which reads the options itself (init/alone_options.c) */
#include "cli/cli.h"

#include <unistd.h>

int cmd_init(int argc, char **argv)
{
	struct pidbox_error err = { 0 };
	char name[] = "pidbox-init";

	(void)argc;
	argv[0] = name;
	(void)pidbox_become_init(argv, environ, &err);
	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}
