/* SPDX-License-Identifier: MIT */
#include "core/claim.h"

#include "base/dir.h"
#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/control_client.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/*
 * Who finds a name locked by somebody who is not known to lead a live box looks again for a while: that is a front that
 * is beginning or ending, or somebody who sweeps.
 */
enum { PATIENCE_US = 500000, PATIENCE_AFTER_END_US = 10000000, LOOK_AGAIN_US = 2000 };

size_t claim_boot_id(char buf[40])
{
	ssize_t n = io_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", buf, 40);

	buf[n > 0 ? strcspn(buf, "\n") : 0] = '\0';
	return strlen(buf);
}

int claim_read(int fd, struct entry *ret)
{
	char text[ENTRY_SIZE + 1];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return entry_parse(text, ret);
}

bool claim_live_init(const struct entry *entry, struct pidref *ret)
{
	struct pidref now;
	char boot[40];

	if (entry->boot_id[0] != '\0' && claim_boot_id(boot) > 0 && strcmp(boot, entry->boot_id) != 0)
		return false;
	if (pidref_open(entry->id.pid, &now) < 0)
		return false;
	if (pidref_same(&now, &entry->id) && !pidref_has_ended(&now)) {
		*ret = now;
		return true;
	}
	pidref_close(&now);
	return false;
}

/* ------------------------------------------------------------ taking it */

static bool is_still_there(const struct rundir *dir, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dir->fd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/*
 * One try. @return a descriptor; -EEXIST: *holder is the init of the box that has the name; -EAGAIN: it is locked by
 * somebody who leads no live box now
 */
static int try_once(const struct rundir *dir, const char *name, struct pidref *holder)
{
	int fd = openat(dir->fd, name, O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct entry entry;
	struct stat st;
	int r = 0;

	fd = fd < 0 ? -errno : io_above_stdio(fd);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != dir->uid)
		r = -EPERM;
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if ((r == 0 || r == -EAGAIN) && claim_read(fd, &entry) == 0 && claim_live_init(&entry, holder))
		r = -EEXIST;
	/* The last one to hold it may have taken its file away since we have opened that. */
	if (r == 0 && !is_still_there(dir, name, fd))
		r = -EAGAIN;
	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

static int try_for(const struct rundir *dir, const char *name, int64_t patience_us, struct pidref *holder)
{
	int64_t until = later(now_us(), patience_us);
	int r;

	while ((r = try_once(dir, name, holder)) == -EAGAIN && now_us() < until)
		(void)usleep(LOOK_AGAIN_US);
	return r;
}

/*
 * By its own ladder, which its init climbs. A front that is gone has begun that already; one that somebody has stopped
 * hears nothing, and then it is over for its box. @return 0; -EINTR; what we lack to ask
 */
static int end_box(const struct rundir *dir, const struct pidref *init, int interrupt_fd)
{
	const struct control_request request = { .type = CONTROL_KILL, .grace_us = -1 };
	struct pollfd fds[] = { { .fd = init->pidfd, .events = POLLIN }, { .fd = interrupt_fd, .events = POLLIN } };
	struct registry_entry entry = { .id = *init };
	struct control_reply reply;
	char id[PIDREF_ID_SIZE];
	int r;

	pidref_format(init, id);
	r = rundir_path(dir, id, entry.socket, sizeof(entry.socket)) ? 0 : -ENAMETOOLONG;
	if (r == 0)
		r = control_ask(&entry, init, &request, NULL, 0, CONTROL_PATIENCE_US, &reply, NULL, NULL);
	if (control_lacks(r))
		return r;
	if (r < 0 && r != -ESRCH)
		(void)pidref_signal(init, SIGKILL);
	while (poll(fds, ARRAY_LEN(fds), -1) <= 0 || fds[0].revents == 0)
		if (fds[1].revents != 0)
			return -EINTR;
	return 0;
}

static int name_taken(const char *name, const struct pidref *holder, struct pidbox_error *err)
{
	char id[PIDREF_ID_SIZE];
	int r = err_set(err, EEXIST, PIDBOX_CODE_NAME_TAKEN, "naming the box %s", name);

	if (holder != NULL) {
		pidref_format(holder, id);
		err_why(err, "a live box of this user has that name: %s", id);
	} else {
		err_why(err, "another pidbox is starting or ending a box of that name");
	}
	err_fix(err, "take another name, end that one (pidbox kill %s), or use --replace", name);
	return r;
}

static int cannot_name(int r, const struct rundir *dir, const char *name, struct pidbox_error *err)
{
	static const struct {
		int errnum;
		const char *why, *fix;
	} known[] = {
		{ ENOSPC, "its file system is full", "free some space there, or set PIDBOX_RUNTIME_DIR" },
		{ EDQUOT, "your quota there is used up", "free some space there, or set PIDBOX_RUNTIME_DIR" },
		{ EROFS, "its file system is mounted read-only",
		  "set PIDBOX_RUNTIME_DIR to a directory on another one" },
		{ ELOOP, "its entry is a symbolic link", "take that away, or another name" },
		{ EPERM, "its entry is no file of this user's", "take that away, or another name" },
		{ EMFILE, "there are no descriptors left (RLIMIT_NOFILE)", "raise ulimit -n" },
		{ ETOOMANYREFS, "too many descriptors are on their way (RLIMIT_NOFILE)", "raise ulimit -n" },
		{ EINTR, "a signal ended the wait for the box of that name", "wait until it has ended" },
	};
	char path[RUNDIR_PATH_SIZE + 32] = "";

	(void)rundir_path(dir, "", path, sizeof(path));
	(void)err_set(err, -r, r == -EROFS ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE, "naming the box %s, in %s", name,
		      path);
	err_why(err, "the entry of a box with a name is there");
	err_fix(err, "set PIDBOX_RUNTIME_DIR to a directory of your own");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].errnum == -r) {
			err_why(err, "%s", known[i].why);
			err_fix(err, "%s", known[i].fix);
		}
	}
	return r;
}

