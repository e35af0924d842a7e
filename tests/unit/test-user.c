/* SPDX-License-Identifier: MIT */
/* The user databases, from recorded files, and a getent that the test writes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/util.h"
#include "kern/user.h"
#include "tap.h"

static char passwd_path[64], group_path[64], subid_path[64], getent_path[64], none_path[64];

static const char passwd_text[] = "# a comment: 1:1\n"
				  "\n"
				  "root:x:0:0:root:/root:/bin/sh\n"
				  "+nis:x:70:70::/:/bin/sh\n"
				  "-nis:x:71:71::/:/bin/sh\n"
				  "few:x:72\n"
				  "word:x:seventy:3::/:\n"
				  "large:x:4294967295:3::/:\n"
				  "larger:x:4294967296:3::/:\n"
				  "hex:x:0x10:3::/:\n"
				  "empty:x::3::/:\n"
				  ":x:73:73::/:\n"
				  "nul\0l:x:74:74::/:\n"
				  "top:x:4294967294:4294967294::/:\n"
				  "ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\n"
				  "ann:x:2000:2000:a second one:/:\n"
				  "alias:x:1000:1001:the same id:/:\n"
				  "an:x:1002:1002::/:\n"
				  "1234:x:5678:5678:digits are a number:/:\n"
				  "short:x:1003:1003\n"
				  "many:x:1004:1004::/:\n"
				  "cr:x:1005:1005\r\n"
				  "last:x:1006:1006:no newline:/:";

static const char group_text[] = "root:x:0:\n"
				 "adm:x:4:syslog,ann\n"
				 "bad:x:five:ann\n"
				 "wheel:x:10:ann,ann,annie\n"
				 "again:x:10:ann\n"
				 "ann:x:1000:ann\n"
				 "nobody:x:65534:,,\n"
				 "nomembers:x:66\n"
				 "an:x:1002:root\n"
				 "last:x:77:an,last";

static const char subid_text[] = "# none\n"
				 "ann:100000:65536\n"
				 "annie:1:1\n"
				 "1000:300000:1000\n"
				 "ann:0:0\n"
				 "ann:4294967295:1\n"
				 "ann:4294967294:1\n"
				 "ann:1\n"
				 "ann:1:2:3\n"
				 "ann:x:1\n"
				 ":5:5\n"
				 "ann:18446744073709551616:1\n"
				 "ann:500000:7";

/* What it was called with goes to standard error, which has to be /dev/null: nothing of it may show. */
static const char getent_text[] =
	"#!/bin/sh\n"
	"echo \"noise $*\" >&2\n"
	"test $# = 2 || exit 1\n"
	"case $1:$2 in\n"
	"passwd:ldap|passwd:LDAP|passwd:5000) echo 'ldap:*:5000:5001:L:/home/ldap:/bin/sh' ;;\n"
	"passwd:alpine) echo 'alpine:*:5002:10::/:/bin/sh' ;;\n"
	"passwd:failing) echo 'failing:*:5003:10::/:/bin/sh'; exit 2 ;;\n"
	"passwd:liar) echo 'not an entry' ;;\n"
	"passwd:5004) echo 'other:*:5005:10::/:/bin/sh' ;;\n"
	"passwd:stuffed) echo 'stuffed:*:5006:10::/:/bin/sh'; i=0\n"
	"	while test $i -lt 3000; do echo 'a line that nobody wants to read any more'; i=$((i + 1)); done ;;\n"
	"passwd:silent) ;;\n"
	"passwd:toomany) echo 'toomany:*:5007:10::/:/bin/sh' ;;\n"
	"initgroups:ldap) echo 'ldap                  5001 6001 6002 10' ;;\n"
	"initgroups:toomany) printf toomany; i=0; while test $i -lt 1100; do printf ' %d' $i; i=$((i + 1)); done; echo "
	";;\n"
	"initgroups:*) exit 1 ;;\n"
	"group:ldapgroup) echo 'ldapgroup:*:6001:ldap' ;;\n"
	"*) exit 2 ;;\n"
	"esac\n";

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0 || chmod(path, mode) < 0) {
		printf("Bail out! cannot write %s\n", path);
		exit(1);
	}
}

struct row {
	const char *spec;
	int r;
	uint32_t uid, gid;
	size_t n_groups;
	uint32_t groups[6];
};

