/* SPDX-License-Identifier: MIT */
/*
 * Three tiny programs in one, to be linked statically:
 *   floor COMMAND [ARG...]        a box around the command by the shortest way (see floor.h)
 *   floor-init COMMAND [ARG...]   its PID 1
 *   floor-true                    a command that does nothing
 */
#include "floor.h"

#include <sys/mount.h>
#include <sys/wait.h>

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int init_main(char *argv[])
{
	int status;
	pid_t command, pid;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return 125;
	command = vfork();
	if (command == 0) {
		(void)prctl(47 /* PR_CAP_AMBIENT */, 4 /* CLEAR_ALL */, 0, 0, 0);
		(void)execv(argv[1], argv + 1);
		_exit(127);
	}
	do
		pid = wait(&status);
	while (pid != command && (pid > 0 || errno == EINTR));
	return pid == command ? status_of(status) : 125;
}

int main(int argc, char *argv[])
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
	struct floor_start start;
	char init[] = "floor-init";
	pid_t pid;
	int status;

	if (strcmp(name, "floor-true") == 0)
		return 0;
	if (argc < 2)
		return 125;
	if (strcmp(name, "floor-init") == 0)
		return init_main(argv);
	argv[0] = init;
	floor_prepare(&start, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), argv);
	pid = floor_clone(&start);
	if (pid < 0)
		return 125;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 125;
	return status_of(status);
}
