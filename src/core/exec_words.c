/* SPDX-License-Identifier: MIT */
/*
 * The words for what the other side of an exec could not do. Its steps are those of a box's command: what an errno of
 * one means is in diagnose_table.c; here is what it means only in a box that runs already.
 */
#include "core/exec.h"

#include "base/err.h"
#include "base/util.h"
#include "core/diagnose.h"
#include "kern/ns.h"

#include <errno.h>
#include <stdio.h>

/* The row of core/steps.h that does the same; ANY_STEP: none does. */
static enum step_op op_of(int step)
{
	static const enum step_op ops[EXEC_STEP_MAX_] = {
		[EXEC_STEP_TAKE] = ANY_STEP,
		[EXEC_STEP_START] = ANY_STEP,
		[EXEC_STEP_SESSION] = STEP_SESSION,
		[EXEC_STEP_STDIO] = STEP_STDIO,
		[EXEC_STEP_USER] = STEP_USER,
		[EXEC_STEP_CHDIR] = STEP_CHDIR,
		[EXEC_STEP_DROP_CAPS] = STEP_DROP_CAPS,
		[EXEC_STEP_CLOSE_FDS] = STEP_CLOSE_FDS,
		[EXEC_STEP_SIGNALS] = STEP_SIGNALS,
		[EXEC_STEP_EXEC] = STEP_EXEC,
		[EXEC_STEP_JOIN] = ANY_STEP,
		[EXEC_STEP_ROOT] = ANY_STEP,
		[EXEC_STEP_CGROUP] = ANY_STEP,
	};

	return step > 0 && step < EXEC_STEP_MAX_ ? ops[step] : ANY_STEP;
}

static const char *doing(int step)
{
	switch (step) {
	case EXEC_STEP_START:
		return "starting a process in the box";
	case EXEC_STEP_JOIN:
		return "entering the box's namespaces";
	case EXEC_STEP_ROOT:
		return "going to the box's root directory";
	case EXEC_STEP_CGROUP:
		return "joining the box's cgroup";
	case EXEC_STEP_TAKE:
		return "asking the box's init";
	default:
		return op_of(step) != ANY_STEP ? diagnose_doing(op_of(step)) : "asking the box's front";
	}
}

#define OTHER_RELEASE "the box was started by another release of pidbox, which does not know this request"
#define DROPPED                                                                                          \
	"the init has as many descriptors open as it may: RLIMIT_NOFILE of the box, or somebody inside " \
	"has lowered it (prlimit)"

