/* SPDX-License-Identifier: MIT */
/*
 * with-pidbox.c - what clone-newpid.c does, through pidbox.h.
 *
 *     outside (this program)                        inside
 *     pidbox_spawn() with .hold ------------------> all is made, and held at the checkpoint
 *     does what is slow
 *     pidbox_release() ---------------------------> the shell, as PID 1
 *     pidbox_wait(), pidbox_free()
 *
 * - The spec says what is wanted. What is left out is zero, and means the default: new PID, mount,
 *   UTS and IPC namespaces, a /proc of its own, the caller's directory and environment, and a user
 *   namespace only where the privilege for the others is missing.
 * - .hold stops before the command, when all else is ready. The ids are mapped by then.
 * - .as_pid1 is there because the raw program makes the shell PID 1. Leave it out, and PID 1 is an
 *   init that reaps orphans; the command is PID 2 and gets its signals as anywhere else; and the
 *   box lives as long as its caller, not as long as the thread that made it.
 * - A failure is a negative errno, and an error with words: what, why, and what to do about it.
 */
#include <inttypes.h>
#include <pidbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const struct pidbox_error *err)
{
	char text[4096];

	pidbox_error_format(err, text, sizeof text);
	fputs(text, stderr);
	exit(err->exit_status); /* 125, 126 or 127, as env(1) and timeout(1) have them */
}

int main(int argc, char *argv[])
{
	const char *shell[] = { "/bin/sh", NULL };
	const struct pidbox_spec spec = {
		.size = sizeof spec,
		.argv = argc > 1 ? (const char *const *)(argv + 1) : shell,
		.hostname = "inside",
		.map = geteuid() == 0 ? PIDBOX_MAP_DEFAULT : PIDBOX_MAP_ROOT,
		.as_pid1 = true,
		.hold = true,
	};
	struct pidbox_result result;
	struct pidbox_error err;
	struct pidbox_info info;
	struct pidbox *box;
	struct utsname host;
	int failure, status;

	setvbuf(stdout, NULL, _IOLBF, 0); /* our lines before the shell's, also into a pipe */

	if (pidbox_spawn(&spec, &box, &err) < 0)
		die(&err);
	pidbox_get_info(box, &info);
	printf("outside: I am %d, the first process of the box is %d\n", getpid(), info.init_pid);
	printf("outside: new for it: pid:[%" PRIu64 "] and more\n", info.pid_namespace);
	/* Stands for whatever is slow: a network, a cgroup, a debugger that attaches. */
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	printf("outside: all is set up, %d may go on\n", info.init_pid);
	if (pidbox_release(box, &err) < 0) {
		pidbox_free(box);
		die(&err);
	}

	/* An event loop polls pidbox_pidfd() instead, and calls this when it is readable. */
	failure = pidbox_wait(box, PIDBOX_DEFAULT, &result);
	if (failure < 0) {
		fprintf(stderr, "pidbox_wait: %s\n", strerror(-failure));
		pidbox_free(box);
		return PIDBOX_EXIT_FAILED;
	}
	status = pidbox_exit_status(box, &result);
	uname(&host);
	printf("outside: %d ended with status %d\n", info.init_pid, status);
	printf("outside: the host name is still \"%s\"\n", host.nodename);
	pidbox_free(box);
	return status;
}
