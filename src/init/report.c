/* SPDX-License-Identifier: MIT */
/* The record, when the front is gone and nobody else is left to write it. */
#include "init/init.h"

#include "base/util.h"
#include "core/record.h"

#include <string.h>

/* Leaks that are kept for it. There is no malloc here, and who is gone reads no long list. */
enum { KEPT = 16 };
static struct pidbox_leak kept[KEPT] LIES_BEHIND;
static struct wire_leak kept_text[KEPT] LIES_BEHIND;

void report_keep_leak(struct box *b, const struct wire_leak *leak)
{
	size_t n = b->result.n_leaked;

	if (n == KEPT)
		return;
	kept_text[n] = *leak;
	kept[n] = (struct pidbox_leak){
		.inside_pid = leak->inside_pid,
		.pid = b->plan->flags & WIRE_SUBREAPER ? leak->inside_pid : 0, /* there is no inside */
		.age_us = leak->age_us,
		.command = kept_text[n].command,
		.command_size = leak->command_size,
	};
	b->result.n_leaked++;
	b->result.leaked = kept;
}

static const char *containment_of(const struct box *b)
{
	return b->plan->flags & WIRE_SUBREAPER ? "subreaper" : "pidns";
}

static int write_to(struct box *b, int fd, bool with_status)
{
	static char buf[4096] LIES_BEHIND;
	struct sink s = SINK_FD(buf, sizeof(buf), fd);
	struct record rec = {
		.result = &b->result,
		.name = box_text(b, b->plan->name),
		.containment = containment_of(b),
		.proc = b->plan->proc_word,
		.id = b->ident.id,
		.pid_namespace = b->ident.pid_namespace,
		.init_pid = b->ident.init_pid,
		.command_pid = b->ident.command_pid,
		.command = (char *const *)(void *)((char *)b->plan + b->plan->argv),
		.started_realtime_us = b->plan->started_realtime_us,
	};

	if (fd < 0)
		return 0;
	if (with_status) { /* core/entry.h */
		sink_str(&s, "exit ");
		sink_num(&s, record_exit_status(&b->result, b->plan->flags & WIRE_FAIL_ON_LEAK));
		sink_str(&s, " ");
		sink_num(&s, b->result.signal);
		sink_str(&s, "\n");
	}
	record_write(&s, &rec);
	sink_str(&s, "\n");
	return (int)sink_end(&s);
}

/* The command could not be executed. */
int report_not_started(struct box *b, int errnum)
{
	struct pidbox_error err = {
		.errnum = errnum,
		.code = errnum == ENOENT ? PIDBOX_CODE_NOT_FOUND : PIDBOX_CODE_NONE,
		.what = "executing the command",
	};
	struct record rec = {
		.error = &err,
		.containment = containment_of(b),
		.proc = b->plan->proc_word,
		.id = b->ident.id,
		.pid_namespace = b->ident.pid_namespace,
		.init_pid = b->ident.init_pid,
		.command = (char *const *)(void *)((char *)b->plan + b->plan->argv),
		.started_realtime_us = b->plan->started_realtime_us,
		.wall_us = now_us() - b->started_us,
	};
	static char buf[4096] LIES_BEHIND;
	struct sink s = SINK_FD(buf, sizeof(buf), b->plan->report_fd);

	if (b->plan->report_fd < 0)
		return 0;
	record_write(&s, &rec);
	sink_str(&s, "\n");
	return (int)sink_end(&s);
}

int report_write(struct box *b)
{
	/* A report may go to a pipe that nobody reads: that one last. */
	(void)write_to(b, b->plan->kept_fd, true);
	return write_to(b, b->plan->report_fd, false);
}
