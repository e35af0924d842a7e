/* SPDX-License-Identifier: MIT */
/* The public functions about a command that pidbox_exec has started: its events, signals, end and record. */
#include "core/exec.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/record.h"
#include "kern/sig.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { HELD_UP_MS = 10000, HELPER_PATIENCE_MS = 2000 };

/* ------------------------------------------------------------ the connection */

/* ECONNRESET comes once, and before what is left to read: the other side has closed with a message of ours unread. */
static ssize_t read_message(int connection, struct msghdr *head)
{
	ssize_t n;

	do
		n = recvmsg(connection, head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n;
}

int exec_receive(struct pidbox_exec *exec, struct control_reply *ret, pid_t *ret_about)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct control_reply reply;
	struct iovec iov = { &reply, sizeof(reply) };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	struct ucred cred;
	ssize_t n;

	if (exec->connection < 0)
		return 0;
	n = read_message(exec->connection, &head);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
		return 0;
	if (n <= 0) {
		cleanup_close(&exec->connection);
		exec->connection = -1;
		return 0;
	}
	if (n != (ssize_t)sizeof(reply) || reply.magic != CONTROL_MAGIC || reply.version != CONTROL_VERSION)
		return -EPROTO;
	*ret_about = 0;
	c = CMSG_FIRSTHDR(&head);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		/* Without the right to name another process the kernel names the sender. */
		if (cred.pid != exec->init.pid && cred.pid != exec->helper.pid)
			*ret_about = cred.pid;
	}
	*ret = reply;
	return 1;
}

void exec_take_end(struct pidbox_exec *exec, const struct control_reply *reply)
{
	exec->result = (struct pidbox_result){
		.reason = (enum pidbox_reason)reply->reason,
		.exit_code = reply->exit_code,
		.signal = reply->signal,
		.core_dumped = reply->core_dumped,
		.oom_killed = -1,
		.ended_by_uid = -1,
		.wall_us = reply->wall_us,
		.user_us = reply->user_us,
		.sys_us = reply->sys_us,
		.max_rss_kib = reply->max_rss_kib,
	};
	if (exec->result.reason == PIDBOX_REASON_KILLED)
		exec->result.ended_by_signal = reply->signal;
	exec->box_ended = reply->aux == EXEC_ENDED_BOX;
	exec->has_result = true;
}

/*
 * No word of the end: somebody has killed the init, and so everything; or our helper, whose child the kernel then kills
 * (its parent-death signal), and the box goes on.
 */
static void end_untold(struct pidbox_exec *exec)
{
	const struct control_reply reply = {
		.reason = PIDBOX_REASON_KILLED,
		.exit_code = -1,
		.signal = SIGKILL,
		.aux = exec->helper.pid > 0 ? EXEC_ENDED_ITSELF : EXEC_ENDED_BOX,
		.wall_us = now_us() - exec->t0_us,
	};

	exec_take_end(exec, &reply);
}

/* ------------------------------------------------------------ following it */

void pidbox_exec_get_info(const struct pidbox_exec *exec, struct pidbox_exec_info *ret)
{
	*ret = (struct pidbox_exec_info){
		.pid = exec->pid,
		.inside_pid = exec->inside_pid,
		.init_pid = exec->init.pid,
		.pid_namespace = exec->pid_namespace,
		.exec_us = exec->exec_us,
		.cgroup_errnum = exec->cgroup_refused,
	};
	memcpy(ret->id, exec->id, sizeof(ret->id));
}

int pidbox_exec_fd(const struct pidbox_exec *exec)
{
	return exec->connection >= 0 ? exec->connection : -EBADF;
}

int pidbox_exec_tty_fd(const struct pidbox_exec *exec)
{
	return exec->tty >= 0 ? exec->tty : -EBADF;
}

size_t pidbox_exec_fds(const struct pidbox_exec *exec, int *fds, size_t n)
{
	const int own[] = { exec->connection, exec->tty, exec->init.pidfd, exec->helper.pidfd };

	return io_list_open(own, ARRAY_LEN(own), fds, n);
}

int pidbox_exec_next_event(struct pidbox_exec *exec, struct pidbox_event *ret)
{
	struct pidbox_event ev = { .type = PIDBOX_EVENT_NONE };
	struct control_reply reply;
	pid_t about;
	int r;

	if (exec->has_result && exec->told_end)
		return 0;
	r = exec->has_result ? 0 : exec_receive(exec, &reply, &about);
	if (r < 0)
		return r;
	if (r == 1 && reply.type == CONTROL_ENDED)
		exec_take_end(exec, &reply);
	else if (r == 1 && reply.type == CONTROL_STOPPED)
		ev = (struct pidbox_event){ .type = PIDBOX_EVENT_STOPPED, .signal = reply.signal };
	else if (r == 0 && !exec->has_result && exec->connection < 0)
		end_untold(exec);
	else if (r == 0 && !exec->has_result)
		return 0;
	if (exec->has_result) {
		ev.type = PIDBOX_EVENT_RESULT;
		exec->told_end = true;
	}
	*ret = ev;
	return 1;
}

