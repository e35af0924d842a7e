/* SPDX-License-Identifier: MIT */
/* The init's own steps, one function a row of the table in core/steps.h. */
#include "init/alone.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/net.h"
#include "kern/sig.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

/* Wait for a message of this type; 0: only look whether the front still lives. @return 0, -EPIPE when it does not,
 * -ETIMEDOUT when the box's time limit is over */
int inside_wait_for(struct box *b, uint32_t type)
{
	struct pollfd fds[] = {
		{ .fd = b->socket, .events = POLLIN },
		{ .fd = b->plan->front_pidfd, .events = POLLIN },
	};
	struct wire_msg msg;

	for (;;) {
		int ms = type == 0 ? 0 : -1;

		if (type != 0 && b->plan->timeout_us > 0) {
			int64_t left = later(b->started_us, b->plan->timeout_us) - now_us();

			if (left <= 0)
				return -ETIMEDOUT;
			ms = left < INT32_MAX * INT64_C(1000) ? (int)(left / 1000 + 1) : INT32_MAX;
		}
		if (poll(fds, ARRAY_LEN(fds), ms) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents != 0)
			return -EPIPE;
		if (type == 0)
			return 0;
		if (fds[0].revents == 0)
			continue;
		if (recv(b->socket, &msg, sizeof(msg), 0) <= 0 || msg.type == MSG_KILL)
			return -EPIPE;
		if (msg.type == type)
			return 0;
		if (msg.type == MSG_IDENT)
			b->ident = msg.ident;
	}
}

/* Have a signal when the front ends. It must be in time: who is gone already sends none (prctl(2)). @return 0, -EPIPE
 */
int inside_follow_front(struct box *b, int sig)
{
	return prctl(PR_SET_PDEATHSIG, sig) < 0 ? -errno : inside_wait_for(b, 0);
}

static int step_checkpoint(struct box *b, const struct wire_step *step, uint32_t index)
{
	(void)index;
	if (step->flags & STEP_CHECKPOINT_SPEAKS)
		front_send(b, &(struct wire_msg){ .type = MSG_HERE }, WIRE_HEAD, 0);
	/* The front is gone, or gave up after a failure of its own: it has the words for that. */
	if (inside_wait_for(b, MSG_GO) < 0)
		_exit(PIDBOX_EXIT_FAILED);
	return 0;
}

static int step_loopback(struct box *b, const struct wire_step *step, uint32_t index)
{
	int r = net_loopback_up();

	(void)step;
	if (r < 0)
		box_warn(b, index, -r); /* a command without a network may still be what was wanted */
	return 0;
}

static int step_hostname(struct box *b, const struct wire_step *step, uint32_t index)
{
	const char *name = box_text(b, step->text);

	(void)index;
	return sys_ret(sethostname(name, strlen(name)));
}

static int step_propagation(struct box *b, const struct wire_step *step, uint32_t index)
{
	(void)b;
	(void)index;
	return sys_ret(mount(NULL, "/", NULL, (unsigned long)step->a, NULL));
}

static int step_proc_private(struct box *b, const struct wire_step *step, uint32_t index)
{
	(void)b;
	(void)step;
	(void)index;
	return sys_ret(mount(NULL, "/proc", NULL, MS_REC | MS_PRIVATE, NULL));
}

static int step_mount_proc(struct box *b, const struct wire_step *step, uint32_t index)
{
	int r = sys_ret(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, box_text(b, step->text)));

	if (r < 0 && (step->flags & STEP_PROC_AUTO)) {
		memcpy(b->plan->proc_word, "keep", sizeof("keep"));
		box_warn(b, index, -r);
		return 0;
	}
	return r;
}

