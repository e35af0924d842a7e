/* SPDX-License-Identifier: MIT */
/* A host that is not dumpable: its child's files in /proc belong to root, so that the front has to map the ids. */
#include "lib.h"

static void maps(enum pidbox_map map, const char *expected, const char *words)
{
	const char *argv[] = { "/bin/sh", "-c", "echo $(id -u):$(id -g); cat /proc/self/setgroups", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .map = map);
	char text[256], whole[300];
	int status = run_output(&spec, text, sizeof(text));

	snprintf(whole, sizeof(whole), "%s\n", expected);
	ok(status == 0 && strncmp(text, whole, strlen(whole)) == 0, "%s: status %d, ids %s, expected %s", words, status,
	   text, expected);
	if (getuid() != 0)
		ok(strstr(text, "deny") != NULL, "%s: setgroups is denied", words);
}

int main(void)
{
	const char *missing[] = { "/no/such/command", NULL };
	struct pidbox_spec fails = SPEC(.argv = missing), held = SPEC(.argv = missing, .hold = true);
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;
	char own[64];
	int fds;

	become_subreaper();
	fds = count_fds();
	snprintf(own, sizeof(own), "%u:%u", getuid(), getgid());
	for (int dumpable = 1; dumpable >= 0; dumpable--) {
		const char *words = dumpable ? "dumpable" : "not dumpable";

		prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
		maps(PIDBOX_MAP_DEFAULT, own, words);
		maps(PIDBOX_MAP_ME, own, words);
		maps(PIDBOX_MAP_ROOT, "0:0", words);
		ok(prctl(PR_GET_DUMPABLE) == dumpable, "the host is still %s", words);
		ok(pidbox_spawn(&fails, &box, &err) == -ENOENT && err.exit_status == PIDBOX_EXIT_NOT_FOUND,
		   "%s: a failure has its words: %s", words, err.what);
		box = start(&held);
		if (box != NULL)
			ok(pidbox_release(box, &err) == -ENOENT, "%s: so with a hold", words);
		pidbox_free(box);
		box = NULL;
	}
	/* Nobody can count the descriptors of a process that is not dumpable but root. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	nothing_left(fds, "all boxes");
	return tap_end();
}
