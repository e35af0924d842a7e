/* SPDX-License-Identifier: MIT */
#include "kern/pidmax.h"

#include "base/io.h"
#include "base/sys.h"
#include "kern/sig.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define NOBODY 65534

static const char path[] = "/proc/sys/kernel/pid_max";

/*
 * A child that the caller's program does not notice. Without an exit signal (clone(2)) it raises no SIGCHLD, is not
 * reaped by itself where that is ignored, and a wait for any child passes it by. A copy of the caller must run none of
 * its handlers: signals stay blocked in it.
 */
static pid_t fork_quietly(void)
{
	return (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

/* What it found is in the shared byte: a caller that waits with __WALL in another thread may reap it before us. */
static void wait_quietly(pid_t pid)
{
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		continue;
}

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

static void probe(volatile int *found)
{
	char outside[32];
	ssize_t n = io_read_file(AT_FDCWD, path, outside, sizeof(outside));
	bool ordinary;
	pid_t pid;

	if (n <= 0) {
		*found = n < 0 ? (int)n : -ENODATA;
		return;
	}
	ordinary = geteuid() != 0 || (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0 &&
				      syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
		*found = -EOPNOTSUPP;
		return;
	}
	pid = fork_quietly();
	if (pid == 0) {
		*found = looks_own(ordinary, outside);
		_exit(0);
	}
	if (pid > 0)
		wait_quietly(pid);
}

int pidmax_is_per_namespace(void)
{
	volatile int *found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigbits mask;
	pid_t pid;
	int r;

	if (found == MAP_FAILED)
		return -errno;
	(void)sig_block_all(&mask);
	pid = fork_quietly();
	r = pid < 0 ? -errno : 0;
	if (pid == 0) {
		probe(found);
		_exit(0);
	}
	(void)sig_set_mask(mask);
	if (pid > 0) {
		wait_quietly(pid);
		r = *found;
	}
	(void)munmap((void *)(uintptr_t)found, sizeof(*found));
	return r;
}
