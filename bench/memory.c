/* SPDX-License-Identifier: MIT */
/*
 * What idle boxes cost in memory: usage: memory PIDBOX FLOOR COMMAND [ROUNDS [BOXES]]. COMMAND is inits-command.
 *
 * So many boxes (200) are made in a memory cgroup of their own, of which each one holds a sleeping command; what the
 * group is charged, kernel memory included, less what as many bare commands are, by the number of boxes. Round by round
 * each way in turn. All files that are read have been read before, and are nobody's here.
 *
 *   memory             all of it
 *   memory-kernel      of that: tasks, page tables, namespaces, sockets...
 *   memory-anonymous   of that: stacks, heaps, data
 *   memory-file        of that: files in memory, and pages of those on disks
 *   private-dirty      of a front and of an init, from smaps_rollup, a few of each round
 */
#include "box.h"
#include "proc.h"
#include "stats.h"
#include "ways.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { LOOKED_AT = 8, SETTLED_US = 50000 };

static const struct part {
	const char *row, *v1, *v1_key, *v2, *v2_key; /* files of the group; a key of NULL: all of it is the number */
} parts[] = {
	{ "memory", "memory.usage_in_bytes", NULL, "memory.current", NULL },
	{ "memory-kernel", "memory.kmem.usage_in_bytes", NULL, "memory.stat", "\nkernel " },
	{ "memory-anonymous", "memory.stat", "\nrss ", "memory.stat", "anon " },
	{ "memory-file", "memory.stat", "cache ", "memory.stat", "\nfile " },
};
enum { PARTS = LEN(parts) };

static struct way ways[] = {
	{ .name = "no box", .words = "%T i", .as_root = true },
	{ .name = "floor", .words = "%F %T i", .as_root = true },
	{ .name = "pidbox run", .words = "%P run -- %T i", .as_root = true },
	{ .name = "pidbox run --as-pid1", .words = "%P run --as-pid1 -- %T i", .as_root = true },
	{ .name = "pidbox run -d", .words = "%P run -d -- %T i", .as_root = true },
	{ .name = "unshare", .words = WAY_UNSHARE " %T i", .as_root = true },
	{ .name = "unshare + tini-static",
	  .words = WAY_UNSHARE " tini-static -- %T i",
	  .as_root = true,
	  .also = "tini-static" },
	{ .name = "bwrap", .words = WAY_BWRAP " %T i", .as_root = true },
	{ .name = "firejail", .words = "firejail --quiet --noprofile -- %T i", .as_root = true },
};
enum { WAYS = LEN(ways), BARE = 0, DETACHED = 4 };

/* Of each way by round, and of those who stand between us and the command. */
static struct series charged[WAYS][PARTS], dirty[WAYS][2];

/* ------------------------------------------------------------ a cgroup of our own */

static struct group {
	char parent[4096], path[4200];
	bool v2;
} group;

/* Where a hierarchy is mounted. @param word  what its options must have; NULL: it is the one of version 2 */
static bool find_mount(const char *word, char *ret_path, size_t size)
{
	char line[4096], path[1024], type[64], options[1024];
	FILE *f = fopen("/proc/self/mounts", "re");
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*s %1023s %63s %1023s", path, type, options) != 3)
			continue;
		found = word != NULL ? strcmp(type, "cgroup") == 0 && strstr(options, word) != NULL
				     : strcmp(type, "cgroup2") == 0;
	}
	if (f != NULL)
		(void)fclose(f);
	if (found)
		(void)snprintf(ret_path, size, "%s", path);
	return found;
}

/* Our group in a hierarchy, a line "N:CONTROLLERS:PATH" of /proc/self/cgroup. */
static bool find_own(const char *controllers, const char *mount, char *ret_path, size_t size)
{
	char text[16384], *rest = NULL;

	if (!file_text("/proc/self/cgroup", text, sizeof(text)))
		return false;
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *names = strchr(line, ':'), *path = names != NULL ? strchr(names + 1, ':') : NULL;

		if (path == NULL)
			continue;
		*path = '\0';
		if (strcmp(names + 1, controllers) != 0)
			continue;
		(void)snprintf(ret_path, size, "%s%s", mount, path + 1);
		return true;
	}
	return false;
}

static bool group_make(void)
{
	char file[4300];

	(void)snprintf(group.path, sizeof(group.path), "%s/pidbox-bench-%d", group.parent, (int)getpid());
	if (mkdir(group.path, 0755) < 0)
		return false;
	(void)snprintf(file, sizeof(file), "%s/%s", group.path, group.v2 ? parts[0].v2 : parts[0].v1);
	if (access(file, R_OK) == 0)
		return true;
	(void)rmdir(group.path);
	return false;
}

