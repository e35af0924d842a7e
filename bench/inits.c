/* SPDX-License-Identifier: MIT */
/*
 * pidbox-init beside other inits, each as PID 1 of a PID namespace of its own: inits INIT COMMAND [ROUNDS [ORPHANS]].
 * COMMAND is inits-command. Round by round each one in turn; what is missing is named. An ordinary user's have a user
 * namespace too. Rows: see "measures" below.
 *
 * The inits see the /proc that is there and have no mounts of their own: that is the same for all of them and would
 * cost more than they do. "No init" is the command itself as PID 1: what nobody can do better.
 */
#include "box.h"
#include "floor.h"
#include "inits.h"
#include "proc.h"
#include "ways.h"

#include <sched.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
	WARM_UP = 5,
	IDLE_SECONDS = 3,
	REAPING_SHARE = 15, /* one round in so many reaps */
	MEMORY_SHARE = 30,  /* and measures memory */
	SIGNALS_SHARE = 10, /* and sends signals, so many: */
	SIGNALS = 100,
};

static int orphans = 5000, burst = 10000;

enum measure {
	START,    /* from the clone to the command's first instruction */
	EXECUTED, /* from the exec of the init until then */
	PRIVATE,
	ANONYMOUS, /* what is no file's */
	PSS,
	REAPING_ONE, /* of all orphans, one by one, on one processor: what the init takes the maker lacks */
	REAP_ONE_CPU,
	REAPING,  /* the same on all processors: of one maker */
	BACKLOG,  /* most of them at once */
	REAP_CPU, /* the init's, for one of them */
	STREAM,   /* of all orphans of many makers */
	STREAM_CPU,
	BURST_ALL, /* of all that end together */
	BURST_CPU,
	SWITCHES, /* voluntary and others, while idle */
	IDLE_CPU,
	IDLE_TICKS,
	LATENCY, /* from the kill until the command has the signal */
	MEASURES
};

struct rival {
	const char *name, *program; /* a program of NULL: given by path, or none */
	char path[4096];
	const char *missing; /* why it is left out */
	struct series of[MEASURES];
};

