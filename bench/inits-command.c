/* SPDX-License-Identifier: MIT */
/*
 * The command that inits starts under every init, to be linked statically: usage: inits-command WHAT [COUNT], see
 * inits.h.
 *
 * An orphan is made by a child that makes it and ends: two processes. They borrow this one's memory and so cost little
 * beside what the init has to do. That an orphan has been reaped is seen by kill(2), which finds a zombie too. They are
 * looked at in the order in which they came, since that is how the kernel gives them to an init that waits for any; to
 * one with another order the number of those that are there at once would be too high.
 */
#include "inits.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK = 16 * 1024, LEAF_STACK = 2 * 1024, MIB = 1024 * 1024 };

static char middle_stack[STACK];
static char *leaf_stacks; /* one for each orphan */
static pid_t *orphans;
static int gate[2]; /* what some of them block on */
static atomic_int blocked;

static void say(int64_t ns, int most, int errnum)
{
	struct said said = { .ns = ns, .most = most, .errnum = errnum };

	if (write(STDOUT_FILENO, &said, sizeof(said)) != (ssize_t)sizeof(said) || errnum != 0)
		_exit(1);
}

static void await_byte(void)
{
	char byte;

	if (read(STDIN_FILENO, &byte, 1) != 1)
		_exit(1);
}

static int leaf_ends(void *arg)
{
	(void)arg;
	return 0;
}

static int leaf_blocks(void *arg)
{
	char byte;

	(void)arg;
	(void)atomic_fetch_add(&blocked, 1);
	return read(gate[0], &byte, 1) == 0 ? 0 : 1;
}

/* The one between: its child is the init's as soon as it has ended, which is at once. */
static int middle(int (*leaf)(void *), pid_t *ret_orphan)
{
	char *stack = leaf_stacks + (ret_orphan - orphans + 1) * LEAF_STACK;

	*ret_orphan = clone(leaf, stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	return 0;
}

static int middle_of_ending(void *arg)
{
	return middle(leaf_ends, arg);
}

static int middle_of_blocking(void *arg)
{
	return middle(leaf_blocks, arg);
}

static void make_orphan(int (*by)(void *), pid_t *ret_orphan)
{
	int flags = CLONE_VM | CLONE_FILES | CLONE_VFORK | SIGCHLD;
	pid_t pid = clone(by, middle_stack + STACK, flags, ret_orphan);

	if (pid < 0 || waitpid(pid, NULL, 0) != pid || *ret_orphan < 0)
		say(0, 0, errno);
}

/* Nothing of this is to be measured. */
static void prepare(int count)
{
	size_t size = (size_t)count * LEAF_STACK;

	orphans = calloc((size_t)count, sizeof(*orphans));
	leaf_stacks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (orphans == NULL || leaf_stacks == MAP_FAILED || pipe(gate) < 0)
		say(0, 0, errno);
}

static bool is_there(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

static void one_by_one(int count)
{
	int64_t from = clock_now_ns();
	int gone = 0, most = 0;

	for (int made = 0; made < count; made++) {
		make_orphan(middle_of_ending, &orphans[made]);
		while (gone <= made && !is_there(orphans[gone]))
			gone++;
		if (made + 1 - gone > most)
			most = made + 1 - gone;
	}
	for (; gone < count; gone++)
		while (is_there(orphans[gone]))
			(void)sched_yield();
	say(clock_now_ns() - from, most, 0);
}

/*
 * More makers than processors, each with its share: now every processor works all the time, and what the init takes
 * for an orphan is what they lack. kill(2) with -1 finds everybody but its caller and the init.
 */
static void many_makers(int count)
{
	int makers = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);
	int64_t from = clock_now_ns();

	for (int i = 0; i < makers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			say(0, 0, errno);
		for (int made = i; pid == 0 && made < count; made += makers)
			make_orphan(middle_of_ending, &orphans[made]);
		if (pid == 0)
			_exit(0);
	}
	for (int i = 0, status; i < makers; i++)
		if (wait(&status) < 0 || status != 0)
			say(0, 0, EIO);
	while (kill(-1, 0) == 0)
		(void)sched_yield();
	say(clock_now_ns() - from, 0, 0);
}

static void make_blocked(int count)
{
	for (int made = 0; made < count; made++)
		make_orphan(middle_of_blocking, &orphans[made]);
	while (atomic_load(&blocked) < count)
		(void)sched_yield();
}

static void all_at_once(int count)
{
	int64_t from = clock_now_ns();

	(void)close(gate[1]); /* theirs as well */
	for (int gone = 0; gone < count; gone++)
		while (is_there(orphans[gone]))
			(void)sched_yield();
	say(clock_now_ns() - from, count, 0);
}

static void listen_for_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	say(clock_now_ns(), 0, 0);
	while (sigwaitinfo(&set, NULL) == SIGUSR1)
		say(clock_now_ns(), 0, 0);
}

static int leaf_sleeps(void *arg)
{
	for (;;)
		(void)pause();
	return arg != NULL;
}

/* This one and its children, which are no orphans. */
static void be_many(int count)
{
	for (int i = 1; i < count; i++)
		if (clone(leaf_sleeps, leaf_stacks + i * LEAF_STACK, CLONE_VM | CLONE_FILES | SIGCHLD, NULL) < 0)
			say(0, 0, errno);
	say(clock_now_ns(), count, 0);
	await_byte();
	say(clock_now_ns(), count, 0);
	_exit(0);
}

static void write_lines(int mib)
{
	static char text[64 * 1024];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 26);
	for (int64_t left = (int64_t)mib * MIB; left > 0;) {
		ssize_t n = write(STDOUT_FILENO, text, sizeof(text));

		if (n < 0)
			_exit(1);
		left -= n;
	}
}

int main(int argc, char *argv[])
{
	int64_t began = clock_now_ns();
	int what = argc > 1 ? argv[1][0] : 0, count = argc > 2 ? atoi(argv[2]) : 0;

	if (what == TO_LISTEN) {
		listen_for_signals();
		return 1;
	}
	if (what == TO_WRITE) {
		write_lines(count);
		return 0;
	}
	if (count > 0)
		prepare(count);
	if (what == TO_CROWD)
		be_many(count);
	if (what == TO_BURST)
		make_blocked(count);
	say(began, 0, 0);
	if (what == TO_STAMP)
		return 0;
	if (what == TO_STAY)
		return pause();
	await_byte();
	(what == TO_BURST ? all_at_once : what == TO_STREAM ? many_makers : one_by_one)(count);
	return pause();
}
