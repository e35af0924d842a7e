/* SPDX-License-Identifier: MIT */
/* The ways to do one thing that a benchmark compares: ours, the floor, the peers. What is missing is named. */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include "stats.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WAY_WORDS = 48 };

struct way {
	const char *name;
	const char *
		words; /* the command line: "%P" is pidbox, "%F" the floor, "%T" the static command that ends at once */
	bool as_root, as_user;
	const char *also; /* another program that it needs, in PATH */
	char *argv[WAY_WORDS];
	struct series times;
	const char *missing; /* why it is left out; "": it is not for this user */
};

/* Where pidbox and the floor are; the command is the floor's file by another name. */
struct way_programs {
	char *pidbox, *floor, command[4096];
};

static inline bool in_path(const char *program)
{
	const char *dirs = getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin";
	char *path = strdup(dirs), file[4096], *rest = NULL;
	bool found = strchr(program, '/') != NULL && access(program, X_OK) == 0;

	if (path == NULL)
		abort();
	for (char *dir = strtok_r(path, ":", &rest); dir != NULL && !found; dir = strtok_r(NULL, ":", &rest)) {
		(void)snprintf(file, sizeof(file), "%s/%s", dir, program);
		found = access(file, X_OK) == 0;
	}
	free(path);
	return found;
}

static inline struct way_programs way_programs(char *pidbox, char *floor_path)
{
	struct way_programs p = { .pidbox = pidbox, .floor = floor_path };

	(void)snprintf(p.command, sizeof(p.command), "%s-true", floor_path);
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
							 : word;
	if (!(geteuid() == 0 ? w->as_root : w->as_user))
		w->missing = "";
	else if (!in_path(w->argv[0]) || (w->also != NULL && !in_path(w->also)))
		w->missing = "not installed";
}

/* Run it so often, unmeasured: it works, and what it reads is in memory. */
static inline void way_warm_up(struct way *w, int times)
{
	for (int i = 0; i < times && w->missing == NULL; i++)
		if (time_program(w->argv) < 0)
			w->missing = "does not work here";
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

#endif
