/* SPDX-License-Identifier: MIT */
#include "init/alone.h"
#include "init/door.h"

#include "base/util.h"
#include "kern/sig.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

char *box_text(struct box *b, uint32_t offset)
{
	return offset != 0 ? (char *)b->plan + offset : NULL;
}

/* ------------------------------------------------------------ receiving the plan */

static void relocate(struct wire_plan *plan, uint32_t table)
{
	char **entry = (char **)(void *)((char *)plan + table);

	for (; *entry != NULL; entry++)
		*entry = (char *)plan + (uintptr_t)*entry;
}

/* Wait for a packet of the front. Its pidfd is watched too: the end of the socket does not come while some other child
 * of the front still holds a copy. @return its size, 0 when the front is gone */
static ssize_t receive(struct box *b, void *buf, size_t size)
{
	struct pollfd fds[] = {
		{ .fd = b->socket, .events = POLLIN },
		{ .fd = b->plan != NULL ? b->plan->front_pidfd : -1, .events = POLLIN },
	};
	ssize_t n = recv(b->socket, buf, size, MSG_DONTWAIT); /* mostly it is there */

	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		return n;
	while (poll(fds, ARRAY_LEN(fds), -1) < 0)
		if (errno != EINTR)
			return 0;
	if (fds[0].revents == 0)
		return 0;
	return recv(b->socket, buf, size, 0);
}

static int receive_plan(struct box *b)
{
	static char first[WIRE_PACKET] __attribute__((aligned(4096))) LIES_BEHIND;
	struct wire_plan *plan = (void *)first;
	ssize_t n = receive(b, first, sizeof(first));
	size_t have = (size_t)n;

	if (n < (ssize_t)sizeof(*plan) || plan->version != WIRE_VERSION || plan->size < have)
		return -EPROTO;
	b->plan = plan;
	if (plan->size > sizeof(first)) {
		void *whole = mmap(NULL, plan->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (whole == MAP_FAILED)
			return -errno;
		memcpy(whole, first, have);
		b->plan = plan = whole;
	}
	for (; have < plan->size; have += (size_t)n) {
		size_t left = plan->size - have;

		n = receive(b, (char *)plan + have, left < WIRE_PACKET ? left : WIRE_PACKET);
		if (n <= 0)
			return -EPIPE;
	}
	relocate(plan, plan->argv);
	relocate(plan, plan->envp);
	relocate(plan, plan->paths);
	return 0;
}

/* ------------------------------------------------------------ the steps */

static void mark_time(struct box *b, uint32_t step, int64_t *since)
{
	int64_t now;

	if (!(b->plan->flags & WIRE_TIMING))
		return;
	now = now_us();
	b->times[step] = now - *since;
	*since = now;
}

static void run_steps(struct box *b)
{
	int64_t since = b->plan->flags & WIRE_TIMING ? now_us() : 0;

	for (uint32_t i = 0; i < b->plan->n_steps; i++) {
		int r;

		if (step_rows[b->plan->steps[i].op].side != PIDBOX_SIDE_INIT)
			continue;
		r = inside_step(b, i);
		if (r < 0)
			box_fail(b, i, -r, 0);
		mark_time(b, i, &since);
	}
}

/* --as-pid1: the command takes this process over; the end of the socket by its exec is the sign of success. */
static void become_command(struct box *b) __attribute__((noreturn));
static void become_command(struct box *b)
{
	struct wire_msg msg = { .type = MSG_EXEC };

	/* Only the parent-death signal is left to follow the front. */
	if (inside_follow_front(b, SIGKILL) < 0)
		_exit(PIDBOX_EXIT_FAILED);
	if (b->plan->flags & WIRE_TIMING)
		box_send_times(b);
	front_send(b, &msg, WIRE_HEAD, getpid());
	command_run(b);
	box_fail(b, b->start->step, b->start->errnum, b->start->aux);
}

/* Signal dispositions are the caller's still: ignored ones stay so for the command (signal(7)). Only SIGCHLD has to
 * work here: while it is ignored the kernel reaps by itself and throws the status away (wait(2)). */
static void claim_sigchld(struct box *b)
{
	struct sigaction act = { .sa_handler = SIG_DFL }, old;

	if (sigaction(SIGCHLD, &act, &old) == 0)
		b->chld_ignored = old.sa_handler == SIG_IGN;
}

static void close_at_exec(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int init_descriptor(const char *arg)
{
	int fd = 0;

	if (*arg == '\0')
		return -1;
	for (; *arg != '\0'; arg++) {
		if (*arg < '0' || *arg > '9' || fd > 100000000)
			return -1;
		fd = fd * 10 + (*arg - '0');
	}
	return fd;
}

int init_main(int argc, char **argv, char **envp)
{
	static struct box box = { .socket = -1, .signals = -1, .events = -1, .proc = -1, .start = &box.own_start };
	struct box *b = &box;
	sigbits old;

	(void)sig_block_all(&old); /* a front has done so already */
	claim_sigchld(b);
	b->result = (struct pidbox_result){ .exit_code = -1, .ended_by_uid = -1, .oom_killed = -1 };
	/* "@N", which only a front writes: the socket to it. */
	if (argc != 2 || argv[1][0] != '@' || (b->socket = init_descriptor(argv[1] + 1)) < 0) {
#ifdef BOX_INIT
		(void)envp;
		return PIDBOX_EXIT_FAILED;
#else
		b->started_us = now_us();
		alone_run(b, argc, argv, envp, old);
#endif
	}
	memset(argv[1], 0, strlen(argv[1])); /* ps shows the name alone */
	(void)fcntl(b->socket, F_SETFD, FD_CLOEXEC);
	(void)prctl(PR_SET_NAME, "pidbox-init");
	memset(b->times, 0xff, sizeof(b->times));
	if (receive_plan(b) < 0)
		return PIDBOX_EXIT_FAILED;
	b->started_us = now_us();
	if (b->plan->flags & WIRE_ENTER) {
		close_at_exec(b->plan->front_pidfd);
		close_at_exec(b->plan->proc_fd);
		enter_run(b);
	}
	if (getpid() != 1)
		return PIDBOX_EXIT_FAILED;
	close_at_exec(b->plan->front_pidfd);
	close_at_exec(b->plan->report_fd);
	close_at_exec(b->plan->kept_fd);
	close_at_exec(b->plan->tty_fd);
	/* Until the command has been started there is nothing to end in an orderly way. Later: see step_start. */
	if (b->plan->flags & WIRE_ONE_THREAD) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (inside_wait_for(b, 0) < 0)
			return PIDBOX_EXIT_FAILED;
	}
	b->patience_us = INIT_PATIENCE_US;
	b->chld_ignored |= (b->plan->flags & WIRE_SIGCHLD_IGNORED) != 0;
	run_steps(b);
	if (b->plan->flags & WIRE_AS_PID1)
		become_command(b);
	loop_run(b);
}
