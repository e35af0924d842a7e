/* SPDX-License-Identifier: MIT */
#include "core/rundir.h"

#include "base/dir.h"
#include "base/err.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/sink.h"
#include "base/sys.h"
#include "base/util.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static bool is_own_directory(const char *path, uid_t uid, struct stat *ret)
{
	if (lstat(path, ret) == 0 && S_ISDIR(ret->st_mode) && ret->st_uid == uid)
		return true;
	ret->st_nlink = 0;
	return false;
}

/* In a user namespace root is some user outside, by whose number the directories there are called. */
static uid_t outer_root(void)
{
	char text[256];
	unsigned inside, outside;

	if (io_read_file(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) > 0 &&
	    sscanf(text, "%u %u", &inside, &outside) == 2 && inside == 0)
		return outside;
	return 0;
}

/* What is all digits. */
static bool parse_id(const char *text, uint64_t *ret)
{
	return parse_digits(&text, ret) == 0 && *text == '\0';
}

/* @param ret_known  what lstat(2) says of it, if that was asked already; else st_nlink is 0 */
static int base_of(uid_t uid, char *buf, size_t size, struct stat *ret_known)
{
	const char *given = getenv("PIDBOX_RUNTIME_DIR");
	struct sink s = SINK_BUF(buf, size);
	uid_t called = uid;
	size_t len;

	ret_known->st_nlink = 0;
	if (given != NULL && given[0] != '\0' && uid == geteuid()) {
		sink_str(&s, given);
	} else if (uid == 0 && (is_own_directory("/run/pidbox", 0, ret_known) || access("/run", W_OK) == 0)) {
		sink_str(&s, "/run/pidbox");
	} else {
		if (uid == 0)
			called = outer_root();
		sink_str(&s, "/run/user/");
		sink_num(&s, called);
		len = s.len;
		sink_str(&s, "/pidbox");
		(void)sink_end(&s);
		/* Mostly it is there. Where it could be made, it is to be. */
		if (!is_own_directory(buf, uid, ret_known)) {
			buf[len] = '\0';
			if (is_own_directory(buf, uid, ret_known)) {
				buf[len] = '/';
			} else {
				s = SINK_BUF(buf, size);
				sink_str(&s, "/tmp/pidbox-");
				sink_num(&s, called);
			}
			ret_known->st_nlink = 0; /* that was another */
		}
	}
	return (size_t)sink_end(&s) < size ? 0 : -ENAMETOOLONG;
}

/* ------------------------------------------------------------ opening */

static const struct {
	int errnum;
	const char *why, *fix;
} refusals[] = {
	{ ENOENT, "there is no such directory", "start a box, or set PIDBOX_RUNTIME_DIR to where its front has it" },
	{ ENOTDIR, "it, or what it is to be in, is no directory (a symbolic link is none)",
	  "set PIDBOX_RUNTIME_DIR to a directory of your own" },
	{ ELOOP, "it is a symbolic link, which somebody else may have put there",
	  "set PIDBOX_RUNTIME_DIR to a directory of your own" },
	{ EPERM, "it belongs to another user", "set PIDBOX_RUNTIME_DIR to a directory of your own" },
	{ EACCES, "this user may not go there, or make a directory there",
	  "set PIDBOX_RUNTIME_DIR to a directory of your own" },
	{ EROFS, "its file system is mounted read-only", "set PIDBOX_RUNTIME_DIR to a directory on another one" },
	{ ENOSPC, "its file system is full", "free some space there, or set PIDBOX_RUNTIME_DIR" },
	{ EDQUOT, "your quota there is used up", "free some space there, or set PIDBOX_RUNTIME_DIR" },
	{ EMFILE, "there are no descriptors left (RLIMIT_NOFILE)", "raise ulimit -n" },
	{ ENAMETOOLONG, "its path is too long", "set PIDBOX_RUNTIME_DIR to a shorter one" },
	{ EBADMSG, "others may use it too, so that what is in it cannot be trusted", "make it private: chmod 700" },
	{ ESRCH, "without a /proc pidbox does not know in which PID namespace it is", "mount a procfs on /proc" },
};

