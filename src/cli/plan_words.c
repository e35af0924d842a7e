/* SPDX-License-Identifier: MIT */
/* --dry-run, --explain, --timing. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

static const char *side_word(enum pidbox_side side)
{
	static const char *const words[] = {
		[PIDBOX_SIDE_FRONT] = "front",
		[PIDBOX_SIDE_CHILD] = "child",
		[PIDBOX_SIDE_INIT] = "init",
		[PIDBOX_SIDE_COMMAND] = "command",
	};

	return words[side];
}

void words_plan(FILE *out, const struct pidbox_plan *plan)
{
	struct pidbox_step step;

	for (size_t i = 0; pidbox_plan_step(plan, i, &step) == 0; i++)
		(void)fprintf(out, "%2zu  %-8s %-13s %s\n", i + 1, side_word(step.side), step.name, step.call);
}

static void narrate(const struct pidbox_step *step)
{
	out_note("%-8s %s\n         %s\n", side_word(step->side), step->call, step->does);
	if (step->rule[0] != '\0')
		out_note("         (%s)\n", step->rule);
	if (strcmp(step->name, "connect") == 0)
		out_note("         the front is PID %d here; inside it has no number\n", (int)getpid());
}

/* Steps of some sides. */
void words_explain(const struct pidbox *box, enum pidbox_side from, enum pidbox_side to)
{
	struct pidbox_info info;
	struct pidbox_step step;

	pidbox_get_info(box, &info);
	for (size_t i = 0; pidbox_get_step(box, i, &step) == 0; i++) {
		if (step.side < from || step.side > to)
			continue;
		narrate(&step);
		if (strcmp(step.name, "clone") == 0)
			out_note("         outside it is PID %d, inside PID 1; box %s, PID namespace %llu\n",
				 info.init_pid, info.id, (unsigned long long)info.pid_namespace);
		if (step.errnum != 0)
			out_note("         it failed (%s), which is not fatal\n", strerror(step.errnum));
	}
}

/* The command's number. When it has ended already, the one that comes next after the init's, or that was asked for. */
static pid_t inside_pid(const struct pidbox_info *info, const struct pidbox_spec *spec)
{
	struct pidbox_level levels[PIDBOX_LEVELS_MAX];
	struct pidbox_translator *translator;
	struct pidbox_error ignored;
	pid_t pid = spec->first_pid != 0 ? (pid_t)spec->first_pid : 2;
	size_t n = 0;

	if (pidbox_translator_new(&translator, &ignored) < 0)
		return pid;
	if (pidbox_levels(translator, info->command_pid, levels, &n) == 0 && n > 1)
		pid = levels[n - 1].pid;
	pidbox_translator_free(translator);
	return pid;
}

/* What comes after the last step. */
void words_explain_rest(const struct pidbox *box, const struct pidbox_spec *spec)
{
	struct pidbox_info info;

	pidbox_get_info(box, &info);
	if (spec->as_pid1) {
		out_note("         it is PID 1 itself, so nobody reaps for it, and it gets only signals that it has a "
			 "handler for\n"
			 "         (R6, R7: outside, SIGKILL and SIGSTOP work all the same)\n");
		return;
	}
	if (!spec->idle)
		out_note("         outside it is PID %d, inside PID %d\n", info.command_pid, inside_pid(&info, spec));
	out_note("init     from now on it reaps, and passes signals on; when it ends, the kernel ends the rest\n"
		 "         (R6, R7, R8)\n");
}

void words_explain_failure(const struct pidbox_spec *spec, enum pidbox_side from, const struct pidbox_error *err)
{
	struct pidbox_plan *plan;
	struct pidbox_step step;
	struct pidbox_error ignored;

	if (err->step[0] == '\0' || pidbox_plan(spec, &plan, &ignored) < 0)
		return;
	for (size_t i = 0; pidbox_plan_step(plan, i, &step) == 0; i++) {
		if (step.side < from)
			continue;
		narrate(&step);
		if (strcmp(step.name, err->step) == 0)
			break;
	}
	out_note("         it failed (%s)\n", strerror(err->errnum));
	pidbox_plan_free(plan);
}

void words_timing(const struct pidbox *box)
{
	struct pidbox_info info;
	struct pidbox_step step;

	pidbox_get_info(box, &info);
	out_note("pidbox: microseconds per step\n");
	for (size_t i = 0; pidbox_get_step(box, i, &step) == 0; i++)
		if (step.took_us >= 0)
			out_note("%8lld  %-8s %s\n", (long long)step.took_us, side_word(step.side), step.name);
	out_note("%8lld  from the call to the command's exec\n", (long long)info.exec_us);
}
