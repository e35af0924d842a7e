/* SPDX-License-Identifier: MIT */
#include "core/control_client.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/pidns.h"
#include "kern/proc.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* ------------------------------------------------------------ words */

static const struct {
	int errnum;
	enum pidbox_code code;
	const char *why, *fix;
} failures[] = {
	{ ESRCH, PIDBOX_CODE_BOX_DEAD, "its front is gone, or the box is ending", "`pidbox ls` names those that live" },
	{ EPIPE, PIDBOX_CODE_BOX_DEAD, "it has closed the connection: the box is ending",
	  "`pidbox ls` names those that live" },
	{ EACCES, PIDBOX_CODE_DENIED,
	  "a front takes orders from its own user and root, and only from outside of the box: from its own PID "
	  "namespace or one above",
	  "do it as that user or root, outside of the box" },
	{ EPERM, PIDBOX_CODE_DENIED, "who listens there is not the front of that box",
	  "remove that socket, if you know whose it is" },
	{ ETIMEDOUT, PIDBOX_CODE_NONE, "it does not answer: somebody may have stopped it",
	  "let it go on (kill -CONT), or kill its init" },
	{ EAGAIN, PIDBOX_CODE_NONE, "it has as many requests as it takes at once, or its init is stopped",
	  "try again" },
	{ EBUSY, PIDBOX_CODE_NONE, "the box is being set up still, or is held", "try again when its command runs" },
	{ EOPNOTSUPP, PIDBOX_CODE_NONE,
	  "it cannot do that: the box has no init (--as-pid1), or is of another release of pidbox",
	  "signal its processes by their own PIDs; `pidbox ps` shows them" },
	{ EPROTO, PIDBOX_CODE_NONE, "it does not speak as this release of pidbox does",
	  "use the release that the box was started with" },
	{ EINVAL, PIDBOX_CODE_NONE, "it does not understand the request",
	  "use the release that the box was started with" },
	{ EMFILE, PIDBOX_CODE_NONE, "there are no descriptors left (RLIMIT_NOFILE)", "raise ulimit -n" },
	{ ETOOMANYREFS, PIDBOX_CODE_NONE, "too many descriptors are on their way (RLIMIT_NOFILE)", "raise ulimit -n" },
};

bool control_lacks(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ETOOMANYREFS || r == -ENOMEM || r == -ENOBUFS;
}

int control_failed(int r, struct pidbox_error *err)
{
	(void)err_set(err, -r, PIDBOX_CODE_NONE, "asking the box's front");
	err_why(err, "the kernel refuses the socket");
	err_fix(err, "try again");
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].errnum != -r)
			continue;
		(void)err_set(err, -r, failures[i].code, "asking the box's front");
		err_why(err, "%s", failures[i].why);
		err_fix(err, "%s", failures[i].fix);
	}
	return r;
}

/* ------------------------------------------------------------ connecting */

/* The kernel remembers who called listen(2) (SO_PEERCRED in unix(7)): it has to be the parent of the init. */
static int verify_front(int fd, const struct pidref *init)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	pid_t parent;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	parent = pidref_parent(init);
	if (parent == -ESRCH)
		return -ESRCH;
	return peer.pid > 0 && peer.pid == parent ? 0 : -EPERM;
}