static int refused(int r, const char *path, struct pidbox_error *err)
{
	bool denied = r == -ENOTDIR || r == -ELOOP || r == -EPERM || r == -EACCES || r == -EROFS || r == -EBADMSG;
	int errnum = r == -EBADMSG ? EACCES : -r;

	(void)err_set(err, errnum, denied ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE, "opening the runtime directory %s",
		      path);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (refusals[i].errnum != -r)
			continue;
		err_why(err, "%s", refusals[i].why);
		err_fix(err, "%s", refusals[i].fix);
		return -errnum;
	}
	err_why(err, "that is where a box with a name has its entry");
	err_fix(err, "set PIDBOX_RUNTIME_DIR to a directory of your own");
	return -errnum;
}

/* A directory of this user, and of nobody else? */
static int check_private(const struct stat *st, uid_t uid)
{
	if (!S_ISDIR(st->st_mode))
		return -ENOTDIR;
	return st->st_uid != uid ? -EPERM : (st->st_mode & 077) != 0 ? -EBADMSG : 0;
}

/* @return descriptor of such a one; -EPERM, -EBADMSG: it is not that */
static int open_private(int at, const char *path, uid_t uid, bool create, struct stat *ret)
{
	enum { TRIES = 100 };
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(at, path, flags);
	struct stat st;
	int r;

	/* Who leaves or sweeps an empty folder takes it away, perhaps just when it was made. */
	for (int i = 0; fd < 0 && errno == ENOENT && create && i < TRIES; i++) {
		if (mkdirat(at, path, 0700) < 0 && errno != EEXIST)
			break;
		fd = openat(at, path, flags);
	}
	fd = fd < 0 ? -errno : io_above_stdio(fd);
	if (fd < 0)
		return fd;
	r = fstat(fd, &st) < 0 ? -errno : check_private(&st, uid);
	if (r == 0) {
		*ret = st;
		return fd;
	}
	(void)close(fd);
	return r;
}

/* namespaces(7): the link is called pid:[INODE]. To read it costs less than to go where it leads, which is made anew.
 */
uint64_t rundir_own_namespace(void)
{
	static const char before[] = "pid:[";
	char link[40];
	ssize_t n = readlink("/proc/self/ns/pid", link, sizeof(link) - 1);
	const char *p = link + strlen(before);
	uint64_t inode;

	if (n <= 0)
		return 0;
	link[n] = '\0';
	return strncmp(link, before, strlen(before)) == 0 && parse_digits(&p, &inode) == 0 && *p == ']' ? inode : 0;
}

enum { LARGE = 64 * 1024 }; /* bytes: about a thousand entries on ext4 */

/* Whose the directory is, is seen before the folder in it is opened: nobody else can put another in its place. */
static int open_there(const struct rundir *dir, struct stat *base, struct stat *ret)
{
	char path[RUNDIR_PATH_SIZE + 32];
	int r = base->st_nlink == 0 && lstat(dir->base, base) < 0 ? -errno : check_private(base, dir->uid);

	if (r < 0)
		return r;
	return rundir_path(dir, "", path, sizeof(path)) ? open_private(AT_FDCWD, path, dir->uid, false, ret)
							: -ENAMETOOLONG;
}

static int open_anew(const struct rundir *dir, struct stat *ret_base, struct stat *ret)
{
	int base = open_private(AT_FDCWD, dir->base, dir->uid, true, ret_base), r;
	char name[24];

	if (base < 0)
		return base;
	(void)snprintf(name, sizeof(name), "%llu", (unsigned long long)dir->pid_namespace);
	r = open_private(base, name, dir->uid, true, ret);
	(void)close(base);
	return r;
}

static int open_folder(uid_t uid, bool create, struct rundir *ret)
{
	struct rundir dir = { .fd = -1, .uid = uid, .pid_namespace = rundir_own_namespace() };
	struct stat base, st;

	if (base_of(uid, dir.base, sizeof(dir.base), &base) < 0)
		return -ENAMETOOLONG;
	if (dir.pid_namespace == 0)
		return -ESRCH;
	dir.fd = open_there(&dir, &base, &st);
	if (dir.fd == -ENOENT && create)
		dir.fd = open_anew(&dir, &base, &st);
	if (dir.fd < 0)
		return dir.fd;
	dir.others = base.st_nlink != 2 && base.st_nlink != 3; /* a directory's links: its own two, one of each in it */
	dir.large = st.st_size >= LARGE;
	dir.searched = true;
	*ret = dir;
	return 0;
}

