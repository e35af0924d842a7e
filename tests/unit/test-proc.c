/* SPDX-License-Identifier: MIT */
/* Reading a procfs: texts as proc(5) has them, and worse; a recorded tree; the live one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "kern/proc.h"
#include "tap.h"

/* pid (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime prio nice
 * threads itrealvalue starttime vsize ... */
#define FIELDS(state, ppid, cpu, start) \
	state " " ppid " 5 6 0 -1 4194560 100 0 0 0 " cpu " 20 0 1 0 " start " 10000 200 0"

static const struct {
	const char *name, *text;
	long hz;
	int r;
	struct proc_stat stat;
} stats[] = {
	{ "a plain one",
	  "7 (sleep) " FIELDS("S", "3", "1 2 3 4", "777") "\n",
	  100,
	  0,
	  { 'S', 3, 100000, 777, 30000, 1, 200, "sleep" } },
	{ "a name like fields",
	  "7 (a) R 1 (b) " FIELDS("Z", "9", "0 0 0 0", "1"),
	  100,
	  0,
	  { 'Z', 9, 0, 1, 0, 1, 200, "a) R 1 (b" } },
	{ "a name that is all brackets",
	  "7 ()))() " FIELDS("T", "2", "0 0 0 1", "5"),
	  100,
	  0,
	  { 'T', 2, 10000, 5, 0, 1, 200, ")))(" } },
	{ "an empty name", "7 () " FIELDS("D", "2", "0 0 0 0", "5"), 100, 0, { 'D', 2, 0, 5, 0, 1, 200, "" } },
	{ "a name with a newline",
	  "7 (a\nb) " FIELDS("R", "0", "0 0 0 0", "5"),
	  100,
	  0,
	  { 'R', 0, 0, 5, 0, 1, 200, "a\nb" } },
	{ "a name that is no UTF-8",
	  "7 (\xff\x80) " FIELDS("I", "2", "0 0 0 0", "5"),
	  100,
	  0,
	  { 'I', 2, 0, 5, 0, 1, 200, "\xff\x80" } },
	{ "another clock", "7 (x) " FIELDS("S", "1", "1 0 0 0", "5"), 250, 0, { 'S', 1, 4000, 5, 4000, 1, 200, "x" } },
	{ "a late start",
	  "7 (x) " FIELDS("S", "1", "0 0 0 0", "4294967296"),
	  100,
	  0,
	  { 'S', 1, 0, 4294967296, 0, 1, 200, "x" } },
	{ "nothing", "", 100, -EBADMSG, { 0 } },
	{ "no bracket", "7 sleep S 3 5 6", 100, -EBADMSG, { 0 } },
	{ "cut in the name", "7 (sle", 100, -EBADMSG, { 0 } },
	{ "cut after the name", "7 (sleep)", 100, -EBADMSG, { 0 } },
	{ "cut after the blank", "7 (sleep) ", 100, -EBADMSG, { 0 } },
	{ "more CPU time than there is",
	  "7 (x) " FIELDS("S", "1", "9223372036854775807 1 0 0", "5"),
	  100,
	  -EBADMSG,
	  { 0 } },
	{ "more microseconds than there are",
	  "7 (x) " FIELDS("S", "1", "922337203685477580 1 0 0", "5"),
	  100,
	  -EBADMSG,
	  { 0 } },
	{ "cut after the state", "7 (sleep) S", 100, -EBADMSG, { 0 } },
	{ "cut in the fields", "7 (sleep) S 3 5 6 0 -1 4194560 100 0 0 0 1 2", 100, -EBADMSG, { 0 } },
	{ "cut before the start", "7 (x) S 1 5 6 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0", 100, -EBADMSG, { 0 } },
	{ "no number", "7 (x) S one 5 6 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 5", 100, -EBADMSG, { 0 } },
	{ "a clock without ticks", "7 (x) " FIELDS("S", "1", "0 0 0 0", "5"), 0, -EBADMSG, { 0 } },
};

