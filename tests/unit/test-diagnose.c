/* SPDX-License-Identifier: MIT */
/*
 * Every errno that a step can end with has its own sentence. The lists are those of the manual pages of each step's
 * calls, and what the kernel's source adds; nothing here needs a right or a kernel feature.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "core/box.h"
#include "tap.h"

enum { UNUSED_FD = 913 };

static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
static const char *const echo[] = { "echo", "hi", NULL };
static const char *const file[] = { "/usr/bin/env", NULL };
static const struct plan_facts root = { .dumpable = true, .caps = ~UINT64_C(0), .environ = env };
static const struct plan_facts ann = { .dumpable = true, .euid = 1000, .egid = 1001, .environ = env };
static struct user_ids five = { .uid = 5, .gid = 5, .groups = { 5 }, .n_groups = 1 };
static const struct plan_facts ann_subids = {
	.dumpable = true,
	.euid = 1000,
	.egid = 1001,
	.environ = env,
	.subuids = { { { 0, 100000, 65536 } }, 1 },
	.subgids = { { { 0, 200000, 65536 } }, 1 },
	.user = &five,
};

#define SPEC(...)                                                               \
	{                                                                       \
		.size = sizeof(struct pidbox_spec), .argv = echo, ##__VA_ARGS__ \
	}
static const struct pidbox_spec everything = SPEC(.unshare = PIDBOX_NS_ALL, .hostname = "inside", .pid_max = 400,
						  .first_pid = 100, .hold = true, .tty = true, .chdir = "/usr");
static const struct pidbox_spec helped = SPEC(.map = PIDBOX_MAP_AUTO, .user = "5", .chdir = "/usr");
static const struct pidbox_spec front_maps =
	SPEC(.map = PIDBOX_MAP_ROOT, .propagation = PIDBOX_PROPAGATION_SHARED, .proc = PIDBOX_PROC_FRESH);
static const struct pidbox_spec hidden = SPEC(.proc = PIDBOX_PROC_NONE);
static const struct pidbox_spec idle = { .size = sizeof(struct pidbox_spec), .idle = true };
static const struct pidbox_spec pid1 = SPEC(.as_pid1 = true, .front_forwards = true);

static const struct {
	const struct pidbox_spec *spec;
	const struct plan_facts *facts;
} worlds[] = {
	{ &everything, &ann }, { &helped, &ann_subids }, { &front_maps, &root },
	{ &hidden, &root },    { &pid1, &root },         { &idle, &ann },
};

static struct pidbox_plan *make(const struct pidbox_spec *spec, const struct plan_facts *facts)
{
	struct pidbox_plan *plan = NULL;
	struct pidbox_error err = { 0 };

	if (plan_make(spec, facts, &plan, &err) < 0) {
		(void)ok(false, "a plan is refused: %s", err.what);
		exit(tap_end());
	}
	plan_put_words(plan);
	return plan;
}

/* ------------------------------------------------------------ every step, every errno */

#define ALWAYS EPERM, EACCES, ENOSYS, ENOMEM /* seccomp and security modules answer so anywhere */
#define FILES  EMFILE, ENFILE

/* No row: loopback only warns; checkpoint and hold leave the words to the front that is gone; claim and entry have
 * words of their own (core/claim.c, core/reach.c). */