static void check(const struct user_db *db, const struct row *row)
{
	static struct user_ids ids, before;
	bool same;
	int r;

	memset(&before, 0x5a, sizeof(before));
	ids = before;
	r = user_lookup(row->spec, db, &ids);
	if (r == 0)
		same = ids.uid == row->uid && ids.gid == row->gid && ids.n_groups == row->n_groups &&
		       memcmp(ids.groups, row->groups, row->n_groups * sizeof(*ids.groups)) == 0;
	else
		same = memcmp(&ids, &before, sizeof(ids)) == 0;
	ok(r == row->r && same, "user \"%.40s\": %d (expected %d), %u:%u, %zu groups", row->spec, r, row->r, ids.uid,
	   ids.gid, ids.n_groups);
}

static void test_lookup(void)
{
	const struct user_db db = { .passwd = passwd_path, .group = group_path };
	static char long_name[400];
	const struct row rows[] = {
		{ "root", 0, 0, 0, 2, { 0, 1002 } },
		{ "0", 0, 0, 0, 2, { 0, 1002 } },
		{ "ann", 0, 1000, 1000, 3, { 1000, 4, 10 } },
		{ "1000", 0, 1000, 1000, 3, { 1000, 4, 10 } },
		{ "alias", 0, 1000, 1001, 1, { 1001 } },
		{ "an", 0, 1002, 1002, 2, { 1002, 77 } },
		{ "last", 0, 1006, 1006, 2, { 1006, 77 } },
		{ "short", 0, 1003, 1003, 1, { 1003 } },
		{ "top", 0, 4294967294, 4294967294, 1, { 4294967294 } },
		{ "ann:wheel", 0, 1000, 10, 1, { 10 } },
		{ "ann:0", 0, 1000, 0, 1, { 0 } },
		{ "ann:nomembers", 0, 1000, 66, 1, { 66 } },
		{ "77777:4", 0, 77777, 4, 1, { 4 } },
		{ "77777:adm", 0, 77777, 4, 1, { 4 } },
		{ "77777", 0, 77777, 0, 1, { 0 } },
		{ "1234", 0, 1234, 0, 1, { 0 } },
		{ "4294967294:4294967294", 0, 4294967294, 4294967294, 1, { 4294967294 } },
		{ "unknown", -ENOENT, 0, 0, 0, { 0 } },
		{ "unknown:0", -ENOENT, 0, 0, 0, { 0 } },
		{ "ann:unknown", -ENOENT, 0, 0, 0, { 0 } },
		{ "ann:bad", -ENOENT, 0, 0, 0, { 0 } },
		{ "+nis", -ENOENT, 0, 0, 0, { 0 } },
		{ "-nis", -ENOENT, 0, 0, 0, { 0 } },
		{ "nis", -ENOENT, 0, 0, 0, { 0 } },
		{ "few", -ENOENT, 0, 0, 0, { 0 } },
		{ "word", -ENOENT, 0, 0, 0, { 0 } },
		{ "large", -ENOENT, 0, 0, 0, { 0 } },
		{ "larger", -ENOENT, 0, 0, 0, { 0 } },
		{ "hex", -ENOENT, 0, 0, 0, { 0 } },
		{ "empty", -ENOENT, 0, 0, 0, { 0 } },
		{ "nul", -ENOENT, 0, 0, 0, { 0 } },
		{ "cr", -ENOENT, 0, 0, 0, { 0 } },
		{ "Ann", -ENOENT, 0, 0, 0, { 0 } },
		{ "ann ", -ENOENT, 0, 0, 0, { 0 } },
		{ "-1", -ENOENT, 0, 0, 0, { 0 } },
		{ "0x0", -ENOENT, 0, 0, 0, { 0 } },
		{ "", -EINVAL, 0, 0, 0, { 0 } },
		{ ":", -EINVAL, 0, 0, 0, { 0 } },
		{ "ann:", -EINVAL, 0, 0, 0, { 0 } },
		{ ":wheel", -EINVAL, 0, 0, 0, { 0 } },
		{ "ann:wheel:", -EINVAL, 0, 0, 0, { 0 } },
		{ "ann:wheel:x", -EINVAL, 0, 0, 0, { 0 } },
		{ "ann\nroot", -EINVAL, 0, 0, 0, { 0 } },
		{ "4294967295", -EINVAL, 0, 0, 0, { 0 } },
		{ "4294967296", -EINVAL, 0, 0, 0, { 0 } },
		{ "18446744073709551616", -EINVAL, 0, 0, 0, { 0 } },
		{ "0:4294967295", -EINVAL, 0, 0, 0, { 0 } },
		{ long_name, -EINVAL, 0, 0, 0, { 0 } },
	};

	memset(long_name, 'x', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&db, &rows[i]);
}

