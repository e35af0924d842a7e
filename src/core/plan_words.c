/* SPDX-License-Identifier: MIT */
/*
 * The rows of a plan for people: the system call of each with its arguments. A start that goes well needs none of them,
 * so they are made when somebody asks.
 */
#include "core/plan.h"

#include "core/image.h"
#include "kern/caps.h"
#include "kern/ns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* ------------------------------------------------------------ each in its words */

static void say_maps(FILE *out, const struct wire_plan *w, const struct wire_step *step)
{
	const char *uids = plan_text(w, step->text), *gids = plan_text(w, step->text2);

	(void)fprintf(out, "%s: uid_map \"%.*s\", gid_map \"%.*s\"%s",
		      step->op == STEP_MAP_HELPER ? "newuidmap, newgidmap" : "write(/proc/PID/...)",
		      (int)strcspn(uids, "\n"), uids, (int)strcspn(gids, "\n"), gids,
		      step->flags & STEP_MAP_DENY_SETGROUPS ? ", setgroups \"deny\"" : "");
}

static void say_caps(FILE *out, uint64_t set)
{
	(void)fprintf(out,
		      "capset(inheritable), prctl(PR_CAP_AMBIENT_RAISE): CAP_SYS_ADMIN, CAP_KILL, CAP_SYS_PTRACE%s%s%s",
		      set & CAPS_NET_ADMIN ? ", CAP_NET_ADMIN" : "", set & CAPS_SYS_TIME ? ", CAP_SYS_TIME" : "",
		      set & CAPS_SETUID ? ", CAP_SETUID, CAP_SETGID" : "");
}

/* A time namespace is made by the init: its offsets must be written before anybody is in it. */
static void say_clone(FILE *out, uint32_t kinds)
{
	(void)fprintf(out, "clone(");
	for (size_t i = 0; i < ns_kinds_count; i++)
		if (kinds & ~(uint32_t)PIDBOX_NS_TIME & ns_kinds[i].bit)
			(void)fprintf(out, "%s|", ns_kinds[i].flag_name);
	(void)fprintf(out, "CLONE_VM|CLONE_VFORK|CLONE_PIDFD|SIGCHLD)");
}

static void say_propagation(FILE *out, uint64_t flags)
{
	(void)fprintf(out, "mount(NULL, \"/\", MS_REC|%s)",
		      flags & MS_SLAVE     ? "MS_SLAVE"
		      : flags & MS_PRIVATE ? "MS_PRIVATE"
					   : "MS_SHARED");
}

static void say_mount_proc(FILE *out, const char *options)
{
	(void)fprintf(out, "mount(\"proc\", \"/proc\", \"proc\", MS_NOSUID|MS_NODEV|MS_NOEXEC%s%s%s)",
		      options != NULL ? ", \"" : "", options != NULL ? options : "", options != NULL ? "\"" : "");
}

static void say_user(FILE *out, const struct wire_plan *w, bool keep_groups)
{
	if (!keep_groups)
		(void)fprintf(out, "setgroups(%u), ", w->n_groups);
	(void)fprintf(out, "setresgid(%u), setresuid(%u)", w->gid, w->uid);
}

static void say_close_fds(FILE *out, const struct wire_plan *w)
{
	(void)fprintf(out, "close_range() but for 0, 1, 2");
	for (uint32_t i = 0; i < w->n_keep; i++)
		(void)fprintf(out, ", %d", w->keep[i]);
}

