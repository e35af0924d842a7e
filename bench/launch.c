/* SPDX-License-Identifier: MIT */
/*
 * What `pidbox run -- true` costs beside others that start a command in a PID namespace of its own:
 * usage: launch PIDBOX FLOOR [ROUNDS]. Round by round each one in turn; medians, tails and ratios.
 */
#include "stats.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { WARM_UP = 5, MAX_ARGS = 32 };

/* One way; "%T" in a word is the static command, "%P" pidbox, "%F" the floor. */
struct way {
	const char *name, *words;
	bool as_root, as_user;
	char *argv[MAX_ARGS];
	struct series times;
	const char *missing; /* why it is left out */
};

static struct way ways[] = {
	{ .name = "the command alone", .words = "%T", .as_root = true, .as_user = true },
	{ .name = "floor", .words = "%F %T", .as_root = true, .as_user = true },
	{ .name = "pidbox run", .words = "%P run -- %T", .as_root = true, .as_user = true },
	{ .name = "pidbox run --as-pid1", .words = "%P run --as-pid1 -- %T", .as_root = true, .as_user = true },
	{ .name = "unshare", .words = "unshare -fpmui --mount-proc %T", .as_root = true },
	{ .name = "unshare", .words = "unshare -r -fpmui --mount-proc %T", .as_user = true },
	{ .name = "unshare + tini-static", .words = "unshare -fpmui --mount-proc tini-static -- %T", .as_root = true },
	{ .name = "unshare + tini-static",
	  .words = "unshare -r -fpmui --mount-proc tini-static -- %T",
	  .as_user = true },
	{ .name = "bwrap",
	  .words = "bwrap --unshare-pid --unshare-uts --unshare-ipc --dev-bind / / --proc /proc -- %T",
	  .as_root = true,
	  .as_user = true },
};

static void split(struct way *w, char *pidbox, char *floor_path, char *command)
{
	char *words = strdup(w->words);
	size_t n = 0;

	for (char *word = strtok(words, " "); word != NULL && n + 1 < MAX_ARGS; word = strtok(NULL, " "))
		w->argv[n++] = strcmp(word, "%T") == 0   ? command
			       : strcmp(word, "%P") == 0 ? pidbox
			       : strcmp(word, "%F") == 0 ? floor_path
							 : word;
}

static bool in_path(const char *program)
{
	char *path = strdup(getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin");
	bool found = strchr(program, '/') != NULL && access(program, X_OK) == 0;

	for (char *dir = strtok(path, ":"); dir != NULL && !found; dir = strtok(NULL, ":")) {
		char file[4096];

		(void)snprintf(file, sizeof(file), "%s/%s", dir, program);
		found = access(file, X_OK) == 0;
	}
	free(path);
	return found;
}

static void prepare(struct way *w, char *pidbox, char *floor_path, char *command)
{
	bool root = geteuid() == 0;

	split(w, pidbox, floor_path, command);
	if (!(root ? w->as_root : w->as_user)) {
		w->missing = "";
		return;
	}
	for (size_t i = 0; w->argv[i] != NULL; i++)
		if ((i == 0 || strcmp(w->argv[i], "tini-static") == 0) && !in_path(w->argv[i]))
			w->missing = "not installed";
	for (int i = 0; i < WARM_UP && w->missing == NULL; i++)
		if (time_program(w->argv) < 0)
			w->missing = "does not work here";
}

int main(int argc, char *argv[])
{
	int count = argc > 3 ? atoi(argv[3]) : 300;
	double floor_us, unshare_us = 0;
	char command[4096];

	if (argc < 3 || count < 1) {
		(void)fprintf(stderr, "usage: launch PIDBOX FLOOR [ROUNDS]\n");
		return 2;
	}
	(void)snprintf(command, sizeof(command), "%s-true", argv[2]);
	for (size_t i = 0; i < LEN(ways); i++)
		prepare(&ways[i], argv[1], argv[2], command);
	for (int round = 0; round < count; round++) {
		for (size_t i = 0; i < LEN(ways); i++) {
			double us = ways[i].missing == NULL ? time_program(ways[i].argv) : 0;

			if (us < 0)
				ways[i].missing = "failed in a round";
			else if (us > 0)
				series_add(&ways[i].times, us);
		}
	}
	floor_us = series_median(&ways[1].times);
	for (size_t i = 0; i < LEN(ways); i++)
		if (ways[i].missing == NULL && strcmp(ways[i].name, "unshare") == 0)
			unshare_us = series_median(&ways[i].times);
	printf("uid %u, %d rounds, interleaved\n%-24s%10s%10s%10s%12s\n", geteuid(), count, "", "median us", "p99 us",
	       "of floor", "of unshare");
	for (size_t i = 0; i < LEN(ways); i++) {
		struct way *w = &ways[i];

		if (w->missing == NULL)
			printf("%-24s%10.0f%10.0f%10.2f%12.2f\n", w->name, series_median(&w->times),
			       series_quantile(&w->times, 0.99), series_median(&w->times) / floor_us,
			       unshare_us > 0 ? series_median(&w->times) / unshare_us : 0);
		else if (w->missing[0] != '\0')
			printf("%-24s%s\n", w->name, w->missing);
	}
	return ways[2].missing == NULL ? 0 : 1;
}
