/* SPDX-License-Identifier: MIT */
/*
 * What `pidbox exec` starts in a running box (core/control.h has the language, core/exec_wire.h the payload).
 *
 *   request     the front hands on a client's connection, its payload, and what becomes 0, 1, 2
 *   starting    a child is there (exec_clone.c); until its exec it holds the writing end of a pipe, where it leaves its
 *               failure
 *   running     CONTROL_STARTED has been said. It ends by itself; at its time limit; when its client hangs up; with the
 *               box. The first of these decides what the client is told
 *   ended       reaped: CONTROL_ENDED
 *
 * Whatever a client does must not hold the init up: nothing here waits, a turn takes a bounded number of messages, what
 * cannot be sent now is kept, one message each.
 */
#include "init/init.h"

#include "base/util.h"
#include "core/control.h"
#include "kern/sig.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

enum { SESSIONS_LEFT = 256, A_TURN = 16, MEMORY_LOOK_US = 5000 };

/* Which of an exec's two descriptors an event is about; the events of others are descriptors, and below this. */
#define EVENT_EXEC     (UINT64_C(1) << 32)
#define EVENT_STARTING (UINT64_C(1) << 33)

struct exec {
	bool used;
	int connection; /* to the client; -1: it has hung up, or has been told everything */
	int starting;   /* reading end of the pipe of the start; -1: it is over */
	pid_t pid;      /* 0: has been reaped */
	pid_t inside;   /* its number inside, where the init is; a helper is outside */
	int64_t since_us;
	int64_t at; /* when something is to be done; 0: nothing */
	int64_t grace_us;
	bool has_grace;
	bool started; /* the client has been told so */
	bool asked;   /* it has been asked to end: SIGKILL is next */
	uint8_t stop_signal;
	int forwarded; /* the last signal that its client sent */
	enum pidbox_reason reason;
	bool has_last; /* CONTROL_ENDED is to be sent still */
	struct control_reply last;
};

static struct exec execs[EXECS] LIES_BEHIND;
static unsigned n_execs;                      /* none is used from here on */
static pid_t left[SESSIONS_LEFT] LIES_BEHIND; /* sessions of those that are over, in which something still was */
static unsigned n_left;

static struct exec *find(pid_t pid)
{
	for (unsigned i = 0; i < n_execs; i++)
		if (execs[i].used && execs[i].pid == pid)
			return &execs[i];
	return NULL;
}

bool exec_any(void)
{
	return n_execs > 0;
}

/* The kernel gives a session's number to nobody while a process is in it; who has it now is no member of the old one.
 */
bool exec_owns(pid_t pid)
{
	pid_t session = getsid(pid);
	unsigned i = 0;

	if (find(pid) != NULL || (session > 0 && find(session) != NULL))
		return true;
	while (i < n_left && left[i] != session)
		i++;
	return i < n_left && kill(session, 0) < 0 && errno == ESRCH;
}

bool exec_any_owned(void)
{
	return n_execs > 0 || n_left > 0;
}

/*
 * What an exec leaves in its session is its own still when it is asked who leaks. Looked at now, because later the
 * number may be another's, and only where it will be asked. With too many one gives way: it counts as the box's.
 */
static void note_what_is_left(struct box *b, pid_t session)
{
	if (!(b->plan->flags & WIRE_ACCOUNT) || b->ended)
		return;
	if (n_left == SESSIONS_LEFT)
		memmove(left, left + 1, --n_left * sizeof(left[0]));
	left[n_left++] = session;
	n_left = survey_sessions(b, left, n_left);
}

static struct exec *find_free(void)
{
	for (unsigned i = 0; i < EXECS; i++)
		if (!execs[i].used)
			return &execs[i];
	return NULL;
}

/* ------------------------------------------------------------ descriptors */

/* Processes that are before their exec hold copies of it, so that closing alone would not end its events. */
static void close_watched(const struct box *b, int *fd)
{
	if (*fd < 0)
		return;
	(void)epoll_ctl(b->events, EPOLL_CTL_DEL, *fd, NULL);
	(void)close(*fd);
	*fd = -1;
}

static int watch(const struct box *b, int fd, const struct exec *x, uint64_t which)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = EVENT_EXEC | which | (uint64_t)(x - execs) };

	return sys_ret(epoll_ctl(b->events, EPOLL_CTL_ADD, fd, &ev));
}

/* Nothing more is to come of it: no process, nobody to tell. */
static void free_if_over(struct exec *x)
{
	if (x->pid != 0 || x->connection >= 0 || x->starting >= 0)
		return;
	x->used = false;
	while (n_execs > 0 && !execs[n_execs - 1].used)
		n_execs--;
}

