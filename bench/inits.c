/* SPDX-License-Identifier: MIT */
/*
 * pidbox-init beside other inits, each as PID 1 of a PID namespace of its own: usage: inits INIT COMMAND [ROUNDS].
 * COMMAND is inits-command. Round by round each one in turn; what is missing is named. An ordinary user's have a user
 * namespace too. The ratios are the other's value by ours: above 1 ours is the better one.
 *
 * The inits see the /proc that is there and have no mounts of their own: that is the same for all of them and would
 * cost more than they do. "No init" is the command itself as PID 1: what nobody can do better.
 */
#include "box.h"
#include "floor.h"
#include "inits.h"
#include "proc.h"
#include "stats.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
	WARM_UP = 5,
	IDLE_SECONDS = 3,
	ORPHANS = 20000,
	BURST = 10000,
	REAPING_SHARE = 60, /* one round in so many reaps */
	MEMORY_SHARE = 30,  /* and measures memory */
	SIGNALS_SHARE = 10, /* and sends signals, so many: */
	SIGNALS = 100,
};

enum measure {
	START,     /* us from the clone to the command's first instruction */
	EXECUTED,  /* us from the exec of the init until then */
	PRIVATE,   /* KiB */
	ANONYMOUS, /* KiB: what is no file's */
	PSS,       /* KiB */
	REAPING,   /* ms for all orphans */
	BACKLOG,   /* most orphans at once */
	REAP_CPU,  /* the init's us for one of them */
	STREAM,    /* ms for all orphans of many makers */
	STREAM_CPU,
	BURST_ALL, /* ms for all that end together */
	BURST_CPU, /* the init's us for one of them */
	SWITCHES,  /* voluntary and others, while idle */
	IDLE_CPU,  /* us while idle */
	IDLE_TICKS,
	LATENCY, /* us from the kill until the command has the signal */
	MEASURES
};

struct way {
	const char *name, *program; /* a program of NULL: given by path, or none */
	char path[4096];
	const char *missing; /* why it is left out */
	struct series of[MEASURES];
};

static struct way ways[] = {
	{ .name = "pidbox-init" },
	{ .name = "tini", .program = "tini" },
	{ .name = "tini-static", .program = "tini-static" },
	{ .name = "docker-init", .program = "docker-init" },
	{ .name = "dumb-init", .program = "dumb-init" },
	{ .name = "catatonit", .program = "catatonit" },
	{ .name = "no init" },
};
enum { OURS = 0, BARE = LEN(ways) - 1, WAYS = LEN(ways) };

/* ------------------------------------------------------------ one init, started */

struct started {
	char *argv[6];
	char maps[2][32]; /* of uids and gids; empty: none */
	int in[2], out[2];
	double cloned, executed;
	struct said ready;
	pid_t pid;
};

