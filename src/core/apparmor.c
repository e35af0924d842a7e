/* SPDX-License-Identifier: MIT */
/*
 * A profile for one program, where AppArmor lets only who has one make user namespaces. It is loaded before it is put
 * in place, so that a file which the parser or the kernel does not take is never there.
 */
#include <pidbox.h>

#include "base/err.h"
#include "base/io.h"
#include "base/sink.h"
#include "base/util.h"
#include "kern/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

#define FOLDER "/etc/apparmor.d"
#define FILE_  FOLDER "/pidbox"
/* apparmor_parser passes over names that begin with a dot, so a half-written one is never loaded. */
#define DRAFT FOLDER "/.pidbox.new"
#define MARK  "# Written by `pidbox doctor --install-apparmor`.\n"

const char *pidbox_apparmor_path(void)
{
	return FILE_;
}

/* In quotes; what would be a pattern is escaped (apparmor.d(5)). @return false: no profile can name it */
static bool put_path(struct sink *s, const char *path)
{
	sink_str(s, "\"");
	for (const char *p = path; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == '"')
			return false;
		if (strchr("\\*?[]{}^", *p) != NULL)
			sink_str(s, "\\");
		sink_bytes(s, p, 1);
	}
	sink_str(s, "\"");
	return path[0] == '/';
}

size_t pidbox_apparmor_profile(char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	sink_str(&s, MARK "# It lets this one program make user namespaces; the rest it leaves as it is.\n"
			  "abi <abi/4.0>,\n"
			  "include <tunables/global>\n\n"
			  "profile pidbox ");
	if (!put_path(&s, exe)) {
		if (size > 0)
			buf[0] = '\0';
		return 0;
	}
	sink_str(&s, " flags=(unconfined) {\n\tuserns,\n}\n");
	return (size_t)sink_end(&s);
}

/* ------------------------------------------------------------ the file */

static int failed(int r, const char *what, struct pidbox_error *err)
{
	r = err_set(err, -r, r == -EACCES || r == -EPERM ? PIDBOX_CODE_DENIED : PIDBOX_CODE_NONE, "%s", what);
	if (r == -EACCES || r == -EPERM) {
		err_why(err, "only root may write in " FOLDER);
		err_fix(err, "run it as root, or have root put the profile there by hand");
	} else if (r == -ENOENT) {
		err_why(err, "there is no directory " FOLDER ": AppArmor is not installed here");
		err_fix(err, "nothing is to be done for AppArmor; `pidbox doctor` says what refuses");
	} else if (r == -EEXIST) {
		err_why(err, FILE_ " is there, and pidbox has not written it");
		err_fix(err, "put `userns,` into that profile, or move it away");
	} else if (r == -EROFS) {
		err_why(err, FOLDER " is on a file system that is mounted read-only");
		err_fix(err, "write the profile that `pidbox doctor` prints where this machine keeps its settings");
	} else {
		err_why(err, "the file system refuses it");
		err_fix(err, "df tells whether it is full, findmnt how it is mounted");
	}
	return r;
}

/* @return 1: it is pidbox's own; 0: there is none; -EEXIST; -errno */
static int is_ours(void)
{
	CLEANUP(cleanup_close) int fd = open(FILE_, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char head[sizeof(MARK)] = "";
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : errno == ELOOP ? -EEXIST : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EEXIST;
	return read(fd, head, sizeof(MARK) - 1) == sizeof(MARK) - 1 && strcmp(head, MARK) == 0 ? 1 : -EEXIST;
}

/* What root's umask takes away is of no account: profiles are for everybody to read. */
static int write_draft(const char *text, size_t len)
{
	CLEANUP(cleanup_close) int fd = -1;
	int r;

	if (unlink(DRAFT) < 0 && errno != ENOENT) /* of one that was interrupted */
		return -errno;
	fd = open(DRAFT, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : io_write_all(fd, text, len);
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r < 0 && fd >= 0)
		(void)unlink(DRAFT);
	return r;
}

/* @return its exit status; -ENOENT: there is no parser */
static int run_parser(const char *option, const char *file, char *words, size_t size)
{
	char name[] = "apparmor_parser", how[4], path[64];
	char *argv[] = { name, how, path, NULL };
	size_t len;
	int r;

	(void)snprintf(how, sizeof(how), "%s", option);
	(void)snprintf(path, sizeof(path), "%s", file);
	words[0] = '\0';
	r = helper_run(name, argv, environ, STDERR_FILENO, words, size, &len);
	words[strcspn(words, "\n")] = '\0';
	return r;
}

static int not_loaded(const char *words, struct pidbox_error *err)
{
	int r = err_set(err, EINVAL, PIDBOX_CODE_NONE, "loading the AppArmor profile");

	err_why(err, "apparmor_parser refuses it: %s", words[0] != '\0' ? words : "it does not say why");
	err_fix(err, "look whether AppArmor runs here (aa-status); user namespaces in profiles came with AppArmor 4");
	return r;
}

int pidbox_apparmor_install(struct pidbox_error *err)
{
	char text[PATH_MAX * 2 + 512], words[256];
	size_t len = pidbox_apparmor_profile(text, sizeof(text));
	int loaded, r = is_ours();

	if (len == 0 || len >= sizeof(text)) {
		r = err_set(err, EINVAL, PIDBOX_CODE_NONE, "writing an AppArmor profile");
		err_why(err, "the path of this program (/proc/self/exe) is not known, or none that a profile can name");
		err_fix(err, "install pidbox under a path without quotes and control characters");
		return r;
	}
	if (r >= 0)
		r = write_draft(text, len);
	if (r < 0)
		return failed(r, "writing " FILE_, err);
	loaded = run_parser("-r", DRAFT, words, sizeof(words));
	if (loaded != 0 && loaded != -ENOENT) {
		(void)unlink(DRAFT);
		return not_loaded(words, err);
	}
	if (rename(DRAFT, FILE_) < 0) {
		r = failed(-errno, "writing " FILE_, err);
		(void)unlink(DRAFT);
		return r;
	}
	return loaded == 0;
}

int pidbox_apparmor_remove(struct pidbox_error *err)
{
	char words[256];
	int r = is_ours();

	if (r < 0)
		return failed(r, "removing " FILE_, err);
	if (r == 0)
		return access(FOLDER, W_OK) < 0 && errno != ENOENT ? failed(-errno, "removing " FILE_, err) : 0;
	if (access(FOLDER, W_OK) < 0)
		return failed(-errno, "removing " FILE_, err);
	(void)run_parser("-R", FILE_, words, sizeof(words)); /* one that is not loaded it refuses */
	if (unlink(FILE_) < 0)
		return failed(-errno, "removing " FILE_, err);
	return 1;
}
