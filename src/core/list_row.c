/* SPDX-License-Identifier: MIT */
#include "core/list.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/container.h"
#include "kern/proc.h"

#include <stdio.h>
#include <string.h>

/* PID 1 is read by its number: list_make_row sees at the end that this has been the same process's all the time. */
static ssize_t read_init(struct listing *l, pid_t pid, const char *file)
{
	return proc_read_file_of(l->scan.proc, pid, file, l->scan.text, SCAN_TEXT);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

/*
 * Pidbox's init is the command itself that calls itself so (named), a sealed memory file, or the installed file. All
 * names are free for anybody to take: it tells what a box is, and is no ground to trust it on. @return 1, 0, -1: may
 * not be known
 */
static int runs_pidbox_init(const struct listing *l, pid_t pid, bool named)
{
	static const char memory[] = "/memfd:pidbox-init (deleted)", gone[] = " (deleted)";
	char path[40], exe[4096];
	const char *name;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/exe", (int)pid);
	n = readlinkat(l->scan.proc, path, exe, sizeof(exe) - 1);
	if (n < 0)
		return errno == EACCES || errno == EPERM ? -1 : 0;
	exe[n] = '\0';
	if (strcmp(exe, memory) == 0)
		return 1;
	if (ends_with(exe, gone))
		exe[(size_t)n - strlen(gone)] = '\0';
	name = strrchr(exe, '/');
	return ends_with(exe, "/pidbox-init") || (named && name != NULL && strncmp(name, "/pidbox", 7) == 0);
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

/* From n bytes of l->scan.text. @return false: it has no arguments */
static bool take_command(struct listing *l, ssize_t n, struct pidbox_list_entry *e)
{
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
static void take_command_under(struct listing *l, pid_t init, struct pidbox_list_entry *e)
{
	char path[64], children[4096], *at = children, *end;
	bool taken = false;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/task/%d/children", (int)init, (int)init);
	n = io_read_file(l->scan.proc, path, children, sizeof(children));
	if (n <= 0)
		return;
	for (long pid = strtol(at, &end, 10); !taken && end != at && pid > 0; pid = strtol(at, &end, 10)) {
		int child = proc_open(l->scan.proc, (pid_t)pid);
		struct proc_stat stat;

		if (child >= 0 && proc_read_stat_of(child, &stat) == 0 && stat.parent == init)
			taken = take_command(l, proc_read_file(child, "cmdline", l->scan.text, SCAN_TEXT), e);
		cleanup_close(&child);
		at = end;
	}
}

static void parse_container(struct listing *l, size_t len)
{
	struct list_cgroup *last = &l->last;
	struct pool *pool = &l->list->pool;
	struct container c;

	container_parse(l->scan.text, &c);
	last->len = len <= sizeof(last->text) ? len : 0;
	memcpy(last->text, l->scan.text, last->len);
	last->runtime = c.runtime;
	last->container_id = c.id[0] != '\0' ? pool_text(pool, c.id, strlen(c.id)) : NULL;
	last->pod_uid = c.pod[0] != '\0' ? pool_text(pool, c.pod, strlen(c.pod)) : NULL;
	last->cgroup = c.path[0] != '\0' ? pool_text(pool, c.path, strlen(c.path)) : NULL;
}

static void take_container(struct listing *l, pid_t pid, struct pidbox_list_entry *e)
{
	struct list_cgroup *last = &l->last;
	ssize_t n = read_init(l, pid, "cgroup");

	if (n <= 0)
		return;
	if ((size_t)n != last->len || memcmp(l->scan.text, last->text, last->len) != 0)
		parse_container(l, (size_t)n);
	e->runtime = last->runtime;
	e->container_id = last->container_id;
	e->pod_uid = last->pod_uid;
	e->cgroup = last->cgroup;
}

static void look_at_init(struct listing *l, const struct scan_ns *ns, struct pidbox_list_entry *e)
{
	const pid_t pid = ns->init.pid;
	struct proc_status status = { 0 };
	struct proc_stat stat;
	bool named;

	if (proc_read_stat(l->scan.proc, pid, &stat) < 0 ||
	    (ns->uid < 0 && proc_read_status(l->scan.proc, pid, l->scan.text, SCAN_TEXT, &status) < 0))
		return;
	named = strcmp(stat.name, "pidbox-init") == 0;
	e->started_us = l->boot_us + (int64_t)(stat.start_ticks * (uint64_t)(US_PER_S / l->ticks_per_s));
	if (stat.state == 'Z' || stat.state == 'X')
		e->status = PIDBOX_LIST_ENDING;
	e->uid = ns->uid >= 0 ? ns->uid : status.uid;
	e->user = usernames_get(&l->list->users, (uint32_t)e->uid);
	/* The init gives itself that name (init/main.c). Where the uid is known, its file may be looked at, too. */
	e->pidbox = named || ns->uid < 0 ? runs_pidbox_init(l, pid, named) : 0;
	(void)take_command(l, read_init(l, pid, "cmdline"), e);
	if (e->pidbox == 1 || (e->pidbox < 0 && named))
		take_command_under(l, pid, e);
	take_container(l, pid, e);
}

bool list_make_row(struct listing *l, size_t i, struct pidbox_list_entry *e)
{
	const struct scan_ns *ns = &l->scan.ns[i];
	struct pidref now;

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
	look_at_init(l, ns, e);
	/* All that was read by the number was this process's when it is the same still. */
	return pidref_look(ns->init.pid, &l->scan.pidfs, &now) == 0 && pidref_same(&now, &ns->init);
}
