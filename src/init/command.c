/* SPDX-License-Identifier: MIT */
/*
 * The steps of the process that becomes the command, one function a row of the table in core/steps.h. It shares the
 * init's memory (vfork): nothing here may change what the init goes on with, and nothing may wait.
 */
#include "init/init.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/caps.h"
#include "kern/sig.h"

#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static int step_session(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	(void)step;
	(void)ret_aux;
	if (setsid() < 0)
		return -errno;
	return sys_ret(ioctl(b->plan->tty_fd, TIOCSCTTY, 0));
}

/* The sources may be 0, 1 or 2 themselves, in any order: first out of the way, then into place. */
static int step_stdio(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	int from[3];

	(void)step;
	(void)ret_aux;
	for (int i = 0; i < 3; i++) {
		from[i] = b->plan->stdio[i];
		if (from[i] >= 0 && from[i] < 3 && from[i] != i) {
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
			if (from[i] < 0)
				return -errno;
		}
	}
	for (int i = 0; i < 3; i++) {
		if (from[i] < 0)
			(void)close(i);
		else if (from[i] == i)
			(void)fcntl(i, F_SETFD, 0);
		else if (dup3(from[i], i, 0) < 0)
			return -errno;
	}
	return 0;
}

static int step_user(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	const struct wire_plan *p = b->plan;

	/* Raw calls: libc's would stop all threads of a process whose memory this only borrows. */
	*ret_aux = 1;
	if (!(step->flags & STEP_USER_KEEP_GROUPS) &&
	    syscall(SYS_setgroups, (size_t)p->n_groups, box_text(b, p->groups)) < 0)
		return -errno;
	*ret_aux = 2;
	if (syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0)
		return -errno;
	*ret_aux = 3;
	if (syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0)
		return -errno;
	/* A change of ids has cleared it (prctl(2)), and without an init nothing else follows the front. */
	if ((p->flags & WIRE_AS_PID1) && inside_follow_front(b, SIGKILL) < 0)
		_exit(PIDBOX_EXIT_FAILED);
	return 0;
}

static int step_chdir(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	(void)ret_aux;
	return sys_ret(chdir(box_text(b, step->text)));
}

static int step_drop_caps(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	(void)step;
	(void)ret_aux;
	return caps_drop_ambient(b->plan->caps_ambient, b->plan->caps_inheritable);
}

/* Close by marking: what fails after this step still has its socket to say so. */
static int step_close_fds(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	int r = 0;

	(void)step;
	(void)ret_aux;
	io_close_range(3, ~0u, true);
	for (uint32_t i = 0; r == 0 && i < b->plan->n_keep; i++)
		if (fcntl(b->plan->keep[i], F_SETFD, 0) < 0)
			r = -errno;
	return r;
}

static int step_signals(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	(void)step;
	(void)ret_aux;
	if (b->chld_ignored) {
		struct sigaction ignore = { .sa_handler = SIG_IGN };

		(void)sigaction(SIGCHLD, &ignore, NULL);
	}
	b->start->mask_is_set = true;
	return sig_set_mask(b->plan->signal_mask);
}

/* Which files execvp(3) goes on after. */
static bool try_next(int errnum)
{
	return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES || errnum == ENODEV || errnum == ESTALE ||
	       errnum == ETIMEDOUT || errnum == ENAMETOOLONG || errnum == ELOOP;
}

static int step_exec(struct box *b, const struct wire_step *step, int32_t *ret_aux)
{
	char **argv = (char **)(void *)((char *)b->plan + b->plan->argv);
	char **envp = (char **)(void *)((char *)b->plan + b->plan->envp);
	char **paths = (char **)(void *)((char *)b->plan + b->plan->paths);
	int found = -ENOENT;

	(void)step;
	*ret_aux = 0;
	for (int i = 0; paths[i] != NULL; i++) {
		int errnum;

		(void)execve(paths[i], argv, envp);
		errnum = errno;
		/* ENOENT for a file that is there: its interpreter is missing (execve(2)). */
		if (errnum == ENOENT && access(paths[i], F_OK) == 0) {
			*ret_aux = i + 1;
			return -ENOEXEC;
		}
		if (!try_next(errnum)) {
			*ret_aux = i + 1;
			return -errnum;
		}
		if (errnum == ENOTDIR && paths[1] == NULL)
			found = -ENOTDIR;
		/* A file that cannot be executed is worth more words than one that is not there. */
		if (found == -ENOENT && errnum != ENOENT && errnum != ENOTDIR &&
		    (errnum != EACCES || access(paths[i], F_OK) == 0)) {
			found = -errnum;
			*ret_aux = i + 1;
		}
	}
	return found;
}

void command_fail(struct box *b, uint32_t step, int errnum, int aux)
{
	b->start->step = step;
	b->start->aux = aux;
	b->start->errnum = errnum;
}

void command_run(struct box *b)
{
	static int (*const run[STEP_MAX_])(struct box *, const struct wire_step *, int32_t *) = {
		[STEP_SESSION] = step_session, [STEP_STDIO] = step_stdio,         [STEP_USER] = step_user,
		[STEP_CHDIR] = step_chdir,     [STEP_DROP_CAPS] = step_drop_caps, [STEP_CLOSE_FDS] = step_close_fds,
		[STEP_SIGNALS] = step_signals, [STEP_EXEC] = step_exec,
	};

	for (uint32_t i = 0; i < b->plan->n_steps; i++) {
		const struct wire_step *step = &b->plan->steps[i];
		int32_t aux = 0;
		int r;

		if (run[step->op] == NULL)
			continue;
		r = run[step->op](b, step, &aux);
		if (r < 0) {
			command_fail(b, i, -r, aux);
			return;
		}
	}
}
