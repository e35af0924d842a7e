/* SPDX-License-Identifier: MIT */
/*
 * What a box does while its command sleeps: usage: idle PIDBOX COMMAND [SECONDS]. COMMAND is inits-command. All of them
 * live at the same time, and nothing is to happen.
 *
 *   idle-switches   how often each of them was scheduled away in so many seconds (60)
 *   idle-cpu        microseconds of processor time in them
 */
#include "box.h"
#include "stats.h"
#include "terminal.h"

#include <pidbox.h>
#include <sys/prctl.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------ the boxes */

struct idle {
	const char *name;
	pid_t (*start)(char *pidbox, char *command); /* @return the front; < 0: it does not work */
	pid_t pids[2];                               /* front and init; 0: it is not there */
	double switches[2], cpu[2];
};

static char log_file[] = "/tmp/pidbox-bench-XXXXXX";

static pid_t start_attached(char *pidbox, char *command)
{
	char run[] = "run", what[] = "i";
	char *argv[] = { pidbox, run, command, what, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return spawn_with(argv, null, null);
}

/* Its caller ends when the command runs; then the front is our child, we are a subreaper. */
static pid_t start_detached(char *pidbox, char *command)
{
	char run[] = "run", detach[] = "-d", log[] = "--log", what[] = "i";
	char *argv[] = { pidbox, run, detach, log, log_file, command, what, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status = -1;
	pid_t before[64], after[65], pid;
	size_t n = proc_children(getpid(), before, LEN(before)), k;

	pid = spawn_with(argv, null, null);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		return -1;
	k = proc_children(getpid(), after, LEN(after));
	return k == n + 1 ? after[n] : -1;
}

static pid_t start_on_terminal(char *pidbox, char *command)
{
	char run[] = "run", terminal[] = "-t", what[] = "i";
	char *argv[] = { pidbox, run, terminal, command, what, NULL };
	int master;

	return spawn_on_terminal(argv, &master);
}

static pid_t start_host(char *pidbox, char *command)
{
	const char *argv[] = { command, "i", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), stdio[3] = { null, null, null };
	struct pidbox_spec spec = { .size = sizeof(spec), .argv = argv, .stdio = stdio };
	struct pidbox_result res;
	struct pidbox_error err;
	struct pidbox *box;
	pid_t pid = fork();

	(void)pidbox;
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pidbox_spawn(&spec, &box, &err) < 0)
		_exit(1);
	(void)pidbox_wait(box, PIDBOX_DEFAULT, &res);
	_exit(0);
}

static struct idle boxes[] = {
	{ .name = "pidbox run", .start = start_attached },
	{ .name = "pidbox run -d --log", .start = start_detached },
	{ .name = "pidbox run -t", .start = start_on_terminal },
	{ .name = "pidbox_spawn", .start = start_host },
};
enum { BOXES = LEN(boxes), PATIENCE_S = 20 };

/* ------------------------------------------------------------ nothing happens */

static void look(void)
{
	for (size_t i = 0; i < BOXES; i++)
		for (int k = 0; k < 2 && boxes[i].pids[0] > 0; k++) {
			boxes[i].switches[k] = switches_of(boxes[i].pids[k]);
			boxes[i].cpu[k] = cpu_of(boxes[i].pids[k]);
		}
}

static double all_switches(void)
{
	double all = 0;

	look();
	for (size_t i = 0; i < BOXES; i++)
		all += boxes[i].pids[0] > 0 ? boxes[i].switches[0] + boxes[i].switches[1] : 0;
	return all;
}

static void sleep_for(double seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds,
				 .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* The command is there, and nobody has moved for half a second. @return false: they never sleep */
static bool becomes_idle(void)
{
	double until = clock_now_us() + PATIENCE_S * 1e6, before;

	for (size_t i = 0; i < BOXES; i++) {
		pid_t *pids = boxes[i].pids;

		while (pids[0] > 0 && clock_now_us() < until && (pids[1] <= 0 || child_of(pids[1]) <= 0))
			pids[1] = pid1_of(pids[0]);
		pids[0] = pids[1] > 0 ? pids[0] : -1;
	}
	do {
		before = all_switches();
		sleep_for(0.5);
	} while (before != all_switches() && clock_now_us() < until);
	return before == all_switches();
}

static void tell(const struct idle *box, int k, double switches, double cpu)
{
	static const char *const whose[] = { "front", "init" };
	struct series s = { 0 };
	char who[64];

	(void)snprintf(who, sizeof(who), "%s, %s", box->name, k == 0 && box->start == start_host ? "host" : whose[k]);
	if (box->pids[0] <= 0) {
		tell_missing(row_of("idle-switches"), who, "does not work here");
		return;
	}
	series_add(&s, switches);
	series_tell(row_of("idle-switches"), who, 0, "switches", &s);
	s.us[0] = cpu;
	series_tell(row_of("idle-cpu"), who, 0, "us", &s);
	free(s.us);
}

static void end_all(void)
{
	for (size_t i = 0; i < BOXES; i++)
		for (int k = 1; k >= 0 && boxes[i].pids[0] > 0; k--) {
			(void)kill(boxes[i].pids[k], SIGKILL);
			if (k == 0)
				(void)waitpid(boxes[i].pids[k], NULL, 0);
		}
}

int main(int argc, char *argv[])
{
	int seconds = argc > 3 ? atoi(argv[3]) : 60;
	struct idle before[BOXES];
	bool idle;

	if (argc < 3 || seconds < 1) {
		(void)fprintf(stderr, "usage: idle PIDBOX COMMAND [SECONDS]\n");
		return 2;
	}
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)close(mkstemp(log_file));
	for (size_t i = 0; i < BOXES; i++)
		boxes[i].pids[0] = boxes[i].start(argv[1], argv[2]);
	idle = becomes_idle();
	if (!idle)
		(void)fprintf(stderr, "idle: somebody never sleeps\n");
	memcpy(before, boxes, sizeof(before));
	sleep_for(seconds);
	look();
	for (size_t i = 0; i < BOXES; i++)
		for (int k = 0; k < 2; k++)
			tell(&boxes[i], k, boxes[i].switches[k] - before[i].switches[k],
			     boxes[i].cpu[k] - before[i].cpu[k]);
	end_all();
	(void)unlink(log_file);
	return boxes[0].pids[0] > 0 ? 0 : 1;
}
