/* SPDX-License-Identifier: MIT */
/*
 * What a launch costs where there is much already: flat PIDBOX FLOOR [ROUNDS [MOST]]. Round by round each one in turn,
 * microseconds. What the kernel takes for it grows, too: the floor tells how much.
 *
 *   flat-boxes    beside X live boxes (at most MOST), which pidbox has made: each has a name, and an init that is idle
 *   flat-mounts   with X mounts more in the caller's mount namespace
 */
#include "proc.h"
#include "ways.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { BOX_KIB = 512, PIDS_FOR_OTHERS = 2000, AT_A_TIME = 4 };

static const int crowds[] = { 10, 1000, 5000 }, mounts[] = { 10, 1000 };
static struct way ways[] = { WAYS_FEW };

static void measure(const char *row, int x, int rounds)
{
	for (size_t i = 0; i < LEN(ways); i++)
		ways[i].times.n = 0;
	ways_time(ways, LEN(ways), rounds);
	ways_tell(row_of(row), x, "us", ways, LEN(ways));
}

static void tell_left_out(const char *row, int x, const char *what)
{
	char why[128];

	(void)snprintf(why, sizeof(why), "%d: %s", x, what);
	tell_missing(row_of(row), ways[WAYS_FEW_OURS].name, why);
}

/* ------------------------------------------------------------ boxes */

/* Our child: it ends with us, and its box with it. @return the PID of its front */
static pid_t start_box(char *pidbox, int number)
{
	char run[] = "run", idle[] = "--idle", option[] = "--name", name[32];
	char *argv[] = { pidbox, run, idle, option, name, NULL };
	pid_t pid;

	(void)snprintf(name, sizeof(name), "bench-%d-%d", (int)getpid(), number);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execv(pidbox, argv);
		_exit(127);
	}
	return pid;
}

/* Its init is there, and waits. */
static bool is_up(pid_t front)
{
	double until = clock_now_us() + PROC_LIMIT_MS * 1e3;

	while (child_of(front) <= 0)
		if (clock_now_us() > until || waitpid(front, NULL, WNOHANG) != 0)
			return false;
	return settles(child_of(front));
}

/* @return why there cannot be so many; NULL: there can */
static const char *too_many(int boxes)
{
	char text[64];

	if ((size_t)boxes * BOX_KIB / 1024 + 1024 > available_mib())
		return "not enough memory is available";
	if (file_text("/proc/sys/kernel/pid_max", text, sizeof(text)) && atoi(text) < 2 * boxes + PIDS_FOR_OTHERS)
		return "the kernel has not enough PIDs";
	return NULL;
}

static void measure_boxes(char *pidbox, int rounds, int most)
{
	static pid_t fronts[5000];
	const char *why = NULL;
	int n = 0;

	for (size_t crowd = 0; crowd < LEN(crowds) && crowds[crowd] <= most && why == NULL; crowd++) {
		why = too_many(crowds[crowd]);
		for (int up = n; up < crowds[crowd] && why == NULL; up++) {
			for (; n < crowds[crowd] && n < up + AT_A_TIME && why == NULL; n++)
				if ((fronts[n] = start_box(pidbox, n)) < 0)
					why = "so many processes cannot be made";
			if (why == NULL && !is_up(fronts[up]))
				why = "so many boxes cannot be made";
		}
		if (why == NULL)
			measure("flat-boxes", crowds[crowd], rounds);
		else
			tell_left_out("flat-boxes", crowds[crowd], why);
	}
	for (int i = 0; i < n; i++)
		if (fronts[i] > 0)
			(void)kill(fronts[i], SIGTERM);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

/* ------------------------------------------------------------ mounts */

/* A mount namespace of our own, in which nothing is shared with others; an ordinary user's has a user namespace. */
static bool own_mounts(void)
{
	char text[64];
	unsigned uid = geteuid(), gid = getegid();
	const struct {
		const char *file, *format;
		unsigned id;
	} maps[] = {
		{ "setgroups", "deny", 0 },
		{ "uid_map", "%u %u 1\n", uid },
		{ "gid_map", "%u %u 1\n", gid },
	};

	if (unshare(CLONE_NEWNS | (uid != 0 ? CLONE_NEWUSER : 0)) < 0)
		return false;
	for (size_t i = 0; i < LEN(maps) && uid != 0; i++) {
		int fd, n = snprintf(text, sizeof(text), maps[i].format, maps[i].id, maps[i].id);
		bool good;

		(void)chdir("/proc/self");
		fd = open(maps[i].file, O_WRONLY | O_CLOEXEC);
		good = fd >= 0 && write(fd, text, (size_t)n) == n;
		(void)close(fd);
		if (!good)
			return false;
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* In a file system of our own, which goes with the namespace. */
static bool make_mounts(const char *dir, int count)
{
	char path[256];

	if (mount("bench", dir, "tmpfs", 0, NULL) < 0)
		return false;
	for (int i = 1; i < count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%d", dir, i);
		if (mkdir(path, 0755) < 0 || mount(path, path, NULL, MS_BIND, NULL) < 0)
			return false;
	}
	return true;
}

static void measure_mounts(const char *dir, int rounds)
{
	for (size_t i = 0; i < LEN(mounts); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (own_mounts() && make_mounts(dir, mounts[i]))
				measure("flat-mounts", mounts[i], rounds);
			else
				tell_left_out("flat-mounts", mounts[i], strerror(errno));
			_exit(0);
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

int main(int argc, char *argv[])
{
	int rounds = argc > 3 ? atoi(argv[3]) : 100, most = argc > 4 ? atoi(argv[4]) : crowds[LEN(crowds) - 1];
	char dir[] = "/tmp/pidbox-bench-XXXXXX";
	struct way_programs programs;

	if (argc < 3 || rounds < 1) {
		(void)fprintf(stderr, "usage: flat PIDBOX FLOOR [ROUNDS [MOST]]\n");
		return 2;
	}
	programs = way_programs(argv[1], argv[2]);
	ways_prepare(ways, LEN(ways), &programs);
	measure_boxes(argv[1], rounds, most);
	if (mkdtemp(dir) != NULL) {
		measure_mounts(dir, rounds);
		(void)rmdir(dir);
	}
	return ways[WAYS_FEW_OURS].missing == NULL ? 0 : 1;
}