static int step_hide_proc(struct box *b, const struct wire_step *step, uint32_t index)
{
	(void)step;
	(void)index;
	survey_prepare(b);
	return sys_ret(
		mount("tmpfs", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=555,nr_inodes=1"));
}

static int write_number(const char *path, int64_t n)
{
	char text[24];

	return io_write_file(AT_FDCWD, path, text, io_decimal(text, n));
}

static int step_pid_max(struct box *b, const struct wire_step *step, uint32_t index)
{
	(void)b;
	(void)index;
	/* The front has made sure that this number is the namespace's own (before Linux 6.14 it is the machine's). */
	return write_number("/proc/sys/kernel/pid_max", step->a);
}

static int step_first_pid(struct box *b, const struct wire_step *step, uint32_t index)
{
	b->first_pid = (pid_t)step->a + 1;
	b->first_pid_step = index;
	return write_number("/proc/sys/kernel/ns_last_pid", step->a);
}

static int enter_time_ns(void)
{
	int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : sys_ret(setns(fd, CLONE_NEWTIME));

	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* The init stays outside of the new time namespace; what it forks is inside. */
static int step_time_ns(struct box *b, const struct wire_step *step, uint32_t index)
{
	const char *offsets = box_text(b, step->text);
	int r = sys_ret(unshare(CLONE_NEWTIME));

	(void)index;
	b->start = mmap(NULL, sizeof(*b->start), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->start == MAP_FAILED)
		return -errno;
	if (r == 0 && offsets[0] != '\0')
		r = io_write_file(AT_FDCWD, "/proc/self/timens_offsets", offsets, strlen(offsets));
	/* Without an init there is no child to be inside; an exec changes over by itself only on newer kernels. */
	return r == 0 && (b->plan->flags & WIRE_AS_PID1) ? enter_time_ns() : r;
}

static int step_hold(struct box *b, const struct wire_step *step, uint32_t index)
{
	struct wire_msg msg = { .type = MSG_READY };
	int r;

	(void)step;
	(void)index;
	memcpy(msg.times, b->times, sizeof(b->times));
	front_send(b, &msg, sizeof(msg), 0);
	r = inside_wait_for(b, MSG_RUN);
	if (r == -ETIMEDOUT) {
		b->result.reason = PIDBOX_REASON_TIMEOUT;
		b->result.wall_us = now_us() - b->started_us;
		box_send_result(b);
	}
	if (r < 0)
		_exit(PIDBOX_EXIT_FAILED);
	return 0;
}

static void close_between(unsigned from, unsigned to)
{
	if (from <= to)
		io_close_range(from, to, false);
}

/*
 * What the command inherits it has by now. The init lets go of it all: a pipe must be at its end when the command has
 * closed it, and what is not open here cannot be taken from here.
 */
static void keep_own_fds(struct box *b)
{
	unsigned keep[] = {
		(unsigned)b->signals,
		(unsigned)b->events,
		(unsigned)b->socket,
		(unsigned)b->plan->front_pidfd,
		(unsigned)b->plan->report_fd,
		(unsigned)b->plan->kept_fd,
		(unsigned)b->plan->tty_fd, /* so that its master does not see an end while the command lives */
		(unsigned)b->proc,
		(unsigned)(alone_of(b) != NULL ? alone_kept(alone_of(b), alone_of(b)->out) : -1),
		(unsigned)(alone_of(b) != NULL ? alone_kept(alone_of(b), alone_of(b)->err) : -1),
	};
	unsigned next = 0;

	for (size_t done = 0; done < ARRAY_LEN(keep); done++) {
		size_t least = 0;

		for (size_t i = 1; i < ARRAY_LEN(keep); i++)
			if (keep[i] < keep[least])
				least = i;
		if (keep[least] == ~0u)
			break;
		if (keep[least] > 0)
			close_between(next, keep[least] - 1);
		next = keep[least] + 1;
		keep[least] = ~0u;
	}
	close_between(next, ~0u);
}

/* What the loop needs is made before anybody else is inside: an init that heard nothing would leave its box for ever.
 */
static int get_ready(struct box *b)
{
	int r = 0;

	if (alone_of(b) == NULL)
		r = loop_prepare(b);
	if (r < 0)
		return r;
	/* From here on somebody else is inside: he cannot ptrace the init, nor take descriptors from it
	 * (pidfd_getfd(2)). */
	(void)prctl(PR_SET_DUMPABLE, 0);
	survey_prepare(b);
	b->exec_us = now_us();
	return 0;
}

/*
 * Somebody may stop the init from outside and then kill the front: a stopped init could not see that. SIGCONT at the
 * front's end wakes it. Only of a program of one thread: it is a thread that these signals follow (prctl(2)).
 */
static void be_woken_at_the_fronts_end(const struct box *b)
{
	if (b->plan->flags & WIRE_ONE_THREAD)
		(void)prctl(PR_SET_PDEATHSIG, SIGCONT);
}

static int step_idle(struct box *b, const struct wire_step *step, uint32_t index)
{
	int r = get_ready(b);

	(void)step;
	(void)index;
	if (r < 0)
		return r;
	b->idle = true;
	signals_close_window(b);
	be_woken_at_the_fronts_end(b);
	if (b->plan->flags & WIRE_TIMING)
		box_send_times(b);
	front_send(b, &(struct wire_msg){ .type = MSG_IDLE }, WIRE_HEAD, 0);
	keep_own_fds(b);
	return 0;
}

/*
 * Make the process that becomes the command. With shared memory it leaves its failure where we read it; a process with
 * a memory of its own (time namespaces: a process that shares memory stays in its parent's, time_namespaces(7)) needs a
 * shared page for that. Both keep us waiting until they have executed or ended.
 */
static int step_start(struct box *b, const struct wire_step *step, uint32_t index)
{
	struct wire_msg msg = { .type = MSG_EXEC, .step = index };
	int r = get_ready(b);
	pid_t pid;

	(void)step;
	if (r < 0)
		return r;
	signals_open_window(b);
	pid = b->plan->flags & WIRE_FORK ? (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) : vfork();
	if (pid == 0) {
		signals_started(b);
		/* Before Linux 6.14 the kernel takes a last PID that is the highest, and begins again at 300. */
		if (b->first_pid == 0 || getpid() == b->first_pid)
			command_run(b);
		else
			command_fail(b, b->first_pid_step, EINVAL, 0);
		_exit(PIDBOX_EXIT_FAILED);
	}
	if (pid < 0)
		return -errno;
	signals_close_window(b);
	be_woken_at_the_fronts_end(b);
	if (b->start->errnum != 0)
		box_fail(b, b->start->step, b->start->errnum, b->start->aux);
	b->command = pid;
	if (b->plan->flags & WIRE_TIMING) {
		b->times[index] = now_us() - b->exec_us;
		box_send_times(b);
	}
	front_send(b, &msg, WIRE_HEAD, pid);
	keep_own_fds(b);
	return 0;
}

int inside_step(struct box *b, uint32_t index)
{
	static int (*const run[STEP_MAX_])(struct box *, const struct wire_step *, uint32_t) = {
		[STEP_CHECKPOINT] = step_checkpoint,
		[STEP_LOOPBACK] = step_loopback,
		[STEP_HOSTNAME] = step_hostname,
		[STEP_PROPAGATION] = step_propagation,
		[STEP_PROC_PRIVATE] = step_proc_private,
		[STEP_MOUNT_PROC] = step_mount_proc,
		[STEP_HIDE_PROC] = step_hide_proc,
		[STEP_PID_MAX] = step_pid_max,
		[STEP_TIME_NS] = step_time_ns,
		[STEP_FIRST_PID] = step_first_pid,
		[STEP_HOLD] = step_hold,
		[STEP_IDLE] = step_idle,
		[STEP_START] = step_start,
	};
	const struct wire_step *step = &b->plan->steps[index];

	return run[step->op](b, step, index);
}
