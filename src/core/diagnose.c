/* SPDX-License-Identifier: MIT */
/*
 * From (step, errno) to words: what was being done, why it failed, with the layer that refused, and one fix. What is
 * known is in THE table (diagnose_table.c); a row may have a probe that looks closer (diagnose_probes.c). What no row
 * knows is step + errno.
 */
#include "core/diagnose.h"

#include "base/err.h"
#include "core/box.h"

#include <errno.h>
#include <stdio.h>

static const char *subject(const struct pidbox_plan *plan, size_t row)
{
	const struct wire_plan *w = plan->wire;

	switch (plan->rows[row].op) {
	case STEP_EXEC:
		return plan_text(w, plan->file);
	case STEP_CHDIR:
	case STEP_HOSTNAME:
		return plan_text(w, w->steps[row].text);
	default:
		return NULL;
	}
}

const char *diagnose_doing(enum step_op op)
{
	static const char *const words[STEP_MAX_] = {
		[STEP_CLAIM] = "naming the box",
		[STEP_ENTRY] = "making the entry of the box",
		[STEP_CONNECT] = "making the socket to the init",
		[STEP_WITNESS] = "starting the witness of signals",
		[STEP_LOAD_INIT] = "loading the init",
		[STEP_OPEN_TTY] = "opening a terminal for the box",
		[STEP_SEND_PLAN] = "sending the plan to the init",
		[STEP_CLONE] = "creating the box's namespaces",
		[STEP_MAP_SELF] = "mapping the user into the box",
		[STEP_RAISE_CAPS] = "keeping capabilities for the box's set-up",
		[STEP_EXEC_INIT] = "executing the init",
		[STEP_MAP_FRONT] = "mapping ids into the box",
		[STEP_MAP_HELPER] = "mapping subordinate ids into the box",
		[STEP_GO] = "letting the init go on",
		[STEP_CHECKPOINT] = "waiting for the front",
		[STEP_LOOPBACK] = "bringing the loopback device up",
		[STEP_HOSTNAME] = "setting the host name to",
		[STEP_PROPAGATION] = "setting the propagation of mounts",
		[STEP_PROC_PRIVATE] = "making /proc private",
		[STEP_MOUNT_PROC] = "mounting a fresh /proc",
		[STEP_HIDE_PROC] = "covering /proc",
		[STEP_PID_MAX] = "setting the highest PID",
		[STEP_TIME_NS] = "setting the box's clocks",
		[STEP_FIRST_PID] = "setting the command's PID",
		[STEP_HOLD] = "waiting to be released",
		[STEP_IDLE] = "getting ready to wait",
		[STEP_START] = "starting the command's process",
		[STEP_BECOME] = "taking the ids of the process",
		[STEP_JOIN] = "entering the namespaces",
		[STEP_CGROUP] = "joining the cgroup",
		[STEP_ROOT] = "going to the root directory of the process",
		[STEP_BOUND] = "lowering the bounding set of capabilities",
		[STEP_LIMIT_CAPS] = "giving up capabilities",
		[STEP_FOLLOW] = "tying the command to its parent",
		[STEP_SESSION] = "taking the box's terminal",
		[STEP_STDIO] = "putting the standard streams in place",
		[STEP_USER] = "becoming the user",
		[STEP_CHDIR] = "going to the directory",
		[STEP_DROP_CAPS] = "giving up the set-up's capabilities",
		[STEP_CLOSE_FDS] = "closing descriptors",
		[STEP_SIGNALS] = "restoring the signal mask",
		[STEP_EXEC] = "executing",
	};

	return words[op];
}

int diagnose_exit_status(enum step_op op, int errnum)
{
	if (op != STEP_EXEC)
		return PIDBOX_EXIT_FAILED;
	return errnum == ENOENT || errnum == ENOTDIR ? PIDBOX_EXIT_NOT_FOUND : PIDBOX_EXIT_CANNOT_EXEC;
}

const struct diagnosis *diagnose_find(enum step_op op, int errnum)
{
	for (size_t i = 0; i < diagnoses_count; i++)
		if ((diagnoses[i].op == op || diagnoses[i].op == ANY_STEP) && diagnoses[i].errnum == errnum)
			return &diagnoses[i];
	return NULL;
}

int diagnose_step(const struct pidbox_plan *plan, size_t row, int errnum, int aux, struct pidbox_error *err)
{
	struct failure f = { .plan = plan, .row = row, .errnum = errnum, .aux = aux, .err = err };
	enum step_op op = row < plan->n_rows ? plan->rows[row].op : STEP_CLONE;
	const char *what = row < plan->n_rows ? subject(plan, row) : NULL;
	const struct diagnosis *d = diagnose_find(op, errnum);
	int r = err_set(err, errnum, PIDBOX_CODE_NONE, "%s%s%s", diagnose_doing(op), what != NULL ? " " : "",
			what == NULL      ? ""
			: what[0] == '\0' ? "\"\""
					  : what);

	if (err == NULL)
		return r;
	(void)snprintf(err->step, sizeof(err->step), "%s", step_rows[op].name);
	err->exit_status = diagnose_exit_status(op, errnum);
	if (d != NULL) {
		err->code = d->code;
		err_why(err, "%s", d->why != NULL ? d->why : "");
		err_fix(err, "%s", d->fix);
		if (d->probe != NULL)
			d->probe(&f);
		return r;
	}
	err_why(err, "the step %s (%s) failed, and pidbox knows no more about this errno", step_rows[op].name,
		row < plan->n_rows ? plan_call(plan, row) : "");
	err_fix(err, "`pidbox run --explain` shows how far it gets; strace -f shows the call");
	return r;
}

int diagnose_call(enum step_op op, uint32_t kinds, int errnum, struct pidbox_error *err)
{
	const struct pidbox_plan plan = { .rows = { { .op = op } }, .n_rows = 1, .kinds = kinds };

	return diagnose_step(&plan, 0, errnum, 0, err);
}