static const struct {
	enum step_op op;
	int errnums[32];
} steps[] = {
	/* socketpair(2), setsockopt(2), pidfd_open(2) */
	{ STEP_CONNECT, { ALWAYS, FILES, EAFNOSUPPORT, EPROTONOSUPPORT, ENODEV, ESRCH, ENOBUFS } },
	/* socketpair(2), clone(2) */
	{ STEP_WITNESS, { ALWAYS, FILES, EAGAIN } },
	/* memfd_create(2), write(2), F_ADD_SEALS in fcntl(2); open(2) */
	{ STEP_LOAD_INIT, { ALWAYS, FILES, EFBIG, ENOSPC, EIO, EINVAL, EBUSY, EINTR } },
	/* open(2) of ptmx(4): devpts_acquire in fs/devpts/inode.c; TIOCGPTPEER in ioctl_tty(2) */
	{ STEP_OPEN_TTY, { ALWAYS, FILES, ENOENT, EIO, ENOSPC, ENODEV, ENXIO, ENOTTY, EINVAL, EINTR } },
	/* send(2), unix(7) */
	{ STEP_SEND_PLAN, { ALWAYS, EPIPE, ECONNRESET, ENOBUFS, EMSGSIZE } },
	/* clone(2), mmap(2) */
	{ STEP_CLONE, { ALWAYS, FILES, EAGAIN, EINVAL, ENOSPC, EUSERS } },
	/* user_namespaces(7), open(2) */
	{ STEP_MAP_SELF, { ALWAYS, FILES, EINVAL, ENOENT, EROFS } },
	/* capset(2), PR_CAP_AMBIENT in prctl(2) */
	{ STEP_RAISE_CAPS, { ALWAYS, EINVAL } },
	/* execveat(2), F_SETFD in fcntl(2) */
	{ STEP_EXEC_INIT, { ALWAYS, FILES, EBADF, ENOENT, ENOEXEC, ETXTBSY, EIO, EAGAIN, E2BIG } },
	{ STEP_MAP_FRONT, { ALWAYS, FILES, EINVAL, ENOENT, ESRCH, EROFS, EPIPE } },
	/* posix_spawn(3): clone(2) and execve(2) */
	{ STEP_MAP_HELPER, { ALWAYS, FILES, ENOENT, ENOEXEC, EAGAIN, E2BIG, EIO } },
	{ STEP_GO, { ALWAYS, ESRCH, EAGAIN, ENOBUFS } },
	/* sethostname(2) */
	{ STEP_HOSTNAME, { ALWAYS, EINVAL } },
	/* mount(2) */
	{ STEP_PROPAGATION, { ALWAYS, EINVAL, ENOSPC } },
	{ STEP_PROC_PRIVATE, { ALWAYS, EINVAL, ENOENT, ENOTDIR } },
	{ STEP_MOUNT_PROC, { ALWAYS, EINVAL, ENOENT, ENODEV, ENOTDIR, ENOSPC, EBUSY, EIO, ELOOP } },
	{ STEP_HIDE_PROC, { ALWAYS, EINVAL, ENOENT, ENODEV, ENOTDIR, ENOSPC, EBUSY } },
	/* open(2), proc_sys_kernel(5), clone(2) */
	{ STEP_PID_MAX, { ALWAYS, FILES, EINVAL, ENOENT, EROFS, EIO, EAGAIN } },
	/* unshare(2), time_namespaces(7) */
	{ STEP_TIME_NS, { ALWAYS, FILES, EINVAL, ENOENT, EROFS, ERANGE, ENOSPC } },
	{ STEP_FIRST_PID, { ALWAYS, FILES, EINVAL, ENOENT, EROFS } },
	/* signalfd(2), epoll_create(2), epoll_ctl(2) */
	{ STEP_IDLE, { ALWAYS, FILES, ENODEV, ENOSPC } },
	/* vfork(2), signalfd(2) */
	{ STEP_START, { ALWAYS, FILES, EAGAIN, ENODEV } },
	/* setsid(2), TIOCSCTTY in ioctl_tty(2) */
	{ STEP_SESSION, { ALWAYS, EIO, ENOTTY, EINVAL } },
	/* dup3(2), F_DUPFD in fcntl(2) */
	{ STEP_STDIO, { ALWAYS, FILES, EBADF, EBUSY } },
	/* setgroups(2), setresgid(2), setresuid(2) */
	{ STEP_USER, { ALWAYS, EINVAL, EAGAIN } },
	/* chdir(2), and what file systems of a network say */
	{ STEP_CHDIR,
	  { ALWAYS, ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EIO, ESTALE, ENOTCONN, EREMOTEIO, ETIMEDOUT, EHOSTDOWN,
	    EHOSTUNREACH } },
	{ STEP_DROP_CAPS, { ALWAYS, EINVAL } },
	{ STEP_CLOSE_FDS, { ALWAYS, EBADF } },
	/* sigprocmask(2) */
	{ STEP_SIGNALS, { ALWAYS, EINVAL } },
	/* execve(2) */
	{ STEP_EXEC,
	  { ALWAYS, FILES, ENOENT, ENOTDIR, ENOEXEC, E2BIG, ELOOP, ENAMETOOLONG, ETXTBSY, EIO, EINVAL, EISDIR, ELIBBAD,
	    EAGAIN, ESTALE, ENOTCONN, ETIMEDOUT } },
};

static bool knows_no_more(const struct pidbox_error *err)
{
	return strstr(err->why, "knows no more") != NULL;
}

