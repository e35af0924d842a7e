/* SPDX-License-Identifier: MIT */
/*
 * Translating PIDs. Linux 6.11 does it in one call (ioctl_nsfs(2)). Before that there is NSpid in /proc/PID/status;
 * what it says is read relative to a descriptor of /proc/PID, which stays that process's or thread's: when that is
 * gone, reading fails, whoever has the number then.
 */
#include "core/translate.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/target.h"
#include "kern/proc.h"

#include <stdio.h>
#include <string.h>

#define PIDFD_OF_THREAD O_EXCL /* PIDFD_THREAD, Linux 6.9 */

/* ------------------------------------------------------------ the translator */

int translator_begin(struct pidbox_translator *tr, struct pidbox_error *err)
{
	int proc = pidns_open_proc(), r;

	if (proc < 0) {
		r = err_set(err, -proc, proc == -ENOENT ? PIDBOX_CODE_NOT_FOUND : PIDBOX_CODE_DENIED, "opening /proc");
		err_why(err, "%s",
			proc == -ENOENT  ? "no procfs is mounted there"
			: proc == -EXDEV ? "it shows another PID namespace than ours: the numbers in it are not ours"
					 : "without it no process can be looked at");
		err_fix(err, "mount a procfs: mount -t proc proc /proc, or start the box with --proc fresh");
		return r;
	}
	tr->proc = proc;
	tr->n = 0;
	tr->last = -1;
	tr->own = pidns_inode_of(proc, getpid());
	return 0;
}

static void forget(struct pidbox_translator *tr)
{
	while (tr->n > 0)
		cleanup_close(&tr->cache[--tr->n].ns);
	tr->last = -1;
}

void translator_end(struct pidbox_translator *tr)
{
	forget(tr);
	cleanup_close(&tr->proc);
}

int pidbox_translator_new(struct pidbox_translator **ret, struct pidbox_error *err)
{
	struct pidbox_translator *tr = calloc(1, sizeof(*tr));
	int r;

	if (tr == NULL)
		return err_no_memory(err, "making a translator of PIDs");
	r = translator_begin(tr, err);
	if (r < 0) {
		free(tr);
		return r;
	}
	*ret = tr;
	return 0;
}

void pidbox_translator_free(struct pidbox_translator *translator)
{
	if (translator == NULL)
		return;
	translator_end(translator);
	free(translator);
}

static int add(struct pidbox_translator *tr, uint64_t inode, int ns, int parent)
{
	tr->cache[tr->n] = (struct translate_ns){ .inode = inode, .ns = ns, .parent = parent };
	return (int)tr->n++;
}

/* Where a namespace is in the cache, with all that it lies in. Consumes ns. @return index or -errno */
static int remember(struct pidbox_translator *tr, int ns)
{
	uint64_t inode = pidns_inode(ns);
	int parent;

	for (size_t i = 0; i < tr->n; i++) {
		if (tr->cache[i].inode == inode) {
			cleanup_close(&ns);
			return (int)i;
		}
	}
	if (inode == tr->own) {
		cleanup_close(&ns);
		return add(tr, inode, -1, -1);
	}
	parent = pidns_parent(ns);
	if (parent >= 0)
		parent = remember(tr, parent);
	if (parent < 0) {
		cleanup_close(&ns);
		return parent;
	}
	return add(tr, inode, ns, parent);
}

/* Consumes ns. @return index; -errno of ns too */
static int find_ns(struct pidbox_translator *tr, int ns)
{
	if (ns < 0)
		return ns;
	if (tr->n + PIDNS_LEVELS_MAX > TRANSLATE_CACHE)
		forget(tr);
	return remember(tr, ns);
}

static int depth_of(const struct pidbox_translator *tr, int i)
{
	int depth = 0;

	for (; tr->cache[i].parent >= 0; i = tr->cache[i].parent)
		depth++;
	return depth;
}

/* ------------------------------------------------------------ reading /proc */

/* Status can be long: it has the groups before the numbers. */
static int read_pids(int dir, const char *path, pid_t ret[PROC_PIDS_MAX])
{
	enum { MOST = 1 << 20 };
	char text[4096], *large;
	ssize_t len = io_read_file(dir, path, text, sizeof(text));
	int n;

	if (len < 0)
		return len == -ENOENT ? -ESRCH : (int)len;
	n = proc_parse_pids(text, ret);
	if (n != -EBADMSG || (size_t)len < sizeof(text) - 1)
		return n;
	large = malloc(MOST);
	if (large == NULL)
		return -ENOMEM;
	len = io_read_file(dir, path, large, MOST);
	n = len < 0 ? -ESRCH : proc_parse_pids(large, ret);
	free(large);
	return n;
}

static int open_dir(int dir, pid_t pid, const char *below)
{
	char path[40];
	int fd;

	(void)snprintf(path, sizeof(path), "%d%s", (int)pid, below);
	fd = sys_openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd == -ENOENT ? -ESRCH : fd;
}

