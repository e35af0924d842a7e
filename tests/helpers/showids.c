/* SPDX-License-Identifier: MIT */
/* showids: "uid R E S gid R E S groups G..." */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	uid_t r, e, s;
	gid_t gr, ge, gs, g[1000];

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	int n = getgroups(1000, g);
	printf("uid %u %u %u gid %u %u %u groups", r, e, s, gr, ge, gs);
	for (int i = 0; i < n; i++)
		printf(" %u", g[i]);
	puts("");
	return 0;
}
