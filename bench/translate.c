/* SPDX-License-Identifier: MIT */
/*
 * translate PIDBOX [ROUNDS [LINES]]: how many PIDs a second are translated, by the library and by `pidbox pid -`, each
 * way. Row "translate". The process is the command of a box. A second is one of processor time: all of it is work, and
 * what runs beside does not count.
 */
#include "stats.h"

#include <fcntl.h>
#include <pidbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is translated: by the library, then by the command. */
enum { INWARD, OUTWARD, LEVELS, OF_PID, OF_INSIDE, ALL_OF_PID, ALL_OF_INSIDE, WHATS };
static const char *const names[WHATS] = { "pidbox_translate, inside to outside",  "pidbox_translate, outside to inside",
					  "pidbox_levels, every number",          "pidbox pid - --to BOX, of PID",
					  "pidbox pid - --to BOX, of BOX/PID",    "pidbox pid -, every number of PID",
					  "pidbox pid -, every number of BOX/PID" };
static struct series rates[WHATS];

static int fail(const char *what)
{
	fprintf(stderr, "translate: %s\n", what);
	return 2;
}

static double used_us(int whose)
{
	struct rusage u;

	(void)getrusage(whose, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void add(int what, long numbers, double us)
{
	series_add(&rates[what], (double)numbers / us * 1e6);
}

/* @return microseconds of processor time; negative: it failed */
static double run(const char *pidbox, const char *file, const char *to)
{
	double from = used_us(RUSAGE_CHILDREN);
	int status;
	pid_t child = fork();

	if (child == 0) {
		int in = open(file, O_RDONLY), out = open("/dev/null", O_WRONLY);

		dup2(in, 0);
		dup2(out, 1);
		execl(pidbox, "pidbox", "pid", "-", to != NULL ? "--to" : NULL, to, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
		return -1;
	return used_us(RUSAGE_CHILDREN) - from;
}

/* A file with so many times the same line. */
static bool write_lines(const char *path, const char *line, long lines)
{
	FILE *f = fopen(path, "w");

	for (long i = 0; f != NULL && i < lines; i++)
		fputs(line, f);
	return f != NULL && fclose(f) == 0;
}

static bool by_command(const char *pidbox, const char *path, const char *to, long lines, int what)
{
	double us = run(pidbox, path, to);

	/* Without --to a line of the answer has two numbers. */
	if (us > 0)
		add(what, to != NULL ? lines : 2 * lines, us);
	return us > 0;
}

static bool by_library(const struct pidbox_info *info, const char *box, long lines)
{
	struct pidbox_translator *tr;
	struct pidbox_target *target;
	struct pidbox_level levels[PIDBOX_LEVELS_MAX];
	double from = used_us(RUSAGE_SELF);
	bool good = true;
	size_t n;
	pid_t pid;

	if (pidbox_translator_new(&tr, NULL) < 0 || pidbox_open(box, &target, NULL) < 0)
		return false;
	for (long i = 0; i < lines; i++)
		good = good && pidbox_translate(tr, target, 2, NULL, &pid) == 0 && pid == info->command_pid;
	add(INWARD, lines, used_us(RUSAGE_SELF) - from);
	from = used_us(RUSAGE_SELF);
	for (long i = 0; i < lines; i++)
		good = good && pidbox_translate(tr, NULL, info->command_pid, target, &pid) == 0 && pid == 2;
	add(OUTWARD, lines, used_us(RUSAGE_SELF) - from);
	from = used_us(RUSAGE_SELF);
	for (long i = 0; i < lines; i++)
		good = good && pidbox_levels(tr, info->command_pid, levels, &n) == 0 && n >= 2;
	add(LEVELS, lines * 2, used_us(RUSAGE_SELF) - from);
	pidbox_close(target);
	pidbox_translator_free(tr);
	return good;
}

int main(int argc, char **argv)
{
	const char *const command[] = { "sleep", "1000", NULL };
	struct pidbox_spec spec = { .size = sizeof(spec), .argv = command };
	char dir[] = "/tmp/pidbox-translate-XXXXXX", pids[64], insides[64], line[32], init[16];
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	long lines = argc > 3 ? atol(argv[3]) : 200000;
	struct pidbox_error err;
	struct pidbox_info info;
	struct pidbox *box;
	bool good;

	if (argc < 2 || rounds < 1 || lines < 1)
		return fail("usage: translate PIDBOX [ROUNDS [LINES]]");
	if (pidbox_spawn(&spec, &box, &err) < 0)
		return fail(err.what);
	if (mkdtemp(dir) == NULL)
		return fail("no folder in /tmp");
	pidbox_get_info(box, &info);
	snprintf(init, sizeof(init), "%d", (int)info.init_pid);
	snprintf(pids, sizeof(pids), "%s/pids", dir);
	snprintf(insides, sizeof(insides), "%s/insides", dir);
	snprintf(line, sizeof(line), "%d\n", (int)info.command_pid);
	good = write_lines(pids, line, lines);
	snprintf(line, sizeof(line), "%d/2\n", (int)info.init_pid);
	good = write_lines(insides, line, lines) && good;
	for (int i = 0; i < rounds && good; i++)
		good = by_library(&info, init, lines) && by_command(argv[1], pids, init, lines, OF_PID) &&
		       by_command(argv[1], insides, init, lines, OF_INSIDE) &&
		       by_command(argv[1], pids, NULL, lines, ALL_OF_PID) &&
		       by_command(argv[1], insides, NULL, lines, ALL_OF_INSIDE);
	for (int i = 0; i < WHATS && good; i++)
		series_tell(row_of("translate"), names[i], 0, "1/s", &rates[i]);
	unlink(pids);
	unlink(insides);
	rmdir(dir);
	pidbox_free(box);
	return good ? 0 : fail("a translation failed");
}
