/* SPDX-License-Identifier: MIT */
/*
 * Who keeps a box from ending. The kernel reports the end of PID 1 only when every process of its namespace has been
 * reaped (R8); one that entered by setns is reaped by its parent outside, which may be stopped, and one that is traced
 * by its tracer.
 */
#include "core/box.h"

#include "base/io.h"
#include "base/sink.h"
#include "base/util.h"
#include "kern/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void put_name(struct sink *s, int proc, pid_t pid)
{
	char path[40], name[32];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/comm", (int)pid);
	n = io_read_file(proc, path, name, sizeof(name));
	sink_num(s, pid);
	sink_str(s, " (");
	for (ssize_t i = 0; i < n && name[i] != '\n'; i++)
		sink_bytes(s, name[i] >= ' ' && name[i] != 0x7f ? name + i : "?", 1);
	sink_str(s, ")");
}

size_t pidbox_holdouts(const struct pidbox *box, char *buf, size_t size)
{
	CLEANUP(cleanup_close) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct proc_iter it = { .root = proc };
	struct sink s = SINK_BUF(buf, size);
	size_t n = 0;
	pid_t pid;

	while (proc >= 0 && (pid = proc_next(&it)) > 0) {
		struct proc_stat stat;
		struct stat ns;
		char path[40];

		(void)snprintf(path, sizeof(path), "%d/ns/pid", (int)pid);
		if (pid == box->init_pid || fstatat(proc, path, &ns, 0) < 0 || ns.st_ino != box->pid_namespace ||
		    proc_read_stat(proc, pid, &stat) < 0)
			continue;
		sink_str(&s, "PID ");
		put_name(&s, proc, pid);
		sink_str(&s, ", state ");
		sink_bytes(&s, &stat.state, 1);
		sink_str(&s, ", child of ");
		put_name(&s, proc, stat.parent);
		sink_str(&s, "\n");
		n++;
	}
	(void)sink_end(&s);
	return n;
}
