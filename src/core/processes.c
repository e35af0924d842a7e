/* SPDX-License-Identifier: MIT */
/*
 * The processes of a box.
 *
 * Who they are a procfs of the box's PID namespace says: one that we make (Linux 6.18), else the box's own, where it
 * has one that we can reach. Then a list costs what is in the box. It is not believed: each number that it gives is
 * translated by the kernel, and everything else is read from our /proc. A box that hides its /proc, or hides processes
 * in it (hidepid), and a kernel that does not translate, make us look at every process that we see.
 */
#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/target.h"
#include "core/translate.h"
#include "core/usernames.h"
#include "kern/mnt.h"
#include "kern/proc.h"
#include "kern/quiet.h"

#include <pidbox-processes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { COMMAND_MAX = 128 * 1024 };

struct pidbox_processes {
	struct pidbox_process *rows;
	size_t n, size;
	uint64_t unseen;
	struct usernames users;
};

struct taking {
	struct pidbox_translator tr;
	const struct pidbox_target *box; /* NULL: our own namespace */
	uint64_t ns;                     /* of the box */
	int level;                       /* which of a process's numbers is the one in the box */
	int64_t boot_us;                 /* CLOCK_REALTIME of the start of CLOCK_BOOTTIME */
	long ticks_per_s, page_kib;
	char *command; /* COMMAND_MAX bytes */
	struct pidbox_processes *list;
};

/* ------------------------------------------------------------ one process */

static struct pidbox_process *add(struct pidbox_processes *list)
{
	if (list->n == list->size) {
		size_t size = list->size > 0 ? 2 * list->size : 32;
		struct pidbox_process *rows = reallocarray(list->rows, size, sizeof(*rows));

		if (rows == NULL)
			return NULL;
		list->rows = rows;
		list->size = size;
	}
	list->rows[list->n] = (struct pidbox_process){ 0 };
	return &list->rows[list->n++];
}

/*
 * Kernel threads and zombies have no arguments: the name in brackets, as ps(1) shows it. Programs that rename
 * themselves leave a tail of empty arguments, which nobody gave them.
 */
static int take_command(struct taking *t, int process, const char *name, struct pidbox_process *row)
{
	ssize_t n = proc_read_file(process, "cmdline", t->command, COMMAND_MAX);
	char *copy;

	while (n > 1 && t->command[n - 1] == '\0' && t->command[n - 2] == '\0')
		n--;
	if (n <= 0 || t->command[0] == '\0')
		n = snprintf(t->command, COMMAND_MAX, "[%s]", name) + 1;
	copy = malloc((size_t)n + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, t->command, (size_t)n);
	copy[n] = '\0';
	row->command = copy;
	row->command_size = (size_t)n;
	return 0;
}

/*
 * Take down the process whose directory this is. The parent is noted by its number outside until all are there.
 * @return 0, also when it has gone meanwhile; -ENOMEM
 */
static int take(struct taking *t, pid_t pid, int process)
{
	struct pidbox_process *row;
	struct proc_details d;
	struct stat ns;

	if (proc_read_details(process, &d) < 0 || d.status.n_pids <= t->level)
		return 0;
	row = add(t->list);
	if (row == NULL)
		return -ENOMEM;
	*row = (struct pidbox_process){
		.pid = pid,
		.inside_pid = d.status.pids[t->level],
		.own_pid = d.status.pids[d.status.n_pids - 1],
		.parent_pid = d.stat.parent,
		.pid_namespace = t->ns,
		.depth = (size_t)(d.status.n_pids - 1 - t->level),
		.uid = d.status.uid,
		.user = usernames_get(&t->list->users, d.status.uid),
		.state = d.stat.state,
		.threads = d.stat.threads,
		.rss_kib = (int64_t)d.stat.rss_pages * t->page_kib,
		.cpu_us = d.stat.own_cpu_us,
		.started_us = t->boot_us + (int64_t)(d.stat.start_ticks * (uint64_t)(US_PER_S / t->ticks_per_s)),
	};
	if (row->depth > 0)
		row->pid_namespace = fstatat(process, "ns/pid", &ns, 0) == 0 ? ns.st_ino : 0;
	return take_command(t, process, d.stat.name, row);
}

/* ------------------------------------------------------------ who is inside: the box's own procfs */

