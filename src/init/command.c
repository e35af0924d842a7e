/* SPDX-License-Identifier: MIT */
/*
 * The steps of a process that becomes a command, one function a row of the table in core/steps.h. The box's first one
 * shares the init's memory (vfork): nothing here may change what the init goes on with, and nothing may wait. What
 * `pidbox exec` starts comes through here too (exec_task.c), and shares it while the init goes on: errno is the init's,
 * so the calls are those of base/sys.h.
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

/* The terminal's own group may be somebody else's to change: then the command does without the foreground. */
static int step_group(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	int r = (int)sys_call(SYS_setpgid, 0, 0);
	pid_t group = (pid_t)sys_call(SYS_getpid);

	(void)b;
	(void)step;
	(void)ret_aux;
	if (r == 0 && t->terminal >= 0)
		(void)sys_call(SYS_ioctl, t->terminal, TIOCSPGRP, &group); /* SIGTTOU is blocked still */
	return r;
}

/* The text is the number's place in the environment. */
static int step_listen(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	char *number = box_text(b, step->text);

	(void)t;
	(void)ret_aux;
	number[io_decimal(number, sys_call(SYS_getpid))] = '\0';
	return 0;
}

static int step_session(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	siginfo_t info;
	int r = (int)sys_call(SYS_setsid);

	(void)b;
	(void)ret_aux;
	if (r < 0)
		return r;
	/* Signals to the group that it comes from were for those who are in it still. */
	while ((step->flags & STEP_SESSION_APART) && sys_take_pending(SIGBITS_ALL, &info) > 0)
		continue;
	r = t->terminal < 0 ? 0 : (int)sys_call(SYS_ioctl, t->terminal, TIOCSCTTY, 0);
	return step->flags & STEP_SESSION_TRY ? 0 : r;
}

