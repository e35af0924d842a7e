/* SPDX-License-Identifier: MIT */
/* What a spawn that fails tells, and that it leaves nothing. */
#include "lib.h"

#include <sys/stat.h>

static const char *const truth[] = { "/bin/true", NULL };
static const char *const no_command[] = { "no-such-command-anywhere", NULL };
static const char *const no_file[] = { "/no/such/file", NULL };
static const char *const empty_name[] = { "", NULL };
static const char *const directory[] = { "/", NULL };
static const char *const below_a_file[] = { "/dev/null/x", NULL };
static const char *const plain_file[] = { "./plain", NULL };
static const char *const no_interpreter[] = { "./no-interpreter", NULL };
static const char *const garbage[] = { "./garbage", NULL };
static const char *const no_command_argv0[] = { "no-such-command-anywhere", "x", NULL };
static const int closed_fd[] = { 900 }, closed_stdio[] = { 900, 1, 2 }, open_stdio[] = { 0, 1, 2 };

/* errnum 0: any. code -1: any. */
static const struct row {
	const char *words;
	struct pidbox_spec spec;
	int errnum, exit_status, code;
	const char *step;
} rows[] = {
	{ "not found in PATH", SPEC(.argv = no_command), ENOENT, 127, PIDBOX_CODE_NOT_FOUND, "exec" },
	{ "no such file", SPEC(.argv = no_file), ENOENT, 127, PIDBOX_CODE_NOT_FOUND, "exec" },
	{ "an empty name", SPEC(.argv = empty_name), ENOENT, 127, PIDBOX_CODE_NOT_FOUND, "exec" },
	{ "a path through a file", SPEC(.argv = below_a_file), 0, 127, -1, "exec" },
	{ "a directory", SPEC(.argv = directory), EACCES, 126, -1, "exec" },
	{ "a file that may not be executed", SPEC(.argv = plain_file), EACCES, 126, -1, "exec" },
	{ "a script without its interpreter", SPEC(.argv = no_interpreter), 0, 126, -1, "exec" },
	{ "a file of no known format", SPEC(.argv = garbage), ENOEXEC, 126, -1, "exec" },
	{ "a directory to change to that is missing", SPEC(.argv = truth, .chdir = "/no/such"), ENOENT, 125, -1,
	  "chdir" },
	{ "an unknown user", SPEC(.argv = truth, .user = "no-such-user"), 0, 125, PIDBOX_CODE_NOT_FOUND, NULL },
	{ "a descriptor to keep that is closed", SPEC(.argv = truth, .keep_fds = closed_fd, .n_keep_fds = 1), EBADF,
	  125, PIDBOX_CODE_USAGE, NULL },
	{ "a closed descriptor as stdin", SPEC(.argv = truth, .stdio = closed_stdio), EBADF, 125, -1, NULL },
	{ "a closed report", SPEC(.argv = truth, .report_fd = 900), EBADF, 125, -1, NULL },
	{ "net shared", SPEC(.argv = truth, .share = PIDBOX_NS_NET), 0, 125, PIDBOX_CODE_USAGE, NULL },
	{ "uts shared and new", SPEC(.argv = truth, .share = PIDBOX_NS_UTS, .unshare = PIDBOX_NS_UTS), 0, 125,
	  PIDBOX_CODE_USAGE, NULL },
	{ "an unknown kind of namespace", SPEC(.argv = truth, .unshare = 1u << 20), 0, 125, PIDBOX_CODE_USAGE, NULL },
	{ "a long host name",
	  SPEC(.argv = truth, .hostname = "0123456789012345678901234567890123456789012345678901234567890123456789"), 0,
	  125, PIDBOX_CODE_USAGE, NULL },
	{ "a negative duration", SPEC(.argv = truth, .timeout_us = -5), 0, 125, PIDBOX_CODE_USAGE, NULL },
	{ "a terminal and three descriptors", SPEC(.argv = truth, .tty = true, .stdio = open_stdio), 0, 125,
	  PIDBOX_CODE_USAGE, NULL },
	{ "stop signal 65", SPEC(.argv = truth, .stop_signal = 65), 0, 125, PIDBOX_CODE_USAGE, NULL },
	{ "as PID 1, on exit wait", SPEC(.argv = truth, .as_pid1 = true, .on_exit = PIDBOX_ON_EXIT_WAIT), 0, 125,
	  PIDBOX_CODE_USAGE, NULL },
	{ "an unknown on_exit", SPEC(.argv = truth, .on_exit = (enum pidbox_on_exit)99), 0, 125, PIDBOX_CODE_USAGE,
	  NULL },
	{ "an unknown proc", SPEC(.argv = truth, .proc = (enum pidbox_proc)99), 0, 125, PIDBOX_CODE_USAGE, NULL },
	{ "an unknown map", SPEC(.argv = truth, .map = (enum pidbox_map)99), 0, 125, PIDBOX_CODE_USAGE, NULL },
	{ "an unknown propagation", SPEC(.argv = truth, .propagation = (enum pidbox_propagation)9999), 0, 125,
	  PIDBOX_CODE_USAGE, NULL },
};