static void record_name(const char *name, char buf[80])
{
	(void)snprintf(buf, 80, "%s:exit", name);
}

static int make_record_file(const struct rundir *dir, const char *name)
{
	char file[80];
	int fd;

	record_name(name, file);
	fd = openat(dir->fd, file, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : io_above_stdio(fd);
}

int claim_take(const struct rundir *dir, const struct claim_wish *wish, struct claim *ret, struct pidbox_error *err)
{
	struct claim claim = CLAIM_NONE;
	struct pidref holder;
	char file[80];
	int r = try_for(dir, wish->name, PATIENCE_US, &holder);

	while (r == -EEXIST && wish->replace) {
		r = end_box(dir, &holder, wish->interrupt_fd);
		pidref_close(&holder);
		if (r == 0)
			r = try_for(dir, wish->name, PATIENCE_AFTER_END_US, &holder);
	}
	if (r == -EEXIST || r == -EAGAIN) {
		int taken = name_taken(wish->name, r == -EEXIST ? &holder : NULL, err);

		if (r == -EEXIST)
			pidref_close(&holder);
		return taken;
	}
	if (r < 0)
		return r == -ENOENT ? r : cannot_name(r, dir, wish->name, err);
	claim.fd = r;
	(void)snprintf(claim.name, sizeof(claim.name), "%s", wish->name);
	record_name(wish->name, file);
	(void)unlinkat(dir->fd, file, 0);
	r = sys_ret(ftruncate(claim.fd, 0)); /* what a box before has left */
	if (r == 0 && wish->keep_record)
		r = claim.kept = make_record_file(dir, wish->name);
	if (r < 0) {
		claim_release(dir, &claim, true);
		return cannot_name(r, dir, wish->name, err);
	}
	*ret = claim;
	return 0;
}

int claim_publish(const struct claim *claim, const struct entry *entry)
{
	char text[ENTRY_SIZE];
	size_t len = entry_format(entry, text, sizeof(text));
	ssize_t n = len < sizeof(text) ? pwrite(claim->fd, text, len, 0) : -1;

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
}

void claim_release(const struct rundir *dir, struct claim *claim, bool drop_record)
{
	char file[80];

	if (claim->fd < 0)
		return;
	record_name(claim->name, file);
	if (drop_record)
		(void)unlinkat(dir->fd, file, 0);
	if (is_still_there(dir, claim->name, claim->fd))
		(void)unlinkat(dir->fd, claim->name, 0);
	cleanup_close(&claim->kept);
	cleanup_close(&claim->fd);
	*claim = CLAIM_NONE;
}

/* ------------------------------------------------------------ sweeping */

/*
 * A start is not to cost more the more boxes live, or have lived: each goes on while it finds what is stale, and looks
 * at a few entries in vain; one in so many looks at all of them. Where already the first entry is dear, one in so many
 * looks at any.
 */
enum { LOOK_AT = 2, IF_LARGE_ONE_IN = 16, THOROUGH_ONE_IN = 8 * IF_LARGE_ONE_IN, KEEP_RECORDS_S = 24 * 60 * 60 };

/* Whose number is in use may be another by now. */
static bool socket_is_stale(const struct pidref *id)
{
	struct pidref now;
	bool stale;
	int r = pidref_open(id->pid, &now);

	if (r < 0)
		return r == -ESRCH;
	stale = !pidref_same(&now, id) || pidref_has_ended(&now);
	pidref_close(&now);
	return stale;
}

/* Or empty: a box whose name can be taken has ended, without one. */
static bool record_is_old(const struct rundir *dir, const char *file)
{
	struct stat st;

	return fstatat(dir->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_size == 0 || clock_us(CLOCK_REALTIME) / US_PER_S - st.st_mtim.tv_sec >= KEEP_RECORDS_S);
}

/* Under the lock of the name, so that nobody takes it meanwhile. */
static bool sweep_name(const struct rundir *dir, const char *name)
{
	struct claim claim = CLAIM_NONE;
	struct pidref holder;
	char file[80];
	int fd = try_once(dir, name, &holder);

	if (fd == -EEXIST)
		pidref_close(&holder);
	if (fd < 0)
		return false;
	claim.fd = fd;
	(void)snprintf(claim.name, sizeof(claim.name), "%s", name);
	record_name(name, file);
	claim_release(dir, &claim, record_is_old(dir, file));
	return true;
}

/* @return it was stale, and is gone */
static bool sweep_file(const struct rundir *dir, const char *file)
{
	size_t len = strcspn(file, ":");
	struct pidref id;
	char name[65];

	if (pidref_parse(file, &id) == 0)
		return socket_is_stale(&id) && unlinkat(dir->fd, file, 0) == 0;
	if (len >= sizeof(name) || (file[len] == ':' && strcmp(file + len, ":exit") != 0))
		return false;
	if (file[len] == ':' && !record_is_old(dir, file))
		return false;
	memcpy(name, file, len);
	name[len] = '\0';
	return sweep_name(dir, name);
}

void claim_sweep(const struct rundir *dir, const char *but, int64_t lot)
{
	struct dir_iter it;
	const struct sys_dirent64 *e;
	bool thorough = lot % THOROUGH_ONE_IN == 0;
	int left = LOOK_AT;

	if (dir->large && lot % IF_LARGE_ONE_IN != 0)
		return;
	dir_begin(&it, dir->fd); /* nobody has read from it yet */
	while ((left > 0 || thorough) && (e = dir_next(&it)) != NULL)
		if (e->name[0] != '.' && strcmp(e->name, but) != 0)
			left -= !sweep_file(dir, e->name);
}
