/* SPDX-License-Identifier: MIT */
/*
 * The helper that enters namespaces and starts a command there (core/enter.h): the init's image, but outside, and PID 1
 * of nothing. What it starts, and how that is followed, is exec.c; here is how it gets in, and how it ends.
 *
 * It is the parent that the command has outside. Until it has reaped the command the end of the box's PID 1 is not
 * reported (R8): so it is in a session of its own, where what stops its front does not reach it, and it ends with its
 * front in any case.
 */
#include "init/init.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/caps.h"
#include "kern/proc.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#ifndef PR_CAP_AMBIENT_CLEAR_ALL
#define PR_CAP_AMBIENT           47
#define PR_CAP_AMBIENT_RAISE     2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

static int self = -1; /* pidfd of the helper: by it the command sees whether it is there still */

/* ------------------------------------------------------------ steps of the helper */

/*
 * Before the namespaces are entered: in them these ids may have no number. The capabilities stay, since setns(2) asks
 * for them (prctl(2), PR_SET_KEEPCAPS; the effective ones are cleared by the change all the same).
 */
static int step_become(struct box *b, const struct wire_step *step, struct exec_failure *ret)
{
	struct caps caps;
	struct task t;
	int r;

	ret->step = EXEC_STEP_USER;
	task_of_plan(b, &t);
	(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	r = task_become_user(&t, step, &ret->aux);
	if (r == 0)
		r = caps_get(&caps);
	if (r < 0)
		return r;
	caps.effective = caps.permitted;
	return caps_set(&caps);
}

static int step_join(const struct box *b, const struct wire_step *step, struct exec_failure *ret)
{
	ret->step = EXEC_STEP_JOIN;
	return enter_join(b->proc, (int)step->b, (uint64_t)step->a);
}

static void run_steps(struct box *b)
{
	for (uint32_t i = 0; i < b->plan->n_steps && b->refused.errnum == 0; i++) {
		const struct wire_step *step = &b->plan->steps[i];
		struct exec_failure failure = { 0 };
		int r = 0;

		if (step->op == STEP_BECOME)
			r = step_become(b, step, &failure);
		else if (step->op == STEP_JOIN)
			r = step_join(b, step, &failure);
		failure.errnum = -r;
		if (r < 0)
			b->refused = failure; /* said when somebody asks for a command: see exec_requested */
	}
}

/* ------------------------------------------------------------ steps of the command */

/* A refusal is told, and no reason to fail: an ordinary user may join few cgroups but his own. */
int enter_cgroup(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	ssize_t n = sys_write((int)step->a, "0", 1);

	(void)t;
	(void)ret_aux;
	if (n < 0 && b->start->errnum == 0) {
		b->start->step = EXEC_STEP_CGROUP;
		b->start->errnum = (int32_t)-n;
	}
	return 0;
}

static bool is_root(int fd)
{
	struct stat there, here;

	return fstat(fd, &there) == 0 && stat("/", &here) == 0 && there.st_dev == here.st_dev &&
	       there.st_ino == here.st_ino;
}

/* Into a mount namespace one comes at its root; the process may have a root of its own below that, or above. */
int enter_root(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	int root = (int)step->a, directory = (int)step->b;

	(void)b;
	(void)t;
	*ret_aux = 1;
	if (fchdir(root) < 0)
		return -errno;
	if (chroot(".") < 0 && !is_root(root))
		return -errno;
	/* Where the process is, unless that is gone, or not for us: then at its root. */
	if (directory >= 0)
		(void)fchdir(directory);
	return 0;
}

int enter_bound(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	(void)b;
	(void)t;
	(void)ret_aux;
	for (int cap = 0; cap < 64; cap++) {
		if ((uint64_t)step->a & CAP_BIT(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			break; /* this kernel has no more */
		return -errno;
	}
	/* A change of the user must not take what limit-caps is to leave. */
	(void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	return 0;
}

/* As a child of the process would have them. What an exec makes of them is bounded before. */
int enter_limit_caps(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	const struct wire_caps *limit = (const void *)box_text(b, step->text);
	uint64_t ambient = step->flags & STEP_LIMIT_NO_AMBIENT ? 0 : limit->ambient;
	struct caps caps;
	int r = caps_get(&caps);

	(void)t;
	(void)ret_aux;
	if (r < 0)
		return r;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	caps.inheritable = limit->inheritable & (caps.permitted | caps.inheritable);
	caps.permitted &= limit->permitted;
	caps.effective = caps.permitted & limit->effective;
	r = caps_set(&caps);
	for (int cap = 0; cap < 64 && r == 0; cap++)
		if (ambient & caps.permitted & caps.inheritable & CAP_BIT(cap))
			r = sys_ret(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
	if (r == 0 && (step->flags & STEP_LIMIT_NO_NEW))
		r = sys_ret(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return r;
}

/* After the changes of ids and capabilities, which clear it. Who is gone already sends no signal (prctl(2)). */
int enter_follow(struct box *b, const struct task *t, const struct wire_step *step, int32_t *ret_aux)
{
	struct pollfd fd = { .fd = self, .events = POLLIN };

	(void)b;
	(void)t;
	(void)step;
	(void)ret_aux;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return poll(&fd, 1, 0) > 0 ? -ESRCH : 0;
}

/* ------------------------------------------------------------ what exec.c asks */

pid_t enter_inside_pid(const struct box *b, pid_t pid)
{
	char path[32], status[4096];
	size_t len = io_decimal(path, pid);
	pid_t inside;

	memcpy(path + len, "/status", sizeof("/status"));
	if (b->proc < 0 || io_read_file(b->proc, path, status, sizeof(status)) < 0)
		return 0;
	inside = proc_parse_innermost_pid(status);
	return inside > 0 ? inside : 0;
}

/* R9: when PID 1 has ended, a fork fails. It is so from before its end kills the others. */
bool enter_box_is_dead(const struct box *b)
{
	bool into_pid = false;
	pid_t pid;

	for (uint32_t i = 0; i < b->plan->n_steps; i++)
		into_pid |= b->plan->steps[i].op == STEP_JOIN && (b->plan->steps[i].a & CLONE_NEWPID);
	if (!into_pid)
		return false;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno == ENOMEM;
	while (wait4(pid, NULL, 0, NULL) < 0 && errno == EINTR)
		continue;
	return false;
}

/* ------------------------------------------------------------ its life */

static int prepare(struct box *b)
{
	const uint64_t all = ~UINT64_C(0);

	/* Nobody whose namespaces these are may trace it, or take its descriptors. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)setsid();
	b->start = mmap(NULL, sizeof(*b->start), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->start == MAP_FAILED)
		return -errno;
	b->proc = b->plan->proc_fd;
	self = sys_pidfd_open(getpid(), 0);
	b->signals = sys_signalfd(&all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (self < 0 || b->signals < 0)
		return -EMFILE;
	/* Ours are all open: what is 0, 1 or 2 here is the caller's, and its ends are not to wait for ours. */
	io_close_range(0, 2, false);
	return loop_prepare(b);
}

/* What it needed to get in. The command has copies, which its exec closes. */
static void close_kept(struct box *b)
{
	for (uint32_t i = 0; i < b->plan->n_keep; i++)
		(void)close(b->plan->keep[i]);
	b->plan->n_keep = 0;
}

static void take_event(struct box *b, uint64_t event)
{
	struct wire_msg msg;

	if (event > INT32_MAX) {
		exec_take_event(b, event);
	} else if ((int)event == b->signals) {
		loop_drop_signals(b);
	} else if ((int)event == b->socket) {
		/* One request, and then the end of that socket: what more there is goes over the connection. */
		ssize_t n = loop_receive(b, &msg);

		if (n < 0 && errno == EAGAIN)
			return;
		(void)epoll_ctl(b->events, EPOLL_CTL_DEL, b->socket, NULL);
		close_kept(b);
		b->asked_for = true;
	} else if ((int)event == b->plan->front_pidfd) {
		(void)epoll_ctl(b->events, EPOLL_CTL_DEL, b->plan->front_pidfd, NULL);
		b->asked_for = true; /* or never will be */
		exec_hang_up(b);
	}
}

void enter_run(struct box *b)
{
	if (prepare(b) < 0)
		_exit(PIDBOX_EXIT_FAILED);
	run_steps(b);
	/* Somebody may stop it and kill the front: it is woken then (of a thread's end, too, to no harm). */
	(void)prctl(PR_SET_PDEATHSIG, SIGCONT);
	for (;;) {
		struct epoll_event events[8];
		int n;

		if (b->children) {
			b->children = false;
			(void)loop_reap(b);
		}
		exec_check_deadlines(b);
		if (b->asked_for && !exec_any())
			_exit(0);
		n = epoll_wait(b->events, events, ARRAY_LEN(events), loop_timeout(exec_next_deadline()));
		for (int i = 0; i < n; i++)
			take_event(b, events[i].data.u64);
	}
}