static int open_with_words(uid_t uid, bool create, struct rundir *ret, struct pidbox_error *err)
{
	char base[RUNDIR_PATH_SIZE] = "";
	struct stat known;
	int r = open_folder(uid, create, ret);

	if (r == 0)
		return 0;
	(void)base_of(uid, base, sizeof(base), &known);
	return refused(r, base, err);
}

int rundir_open(bool create, struct rundir *ret, struct pidbox_error *err)
{
	return open_with_words(geteuid(), create, ret, err);
}

int rundir_open_of(uid_t uid, struct rundir *ret, struct pidbox_error *err)
{
	return open_with_words(uid, false, ret, err);
}

bool rundir_path(const struct rundir *dir, const char *name, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);

	sink_str(&s, dir->base);
	sink_str(&s, "/");
	sink_num(&s, (int64_t)dir->pid_namespace);
	sink_str(&s, name[0] != '\0' ? "/" : "");
	sink_str(&s, name);
	return (size_t)sink_end(&s) < size;
}

enum { FIRST_PID_NAMESPACE = 0xeffffffc }; /* its inode number (PROC_PID_INIT_INO in include/linux/proc_ns.h) */

/* Of a full one the kernel takes nothing away; who is about to put something into an empty one makes it anew. */
void rundir_close(struct rundir *dir)
{
	char path[RUNDIR_PATH_SIZE + 32];

	if (dir->fd < 0)
		return;
	if ((dir->pid_namespace != (uint64_t)FIRST_PID_NAMESPACE || dir->large) && dir->uid == geteuid() &&
	    rundir_path(dir, "", path, sizeof(path)))
		(void)rmdir(path);
	(void)close(dir->fd);
	dir->fd = -1;
}

/* ------------------------------------------------------------ sweeping */

enum { A_MINUTE_S = 60, A_DAY_S = 24 * 60 * 60, FOLDERS_AT_ONCE = 16 };

static bool is_older(const struct stat *st, int seconds)
{
	return clock_us(CLOCK_REALTIME) / US_PER_S - st->st_mtim.tv_sec >= seconds;
}

/*
 * Whether somebody is in a folder, no lock of the folder tells: flock(2) goes through all that share one, and each
 * start would cost more with every box that lives. A front listens at its socket to its end, however it ends. One that
 * begins may not have come to that (bind(2) before listen(2)); it has a minute.
 */
static bool front_is_gone(int folder, const char *path, const char *name, const struct stat *st)
{
	CLEANUP(cleanup_close) int fd = -1;
	struct sockaddr_un address;

	if (!is_older(st, A_MINUTE_S))
		return false;
	rundir_address(folder, path, name, &address);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 && errno == ECONNREFUSED;
}

/* A name, or the record beside it. A front holds the name's lock; one that is gone may have left a box in its grace. */
static void sweep_file(int folder, const char *file, const struct stat *st)
{
	CLEANUP(cleanup_close) int fd = -1;
	char name[NAME_MAX + 1];

	if (!is_older(st, A_DAY_S))
		return;
	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, ":"), file);
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(folder, file, 0);
}

