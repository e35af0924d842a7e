/* SPDX-License-Identifier: MIT */
/* Which descriptors the command finds open. */
#include "lib.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { REPORT = 700 }; /* where the command tells what it found */

/* All open descriptors below 2000, but the one it tells them on; each with what it is. */
static int role_list(int argc, char **argv)
{
	int report = argc > 2 ? atoi(argv[2]) : 1;

	for (int fd = 0; fd < 2000; fd++) {
		struct stat st;
		const char *kind;

		if (fd == report || fcntl(fd, F_GETFD) < 0 || fstat(fd, &st) < 0)
			continue;
		kind = S_ISFIFO(st.st_mode) ? "p" : S_ISSOCK(st.st_mode) ? "s" : S_ISREG(st.st_mode) ? "f" : "";
		dprintf(report, "%d%s ", fd, kind);
	}
	return 0;
}

/* Run the lister with this spec. @return its status, text: what it saw */
static int list(struct pidbox_spec *spec, char *text, size_t size)
{
	const char *argv[] = { self_path(), "list", "700", NULL };
	int report[2], keep[9] = { REPORT }, r;
	struct pidbox_result res;
	struct pidbox *box = NULL;
	struct pidbox_error err = { 0 };

	text[0] = '\0';
	if (pipe2(report, O_CLOEXEC) < 0 || dup3(report[1], REPORT, O_CLOEXEC) < 0)
		return -1;
	close(report[1]);
	for (size_t i = 0; i < spec->n_keep_fds && i < 8; i++)
		keep[i + 1] = spec->keep_fds[i];
	spec->argv = argv;
	spec->keep_fds = keep;
	spec->n_keep_fds++;
	r = pidbox_spawn(spec, &box, &err);
	close(REPORT);
	if (r == 0) {
		read_all(report[0], text, size);
		r = pidbox_wait(box, PIDBOX_DEFAULT, &res);
		if (r == 0)
			r = pidbox_exit_status(box, &res);
	}
	pidbox_free(box);
	close(report[0]);
	return r;
}

/* ------------------------------------------------------------ closed 0, 1, 2 */

static void closed_stdio(void *arg)
{
	int which = *(int *)arg, saved = fcntl(1, F_DUPFD_CLOEXEC, 900), report[2], fds, tty_status, r;
	const char *argv[] = { self_path(), "list", "700", NULL }, *truth[] = { "/bin/true", NULL };
	const int keep[] = { REPORT };
	struct pidbox_spec spec = SPEC(.argv = argv, .keep_fds = keep, .n_keep_fds = 1),
			   tty = SPEC(.argv = truth, .tty = true);
	char text[4096] = "", expected[64] = "";
	struct pidbox_result res = { 0 };
	struct pidbox *box = NULL;

	if (pipe2(report, O_CLOEXEC) < 0 || dup3(report[1], REPORT, O_CLOEXEC) < 0)
		return;
	close(report[1]);
	for (int fd = 0; fd < 3; fd++) {
		if (which & 1 << fd)
			close(fd);
		else
			sprintf(expected + strlen(expected), "%d ", fd);
	}
	fds = count_fds();
	r = pidbox_spawn(&spec, &box, NULL);
	if (r == 0) {
		for (int fd = 0; fd < 3; fd++)
			if (which & 1 << fd && fcntl(fd, F_GETFD) >= 0)
				r = -1000 - fd; /* somebody will print to it */
		r += pidbox_wait(box, PIDBOX_DEFAULT, &res);
	}
	pidbox_free(box);
	tty_status = run(&tty, NULL);
	fds = count_fds() - fds;
	close(REPORT);
	read_all(report[0], text, sizeof(text));
	dup2(saved, 1);
	for (char *p = text; *p != '\0'; p++) /* what kind they are is the runner's business */
		if (*p == 'p' || *p == 's' || *p == 'f')
			memmove(p, p + 1, strlen(p)), p--;
	ok(r == 0 && res.exit_code == 0 && strcmp(text, expected) == 0,
	   "closed %s%s%s: %d, open inside: \"%s\", expected \"%s\"", which & 1 ? "0 " : "", which & 2 ? "1 " : "",
	   which & 4 ? "2 " : "", r, text, expected);
	ok(tty_status == 0, "with a terminal of its own: status %d", tty_status);
	ok(fds == 0, "descriptors: %d more", fds);
}