/* Is it the top of a procfs, and none that hides processes? When that cannot be told, it may. */
static bool is_whole(const struct taking *t, int fd)
{
	enum { PROC_ROOT_INODE = 1 }; /* include/linux/proc_ns.h */
	CLEANUP(cleanup_free) char *text = malloc(COMMAND_MAX);
	const char *rest = text;
	uint64_t dev, inode;
	struct mnt_line line;
	char path[32];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%d/mountinfo", (int)t->box->init.pid);
	n = text != NULL ? io_read_file(t->tr.proc, path, text, COMMAND_MAX) : -ENOMEM;
	if (n <= 0 || n == COMMAND_MAX - 1 || strstr(text, "hidepid=") != NULL || quiet_stat(fd, &dev, &inode) < 0 ||
	    inode != PROC_ROOT_INODE)
		return false;
	while (mnt_next(&rest, &line))
		if (line.dev == dev)
			return line.type_len == 4 && memcmp(line.type, "proc", 4) == 0;
	return false;
}

/* @return descriptor of a procfs of the box's PID namespace; -1: none that we can reach and trust to be whole */
static int open_procfs(const struct taking *t)
{
	CLEANUP(cleanup_close) int found = -1;
	int fd;

	if (t->box == NULL || t->box->ns < 0 || pidns_pid_from(t->box->ns, 1) < 0)
		return -1;
	/* One of our own making asks nothing of the box, which need not have any. */
	fd = proc_open_detached_of(t->box->ns);
	if (fd >= 0 && pidns_inode_of(fd, 1) == t->ns)
		return fd;
	cleanup_close(&fd);
	/* A file system that the box has mounted there may never answer. Before Linux 5.12 that cannot be avoided, and
	 * every process is looked at instead. */
	found = quiet_open(t->tr.proc, t->box->init.pid, "/proc");
	fd = found >= 0 && is_whole(t, found) ? quiet_reopen(t->tr.proc, found) : -1;
	if (fd >= 0 && pidns_inode_of(fd, 1) == t->ns && pidref_verify(&t->box->init) == 0)
		return fd;
	cleanup_close(&fd);
	return -1;
}

static int take_by_procfs(struct taking *t, int procfs)
{
	struct proc_iter it = { .root = procfs };
	pid_t inside;
	int r = 0;

	while (r == 0 && (inside = proc_next(&it)) > 0) {
		pid_t pid = translate_out(&t->tr, t->box->ns, inside);
		int process = pid > 0 ? proc_open(t->tr.proc, pid) : -1;

		/* It had the number before and after its directory was opened: the directory is its own. */
		if (process >= 0 && translate_out(&t->tr, t->box->ns, inside) == pid)
			r = take(t, pid, process);
		cleanup_close(&process);
	}
	if (it.open)
		(void)close(it.dir.fd);
	return r;
}

/* ------------------------------------------------------------ who is inside: all that we see */

/* The namespace of another user's process is not shown. The kernel tells its number in the box all the same (6.11);
 * before that what has no number so deep is not in there. */
static int may_be_inside(const struct taking *t, pid_t pid, int process)
{
	pid_t inside = pidns_pid_in(t->box->ns, pid);
	struct proc_details d;

	if (inside > 0 || inside == -ESRCH)
		return inside > 0;
	return process < 0 || (proc_read_details(process, &d) == 0 && d.status.n_pids > t->level) ? -EACCES : 0;
}

/*
 * @param process  its directory, or why that cannot be opened
 * @return 1: it is in the box; 0: it is not, or is gone; -EACCES: this user may not know
 */
static int is_inside(const struct taking *t, pid_t pid, int process)
{
	struct stat st;
	int ns;

	if (process < 0 && process != -EPERM && process != -EACCES)
		return 0;
	if (t->box == NULL || t->box->own)
		return 1;
	if (process < 0)
		return may_be_inside(t, pid, process);
	if (fstatat(process, "ns/pid", &st, 0) < 0)
		return errno == EACCES || errno == EPERM ? may_be_inside(t, pid, process) : 0;
	if (st.st_ino == t->ns)
		return 1;
	if (st.st_ino == t->tr.own)
		return 0;
	ns = openat(process, "ns/pid", O_RDONLY | O_CLOEXEC);
	return ns >= 0 && pidns_is_below(ns, t->ns);
}

static int take_by_scan(struct taking *t)
{
	struct proc_iter it = { .root = t->tr.proc };
	pid_t pid;
	int r = 0;

	while (r == 0 && (pid = proc_next(&it)) > 0) {
		CLEANUP(cleanup_close) int process = proc_open(t->tr.proc, pid);
		int inside = is_inside(t, pid, process);

		if (inside < 0 || (inside > 0 && process < 0))
			t->list->unseen++;
		else if (inside > 0)
			r = take(t, pid, process);
	}
	if (it.open)
		(void)close(it.dir.fd);
	return pid < 0 ? (int)pid : r;
}