static struct rival rivals[] = {
	{ .name = "pidbox-init" },
	{ .name = "tini", .program = "tini" },
	{ .name = "tini-static", .program = "tini-static" },
	{ .name = "docker-init", .program = "docker-init" },
	{ .name = "dumb-init", .program = "dumb-init" },
	{ .name = "catatonit", .program = "catatonit" },
	{ .name = "no init" },
};
enum { OURS = 0, BARE = LEN(rivals) - 1, RIVALS = LEN(rivals) };

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
static bool start(struct rival *w, char *command, int what, int count, struct started *s)
{
	static char stack[FLOOR_STACK], letter[2], number[16], dashes[] = "--";
	char **word = s->argv;
	int flags = CLONE_NEWPID | (geteuid() != 0 ? CLONE_NEWUSER : 0) | CLONE_VM | CLONE_VFORK | SIGCHLD;

	*s = (struct started){ .pid = -1 };
	letter[0] = (char)what;
	(void)snprintf(number, sizeof(number), "%d", count);
	if (w != &rivals[BARE]) {
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

static void add(struct rival *w, enum measure which, double value)
{
	series_add(&w->of[which], value);
}

static void gave_up(struct rival *w, const char *why)
{
	(void)fprintf(stderr, "inits: %s: %s\n", w->name, why);
	w->missing = why;
}

/* ------------------------------------------------------------ the measurements */

static void measure_start(struct rival *w, char *command, bool warm)
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
static void measure_memory(struct rival *w, char *command)
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

/* @param cpu  the init's processor time for one goes there */
static void measure_reaping(struct rival *w, char *command, int what, int count, enum measure all, enum measure cpu)
{
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

/* All on the first processor that we may use. */
static void measure_on_one(struct rival *w, char *command)
{
	cpu_set_t allowed, one;
	size_t first = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	while (!CPU_ISSET(first, &allowed))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
	measure_reaping(w, command, TO_ORPHAN, orphans, REAPING_ONE, REAP_ONE_CPU);
	(void)sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* All of them at the same time: nothing is to happen. */
static void measure_idle(char *command)
{
	struct timespec span = { .tv_sec = IDLE_SECONDS };
	double switches[RIVALS], cpu[RIVALS], ticks[RIVALS];
	struct started s[RIVALS];
	char state;

	for (int i = 0; i < BARE; i++)
		if (rivals[i].missing == NULL &&
		    (!start(&rivals[i], command, TO_STAY, 0, &s[i]) || !settles(s[i].pid))) {
			if (s[i].pid > 0)
				(void)end(&s[i], false);
			gave_up(&rivals[i], "failed before it was idle");
		}
	for (int i = 0; i < BARE; i++)
		if (rivals[i].missing == NULL) {
			switches[i] = switches_of(s[i].pid);
			cpu[i] = cpu_of(s[i].pid);
			ticks[i] = ticks_of(s[i].pid, &state);
		}
	while (nanosleep(&span, &span) < 0 && errno == EINTR)
		;
	for (int i = 0; i < BARE; i++)
		if (rivals[i].missing == NULL) {
			add(&rivals[i], SWITCHES, switches_of(s[i].pid) - switches[i]);
			add(&rivals[i], IDLE_CPU, cpu_of(s[i].pid) - cpu[i]);
			add(&rivals[i], IDLE_TICKS, ticks_of(s[i].pid, &state) - ticks[i]);
		}
	for (int i = 0; i < BARE; i++)
		if (rivals[i].missing == NULL)
			(void)end(&s[i], false);
}

/*
 * All of them live; signal by signal each one in turn. It is done anew now and then: which processors they are on
 * counts.
 */
static void measure_signals(char *command)
{
	struct started s[RIVALS];

	for (int i = 0; i < RIVALS; i++)
		if (rivals[i].missing == NULL && !start(&rivals[i], command, TO_LISTEN, 0, &s[i]))
			gave_up(&rivals[i], "failed before the signals");
	for (int n = -WARM_UP; n < SIGNALS; n++)
		for (int k = 0; k < RIVALS; k++) {
			int i = (int)way_turn(n, (size_t)k, RIVALS);
			struct said said;
			double from;

			if (rivals[i].missing != NULL)
				continue;
			from = clock_now_us();
			if (kill(s[i].pid, SIGUSR1) < 0 || !hear(&s[i], &said)) {
				(void)end(&s[i], false);
				gave_up(&rivals[i], "does not pass SIGUSR1 on");
			} else if (n >= 0) {
				add(&rivals[i], LATENCY, (double)said.ns / 1e3 - from);
			}
		}
	for (int i = 0; i < RIVALS; i++)
		if (rivals[i].missing == NULL)
			(void)end(&s[i], false);
}

/* ------------------------------------------------------------ all of it */

/* What is measured: its row, what the row varies (NULL: nothing), its unit. */
static const struct {
	const char *row;
	const int *x;
	const char *unit;
} measures[MEASURES] = {
	[START] = { "inits-start", NULL, "us" },
	[EXECUTED] = { "inits-exec", NULL, "us" },
	[PRIVATE] = { "inits-private", NULL, "KiB" },
	[ANONYMOUS] = { "inits-anonymous", NULL, "KiB" },
	[PSS] = { "inits-pss", NULL, "KiB" },
	[REAPING_ONE] = { "reap-one", &orphans, "ms" },
	[REAP_ONE_CPU] = { "reap-one-cpu", &orphans, "us" },
	[REAPING] = { "reap", &orphans, "ms" },
	[BACKLOG] = { "reap-backlog", &orphans, "orphans" },
	[REAP_CPU] = { "reap-cpu", &orphans, "us" },
	[STREAM] = { "reap-many", &orphans, "ms" },
	[STREAM_CPU] = { "reap-many-cpu", &orphans, "us" },
	[BURST_ALL] = { "reap-burst", &burst, "ms" },
	[BURST_CPU] = { "reap-burst-cpu", &burst, "us" },
	[SWITCHES] = { "inits-idle", NULL, "switches" },
	[IDLE_CPU] = { "inits-idle-cpu", NULL, "us" },
	[IDLE_TICKS] = { "inits-idle-ticks", NULL, "ticks" },
	[LATENCY] = { "inits-signal", NULL, "us" },
};

static void tell(struct rival *w)
{
	for (int i = 0; i < MEASURES; i++) {
		if (w->missing != NULL)
			tell_missing(row_of(measures[i].row), w->name, w->missing);
		else if (w->of[i].n > 0)
			series_tell(row_of(measures[i].row), w->name, measures[i].x != NULL ? *measures[i].x : 0,
				    measures[i].unit, &w->of[i]);
	}
}

static void measure_round(char *command, int round)
{
	for (int i = 0; i < RIVALS; i++) {
		struct rival *w = &rivals[way_turn(round, (size_t)i, RIVALS)];

		if (w->missing == NULL)
			measure_start(w, command, true);
	}
	for (int i = 0; i < RIVALS && round % MEMORY_SHARE == 0; i++)
		if (rivals[i].missing == NULL && i != BARE)
			measure_memory(&rivals[i], command);
	for (int i = 0; i < RIVALS && round % REAPING_SHARE == 0; i++) {
		struct rival *w = &rivals[way_turn(round / REAPING_SHARE, (size_t)i, RIVALS)];

		if (w->missing == NULL && w != &rivals[BARE])
			measure_on_one(w, command);
		if (w->missing == NULL && w != &rivals[BARE])
			measure_reaping(w, command, TO_ORPHAN, orphans, REAPING, REAP_CPU);
		if (w->missing == NULL && w != &rivals[BARE])
			measure_reaping(w, command, TO_STREAM, orphans, STREAM, STREAM_CPU);
		if (w->missing == NULL && w != &rivals[BARE])
			measure_reaping(w, command, TO_BURST, burst, BURST_ALL, BURST_CPU);
	}
	if (round % SIGNALS_SHARE == 0)
		measure_signals(command);
}

int main(int argc, char *argv[])
{
	int count = argc > 3 ? atoi(argv[3]) : 300;

	if (argc > 4) {
		orphans = atoi(argv[4]);
		burst = 2 * orphans;
	}
	if (argc < 3 || count < 1 || burst < 1) {
		(void)fprintf(stderr, "usage: inits INIT COMMAND [ROUNDS [ORPHANS]]\n");
		return 2;
	}
	(void)snprintf(rivals[OURS].path, sizeof(rivals[OURS].path), "%s", argv[1]);
	for (int i = 0; i < RIVALS; i++) {
		struct rival *w = &rivals[i];

		if (w->program != NULL && !in_path(w->program, w->path, sizeof(w->path)))
			w->missing = "not installed";
		for (int n = 0; n < WARM_UP && w->missing == NULL; n++)
			measure_start(w, argv[2], false);
	}
	for (int round = 0; round < count; round++)
		measure_round(argv[2], round);
	measure_idle(argv[2]);
	for (int i = 0; i < RIVALS; i++)
		tell(&rivals[i]);
	return rivals[OURS].missing == NULL ? 0 : 1;
}