static void test_files(void)
{
	const struct user_db none = { .passwd = none_path, .group = none_path };
	const struct user_db no_groups = { .passwd = passwd_path, .group = none_path };
	const struct user_db directory = { .passwd = "/", .group = "/" };
	static const struct row rows[] = {
		{ "5:6", 0, 5, 6, 1, { 6 } },
		{ "0", 0, 0, 0, 1, { 0 } },
		{ "root", -ENOENT, 0, 0, 0, { 0 } },
		{ "0:root", -ENOENT, 0, 0, 0, { 0 } },
	};
	static const struct row ann = { "ann", 0, 1000, 1000, 1, { 1000 } };
	static const struct row unreadable = { "ann", -EISDIR, 0, 0, 0, { 0 } };
	static const struct row unread = { "1:2", 0, 1, 2, 1, { 2 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&none, &rows[i]);
	check(&no_groups, &ann);
	check(&directory, &unreadable);
	check(&directory, &unread);
}

static void test_many_groups(void)
{
	static struct user_ids ids;
	static char text[64 * (USER_GROUPS_MAX + 1)];
	const struct user_db db = { .passwd = passwd_path, .group = none_path };
	size_t len = 0;

	for (unsigned int i = 1; i < USER_GROUPS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "g%u:x:%u:many\n", i, 100000 + i);
	write_file(none_path, text, len, 0600);
	ok(user_lookup("many", &db, &ids) == 0 && ids.n_groups == USER_GROUPS_MAX,
	   "as many groups as there is room for");
	len += (size_t)snprintf(text + len, sizeof(text) - len, "more:x:99999:many\n");
	write_file(none_path, text, len, 0600);
	ok(user_lookup("many", &db, &ids) == -E2BIG, "one more is an error, not a group less");
	remove(none_path);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void test_getent(void)
{
	const struct user_db db = { passwd_path, group_path, getent_path };
	const struct user_db gone = { passwd_path, group_path, none_path };
	static const struct row rows[] = {
		{ "ann", 0, 1000, 1000, 3, { 1000, 4, 10 } },
		{ "ldap", 0, 5000, 5001, 4, { 5001, 6001, 6002, 10 } },
		{ "LDAP", 0, 5000, 5001, 4, { 5001, 6001, 6002, 10 } },
		{ "5000", 0, 5000, 5001, 4, { 5001, 6001, 6002, 10 } },
		{ "ldap:ldapgroup", 0, 5000, 6001, 1, { 6001 } },
		{ "ldap:unknown", -ENOENT, 0, 0, 0, { 0 } },
		{ "alpine", 0, 5002, 10, 1, { 10 } },
		{ "stuffed", 0, 5006, 10, 1, { 10 } },
		{ "toomany", -E2BIG, 0, 0, 0, { 0 } },
		{ "failing", -ENOENT, 0, 0, 0, { 0 } },
		{ "liar", -ENOENT, 0, 0, 0, { 0 } },
		{ "silent", -ENOENT, 0, 0, 0, { 0 } },
		{ "5004", 0, 5004, 0, 1, { 0 } },
		{ "unknown", -ENOENT, 0, 0, 0, { 0 } },
		{ "-s", -ENOENT, 0, 0, 0, { 0 } },
		{ "a b", -ENOENT, 0, 0, 0, { 0 } },
	};
	static const struct row absent = { "ldap", -ENOENT, 0, 0, 0, { 0 } };
	int fds = count_fds();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(&db, &rows[i]);
	check(&gone, &absent);
	ok(count_fds() == fds, "no descriptor is left open");
	ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child is left");

	signal(SIGCHLD, SIG_IGN);
	check(&db, &rows[1]);
	signal(SIGCHLD, SIG_DFL);
	ok(true, "a host that ignores SIGCHLD gets the answer too");
}

/* What the machine itself says: root is 0 wherever there are users at all. */
static void test_default(void)
{
	static struct user_ids ids;
	char name[64] = "";

	ok(user_lookup("no-such-user-as-this", NULL, &ids) == -ENOENT, "default files: an unknown name");
	ok(user_lookup("7:8", NULL, &ids) == 0 && ids.uid == 7 && ids.gid == 8, "default files: numbers need none");
	if (access(USER_PASSWD, R_OK) < 0) {
		tap_skip("default files: root", "no " USER_PASSWD);
		return;
	}
	ok(user_lookup("root", NULL, &ids) == 0 && ids.uid == 0 && ids.gid == 0, "default files: root");
	ok(user_name(0, NULL, name, sizeof(name)) == 0 && strcmp(name, "root") == 0, "default files: the name of 0");
}

static void test_name(void)
{
	const struct user_db db = { passwd_path, group_path, getent_path };
	const struct user_db files = { .passwd = passwd_path };
	char name[8] = "before";

	ok(user_name(77777, &files, name, sizeof(name)) == -ENOENT && strcmp(name, "before") == 0, "name: unknown");
	ok(user_name(1000, &files, name, 3) == -ENAMETOOLONG && strcmp(name, "before") == 0, "name: no room");
	ok(user_name(1000, &files, name, 0) == -ENAMETOOLONG, "name: no room at all");
	ok(user_name(1000, &files, name, 4) == 0 && strcmp(name, "ann") == 0, "name: the first of an id, just fits");
	ok(user_name(UINT32_MAX, &files, name, sizeof(name)) == -ENOENT, "name: no id");
	ok(user_name(5000, &db, name, sizeof(name)) == 0 && strcmp(name, "ldap") == 0, "name: from getent");
	ok(user_name(5004, &db, name, sizeof(name)) == -ENOENT, "name: getent answers for somebody else");
}

static void test_subid(void)
{
	static const struct pidbox_idrange ann[] = {
		{ 0, 100000, 65536 },
		{ 0, 300000, 1000 },
		{ 0, 4294967294, 1 },
		{ 0, 500000, 7 },
	};
	struct pidbox_idrange got[8];
	size_t n = 99;

	ok(subid_read(none_path, 1000, "ann", got, 8, &n) == -ENOENT && n == 99, "subids: no file");
	ok(subid_read(subid_path, 1000, "ann", got, 8, &n) == 0 && n == 4 && memcmp(got, ann, sizeof(ann)) == 0,
	   "subids: by name and id, %zu", n);
	ok(subid_read(subid_path, 1, "ann", got, 8, &n) == 0 && n == 3, "subids: by name");
	ok(subid_read(subid_path, 1000, NULL, got, 8, &n) == 0 && n == 1 && got[0].outside == 300000, "subids: by id");
	ok(subid_read(subid_path, 1, "nobody", got, 8, &n) == 0 && n == 0, "subids: none");
	ok(subid_read(subid_path, 5, "", got, 8, &n) == 0 && n == 0, "subids: an empty name is nobody's");
	ok(subid_read(subid_path, 1000, "ann", got, 2, &n) == 0 && n == 2 && memcmp(got, ann, 2 * sizeof(*ann)) == 0,
	   "subids: the first ones when there is no room");
	ok(subid_read(subid_path, 1000, "ann", NULL, 0, &n) == 0 && n == 0, "subids: no room at all");
}

int main(void)
{
	char dir[] = "/tmp/test-user.XXXXXX";

	if (!mkdtemp(dir))
		return tap_skip_all("no directory for recorded files");
	snprintf(passwd_path, sizeof(passwd_path), "%s/passwd", dir);
	snprintf(group_path, sizeof(group_path), "%s/group", dir);
	snprintf(subid_path, sizeof(subid_path), "%s/subuid", dir);
	snprintf(getent_path, sizeof(getent_path), "%s/getent", dir);
	snprintf(none_path, sizeof(none_path), "%s/none", dir);
	write_file(passwd_path, passwd_text, sizeof(passwd_text) - 1, 0600);
	write_file(group_path, group_text, sizeof(group_text) - 1, 0600);
	write_file(subid_path, subid_text, sizeof(subid_text) - 1, 0600);
	write_file(getent_path, getent_text, sizeof(getent_text) - 1, 0700);
	test_lookup();
	test_files();
	test_many_groups();
	test_getent();
	test_default();
	test_name();
	test_subid();
	remove(passwd_path);
	remove(group_path);
	remove(subid_path);
	remove(getent_path);
	remove(dir);
	return tap_end();
}
