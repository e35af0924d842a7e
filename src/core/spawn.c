/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 *   caller (front)                    child                            init (PID 1)                    command (PID 2)
 *   plan, init image, socket, pidfd of itself
 *   send plan  ─────────────────────────────────────────────────────▶ (waits in the socket)
 *   clone(VM|VFORK|NEW*) ───────────▶ maps its own id, raises
 *   ...the thread sleeps...           ambient capabilities
 *   wakes up  ◀────────────────────── execveat(init) ────────────────▶ reads the plan
 *   [maps ids, GO] ──────────────────────────────────────────────────▶ mounts /proc, ...
 *   [                     ◀───── READY, with a hold; RUN ────────────▶ ]
 *                                                                      vfork ──────────────────────────▶ chdir, mask,
 * exec spawn returns  ◀──────────────────────────────── EXEC or FAILED    closes what it does not need
 *
 * Rights. Without CAP_SYS_ADMIN a user namespace comes with the others; the child is all-powerful in it and in what it
 * owns. An exec under an ordinary uid would drop that, so what the steps need is raised as ambient before it, and
 * dropped before the command. A single id the child maps itself; more needs the front, and then the init waits for GO.
 *
 * Memory. The child borrows the caller's (CLONE_VM) while the caller's thread sleeps (CLONE_VFORK): no page is copied,
 * no matter how large the caller is, no lock of another thread can be in the way since the child takes none, and after
 * the exec nothing of the caller is left in it.
 *
 * Descriptors. The init gets its end of the socket, a pidfd of the front, and what the command inherits. All of ours
 * are CLOEXEC; the child takes that off in its own table. The init puts it back before it starts the command.
 *
 * Who dies when. The init watches the front's pidfd from its first wait on: when the front is gone, however it went,
 * the init ends, and with PID 1 everything inside (R8). Between clone and exec nothing waits. The front watches the
 * init through the pidfd that the clone gave it, and every early return here kills and reaps it (box_abort).
 */
#include "core/box.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/child.h"
#include "core/image.h"
#include "core/reach.h"
#include "kern/idmap.h"
#include "kern/ns.h"
#include "kern/pidmax.h"
#include "kern/sig.h"
#include "kern/tty.h"

#include <stdio.h>
#include <string.h>
#include <poll.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#include <sys/socket.h>
#include <sys/stat.h>

enum { CHILD_STACK = 8 * 1024, ABORT_PATIENCE_MS = 10000 };

/* ------------------------------------------------------------ the end of a failed start */

static void reap(struct pidbox *box)
{
	siginfo_t info = { 0 };

	struct pollfd fd = { .fd = box->pidfd, .events = POLLIN };

	/* SIGKILL works at once but for what pidbox_holdouts() names; nobody is to wait for that for ever. */
	if (poll(&fd, 1, box->held_up ? 0 : ABORT_PATIENCE_MS) <= 0)
		return;
	/* ECHILD: the caller ignores SIGCHLD, or has reaped our init already; it is gone either way. */
	while (waitid((idtype_t)P_PIDFD, (id_t)box->pidfd, &info, WEXITED | __WALL) < 0)
		if (errno != EINTR)
			break;
	box->reaped = true;
}

int box_step_failed(struct pidbox *box, size_t row, int errnum, int aux, struct pidbox_error *err)
{
	plan_put_words(box->plan);
	return diagnose_step(box->plan, row, errnum, aux, err);
}

void box_abort(struct pidbox *box)
{
	if (box->pidfd < 0 || box->reaped)
		return;
	/* By the number only where that is refused: our child's cannot be another's before we have waited for it. */
	if (sys_pidfd_send_signal(box->pidfd, SIGKILL, NULL) == -ENOSYS)
		(void)kill(box->init_pid, SIGKILL);
	reap(box);
}

/* ------------------------------------------------------------ sending the plan */

/*
 * Send what fits without waiting; before the clone that is mostly everything, so that the init finds its plan in place.
 * @return bytes sent so far, or -errno
 */