static void one_failure(void *arg)
{
	const struct row *row = arg;
	struct pidbox *sentinel = (void *)(uintptr_t)0xdead, *box = sentinel;
	struct pidbox_error err = { 0 };
	int fds = count_fds(), r = pidbox_spawn(&row->spec, &box, &err);

	if (!ok(r < 0, "%s: refused (%d)", row->words, r)) {
		pidbox_free(box);
		return;
	}
	ok(box == sentinel, "%s: *ret is untouched", row->words);
	ok((row->errnum == 0 || (r == -row->errnum && err.errnum == row->errnum)) &&
		   (err.errnum == 0 || r == -err.errnum),
	   "%s: %s, errnum %d", row->words, strerror(-r), err.errnum);
	ok(err.exit_status == row->exit_status, "%s: status %d", row->words, err.exit_status);
	ok(row->code < 0 || err.code == (enum pidbox_code)row->code, "%s: code \"%s\"", row->words,
	   pidbox_code_name(err.code));
	ok(row->step == NULL || strcmp(err.step, row->step) == 0, "%s: step \"%s\"", row->words, err.step);
	ok(err.what[0] != '\0' && err.what[strlen(err.what) - 1] != '\n', "%s: \"%s\"", row->words, err.what);
	box = sentinel;
	ok(pidbox_spawn(&row->spec, &box, NULL) == r && box == sentinel, "%s: the same without an error object",
	   row->words);
	nothing_left(fds, row->words);
}

static void failures(void)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		struct row row = rows[i];

		if (in_child(one_failure, &row) != 0)
			printf("# that was: %s\n", row.words);
	}
}

/* argv[0] is what the command is called; the words are about the file (execve(2)). */
static void another_argv0(void)
{
	const struct {
		const char *const *argv;
		const char *what;
	} tries[] = { { no_command_argv0, "no-such-command-anywhere" }, { plain_file, "./plain" } };

	for (size_t i = 0; i < LEN(tries); i++) {
		struct pidbox_spec spec = SPEC(.argv = tries[i].argv, .argv0 = "-login");
		struct pidbox_error err = { 0 };
		struct pidbox *box = NULL;

		ok(pidbox_spawn(&spec, &box, &err) < 0 && strstr(err.what, tries[i].what) != NULL &&
			   strstr(err.what, "-login") == NULL,
		   "an argv0 of its own: %s", err.what);
	}
}

/* ------------------------------------------------------------ the size of the spec */

struct newer_spec {
	struct pidbox_spec spec;
	uint64_t newer[4];
};

