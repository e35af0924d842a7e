/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the end of a box that is somebody else's child. Its front tells how it ended, or has written it down; of
 * others the kernel remembers it since Linux 6.15, for who has had a pidfd since before.
 */
#include "core/target.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sink.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/control_client.h"
#include "kern/pidns.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
	REAPER_PATIENCE_MS = 1000,    /* the parent of a PID 1 that has ended is to wait for it */
	KEEPER_PATIENCE_US = 2000000, /* who writes the record down does it after the end */
	AGAIN_US = 50000,             /* to a front that has no place for one more: doubled up to */
	AGAIN_MAX_US = 2000000,
	RECORD_MAX = 16 << 20,
};

/* ------------------------------------------------------------ what is known */

static void stop_waiting(struct pidbox_target *t)
{
	cleanup_close(&t->waiting);
	t->waiting = -1;
	t->shared = false;
}

static int set_status(struct pidbox_target *t, int exit_status, int sig, char *record)
{
	stop_waiting(t);
	t->told = true;
	t->record = record;
	t->status = (struct pidbox_target_status){ .exit_status = exit_status, .signal = sig, .record = record };
	return 0;
}

/* The record that the front sends along: the file's beginning may have been read by others. */
static char *read_record(int fd, uint64_t size)
{
	char *record = fd >= 0 && size < RECORD_MAX ? calloc(1, size + 1) : NULL;
	size_t len = 0;

	while (record != NULL && len < size) {
		ssize_t n = pread(fd, record + len, size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return record;
}

/* As much of a record as the kernel tells of a process that was not ours. */
static char *make_record(const struct pidbox_target *t, int status)
{
	char id[PIDREF_ID_SIZE], name[16], *text = malloc(512);
	struct sink s = SINK_BUF(text, text != NULL ? 512 : 0);
	bool exited = WIFEXITED(status);

	sink_str(&s, "{\"schema\":1,\"reason\":");
	sink_str(&s, exited ? "\"exited\",\"exit_code\":" : "\"signaled\",\"exit_code\":");
	if (exited)
		sink_num(&s, WEXITSTATUS(status));
	else
		sink_str(&s, "null");
	sink_str(&s, ",\"signal\":");
	if (!exited) {
		pidbox_signal_name(WTERMSIG(status), name);
		sink_json(&s, name, strlen(name));
	} else {
		sink_str(&s, "null");
	}
	sink_str(&s, !exited && WCOREDUMP(status) ? ",\"core_dumped\":true" : ",\"core_dumped\":false");
	sink_str(&s, ",\"name\":null,\"id\":");
	pidref_format(target_ref(t), id);
	sink_json(&s, id, strlen(id));
	sink_str(&s, ",\"pid_namespace\":");
	if (t->pid_namespace != 0)
		sink_num(&s, (int64_t)t->pid_namespace);
	else
		sink_str(&s, "null");
	sink_str(&s, ",\"init_pid\":");
	sink_num(&s, t->init.pid);
	sink_str(&s, "}");
	(void)sink_end(&s);
	return text;
}

static int unknown(const struct pidbox_target *t, const char *why, struct pidbox_error *err)
{
	int r = err_set(err, ENODATA, PIDBOX_CODE_STATUS_UNKNOWN, "asking how %s has ended", t->address);

	err_why(err, "it has ended; %s", why);
	err_fix(err, "wait for it before it ends; of a box that is started with `pidbox run -d` the record is kept");
	return r;
}

/* ------------------------------------------------------------ a box of pidbox's own */

static int from_kept(struct pidbox_target *t)
{
	int status, sig, r = -ENODATA;
	int64_t until = later(now_us(), KEEPER_PATIENCE_US);
	char *record;

	if (!t->has_entry || t->entry.kept[0] == '\0')
		return -ENODATA;
	for (;;) {
		r = registry_read_kept(&t->entry, &status, &sig, &record);
		/*
		 * Of one that was found as ended nothing more comes: registry_find has waited for its keeper. One that
		 * lived then, and had ended when it was opened, has a keeper that is about to write.
		 */
		if (r != -ENODATA || t->entry.id.pid == 0 || now_us() >= until)
			break;
		(void)poll(NULL, 0, 10);
	}
	return r < 0 ? r : set_status(t, status, sig, record);
}

/* Too many ask it at once, so that it has hung up, or said so. Whether there is a front still, asking will tell. */
static void ask_again_later(struct pidbox_target *t)
{
	t->again_us = t->again_us == 0 ? AGAIN_US : t->again_us < AGAIN_MAX_US ? 2 * t->again_us : AGAIN_MAX_US;
	t->again_at = later(now_us(), t->again_us);
}

static void begin(struct pidbox_target *t)
{
	const struct control_request request = { .type = CONTROL_WAIT, .flags = CONTROL_WAIT_SHARED };
	int r;

	if (t->waiting >= 0 || t->one_process || !t->live)
		return;
	t->again_at = 0;
	t->is_ours = t->is_ours || target_runs_our_init(&t->init);
	if (!t->has_entry)
		return;
	t->waiting = control_connect(&t->entry, &t->init, NULL);
	r = t->waiting >= 0 ? control_send(t->waiting, &request, NULL, 0) : t->waiting;
	if (r < 0)
		stop_waiting(t);
	if (r == -EAGAIN || r == -EPIPE || r == -ECONNRESET || control_lacks(r))
		ask_again_later(t);
}

/* @return 0: known; -EAGAIN: nothing has come; -EPIPE: nothing will */
static int take_answer(struct pidbox_target *t)
{
	CLEANUP(cleanup_close) int fd = -1;
	struct control_reply reply;
	int r = t->shared ? control_peek(t->waiting, &reply, &fd) : control_receive(t->waiting, 0, &reply, &fd);

	if (r == -ETIMEDOUT)
		return -EAGAIN;
	if (r == 0 && reply.type == CONTROL_ENDED && reply.status >= 0)
		return set_status(t, reply.status, reply.signal, read_record(fd, reply.record));
	stop_waiting(t);
	if (r == 0 && reply.type == CONTROL_DONE && fd >= 0) {
		t->waiting = take_fd(&fd);
		t->shared = true;
		return -EAGAIN;
	}
	if (r == -EPIPE || (r == 0 && reply.type == CONTROL_FAILED && reply.errnum == EAGAIN))
		ask_again_later(t);
	return -EPIPE;
}

/* ------------------------------------------------------------ any other */

static int from_kernel(struct pidbox_target *t, struct pidbox_error *err)
{
	const struct pidref *ref = target_ref(t);
	struct pollfd reaped = { .fd = ref->pidfd };
	struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_EXIT };
	int r, status;

	/* POLLHUP: it has been reaped (Linux 6.12). */
	(void)poll(&reaped, 1, REAPER_PATIENCE_MS);
	r = sys_pidfd_get_info(ref->pidfd, &info);
	if (r < 0)
		return unknown(t, "this kernel does not tell how processes of others end (Linux 6.15 does)", err);
	if (!(info.mask & SYS_PIDFD_INFO_EXIT))
		return unknown(t, "its parent has not waited for it yet", err);
	status = info.exit_code;
	if (WIFEXITED(status))
		return set_status(t, WEXITSTATUS(status), 0, make_record(t, status));
	return set_status(t, 128 + WTERMSIG(status), WTERMSIG(status), make_record(t, status));
}

static int finish(struct pidbox_target *t, struct pidbox_error *err)
{
	if (!t->one_process && (t->has_entry || t->is_ours)) {
		if (from_kept(t) == 0)
			return 0;
		return unknown(t, "its front does not tell, and no record of it is kept", err);
	}
	if (target_ref(t)->pidfd < 0)
		return unknown(t, "nothing of it was to be seen before", err);
	return from_kernel(t, err);
}

/* ------------------------------------------------------------ waiting */

/* @return 0: something has come, or nothing within a while; -ETIMEDOUT */
static int wait_a_while(const struct pidbox_target *t, int64_t until_us)
{
	struct pollfd fds[] = { { t->waiting, POLLIN, 0 }, { target_ref(t)->pidfd, POLLIN, 0 } };
	int64_t wake_us = t->again_at != 0 && (until_us < 0 || t->again_at < until_us) ? t->again_at : until_us;
	int64_t left = wake_us < 0 ? INT64_MAX : wake_us - now_us();
	int ms = left <= 0 ? 0 : left / 1000 >= INT_MAX ? INT_MAX : (int)(left / 1000 + 1);

	/* The front tells it after the end of the init: as long as it is there, that end says nothing. */
	if (t->waiting >= 0)
		fds[1].fd = -1;
	if (wake_us < 0)
		ms = -1;
	return poll(fds, 2, ms) == 0 && until_us >= 0 && now_us() >= until_us ? -ETIMEDOUT : 0;
}

static int wait_for_end(struct pidbox_target *t, int64_t until_us, struct pidbox_error *err)
{
	for (;;) {
		int r = t->waiting >= 0 ? take_answer(t) : -EPIPE;

		if (r == 0)
			return 0;
		if (r == -EPIPE && (!t->live || pidref_has_ended(target_ref(t))))
			return finish(t, err);
		r = wait_a_while(t, until_us);
		if (r < 0)
			return r;
		if (t->again_at != 0 && now_us() >= t->again_at)
			begin(t);
	}
}

int pidbox_target_wait(struct pidbox_target *target, int64_t timeout_us, struct pidbox_target_status *ret,
		       struct pidbox_error *err)
{
	int64_t until_us = timeout_us < 0 ? -1 : later(now_us(), timeout_us);
	int r = 0;

	if (target->own && !target->one_process)
		return target_refuse_own(target, "waiting for", err);
	if (!target->told) {
		begin(target);
		r = wait_for_end(target, until_us, err);
	}
	if (r == 0 && ret != NULL)
		*ret = target->status;
	return r;
}