static ssize_t send_plan(const struct pidbox *box, size_t from)
{
	const struct wire_plan *wire = box->plan->wire;

	size_t most = WIRE_PACKET;

	while (from < wire->size) {
		size_t size = wire->size - from < most ? wire->size - from : most;
		ssize_t n = send(box->socket, (const char *)wire + from, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		/* More than a socket holds here (net.core.wmem_default); the plan's head must be in the first. */
		if (n < 0 && errno == EMSGSIZE && most / 2 >= sizeof(*wire)) {
			most /= 2;
			continue;
		}
		if (n < 0)
			return -errno;
		from += (size_t)n;
	}
	return (ssize_t)from;
}

static int send_rest_of_plan(const struct pidbox *box, size_t from)
{
	while (from < box->plan->wire->size) {
		struct pollfd fds[] = {
			{ .fd = box->socket, .events = POLLOUT },
			{ .fd = box->pidfd, .events = POLLIN },
		};
		ssize_t n;

		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents != 0)
			return -EPIPE;
		n = send_plan(box, from);
		if (n < 0)
			return (int)n;
		from = (size_t)n;
	}
	return 0;
}

/* ------------------------------------------------------------ the front's steps */

struct start {
	struct pidbox *box;
	struct wire_plan *wire;
	int init_fd, front_pidfd, inside, slave;
	size_t plan_sent;
	int *open_fds;
	size_t n_open_fds;
	/* of a step that failed in the child */
	int failed_row;
	struct pidbox_error *err;
	bool worded; /* err is filled */
};

/* What can go wrong with a name is told by those who know of names. */
static int step_claim(struct start *s, size_t row)
{
	int r = reach_claim(s->box, s->err);

	(void)row;
	s->worded = r < 0;
	return r;
}

static int step_entry(struct start *s, size_t row)
{
	int r = reach_open(s->box, s->err);

	(void)row;
	s->worded = r < 0;
	return r;
}