static void group_remove(void)
{
	double until = clock_now_us() + PROC_LIMIT_MS * 1e3;

	while (rmdir(group.path) < 0 && errno == EBUSY && clock_now_us() < until)
		(void)usleep(1000);
}

/* Below the one that we are in; of version 2 also below the root, since one with processes shares nothing out. */
static const char *group_find(void)
{
	char mount[1024];

	if (find_mount("memory", mount, sizeof(mount)) &&
	    find_own("memory", mount, group.parent, sizeof(group.parent)) && group_make()) {
		group_remove();
		return NULL;
	}
	group.v2 = true;
	if (!find_mount(NULL, mount, sizeof(mount)))
		return "no memory cgroup is mounted";
	for (int root = 0; root < 2; root++) {
		if (root == 1)
			(void)snprintf(group.parent, sizeof(group.parent), "%s", mount);
		else if (!find_own("", mount, group.parent, sizeof(group.parent)))
			continue;
		if (group_make()) {
			group_remove();
			return NULL;
		}
	}
	return "no memory cgroup can be made here";
}

static double group_number(const char *name, const char *key)
{
	char file[4300], text[16384];

	(void)snprintf(file, sizeof(file), "%s/%s", group.path, name);
	if (!file_text(file, text, sizeof(text)))
		return NAN;
	return key != NULL ? number_of(text, key) : strtod(text, NULL);
}

/* Wait until what is charged stays the same: what others still had to do is done. */
static void group_look(double ret_bytes[PARTS])
{
	double before = -1, until = clock_now_us() + 1e6;

	do {
		before = ret_bytes[0];
		(void)usleep(SETTLED_US);
		for (int i = 0; i < PARTS; i++)
			ret_bytes[i] = group.v2 ? group_number(parts[i].v2, parts[i].v2_key)
						: group_number(parts[i].v1, parts[i].v1_key);
	} while (ret_bytes[0] > before + 4096 && clock_now_us() < until);
}

/* All that is in it: nobody else is. */
static void group_kill(void)
{
	double until = clock_now_us() + PROC_LIMIT_MS * 1e3;
	char file[4300], text[65536], *rest, *line;

	(void)snprintf(file, sizeof(file), "%s/cgroup.procs", group.path);
	while (clock_now_us() < until && file_text(file, text, sizeof(text))) {
		rest = NULL;
		for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
			if (atoi(line) > 0) /* 0: of a PID namespace that is not below ours */
				(void)kill((pid_t)atoi(line), SIGKILL);
		(void)usleep(1000);
	}
}

