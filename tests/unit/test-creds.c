/* SPDX-License-Identifier: MIT */
/* What /proc tells of a process's ids, capabilities and cgroups. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "kern/caps.h"
#include "kern/cgroup.h"
#include "kern/creds.h"
#include "kern/idmap.h"
#include "tap.h"

#define ALL_CAPS (CAP_BIT(41) - 1)

#define STATUS                                                                                                         \
	"Name:\tUid:\t7\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \nNSpid:\t9\t1\n"            \
	"CapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000004\nCapBnd:\t000001ffffffffff\n" \
	"CapAmb:\t0000000000000000\n"

static void test_creds(void)
{
	struct creds c = { 0 }, d;

	ok(creds_parse(STATUS "NoNewPrivs:\t1\n", &c) == 0 && c.uid == 2 && c.gid == 6 && c.n_groups == 2 &&
		   c.groups[0] == 10 && c.groups[1] == 20,
	   "effective ids, and groups");
	ok(c.inheritable == 1 && c.permitted == 2 && c.effective == 4 && c.bounding == ALL_CAPS && c.ambient == 0 &&
		   c.no_new_privs,
	   "capabilities");
	ok(creds_parse(STATUS, &d) == 0 && !d.no_new_privs, "an older kernel does not tell of no_new_privs");
	ok(creds_same_ids(&c, &d), "the same ids");
	d.groups[0] = 20;
	d.groups[1] = 10;
	ok(creds_same_ids(&c, &d), "the same groups in another order");
	d.n_groups = 1;
	ok(!creds_same_ids(&c, &d) && !creds_same_ids(&d, &c), "one group less");
	ok(creds_parse("", &d) == -EBADMSG, "an empty text");
	ok(creds_parse("Uid:\t1\nGid:\t1\t1\t1\t1\n", &d) == -EBADMSG, "a line that is cut");
	ok(creds_parse("Uid:\t1\t-2\t3\t4\n", &d) == -EBADMSG, "a negative id");
}

#define V1   "36 35 0:30 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
#define V1B  "37 35 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define V2   "38 35 0:32 / /sys/fs/cgroup/unified rw,relatime shared:10 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
#define PART "39 35 0:32 /user.slice /mnt/part rw - cgroup2 cgroup2 rw\n"

static void test_cgroups(void)
{
	static const struct {
		const char *name, *line, *mountinfo, *want;
	} rows[] = {
		{ "version 2", "0::/a/b\n", V1 V2, "/sys/fs/cgroup/unified/a/b" },
		{ "the root", "0::/\n", V2, "/sys/fs/cgroup/unified" },
		{ "version 1", "4:memory:/x\n", V2 V1, "/sys/fs/cgroup/memory/x" },
		{ "two controllers in another order", "4:cpuacct,cpu:/x\n", V1 V1B, "/sys/fs/cgroup/cpu,cpuacct/x" },
		{ "a hierarchy that is not mounted", "4:pids:/x\n", V1 V2, NULL },
		{ "part of a hierarchy", "0::/user.slice/u\n", PART, "/mnt/part/u" },
		{ "another part of it", "0::/user.slices/u\n", PART, NULL },
		{ "above the root of our cgroup namespace", "0::/../a\n", V2, NULL },
		{ "a name that begins with two dots", "0::/..a\n", V2, "/sys/fs/cgroup/unified/..a" },
		{ "a path with colons", "1:memory:/a:b\n", V1, "/sys/fs/cgroup/memory/a:b" },
		{ "a line that is cut", "0::/a\n", "38 35 0:32 / /sys/fs/cgroup/unified rw\n", NULL },
	};
	struct cgroup_line line, found;
	const char *text = "nonsense\n0:x\n0::/a\n3:memory:/b";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *rest = rows[i].line;
		char path[128] = "";
		int r = cgroup_next(&rest, &line) ? cgroup_directory(&line, rows[i].mountinfo, path, sizeof(path)) : -1;

		ok(rows[i].want == NULL ? r == -ENOENT : r == 0 && strcmp(path, rows[i].want) == 0, "%s: %d %s",
		   rows[i].name, r, path);
	}
	ok(cgroup_next(&text, &line) && line.path_len == 2 && cgroup_next(&text, &line) && line.path[1] == 'b' &&
		   !cgroup_next(&text, &found),
	   "lines that make no sense are passed over");
	ok(cgroup_find("0::/z\n9:memory:/y\n", &line, &found) && found.path[1] == 'y', "the same hierarchy");
	ok(!cgroup_find("0::/z\n", &line, &found), "no such hierarchy");
	ok(cgroup_directory(&line, V1, (char[8]){ 0 }, 8) == -ENAMETOOLONG, "no room");
}

static void test_maps(void)
{
	const char *map = "         0       1000          1\n         1     100000      65536\n";
	uint32_t id = 7;

	ok(idmap_inside(map, 1000, &id) == 0 && id == 0, "the first range");
	ok(idmap_inside(map, 100032, &id) == 0 && id == 33, "inside the second range");
	ok(idmap_inside(map, 165535, &id) == 0 && id == 65536, "its last id");
	ok(idmap_inside(map, 165536, &id) == -ENOENT && idmap_inside(map, 0, &id) == -ENOENT, "outside of both");
	ok(idmap_inside("", 0, &id) == -ENOENT && idmap_inside("junk\n", 0, &id) == -ENOENT, "no map");
	ok(idmap_inside("0 0 4294967295\n", 4294967294u, &id) == 0 && id == 4294967294u, "everything");
}

int main(void)
{
	test_creds();
	test_cgroups();
	test_maps();
	return tap_end();
}