static void test_stat(void)
{
	for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
		struct proc_stat got = { .state = '?', .parent = -7, .cpu_us = -7, .start_ticks = 7 };
		int r = proc_parse_stat(stats[i].text, stats[i].hz, &got);

		if (stats[i].r < 0)
			ok(r == stats[i].r && got.state == '?' && got.parent == -7 && got.cpu_us == -7 &&
				   got.start_ticks == 7,
			   "%s: %d, and nothing is touched", stats[i].name, r);
		else
			ok(r == 0 && got.state == stats[i].stat.state && got.parent == stats[i].stat.parent &&
				   got.cpu_us == stats[i].stat.cpu_us && got.start_ticks == stats[i].stat.start_ticks &&
				   got.own_cpu_us == stats[i].stat.own_cpu_us && got.threads == stats[i].stat.threads &&
				   got.rss_pages == stats[i].stat.rss_pages &&
				   strcmp(got.name, stats[i].stat.name) == 0,
			   "%s: %c %d %lld %llu", stats[i].name, got.state, (int)got.parent, (long long)got.cpu_us,
			   (unsigned long long)got.start_ticks);
	}
}

static void test_innermost(void)
{
	static const struct {
		const char *name, *text;
		pid_t pid;
	} rows[] = {
		{ "one level", "Name:\tx\nPid:\t5\nNSpid:\t5\nVmPeak:\t1\n", 5 },
		{ "three levels", "Name:\tx\nNStgid:\t9 8 7\nNSpid:\t500\t40\t3\nNSpgid:\t500\t40\t2\n", 3 },
		{ "blanks between", "Name:\tx\nNSpid:\t500 40  3\n", 3 },
		{ "the last line without its end", "Name:\tx\nNSpid:\t500\t2", 2 },
		{ "a name like it", "Name:\tNSpid:\t9\nNSpid:\t4\n", 4 },
		{ "the thread group alone", "Name:\tx\nNStgid:\t4\n", -EBADMSG },
		{ "none (before Linux 4.1)", "Name:\tx\nPid:\t5\n", -EBADMSG },
		{ "nothing after it", "Name:\tx\nNSpid:", -EBADMSG },
		{ "an empty list", "Name:\tx\nNSpid:\nNSpgid:\t5\n", -EBADMSG },
		{ "a list of blanks", "Name:\tx\nNSpid:\t\nNSpgid:\t5\n", -EBADMSG },
		{ "no number", "Name:\tx\nNSpid:\tfive\n", -EBADMSG },
		{ "a negative one", "Name:\tx\nNSpid:\t5\t-1\n", -EBADMSG },
		{ "zero: not seen from here", "Name:\tx\nNSpid:\t0\n", -EBADMSG },
		{ "more than a PID has", "Name:\tx\nNSpid:\t5\t4294967298\n", -EBADMSG },
		{ "an empty text", "", -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pid_t pid = proc_parse_innermost_pid(rows[i].text);

		ok(pid == rows[i].pid, "%s: %d (expected %d)", rows[i].name, (int)pid, (int)rows[i].pid);
	}
}

static void test_status(void)
{
	static const struct {
		const char *name, *text;
		int r;
		struct proc_status status;
	} rows[] = {
		{ "a plain one", "Name:\tx\nPPid:\t3\nUid:\t1\t2\t3\t4\nNSpid:\t500\t2\n", 0, { 2, 3, 2, { 500, 2 } } },
		{ "a parent outside", "Name:\tx\nPPid:\t0\nUid:\t0\t0\t0\t0\nNSpid:\t1\n", 0, { 0, 0, 1, { 1 } } },
		{ "a name like the keys",
		  "Name:\tUid:\t9\t9\nPPid:\t3\nUid:\t1\t1\t1\t1\nNSpid:\t5\n",
		  0,
		  { 1, 3, 1, { 5 } } },
		{ "the highest uid",
		  "Name:\tx\nPPid:\t3\nUid:\t1\t4294967295\t3\t4\nNSpid:\t5\n",
		  0,
		  { UINT32_MAX, 3, 1, { 5 } } },
		{ "one uid", "Name:\tx\nPPid:\t3\nUid:\t1\nGid:\t7\nNSpid:\t5\n", -EBADMSG, { 0 } },
		{ "no uid", "Name:\tx\nPPid:\t3\nNSpid:\t5\n", -EBADMSG, { 0 } },
		{ "no parent", "Name:\tx\nUid:\t1\t1\t1\t1\nNSpid:\t5\n", -EBADMSG, { 0 } },
		{ "no numbers", "Name:\tx\nPPid:\t3\nUid:\t1\t1\t1\t1\n", -EBADMSG, { 0 } },
		{ "more than a uid has",
		  "Name:\tx\nPPid:\t3\nUid:\t1\t4294967296\t3\t4\nNSpid:\t5\n",
		  -EBADMSG,
		  { 0 } },
		{ "nothing", "", -EBADMSG, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct proc_status got = { .uid = 77 };
		int r = proc_parse_status(rows[i].text, &got);

		if (rows[i].r < 0)
			ok(r == rows[i].r && got.uid == 77, "%s: %d, and nothing is touched", rows[i].name, r);
		else
			ok(r == 0 && memcmp(&got, &rows[i].status, sizeof(got)) == 0,
			   "%s: uid %u, parent %d, %d levels", rows[i].name, got.uid, (int)got.parent, got.n_pids);
	}
}

static void test_signals(void)
{
	static const char text[] =
		"Name:\tx\nState:\tS (sleeping)\nSigPnd:\t0000000000000001\nShdPnd:\t8000000000004000\n"
		"SigBlk:\t0000000000010000\nSigIgn:\t0000000000001006\nSigCgt:\t00000001800004e8\nCapInh:\t0\n";
	struct proc_signals s = { .blocked = 77 };

	ok(proc_parse_signals("Name:\tx\nState:\tS (sleeping)\nSigBlk:\t0\n", &s) == -EBADMSG && s.blocked == 77,
	   "a status without signals");
	ok(proc_parse_signals("", &s) == -EBADMSG, "no status");
	ok(proc_parse_signals(text, &s) == 0 && s.state == 'S' && s.pending == 0x8000000000004000 &&
		   s.blocked == 0x10000 && s.ignored == 0x1006 && s.caught == 0x1800004e8,
	   "the masks of a status");
}

static void test_pids(void)
{
	pid_t pids[PROC_PIDS_MAX] = { 77 };
	char text[400] = "Name:\tx\nNSpid:";
	int n = proc_parse_pids("Name:\tx\nNSpid:\t500\t40\t3\nNSpgid:\t500\t40\t2\n", pids);

	ok(n == 3 && pids[0] == 500 && pids[1] == 40 && pids[2] == 3, "three levels, outermost first");
	for (int i = 0; i < PROC_PIDS_MAX; i++)
		strcat(text, "\t7");
	ok(proc_parse_pids(text, pids) == PROC_PIDS_MAX && pids[PROC_PIDS_MAX - 1] == 7, "as deep as they nest");
	strcat(text, "\t8");
	ok(proc_parse_pids(text, pids) == -EBADMSG && pids[0] == 7, "deeper than they nest");
}

/* ------------------------------------------------------------ a recorded tree */

static void put(int root, const char *path, const char *text, size_t len)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		(void)ok(false, "the tree cannot be written: %s", path);
	close(fd);
}

/* Who has no handler, and sleeps there: does the kernel drop what is sent to him as PID 1? */
static void test_drops(void)
{
	static const struct {
		const char *state, *where;
		int sig;
		bool drops;
	} rows[] = {
		{ "S (sleeping)", "do_wait", SIGTERM, true },
		{ "R (running)", "0", SIGTERM, true },
		{ "S (sleeping)", "do_sigtimedwait.isra.0", SIGTERM, false },
		{ "S (sleeping)", "0", SIGTERM, false }, /* not for us to know */
		{ "S (sleeping)", "", SIGTERM, false },
		{ "S (sleeping)", "do_wait", SIGUSR1, false }, /* blocked */
		{ "S (sleeping)", "do_wait", SIGHUP, false },  /* a handler */
		{ "S (sleeping)", "do_wait", SIGINT, true },   /* ignored */
		{ "S (sleeping)", "do_wait", SIGKILL, false },
	};
	char dir[] = "/tmp/test-proc-XXXXXX", text[256];

	if (mkdtemp(dir) == NULL) {
		tap_skip("a recorded PID 1", "there is no /tmp to write to");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int n = snprintf(text, sizeof(text),
				 "Name:\tx\nState:\t%s\nShdPnd:\t0\nSigBlk:\t0000000000000200\n"
				 "SigIgn:\t0000000000000002\nSigCgt:\t0000000000000001\n",
				 rows[i].state);

		mkdirat(root, "1", 0700);
		put(root, "1/status", text, (size_t)n);
		put(root, "1/wchan", rows[i].where, strlen(rows[i].where));
		ok(proc_drops_signal(root, 1, rows[i].sig) == rows[i].drops, "%s, in %s, signal %d: %s", rows[i].state,
		   rows[i].where, rows[i].sig, rows[i].drops ? "dropped" : "not dropped, or not known");
		unlinkat(root, "1/status", 0);
		unlinkat(root, "1/wchan", 0);
		unlinkat(root, "1", AT_REMOVEDIR);
		close(root);
	}
	rmdir(dir);
}

static void test_tree(void)
{
	static const char *const names[] = { "1",    "42",  "4194303",     "12a", "0",
					     "self", "007", "99999999999", "-5",  ".hidden" };
	char dir[] = "/tmp/test-proc-XXXXXX", cmdline[64];
	struct proc_iter it = { 0 };
	struct proc_stat stat;
	int root, sum = 0, n = 0, r;
	pid_t pid;

	if (mkdtemp(dir) == NULL) {
		tap_skip("a recorded tree", "there is no /tmp to write to");
		return;
	}
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		mkdirat(root, names[i], 0700);
	put(root, "42/stat", "42 (x y) " FIELDS("S", "1", "0 0 0 0", "9"),
	    sizeof("42 (x y) " FIELDS("S", "1", "0 0 0 0", "9")) - 1);
	put(root, "42/cmdline", "a\0b c\0", 6);
	put(root, "1/cmdline", "", 0);
	put(root, "1/stat", "junk", 4);
	it.root = root;
	while ((pid = proc_next(&it)) > 0) {
		n++;
		sum += (int)(pid % 100000);
	}
	ok(pid == 0 && n == 3 && sum == 1 + 42 + 94303, "of ten names three are PIDs");
	ok(!it.open, "what was opened is closed");
	ok(proc_read_stat(root, 42, &stat) == 0 && stat.start_ticks == 9, "stat");
	ok(proc_read_cmdline(root, 42, cmdline, sizeof(cmdline)) == 6 && memcmp(cmdline, "a\0b c\0", 7) == 0,
	   "cmdline");
	ok(proc_read_cmdline(root, 42, cmdline, 4) == 3 && cmdline[3] == '\0', "cmdline that is cut");
	ok(proc_read_cmdline(root, 1, cmdline, sizeof(cmdline)) == 0, "a zombie has no cmdline");
	ok(proc_read_stat(root, 1, &stat) == -EBADMSG, "a stat that is none");
	ok(proc_read_stat(root, 5, &stat) == -ENOENT, "a process that is gone");
	it = (struct proc_iter){ .root = -1 };
	r = proc_next(&it);
	ok(r == -EBADF && !it.open, "no root");
	unlinkat(root, "42/stat", 0);
	unlinkat(root, "42/cmdline", 0);
	unlinkat(root, "1/stat", 0);
	unlinkat(root, "1/cmdline", 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(root, names[i], AT_REMOVEDIR);
	close(root);
	rmdir(dir);
}

static void test_live(void)
{
	int root = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct proc_iter it = { .root = root };
	struct proc_stat stat = { 0 };
	bool found = false;
	pid_t pid;

	while ((pid = proc_next(&it)) > 0)
		found = found || pid == getpid();
	ok(pid == 0 && found, "we are in /proc ourselves");
	ok(proc_read_stat(root, getpid(), &stat) == 0 && stat.state == 'R' && stat.parent == getppid() &&
		   stat.start_ticks > 0,
	   "we run, and our parent is our parent");
	close(root);
}

int main(void)
{
	test_stat();
	test_innermost();
	test_pids();
	test_status();
	test_signals();
	test_drops();
	test_tree();
	test_live();
	return tap_end();
}
