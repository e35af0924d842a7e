/* SPDX-License-Identifier: MIT */
#include "kern/pidmax.h"

#include "base/io.h"
#include "base/sys.h"

#include <stdbool.h>
#include <string.h>

#define NOBODY 65534

static const char path[] = "/proc/sys/kernel/pid_max";

/*
 * As root of the machine the file could be opened on every kernel, so who looks must not be root. Where no other uid is
 * mapped, the value tells: a namespace's own begins at the kernel's maximum. (The same value outside: then unknown.)
 */
static bool looks_own(bool ordinary, const char *outside)
{
	char inside[32];

	if (ordinary)
		return open(path, O_WRONLY | O_CLOEXEC) >= 0;
	return io_read_file(AT_FDCWD, path, inside, sizeof(inside)) > 0 && strcmp(inside, outside) != 0;
}

static bool probe(void)
{
	char outside[32];
	bool ordinary;
	pid_t pid;
	int status;

	if (io_read_file(AT_FDCWD, path, outside, sizeof(outside)) <= 0)
		return false;
	ordinary = geteuid() != 0 || (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0 &&
				      syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		return false;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return false;
	if (pid == 0)
		_exit(looks_own(ordinary, outside));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

int pidmax_is_per_namespace(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* The status must be heard of, whatever the caller does with SIGCHLD. */
		struct sigaction act = { .sa_handler = SIG_DFL };

		(void)sigaction(SIGCHLD, &act, NULL);
		_exit(probe());
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}
