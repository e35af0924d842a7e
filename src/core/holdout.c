/* SPDX-License-Identifier: MIT */
/*
 * Who keeps a box from ending. The kernel reports the end of PID 1 only when every process of its namespace has been
 * reaped (R8); one that entered by setns is reaped by its parent outside, which may be stopped, and one that is traced
 * by its tracer.
 */
#include "core/box.h"

#include "base/io.h"
#include "base/sink.h"
#include "core/members.h"
#include "core/target.h"

#include <fcntl.h>
#include <stdio.h>

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

static size_t put_holdouts(uint64_t pid_namespace, pid_t init, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);
	struct members members;
	struct proc_stat stat;
	size_t n = 0;
	pid_t pid;

	if (pid_namespace != 0 && members_begin(&members, pid_namespace) == 0) {
		while ((pid = members_next(&members, &stat)) > 0) {
			if (pid == init)
				continue;
			sink_str(&s, "PID ");
			put_name(&s, members.it.root, pid);
			sink_str(&s, ", state ");
			sink_bytes(&s, &stat.state, 1);
			sink_str(&s, ", child of ");
			put_name(&s, members.it.root, stat.parent);
			sink_str(&s, "\n");
			n++;
		}
		members_end(&members);
	}
	(void)sink_end(&s);
	return n;
}

size_t pidbox_holdouts(const struct pidbox *box, char *buf, size_t size)
{
	return put_holdouts(box_namespace(box), box->init_pid, buf, size);
}

size_t pidbox_target_holdouts(const struct pidbox_target *target, char *buf, size_t size)
{
	return put_holdouts(target->pid_namespace, target->init.pid, buf, size);
}
