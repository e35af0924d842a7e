/* SPDX-License-Identifier: MIT */
#include "core/registry.h"

#include "base/dir.h"
#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/address.h"
#include "core/claim.h"
#include "kern/pidns.h"
#include "kern/proc.h"
#include "kern/user.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { BEGIN_OR_END_US = 1000000, LOOK_AGAIN_US = 2000, RECORD_MAX = 16 * 1024 * 1024 };

static const char record_suffix[] = ":exit";

/* ------------------------------------------------------------ one file */

static int open_entry(const struct rundir *dir, const char *name)
{
	int fd = openat(dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == dir->uid)
		return fd;
	(void)close(fd);
	return -EPERM;
}

static void begin(const struct rundir *dir, struct registry_entry *ret)
{
	*ret = (struct registry_entry){
		.id = PIDREF_NONE,
		.front_namespace = dir->pid_namespace,
		.uid = dir->uid,
		.searched = dir->searched,
	};
}

static bool set_id(const struct rundir *dir, const struct pidref *id, struct registry_entry *ret)
{
	char text[PIDREF_ID_SIZE];

	ret->id = *id;
	ret->id.pidfd = -1;
	pidref_format(id, text);
	return rundir_path(dir, text, ret->socket, sizeof(ret->socket));
}

static bool set_name(const struct rundir *dir, const char *name, struct registry_entry *ret)
{
	char file[REGISTRY_NAME_SIZE + sizeof(record_suffix)];

	(void)snprintf(ret->name, sizeof(ret->name), "%s", name);
	(void)snprintf(file, sizeof(file), "%s%s", ret->name, record_suffix);
	if (faccessat(dir->fd, file, F_OK, 0) < 0)
		return true;
	return rundir_path(dir, file, ret->kept, sizeof(ret->kept));
}

static bool take_entry(const struct rundir *dir, const char *name, const struct entry *e, struct registry_entry *ret)
{
	begin(dir, ret);
	ret->pid_namespace = e->pid_namespace;
	return set_name(dir, name, ret) && set_id(dir, &e->id, ret);
}

static bool has_record(const struct registry_entry *entry)
{
	int status, sig;

	return entry->kept[0] != '\0' && registry_read_kept(entry, &status, &sig, NULL) == 0;
}

int registry_read_kept(const struct registry_entry *entry, int *ret_status, int *ret_signal, char **ret_record)
{
	CLEANUP(cleanup_close) int fd = -1;
	CLEANUP(cleanup_free) char *text = NULL;
	struct kept kept = { 0 };
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;
	int r;

	if (entry->kept[0] == '\0')
		return -ENODATA;
	fd = open(entry->kept, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENODATA : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != entry->uid || st.st_size > RECORD_MAX)
		return -EPERM;
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return -ENOMEM;
	while (len < (size_t)st.st_size && n != 0) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	r = kept_parse(text, len, &kept);
	if (r < 0)
		return r;
	if (ret_record != NULL) {
		*ret_record = strndup(kept.record, kept.size);
		if (*ret_record == NULL)
			return -ENOMEM;
	}
	*ret_status = kept.status;
	*ret_signal = kept.signal;
	return 0;
}

/* ------------------------------------------------------------ by name */

/*
 * @return 0; -ENOENT; -EAGAIN: somebody holds the name, but leads no live box: he begins or ends one
 */
static int look(const struct rundir *dir, const char *name, struct registry_entry *ret)
{
	CLEANUP(cleanup_close) int fd = open_entry(dir, name);
	struct entry e;
	bool published = fd >= 0 && claim_read(fd, &e) == 0;
	struct pidref init;

	if (published && claim_live_init(&e, &init)) {
		pidref_close(&init);
		return take_entry(dir, name, &e, ret) ? 0 : -ENOENT;
	}
	/* A shared lock is there for the blink of an eye, and who claims the name looks again. */
	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return -EAGAIN;
	begin(dir, ret);
	if (!set_name(dir, name, ret))
		return -ENOENT;
	/* Front and init were killed, and nobody was left to fill the record in: there was a box all the same. */
	return has_record(ret) || (published && ret->kept[0] != '\0') ? 0 : -ENOENT;
}

static int no_such_box(const char *name, struct pidbox_error *err)
{
	(void)err_set(err, ESRCH, PIDBOX_CODE_NO_SUCH_BOX, "looking for the box %s", name);
	err_why(err, "no box of that user has that name in this PID namespace");
	err_fix(err, "`pidbox ls` shows the boxes that there are");
	return -ENOENT;
}

static int user_id(const char *user, uid_t *ret, struct pidbox_error *err)
{
	struct user_ids *ids;
	int r;

	*ret = geteuid();
	if (user == NULL)
		return 0;
	ids = calloc(1, sizeof(*ids));
	r = ids == NULL ? -ENOMEM : user_lookup(user, NULL, ids);
	if (r == 0)
		*ret = ids->uid;
	free(ids);
	if (r < 0) {
		(void)err_set(err, -r, r == -ENOENT ? PIDBOX_CODE_NOT_FOUND : PIDBOX_CODE_NONE,
			      "looking for the user %s", user);
		err_why(err, "%s", r == -ENOENT ? "there is no such user" : "the user database cannot be read");
		err_fix(err, "give the number instead of the name");
		return r == -ENOENT ? -ESRCH : r;
	}
	if (*ret == geteuid() || geteuid() == 0)
		return 0;
	r = err_set(err, EACCES, PIDBOX_CODE_DENIED, "looking for a box of the user %s", user);
	err_why(err, "the runtime directory of another user is closed to this one");
	err_fix(err, "do it as that user or root, or name the box by its PID");
	return r;
}

