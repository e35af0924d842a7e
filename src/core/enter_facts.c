/* SPDX-License-Identifier: MIT */
/* What can be known of a process whose namespaces are to be entered. Everything here only reads. */
#include "core/enter.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/cgroup.h"
#include "kern/idmap.h"
#include "kern/ns.h"
#include "kern/pidns.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

enum { MAX_ENVIRON = 32 * 1024 * 1024 };

/* A whole file of /proc as a text, which the caller frees. It is read to its end: its size is not known before. */
static ssize_t read_text(int dir, const char *path, size_t most, char **ret)
{
	CLEANUP(cleanup_close) int fd = sys_openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0, size = 4096;
	char *text = NULL;

	if (fd < 0)
		return fd;
	for (;;) {
		char *more = size > most ? NULL : realloc(text, size);
		ssize_t n = more != NULL ? read(fd, more + len, size - len - 1) : -1;

		text = more != NULL ? more : text;
		if (more == NULL || (n < 0 && errno != EINTR)) {
			int err = more != NULL ? errno : size > most ? E2BIG : ENOMEM;

			free(text);
			return -err;
		}
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
		size *= len + 1 == size ? 2 : 1;
	}
	text[len] = '\0';
	*ret = text;
	return (ssize_t)len;
}

static int read_creds(int dir, struct creds *ret)
{
	CLEANUP(cleanup_free) char *text = NULL;
	ssize_t n = read_text(dir, "status", INT_MAX, &text);

	return n < 0 ? (int)n : creds_parse(text, ret);
}

/* ------------------------------------------------------------ namespaces */

static uint64_t inode_of(int dir, const char *file)
{
	char path[40];
	struct stat st;

	(void)snprintf(path, sizeof(path), "ns/%s", file);
	return fstatat(dir, path, &st, 0) == 0 ? st.st_ino : 0;
}

/* @return 0; -EACCES: looking at them is refused (ptrace(2), PTRACE_MODE_READ); -ENOENT, -ESRCH: it is gone */
static int read_namespaces(int dir, uint64_t ret[ENTER_KINDS])
{
	for (size_t i = 0; i < ns_kinds_count; i++) {
		ret[i] = inode_of(dir, ns_kinds[i].file);
		if (ret[i] == 0 && errno != ENOENT)
			return -errno;
	}
	return ret[0] != 0 ? 0 : -ESRCH; /* a zombie has none; a kernel without one kind has the others */
}

/* ------------------------------------------------------------ ids */

/* A namespace that its owner has made as an ordinary user cannot have both a map and setgroups(2), at first. */
static bool may_set_groups(int dir)
{
	char word[16] = "";

	return io_read_file(dir, "setgroups", word, sizeof(word)) <= 0 || strncmp(word, "deny", 4) != 0;
}

static bool ids_inside(int dir, const struct creds *them, struct creds *ret)
{
	CLEANUP(cleanup_free) char *uids = NULL, *gids = NULL;

	if (read_text(dir, "uid_map", INT_MAX, &uids) < 0 || read_text(dir, "gid_map", INT_MAX, &gids) < 0)
		return false;
	if (idmap_inside(uids, them->uid, &ret->uid) < 0 || idmap_inside(gids, them->gid, &ret->gid) < 0)
		return false;
	for (uint32_t i = 0; i < them->n_groups; i++)
		if (idmap_inside(gids, them->groups[i], &ret->groups[ret->n_groups]) == 0)
			ret->n_groups++;
	return true;
}

/* ------------------------------------------------------------ environment */

/*
 * A table of the strings in a text, which it owns: one allocation. The file of a process that is not dumpable (pidbox's
 * init) is root's alone by its mode, also where its namespaces may be entered: then there are no strings.
 */
static int read_environ(int dir, const char *const **ret)
{
	CLEANUP(cleanup_free) char *text = NULL;
	ssize_t len = read_text(dir, "environ", MAX_ENVIRON, &text);
	size_t n = 0, at = 0;
	const char **table;
	char *copy;

	if (len < 0 && len != -EACCES)
		return (int)len;
	if (len < 0)
		len = 0;
	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		n++;
	table = malloc((n + 1) * sizeof(*table) + (size_t)len + 1);
	if (table == NULL)
		return -ENOMEM;
	copy = memcpy(table + n + 1, text != NULL ? text : "", (size_t)len + 1);
	for (char *p = copy; p < copy + len; p += strlen(p) + 1)
		table[at++] = p;
	table[at] = NULL;
	*ret = table;
	return 0;
}

/* ------------------------------------------------------------ cgroups */

static int open_cgroup(const struct cgroup_line *line, const char *mountinfo)
{
	char path[PATH_MAX];
	int r = cgroup_directory(line, mountinfo, path, sizeof(path) - sizeof("/cgroup.procs"));

	if (r < 0)
		return r;
	memcpy(path + strlen(path), "/cgroup.procs", sizeof("/cgroup.procs"));
	return sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
}

