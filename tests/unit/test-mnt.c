/* SPDX-License-Identifier: MIT */
/* What covers /proc, from the text of mountinfo (proc(5)). */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/util.h"
#include "kern/mnt.h"
#include "tap.h"

#define LINE(point) "36 35 98:0 / " point " rw,noatime master:1 - tmpfs tmpfs rw\n"
#define ROOT        LINE("/")
#define PROC        "23 36 0:21 / /proc rw,nosuid,nodev,noexec shared:5 - proc proc rw\n"

static const struct {
	const char *name, *text;
	size_t n;
	const char *named;
} rows[] = {
	{ "an empty file", "", 0, "" },
	{ "a plain machine", ROOT PROC LINE("/sys") LINE("/home"), 0, "" },
	{ "docker", ROOT PROC LINE("/proc/kcore") LINE("/proc/sys") LINE("/proc/sysrq-trigger"), 3,
	  "/proc/kcore, /proc/sys, /proc/sysrq-trigger" },
	{ "six", LINE("/proc/1") LINE("/proc/2") LINE("/proc/3") LINE("/proc/4") LINE("/proc/5") LINE("/proc/6"), 6,
	  "/proc/1, /proc/2, /proc/3, /proc/4, /proc/5, /proc/6" },
	{ "eight",
	  LINE("/proc/1") LINE("/proc/2") LINE("/proc/3") LINE("/proc/4") LINE("/proc/5") LINE("/proc/6")
		  LINE("/proc/7") LINE("/proc/8"),
	  8, "/proc/1, /proc/2, /proc/3, /proc/4, /proc/5, /proc/6 and 2 more" },
	{ "another proc", LINE("/process") LINE("/mnt/proc/sys") LINE("/proc2/x") LINE("/procs"), 0, "" },
	{ "a subtree of another file system", "36 35 98:0 /proc/sys /mnt rw - tmpfs tmpfs rw\n", 0, "" },
	{ "the source is not the mount point", "36 35 98:0 / /mnt rw - tmpfs /proc/x rw\n", 0, "" },
	{ "a name with a blank, as mountinfo writes it", LINE("/proc/a\\040b"), 1, "/proc/a\\040b" },
	{ "no newline at the end", ROOT "36 35 98:0 / /proc/kcore", 1, "/proc/kcore" },
	{ "a line that is cut", ROOT "36 35 98:0", 0, "" },
	{ "an empty line among others", "\n" LINE("/proc/kcore"), 1, "/proc/kcore" },
};

static bool is(const char *p, size_t len, const char *text)
{
	return strlen(text) == len && strncmp(p, text, len) == 0;
}

static void test_lines(void)
{
	const char *text = "23 36 0:21 / /proc rw,nosuid shared:5 master:1 - proc proc rw\n"
			   "a line that is none\n\n"
			   "36 35 98:0 /a\\040b /mnt/x\\134y rw,noatime - ext4 /dev/sda rw\n"
			   "40 35 0:4 pid:[4026532567] /run/ns\\011 rw - nsfs nsfs rw\n"
			   "41 35 0:4 / /cut rw - nsf";
	struct mnt_line line;
	char path[16], small[5];

	ok(mnt_next(&text, &line) && line.dev == makedev(0, 21) && is(line.root, line.root_len, "/") &&
		   is(line.point, line.point_len, "/proc") && is(line.type, line.type_len, "proc"),
	   "proc");
	ok(mnt_next(&text, &line) && line.dev == makedev(98, 0) && is(line.type, line.type_len, "ext4"), "ext4");
	ok(mnt_unescape(line.point, line.point_len, path, sizeof(path)) && strcmp(path, "/mnt/x\\y") == 0,
	   "a backslash");
	ok(mnt_unescape(line.root, line.root_len, small, sizeof(small)) && strcmp(small, "/a b") == 0, "it just fits");
	ok(!mnt_unescape(line.point, line.point_len, small, sizeof(small)), "it does not fit");
	ok(mnt_next(&text, &line) && is(line.root, line.root_len, "pid:[4026532567]") &&
		   is(line.type, line.type_len, "nsfs"),
	   "nsfs");
	ok(!mnt_next(&text, &line) && *text == '\0', "a line that is cut is none");
	ok(!mnt_next(&text, &line), "and then there is none");
}

int main(void)
{
	char buf[512], small[8];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memset(buf, 'x', sizeof(buf));
		n = mnt_proc_masks(rows[i].text, buf, sizeof(buf));
		ok(n == rows[i].n && strcmp(buf, rows[i].named) == 0, "%s: %zu, \"%s\" (expected %zu, \"%s\")",
		   rows[i].name, n, buf, rows[i].n, rows[i].named);
	}
	n = mnt_proc_masks(rows[2].text, small, sizeof(small));
	ok(n == 3 && strcmp(small, "/proc/k") == 0, "a small buffer is cut: %s", small);
	test_lines();
	return tap_end();
}