int registry_find(const char *name, const char *user, struct registry_entry *ret, struct pidbox_error *err)
{
	const int64_t until = later(now_us(), BEGIN_OR_END_US);
	struct rundir dir;
	uid_t uid;
	int r = user_id(user, &uid, err);

	if (r < 0)
		return r;
	r = rundir_open_of(uid, &dir, err);
	if (r == -ENOENT)
		return no_such_box(name, err);
	if (r < 0)
		return r;
	while ((r = look(&dir, name, ret)) == -EAGAIN && now_us() < until)
		(void)usleep(LOOK_AGAIN_US);
	rundir_close(&dir);
	return r < 0 ? no_such_box(name, err) : 0;
}

/* ------------------------------------------------------------ all */

struct all {
	bool ended;
	int (*visit)(void *context, const struct registry_entry *entry);
	void *context;
};

/* The ids of the boxes that have a name, so that their sockets are not told as well. */
struct named {
	struct pidref *ids;
	size_t n, size;
};

static void remember(struct named *named, const struct pidref *id)
{
	if (named->n == named->size) {
		size_t size = named->size > 0 ? 2 * named->size : 16;
		struct pidref *ids = reallocarray(named->ids, size, sizeof(*ids));

		if (ids == NULL)
			return; /* it is told twice */
		named->ids = ids;
		named->size = size;
	}
	named->ids[named->n++] = *id;
}

static int compare_ids(const void *a, const void *b)
{
	const struct pidref *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->start_ticks < y->start_ticks ? -1 : x->start_ticks > y->start_ticks;
}

/* What an entry's file tells: a name, or the record of one that has ended. */
static bool read_named(const struct rundir *dir, const char *file, bool ended, struct registry_entry *ret)
{
	size_t len = strcspn(file, ":");
	bool record = strcmp(file + len, record_suffix) == 0;
	char name[REGISTRY_NAME_SIZE];
	CLEANUP(cleanup_close) int fd = -1;
	struct entry e;

	if (!address_is_name(file, len) || len >= sizeof(name) || (file[len] != '\0' && (!record || !ended)))
		return false;
	memcpy(name, file, len);
	name[len] = '\0';
	if (!record) {
		fd = open_entry(dir, name);
		return fd >= 0 && claim_read(fd, &e) == 0 && take_entry(dir, name, &e, ret);
	}
	begin(dir, ret);
	return set_name(dir, name, ret) && has_record(ret);
}

/* First the names, then the sockets that are no named box's. */
static int visit_folder(void *context, const struct rundir *dir)
{
	const struct all *all = context;
	const struct sys_dirent64 *e;
	struct named named = { 0 };
	struct registry_entry entry;
	struct dir_iter it;
	int r = 0;

	dir_begin(&it, dir->fd);
	while (r == 0 && (e = dir_next(&it)) != NULL) {
		if (!read_named(dir, e->name, all->ended, &entry))
			continue;
		if (entry.id.pid > 0)
			remember(&named, &entry.id);
		r = all->visit(all->context, &entry);
	}
	if (named.n > 0)
		qsort(named.ids, named.n, sizeof(*named.ids), compare_ids);
	(void)lseek(dir->fd, 0, SEEK_SET);
	dir_begin(&it, dir->fd);
	while (r == 0 && (e = dir_next(&it)) != NULL) {
		struct pidref id;

		if (pidref_parse(e->name, &id) < 0)
			continue;
		if (named.n > 0 && bsearch(&id, named.ids, named.n, sizeof(id), compare_ids) != NULL)
			continue;
		begin(dir, &entry);
		if (set_id(dir, &id, &entry))
			r = all->visit(all->context, &entry);
	}
	free(named.ids);
	return r;
}

void registry_walk(bool ended, int (*visit)(void *context, const struct registry_entry *entry), void *context)
{
	struct all all = { .ended = ended, .visit = visit, .context = context };

	rundir_walk(visit_folder, &all);
}

/* ------------------------------------------------------------ whose box it is */

static int read_status(int proc, pid_t pid, struct proc_status *ret)
{
	CLEANUP(cleanup_close) int process = proc_open(proc, pid);
	struct proc_details details;
	int r = process < 0 ? process : proc_read_details(process, &details);

	if (r == 0)
		*ret = details.status;
	return r;
}

bool registry_may_name(const struct registry_entry *entry, pid_t init)
{
	CLEANUP(cleanup_close) int proc = -1;
	struct proc_status status;

	if (entry->uid == 0 || entry->uid == geteuid())
		return true;
	proc = pidns_open_proc();
	if (proc < 0 || read_status(proc, init, &status) < 0)
		return false;
	if (status.uid == entry->uid)
		return true;
	return status.parent > 0 && read_status(proc, status.parent, &status) == 0 && status.uid == entry->uid;
}

/* ------------------------------------------------------------ by id */

struct search {
	const struct pidref *init;
	uint64_t pid_namespace;
	struct registry_entry *ret;
	bool found;
};

static int is_it(void *context, const struct registry_entry *entry)
{
	struct search *s = context;
	bool same = pidref_same(&entry->id, s->init);

	/* Before pidfs an id tells nothing in another PID namespace than the one where it was written. */
	if (entry->id.pid == 0 || !same || (entry->id.inode == 0 && entry->front_namespace != rundir_own_namespace()))
		return 0;
	if (entry->pid_namespace != 0 && s->pid_namespace != 0 && entry->pid_namespace != s->pid_namespace)
		return 0;
	if (!registry_may_name(entry, s->init->pid))
		return 0;
	*s->ret = *entry;
	s->found = true;
	return 1;
}

int registry_find_id(const struct pidref *init, uint64_t pid_namespace, struct registry_entry *ret)
{
	struct search s = { init, pid_namespace, ret, false };

	registry_walk(false, is_it, &s);
	return s.found ? 0 : -ENOENT;
}