static void check_size(void *arg)
{
	const size_t *size = arg;
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;
	size_t whole = (sizeof(struct pidbox_spec) + 4095) / 4096 * 4096;
	/* What comes after the spec may not be mapped. */
	char *pages = mmap(NULL, whole + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pidbox_spec *spec = (void *)(pages + whole - sizeof(*spec));

	mprotect(pages + whole, 4096, PROT_NONE);
	*spec = (struct pidbox_spec){ .size = *size, .argv = truth };
	ok(pidbox_spawn(spec, &box, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE, "a spec of size %zx is refused",
	   *size);
	pidbox_free(box);
}

static void sizes(void)
{
	const size_t wrong[] = { 0, 1, sizeof(size_t), SIZE_MAX };
	struct newer_spec newer = { .spec = { .size = sizeof(newer), .argv = truth } };
	struct pidbox_spec *spec = &newer.spec;
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;

	for (size_t i = 0; i < LEN(wrong); i++) {
		size_t size = wrong[i];

		if (in_child(check_size, &size) != 0)
			printf("# that was: a spec of size %zx\n", size);
	}
	ok(pidbox_spawn(NULL, &box, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE, "no spec at all is refused");
	ok(run(spec, NULL) == 0, "a newer spec that asks for nothing new is taken");
	newer.newer[3] = 1;
	box = NULL;
	ok(pidbox_spawn(spec, &box, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE && box == NULL &&
		   strstr(err.why, PIDBOX_VERSION) != NULL && err.fix[0] != '\0',
	   "one that does is refused: %s", err.what);
	newer.newer[3] = 0;
	spec->reachable = 255;
	ok(pidbox_spawn(spec, &box, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE && box == NULL,
	   "so is one that uses a value which has no meaning yet");
	spec->reachable = PIDBOX_UNREACHABLE;
#ifdef __LP64__
	spec->size = 360;
	ok(run(spec, NULL) == 0, "a program that was compiled with the header of 0.1 is served for ever");
#endif
}

/* ------------------------------------------------------------ the words */

static void words(void)
{
	struct pidbox_spec spec = SPEC(.argv = no_command);
	struct pidbox_error *err = pidbox_error_new();
	struct pidbox *box = NULL;
	char text[4096], cut[12];
	size_t n;

	if (!ok(err != NULL, "an error object"))
		return;
	pidbox_spawn(&spec, &box, err);
	n = pidbox_error_format(err, text, sizeof(text));
	ok(n == strlen(text) && strncmp(text, "pidbox: ", 8) == 0 && strstr(text, " [NOT_FOUND]\n") != NULL &&
		   text[n - 1] == '\n',
	   "the contract's shape: %s", text);
	ok(pidbox_error_format(err, cut, sizeof(cut)) == n && strlen(cut) <= sizeof(cut) - 1 &&
		   strncmp(cut, text, sizeof(cut) - 1) == 0,
	   "cut: \"%s\"", cut);
	ok(pidbox_error_format(err, NULL, 0) == n, "without a buffer: the length");
	err->what[0] = '\033';
	pidbox_error_format(err, text, sizeof(text));
	ok(strchr(text, '\033') == NULL, "no bytes for a terminal");
	pidbox_error_free(err);
	pidbox_error_free(NULL);
	for (int c = 1; c < PIDBOX_CODE_MAX_; c++)
		if (pidbox_code_name((enum pidbox_code)c)[0] == '\0')
			ok(false, "code %d has a name", c);
	ok(pidbox_code_name(PIDBOX_CODE_NONE)[0] == '\0', "no code, no name");
	ok(strcmp(pidbox_version(), PIDBOX_VERSION) == 0, "version %s", pidbox_version());
	ok(strstr(pidbox_init_path(), "pidbox-init") != NULL, "init %s", pidbox_init_path());
	for (int sig = 1; sig <= 64; sig++) {
		char name[16];

		pidbox_signal_name(sig, name);
		if (strncmp(name, "SIG", 3) != 0)
			ok(false, "signal %d: %s", sig, name);
	}
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		ok(false, "%s is written", name);
	close(fd);
}

int main(void)
{
	int fds;

	become_subreaper();
	put("plain", "#!/bin/sh\n", 0644);
	put("no-interpreter", "#!/no/such/interpreter\n", 0755);
	put("garbage",
	    "\x7f"
	    "ELFnot really\n",
	    0755);
	fds = count_fds();
	sizes();
	words();
	failures();
	another_argv0();
	nothing_left(fds, "all failures");
	return tap_end();
}
