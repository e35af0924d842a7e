/* SPDX-License-Identifier: MIT */
/* A command in a box of pidbox's own: its front hands the request on to its init, which starts it and then speaks. */
#include "core/exec.h"

#include "base/err.h"
#include "core/control_client.h"

#include <errno.h>

static int cannot_send(int r, struct pidbox_error *err)
{
	if (r == -EPIPE || r == -ECONNRESET) {
		r = err_set(err, ESRCH, PIDBOX_CODE_BOX_DEAD, "asking the box's front");
		err_why(err, "it has closed the connection: the box is ending");
		err_fix(err, "start a box anew; `pidbox ls` names those that live");
		return r;
	}
	r = err_set(err, -r, PIDBOX_CODE_NONE, "asking the box's front");
	err_why(err,
		"the request cannot be sent: too many descriptors are on their way already (RLIMIT_NOFILE), or there "
		"is no memory");
	err_fix(err, "raise ulimit -n, or free memory");
	return r;
}

int exec_by_init(struct pidbox_exec *exec, const struct exec_request *request, struct pidbox_error *err)
{
	const int fds[] = { request->payload, request->stdio[0], request->stdio[1], request->stdio[2] };
	const struct control_request ask = { .type = CONTROL_EXEC, .payload = request->payload_size };
	int r;

	exec->connection = control_connect(request->entry, &exec->init, err);
	if (exec->connection < 0)
		return exec->connection;
	r = control_send(exec->connection, &ask, fds, sizeof(fds) / sizeof(fds[0]));
	return r < 0 ? cannot_send(r, err) : 0;
}
