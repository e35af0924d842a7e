/* SPDX-License-Identifier: MIT */
/* A command in namespaces that somebody else has made: see enter.h. */
#include "core/enter.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/box.h"
#include "core/exec.h"

#include <string.h>
#include <sys/socket.h>

static int nobody_there(struct pidbox_error *err)
{
	int r = err_set(err, ESRCH, PIDBOX_CODE_BOX_DEAD, "entering the namespace");

	err_why(err, "no process that can be seen is in it, and a PID namespace whose PID 1 has ended takes no other "
		     "(R9)");
	err_fix(err, "name a box that lives: pidbox ls");
	return r;
}

/* The helper takes it as an init takes the request of a client. */
static int send_request(int to, int connection, const struct exec_request *request)
{
	const int fds[] = { connection, request->payload, request->stdio[0], request->stdio[1], request->stdio[2] };
	struct wire_msg msg = { .type = MSG_REQUEST };
	struct iovec iov = { &msg, WIRE_HEAD };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(fds))];
	} control = { 0 };
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};

	_Static_assert(sizeof(fds) / sizeof(fds[0]) == EXEC_REQUEST_FDS, "what the request takes");
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	while (sendmsg(to, &head, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int cannot_ask(int r, struct pidbox_error *err)
{
	r = err_set(err, -r, PIDBOX_CODE_NONE, "asking the helper that enters the namespaces");
	err_why(err, r == -EPIPE ? "somebody has killed it"
				 : "its descriptors cannot be made or sent: RLIMIT_NOFILE, or no memory");
	err_fix(err, "try again; raise ulimit -n");
	return r;
}

/* Start the helper: for box_start it is the init of a box without a namespace of its own. */
static int start_helper(struct pidbox *box, struct pidbox_exec *exec, const struct exec_request *request,
			struct pidbox_error *err)
{
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return cannot_ask(-errno, err);
	pair[0] = io_above_stdio(pair[0]);
	pair[1] = io_above_stdio(pair[1]);
	r = pair[0] < 0 || pair[1] < 0 ? cannot_ask(-EMFILE, err) : box_start(box, err);
	if (r == 0) {
		r = send_request(box->socket, pair[1], request);
		r = r < 0 ? cannot_ask(r, err) : 0;
	}
	cleanup_close(&pair[1]);
	if (r < 0) {
		box_abort(box);
		cleanup_close(&pair[0]);
		return r;
	}
	exec->connection = pair[0];
	exec->helper = (struct pidref){ .pid = box->init_pid, .pidfd = take_fd(&box->pidfd) };
	return 0;
}

int exec_by_setns(struct pidbox_exec *exec, const struct exec_request *request, struct pidbox_error *err)
{
	const struct pidbox_target *target = request->target;
	struct enter_facts *facts = target->process.pid > 0 ? malloc(sizeof(*facts)) : NULL;
	struct pidbox *box = calloc(1, sizeof(*box));
	int r = 0;

	if (target->process.pid <= 0)
		r = nobody_there(err);
	else if (box == NULL || facts == NULL)
		r = err_no_memory(err, "entering the namespaces");
	if (r == 0)
		r = enter_facts_gather(&target->process, target->pid_namespace, facts, err);
	if (r == 0) {
		box->socket = box->pidfd = box->tty = box->interrupt_fd = -1;
		r = enter_plan_make(facts, request->spec->only, &box->plan, err);
		if (r == 0)
			r = start_helper(box, exec, request, err);
		if (r == 0)
			exec->cgroup_refused = facts->cgroup_refused;
		cleanup_close(&box->socket);
		cleanup_close(&box->pidfd);
		pidbox_plan_free(box->plan);
		enter_facts_free(facts);
	}
	free(facts);
	free(box);
	return r;
}