static int child_main(void *arg)
{
	struct started *s = arg;

	if (s->maps[0][0] != '\0' &&
	    (floor_write("/proc/self/setgroups", "deny") < 0 || floor_write("/proc/self/uid_map", s->maps[0]) < 0 ||
	     floor_write("/proc/self/gid_map", s->maps[1]) < 0))
		_exit(125);
	/* Nothing is left when we are killed. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(s->in[0], STDIN_FILENO) < 0 ||
	    dup2(s->out[1], STDOUT_FILENO) < 0)
		_exit(125);
	s->executed = clock_now_us();
	(void)execv(s->argv[0], s->argv);
	_exit(125);
}

static bool hear(struct started *s, struct said *ret_said)
{
	return said_hear(s->out[0], ret_said);
}

/* @return its status; all that is in its namespace has ended with it */
static int end(struct started *s, bool by_itself)
{
	int status = -1;

	if (!by_itself)
		(void)kill(s->pid, SIGKILL);
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	s->pid = -1;
	(void)close(s->in[1]);
	(void)close(s->out[0]);
	return status;
}

/* An init with the command, which is ready. */
static bool start(struct way *w, char *command, int what, int count, struct started *s)
{
	static char stack[FLOOR_STACK], letter[2], number[16], dashes[] = "--";
	char **word = s->argv;
	int flags = CLONE_NEWPID | (geteuid() != 0 ? CLONE_NEWUSER : 0) | CLONE_VM | CLONE_VFORK | SIGCHLD;

	*s = (struct started){ .pid = -1 };
	letter[0] = (char)what;
	(void)snprintf(number, sizeof(number), "%d", count);
	if (w != &ways[BARE]) {
		*word++ = w->path;
		*word++ = dashes;
	}
	*word++ = command;
	*word++ = letter;
	*word = number;
	if ((flags & CLONE_NEWUSER) != 0) {
		(void)snprintf(s->maps[0], sizeof(s->maps[0]), "%u %u 1\n", geteuid(), geteuid());
		(void)snprintf(s->maps[1], sizeof(s->maps[1]), "%u %u 1\n", getegid(), getegid());
	}
	if (pipe2(s->in, O_CLOEXEC) < 0 || pipe2(s->out, O_CLOEXEC) < 0)
		return false;
	s->cloned = clock_now_us();
	s->pid = clone(child_main, stack + sizeof(stack), flags, s);
	(void)close(s->in[0]);
	(void)close(s->out[1]);
	if (s->pid < 0) {
		(void)close(s->in[1]);
		(void)close(s->out[0]);
		return false;
	}
	if (hear(s, &s->ready))
		return true;
	(void)end(s, false);
	return false;
}

static void add(struct way *w, enum measure which, double value)
{
	series_add(&w->of[which], value);
}

static void gave_up(struct way *w, const char *why)
{
	(void)fprintf(stderr, "inits: %s: %s\n", w->name, why);
	w->missing = why;
}

/* ------------------------------------------------------------ the measurements */

/* There and back: nobody has always the same one before it. */
static int turn(int round, int i)
{
	return round % 2 == 0 ? i : WAYS - 1 - i;
}

static void measure_start(struct way *w, char *command, bool warm)
{
	struct started s;

	if (!start(w, command, TO_STAMP, 0, &s)) {
		gave_up(w, "does not work here");
		return;
	}
	if (end(&s, true) != 0)
		gave_up(w, "the command's end is not its own");
	if (warm) {
		add(w, START, (double)s.ready.ns / 1e3 - s.cloned);
		add(w, EXECUTED, (double)s.ready.ns / 1e3 - s.executed);
	}
}

/* One at a time: what two of them share would be nobody's own. */
static void measure_memory(struct way *w, char *command)
{
	char text[4096];
	struct started s;

	if (!start(w, command, TO_STAY, 0, &s)) {
		gave_up(w, "failed while memory was measured");
		return;
	}
	if (settles(s.pid) && proc_text(s.pid, "smaps_rollup", text, sizeof(text))) {
		add(w, PRIVATE, number_of(text, "\nPrivate_Clean:") + number_of(text, "\nPrivate_Dirty:"));
		add(w, ANONYMOUS, number_of(text, "\nAnonymous:"));
		add(w, PSS, number_of(text, "\nPss:"));
	}
	(void)end(&s, false);
}

static void measure_reaping(struct way *w, char *command, int what, int count)
{
	enum measure all = what == TO_BURST ? BURST_ALL : what == TO_STREAM ? STREAM : REAPING;
	enum measure cpu = what == TO_BURST ? BURST_CPU : what == TO_STREAM ? STREAM_CPU : REAP_CPU;
	struct said said = { 0 };
	double before, after;
	struct started s;
	bool fine;

	if (!start(w, command, what, count, &s)) {
		gave_up(w, "failed before the reaping");
		return;
	}
	before = cpu_of(s.pid);
	fine = write(s.in[1], "", 1) == 1 && hear(&s, &said);
	after = cpu_of(s.pid);
	(void)end(&s, false);
	if (!fine) {
		gave_up(w, "failed, or leaves zombies");
		return;
	}
	add(w, all, (double)said.ns / 1e6);
	add(w, cpu, (after - before) / count);
	if (all == REAPING)
		add(w, BACKLOG, said.most);
}

/* All of them at the same time: nothing is to happen. */
static void measure_idle(char *command)
{
	struct timespec span = { .tv_sec = IDLE_SECONDS };
	double switches[WAYS], cpu[WAYS], ticks[WAYS];
	struct started s[WAYS];
	char state;

	for (int i = 0; i < BARE; i++)
		if (ways[i].missing == NULL && (!start(&ways[i], command, TO_STAY, 0, &s[i]) || !settles(s[i].pid))) {
			if (s[i].pid > 0)
				(void)end(&s[i], false);
			gave_up(&ways[i], "failed before it was idle");
		}
	for (int i = 0; i < BARE; i++)
		if (ways[i].missing == NULL) {
			switches[i] = switches_of(s[i].pid);
			cpu[i] = cpu_of(s[i].pid);
			ticks[i] = ticks_of(s[i].pid, &state);
		}
	while (nanosleep(&span, &span) < 0 && errno == EINTR)
		;
	for (int i = 0; i < BARE; i++)
		if (ways[i].missing == NULL) {
			add(&ways[i], SWITCHES, switches_of(s[i].pid) - switches[i]);
			add(&ways[i], IDLE_CPU, cpu_of(s[i].pid) - cpu[i]);
			add(&ways[i], IDLE_TICKS, ticks_of(s[i].pid, &state) - ticks[i]);
		}
	for (int i = 0; i < BARE; i++)
		if (ways[i].missing == NULL)
			(void)end(&s[i], false);
}

/*
 * All of them live; signal by signal each one in turn. It is done anew now and then: which processors they are on
 * counts.
 */
static void measure_signals(char *command)
{
	struct started s[WAYS];

	for (int i = 0; i < WAYS; i++)
		if (ways[i].missing == NULL && !start(&ways[i], command, TO_LISTEN, 0, &s[i]))
			gave_up(&ways[i], "failed before the signals");
	for (int n = -WARM_UP; n < SIGNALS; n++)
		for (int k = 0; k < WAYS; k++) {
			int i = turn(n, k);
			struct said said;
			double from;

			if (ways[i].missing != NULL)
				continue;
			from = clock_now_us();
			if (kill(s[i].pid, SIGUSR1) < 0 || !hear(&s[i], &said)) {
				(void)end(&s[i], false);
				gave_up(&ways[i], "does not pass SIGUSR1 on");
			} else if (n >= 0) {
				add(&ways[i], LATENCY, (double)said.ns / 1e3 - from);
			}
		}
	for (int i = 0; i < WAYS; i++)
		if (ways[i].missing == NULL)
			(void)end(&s[i], false);
}

/* ------------------------------------------------------------ tables */

struct column {
	const char *title;
	enum measure which;
	double share;  /* this quantile; 1: the greatest */
	bool compared; /* with ours, in a column of its own */
	int digits;
};

static const struct column by_start[] = {
	{ "25% us", START, 0.25, false, 0 },     { "median us", START, 0.5, true, 0 },
	{ "75% us", START, 0.75, false, 0 },     { "p99 us", START, 0.99, false, 0 },
	{ "from exec", EXECUTED, 0.5, true, 0 },
};
static const struct column by_memory[] = {
	{ "private KiB", PRIVATE, 0.5, true, 0 },
	{ "anonymous KiB", ANONYMOUS, 0.5, true, 0 },
	{ "Pss KiB", PSS, 0.5, true, 0 },
};
static const struct column by_reaping[] = {
	{ "fastest ms", REAPING, 0, true, 0 },
	{ "median ms", REAPING, 0.5, true, 0 },
	{ "backlog", BACKLOG, 1, true, 0 },
	{ "init us each", REAP_CPU, 0.25, true, 2 },
};
static const struct column by_stream[] = {
	{ "fastest ms", STREAM, 0, true, 0 },
	{ "median ms", STREAM, 0.5, true, 0 },
	{ "init us each", STREAM_CPU, 0.25, true, 2 },
};
static const struct column by_burst[] = {
	{ "fastest ms", BURST_ALL, 0, true, 0 },
	{ "median ms", BURST_ALL, 0.5, true, 0 },
	{ "init us each", BURST_CPU, 0.25, true, 2 },
};
static const struct column by_idle[] = {
	{ "switches", SWITCHES, 1, true, 0 },
	{ "CPU us", IDLE_CPU, 1, true, 1 },
	{ "ticks", IDLE_TICKS, 1, true, 0 },
};
static const struct column by_signal[] = {
	{ "median us", LATENCY, 0.5, true, 1 },
	{ "p99 us", LATENCY, 0.99, true, 1 },
};

static void print_cell(struct way *w, const struct column *c)
{
	double value = series_quantile(&w->of[c->which], c->share);
	double ours = series_quantile(&ways[OURS].of[c->which], c->share);
	bool known = w->of[c->which].n > 0 && !isnan(value);

	if (known)
		printf("%14.*f", c->digits, value);
	else
		printf("%14s", "-");
	if (!c->compared)
		return;
	if (!known || ways[OURS].of[c->which].n == 0 || isnan(ours))
		printf("%7s", "-");
	else if (ours > 0)
		printf("%7.2f", value / ours);
	else
		printf("%7s", value > 0 ? "inf" : "1.00");
}

static void print_table(const char *title, const struct column *columns, size_t n)
{
	printf("\n%s\n%-14s", title, "");
	for (size_t k = 0; k < n; k++)
		printf("%14s%s", columns[k].title, columns[k].compared ? "  ratio" : "");
	(void)putchar('\n');
	for (int i = 0; i < WAYS; i++) {
		struct way *w = &ways[i];

		if (i == BARE && w->of[columns[0].which].n == 0)
			continue;
		printf("%-14s", w->name);
		if (w->missing != NULL)
			printf("  %s", w->missing);
		for (size_t k = 0; k < n && w->missing == NULL; k++)
			print_cell(w, &columns[k]);
		(void)putchar('\n');
	}
}

/* ------------------------------------------------------------ all of it */

/* The program in PATH. */
static bool find(struct way *w)
{
	const char *path = getenv("PATH");
	char dirs[4096];

	(void)snprintf(dirs, sizeof(dirs), "%s", path != NULL ? path : "/usr/bin:/bin");
	for (char *dir = strtok(dirs, ":"); dir != NULL; dir = strtok(NULL, ":")) {
		(void)snprintf(w->path, sizeof(w->path), "%s/%s", dir, w->program);
		if (access(w->path, X_OK) == 0)
			return true;
	}
	return false;
}

static void measure_round(char *command, int round)
{
	for (int i = 0; i < WAYS; i++) {
		struct way *w = &ways[turn(round, i)];

		if (w->missing == NULL)
			measure_start(w, command, true);
	}
	for (int i = 0; i < WAYS && round % MEMORY_SHARE == 0; i++)
		if (ways[i].missing == NULL && i != BARE)
			measure_memory(&ways[i], command);
	for (int i = 0; i < WAYS && round % REAPING_SHARE == 0; i++) {
		struct way *w = &ways[turn(round / REAPING_SHARE, i)];

		if (w->missing == NULL && w != &ways[BARE])
			measure_reaping(w, command, TO_ORPHAN, ORPHANS);
		if (w->missing == NULL && w != &ways[BARE])
			measure_reaping(w, command, TO_STREAM, ORPHANS);
		if (w->missing == NULL && w != &ways[BARE])
			measure_reaping(w, command, TO_BURST, BURST);
	}
	if (round % SIGNALS_SHARE == 0)
		measure_signals(command);
}

int main(int argc, char *argv[])
{
	int count = argc > 3 ? atoi(argv[3]) : 300;
	char title[128];

	if (argc < 3 || count < 1) {
		(void)fprintf(stderr, "usage: inits INIT COMMAND [ROUNDS]\n");
		return 2;
	}
	(void)snprintf(ways[OURS].path, sizeof(ways[OURS].path), "%s", argv[1]);
	for (int i = 0; i < WAYS; i++) {
		if (ways[i].program != NULL && !find(&ways[i]))
			ways[i].missing = "not installed";
		for (int n = 0; n < WARM_UP && ways[i].missing == NULL; n++)
			measure_start(&ways[i], argv[2], false);
	}
	for (int round = 0; round < count; round++)
		measure_round(argv[2], round);
	measure_idle(argv[2]);

	printf("uid %u, inits as PID 1, %d rounds, interleaved; ratio: by that of pidbox-init\n", geteuid(), count);
	print_table("start-up: from the clone, and from the exec of the init, to the command's first instruction",
		    by_start, LEN(by_start));
	print_table("memory of the init while its command sleeps", by_memory, LEN(by_memory));
	(void)snprintf(title, sizeof(title), "reaping: %d orphans one by one, until all are gone", ORPHANS);
	print_table(title, by_reaping, LEN(by_reaping));
	(void)snprintf(title, sizeof(title),
		       "reaping: %d orphans by twice as many makers as processors, until all are gone", ORPHANS);
	print_table(title, by_stream, LEN(by_stream));
	(void)snprintf(title, sizeof(title), "reaping: %d orphans that end together, until the last is gone", BURST);
	print_table(title, by_burst, LEN(by_burst));
	(void)snprintf(title, sizeof(title), "idle for %d s: the init wakes up, and works", IDLE_SECONDS);
	print_table(title, by_idle, LEN(by_idle));
	(void)snprintf(title, sizeof(title), "SIGUSR1 to the init, until the command has it; %zu signals",
		       ways[OURS].of[LATENCY].n);
	print_table(title, by_signal, LEN(by_signal));
	if (ways[OURS].missing == NULL && !(series_quantile(&ways[OURS].of[SWITCHES], 1) <= 0)) {
		printf("\npidbox-init does not sleep while nothing happens\n");
		return 1;
	}
	return ways[OURS].missing == NULL ? 0 : 1;
}
