/* SPDX-License-Identifier: MIT */
/*
 * Who is inside, and what they have used.
 *
 * It is read from a procfs of the init's own that is mounted nowhere, so that --proc none and whatever the box has done
 * to /proc blind nothing. Where the kernel refuses one (a masked /proc, user namespaces), the caller's /proc is read,
 * which shows more than the box: there a process is ours when it is in our PID namespace.
 */
#include "init/init.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/proc.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>

/*
 * Before the start, and before --proc none covers /proc: a command of the same user could take the means from us later,
 * by our limit of descriptors (prlimit(2)).
 */
void survey_prepare(struct box *b)
{
	if (b->proc >= 0 || (b->plan->flags & WIRE_SUBREAPER) ||
	    (!(b->plan->flags & WIRE_ACCOUNT) && b->plan->cpu_time_us == 0))
		return;
	b->proc = proc_open_detached();
	if (b->proc >= 0)
		return;
	b->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->proc_outer = true;
}

static ssize_t namespace_of(int proc, const char *who, char *buf, size_t size)
{
	char path[48];
	size_t len = strlen(who);

	memcpy(path, who, len);
	memcpy(path + len, "/ns/pid", sizeof("/ns/pid"));
	return readlinkat(proc, path, buf, size);
}

/* The PID inside of what procfs calls `pid`; 0: not in this box. */
static pid_t inside_pid(struct box *b, pid_t pid)
{
	char own[64], theirs[64], who[24], path[40], status[4096];
	size_t len;
	ssize_t n;

	if (!b->proc_outer)
		return rest_has(b, pid) ? pid : 0;
	len = io_decimal(who, pid);
	who[len] = '\0';
	n = namespace_of(b->proc, who, theirs, sizeof(theirs));
	if (n <= 0 || n != namespace_of(b->proc, "self", own, sizeof(own)) || memcmp(own, theirs, (size_t)n) != 0)
		return 0;
	memcpy(path, who, len);
	memcpy(path + len, "/status", sizeof("/status"));
	if (io_read_file(b->proc, path, status, sizeof(status)) < 0)
		return 0;
	pid = proc_parse_innermost_pid(status);
	return pid > 0 ? pid : 0;
}

/* CPU time of all that is or was in the box: what has been waited for, and what runs. */
int64_t survey_cpu_us(struct box *b)
{
	struct proc_iter it = { .root = b->proc };
	struct rusage usage;
	int64_t us = 0;
	pid_t pid;

	if (getrusage(RUSAGE_CHILDREN, &usage) == 0)
		us = (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US_PER_S + usage.ru_utime.tv_usec +
		     usage.ru_stime.tv_usec;
	if (b->proc < 0)
		return us;
	it.root = b->proc;
	while ((pid = proc_next(&it)) > 0) {
		struct proc_stat stat;
		pid_t inside = inside_pid(b, pid);

		if (inside > 1 && proc_read_stat(b->proc, pid, &stat) == 0)
			us += stat.cpu_us;
	}
	return us;
}

static void report_leak(struct box *b, pid_t pid, pid_t inside, const struct proc_stat *stat)
{
	struct wire_msg msg = { .type = MSG_LEAK };
	int64_t started = (int64_t)stat->start_ticks * (US_PER_S / (int64_t)getauxval(AT_CLKTCK));
	ssize_t n = proc_read_cmdline(b->proc, pid, msg.leak.command, sizeof(msg.leak.command));

	msg.leak.inside_pid = inside;
	msg.leak.command_size = n > 0 ? (uint32_t)n : 0;
	msg.leak.age_us = clock_us(CLOCK_BOOTTIME) - started;
	if (b->front_gone)
		report_keep_leak(b, &msg.leak);
	else
		front_send(b, &msg, WIRE_HEAD + offsetof(struct wire_leak, command) + msg.leak.command_size, inside);
}

/* Is it what `pidbox exec` has started, in such a one's session, or below? pid: as procfs calls it. */
static bool belongs_to_exec(struct box *b, pid_t pid)
{
	enum { GENERATIONS = 256 };

	for (int i = 0; i < GENERATIONS && exec_any_owned(); i++) {
		pid_t inside = inside_pid(b, pid);
		struct proc_stat stat;

		if (inside <= 1)
			return false;
		if (exec_owns(inside))
			return true;
		if (proc_read_stat(b->proc, pid, &stat) < 0)
			return false;
		pid = stat.parent;
	}
	return false;
}

/*
 * SIGKILL to a session, or as much of it as can be seen: its leader's group always, the jobs of a shell when there is a
 * procfs. More than once, for one that forks meanwhile; who forks faster than this goes with the box.
 */
void survey_kill_session(struct box *b, pid_t session)
{
	enum { TIMES = 4 };
	bool own = b->proc < 0, found = true;

	(void)kill(-session, SIGKILL);
	if (own)
		b->proc = proc_open_detached();
	for (int i = 0; i < TIMES && b->proc >= 0 && found; i++) {
		struct proc_iter it = { .root = b->proc };
		pid_t pid;

		found = false;
		while ((pid = proc_next(&it)) > 0) {
			pid_t inside = inside_pid(b, pid);
			struct proc_stat stat;

			if (inside <= 1 || getsid(inside) != session || proc_read_stat(b->proc, pid, &stat) < 0 ||
			    stat.state == 'Z' || stat.state == 'X')
				continue;
			found |= inside != session;
			(void)kill(inside, SIGKILL);
		}
	}
	if (own && b->proc >= 0) {
		(void)close(b->proc);
		b->proc = -1;
	}
}

/* Those without members go behind those with. */
unsigned survey_sessions(struct box *b, pid_t *sessions, unsigned n)
{
	struct proc_iter it = { .root = b->proc };
	unsigned found = 0;
	pid_t pid;

	while (b->proc >= 0 && (pid = proc_next(&it)) > 0) {
		pid_t inside = inside_pid(b, pid), session = inside > 1 ? getsid(inside) : -1;
		unsigned i = found;

		while (i < n && sessions[i] != session)
			i++;
		if (i == n)
			continue;
		sessions[i] = sessions[found];
		sessions[found++] = session;
	}
	return found;
}

/*
 * Name what has outlived the command. Before it is killed it is stopped: a process that forks during the scan would
 * otherwise hide its child from it. What is to run on (--on-exit term, wait) is left in peace.
 */
void survey_leaks(struct box *b)
{
	struct proc_iter it = { .root = -1 };
	pid_t pid;

	if (b->proc < 0) {
		b->result.leaked_total = -1;
		return;
	}
	if (b->plan->on_exit == PIDBOX_ON_EXIT_KILL)
		rest_signal(b, SIGSTOP);
	it.root = b->proc;
	while ((pid = proc_next(&it)) > 0) {
		struct proc_stat stat;
		pid_t inside = inside_pid(b, pid);

		if (inside <= 1 || proc_read_stat(b->proc, pid, &stat) < 0 || stat.state == 'Z' || stat.state == 'X' ||
		    belongs_to_exec(b, pid))
			continue;
		if (b->result.leaked_total++ < WIRE_LEAKS_NAMED)
			report_leak(b, pid, inside, &stat);
	}
}
