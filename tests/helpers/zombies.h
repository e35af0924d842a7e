/* SPDX-License-Identifier: MIT */
/* The zombies that /proc shows. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* How many; parent: whose children, -1: anybody's. */
static int count_zombies(pid_t parent)
{
	DIR *d = opendir("/proc");
	int n = 0, ppid;
	char state;

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], buf[512], *p;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		FILE *f = fopen(path, "re");
		if (f && fgets(buf, sizeof buf, f) && (p = strrchr(buf, ')')))
			n += sscanf(p + 1, " %c %d", &state, &ppid) == 2 && state == 'Z' &&
			     (parent < 0 || ppid == parent);
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return n;
}
