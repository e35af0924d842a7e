/* SPDX-License-Identifier: MIT */
/* What is known of a process from outside: the texts of /proc, and the clock of its processor time. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include "stats.h"

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PROC_LIMIT_MS = 60000 }; /* longer than that nobody is waited for */

/* The text of a file, without what does not fit. */
static inline bool file_text(const char *path, char *ret_text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = -1;

	while (fd >= 0 && have + 1 < size && (n = read(fd, ret_text + have, size - 1 - have)) > 0)
		have += (size_t)n;
	if (fd >= 0)
		(void)close(fd);
	ret_text[have] = '\0';
	return have > 0;
}

/* The text of a file of /proc/PID. */
static inline bool proc_text(pid_t pid, const char *file, char *ret_text, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_text(path, ret_text, size);
}

/* The number behind a key at the beginning of a line. */
static inline double number_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at != NULL ? strtod(at + strlen(key), NULL) : NAN;
}

/* 0: it is not known. */
static inline size_t available_mib(void)
{
	char text[8192];
	double kib = file_text("/proc/meminfo", text, sizeof(text)) ? number_of(text, "\nMemAvailable:") : NAN;

	return isnan(kib) ? 0 : (size_t)kib / 1024;
}

/* The children of a process of one thread; 0: it has none yet. @return so many of them are in the array */
static inline size_t proc_children(pid_t pid, pid_t *ret_pids, size_t n)
{
	static char text[256 * 1024];
	char file[32], *at = text, *end;
	size_t have = 0;

	(void)snprintf(file, sizeof(file), "task/%d/children", (int)pid);
	if (!proc_text(pid, file, text, sizeof(text)))
		return 0;
	for (; have < n; have++) {
		long child = strtol(at, &end, 10);

		if (end == at)
			break;
		ret_pids[have] = (pid_t)child;
		at = end;
	}
	return have;
}

/* The first child; 0: it has none yet. */
static inline pid_t child_of(pid_t pid)
{
	pid_t child = 0;

	(void)proc_children(pid, &child, 1);
	return child;
}

/* The child that is PID 1 of a PID namespace below ours; 0: there is none. */
static inline pid_t pid1_of(pid_t pid)
{
	pid_t children[16];
	size_t n = proc_children(pid, children, sizeof(children) / sizeof(children[0]));
	char text[4096];

	for (size_t i = 0; i < n; i++) {
		char *at = proc_text(children[i], "status", text, sizeof(text)) ? strstr(text, "\nNSpid:") : NULL;
		char *end = at != NULL ? strchr(at + 1, '\n') : NULL;

		if (end != NULL && end[-1] == '1' && end[-2] == '\t')
			return children[i];
	}
	return 0;
}

/* utime and stime, in ticks; *ret_state: S when it sleeps */
static inline double ticks_of(pid_t pid, char *ret_state)
{
	unsigned long user = 0, system = 0;
	char text[1024];
	const char *at = proc_text(pid, "stat", text, sizeof(text)) ? strrchr(text, ')') : NULL;

	*ret_state = '?';
	if (at == NULL ||
	    sscanf(at, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", ret_state, &user, &system) != 3)
		return NAN;
	return (double)(user + system);
}

static inline double switches_of(pid_t pid)
{
	char text[4096];

	if (!proc_text(pid, "status", text, sizeof(text)))
		return NAN;
	return number_of(text, "\nvoluntary_ctxt_switches:") + number_of(text, "\nnonvoluntary_ctxt_switches:");
}

/* Microseconds of processor time, to the nanosecond: what schedstat has, of all threads. */
static inline double cpu_of(pid_t pid)
{
	struct timespec ts;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &ts) < 0)
		return NAN;
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Its command runs: what the init still does ends with its waiting for something. */
static inline bool settles(pid_t pid)
{
	double until = clock_now_us() + PROC_LIMIT_MS * 1e3;
	char state = '?';

	while (clock_now_us() < until && !isnan(ticks_of(pid, &state)))
		if (state == 'S')
			return true;
	return false;
}

#endif
