/* SPDX-License-Identifier: MIT */
#include "kern/pidmax.h"

#include "base/sys.h"

#define NOBODY 65534

/* As root of the machine the file could be opened on every kernel, so the probe must not be root. */
static int probe(void)
{
	pid_t pid;
	int status;

	if (geteuid() == 0 &&
	    (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) < 0 || syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0))
		return 2;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
		return 2;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid < 0)
		return 2;
	if (pid == 0)
		_exit(open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC) >= 0 ? 1 : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

int pidmax_is_per_namespace(void)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(probe());
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}
