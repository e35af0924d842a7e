/* SPDX-License-Identifier: MIT */
/*
 * What `pidbox run -- true` costs beside others that start a command in a PID namespace of its own:
 * launch PIDBOX FLOOR [ROUNDS]. Round by round each one in turn. Row "launch", microseconds.
 *
 * Nobody is asked for more than a box has: the same namespaces, a fresh /proc, the caller's files. firejail has no
 * way to do that little, crun and runc need a root of their own: it has the command and nothing else. They are told
 * to make no cgroup where that can be told.
 */
#include "ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { OURS = 1 };

static struct way ways[] = {
	{ .name = "floor", .words = "%F %T", WAY_BOTH },
	[OURS] = { .name = "pidbox run", .words = "%P run -- %T", WAY_BOTH },
	{ .name = "floor -1", .words = "%F -1 %T", WAY_BOTH },
	{ .name = "pidbox run --as-pid1", .words = "%P run --as-pid1 -- %T", WAY_BOTH },
	{ .name = "floor -c -u", .words = "%F -c -u %T", WAY_BOTH },
	{ .name = "pidbox run --unshare=cgroup,user", .words = "%P run --unshare=cgroup,user -- %T", WAY_BOTH },
	{ .name = "unshare", .words = WAY_UNSHARE " %T", .as_root = true },
	{ .name = "unshare", .words = WAY_UNSHARE_USER " %T", .as_user = true },
	{ .name = "unshare + tini-static",
	  .words = WAY_UNSHARE " tini-static -- %T",
	  .as_root = true,
	  .also = "tini-static" },
	{ .name = "unshare + tini-static",
	  .words = WAY_UNSHARE_USER " tini-static -- %T",
	  .as_user = true,
	  .also = "tini-static" },
	{ .name = "bwrap", .words = WAY_BWRAP " %T", WAY_BOTH },
	{ .name = "the command alone", .words = "%T", WAY_BOTH },
	/* The kernel takes network namespaces down when their processes have ended: who is next pays a part of that. */
	{ .name = "floor -n", .words = "%F -n %T", WAY_BOTH },
	{ .name = "pidbox run --unshare=net", .words = "%P run --unshare=net -- %T", WAY_BOTH },
	{ .name = "firejail", .words = "firejail --quiet --noprofile --ipc-namespace -- %T", WAY_BOTH },
	{ .name = "crun", .words = "crun --root %D --cgroup-manager=disabled run -b %B pidbox-bench", WAY_BOTH },
	{ .name = "runc", .words = "runc --root %D run -b %B pidbox-bench", WAY_BOTH },
};

int main(int argc, char *argv[])
{
	int count = argc > 3 ? atoi(argv[3]) : 300;
	struct way_programs programs;

	if (argc < 3 || count < 1) {
		(void)fprintf(stderr, "usage: launch PIDBOX FLOOR [ROUNDS]\n");
		return 2;
	}
	programs = way_programs(argv[1], argv[2]);
	ways_prepare(ways, LEN(ways), &programs);
	ways_time(ways, LEN(ways), count);
	ways_tell(row_of("launch"), 0, "us", ways, LEN(ways));
	return ways[OURS].missing == NULL ? 0 : 1;
}