/* ------------------------------------------------------------ above 2 */

static void many(bool inherit)
{
	static int fds[1000];
	struct pidbox_spec spec = SPEC(.inherit_fds = inherit);
	char text[16384], *p;
	int r, n = 0;

	for (size_t i = 0; i < LEN(fds); i++)
		fds[i] = open("/dev/null", O_RDONLY); /* not CLOEXEC */
	r = list(&spec, text, sizeof(text));
	for (p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
		n++;
	if (inherit)
		ok(r == 0 && n >= 1000 - 1 + 3, "1000 open descriptors, inherited: %d inside", n);
	else
		ok(r == 0 && n == 3, "1000 open descriptors: %d inside", n);
	for (size_t i = 0; i < LEN(fds); i++)
		if (fds[i] > 2)
			close(fds[i]);
}

static void kept(void)
{
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = fcntl(a, F_DUPFD_CLOEXEC, 200), c = fcntl(a, F_DUPFD, 300);
	int keep[] = { b, a, 0 };
	struct pidbox_spec spec = SPEC(.keep_fds = keep, .n_keep_fds = LEN(keep));
	char text[4096], seen[4096], expected[64];
	int r = list(&spec, text, sizeof(text));

	snprintf(expected, sizeof(expected), " %d %d ", a, b);
	snprintf(seen, sizeof(seen), "%s", strstr(text, expected) != NULL ? strstr(text, expected) : text);
	ok(r == 0 && strcmp(seen, expected) == 0, "kept: CLOEXEC %d and %d, not %d: \"%s\"", a, b, c, seen);
	ok(fcntl(a, F_GETFD) == FD_CLOEXEC && fcntl(b, F_GETFD) == FD_CLOEXEC && fcntl(c, F_GETFD) == 0,
	   "here they are as they were");
	close(a), close(b), close(c);
}

/* A closed number is refused; none of the library's own descriptors may be taken for it. */
static void kept_closed(void)
{
	int refused = 0, inside = 0, tried = 0;

	for (int fd = 3; fd < 24; fd++) {
		const char *argv[] = { "/bin/true", NULL };
		struct pidbox_spec spec = SPEC(.argv = argv, .keep_fds = &fd, .n_keep_fds = 1);
		struct pidbox_error err = { 0 };
		struct pidbox *box = NULL;
		struct pidbox_result res;
		int r;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		tried++;
		r = pidbox_spawn(&spec, &box, &err);
		refused += r == -EBADF;
		if (r == 0) {
			inside++;
			pidbox_wait(box, PIDBOX_DEFAULT, &res);
		}
		pidbox_free(box);
	}
	ok(refused == tried, "keep_fds names a closed descriptor: %d of %d refused, %d boxes started", refused, tried,
	   inside);
	for (int fd = 3, found = 0; fd < 24 && !found; fd++) {
		const int stdio[] = { fd, 1, 2 };
		const char *argv[] = { "/bin/sh", "-c", "test ! -S /proc/self/fd/0", NULL };
		struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio);
		struct pidbox_error err = { 0 };
		struct pidbox *box = NULL;
		int r;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		r = pidbox_spawn(&spec, &box, &err);
		pidbox_free(box);
		if (r != -EBADF || fd == 23) {
			found = 1;
			ok(r == -EBADF, "stdio names a closed descriptor (%d): %d", fd, r);
		}
	}
}

/* ------------------------------------------------------------ stdio */