static int step_connect(struct start *s, size_t row)
{
	int pair[2], on = 1;

	(void)row;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	s->box->socket = io_above_stdio(pair[0]);
	s->inside = io_above_stdio(pair[1]);
	if (s->box->socket < 0 || s->inside < 0)
		return -EMFILE;
	if (setsockopt(s->box->socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	s->front_pidfd = io_above_stdio(sys_pidfd_open(getpid(), 0));
	s->wire->front_pidfd = s->front_pidfd;
	return s->front_pidfd < 0 ? s->front_pidfd : 0;
}

/* A process that we made before the clone would become PID 1 of a namespace that the caller has unshared for its own.
 */
static int check_children(struct start *s)
{
	s->failed_row = plan_find(s->box->plan, STEP_CLONE);
	return ns_children("pid") == NS_CHILDREN_HERE ? 0 : -EINVAL;
}

static int step_witness(struct start *s, size_t row)
{
	int r = check_children(s);

	s->failed_row = r < 0 ? s->failed_row : (int)row;
	return r < 0 ? r : witness_start(&s->box->witness);
}

static int step_load_init(struct start *s, size_t row)
{
	struct stat st;

	(void)row;
	s->init_fd = s->wire->flags & WIRE_ENTER ? image_sealed() : image_open();
	if (s->init_fd < 0)
		return s->init_fd;
	if (fstat(s->init_fd, &st) == 0)
		s->box->init_file = (struct file_id){ st.st_dev, st.st_ino };
	return 0;
}

static int step_open_tty(struct start *s, size_t row)
{
	int r = tty_open_pair(&s->box->tty, &s->slave);

	(void)row;
	if (r == 0) {
		s->wire->tty_fd = s->slave;
		for (int i = 0; i < 3; i++)
			s->wire->stdio[i] = s->slave;
	}
	return r;
}

/* Everything that the init has to find open. */
static int collect_fds(struct start *s)
{
	const struct wire_plan *w = s->wire;
	int *fds = calloc(9 + w->n_keep, sizeof(*fds));
	size_t n = 0;

	if (fds == NULL)
		return -ENOMEM;
	fds[n++] = s->inside;
	fds[n++] = s->front_pidfd;
	fds[n++] = w->report_fd;
	fds[n++] = w->kept_fd;
	fds[n++] = w->tty_fd;
	fds[n++] = w->proc_fd;
	for (int i = 0; i < 3 && w->stdio_given; i++)
		if (w->stdio[i] != i || fcntl(i, F_GETFD) >= 0) /* i: as it is, maybe closed */
			fds[n++] = w->stdio[i];
	for (uint32_t i = 0; i < w->n_keep; i++)
		fds[n++] = w->keep[i];
	s->open_fds = fds;
	s->n_open_fds = n;
	return 0;
}

static int step_send_plan(struct start *s, size_t row)
{
	ssize_t n = send_plan(s->box, 0);

	(void)row;
	s->plan_sent = n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

/* Out of descriptors here, the one that there is still serves to end the box. */
static int move_pidfd(struct pidbox *box)
{
	int high = box->pidfd > 2 ? box->pidfd : fcntl(box->pidfd, F_DUPFD_CLOEXEC, 3);

	if (high < 0)
		return -errno;
	if (high != box->pidfd)
		(void)close(box->pidfd);
	box->pidfd = high;
	return 0;
}

/* The address sanitizer keeps books of who owns which part of a stack: the child has left it without a return. */
static void forget_child(const char *stack)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(stack, CHILD_STACK);
#else
	(void)stack;
#endif
}

static int step_clone(struct start *s, size_t row)
{
	struct pidbox *box = s->box;
	const struct pidbox_plan *plan = box->plan;
	uint64_t kinds = ns_clone_flags(plan->kinds & ~(uint32_t)PIDBOX_NS_TIME);
	int flags = (int)(kinds | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD);
	int r = collect_fds(s);
	struct child_args args = {
		.plan = plan,
		.init_fd = s->init_fd,
		.open_fds = s->open_fds,
		.n_open_fds = s->n_open_fds,
		.close_others = s->wire->flags & WIRE_CLOSE_FDS,
	};
	/* Ours: this thread sleeps while the child runs. A mapping would cost an interrupt to another processor when it
	 * is taken away, and the child is there on its way to the exec only. */
	char stack[CHILD_STACK] __attribute__((aligned(16)));
	sigbits mask;
	pid_t pid;

	if (r < 0)
		return r;
	args.socket_arg[0] = '@';
	args.socket_arg[1 + io_decimal(args.socket_arg + 1, s->inside)] = '\0';
	/* No handler of the caller's may run in the child, which has the caller's memory. The init wants it so too. */
	(void)sig_block_all(&mask);
	pid = clone(child_main, stack + CHILD_STACK, flags, &args, &box->pidfd);
	if (pid < 0)
		r = -errno;
	(void)sig_set_mask(mask);
	forget_child(stack);
	if (pid < 0) {
		box->pidfd = -1;
		return r;
	}
	box->init_pid = pid;
	box->created_us = now_us() - box->t0_us;
	(void)close(take_fd(&s->inside));
	r = move_pidfd(box);
	if (r < 0)
		return r;
	(void)row;
	if (args.errnum != 0) {
		s->failed_row = args.failed_row;
		return -args.errnum;
	}
	/* The init has begun by now: from here on it is its plan that is missing, not the box. */
	s->failed_row = plan_find(plan, STEP_SEND_PLAN);
	return send_rest_of_plan(box, s->plan_sent);
}

static int write_map(pid_t pid, const char *file, const char *text)
{
	char path[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return io_write_file(AT_FDCWD, path, text, strlen(text));
}

/* We are woken in the middle of its exec, before the kernel makes it dumpable again: wait until it speaks. */
static int wait_for_init(struct pidbox *box)
{
	struct wire_msg msg = { 0 };
	pid_t about;

	while (msg.type != MSG_HERE) {
		int r = box_receive(box, &msg, &about);

		if (r < 0 || box->closed)
			return -EPIPE;
		if (r == 0 && box_poll_setup(box, -1) == -EINTR)
			return -EINTR;
	}
	return 0;
}

static int step_map_front(struct start *s, size_t row)
{
	const struct wire_step *step = &s->wire->steps[row];
	pid_t pid = s->box->init_pid;
	int r = 0;

	if (step->flags & STEP_MAP_DENY_SETGROUPS)
		r = wait_for_init(s->box);
	if (r == 0 && (step->flags & STEP_MAP_DENY_SETGROUPS))
		r = write_map(pid, "setgroups", "deny");
	if (r == 0)
		r = write_map(pid, "uid_map", plan_text(s->wire, step->text));
	if (r == 0)
		r = write_map(pid, "gid_map", plan_text(s->wire, step->text2));
	return r;
}

static int step_map_helper(struct start *s, size_t row)
{
	struct pidbox_plan *plan = s->box->plan;
	char *words = plan->helper_words;
	const size_t size = sizeof(plan->helper_words);
	int r = idmap_run_helper("newuidmap", s->box->init_pid, plan->uid_map.ranges, plan->uid_map.n, words, size);

	(void)row;
	if (r == 0)
		r = idmap_run_helper("newgidmap", s->box->init_pid, plan->gid_map.ranges, plan->gid_map.n, words, size);
	return r;
}

static int step_go(struct start *s, size_t row)
{
	struct wire_msg msg = { .type = MSG_GO };

	(void)row;
	return box_send(s->box, &msg, WIRE_HEAD);
}

/* ------------------------------------------------------------ running them */

/* What the caller wants the command to have must be open before any descriptor of ours could take its number. */
static int check_fds(struct start *s)
{
	const struct wire_plan *w = s->wire;
	int stdio = plan_find(s->box->plan, STEP_STDIO);

	for (uint32_t i = 0; i < w->n_keep; i++) {
		s->failed_row = plan_find(s->box->plan, STEP_EXEC_INIT);
		if (fcntl(w->keep[i], F_GETFD) < 0)
			return -errno;
	}
	for (int i = 0; i < 3 && stdio >= 0 && !w->tty; i++) {
		s->failed_row = stdio;
		if (w->stdio[i] >= 0 && w->stdio[i] != i && fcntl(w->stdio[i], F_GETFD) < 0)
			return -errno;
	}
	s->failed_row = 0;
	return 0;
}

/* What can be found out before anything is made. */
static int prepare(struct start *s)
{
	int row = plan_find(s->box->plan, STEP_PID_MAX), r = check_fds(s);

	if (r < 0 || row < 0)
		return r;
	r = check_children(s);
	if (r < 0)
		return r;
	s->failed_row = row;
	r = pidmax_is_per_namespace();
	return r == 0 ? -EACCES : r < 0 ? r : 0;
}

static int run_front_steps(struct start *s)
{
	static int (*const run[STEP_MAX_])(struct start *, size_t) = {
		[STEP_CLAIM] = step_claim,
		[STEP_CONNECT] = step_connect,
		[STEP_WITNESS] = step_witness,
		[STEP_LOAD_INIT] = step_load_init,
		[STEP_OPEN_TTY] = step_open_tty,
		[STEP_SEND_PLAN] = step_send_plan,
		[STEP_CLONE] = step_clone,
		[STEP_MAP_FRONT] = step_map_front,
		[STEP_MAP_HELPER] = step_map_helper,
		[STEP_ENTRY] = step_entry,
		[STEP_GO] = step_go,
	};
	struct pidbox_plan *plan = s->box->plan;
	bool timing = plan->wire->flags & WIRE_TIMING;
	int64_t since = timing ? now_us() : 0;

	for (size_t i = 0; i < plan->n_rows; i++) {
		struct plan_row *row = &plan->rows[i];
		int r;

		if (run[row->op] == NULL)
			continue;
		s->failed_row = (int)i;
		r = run[row->op](s, i);
		if (r < 0)
			return r;
		row->done = r == 0;
		if (timing) {
			int64_t now = now_us();

			row->took_us = now - since;
			since = now;
		}
	}
	return 0;
}

static void release_start(struct start *s)
{
	cleanup_close(&s->init_fd);
	cleanup_close(&s->front_pidfd);
	cleanup_close(&s->inside);
	cleanup_close(&s->slave);
	free(s->open_fds);
}

int box_start(struct pidbox *box, struct pidbox_error *err)
{
	struct start s = {
		.box = box,
		.wire = box->plan->wire,
		.init_fd = -1,
		.front_pidfd = -1,
		.inside = -1,
		.slave = -1,
		.failed_row = 0,
		.err = err,
	};
	int r = prepare(&s);

	if (r == 0)
		r = run_front_steps(&s);
	release_start(&s);
	if (r < 0) {
		box_abort(box);
		if (!s.worded)
			return box_step_failed(box, (size_t)s.failed_row, -r, 0, err);
		if (err != NULL)
			(void)snprintf(err->step, sizeof(err->step), "%s",
				       step_rows[box->plan->rows[s.failed_row].op].name);
		return r;
	}
	return 0;
}