int pidbox_exec_signal(struct pidbox_exec *exec, int sig)
{
	const struct control_request request = {
		.magic = CONTROL_MAGIC,
		.version = CONTROL_VERSION,
		.type = CONTROL_SIGNAL,
		.signal = sig,
	};

	if (sig < 1 || sig > SIG_MAX)
		return -EINVAL;
	if (exec->has_result || exec->connection < 0)
		return -ESRCH;
	while (send(exec->connection, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		if (errno != EINTR)
			return errno == EPIPE || errno == ECONNRESET ? -ESRCH : -errno;
	return 0;
}

/* ------------------------------------------------------------ its end */

static void poll_one(int fd, int64_t timeout_us)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ms = timeout_us < 0 ? -1 : timeout_us / 1000 >= INT_MAX ? INT_MAX : (int)((timeout_us + 999) / 1000);

	(void)poll(&p, 1, ms);
}

int pidbox_exec_wait(struct pidbox_exec *exec, int64_t timeout_us, struct pidbox_result *ret)
{
	int64_t until = timeout_us >= 0 ? later(now_us(), timeout_us) : 0;

	while (!exec->has_result) {
		struct pidbox_event ev;
		int64_t left = -1;

		if (pidbox_exec_next_event(exec, &ev) != 0)
			continue; /* what makes no sense is passed over; it comes to an end */
		if (until > 0) {
			left = until - now_us();
			if (left <= 0)
				return -ETIMEDOUT;
		}
		poll_one(exec->connection, left);
	}
	/* The kernel has told us of the end of PID 1 when everything inside is gone (R8). */
	if (exec->box_ended && exec->init.pidfd >= 0)
		poll_one(exec->init.pidfd, HELD_UP_MS * INT64_C(1000));
	if (ret != NULL)
		*ret = exec->result;
	return 0;
}

bool pidbox_exec_box_ended(const struct pidbox_exec *exec)
{
	return exec->box_ended;
}

int pidbox_exec_status(const struct pidbox_exec *exec, const struct pidbox_result *res)
{
	if (res == NULL)
		res = &exec->result;
	if (res->reason == PIDBOX_REASON_TIMEOUT)
		return PIDBOX_EXIT_TIMEOUT;
	if (res->signal > 0)
		return 128 + (res->signal & 0x7f);
	return res->exit_code < 0 ? PIDBOX_EXIT_FAILED : res->exit_code & 0xff;
}

size_t pidbox_exec_record(const struct pidbox_exec *exec, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);
	const struct record rec = {
		.result = &exec->result,
		.name = exec->name[0] != '\0' ? exec->name : NULL,
		.containment = "pidns",
		.id = exec->id,
		.pid_namespace = exec->pid_namespace,
		.init_pid = exec->init.pid,
		.command_pid = exec->pid,
		.inside_pid = exec->inside_pid,
		.command = exec->command,
		.started_realtime_us = exec->started_realtime_us,
	};

	record_write(&s, &rec);
	return (size_t)sink_end(&s);
}

/*
 * The end of the connection is the helper's, too, when it has ended what it holds. One that is stopped, or waits for a
 * grace, is killed: the kernel then kills its child (its parent-death signal).
 */
static void end_helper(struct pidbox_exec *exec)
{
	siginfo_t info;

	if (exec->helper.pid <= 0)
		return;
	if (poll(&(struct pollfd){ .fd = exec->helper.pidfd, .events = POLLIN }, 1, HELPER_PATIENCE_MS) <= 0)
		(void)pidref_signal(&exec->helper, SIGKILL);
	while (waitid((idtype_t)P_PIDFD, (id_t)exec->helper.pidfd, &info, WEXITED | __WALL) < 0)
		if (errno != EINTR)
			break;
	pidref_close(&exec->helper);
}

void pidbox_exec_free(struct pidbox_exec *exec)
{
	if (exec == NULL)
		return;
	cleanup_close(&exec->connection);
	cleanup_close(&exec->tty);
	end_helper(exec);
	pidref_close(&exec->init);
	for (size_t i = 0; exec->command != NULL && exec->command[i] != NULL; i++)
		free(exec->command[i]);
	free(exec->command);
	free(exec);
}
