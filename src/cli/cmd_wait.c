/* SPDX-License-Identifier: MIT */
/* pidbox wait: until boxes have ended */
#include "base/parse.h"
#include "base/util.h"
#include "cli/args.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
	int64_t timeout_us;
	bool json;
};

static int set_timeout(void *context, const char *value, struct pidbox_error *err)
{
	struct waiting *w = context;

	if (parse_duration(value, &w->timeout_us) == 0)
		return 0;
	(void)snprintf(err->what, sizeof(err->what), "--timeout: \"%.100s\" is not a duration", value);
	(void)snprintf(err->fix, sizeof(err->fix), "give seconds, or a number with us, ms, s, m, h, d: --timeout 1.5s");
	return -EINVAL;
}

/* PID:INODE and PID@STARTTICKS are never used again: what is not there by such a name has ended. */
static bool is_id(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits > 0 && (name[digits] == ':' || name[digits] == '@') && strchr(name, '/') == NULL;
}

static void say_unknown(const char *name)
{
	struct pidbox_error err = {
		.errnum = ENODATA,
		.code = PIDBOX_CODE_STATUS_UNKNOWN,
		.why = "it has ended, nobody of here waited for it then, and no record of it is kept",
		.fix = "wait for it before it ends; of a box that is started with `pidbox run -d` the record is kept",
	};

	(void)snprintf(err.what, sizeof(err.what), "asking how %.100s has ended", name);
	out_error(&err);
}

/* Of one that has ended unseen there is none to be opened: it stays NULL. */
static int open_all(struct pidbox_target **boxes, char **names, size_t n)
{
	struct pidbox_error err = { 0 };

	for (size_t i = 0; i < n; i++) {
		int r = pidbox_open(names[i], &boxes[i], &err);

		if (r < 0 && err.code == PIDBOX_CODE_NO_SUCH_BOX && is_id(names[i]))
			continue;
		/* To begin with, each: how one ends that is not waited for yet nobody would tell later. */
		if (r == 0)
			r = pidbox_target_wait(boxes[i], 0, NULL, &err);
		if (r < 0 && r != -ETIMEDOUT && r != -ENODATA) {
			out_error(&err);
			return r;
		}
	}
	return 0;
}

/* @return exit status; 128+n with *ret_signal n */
static int wait_all(const struct waiting *w, struct pidbox_target **boxes, char **names, size_t n, int *ret_signal)
{
	int64_t until_us = w->timeout_us < 0 ? -1 : later(now_us(), w->timeout_us);
	struct pidbox_error err = { 0 };
	int status = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t left = until_us < 0 ? PIDBOX_DEFAULT : until_us > now_us() ? until_us - now_us() : 0;
		struct pidbox_target_status end = { 0 };
		int r;

		*ret_signal = 0;
		if (boxes[i] == NULL) {
			say_unknown(names[i]);
			status = PIDBOX_EXIT_FAILED;
			continue;
		}
		r = pidbox_target_wait(boxes[i], left, &end, &err);
		if (r == -ETIMEDOUT)
			return PIDBOX_EXIT_TIMEOUT;
		if (r < 0) {
			out_error(&err);
			status = PIDBOX_EXIT_FAILED;
			continue;
		}
		if (w->json)
			(void)printf("%s\n", end.record != NULL ? end.record : "null");
		status = end.exit_status;
		*ret_signal = end.signal > 0 && status == 128 + end.signal ? end.signal : 0;
	}
	return status;
}

int cmd_wait(int argc, char **argv)
{
	struct waiting w = { .timeout_us = PIDBOX_DEFAULT };
	const struct args_option options[] = {
		{ .name = "timeout",
		  .argument = "D",
		  .help = "for so long at most, then 124; 0: at once (of `run` it is no limit)",
		  .set = set_timeout },
		{ .name = "json", .help = "print the record of each, one a line", .flag = &w.json },
	};
	const struct args args = {
		.verb = "wait",
		.operands = "BOX...",
		.least = 1,
		.most = -1,
		.about = "Wait until all of these boxes have ended, whoever started them.",
		.more = "Exit status: that of the last one named, as `pidbox run` would give it; 124 time limit; 125 "
			"error, or\n"
			"nobody knows how it ended (STATUS_UNKNOWN). See pidbox-wait(1).",
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
		.context = &w,
	};
	struct pidbox_target **boxes;
	int at, sig = 0, status = PIDBOX_EXIT_FAILED;
	size_t n;

	if (!args_parse(&args, argc, argv, &at))
		return at;
	n = (size_t)(argc - at);
	boxes = calloc(n, sizeof(*boxes));
	if (boxes == NULL)
		return PIDBOX_EXIT_FAILED;
	if (open_all(boxes, argv + at, n) == 0)
		status = wait_all(&w, boxes, argv + at, n, &sig);
	for (size_t i = 0; i < n; i++)
		pidbox_close(boxes[i]);
	free(boxes);
	if (finish_output() != 0)
		return PIDBOX_EXIT_FAILED;
	if (sig > 0)
		signals_die_of(sig);
	return status;
}