static void one(const struct pidbox_plan *plan, size_t row, int errnum)
{
	const enum step_op op = plan->rows[row].op;
	struct pidbox_error err = { 0 };
	int r = diagnose_step(plan, row, errnum, 0, &err);
	int status = op != STEP_EXEC ? 125 : errnum == ENOENT || errnum == ENOTDIR ? 127 : 126;

	ok(r == -errnum && err.errnum == errnum && err.why[0] != '\0' && err.fix[0] != '\0' && !knows_no_more(&err) &&
		   strcmp(err.step, step_rows[op].name) == 0 && err.exit_status == status,
	   "%s, %s: %s; %s; %s", step_rows[op].name, err_name(errnum), err.what, err.why, err.fix);
}

static void test_every_errno(void)
{
	bool seen[STEP_MAX_] = {
		[STEP_LOOPBACK] = true,
		[STEP_CHECKPOINT] = true,
		[STEP_HOLD] = true,
		[STEP_CLAIM] = true,
		[STEP_ENTRY] = true,
		/* Of a helper that enters namespaces: what they fail with has its words in core/enter_words.c. */
		[STEP_BECOME] = true,
		[STEP_JOIN] = true,
		[STEP_CGROUP] = true,
		[STEP_ROOT] = true,
		[STEP_BOUND] = true,
		[STEP_LIMIT_CAPS] = true,
		[STEP_FOLLOW] = true,
		/* Of the init without a front: it has words of its own (init/alone_words.c). */
		[STEP_GROUP] = true,
		[STEP_LISTEN] = true,
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		for (size_t w = 0; w < ARRAY_LEN(worlds) && !seen[steps[i].op]; w++) {
			struct pidbox_plan *plan = make(worlds[w].spec, worlds[w].facts);
			int row = plan_find(plan, steps[i].op);

			for (size_t k = 0; row >= 0 && steps[i].errnums[k] != 0; k++)
				one(plan, (size_t)row, steps[i].errnums[k]);
			seen[steps[i].op] = row >= 0;
			pidbox_plan_free(plan);
		}
	}
	for (int op = 0; op < STEP_MAX_; op++)
		ok(seen[op], "%s has a list of errnos", step_rows[op].name);
}

/* What nobody foresaw is the step, its call and the errno: never a guess. */
static void test_unforeseen(void)
{
	struct pidbox_plan *plan = make(&everything, &ann);

	for (size_t i = 0; i < plan->n_rows; i++) {
		struct pidbox_error err = { 0 };
		int r = diagnose_step(plan, i, EXDEV, 0, &err);

		ok(r == -EXDEV && knows_no_more(&err) && strstr(err.why, step_rows[plan->rows[i].op].name) != NULL &&
			   strstr(err.why, plan_call(plan, i)) != NULL && err.fix[0] != '\0' &&
			   err.code == PIDBOX_CODE_NONE,
		   "%s", err.why);
	}
	ok(diagnose_step(plan, 0, EXDEV, 0, NULL) == -EXDEV, "without an object the number says enough");
	pidbox_plan_free(plan);
}

/* ------------------------------------------------------------ words and codes of some */

static const struct {
	const struct pidbox_spec *spec;
	const struct plan_facts *facts;
	enum step_op op;
	int errnum;
	enum pidbox_code code;
	const char *what, *why; /* each must be in it */
} words[] = {
	/* mount(2): propagation is changed of mounts only */
	{ &everything, &ann, STEP_PROPAGATION, EINVAL, PIDBOX_CODE_NONE, "propagation", "chroot" },
	/* execve(2): EAGAIN is RLIMIT_NPROC after a change of the uid */
	{ &everything, &ann, STEP_EXEC, EAGAIN, PIDBOX_CODE_PROC_LIMIT, "executing echo", "RLIMIT_NPROC" },
	{ &helped, &ann_subids, STEP_USER, EAGAIN, PIDBOX_CODE_PROC_LIMIT, "user", "RLIMIT_NPROC" },
	{ &everything, &ann, STEP_START, EAGAIN, PIDBOX_CODE_PROC_LIMIT, "process", "RLIMIT_NPROC" },
	{ &everything, &ann, STEP_EXEC, EACCES, PIDBOX_CODE_DENIED, "executing echo", "" },
	{ &everything, &ann, STEP_EXEC, EPERM, PIDBOX_CODE_DENIED, "executing echo", "" },
	/* no disk is full: the number of mounts, of committed pages */
	{ &everything, &ann, STEP_MOUNT_PROC, ENOSPC, PIDBOX_CODE_NONE, "/proc", "fs.mount-max" },
	{ &hidden, &root, STEP_HIDE_PROC, ENOSPC, PIDBOX_CODE_NONE, "/proc", "fs.mount-max" },
	{ &everything, &ann, STEP_LOAD_INIT, ENOSPC, PIDBOX_CODE_NONE, "init", "memory" },
	{ &everything, &ann, STEP_SEND_PLAN, EPIPE, PIDBOX_CODE_NONE, "plan", "init ended" },
	{ &everything, &ann, STEP_CONNECT, EMFILE, PIDBOX_CODE_NONE, "socket", "RLIMIT_NOFILE" },
	{ &everything, &ann, STEP_CHDIR, ESTALE, PIDBOX_CODE_NONE, "/usr", "network" },
	{ &everything, &ann, STEP_OPEN_TTY, ENODEV, PIDBOX_CODE_TTY, "terminal", "devpts" },
	{ &everything, &ann, STEP_TIME_NS, EROFS, PIDBOX_CODE_NONE, "clocks", "read-only" },
	{ &everything, &ann, STEP_MAP_SELF, EROFS, PIDBOX_CODE_NONE, "mapping", "read-only" },
	{ &front_maps, &root, STEP_MAP_FRONT, EPIPE, PIDBOX_CODE_NONE, "mapping", "init ended" },
};

