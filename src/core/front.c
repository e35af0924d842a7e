/* SPDX-License-Identifier: MIT */
#include "core/front.h"

#include "base/io.h"
#include "base/util.h"
#include "core/rundir.h"
#include "kern/pidns.h"
#include "kern/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The one child of a process of one thread. @return 0: none, or more than one */
static pid_t only_child(int proc, pid_t pid)
{
	char path[64], text[64], *end;
	ssize_t n;
	long child;

	(void)snprintf(path, sizeof(path), "%d/task/%d/children", (int)pid, (int)pid);
	n = io_read_file(proc, path, text, sizeof(text));
	if (n <= 0)
		return 0;
	child = strtol(text, &end, 10);
	return end != text && strspn(end, " \n") == strlen(end) && child > 0 && child <= INT32_MAX ? (pid_t)child : 0;
}

/* Its program is the command `pidbox`: by the name of the file, or of another user's, whose file is not to be seen, by
 * what it calls itself. */
static bool runs_pidbox(int proc, pid_t pid)
{
	static const char deleted[] = " (deleted)"; /* an upgrade has replaced it */
	char path[40], exe[4096];
	const char *name;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/exe", (int)pid);
	n = readlinkat(proc, path, exe, sizeof(exe) - 1);
	if (n <= 0) {
		(void)snprintf(path, sizeof(path), "%d/comm", (int)pid);
		n = io_read_file(proc, path, exe, sizeof(exe));
		return n > 0 && strcmp(exe, "pidbox\n") == 0;
	}
	exe[n] = '\0';
	name = strrchr(exe, '/');
	if (name == NULL || strncmp(++name, "pidbox", 6) != 0)
		return false;
	return name[6] == '\0' || strcmp(name + 6, deleted) == 0;
}

/* Is it the PID 1 of a namespace, and this one's child? Its parent is outside then: inside nobody is above PID 1. */
static bool is_init_of(int proc, pid_t front, pid_t child)
{
	struct proc_status status;
	char text[4096];

	return proc_read_status(proc, child, text, sizeof(text), &status) == 0 && status.parent == front &&
	       status.n_pids > 1 && status.pids[status.n_pids - 1] == 1;
}

/* Where that user's fronts have their sockets there is one for the box. Others than he and root can make none there. */
static bool has_entry(int proc, pid_t front, const struct pidref *init)
{
	char text[4096], id[PIDREF_ID_SIZE];
	struct proc_status status;
	struct rundir dir;
	bool found;

	if (proc_read_status(proc, front, text, sizeof(text), &status) < 0 ||
	    rundir_open_of(status.uid, &dir, NULL) < 0)
		return false;
	pidref_format(init, id);
	found = faccessat(dir.fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	rundir_close(&dir);
	return found;
}

/* By its entry only one beside us: the number of any other process names the box that this is in. */
bool front_leads(int proc, const struct pidref *process, struct pidref *ret)
{
	bool named = runs_pidbox(proc, process->pid);
	bool beside_us = named || pidns_inode_of(proc, process->pid) == rundir_own_namespace();
	pid_t child = beside_us ? only_child(proc, process->pid) : 0;
	struct pidref init;

	if (child <= 0 || pidref_open(child, &init) < 0)
		return false;
	if (is_init_of(proc, process->pid, child) && (named || has_entry(proc, process->pid, &init)) &&
	    pidref_verify(process) == 0 && pidref_verify(&init) == 0) {
		*ret = init;
		return true;
	}
	pidref_close(&init);
	return false;
}
