/* SPDX-License-Identifier: MIT */
/* state: what a process inherits, one fact a line: run it inside and outside and compare. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	char line[256], cwd[4096];
	cpu_set_t set;
	struct rlimit l;
	int v = -1;

	mode_t m = umask(0);
	umask(m);
	printf("umask %o\n", m);
	printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
	printf("cwd %s\n", getcwd(cwd, sizeof cwd) ? cwd : strerror(errno));
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &l) == 0)
			printf("rlimit %d %lu %lu\n", i, (unsigned long)l.rlim_cur, (unsigned long)l.rlim_max);
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "Sig", 3) || !strncmp(line, "Shd", 3) || !strncmp(line, "NoNewPrivs", 10) ||
		    !strncmp(line, "Seccomp", 7) || !strncmp(line, "Cap", 3) || !strncmp(line, "Threads", 7))
			if (strncmp(line, "SigQ", 4))
				fputs(line, stdout);
	if ((f = fopen("/proc/self/oom_score_adj", "r")) && fgets(line, sizeof line, f))
		printf("oom_score_adj %s", line);
	prctl(PR_GET_PDEATHSIG, &v);
	printf("pdeathsig %d\n", v);
	prctl(PR_GET_CHILD_SUBREAPER, &v);
	printf("subreaper %d\n", v);
	printf("dumpable %d keepcaps %d timerslack %d thp %d securebits %x\n", prctl(PR_GET_DUMPABLE),
	       prctl(PR_GET_KEEPCAPS), prctl(PR_GET_TIMERSLACK), prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0),
	       prctl(PR_GET_SECUREBITS));
	printf("personality %x\n", personality(0xffffffff));
	printf("sched %d ioprio %ld\n", sched_getscheduler(0), syscall(SYS_ioprio_get, 1, 0));
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		printf("cpus %d\n", CPU_COUNT(&set));
	prctl(PR_GET_NAME, line);
	printf("comm %s\n", line);
	return 0;
}