static const struct exec_diagnosis {
	int step, errnum; /* step 0: what the front says */
	enum pidbox_code code;
	const char *why, *fix;
} table[] = {
	{ EXEC_STEP_TAKE, EAGAIN, PIDBOX_CODE_PROC_LIMIT,
	  "the box's init has started as many commands as it takes at once", "wait until some of them have ended" },
	{ EXEC_STEP_TAKE, EOPNOTSUPP, PIDBOX_CODE_NONE, OTHER_RELEASE,
	  "use the pidbox that started it, or start it anew" },
	{ 0, EACCES, PIDBOX_CODE_DENIED,
	  "the box's front takes orders only of its own user or root, and of processes that it can see to be outside "
	  "of "
	  "its box",
	  "do it as the box's user, in the PID namespace that the box was started in" },
	{ 0, EBUSY, PIDBOX_CODE_NONE, "the box is being set up still, or is held", "try again when its command runs" },
	{ 0, EOPNOTSUPP, PIDBOX_CODE_NONE, OTHER_RELEASE, "use the pidbox that started it, or start it anew" },
	{ EXEC_STEP_TAKE, EPROTO, PIDBOX_CODE_NONE,
	  "the box was started by another release of pidbox, whose answer this one does not understand",
	  "use the pidbox that started it, or start it anew" },
	{ EXEC_STEP_TAKE, ESHUTDOWN, PIDBOX_CODE_BOX_DEAD, "the box is ending", "start a box anew" },
	{ EXEC_STEP_TAKE, EBADMSG, PIDBOX_CODE_NONE, "the init takes this request for a malformed one",
	  "use the pidbox that started the box" },
	{ EXEC_STEP_TAKE, EMFILE, PIDBOX_CODE_NONE, DROPPED,
	  "end some commands in the box, or start it with a higher ulimit -n" },
	{ EXEC_STEP_START, EMFILE, PIDBOX_CODE_NONE, DROPPED,
	  "end some commands in the box, or start it with a higher ulimit -n" },
	{ EXEC_STEP_START, EAGAIN, PIDBOX_CODE_PROC_LIMIT,
	  "no more processes are allowed in the box: RLIMIT_NPROC, the cgroup's pids.max, or pid_max",
	  "end some processes in the box, or raise the limit" },
	{ EXEC_STEP_START, ENOMEM, PIDBOX_CODE_NONE,
	  "the kernel has no memory for another process, or the box's limit is reached",
	  "free memory, or raise the box's limit" },
	{ EXEC_STEP_USER, EPERM, PIDBOX_CODE_IDMAP, "the box's init has not the right to become another user",
	  "name the box's own user, or start the box as root or with --map auto" },
	{ EXEC_STEP_USER, EINVAL, PIDBOX_CODE_IDMAP, "the box's user namespace does not map that id",
	  "start the box with --map auto, or with --uid-map and --gid-map that have the id" },
	{ EXEC_STEP_CHDIR, ENOENT, PIDBOX_CODE_NOT_FOUND, "the directory is not there, as the box sees it",
	  "make it, or name another with --chdir" },
	{ EXEC_STEP_EXEC, ENOENT, PIDBOX_CODE_NOT_FOUND,
	  "no such file in the box, neither as it was written nor in a directory of the box's PATH",
	  "look at the spelling, and at PATH in the box" },
};

static bool from_own_table(int errnum, int step, struct pidbox_error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct exec_diagnosis *d = &table[i];

		if (d->step != step || d->errnum != errnum)
			continue;
		err->code = d->code;
		err_why(err, "%s", d->why);
		err_fix(err, "%s", d->fix);
		return true;
	}
	return false;
}

static const char *kind_word(int bit)
{
	for (size_t i = 0; i < ns_kinds_count; i++)
		if (ns_kinds[i].bit == (uint32_t)bit)
			return ns_kinds[i].word;
	return NULL;
}

static const char *subject(const struct pidbox_exec_spec *spec, int step, int aux)
{
	if (step == EXEC_STEP_JOIN)
		return kind_word(aux);
	if (step == EXEC_STEP_CHDIR)
		return spec->chdir != NULL ? spec->chdir : "where the box began";
	if (step == EXEC_STEP_USER)
		return spec->user;
	if (step != EXEC_STEP_EXEC)
		return NULL;
	return spec->argv == NULL || spec->argv[0] == NULL ? "the box's shell" : spec->argv[0];
}

int exec_diagnose(const struct pidbox_exec_spec *spec, int errnum, int step, int aux, struct pidbox_error *err)
{
	const char *what = subject(spec, step, aux);
	enum step_op op = op_of(step);
	const struct diagnosis *d = op != ANY_STEP ? diagnose_find(op, errnum) : NULL;
	int r = err_set(err, errnum, PIDBOX_CODE_NONE, "%s%s%s", doing(step), what != NULL ? " " : "",
			what == NULL      ? ""
			: what[0] == '\0' ? "\"\""
					  : what);

	if (err == NULL)
		return r;
	if (op != ANY_STEP) {
		(void)snprintf(err->step, sizeof(err->step), "%s", step_rows[op].name);
		err->exit_status = diagnose_exit_status(op, errnum);
	}
	if (from_own_table(errnum, step, err))
		return r;
	if (d != NULL) {
		err->code = d->code;
		err_why(err, "%s", d->why != NULL ? d->why : "");
		err_fix(err, "%s", d->fix);
		return r;
	}
	err_why(err, "the box's side refused it, and pidbox knows no more about this errno");
	err_fix(err, "strace -f -p the box's init shows the call");
	return r;
}