/* A process that is there all the same may be hidden (hidepid, proc(5)). */
static int open_process(struct pidbox_translator *tr, pid_t pid)
{
	int dir = open_dir(tr->proc, pid, "");
	int held;

	if (dir != -ESRCH)
		return dir;
	held = translate_hold(pid);
	cleanup_close(&held);
	return held >= 0 ? -EACCES : -ESRCH;
}

int translate_read_pids(struct pidbox_translator *tr, pid_t pid, pid_t ret[PIDNS_LEVELS_MAX])
{
	CLEANUP(cleanup_close) int dir = open_process(tr, pid);

	return dir < 0 ? dir : read_pids(dir, "status", ret);
}

int translate_read_container(struct pidbox_translator *tr, pid_t pid, char ret[CONTAINER_ID_SIZE])
{
	CLEANUP(cleanup_close) int dir = open_process(tr, pid);
	struct container container;
	char text[16384];
	ssize_t n = dir < 0 ? dir : io_read_file(dir, "cgroup", text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	container_parse(text, &container);
	strcpy(ret, container.id);
	return 0;
}

int pidbox_container_id(struct pidbox_translator *translator, pid_t pid, char *ret, size_t size)
{
	char id[CONTAINER_ID_SIZE];
	int r = pid > 0 ? translate_read_container(translator, pid, id) : -ESRCH;

	if (r == 0 && id[0] == '\0')
		r = -ENOENT;
	if (r == 0 && strlen(id) >= size)
		r = -ENAMETOOLONG;
	if (r == 0)
		strcpy(ret, id);
	return r;
}

/* The namespace of an open /proc/PID. @return index or -errno */
static int ns_of_dir(struct pidbox_translator *tr, int dir)
{
	return find_ns(tr, sys_openat(dir, "ns/pid", O_RDONLY | O_CLOEXEC));
}

static bool lies_in(const struct pidbox_translator *tr, int i, uint64_t inode)
{
	for (; i >= 0; i = tr->cache[i].parent)
		if (tr->cache[i].inode == inode)
			return true;
	return false;
}

/* ------------------------------------------------------------ between two namespaces */

int translate_hold(pid_t pid)
{
	int fd = sys_pidfd_open(pid, 0);

	/* It is a thread's number: EINVAL, from 6.9 on ENOENT. */
	if (fd == -EINVAL || fd == -ENOENT)
		fd = sys_pidfd_open(pid, PIDFD_OF_THREAD);
	return fd;
}

struct search {
	uint64_t inode;
	int depth; /* of that namespace below the caller's own */
	pid_t inside;
};

/* One process, or one thread, of a directory like /proc. @return its number outside, or 0 */
static pid_t match(struct pidbox_translator *tr, const struct search *s, int root, pid_t pid)
{
	CLEANUP(cleanup_close) int dir = open_dir(root, pid, "");
	pid_t pids[PROC_PIDS_MAX];
	int n = dir < 0 ? dir : read_pids(dir, "status", pids);

	/* The number first: it costs less than the namespace, and few have it. */
	if (n <= s->depth || pids[s->depth] != s->inside)
		return 0;
	return lies_in(tr, ns_of_dir(tr, dir), s->inode) ? pids[0] : 0;
}

static pid_t search_in(struct pidbox_translator *tr, const struct search *s, int root, bool threads)
{
	struct proc_iter it = { .root = root };
	pid_t pid, found = 0;

	while ((pid = proc_next(&it)) > 0) {
		if (found > 0)
			continue; /* to its end, which closes it */
		if (threads) {
			CLEANUP(cleanup_close) int tasks = open_dir(root, pid, "/task");

			if (tasks >= 0)
				found = search_in(tr, s, tasks, false);
		} else {
			found = match(tr, s, root, pid);
		}
	}
	return found;
}

pid_t translate_out(struct pidbox_translator *tr, int ns, pid_t inside)
{
	pid_t pid = pidns_pid_from(ns, inside);
	struct search s = { .inode = pidns_inode(ns), .inside = inside };
	int i;

	if (pid != -ENOTTY)
		return pid;
	i = find_ns(tr, fcntl(ns, F_DUPFD_CLOEXEC, 3));
	if (i < 0)
		return -ESRCH;
	s.depth = depth_of(tr, i);
	pid = search_in(tr, &s, tr->proc, false);
	if (pid == 0)
		pid = search_in(tr, &s, tr->proc, true);
	return pid > 0 ? pid : -ESRCH;
}

pid_t translate_in(struct pidbox_translator *tr, int ns, pid_t pid)
{
	pid_t inside = pidns_pid_in(ns, pid);
	CLEANUP(cleanup_close) int dir = -1;
	pid_t pids[PROC_PIDS_MAX];
	int n, i, depth;

	if (inside != -ENOTTY)
		return inside;
	i = find_ns(tr, fcntl(ns, F_DUPFD_CLOEXEC, 3));
	if (i < 0)
		return -ESRCH;
	depth = depth_of(tr, i);
	dir = open_process(tr, pid);
	n = dir < 0 ? dir : read_pids(dir, "status", pids);
	if (n < 0)
		return n;
	if (n <= depth)
		return -ESRCH;
	i = ns_of_dir(tr, dir);
	if (i < 0)
		return i == -EACCES ? -EACCES : -ESRCH;
	return lies_in(tr, i, pidns_inode(ns)) ? pids[depth] : -ESRCH;
}

/* From one box into another, by our own number: it must not have become somebody else's meanwhile. */
static pid_t translate_across(struct pidbox_translator *tr, int from, pid_t pid, int to)
{
	pid_t ours = translate_out(tr, from, pid), theirs;
	CLEANUP(cleanup_close) int held = ours > 0 ? translate_hold(ours) : -1;

	if (ours < 0)
		return ours;
	theirs = translate_in(tr, to, ours);
	/* Two processes that have one number in `from` and then one here, within this time: with a pidfd not even that.
	 */
	if (translate_out(tr, from, pid) != ours)
		return -ESRCH;
	return held >= 0 && sys_pidfd_send_signal(held, 0, NULL) == -ESRCH ? -ESRCH : theirs;
}

int pidbox_translate(struct pidbox_translator *translator, const struct pidbox_target *from, pid_t pid,
		     const struct pidbox_target *to, pid_t *ret)
{
	bool out = from != NULL && from->pid_namespace != translator->own;
	bool in = to != NULL && to->pid_namespace != translator->own;
	pid_t r;

	if (pid <= 0)
		return -ESRCH;
	if ((out && !from->live) || (in && !to->live))
		return -ESRCH;
	if ((out && from->ns < 0) || (in && to->ns < 0))
		return -EACCES;
	if (out && in && from->pid_namespace == to->pid_namespace)
		r = translate_out(translator, from->ns, pid) > 0 ? pid : -ESRCH;
	else if (out && in)
		r = translate_across(translator, from->ns, pid, to->ns);
	else if (out)
		r = translate_out(translator, from->ns, pid);
	else if (in)
		r = translate_in(translator, to->ns, pid);
	else
		r = kill(pid, 0) < 0 && errno == ESRCH ? -ESRCH : pid;
	if (r < 0)
		return r;
	*ret = r;
	return 0;
}

/* ------------------------------------------------------------ all levels */

/* @return levels; -ESRCH: nothing has that number in there */
static int read_levels(struct pidbox_translator *tr, int i, pid_t pid, struct pidbox_level *levels)
{
	const int n = depth_of(tr, i) + 1;

	for (int level = n - 1; level >= 0; level--, i = tr->cache[i].parent) {
		pid_t number = level == 0 ? pid : pidns_pid_in(tr->cache[i].ns, pid);

		if (number < 0)
			return number;
		levels[level] = (struct pidbox_level){ .pid_namespace = tr->cache[i].inode, .pid = number };
	}
	return n;
}

/*
 * By the ioctls. The numbers are this one's when a pidfd that was opened before has not lost its process after. Asking
 * that for the namespace tells it too: so the last one's is tried first, which in a batch is right most times, and
 * saves a system call. @return levels; -errno: it takes /proc to tell
 */
static int levels_by_ioctl(struct pidbox_translator *tr, pid_t pid, struct pidbox_level *levels)
{
	CLEANUP(cleanup_close) int held = translate_hold(pid);
	int n = held >= 0 && tr->last >= 0 ? read_levels(tr, tr->last, pid, levels) : -ESRCH;
	int i = held < 0 ? held : find_ns(tr, pidns_of_pidfd(held));

	if (i < 0 || i == tr->last)
		return i < 0 ? i : n;
	tr->last = i;
	n = read_levels(tr, i, pid, levels);
	return sys_pidfd_send_signal(held, 0, NULL) == -ESRCH ? -ESRCH : n;
}

static int levels_by_proc(struct pidbox_translator *tr, pid_t pid, struct pidbox_level *levels)
{
	CLEANUP(cleanup_close) int dir = open_process(tr, pid);
	pid_t pids[PROC_PIDS_MAX];
	int n = dir < 0 ? dir : read_pids(dir, "status", pids);
	int i;

	if (n < 0)
		return n;
	i = ns_of_dir(tr, dir);
	if (i < 0 || depth_of(tr, i) != n - 1)
		i = -1; /* another user's: the numbers may be seen, the namespaces not */
	for (int level = n - 1; level >= 0; level--) {
		levels[level] = (struct pidbox_level){ .pid = pids[level] };
		if (i >= 0) {
			levels[level].pid_namespace = tr->cache[i].inode;
			i = tr->cache[i].parent;
		}
	}
	levels[0].pid_namespace = tr->own;
	return n;
}

int pidbox_levels(struct pidbox_translator *translator, pid_t pid, struct pidbox_level ret[PIDBOX_LEVELS_MAX],
		  size_t *ret_n)
{
	struct pidbox_level levels[PIDBOX_LEVELS_MAX];
	int n = pid > 0 ? levels_by_ioctl(translator, pid, levels) : -EINVAL;

	/* A zombie, another user's process, an old kernel. */
	if (n < 0 && pid > 0)
		n = levels_by_proc(translator, pid, levels);
	if (n < 0)
		return n == -EACCES || n == -ENOMEM ? n : -ESRCH;
	memcpy(ret, levels, (size_t)n * sizeof(levels[0]));
	*ret_n = (size_t)n;
	return 0;
}