/* Where somebody lives he sweeps himself. */
static void sweep_folder(const struct rundir *dir, int base, const char *number)
{
	char path[RUNDIR_PATH_SIZE + 32];
	const struct sys_dirent64 *e;
	bool lived_in = false;
	struct dir_iter it;
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir->base, number);
	dir_begin(&it, open_private(base, number, dir->uid, false, &st));
	if (it.fd < 0)
		return;
	while (!lived_in && (e = dir_next(&it)) != NULL) {
		if (fstatat(it.fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
			continue;
		if (!S_ISSOCK(st.st_mode))
			sweep_file(it.fd, e->name, &st);
		else if (front_is_gone(it.fd, path, e->name, &st))
			(void)unlinkat(it.fd, e->name, 0);
		else
			lived_in = true;
	}
	cleanup_close(&it.fd);
	if (!lived_in)
		(void)unlinkat(base, number, AT_REMOVEDIR);
}

void rundir_sweep_others(const struct rundir *dir)
{
	const struct sys_dirent64 *e;
	struct dir_iter it;
	int looked_at = 0;

	dir_begin(&it, dir->others ? openat(dir->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
	while (it.fd >= 0 && looked_at < FOLDERS_AT_ONCE && (e = dir_next(&it)) != NULL) {
		uint64_t inode;

		if (!parse_id(e->name, &inode) || inode == dir->pid_namespace)
			continue;
		looked_at++;
		sweep_folder(dir, it.fd, e->name);
	}
	cleanup_close(&it.fd);
}

void rundir_address(int fd, const char *path, const char *name, struct sockaddr_un *ret)
{
	struct sink s = SINK_BUF(ret->sun_path, sizeof(ret->sun_path));

	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	sink_str(&s, path);
	sink_str(&s, name[0] != '\0' ? "/" : "");
	sink_str(&s, name);
	if (sink_end(&s) >= (int64_t)sizeof(ret->sun_path))
		(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", fd, name);
}

/* ------------------------------------------------------------ all of them */

struct walk {
	int (*visit)(void *context, const struct rundir *dir);
	void *context;
	char base[RUNDIR_PATH_SIZE]; /* the caller's own */
	int r;
};

static void walk_base(struct walk *w, const char *base, uid_t uid)
{
	struct rundir folder = { .uid = uid };
	char searched[RUNDIR_PATH_SIZE];
	const struct sys_dirent64 *e;
	struct dir_iter it;
	struct stat st;

	dir_begin(&it, open_private(AT_FDCWD, base, uid, false, &st));
	folder.searched = base == w->base || /* known already */
			  (base_of(uid, searched, sizeof(searched), &st) == 0 && strcmp(base, searched) == 0);
	(void)snprintf(folder.base, sizeof(folder.base), "%s", base);
	while (it.fd >= 0 && w->r == 0 && (e = dir_next(&it)) != NULL) {
		if (!parse_id(e->name, &folder.pid_namespace))
			continue;
		folder.fd = open_private(it.fd, e->name, uid, false, &st);
		if (folder.fd < 0)
			continue;
		w->r = w->visit(w->context, &folder);
		(void)close(folder.fd);
	}
	cleanup_close(&it.fd);
}

/* The numbers at the ends of what is called PREFIX<number>SUFFIX in a directory: whose it is to be. */
static void walk_users(struct walk *w, const char *parent, const char *prefix, const char *suffix)
{
	const struct sys_dirent64 *e;
	size_t skip = strlen(prefix);
	struct dir_iter it;

	dir_begin(&it, open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (it.fd >= 0 && w->r == 0 && (e = dir_next(&it)) != NULL) {
		char base[RUNDIR_PATH_SIZE];
		uint64_t uid;

		if (strncmp(e->name, prefix, skip) != 0 || !parse_id(e->name + skip, &uid) || uid >= UINT32_MAX)
			continue;
		if (snprintf(base, sizeof(base), "%s/%s%s", parent, e->name, suffix) < (int)sizeof(base) &&
		    strcmp(base, w->base) != 0)
			walk_base(w, base, (uid_t)uid);
	}
	cleanup_close(&it.fd);
}

void rundir_walk(int (*visit)(void *context, const struct rundir *dir), void *context)
{
	struct walk w = { .visit = visit, .context = context };
	struct stat known;

	if (base_of(geteuid(), w.base, sizeof(w.base), &known) == 0)
		walk_base(&w, w.base, geteuid());
	/* A user's directory may be in two places; each entry is in one. */
	if (w.r == 0 && geteuid() == 0) {
		if (strcmp(w.base, "/run/pidbox") != 0)
			walk_base(&w, "/run/pidbox", 0);
		if (w.r == 0)
			walk_users(&w, "/run/user", "", "/pidbox");
		if (w.r == 0)
			walk_users(&w, "/tmp", "pidbox-", "");
	}
}