static int connect_to(const char *path)
{
	const struct timeval patience = { CONTROL_PATIENCE_US / US_PER_S, 0 };
	CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CLEANUP(cleanup_close) int dir = -1;
	char parent[REGISTRY_PATH_SIZE];
	struct sockaddr_un address;
	const char *name = strrchr(path, '/');
	int r;

	fd = fd < 0 ? -errno : io_above_stdio(fd);
	if (fd < 0)
		return fd;
	if (name == NULL || path[0] == '\0')
		return -ESRCH;
	memcpy(parent, path, (size_t)(name - path));
	parent[name - path] = '\0';
	dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	rundir_address(dir, parent, name + 1, &address);
	/* While others wait to be accepted connect(2) does not return: for so long. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	do
		r = sys_ret(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
	while (r == -EINTR);
	if (r == -ENOENT)
		return -ESRCH;
	return r < 0 ? r : take_fd(&fd);
}

/* @return true: who listens there is the front, it is stopped, and *ret holds it */
static bool find_stopped(int fd, const struct pidref *init, struct pidref *ret)
{
	CLEANUP(cleanup_close) int proc = pidns_open_proc();
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	struct proc_stat stat;

	if (proc < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0 ||
	    pidref_open(peer.pid, ret) < 0)
		return false;
	if (proc_read_stat(proc, init->pid, &stat) == 0 && stat.parent == peer.pid && pidref_verify(init) == 0 &&
	    proc_read_stat(proc, peer.pid, &stat) == 0 && stat.state == 'T' && pidref_verify(ret) == 0)
		return true;
	pidref_close(ret);
	return false;
}

pid_t control_stopped_front(int fd, const struct pidref *init)
{
	struct pidref front;
	pid_t pid;

	if (!find_stopped(fd, init, &front))
		return 0;
	pid = front.pid;
	pidref_close(&front);
	return pid;
}

void control_wake(int fd, const struct pidref *init, const struct control_request *request)
{
	bool ends = request->type == CONTROL_KILL || (request->type == CONTROL_SIGNAL && request->signal == SIGKILL);
	struct pidref front;

	if (!ends && !(request->type == CONTROL_SIGNAL && request->signal == SIGCONT))
		return;
	if (!find_stopped(fd, init, &front))
		return;
	(void)pidref_signal(&front, SIGCONT);
	pidref_close(&front);
}

int control_connect(const struct registry_entry *entry, const struct pidref *init, struct pidbox_error *err)
{
	enum { BEGINNING_US = 1000000, LOOK_AGAIN_US = 2000 };
	int fd, r;

	/* Nobody listens: the front is gone, or of a box that begins has not come to it (bind(2) before listen(2)). */
	while ((fd = connect_to(entry->socket)) == -ECONNREFUSED && pidref_age_us(init) < BEGINNING_US &&
	       !pidref_has_ended(init))
		(void)usleep(LOOK_AGAIN_US);
	r = fd == -ECONNREFUSED ? -ESRCH : fd < 0 ? fd : verify_front(fd, init);

	if (r == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return control_failed(r, err);
}

/* ------------------------------------------------------------ speaking */

int control_send(int fd, const struct control_request *request, const int *fds, size_t n_fds)
{
	CLEANUP(cleanup_close) int self = io_above_stdio(sys_pidfd_open(getpid(), 0));
	struct control_request ask = *request;
	struct iovec iov = { &ask, sizeof(ask) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
	} control = { 0 };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	int all[CONTROL_MAX_FDS] = { self };

	if (self < 0 || n_fds >= CONTROL_MAX_FDS)
		return self < 0 ? self : -EINVAL;
	for (size_t i = 0; i < n_fds; i++)
		all[1 + i] = fds[i];
	ask.magic = CONTROL_MAGIC;
	ask.version = CONTROL_VERSION;
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = (socklen_t)CMSG_LEN((1 + n_fds) * sizeof(int));
	memcpy(CMSG_DATA(&control.head), all, (1 + n_fds) * sizeof(int));
	head.msg_controllen = (socklen_t)CMSG_SPACE((1 + n_fds) * sizeof(int));
	while (sendmsg(fd, &head, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int wait_readable(int fd, int64_t timeout_us)
{
	int64_t until = timeout_us >= 0 ? later(now_us(), timeout_us) : 0;

	for (;;) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int64_t left = timeout_us >= 0 ? until - now_us() : -1;
		int ms = timeout_us < 0           ? -1
			 : left <= 0              ? 0
			 : left / 1000 >= INT_MAX ? INT_MAX
						  : (int)(left / 1000 + 1);
		int n = poll(&readable, 1, ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (timeout_us >= 0 && now_us() >= until)
			return -ETIMEDOUT;
	}
}

/* ECONNRESET comes once, and before what is left to read: the other end has closed with a message of ours unread. */
static ssize_t receive(int fd, struct msghdr *head, int flags)
{
	int tries = 0;
	ssize_t n;

	do
		n = recvmsg(fd, head, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && (errno == EINTR || (errno == ECONNRESET && tries++ < 2)));
	return n < 0 ? -errno : n;
}

static int take_reply(int fd, int64_t timeout_us, int flags, struct control_reply *ret, int *ret_fd)
{
	struct control_reply reply;
	struct iovec iov = { &reply, sizeof(reply) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr head = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int came = -1, r = wait_readable(fd, timeout_us);
	ssize_t n;

	if (r < 0)
		return r;
	n = receive(fd, &head, flags);
	if (n <= 0)
		return n == 0 || n == -ECONNRESET ? -EPIPE : (int)n;
	c = CMSG_FIRSTHDR(&head);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&came, CMSG_DATA(c), sizeof(came));
	if (n != sizeof(reply) || reply.magic != CONTROL_MAGIC || reply.version != CONTROL_VERSION || ret_fd == NULL)
		cleanup_close(&came);
	if (n != sizeof(reply) || reply.magic != CONTROL_MAGIC || reply.version != CONTROL_VERSION)
		return -EPROTO;
	*ret = reply;
	if (ret_fd != NULL)
		*ret_fd = came;
	return 0;
}

int control_receive(int fd, int64_t timeout_us, struct control_reply *ret, int *ret_fd)
{
	return take_reply(fd, timeout_us, 0, ret, ret_fd);
}

int control_peek(int fd, struct control_reply *ret, int *ret_fd)
{
	return take_reply(fd, 0, MSG_PEEK, ret, ret_fd);
}

int control_ask(const struct registry_entry *entry, const struct pidref *init, const struct control_request *request,
		const int *fds, size_t n_fds, int64_t timeout_us, struct control_reply *reply, int *ret_fd,
		struct pidbox_error *err)
{
	CLEANUP(cleanup_close) int fd = control_connect(entry, init, err);
	CLEANUP(cleanup_close) int came = -1;
	int r = fd < 0 ? fd : control_send(fd, request, fds, n_fds);

	if (fd < 0)
		return r;
	if (r == 0)
		control_wake(fd, init, request);
	/* Who is refused at once may have been answered before he has spoken. */
	if (r == 0 || r == -EPIPE)
		r = control_receive(fd, timeout_us, reply, &came);
	if (r == 0 && reply->type == CONTROL_FAILED)
		r = reply->errnum > 0 ? -reply->errnum : -EPROTO;
	if (r < 0)
		return control_failed(r, err);
	if (ret_fd != NULL)
		*ret_fd = take_fd(&came);
	return 0;
}
