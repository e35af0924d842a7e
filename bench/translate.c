/* SPDX-License-Identifier: MIT */
/*
 * translate PIDBOX [LINES]: how many PIDs a second are translated, by the library and by `pidbox pid -`, each way. The
 * process is the command of a box. A second is one of processor time: all of it is work, and what runs beside does not
 * count. Fails below 100,000.
 */
#include <fcntl.h>
#include <pidbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_LEAST = 100000, ROUNDS = 5 };

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

static bool report(const char *what, long lines, double us)
{
	double rate = (double)lines / us * 1e6;

	printf("  %-44s %9.0f a second\n", what, rate);
	return rate >= AT_LEAST;
}

/* The best of some rounds: what the machine does beside is not ours. */
static double run(const char *pidbox, const char *file, const char *to)
{
	double best = 0;

	for (int i = 0; i < ROUNDS; i++) {
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
		from = used_us(RUSAGE_CHILDREN) - from;
		if (best <= 0 || from < best)
			best = from;
	}
	return best;
}

static bool by_command(const char *pidbox, const char *dir, const char *line, const char *to, long lines,
		       const char *what)
{
	char path[4096];
	FILE *f;
	double us;

	snprintf(path, sizeof(path), "%s/lines", dir);
	f = fopen(path, "w");
	for (long i = 0; f != NULL && i < lines; i++)
		fputs(line, f);
	us = f != NULL && fclose(f) == 0 ? run(pidbox, path, to) : -1;
	unlink(path);
	/* Without --to a line of the answer has two numbers. */
	return us > 0 && report(what, to != NULL ? lines : 2 * lines, us);
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
	good = report("pidbox_translate, inside to outside", lines, used_us(RUSAGE_SELF) - from) && good;
	from = used_us(RUSAGE_SELF);
	for (long i = 0; i < lines; i++)
		good = good && pidbox_translate(tr, NULL, info->command_pid, target, &pid) == 0 && pid == 2;
	good = report("pidbox_translate, outside to inside", lines, used_us(RUSAGE_SELF) - from) && good;
	from = used_us(RUSAGE_SELF);
	for (long i = 0; i < lines; i++)
		good = good && pidbox_levels(tr, info->command_pid, levels, &n) == 0 && n >= 2;
	(void)report("pidbox_levels, every number", lines * 2, used_us(RUSAGE_SELF) - from);
	pidbox_close(target);
	pidbox_translator_free(tr);
	return good;
}

int main(int argc, char **argv)
{
	const char *const command[] = { "sleep", "1000", NULL };
	struct pidbox_spec spec = { .size = sizeof(spec), .argv = command };
	char dir[] = "/tmp/pidbox-translate-XXXXXX", pid[16], inside[32], init[16];
	long lines = argc > 2 ? atol(argv[2]) : 200000;
	struct pidbox_error err;
	struct pidbox_info info;
	struct pidbox *box;
	bool good;

	if (argc < 2)
		return fail("the path of pidbox is missing");
	if (pidbox_spawn(&spec, &box, &err) < 0)
		return fail(err.what);
	if (mkdtemp(dir) == NULL)
		return fail("no folder in /tmp");
	pidbox_get_info(box, &info);
	snprintf(init, sizeof(init), "%d", (int)info.init_pid);
	snprintf(pid, sizeof(pid), "%d\n", (int)info.command_pid);
	snprintf(inside, sizeof(inside), "%d/2\n", (int)info.init_pid);
	printf("translations of PIDs, %ld in a batch\n", lines);
	good = by_library(&info, init, lines);
	good = by_command(argv[1], dir, pid, init, lines, "pidbox pid - --to BOX, of PID") && good;
	good = by_command(argv[1], dir, inside, init, lines, "pidbox pid - --to BOX, of BOX/PID") && good;
	good = by_command(argv[1], dir, pid, NULL, lines, "pidbox pid -, every number of PID") && good;
	good = by_command(argv[1], dir, inside, NULL, lines, "pidbox pid -, every number of BOX/PID") && good;
	rmdir(dir);
	pidbox_free(box);
	return good ? 0 : 1;
}
