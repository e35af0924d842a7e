/* SPDX-License-Identifier: MIT */
/*
 * How the process is made that becomes what `pidbox exec` starts.
 *
 * Mostly it borrows the init's memory until it executes (CLONE_VM): a fork copies page tables, then both sides fault on
 * every page that they write, which takes longer than all the rest of a start. A vfork would do that, too, but holds
 * the parent up until the exec, and here others are inside who may stop the child. So init and borrower run at the same
 * time, and must not get into each other's way:
 *
 *   - it has a stack and memory of its own, in `lent`; there is one, so a second start meanwhile is a fork
 *   - it leaves errno alone: the steps use the calls of base/sys.h
 *   - what it reads of the init's is never written once the box has been started
 *   - the kernel says when it has let go, by clearing lent.borrower when it has executed or ended
 * (CLONE_CHILD_CLEARTID)
 *   - nobody can get at the init's memory through it: the init is not dumpable, and a change of ids, which would let
 * the kernel decide that anew (commit_creds, fs.suid_dumpable), is for a fork
 *   - a memory that is shared keeps its process in its time namespace (time_namespaces(7)): WIRE_FORK
 */
#include "init/init.h"

#include "base/util.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK = 64 * 1024, ARENA = 64 * 1024, MAPPED = 8 };

static struct {
	volatile int borrower; /* 0: nobody */
	struct exec_start start;
	size_t used; /* of the arena */
	size_t n_mapped;
	struct {
		void *at;
		size_t size;
	} mapped[MAPPED];
	char arena[ARENA] __attribute__((aligned(16)));
	char stack[STACK] __attribute__((aligned(16)));
} lent LIES_BEHIND;

static struct rlimit descriptors; /* what the box's processes begin with; rlim_max 0: not looked at yet */

void exec_make_room(void)
{
	enum { EACH = 4 };
	struct rlimit more;

	if (descriptors.rlim_max != 0 || getrlimit(RLIMIT_NOFILE, &descriptors) < 0)
		return;
	more = descriptors;
	more.rlim_cur = more.rlim_max < EACH * EXECS ? more.rlim_max : EACH * EXECS;
	if (more.rlim_cur > descriptors.rlim_cur)
		(void)sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, NULL); /* libc's is for all its threads */
}

/* ------------------------------------------------------------ in the new process */

void *exec_memory(size_t size)
{
	size_t room = (size + 15) / 16 * 16;
	long p;

	if (room >= size && room <= ARENA - lent.used) {
		lent.used += room;
		return memset(lent.arena + lent.used - room, 0, room); /* one before us has had it */
	}
	if (lent.n_mapped == MAPPED)
		return NULL;
	p = sys_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0)
		return NULL;
	lent.mapped[lent.n_mapped].size = size;
	lent.mapped[lent.n_mapped].at = (void *)p;
	return lent.mapped[lent.n_mapped++].at;
}

static int become(void *context)
{
	const struct exec_start *s = context;
	struct exec_failure failure;

	if (descriptors.rlim_max != 0)
		(void)sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, &descriptors, NULL);
	s->box->start->mask_is_set = true; /* see at_the_start in signals.c */
	failure = exec_become(s->box, s->fds, s->payload_size);
	(void)sys_write(s->report, &failure, sizeof(failure));
	_exit(PIDBOX_EXIT_FAILED);
}

/* ------------------------------------------------------------ in the init */

static void take_back(void)
{
	while (lent.n_mapped > 0) {
		lent.n_mapped--;
		(void)munmap(lent.mapped[lent.n_mapped].at, lent.mapped[lent.n_mapped].size);
	}
	lent.used = 0;
}

void exec_clone_over(void)
{
	if (lent.borrower == 0)
		take_back();
}

static bool changes_user(const struct exec_start *s)
{
	const struct wire_plan *p = s->box->plan;

	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].op == STEP_USER)
			return true;
	return s->flags & EXEC_USER;
}

static bool may_borrow(const struct exec_start *s)
{
	return SYS_LEAVES_ERRNO && lent.borrower == 0 && !(s->box->plan->flags & (WIRE_ENTER | WIRE_FORK)) &&
	       !changes_user(s);
}

static pid_t lend(const struct exec_start *s)
{
	int r;

	take_back();
	lent.start = *s;
	lent.borrower = 1;
	r = sys_ret(clone(become, lent.stack + STACK, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, &lent.start, NULL,
			  NULL, &lent.borrower));
	if (r < 0)
		lent.borrower = 0;
	return r;
}

pid_t exec_clone(const struct exec_start *s)
{
	pid_t pid = may_borrow(s) ? lend(s) : -EBUSY;

	if (pid >= 0)
		return pid;
	pid = (pid_t)sys_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		struct exec_start own = *s;

		lent.used = lent.n_mapped = 0; /* this is a copy, and all of it is ours */
		(void)become(&own);
	}
	return pid;
}