/* The sources may be 0, 1 or 2 themselves, in any order: first out of the way, then into place. */
static int step_stdio(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	int from[3], r = 0;

	(void)b;
	(void)step;
	(void)ret_aux;
	for (int i = 0; i < 3; i++) {
		from[i] = t->stdio[i];
		if (from[i] >= 0 && from[i] < 3 && from[i] != i) {
			from[i] = (int)sys_call(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, 3);
			if (from[i] < 0)
				return from[i];
		}
	}
	for (int i = 0; i < 3; i++) {
		if (from[i] < 0)
			(void)sys_close(i);
		else if (from[i] == i)
			(void)sys_call(SYS_fcntl, i, F_SETFD, 0);
		else
			r = (int)sys_call(SYS_dup3, from[i], i, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

int task_become_user(const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	int r = 0;

	/* Raw calls: libc's would stop all threads of a process whose memory this only borrows. */
	*ret_aux = 1;
	if (!(step->flags & STEP_USER_KEEP_GROUPS))
		r = (int)sys_call(SYS_setgroups, t->n_groups, t->groups);
	if (r < 0)
		return r;
	*ret_aux = 2;
	r = (int)sys_call(SYS_setresgid, t->gid, t->gid, t->gid);
	if (r < 0)
		return r;
	*ret_aux = 3;
	return (int)sys_call(SYS_setresuid, t->uid, t->uid, t->uid);
}

static int step_user(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	int r = task_become_user(t, step, ret_aux);

	if (r < 0)
		return r;
	/* A change of ids has cleared it (prctl(2)), and without an init nothing else follows the front. */
	if ((b->plan->flags & WIRE_AS_PID1) && inside_follow_front(b, SIGKILL) < 0)
		_exit(PIDBOX_EXIT_FAILED);
	return 0;
}

static int step_chdir(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	(void)b;
	(void)step;
	for (int i = 0; i < 2; i++) {
		int r = t->chdir[i] != NULL ? (int)sys_call(SYS_chdir, t->chdir[i]) : 0;

		*ret_aux = i + 1;
		if (r < 0)
			return r;
	}
	return 0;
}

static int step_drop_caps(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	(void)t;
	(void)step;
	(void)ret_aux;
	return caps_drop_ambient(b->plan->caps_ambient, b->plan->caps_inheritable);
}

/* Close by marking: what fails after this step still has its socket to say so. */
static int step_close_fds(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	int r = 0;

	(void)b;
	(void)step;
	(void)ret_aux;
	io_close_range(3, ~0u, true);
	for (uint32_t i = 0; r == 0 && i < t->n_keep; i++)
		r = (int)sys_call(SYS_fcntl, t->keep[i], F_SETFD, 0);
	return r;
}

static int step_signals(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	(void)t;
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

static bool is_there(const char *path)
{
	return sys_call(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

/* Before the words of the command its table has a place for sh (put_argv in alone.c). */
static int exec_by_shell(char *file, const struct task *t)
{
	char **argv = (char **)(uintptr_t)t->argv;
	static char sh[] = "/bin/sh";

	argv[-1] = sh;
	argv[0] = file;
	return (int)sys_call(SYS_execve, sh, argv - 1, t->envp);
}

static int step_exec(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	char *const *paths = t->paths;
	int found = -ENOENT;

	(void)b;
	*ret_aux = 0;
	for (int i = 0; paths[i] != NULL; i++) {
		int errnum = -(int)sys_call(SYS_execve, paths[i], t->argv, t->envp);

		if (errnum == ENOEXEC && (step->flags & STEP_EXEC_SHELL))
			errnum = -exec_by_shell(paths[i], t);
		/* ENOENT for a file that is there: its interpreter is missing (execve(2)). */
		if (errnum == ENOENT && is_there(paths[i])) {
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
		    (errnum != EACCES || is_there(paths[i]))) {
			found = -errnum;
			*ret_aux = i + 1;
		}
	}
	return found;
}

struct failure task_run(struct box *b, const struct task *t)
{
	static int (*const run[STEP_MAX_])(struct box *, const struct task *, const struct wire_step *, int32_t *) = {
		[STEP_CGROUP] = enter_cgroup,      [STEP_ROOT] = enter_root,
		[STEP_BOUND] = enter_bound,        [STEP_LIMIT_CAPS] = enter_limit_caps,
		[STEP_FOLLOW] = enter_follow,      [STEP_SESSION] = step_session,
		[STEP_GROUP] = step_group,         [STEP_LISTEN] = step_listen,
		[STEP_STDIO] = step_stdio,         [STEP_USER] = step_user,
		[STEP_CHDIR] = step_chdir,         [STEP_DROP_CAPS] = step_drop_caps,
		[STEP_CLOSE_FDS] = step_close_fds, [STEP_SIGNALS] = step_signals,
		[STEP_EXEC] = step_exec,
	};

	for (uint32_t i = 0; i < t->n_steps; i++) {
		const struct wire_step *step = &t->steps[i];
		int32_t aux = 0;
		int r;

		if (run[step->op] == NULL)
			continue;
		r = run[step->op](b, t, step, &aux);
		if (r < 0)
			return (struct failure){ .step = i, .errnum = -r, .aux = aux };
	}
	return (struct failure){ .errnum = ENOEXEC }; /* the last step is the exec */
}

/* ------------------------------------------------------------ the box's own command */

static char *const *table(struct box *b, uint32_t offset)
{
	return (char *const *)(void *)((char *)b->plan + offset);
}

void task_of_plan(struct box *b, struct task *ret)
{
	const struct wire_plan *p = b->plan;

	*ret = (struct task){
		.argv = table(b, p->argv),
		.envp = table(b, p->envp),
		.paths = table(b, p->paths),
		.steps = p->steps,
		.n_steps = p->n_steps,
		.stdio = { p->stdio[0], p->stdio[1], p->stdio[2] },
		.terminal = p->tty_fd,
		.uid = p->uid,
		.gid = p->gid,
		.n_groups = p->n_groups,
		.groups = (const uint32_t *)(const void *)box_text(b, p->groups),
		.keep = p->keep,
		.n_keep = p->n_keep,
	};
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].op == STEP_CHDIR)
			ret->chdir[0] = box_text(b, p->steps[i].text);
}

void command_fail(struct box *b, uint32_t step, int errnum, int aux)
{
	b->start->step = step;
	b->start->aux = aux;
	b->start->errnum = errnum;
}

void command_run(struct box *b)
{
	struct failure failure;
	struct task t;

	task_of_plan(b, &t);
	failure = task_run(b, &t);
	command_fail(b, failure.step, failure.errnum, failure.aux);
}
