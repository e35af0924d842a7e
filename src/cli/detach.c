/* SPDX-License-Identifier: MIT */
/*
 * run --detach. The front is forked before anything is made, and has a session of its own; the caller waits for it:
 *
 *   caller                                front
 *   opens --log, --report                 (inherits them)
 *   fork ───────────────────────────────▶ setsid
 *                                         starts the box; its errors go to the caller's standard error
 *                                         lets go of all that is the caller's
 *        ◀──────────────── "it is there"
 *   prints the name
 *   "go on" ────────────────────────────▶ is alone from here on
 *
 * A caller that ends before that, or cannot print the name, ends the box: nobody would know of it.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the front says; anything else is its exit status. */
enum { IT_IS_THERE = -1 };

static int no_descriptor(int errnum, struct pidbox_error *err)
{
	*err = (struct pidbox_error){
		.errnum = errnum,
		.exit_status = PIDBOX_EXIT_FAILED,
		.what = "making a front that goes on by itself",
		.why = "there are no descriptors left (RLIMIT_NOFILE), or no /dev/null",
		.fix = "raise ulimit -n",
	};
	return -errnum;
}

/* A name that nobody has: 40 random bits, which are claimed as a name that was given. */
static void make_name(char name[16])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char bits[8];
	struct timespec now;

	if (getrandom(bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		now.tv_nsec ^= (long)getpid() << 32;
		memcpy(bits, &now.tv_nsec, sizeof(bits));
	}
	memcpy(name, "box-", 4);
	for (size_t i = 0; i < sizeof(bits); i++)
		name[4 + i] = letters[bits[i] % 32];
	name[12] = '\0';
}

static int open_above_stdio(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
	int high = fd >= 0 && fd <= 2 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : fd;

	if (high != fd)
		(void)close(fd);
	return high < 0 ? -errno : high;
}

int detach_prepare(struct detach *d, struct pidbox_options *opts, struct pidbox_error *err)
{
	struct pidbox_spec *spec = pidbox_options_spec(opts);
	const char *log = pidbox_options_log(opts);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return no_descriptor(errno, err);
	d->callers = pair[0];
	d->fronts = pair[1];
	d->stdio[0] = open_above_stdio("/dev/null", O_RDWR);
	if (d->stdio[0] < 0)
		return no_descriptor(-d->stdio[0], err);
	/* What is there already stays: many boxes may have one log. */
	d->stdio[1] = d->stdio[2] = log != NULL ? open_above_stdio(log, O_WRONLY | O_CREAT | O_APPEND) : d->stdio[0];
	if (d->stdio[1] < 0)
		return reporting_cannot_open("log", log, -d->stdio[1], err);
	if (spec->name == NULL) {
		make_name(d->made_up);
		spec->name = d->made_up;
	}
	spec->stdio = d->stdio;
	spec->reachable = PIDBOX_REACHABLE_KEPT;
	return 0;
}

/* ------------------------------------------------------------ the caller's side */

static int front_is_gone(pid_t front)
{
	struct pidbox_error err = {
		.errnum = EPROTO,
		.what = "starting the box",
		.why = "its front ended without a word: somebody has killed it",
		.fix = "start the box again",
	};
	int status = 0;

	/* Ctrl-C at the start, say: a loop of the shell stops only when we die of it. */
	if (waitpid(front, &status, 0) == front && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		signals_die_of(WTERMSIG(status));
	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}

static int wait_for_front(struct detach *d, const char *name, pid_t front)
{
	int said = 0, status;
	ssize_t n;

	do
		n = recv(d->callers, &said, sizeof(said), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(said))
		return front_is_gone(front);
	if (said != IT_IS_THERE)
		return said;
	/* One that the caller had closed, whose place we hold (fds_hold_places): the name would be lost unseen. */
	if (fcntl(STDOUT_FILENO, F_GETFD) & FD_CLOEXEC)
		(void)close(STDOUT_FILENO);
	(void)printf("%s\n", name);
	status = finish_output();
	if (status == 0) {
		/* The box was there, and is called so: a front that is killed now is no other than one killed later. */
		(void)send(d->callers, &said, sizeof(said), MSG_NOSIGNAL);
		return 0;
	}
	(void)close(d->callers);
	(void)waitpid(front, NULL, 0); /* it ends its box first */
	return status;
}

int detach_fork(struct detach *d, const char *name)
{
	pid_t caller = getpid(), front = fork();
	struct pidbox_error err = {
		.errnum = errno,
		.code = PIDBOX_CODE_PROC_LIMIT,
		.what = "starting a front that goes on by itself",
		.why = "no more processes may be made (RLIMIT_NPROC, pids.max), or there is no memory",
		.fix = "end other processes, or raise the limit (ulimit -u, pids.max)",
	};

	if (front < 0) {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	if (front > 0) {
		(void)close(d->fronts);
		return wait_for_front(d, name, front);
	}
	(void)close(d->callers);
	(void)setsid();
	/* Until the box is there the front ends with its caller. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() == caller ? -1 : PIDBOX_EXIT_FAILED;
}

/* ------------------------------------------------------------ the front's side */

int detach_started(struct detach *d)
{
	int word = IT_IS_THERE;
	ssize_t n;

	(void)dup2(d->stdio[0], STDIN_FILENO);
	(void)dup2(d->stdio[1], STDOUT_FILENO);
	(void)dup2(d->stdio[2], STDERR_FILENO);
	(void)chdir("/");
	(void)prctl(PR_SET_PDEATHSIG, 0); /* the caller ends as soon as it has heard */
	if (send(d->fronts, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		return -EPIPE;
	do
		n = recv(d->fronts, &word, sizeof(word), 0);
	while (n < 0 && errno == EINTR);
	(void)close(d->fronts);
	d->fronts = -1;
	return n == sizeof(word) ? 0 : -EPIPE;
}

int detach_ended(const struct detach *d, int status)
{
	if (d->fronts >= 0)
		(void)send(d->fronts, &status, sizeof(status), MSG_NOSIGNAL);
	return status;
}