static void test_words(void)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct pidbox_plan *plan = make(words[i].spec, words[i].facts);
		struct pidbox_error err = { 0 };

		(void)diagnose_step(plan, (size_t)plan_find(plan, words[i].op), words[i].errnum, 0, &err);
		ok(err.code == words[i].code && strstr(err.what, words[i].what) != NULL &&
			   strstr(err.why, words[i].why) != NULL,
		   "%s: [%s]: %s", err.what, pidbox_code_name(err.code), err.why);
		pidbox_plan_free(plan);
	}
}

/* argv[0] is what the command is called, not what is executed (execve(2)). */
static void test_argv0(void)
{
	const struct pidbox_spec in_path = SPEC(.argv0 = "-sh");
	const struct pidbox_spec by_name = { .size = sizeof(by_name), .argv0 = "-sh", .argv = file };
	const struct pidbox_spec *const specs[] = { &in_path, &by_name };
	static const char *const what[] = { "executing echo", "executing /usr/bin/env" };

	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		struct pidbox_plan *plan = make(specs[i], &root);
		struct pidbox_error err = { 0 };

		(void)diagnose_step(plan, (size_t)plan_find(plan, STEP_EXEC), ENOENT, 0, &err);
		ok(strcmp(err.what, what[i]) == 0, "%s", err.what);
		pidbox_plan_free(plan);
	}
}

/* A descriptor that is not open is named, with who asked for it. */
static void test_descriptors(void)
{
	static const int missing[] = { 0, UNUSED_FD }, streams[] = { 0, 1, UNUSED_FD }, open_ones[] = { 0 };
	const struct pidbox_spec keep = SPEC(.keep_fds = missing, .n_keep_fds = 2);
	const struct pidbox_spec std = SPEC(.stdio = streams), report = SPEC(.report_fd = UNUSED_FD);
	const struct pidbox_spec fine = SPEC(.keep_fds = open_ones, .n_keep_fds = 1);
	const struct {
		const struct pidbox_spec *spec;
		enum step_op op;
		int code; /* -1: any */
		const char *what, *why;
	} rows[] = {
		{ &keep, STEP_EXEC_INIT, PIDBOX_CODE_USAGE, "keeping descriptor 913", "--keep-fd 913" },
		{ &std, STEP_STDIO, -1, "streams", "descriptor 913, given as standard error" },
		{ &report, STEP_EXEC_INIT, -1, "init", "descriptor 913, given for the report" },
		{ &fine, STEP_EXEC_INIT, -1, "executing the init", "not open" },
	};

	(void)close(UNUSED_FD);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pidbox_plan *plan = make(rows[i].spec, &root);
		struct pidbox_error err = { 0 };

		(void)diagnose_step(plan, (size_t)plan_find(plan, rows[i].op), EBADF, 0, &err);
		ok((rows[i].code < 0 || (int)err.code == rows[i].code) && strstr(err.what, rows[i].what) != NULL &&
			   strstr(err.why, rows[i].why) != NULL,
		   "%s: %s", err.what, err.why);
		pidbox_plan_free(plan);
	}
}

int main(void)
{
	test_every_errno();
	test_unforeseen();
	test_words();
	test_argv0();
	test_descriptors();
	return tap_end();
}
