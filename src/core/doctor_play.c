/* SPDX-License-Identifier: MIT */
#include "core/doctor_play.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sink.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/pidns.h"

#include <poll.h>
#include <string.h>
#include <sys/prctl.h>

/* ------------------------------------------------------------ what a rule is told with */

void play_put(struct play *p, const char *text)
{
	struct sink s = SINK_BUF(p->seen + p->len, sizeof(p->seen) - p->len);

	sink_str(&s, text);
	p->len += strnlen(text, sizeof(p->seen) - 1 - p->len);
	(void)sink_end(&s);
}

void play_number(struct play *p, const char *before, int64_t n)
{
	char digits[24];

	digits[io_decimal(digits, n)] = '\0';
	play_put(p, before);
	play_put(p, digits);
}

void play_judge(struct play *p, bool holds)
{
	p->holds = holds ? HOLDS : BROKEN;
}

void play_not_tried(struct play *p, const char *call)
{
	const char *name = err_name(errno);

	p->holds = NOT_TRIED;
	p->len = 0;
	play_put(p, call);
	play_put(p, ": ");
	play_put(p, name);
}

/* ------------------------------------------------------------ what a rule is played with */

bool gate_make(struct gate *g)
{
	return pipe2(g->fds, O_CLOEXEC) == 0;
}

void gate_open(const struct gate *g)
{
	(void)sys_write(g->fds[1], "", 1);
}

bool gate_wait(const struct gate *g)
{
	char c;

	return sys_read(g->fds[0], &c, 1) == 1;
}

/* When the parent had ended before the parent-death signal was asked for, nobody sends it. */
static void end_with_parent(const struct play *p)
{
	struct pollfd scout = { .fd = p->scout, .events = POLLIN };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&scout, 1, 0) > 0)
		_exit(0);
}

pid_t play_split(const struct play *p, uint64_t flags)
{
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		end_with_parent(p);
	return pid;
}

void play_rest(const struct play *p)
{
	struct pollfd scout = { .fd = p->scout, .events = POLLIN };

	(void)poll(&scout, 1, -1);
	_exit(0);
}

int play_reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

void play_end(pid_t pid)
{
	if (pid > 0 && kill(pid, SIGKILL) == 0)
		(void)play_reap(pid);
}

bool play_was_killed(int status, int sig)
{
	return status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

bool play_done(struct play *p, pid_t pid, const char *flags, const volatile int *errnum, const char *call)
{
	if (pid > 0)
		(void)play_reap(pid);
	if (pid >= 0 && (errnum == NULL || *errnum == 0))
		return true;
	errno = pid < 0 ? errno : *errnum;
	play_not_tried(p, pid < 0 ? flags : call);
	return false;
}

int play_namespace_of(pid_t pid)
{
	CLEANUP(cleanup_close) int fd = sys_pidfd_open(pid, 0);
	CLEANUP(cleanup_close) int proc = sys_openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ns = fd < 0 ? fd : pidns_of_pidfd(fd);

	if (ns < 0) /* before Linux 6.11 */
		ns = pidns_open(proc, pid);
	if (ns < 0)
		errno = -ns;
	return ns < 0 ? -1 : ns;
}

int play_proc_self(void)
{
	char link[16] = "";

	return readlink("/proc/self", link, sizeof(link) - 1) > 0 ? atoi(link) : 0;
}