/* Those that cannot be joined are left out: an ordinary user may join few, and those are his own. */
static void open_cgroups(int self, int dir, struct enter_facts *f)
{
	CLEANUP(cleanup_free) char *own = NULL, *theirs = NULL, *mountinfo = NULL;
	struct cgroup_line line, here;
	const char *rest;

	if (read_text(self, "cgroup", INT_MAX, &own) < 0 || read_text(dir, "cgroup", INT_MAX, &theirs) < 0)
		return;
	for (rest = theirs; cgroup_next(&rest, &line) && f->n_cgroups < ENTER_MAX_CGROUPS;) {
		int fd;

		if (cgroup_find(own, &line, &here) && here.path_len == line.path_len &&
		    memcmp(here.path, line.path, line.path_len) == 0)
			continue;
		if (mountinfo == NULL && read_text(self, "mountinfo", INT_MAX, &mountinfo) < 0)
			return;
		fd = open_cgroup(&line, mountinfo);
		if (fd >= 0)
			f->cgroups[f->n_cgroups++] = fd;
		else if (f->cgroup_refused == 0)
			f->cgroup_refused = -fd;
	}
}

/* ------------------------------------------------------------ all of it */

static int look(int dir, struct enter_facts *f)
{
	int r = read_namespaces(dir, f->theirs);
	CLEANUP(cleanup_close) int self = sys_openat(f->proc, "self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (r == 0)
		r = self < 0 ? self : read_namespaces(self, f->own);
	if (r == 0)
		r = read_creds(self, &f->self);
	if (r == 0)
		r = read_creds(dir, &f->them);
	if (r < 0)
		return r;
	f->theirs_children = inode_of(dir, "pid_for_children");
	f->children_ns = sys_openat(dir, "ns/pid_for_children", O_RDONLY | O_CLOEXEC);
	f->may_set_groups = may_set_groups(self);
	f->may_set_groups_inside = may_set_groups(dir);
	f->inside_known = ids_inside(dir, &f->them, &f->inside);
	f->root = sys_openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->root < 0)
		return f->root;
	f->directory = sys_openat(dir, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC); /* it may have been removed */
	f->own_environ = (const char *const *)environ;
	open_cgroups(self, dir, f);
	return read_environ(dir, &f->environ);
}

static int cannot_look(pid_t pid, int r, struct pidbox_error *err)
{
	if (r == -ENOMEM)
		return err_no_memory(err, "looking at the process to enter");
	if (r == -ENOENT || r == -ESRCH) {
		r = err_set(err, ESRCH, PIDBOX_CODE_NO_SUCH_BOX, "looking at process %d", (int)pid);
		err_why(err, "it has ended");
		err_fix(err, "name a process that runs: pidbox ls, pidbox ps");
		return r;
	}
	r = err_set(err, -r, r == -EACCES || r == -EPERM ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE,
		    "looking at process %d", (int)pid);
	if (r == -EACCES || r == -EPERM) {
		enter_explain_look(err);
	} else {
		err_why(err, "a file of /proc/%d could not be read", (int)pid);
		err_fix(err, "try again as root; strace shows the call");
	}
	return r;
}

int enter_ids_inside(const struct pidref *process, struct creds *ret)
{
	CLEANUP(cleanup_close) int proc = pidns_open_proc();
	CLEANUP(cleanup_free) struct creds *them = malloc(sizeof(*them));
	CLEANUP(cleanup_close) int dir = -1;
	char name[16];
	int r;

	if (them == NULL)
		return -ENOMEM;
	(void)snprintf(name, sizeof(name), "%d", (int)process->pid);
	dir = proc < 0 ? proc : sys_openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? dir : read_creds(dir, them);
	ret->n_groups = 0;
	if (r == 0 && !ids_inside(dir, them, ret))
		r = -ENOENT;
	return r < 0 ? r : pidref_verify(process);
}

int enter_facts_gather(const struct pidref *process, uint64_t pid_namespace, struct enter_facts *ret,
		       struct pidbox_error *err)
{
	CLEANUP(cleanup_close) int dir = -1;
	char name[16];
	int r;

	*ret = (struct enter_facts){
		.pid = process->pid,
		.pid_namespace = pid_namespace,
		.proc = pidns_open_proc(),
		.process = process->pidfd,
		.children_ns = -1,
		.root = -1,
		.directory = -1,
	};
	if (ret->proc < 0) {
		r = err_set(err, -ret->proc, PIDBOX_CODE_NONE, "looking at process %d", (int)process->pid);
		err_why(err, "no procfs of the caller's own PID namespace is at /proc, and none may be mounted");
		err_fix(err, "mount -t proc proc /proc");
		return r;
	}
	(void)snprintf(name, sizeof(name), "%d", (int)process->pid);
	dir = sys_openat(ret->proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? dir : look(dir, ret);
	/* The number may have been another's by the time that it was looked up. */
	if (r == 0)
		r = pidref_verify(process);
	if (r < 0) {
		enter_facts_free(ret);
		return cannot_look(process->pid, r, err);
	}
	return 0;
}

void enter_facts_free(struct enter_facts *f)
{
	cleanup_close(&f->proc);
	cleanup_close(&f->children_ns);
	cleanup_close(&f->root);
	cleanup_close(&f->directory);
	for (size_t i = 0; i < f->n_cgroups; i++)
		(void)close(f->cgroups[i]);
	free((void *)(uintptr_t)f->environ);
	f->environ = NULL;
	f->n_cgroups = 0;
}
