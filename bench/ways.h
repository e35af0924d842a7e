/* SPDX-License-Identifier: MIT */
/* The ways to do one thing that a benchmark compares: ours, the floor, the peers. What is missing is named. */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include "stats.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAY_WORDS = 48, WAY_WARM_UP = 5 };

struct way {
	const char *name;
	/* The command line: "%P" is pidbox, "%F" the floor, "%T" the static command that ends at once, "%B" a bundle of
	   that command for OCI runtimes, "%D" a folder for their state. */
	const char *words;
	bool as_root, as_user;
	const char *also; /* another program that it needs, in PATH */
	char *argv[WAY_WORDS];
	struct series times;
	const char *missing; /* why it is left out; "": it is not for this user */
};

/* The same namespaces as a box of pidbox's. */
#define WAY_UNSHARE      "unshare -fpmui --mount-proc"
#define WAY_UNSHARE_USER "unshare -r -fpmui --mount-proc"
#define WAY_BWRAP_WITH(options) \
	"bwrap " options "--unshare-pid --unshare-uts --unshare-ipc --dev-bind / / --proc /proc --"
#define WAY_BWRAP WAY_BWRAP_WITH("")

#define WAY_BOTH .as_root = true, .as_user = true
/* A few for an array: those that are compared where it is one of many that grows. */
#define WAYS_FEW                                                                                                      \
	{ .name = "floor", .words = "%F %T", WAY_BOTH }, { .name = "pidbox run", .words = "%P run -- %T", WAY_BOTH }, \
		{ .name = "unshare", .words = WAY_UNSHARE " %T", .as_root = true },                                   \
		{ .name = "unshare", .words = WAY_UNSHARE_USER " %T", .as_user = true },                              \
	{                                                                                                             \
		.name = "bwrap", .words = WAY_BWRAP " %T", WAY_BOTH                                                   \
	}
enum { WAYS_FEW_OURS = 1 };

/* Where pidbox and the floor are; the command is the floor's file by another name, the bundles lie beside it. */
struct way_programs {
	char *pidbox, *floor, command[4096], bundle[4096], state[4096 + 8];
};

/* *ret_file: where it is, of that size; NULL: who asks wants to know only whether it is there */
static inline bool in_path(const char *program, char *ret_file, size_t size)
{
	const char *dirs = getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin";
	char *path = strdup(dirs), file[4096], *rest = NULL;
	bool found = strchr(program, '/') != NULL && access(program, X_OK) == 0;

	if (path == NULL)
		abort();
	(void)snprintf(file, sizeof(file), "%s", program);
	for (char *dir = strtok_r(path, ":", &rest); dir != NULL && !found; dir = strtok_r(NULL, ":", &rest)) {
		(void)snprintf(file, sizeof(file), "%s/%s", dir, program);
		found = access(file, X_OK) == 0;
	}
	free(path);
	if (found && ret_file != NULL)
		(void)snprintf(ret_file, size, "%s", file);
	return found;
}

static inline struct way_programs way_programs(char *pidbox, char *floor_path)
{
	struct way_programs p = { .pidbox = pidbox, .floor = floor_path };

	(void)snprintf(p.command, sizeof(p.command), "%s-true", floor_path);
	(void)snprintf(p.bundle, sizeof(p.bundle), "%s-bundle-%s", floor_path, geteuid() == 0 ? "root" : "user");
	(void)snprintf(p.state, sizeof(p.state), "%s/state", p.bundle);
	return p;
}

/* Make the way's argument vector, and find out whether it can be had here. */
static inline void way_prepare(struct way *w, struct way_programs *p)
{
	char *words = strdup(w->words), *rest = NULL;
	size_t n = 0;

	if (words == NULL)
		abort();
	for (char *word = strtok_r(words, " ", &rest); word != NULL && n + 1 < WAY_WORDS;
	     word = strtok_r(NULL, " ", &rest))
		w->argv[n++] = strcmp(word, "%T") == 0   ? p->command
			       : strcmp(word, "%P") == 0 ? p->pidbox
			       : strcmp(word, "%F") == 0 ? p->floor
			       : strcmp(word, "%B") == 0 ? p->bundle
			       : strcmp(word, "%D") == 0 ? p->state
							 : word;
	if (!(geteuid() == 0 ? w->as_root : w->as_user))
		w->missing = "";
	else if (!in_path(w->argv[0], NULL, 0) || (w->also != NULL && !in_path(w->also, NULL, 0)))
		w->missing = "not installed";
}

/* Run what has failed once more, for the last line that it says on standard error. */
static inline const char *way_complaint(char *const argv[])
{
	static const char begin[] = "does not work here";
	char line[512], *why = NULL;
	FILE *said = tmpfile();
	posix_spawn_file_actions_t act;
	pid_t pid;

	if (said == NULL)
		return begin;
	(void)posix_spawn_file_actions_init(&act);
	(void)posix_spawn_file_actions_adddup2(&act, fileno(said), STDERR_FILENO);
	if (posix_spawnp(&pid, argv[0], &act, NULL, argv, environ) == 0)
		(void)waitpid(pid, NULL, 0);
	(void)posix_spawn_file_actions_destroy(&act);
	rewind(said);
	while (fgets(line, sizeof(line), said) != NULL) {
		line[strcspn(line, "\t\n")] = '\0';
		free(why);
		if (asprintf(&why, "%s: %s", begin, line) < 0)
			abort();
	}
	(void)fclose(said);
	return why != NULL ? why : begin;
}

/* Run it so often, unmeasured: it works, and what it reads is in memory. */
static inline void way_warm_up(struct way *w, int times)
{
	for (int i = 0; i < times && w->missing == NULL; i++)
		if (time_program(w->argv) < 0)
			w->missing = way_complaint(w->argv);
}

/* One round of it. */
static inline void way_time(struct way *w)
{
	double us = w->missing == NULL ? time_program(w->argv) : 0;

	if (us < 0)
		w->missing = "failed in a round";
	else if (us > 0)
		series_add(&w->times, us);
}

/* There and back: nobody has always the same one before it. */
static inline size_t way_turn(int round, size_t i, size_t n)
{
	return round % 2 == 0 ? i : n - 1 - i;
}

/* Say what was measured of it, in the line format of stats.h. */
static inline void way_tell(const char *row, double x, const char *unit, struct way *w)
{
	if (w->missing == NULL)
		series_tell(row, w->name, x, unit, &w->times);
	else if (w->missing[0] != '\0')
		tell_missing(row, w->name, w->missing);
}

/* All of them; rounds of each one in turn. */
static inline void ways_prepare(struct way *ways, size_t n, struct way_programs *p)
{
	for (size_t i = 0; i < n; i++) {
		way_prepare(&ways[i], p);
		way_warm_up(&ways[i], WAY_WARM_UP);
	}
}

static inline void ways_time(struct way *ways, size_t n, int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			way_time(&ways[way_turn(round, i, n)]);
}

static inline void ways_tell(const char *row, double x, const char *unit, struct way *ways, size_t n)
{
	for (size_t i = 0; i < n; i++)
		way_tell(row, x, unit, &ways[i]);
}

#endif