/* ------------------------------------------------------------ all of them */

static int by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct pidbox_process *)a)->pid, y = ((const struct pidbox_process *)b)->pid;

	return (x > y) - (x < y);
}

static int by_inside_pid(const void *a, const void *b)
{
	pid_t x = ((const struct pidbox_process *)a)->inside_pid, y = ((const struct pidbox_process *)b)->inside_pid;

	return (x > y) - (x < y);
}

/* A parent that is not in the list is not in the box. */
static void translate_parents(struct pidbox_processes *list)
{
	qsort(list->rows, list->n, sizeof(list->rows[0]), by_pid);
	for (size_t i = 0; i < list->n; i++) {
		struct pidbox_process key = { .pid = list->rows[i].parent_pid };
		const struct pidbox_process *parent = bsearch(&key, list->rows, list->n, sizeof(key), by_pid);

		list->rows[i].parent_inside_pid = parent != NULL ? parent->inside_pid : 0;
	}
	qsort(list->rows, list->n, sizeof(list->rows[0]), by_inside_pid);
}

/* Which of its init's numbers is the one in the box: it has one a level. */
static int find_level(struct taking *t)
{
	pid_t pids[PIDNS_LEVELS_MAX];
	int n;

	if (t->box == NULL || t->box->own)
		return 0;
	n = translate_read_pids(&t->tr, t->box->init.pid, pids);
	return n < 0 ? n : n - 1;
}

static int take_all(struct taking *t)
{
	CLEANUP(cleanup_close) int procfs = -1;
	int r;

	t->level = find_level(t);
	if (t->level < 0)
		return t->level;
	if (t->box != NULL && !t->box->own && t->box->ns < 0)
		return -EACCES;
	procfs = open_procfs(t);
	r = procfs >= 0 ? take_by_procfs(t, procfs) : take_by_scan(t);
	if (r == 0 && t->box != NULL && !t->box->own && pidref_verify(&t->box->init) < 0)
		return -ESRCH;
	return r;
}

static int failed(const struct pidbox_target *box, int r, struct pidbox_error *err)
{
	const char *which = box != NULL ? box->address : "this PID namespace";

	if (r == -ENOMEM)
		return err_no_memory(err, "listing processes");
	if (r == -ESRCH) {
		(void)err_set(err, ESRCH, PIDBOX_CODE_NO_SUCH_BOX, "listing the processes of %s", which);
		err_why(err, "it has ended");
		err_fix(err, "`pidbox ls` shows the boxes that there are");
		return r;
	}
	(void)err_set(err, -r, r == -EACCES ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE, "listing the processes of %s",
		      which);
	if (box != NULL && !box->own && r == -EACCES) {
		err_why(err, "the box is another user's: the kernel does not show this user which processes are in it");
		err_fix(err, "do it as that user, or as root (in a container: with CAP_SYS_PTRACE)");
		return r;
	}
	err_why(err, "/proc cannot be read here");
	err_fix(err, "mount a procfs on /proc (mount -t proc proc /proc), or do it as root");
	return r;
}

int pidbox_processes(const struct pidbox_target *box, struct pidbox_processes **ret, struct pidbox_error *err)
{
	struct taking t = {
		.box = box,
		.boot_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME),
		.ticks_per_s = sysconf(_SC_CLK_TCK),
		.page_kib = sysconf(_SC_PAGESIZE) / 1024,
	};
	int r = translator_begin(&t.tr, err);

	if (r < 0)
		return r;
	t.ns = box != NULL ? box->pid_namespace : t.tr.own;
	t.list = calloc(1, sizeof(*t.list));
	t.command = malloc(COMMAND_MAX);
	r = t.list == NULL || t.command == NULL ? -ENOMEM : take_all(&t);
	free(t.command);
	translator_end(&t.tr);
	if (r < 0) {
		pidbox_processes_free(t.list);
		return failed(box, r, err);
	}
	translate_parents(t.list);
	*ret = t.list;
	return 0;
}

int pidbox_processes_get(const struct pidbox_processes *list, size_t index, struct pidbox_process *ret)
{
	if (index >= list->n)
		return -ENOENT;
	*ret = list->rows[index];
	return 0;
}

uint64_t pidbox_processes_unseen(const struct pidbox_processes *list)
{
	return list->unseen;
}

void pidbox_processes_free(struct pidbox_processes *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->n; i++)
		free((char *)(uintptr_t)list->rows[i].command);
	free(list->rows);
	usernames_free(&list->users);
	free(list);
}
