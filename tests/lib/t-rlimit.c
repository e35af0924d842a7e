/* SPDX-License-Identifier: MIT */
/* Too few descriptors: at every limit a clean error or a box that works; nothing left, no wait without end. */
#include "lib.h"

#include <sys/resource.h>

enum { FIRST = 3, LAST = 40 };

struct variant {
	const char *words;
	bool tty, as_pid1, hold, close_stdio, map, stdio;
};

static void limits(void *arg)
{
	const struct variant *v = arg;
	const char *argv[] = { "/bin/sh", "-c", "exit 4", NULL };
	const int crossed[] = { 1, 0, 2 };
	struct pidbox_spec spec =
		SPEC(.argv = argv, .tty = v->tty, .as_pid1 = v->as_pid1, .hold = v->hold,
		     .map = v->map ? PIDBOX_MAP_ME : PIDBOX_MAP_DEFAULT, .stdio = v->stdio ? crossed : NULL);
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 100), fds, works_from = 0, bad = 0, failed = 0;
	char notes[4096] = "";

	for (int fd = 0; fd < 3 && v->close_stdio; fd++)
		close(fd);
	fds = count_fds();
	for (int n = FIRST; n <= LAST; n++) {
		struct rlimit limit, tight;
		struct pidbox *sentinel = (void *)(uintptr_t)0xdead, *box = sentinel;
		struct pidbox_error err = { 0 };
		struct pidbox_result res = { 0 };
		const char *problem = NULL;
		int r, w = 0, fd = -1;

		getrlimit(RLIMIT_NOFILE, &limit);
		tight = limit;
		tight.rlim_cur = (rlim_t)n;
		setrlimit(RLIMIT_NOFILE, &tight);
		alarm(20); /* a wait without end is the worst answer */
		r = pidbox_spawn(&spec, &box, &err);
		if (r == 0 && v->hold)
			r = pidbox_release(box, &err);
		if (r == 0) {
			fd = pidbox_pidfd(box);
			w = pidbox_wait(box, 5000 * MS, &res);
		}
		setrlimit(RLIMIT_NOFILE, &limit);
		if (box != sentinel)
			pidbox_free(box);
		alarm(0);
		if (r < 0 && box != sentinel && !v->hold)
			problem = "failed, but *ret was set";
		else if (r < 0 && (err.what[0] == '\0' || err.errnum == 0))
			problem = "failed without words";
		else if (r < 0 && r != -EMFILE)
			problem = "failed with another error than EMFILE";
		else if (r == 0 && (fd < 3 || w != 0))
			problem = "a box without a pidfd, or without an end";
		else if (r == 0 && n > 8 && res.exit_code != 4) /* the shell needs a few itself */
			problem = "the wrong result";
		if (count_fds() != fds)
			problem = "descriptors are left";
		if (count_children() != 0) {
			problem = "a process is left";
			all_gone_within(1000);
		}
		failed += r < 0;
		works_from = r < 0 ? n + 1 : works_from;
		if (problem != NULL && bad++ < 12)
			snprintf(notes + strlen(notes), sizeof(notes) - strlen(notes),
				 "# limit %d: %s (spawn %d, wait %d, code %d; %.100s)\n", n, problem, r, w,
				 res.exit_code, err.what);
	}
	if (v->close_stdio)
		dup2(saved, 0), dup2(saved, 1), dup2(saved, 2);
	ok(bad == 0, "%s: limits %d to %d: %d without a clean answer; boxes from %d on", v->words, FIRST, LAST, bad,
	   works_from);
	printf("%s", notes);
	ok(failed > 0 && works_from < 30, "%s: some fail (%d), and most work", v->words, failed);
	close(saved);
}

int main(void)
{
	static const struct variant variants[] = {
		{ "a plain box", .tty = false },
		{ "with 0, 1, 2 closed", .close_stdio = true },
		{ "with a terminal of its own", .tty = true },
		{ "a terminal, with 0, 1, 2 closed", .tty = true, .close_stdio = true },
		{ "the command is PID 1", .as_pid1 = true },
		{ "held", .hold = true },
		{ "ids mapped", .map = true },
		{ "ids mapped, with 0, 1, 2 closed", .map = true, .close_stdio = true },
		{ "crossed stdio", .stdio = true },
	};

	for (size_t i = 0; i < LEN(variants); i++) {
		struct variant v = variants[i];

		if (in_child(limits, &v) != 0)
			printf("# that was: %s\n", v.words);
	}
	return tap_end();
}
