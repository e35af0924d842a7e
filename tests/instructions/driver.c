/* SPDX-License-Identifier: MIT */
/*
 * What is to be counted of the library, the same number of instructions each time: driver CASE. Only what counted()
 * calls counts (valgrind --toggle-collect). Pure functions on texts that are recorded here: no answer of this machine
 * is in it.
 */
#include "base/util.h"
#include "core/address.h"
#include "core/entry.h"
#include "core/plan.h"
#include "core/record.h"
#include "kern/container.h"
#include "kern/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"

enum { TIMES = 100 };

static void fine(bool yes)
{
	if (!yes)
		abort();
}

/* ------------------------------------------------------------ from options to steps */

static char *const words[] = { "--name",
			       "build",
			       "--timeout=1m30s",
			       "--grace",
			       "500ms",
			       "--unshare",
			       "net,cgroup",
			       "--hostname",
			       "box",
			       "-e",
			       "A=1",
			       "-e",
			       "B=2",
			       "--unset-env",
			       "C",
			       "--signal-map",
			       "TERM=QUIT,HUP=",
			       "--on-exit",
			       "term",
			       "-C",
			       "/tmp",
			       "--report",
			       "record.json",
			       "--pid-max",
			       "4000",
			       "--",
			       "make",
			       "-j8",
			       NULL };

static void parse_options(void)
{
	struct pidbox_options *opts;
	struct pidbox_error err;

	fine(pidbox_options_parse(ARRAY_LEN(words) - 1, words, &opts, &err) == 0);
	pidbox_options_free(opts);
}

static void make_plan(void)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "SHELL=/bin/bash", "HOME=/root", "A=1", "B=2", NULL };
	static const char *const argv[] = { "make", "-j8", NULL };
	const struct plan_facts ann = { .dumpable = true, .euid = 1000, .egid = 1001, .environ = env };
	const struct pidbox_spec spec = { .size = sizeof(spec), .argv = argv, .account = true };
	struct pidbox_plan *plan;
	struct pidbox_error err;

	fine(plan_make(&spec, &ann, &plan, &err) == 0);
	pidbox_plan_free(plan);
}

/* ------------------------------------------------------------ texts of /proc */

static const char stat_text[] =
	"17575 (make (4) job) S 17574 5 6 0 -1 4194560 1042 998 0 12 512 73 11 9 20 0 3 0 98127 "
	"10854400 921 18446744073709551615 1 1 0 0 0 0 0 4096 65536 0 0 0 17 1 0 0 0 0 0\n";
static const char status_text[] =
	"Name:\tmake\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t17575\nNgid:\t0\nPid:\t17575\nPPid:\t17574\n"
	"TracerPid:\t0\nUid:\t1000\t1000\t1000\t1000\nGid:\t1001\t1001\t1001\t1001\nFDSize:\t64\nGroups:\t1001 27 \n"
	"NStgid:\t17575\t214\t2\nNSpid:\t17575\t214\t2\nNSpgid:\t17575\t214\t2\nNSsid:\t17570\t209\t0\n"
	"VmPeak:\t   10600 kB\nVmSize:\t   10600 kB\nVmRSS:\t    3684 kB\nThreads:\t3\nSigQ:\t0/96277\n"
	"SigPnd:\t0000000000000000\nShdPnd:\t0000000000004000\nSigBlk:\t0000000000010000\nSigIgn:\t0000000000000004\n"
	"SigCgt:\t0000000180010002\nCapInh:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n";
static const char cgroup_text[] = "12:memory:/docker/" ID "\n11:pids:/docker/" ID "\n2:cpuset,cpu:/docker/" ID
				  "\n1:name=systemd:/docker/" ID "\n0::/\n";

static void parse_stat(void)
{
	struct proc_stat stat;

	fine(proc_parse_stat(stat_text, 100, &stat) == 0 && stat.parent == 17574);
}

static void parse_status(void)
{
	struct proc_status status;
	struct proc_signals signals;

	fine(proc_parse_status(status_text, &status) == 0 && status.n_pids == 3);
	fine(proc_parse_signals(status_text, &signals) == 0 && signals.ignored == 4);
}

static void translate(void)
{
	pid_t pids[PROC_PIDS_MAX];

	fine(proc_parse_pids(status_text, pids) == 3 && proc_parse_innermost_pid(status_text) == 2);
}

static void find_container(void)
{
	struct container c;

	container_parse(cgroup_text, &c);
	fine(strcmp(c.id, ID) == 0);
}

/* ------------------------------------------------------------ names, entries, records */

static void parse_addresses(void)
{
	static const char *const texts[] = { "build",         "build@ann/17",  "17574:98127/3",
					     "17574@5512345", "ns:4026532567", "id:" ID };
	struct address address;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		fine(address_parse(texts[i], &address, NULL) == 0);
}

static void write_and_read_entry(void)
{
	struct entry entry = {
		.id = { .pid = 17574, .pidfd = -1, .inode = 98127 },
		.pid_namespace = 4026532567,
		.started_us = 1795292102123456,
		.boot_id = "6d1f5b1e-0f3c-4a0e-9a4f-5f6b1b3c2d1e",
		.version = "0.1.0",
	};
	char *argv[] = { "make", "-j8", "CFLAGS=-O2 \"-g\"", NULL };
	char text[ENTRY_SIZE];

	entry_set_command(&entry, argv);
	fine(entry_format(&entry, text, sizeof(text)) < sizeof(text) && entry_parse(text, &entry) == 0);
}

static void write_record(void)
{
	static const struct pidbox_leak leak = { .pid = 17810,
						 .inside_pid = 214,
						 .age_us = 700123,
						 .command = "sleep\0"
							    "1000",
						 .command_size = 11 };
	static const struct pidbox_result result = { .ended_by_uid = -1,
						     .wall_us = 812345,
						     .user_us = 501200,
						     .sys_us = 90110,
						     .max_rss_kib = 20480,
						     .reaped = 212,
						     .leaked = &leak,
						     .n_leaked = 1,
						     .leaked_total = 1 };
	char *argv[] = { "make", "-j8", "\xff not UTF-8, \xc3\xa4 is", NULL };
	const struct record record = { .result = &result,
				       .name = "build",
				       .containment = "pidns",
				       .proc = "fresh",
				       .id = "17574:98127",
				       .pid_namespace = 4026532567,
				       .init_pid = 17574,
				       .command_pid = 17575,
				       .command = argv,
				       .started_realtime_us = 1795292102123456 };
	char text[4096];
	struct sink s = SINK_BUF(text, sizeof(text));

	record_write(&s, &record);
	fine(sink_end(&s) > 0 && s.len < sizeof(text));
}

/* ------------------------------------------------------------ all of them */

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "options", parse_options },     { "plan", make_plan },
	{ "stat", parse_stat },           { "status", parse_status },
	{ "translate", translate },       { "container", find_container },
	{ "addresses", parse_addresses }, { "entry", write_and_read_entry },
	{ "record", write_record },
};

__attribute__((noinline)) void counted(void (*run)(void));
void counted(void (*run)(void))
{
	for (int i = 0; i < TIMES; i++)
		run();
}

int main(int argc, char *argv[])
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (argc == 1)
			(void)puts(cases[i].name);
		if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
			counted(cases[i].run);
			return 0;
		}
	}
	return argc == 1 ? 0 : 2;
}