/* @return false: the table has it */
static bool say(FILE *out, const struct pidbox_plan *plan, const struct wire_step *step)
{
	const struct wire_plan *w = plan->wire;
	const char *text = step->text != 0 ? plan_text(w, step->text) : NULL;

	switch ((enum step_op)step->op) {
	case STEP_CLAIM:
		(void)fprintf(out, "open(\"%s\", O_CREAT), flock(LOCK_EX|LOCK_NB)", plan_text(w, w->name));
		return true;
	case STEP_LOAD_INIT:
		(void)fprintf(out, "%s",
			      image_is_program()
				      ? "open(\"/proc/self/exe\", O_RDONLY|O_CLOEXEC)"
				      : "memfd_create(\"pidbox-init\", MFD_EXEC|MFD_ALLOW_SEALING|MFD_CLOEXEC), "
					"write(), fcntl(F_ADD_SEALS)");
		return true;
	case STEP_CLONE:
		say_clone(out, plan->kinds);
		return true;
	case STEP_MAP_SELF:
	case STEP_MAP_FRONT:
	case STEP_MAP_HELPER:
		say_maps(out, w, step);
		return true;
	case STEP_RAISE_CAPS:
		say_caps(out, (uint64_t)step->a);
		return true;
	case STEP_HOSTNAME:
		(void)fprintf(out, "sethostname(\"%s\")", text);
		return true;
	case STEP_PROPAGATION:
		say_propagation(out, (uint64_t)step->a);
		return true;
	case STEP_MOUNT_PROC:
		say_mount_proc(out, text);
		return true;
	case STEP_PID_MAX:
		(void)fprintf(out, "write(/proc/sys/kernel/pid_max, \"%lld\")", (long long)step->a);
		return true;
	case STEP_FIRST_PID:
		(void)fprintf(out, "write(/proc/sys/kernel/ns_last_pid, \"%lld\")", (long long)step->a);
		return true;
	case STEP_TIME_NS:
		(void)fprintf(out, "unshare(CLONE_NEWTIME)%s", text[0] ? ", write(/proc/self/timens_offsets)" : "");
		return true;
	case STEP_START:
		(void)fprintf(out, "clone(%sCLONE_VFORK)", plan->kinds & PIDBOX_NS_TIME ? "" : "CLONE_VM|");
		return true;
	case STEP_USER:
		say_user(out, w, step->flags & STEP_USER_KEEP_GROUPS);
		return true;
	case STEP_CHDIR:
		(void)fprintf(out, "chdir(\"%s\")", text);
		return true;
	case STEP_CLOSE_FDS:
		say_close_fds(out, w);
		return true;
	case STEP_EXEC:
		(void)fprintf(out, "execve(\"%s\")", plan->default_shell ? "the shell" : plan_text(w, plan->file));
		return true;
	default:
		return false;
	}
}

void plan_put_words(struct pidbox_plan *plan)
{
	for (size_t i = 0; i < plan->n_rows && !plan->worded && !(plan->wire->flags & WIRE_ENTER); i++) {
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);
		bool said = out != NULL && say(out, plan, &plan->wire->steps[i]);

		if (out != NULL && fclose(out) == 0 && said)
			plan->rows[i].call = text;
		else
			free(text);
	}
	plan->worded = true;
}

/* ------------------------------------------------------------ the rows */

const char *plan_call(const struct pidbox_plan *plan, size_t index)
{
	const struct plan_row *row = &plan->rows[index];

	return row->call != NULL ? row->call : step_words[row->op].call;
}

void plan_describe(const struct pidbox_plan *plan, size_t index, struct pidbox_step *ret)
{
	const struct plan_row *row = &plan->rows[index];
	const struct step_words *words = &step_words[row->op];

	*ret = (struct pidbox_step){
		.side = step_rows[row->op].side,
		.name = step_rows[row->op].name,
		.call = plan_call(plan, index),
		.does = words->does,
		.rule = words->rule,
		.took_us = row->took_us,
		.errnum = row->errnum,
		.done = row->done,
	};
	/* Without an init the process that was PID 1 all along does the last steps. */
	if (plan->as_pid1 && ret->side == PIDBOX_SIDE_COMMAND)
		ret->side = PIDBOX_SIDE_INIT;
}

int pidbox_plan_step(const struct pidbox_plan *plan, size_t index, struct pidbox_step *ret)
{
	if (index >= plan->n_rows)
		return -ENOENT;
	plan_describe(plan, index, ret);
	return 0;
}
