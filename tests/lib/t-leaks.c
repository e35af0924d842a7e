/* SPDX-License-Identifier: MIT */
/* A host that spawns for ever: descriptors, processes, memory and mappings stay what they are. */
#include "lib.h"

#include <malloc.h>

static size_t mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t n = 0;
	int c;

	while (maps != NULL && (c = getc(maps)) != EOF)
		n += c == '\n';
	if (maps != NULL)
		fclose(maps);
	return n;
}

static void one_of_each(int i)
{
	const char *truth[] = { "/bin/true", NULL }, *missing[] = { "/no/such/command", NULL };
	const char *sleeper[] = { "/bin/sleep", "1000", NULL };
	const char *options[] = { "--hostname", "leaky", "--timeout", "5s", "--", "true", NULL };
	struct pidbox_spec plain = SPEC(.argv = truth), fails = SPEC(.argv = missing), runs = SPEC(.argv = sleeper);
	struct pidbox_spec leaky = SPEC(.argv = (const char *[]){ "/bin/sh", "-c", "sleep 1000 & true", NULL },
					.account = true, .has_leak_grace = true, .name = "name");
	struct pidbox_spec wrong = SPEC(.argv = truth, .hostname = "");
	struct pidbox_options *opts = NULL;
	struct pidbox_plan *plan = NULL;
	struct pidbox *box = NULL;

	switch (i % 10) {
	case 0:
		pidbox_spawn(&fails, &box, NULL);
		break;
	case 1:
		box = start(&runs);
		pidbox_free(box);
		break;
	case 2:
		run(&leaky, NULL);
		break;
	case 3:
		pidbox_spawn(&wrong, &box, NULL);
		break;
	case 4:
		if (pidbox_options_parse(6, (char *const *)(uintptr_t)options, &opts, NULL) == 0)
			run(pidbox_options_spec(opts), NULL);
		pidbox_options_free(opts);
		break;
	case 5:
		if (pidbox_plan(&leaky, &plan, NULL) == 0)
			pidbox_plan_free(plan);
		break;
	default:
		run(&plain, NULL);
	}
}

int main(int argc, char **argv)
{
	struct mallinfo2 before, after;
	size_t maps_before, maps_after;
	int fds, children;
	long grown;

	/* The allocator counts what it keeps for later as used. */
	if (argc == 1 && setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1) == 0)
		execv("/proc/self/exe", (char *[]){ argv[0], (char[]){ "again" }, NULL });
	become_subreaper();
	for (int i = 0; i < 20; i++) /* what libc sets up once */
		one_of_each(i);
	fds = count_fds();
	maps_before = mappings();
	before = mallinfo2();
	for (int i = 0; i < 1000; i++)
		one_of_each(i);
	after = mallinfo2();
	maps_after = mappings();
	children = count_children();
	grown = (long)after.uordblks - (long)before.uordblks;
	ok(count_fds() == fds, "1000 spawns: %d descriptors, were %d", count_fds(), fds);
	ok(children == 0, "1000 spawns: %d children", children);
	ok(grown <= 0, "1000 spawns: %ld bytes of heap more", grown);
	ok(maps_after <= maps_before, "1000 spawns: %zu mappings, were %zu", maps_after, maps_before);
	return tap_end();
}