static void pipes(void)
{
	const char *argv[] = { "/bin/sh", "-c", "cat; echo err >&2", NULL };
	int in[2], out[2], err[2], stdio[3];
	struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio);
	struct pidbox_result res = { 0 };
	struct pidbox *box;
	char text[64];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return;
	stdio[0] = in[0], stdio[1] = out[1], stdio[2] = err[1];
	box = start(&spec);
	close(in[0]), close(out[1]), close(err[1]);
	ok(box != NULL && write(in[1], "hello", 5) == 5, "written to its stdin");
	close(in[1]);
	read_all(out[0], text, sizeof(text));
	ok(strcmp(text, "hello") == 0, "comes out of its stdout: %s", text);
	read_all(err[0], text, sizeof(text));
	ok(strcmp(text, "err\n") == 0, "and its stderr: %s", text);
	close(out[0]), close(err[0]);
	if (box != NULL)
		ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == 0, "and it ends");
	pidbox_free(box);
}

/* Three pipes as 0, 1, 2 of the host, given in every order; the command writes each number's name to it. */
static void crossed(void *arg)
{
	const int *order = arg;
	const char *argv[] = { "/bin/sh", "-c", "echo 0 >&0; echo 1 >&1; echo 2 >&2", NULL };
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 900), ends[3];
	struct pidbox_spec spec = SPEC(.argv = argv, .stdio = order);
	char all[256] = "", expected[256] = "";
	int status;

	for (int i = 0; i < 3; i++) {
		int pair[2];

		if (pipe2(pair, O_CLOEXEC) < 0)
			return;
		ends[i] = fcntl(pair[0], F_DUPFD_CLOEXEC, 950);
		dup2(pair[1], 500 + i);
		close(pair[0]), close(pair[1]);
	}
	for (int i = 0; i < 3; i++)
		dup2(500 + i, i), close(500 + i);
	status = run(&spec, NULL);
	dup2(saved, 0), dup2(saved, 1), dup2(saved, 2);
	for (int i = 0; i < 3; i++) {
		char text[64];

		read_all(ends[i], text, sizeof(text));
		for (char *p = text; *p != '\0'; p++)
			*p = *p == '\n' ? ' ' : *p;
		sprintf(all + strlen(all), "%d:%s ", i, text);
		sprintf(expected + strlen(expected), "%d:", i);
		for (int k = 0; k < 3; k++)
			if (order[k] == i)
				sprintf(expected + strlen(expected), "%d ", k);
		strcat(expected, " ");
	}
	ok(status == 0 && strcmp(all, expected) == 0, "stdio {%d,%d,%d}: status %d, %s", order[0], order[1], order[2],
	   status, all);
}

static void none_open(void)
{
	const int stdio[] = { -1, -1, -1 };
	struct pidbox_spec spec = SPEC(.stdio = stdio);
	char text[4096];
	int r = list(&spec, text, sizeof(text));

	ok(r == 0 && text[0] == '\0', "stdio {-1,-1,-1}: status %d, open: \"%s\"", r, text);
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "list", role_list } };
	static int orders[][3] = { { 0, 1, 2 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
				   { 0, 0, 0 }, { 2, 2, 2 }, { 1, 1, 0 }, { 0, 2, 1 } };
	struct rlimit limit;
	int r = play_role(roles, LEN(roles), argc, argv), fds;

	if (r >= 0)
		return r;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 2048) {
		limit.rlim_cur = limit.rlim_max < 2048 ? limit.rlim_max : 2048;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	become_subreaper();
	fds = count_fds();
	for (int which = 0; which < 8; which++)
		in_child(closed_stdio, &which);
	many(false);
	many(true);
	kept();
	kept_closed();
	pipes();
	for (size_t i = 0; i < LEN(orders); i++)
		in_child(crossed, orders[i]);
	none_open();
	nothing_left(fds, "all boxes");
	return tap_end();
}