/* ------------------------------------------------------------ to the client */

/* about: whose PID the message carries as credentials, see front_send in front.c; 0: nobody's. @return 0 or -errno */
static int send_reply(int connection, const struct control_reply *reply, pid_t about)
{
	struct iovec iov = { (void *)(uintptr_t)reply, sizeof(*reply) };
	struct msghdr head = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	const struct ucred cred = { .pid = about, .uid = getuid(), .gid = getgid() };

	if (about > 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_CREDENTIALS;
		control.head.cmsg_len = CMSG_LEN(sizeof(cred));
		memcpy(CMSG_DATA(&control.head), &cred, sizeof(cred));
		head.msg_control = &control;
		head.msg_controllen = sizeof(control.space);
		if (sendmsg(connection, &head, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		head.msg_control = NULL;
		head.msg_controllen = 0;
	}
	return sys_ret(sendmsg(connection, &head, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static struct control_reply reply_of(enum control_type type)
{
	return (struct control_reply){ .magic = CONTROL_MAGIC, .version = CONTROL_VERSION, .type = type };
}

static void refuse(int connection, int errnum, enum exec_step step, int aux)
{
	struct control_reply reply = reply_of(CONTROL_FAILED);

	reply.errnum = errnum;
	reply.step = (int32_t)step;
	reply.aux = aux;
	(void)send_reply(connection, &reply, 0);
}

/* Tell the end, now or when there is room. */
static void send_last(struct box *b, struct exec *x)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.u64 = EVENT_EXEC | (uint64_t)(x - execs) };
	int r;

	if (!x->has_last || x->connection < 0)
		return;
	r = send_reply(x->connection, &x->last, 0);
	x->at = 0;
	if (r == -EAGAIN && epoll_ctl(b->events, EPOLL_CTL_MOD, x->connection, &ev) == 0)
		return;
	if (r == -ENOMEM || r == -ENOBUFS) {
		x->at = later(now_us(), MEMORY_LOOK_US);
		return;
	}
	close_watched(b, &x->connection);
}

/* ------------------------------------------------------------ its end */

static void ask_to_end(struct exec *x, int64_t grace_us)
{
	x->asked = true;
	x->at = later(now_us(), grace_us);
	if (grace_us == 0)
		return;
	(void)kill(-x->pid, x->stop_signal);
	(void)kill(-x->pid, SIGCONT);
}

static void end_now_with_session(struct box *b, struct exec *x)
{
	x->at = 0;
	(void)kill(x->pid, SIGKILL); /* it may not lead its session yet */
	survey_kill_session(b, x->pid);
}

static void hung_up(struct box *b, struct exec *x)
{
	close_watched(b, &x->connection);
	if (x->pid == 0)
		return;
	if (x->reason == PIDBOX_REASON_EXITED)
		x->reason = PIDBOX_REASON_PARENT_GONE;
	if (!x->asked)
		ask_to_end(x, x->has_grace ? x->grace_us : 0);
}

void exec_hang_up(struct box *b)
{
	for (unsigned i = 0; i < n_execs; i++)
		if (execs[i].used && execs[i].connection >= 0)
			hung_up(b, &execs[i]);
}

int64_t exec_next_deadline(void)
{
	int64_t next = 0;

	for (unsigned i = 0; i < n_execs; i++)
		if (execs[i].used && execs[i].at != 0 && (next == 0 || execs[i].at < next))
			next = execs[i].at;
	return next;
}

void exec_check_deadlines(struct box *b)
{
	int64_t now = n_execs > 0 ? now_us() : 0;

	for (unsigned i = 0; i < n_execs; i++) {
		struct exec *x = &execs[i];

		if (!x->used || x->at == 0 || now < x->at)
			continue;
		if (x->has_last) {
			send_last(b, x);
			free_if_over(x);
		} else if (x->asked) {
			end_now_with_session(b, x);
		} else {
			x->reason = PIDBOX_REASON_TIMEOUT;
			ask_to_end(x, x->grace_us);
		}
	}
}

static enum pidbox_reason reason_of(const struct exec *x, int status)
{
	if (x->reason != PIDBOX_REASON_EXITED)
		return x->reason;
	if (!WIFSIGNALED(status))
		return PIDBOX_REASON_EXITED;
	return x->forwarded == WTERMSIG(status) ? PIDBOX_REASON_KILLED : PIDBOX_REASON_SIGNALED;
}

static int64_t timeval_us(struct timeval tv)
{
	return (int64_t)tv.tv_sec * US_PER_S + tv.tv_usec;
}

static struct control_reply end_of(const struct box *b, const struct exec *x, int status, const struct rusage *usage)
{
	struct control_reply r = reply_of(CONTROL_ENDED);

	r.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	r.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
	r.reason = (int32_t)reason_of(x, status);
	r.status = r.reason == PIDBOX_REASON_TIMEOUT ? PIDBOX_EXIT_TIMEOUT
		   : r.signal > 0                    ? 128 + r.signal
						     : r.exit_code;
	if (r.signal == SIGKILL && !x->asked && (b->plan->flags & WIRE_ENTER) && enter_box_is_dead(b)) {
		r.reason = PIDBOX_REASON_KILLED;
		r.aux = EXEC_ENDED_BOX;
	}
	r.wall_us = now_us() - x->since_us;
	r.user_us = timeval_us(usage->ru_utime);
	r.sys_us = timeval_us(usage->ru_stime);
	r.max_rss_kib = usage->ru_maxrss;
	return r;
}

/* ------------------------------------------------------------ its start */

/* A helper is where the front is, and its number for the command is the front's. A cgroup may have been refused. */
static void note_entry(const struct box *b, const struct exec *x, struct control_reply *reply)
{
	reply->aux = x->pid;
	if (b->start->errnum != 0) {
		reply->step = (int32_t)b->start->step;
		reply->errnum = b->start->errnum;
	}
}

/* The pipe of the start has something: a failure, or its end by the exec. */
static void take_start(struct box *b, struct exec *x)
{
	struct control_reply reply = reply_of(CONTROL_STARTED);
	struct exec_failure failure;
	ssize_t n = x->starting >= 0 ? read(x->starting, &failure, sizeof(failure)) : -1;

	if (n < 0)
		return;
	close_watched(b, &x->starting);
	exec_clone_over();
	if (x->connection < 0)
		return;
	if (n == (ssize_t)sizeof(failure)) {
		refuse(x->connection, failure.errnum, (enum exec_step)failure.step, failure.aux);
		close_watched(b, &x->connection);
		return;
	}
	reply.inside_pid = x->inside;
	if (b->plan->flags & WIRE_ENTER)
		note_entry(b, x, &reply);
	x->started = true;
	(void)send_reply(x->connection, &reply, x->pid);
}

bool exec_reaped(struct box *b, pid_t pid, int status, const struct rusage *usage)
{
	struct exec *x = find(pid);

	if (x == NULL)
		return false;
	take_start(b, x);
	close_watched(b, &x->starting);
	x->pid = 0;
	x->at = 0;
	if (x->connection >= 0) {
		x->last = end_of(b, x, status, usage);
		x->has_last = true;
		send_last(b, x);
	}
	free_if_over(x);
	note_what_is_left(b, pid);
	return true;
}

void exec_stopped(pid_t pid, int sig)
{
	struct exec *x = find(pid);
	struct control_reply reply = reply_of(CONTROL_STOPPED);

	reply.signal = sig;
	/* Without room the client does not read, and has been told before. */
	if (x != NULL && x->started && x->connection >= 0)
		(void)send_reply(x->connection, &reply, 0);
}

/* @return 0 and the head; -EBADMSG, -EOPNOTSUPP... Nothing of it is believed, and nothing of it is waited for: sealed
 * files are memory. */
static int look_at_payload(int fd, struct exec_payload *head, size_t *ret_size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & EXEC_SEALS) != EXEC_SEALS || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(*head) || st.st_size > CONTROL_MAX_PAYLOAD)
		return -EBADMSG;
	*ret_size = (size_t)st.st_size;
	if (pread(fd, head, sizeof(*head), 0) != (ssize_t)sizeof(*head))
		return -EBADMSG;
	return exec_payload_check_head(head);
}

static int clone_one(struct box *b, struct exec *x, const int *fds, uint32_t flags, size_t size)
{
	int pair[2];
	int r = sys_ret(pipe2(pair, O_CLOEXEC | O_NONBLOCK));
	struct exec_start s = { .box = b, .flags = flags, .payload_size = size };

	if (r < 0)
		return r;
	memcpy(s.fds, fds, sizeof(s.fds));
	s.report = pair[1];
	x->connection = fds[0];
	x->starting = pair[0];
	r = watch(b, pair[0], x, EVENT_STARTING);
	if (r == 0)
		r = watch(b, fds[0], x, 0);
	if (r == 0)
		r = exec_clone(&s);
	(void)close(pair[1]);
	if (r > 0) {
		x->pid = r;
		x->inside = b->plan->flags & WIRE_ENTER ? enter_inside_pid(b, r) : r;
		return 0;
	}
	close_watched(b, &x->starting);
	(void)epoll_ctl(b->events, EPOLL_CTL_DEL, fds[0], NULL);
	return r;
}

/* Its front may have been stopped, and the client have given up since: it was told that nothing runs. */
static bool has_gone(int connection)
{
	struct pollfd p = { .fd = connection, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

/* @return 0: the connection is the exec's; -errno, and *ret_step */
static int start(struct box *b, const int *fds, enum exec_step *ret_step)
{
	struct exec *x = find_free();
	struct exec_payload head;
	size_t size = 0;
	int r = x == NULL ? -EAGAIN : has_gone(fds[0]) ? -EPIPE : look_at_payload(fds[1], &head, &size);

	*ret_step = EXEC_STEP_TAKE;
	if (r < 0)
		return r;
	*ret_step = EXEC_STEP_START;
	*x = (struct exec){
		.used = true,
		.since_us = now_us(),
		.grace_us = head.grace_us,
		.has_grace = head.flags & EXEC_HAS_GRACE,
		.stop_signal = (uint8_t)head.stop_signal,
		.reason = PIDBOX_REASON_EXITED,
	};
	x->at = head.timeout_us > 0 ? later(x->since_us, head.timeout_us) : 0;
	r = clone_one(b, x, fds, head.flags, size);
	if (r < 0)
		x->used = false;
	else if (n_execs <= (unsigned)(x - execs))
		n_execs = (unsigned)(x - execs) + 1;
	return r;
}

void exec_requested(struct box *b, const int *fds, size_t n, bool truncated)
{
	enum exec_step step = EXEC_STEP_TAKE;
	int r = -EBADMSG;

	exec_make_room();
	if (b->refused.errnum != 0) {
		r = -b->refused.errnum;
		step = (enum exec_step)b->refused.step;
	} else if (truncated)
		r = -EMFILE;
	else if (b->ending || b->ended)
		r = -ESHUTDOWN;
	else if (n == EXEC_REQUEST_FDS)
		r = start(b, fds, &step);
	if (r < 0 && n > 0)
		refuse(fds[0], -r, step, 0);
	for (size_t i = r == 0; i < n; i++)
		(void)close(fds[i]);
}

/* ------------------------------------------------------------ from the client */

static void take_request(struct exec *x, const struct control_request *request)
{
	if (request->magic != CONTROL_MAGIC || request->type != CONTROL_SIGNAL || x->pid == 0)
		return; /* of a newer client, or of none */
	if (request->signal < 1 || request->signal > SIG_MAX)
		return;
	if (signals_end_by_default(request->signal))
		x->forwarded = request->signal;
	(void)kill(-x->pid, request->signal);
}

static void take_requests(struct box *b, struct exec *x)
{
	struct control_request request;
	ssize_t n = 1;

	for (int i = 0; i < A_TURN && n > 0; i++) {
		n = recv(x->connection, &request, sizeof(request), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(request))
			take_request(x, &request);
	}
	/* An empty message is none that this language has: it is taken for the end, too. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOMEM && errno != ENOBUFS))
		hung_up(b, x);
}

void exec_take_event(struct box *b, uint64_t event)
{
	struct exec *x = &execs[(uint32_t)event % EXECS];

	/* It may be one of an exec that is over by now, in whose place there is another: then there is nothing to read.
	 */
	if (!x->used)
		return;
	if (event & EVENT_STARTING)
		take_start(b, x);
	else if (x->has_last)
		send_last(b, x);
	else if (x->connection >= 0)
		take_requests(b, x);
	free_if_over(x);
}

/* The box's end is theirs. Who listens is told before the kernel does it. */
void exec_box_ends(struct box *b)
{
	for (unsigned i = 0; i < n_execs; i++) {
		struct control_reply reply = reply_of(CONTROL_ENDED);
		struct exec *x = &execs[i];

		if (!x->used || x->connection < 0)
			continue;
		if (x->has_last) {
			reply = x->last;
		} else {
			reply.signal = SIGKILL;
			reply.exit_code = -1;
			reply.status = 128 + SIGKILL;
			reply.reason = PIDBOX_REASON_KILLED;
			reply.aux = EXEC_ENDED_BOX;
			reply.wall_us = now_us() - x->since_us;
		}
		(void)send_reply(x->connection, &reply, 0);
		close_watched(b, &x->connection);
	}
}
