/* SPDX-License-Identifier: MIT */
/* argv: its arguments, argv[0] first, each with its NUL. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
	return 0;
}