static bool group_enter(void)
{
	char file[4300];
	int fd;
	bool fine;

	(void)snprintf(file, sizeof(file), "%s/cgroup.procs", group.path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	fine = fd >= 0 && write(fd, "0", 1) == 1;
	(void)close(fd);
	return fine;
}

/* ------------------------------------------------------------ one way */

/* The process that makes the boxes, in the group. It says a byte when it is there, and another when they are. */
static void make_boxes(struct way *w, int count, int ask, int answer)
{
	bool detached = w == &ways[DETACHED];
	struct said said;
	int out[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (null < 0 || pipe2(out, O_CLOEXEC) < 0 || !group_enter() || write(answer, "", 1) != 1 ||
	    read(ask, &byte, 1) != 1)
		_exit(1);
	for (int i = 0; i < count; i++) {
		pid_t pid = spawn_with(w->argv, null, detached ? null : out[1]);
		int status = 0;

		/* A detached one is there when its caller has ended. */
		if (pid < 0 || (detached && (waitpid(pid, &status, 0) < 0 || status != 0)))
			_exit(1);
	}
	for (int i = 0; i < count && !detached; i++)
		if (!said_hear(out[0], &said))
			_exit(1);
	if (write(answer, "", 1) != 1)
		_exit(1);
	(void)pause();
	_exit(1);
}

static void look_at_dirty(pid_t pid, struct series *ret)
{
	char text[4096];
	double kib = proc_text(pid, "smaps_rollup", text, sizeof(text)) ? number_of(text, "\nPrivate_Dirty:") : NAN;

	if (!isnan(kib))
		series_add(ret, kib);
}

/* Of a few boxes: the front, and PID 1 where that is not the command. */
static void look_at_fronts(int i, pid_t leader)
{
	pid_t fronts[1024];
	size_t n = proc_children(leader, fronts, LEN(fronts));

	for (size_t at = 0; at < n && i != BARE; at += 1 + n / LOOKED_AT) {
		pid_t first = pid1_of(fronts[at]);

		look_at_dirty(fronts[at], &dirty[i][0]);
		if (first > 0 && child_of(first) > 0)
			look_at_dirty(first, &dirty[i][1]);
	}
}

/* @return why it is left out; NULL: it is not */
static const char *measure(int i, int count, double ret_kib[PARTS])
{
	double before[PARTS] = { 0 }, after[PARTS] = { 0 };
	const char *why = NULL;
	int down[2], up[2];
	pid_t leader;
	char byte;

	if (!group_make())
		return "no memory cgroup can be made here";
	if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0)
		return "no descriptors are left";
	leader = fork();
	if (leader == 0)
		make_boxes(&ways[i], count, down[0], up[1]);
	(void)close(down[0]);
	(void)close(up[1]);
	if (!readable(up[0], PROC_LIMIT_MS) || read(up[0], &byte, 1) != 1) {
		why = "cannot enter a memory cgroup";
	} else {
		group_look(before);
		if (write(down[1], "", 1) != 1 || !readable(up[0], PROC_LIMIT_MS) || read(up[0], &byte, 1) != 1)
			why = "so many boxes could not be made";
	}
	if (why == NULL) {
		group_look(after);
		look_at_fronts(i, leader);
	}
	for (int part = 0; part < PARTS; part++)
		ret_kib[part] = (after[part] - before[part]) / 1024 / count;
	group_kill();
	(void)waitpid(leader, NULL, 0);
	(void)close(down[1]);
	(void)close(up[0]);
	group_remove();
	return why;
}

static void measure_round(int round, int count)
{
	double kib[WAYS][PARTS];

	for (size_t k = 0; k < WAYS; k++) {
		size_t i = way_turn(round, k, WAYS);

		if (ways[i].missing == NULL)
			ways[i].missing = measure((int)i, count, kib[i]);
	}
	for (size_t i = 0; i < WAYS; i++)
		for (int part = 0; part < PARTS; part++)
			if (i != BARE && ways[i].missing == NULL && ways[BARE].missing == NULL)
				series_add(&charged[i][part], kib[i][part] - kib[BARE][part]);
}

static void tell(size_t i)
{
	static const char *const whose[] = { "front", "init" };
	struct way *w = &ways[i];
	char who[128];

	for (int part = 0; part < PARTS; part++)
		if (w->missing == NULL)
			series_tell(parts[part].row, w->name, 0, "KiB", &charged[i][part]);
		else if (w->missing[0] != '\0')
			tell_missing(parts[part].row, w->name, w->missing);
	for (int k = 0; k < 2; k++) {
		(void)snprintf(who, sizeof(who), "%s, %s", w->name, whose[k]);
		if (dirty[i][k].n > 0)
			series_tell("private-dirty", who, 0, "KiB", &dirty[i][k]);
	}
}

int main(int argc, char *argv[])
{
	int rounds = argc > 4 ? atoi(argv[4]) : 5, count = argc > 5 ? atoi(argv[5]) : 200;
	char dir[] = "/dev/shm/pidbox-bench-XXXXXX", remove[64];
	struct way_programs programs;
	const char *why = NULL;

	if (argc < 4 || rounds < 1 || count < 1 || count > 1000) {
		(void)fprintf(stderr, "usage: memory PIDBOX FLOOR COMMAND [ROUNDS [BOXES]]\n");
		return 2;
	}
	programs = way_programs(argv[1], argv[2]);
	(void)snprintf(programs.command, sizeof(programs.command), "%s", argv[3]);
	/* Names are where they mostly are: in a file system in memory. Nobody of this is left to take his away. */
	if (mkdtemp(dir) == NULL || setenv("PIDBOX_RUNTIME_DIR", dir, 1) < 0)
		return 1;
	why = geteuid() != 0 ? "only root may make a memory cgroup" : group_find();
	for (size_t i = 0; i < WAYS; i++) {
		way_prepare(&ways[i], &programs);
		ways[i].missing = why != NULL ? why : ways[i].missing;
	}
	for (int round = -1; round < rounds && why == NULL; round++) {
		measure_round(round, count);
		for (size_t i = 0; i < WAYS && round < 0; i++) /* what is read has been read now */
			for (int part = 0; part < PARTS; part++)
				charged[i][part].n = 0;
	}
	for (size_t i = BARE + 1; i < WAYS; i++)
		tell(i);
	(void)snprintf(remove, sizeof(remove), "rm -rf %s", dir);
	return system(remove) == 0 && (why != NULL || ways[2].missing == NULL) ? 0 : 1;
}
