/* SPDX-License-Identifier: MIT */
#include "core/list.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/container.h"
#include "kern/proc.h"

#include <stdio.h>
#include <string.h>

/*
 * Pidbox's init is executed from a sealed memory file of that name, or from the installed file. Both names are free for
 * anybody to take: it tells what a box is, and is no ground to trust it on. @return 1, 0, -1: may not be known
 */
static int runs_pidbox_init(int dir)
{
	static const char memory[] = "/memfd:pidbox-init (deleted)", name[] = "/pidbox-init", gone[] = " (deleted)";
	char exe[4096];
	ssize_t n = readlinkat(dir, "exe", exe, sizeof(exe) - 1);
	size_t len = n > 0 ? (size_t)n : 0;

	if (n < 0)
		return errno == EACCES || errno == EPERM ? -1 : 0;
	exe[len] = '\0';
	if (strcmp(exe, memory) == 0)
		return 1;
	if (len > strlen(gone) && strcmp(exe + len - strlen(gone), gone) == 0)
		exe[len -= strlen(gone)] = '\0';
	return len >= strlen(name) && strcmp(exe + len - strlen(name), name) == 0;
}

/* Programs that give themselves a title leave NULs where their arguments were, which nobody gave them. */
static size_t without_tail(const char *text, size_t size)
{
	size_t first = strnlen(text, size), rest = size - first;

	for (size_t i = first; i < size; i++)
		if (text[i] != '\0')
			return size;
	return rest > 2 ? first + 1 : size;
}

/* @return false: it has no arguments */
static bool take_command(struct listing *l, int dir, struct pidbox_list_entry *e)
{
	ssize_t n = io_read_file(dir, "cmdline", l->scan.text, SCAN_TEXT);
	char *copy;

	if (n <= 0)
		return false;
	n = (ssize_t)without_tail(l->scan.text, (size_t)n);
	copy = pool_text(&l->list->pool, l->scan.text, (size_t)n);
	e->command = copy;
	e->command_size = copy != NULL ? (size_t)n : 0;
	return true;
}

/* The oldest child that has arguments: what the init was made for, as long as that lives. */
static void take_command_under(struct listing *l, int dir, pid_t init, struct pidbox_list_entry *e)
{
	char path[64], children[4096], *at = children, *end;
	bool taken = false;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "task/%d/children", (int)init);
	n = io_read_file(dir, path, children, sizeof(children));
	if (n <= 0)
		return;
	for (long pid = strtol(at, &end, 10); !taken && end != at && pid > 0; pid = strtol(at, &end, 10)) {
		int child = proc_open(l->scan.proc, (pid_t)pid);
		struct proc_details d;

		if (child >= 0 && proc_read_details(child, &d) == 0 && d.stat.parent == init)
			taken = take_command(l, child, e);
		cleanup_close(&child);
		at = end;
	}
}

static void take_container(struct listing *l, int dir, struct pidbox_list_entry *e)
{
	struct pool *pool = &l->list->pool;
	struct container c;

	if (io_read_file(dir, "cgroup", l->scan.text, SCAN_TEXT) <= 0)
		return;
	container_parse(l->scan.text, &c);
	e->runtime = c.runtime;
	if (c.id[0] != '\0')
		e->container_id = pool_text(pool, c.id, strlen(c.id));
	if (c.pod[0] != '\0')
		e->pod_uid = pool_text(pool, c.pod, strlen(c.pod));
	if (c.path[0] != '\0')
		e->cgroup = pool_text(pool, c.path, strlen(c.path));
}

static void look_at_init(struct listing *l, struct pidbox_list_entry *e)
{
	CLEANUP(cleanup_close) int dir = proc_open(l->scan.proc, e->init_pid);
	struct proc_details d;

	if (dir < 0 || proc_read_details(dir, &d) < 0)
		return;
	e->started_us = l->boot_us + (int64_t)(d.stat.start_ticks * (uint64_t)(US_PER_S / l->ticks_per_s));
	if (d.stat.state == 'Z' || d.stat.state == 'X')
		e->status = PIDBOX_LIST_ENDING;
	e->uid = d.status.uid;
	e->user = usernames_get(&l->list->users, d.status.uid);
	e->pidbox = runs_pidbox_init(dir);
	(void)take_command(l, dir, e);
	if (e->pidbox == 1 || (e->pidbox < 0 && strcmp(d.name, "pidbox-init") == 0))
		take_command_under(l, dir, e->init_pid, e);
	take_container(l, dir, e);
}

bool list_make_row(struct listing *l, size_t i, struct pidbox_list_entry *e)
{
	const struct scan_ns *ns = &l->scan.ns[i];
	struct pidref now;
	bool same;

	*e = (struct pidbox_list_entry){
		.pid_namespace = ns->inode,
		.parent_index = SIZE_MAX,
		.depth = (unsigned)ns->depth,
		.init_pid = ns->init.pid,
		.process_count = ns->processes,
		.uid = -1,
		.started_us = -1,
		.pidbox = -1,
	};
	if (ns->init.pid == 0) {
		e->status = i == 0 ? PIDBOX_LIST_RUNNING : PIDBOX_LIST_EMPTY;
		e->held_by = ns->held_by;
		e->pidbox = i == 0 ? -1 : 0;
		return i == 0 || (ns->held && ns->processes == 0);
	}
	if (ns->held)
		return false; /* it has begun since the processes were looked at */
	pidref_format(&ns->init, e->id);
	look_at_init(l, e);
	/* All that was read by the number was this process's when it is the same still. */
	if (pidref_open(ns->init.pid, &now) < 0)
		return false;
	same = pidref_same(&now, &ns->init);
	pidref_close(&now);
	return same;
}
