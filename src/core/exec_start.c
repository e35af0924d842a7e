/* SPDX-License-Identifier: MIT */
/*
 * Starting a command in a box: the spec is checked and resolved here, one of two ways (core/exec.h) makes the
 * connection, and then its first word is waited for.
 */
#include "core/exec.h"

#include "base/err.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/control_client.h"
#include "core/diagnose.h"
#include "core/enter.h"
#include "core/plan.h"
#include "core/record.h"
#include "core/target.h"
#include "kern/sig.h"
#include "kern/tty.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* How large the struct was in 0.1: programs of then are taken for ever. */
#define SPEC_SIZE_0_1 \
	(offsetof(struct pidbox_exec_spec, reserved2_) + sizeof(((struct pidbox_exec_spec *)NULL)->reserved2_))
_Static_assert(SPEC_SIZE_0_1 == 96 && sizeof(struct pidbox_exec_spec) >= SPEC_SIZE_0_1,
	       "the layout of 0.1 never changes");
enum { SPEC_SIZE_SANE = 65536 };

/* ------------------------------------------------------------ the spec */

static int wrong(struct pidbox_error *err, const char *why, const char *fix)
{
	int r = err_set(err, 0, PIDBOX_CODE_USAGE, "planning the command");

	err_why(err, "%s", why);
	err_fix(err, "%s", fix);
	return r;
}

static bool all_zero(const void *from, size_t size)
{
	const uint8_t *p = from;

	for (size_t i = 0; i < size; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static int take_spec(const struct pidbox_exec_spec *given, struct pidbox_exec_spec *ret, struct pidbox_error *err)
{
	struct pidbox_exec_spec spec = { 0 };
	size_t size = given != NULL ? given->size : 0;

	if (size < SPEC_SIZE_0_1 || size > SPEC_SIZE_SANE)
		return wrong(err, "the size of struct pidbox_exec_spec is that of no version of it",
			     "set .size = sizeof(struct pidbox_exec_spec)");
	memcpy(&spec, given, size < sizeof(spec) ? size : sizeof(spec));
	if (!all_zero(spec.reserved_, sizeof(spec.reserved_)) || !all_zero(spec.reserved2_, sizeof(spec.reserved2_)) ||
	    (size > sizeof(spec) && !all_zero((const uint8_t *)given + sizeof(spec), size - sizeof(spec))))
		return wrong(err, "it asks for something that this library (" PIDBOX_VERSION ") is too old to know",
			     "use a library as new as the header, or leave the newer members 0");
	*ret = spec;
	return 0;
}

static bool are_names(const char *const *list, bool with_value)
{
	for (; list != NULL && *list != NULL; list++) {
		size_t len = strcspn(*list, "=");

		if (!parse_env_name_ok(*list, len) || ((*list)[len] == '=') != with_value)
			return false;
	}
	return true;
}

static int check_spec(const struct pidbox_exec_spec *s, struct pidbox_error *err)
{
	if (s->tty && s->stdio != NULL)
		return wrong(err, "a terminal of its own is all of 0, 1 and 2", "give either tty or stdio");
	if (s->stop_signal < 0 || s->stop_signal > SIG_MAX)
		return wrong(err, "the stop signal is none", "give 1 to 64, or 0 for SIGTERM");
	if (s->only & ~(uint32_t)PIDBOX_NS_ALL)
		return wrong(err, "an unknown kind of namespace in only", "use the constants of pidbox.h");
	if (s->timeout_us < 0 || (s->has_grace && s->grace_us < 0))
		return wrong(err, "a negative duration", "give microseconds, 0 or more");
	if (!are_names(s->set_env, true) || !are_names(s->unset_env, false))
		return wrong(err, "a variable to be set is K=V, one to be unset K, and no name is empty",
			     "give what is to be set with its value");
	if (s->chdir != NULL && s->chdir[0] == '\0')
		return wrong(err, "the directory has an empty name", "name a directory, or leave it out");
	return 0;
}

/* ------------------------------------------------------------ what it becomes */

/* Who is himself in the box, and is a number there alone, has the group that he has there. */
static void take_own_group(const struct pidbox_target *target, struct user_ids *user)
{
	CLEANUP(cleanup_free) struct creds *own = calloc(1, sizeof(*own));

	if (own != NULL && enter_ids_inside(&target->process, own) == 0 && own->uid == user->uid)
		user_set_groups(user, own->gid, own->groups, own->n_groups);
}

/* By the box's own files, where they can be seen; a box without a root of its own has ours. */
static int look_user_up(const struct pidbox_target *target, const char *user, struct user_ids *ret,
			struct pidbox_error *err)
{
	pid_t pid = target->process.pid;
	char passwd[64], group[64];
	const struct user_db db = { .passwd = passwd, .group = group };
	bool visible;
	int r;

	(void)snprintf(passwd, sizeof(passwd), "/proc/%d/root" USER_PASSWD, (int)pid);
	(void)snprintf(group, sizeof(group), "/proc/%d/root" USER_GROUP, (int)pid);
	visible = pid > 0 && access(passwd, R_OK) == 0;
	r = facts_user(user, visible ? &db : NULL, ret, err);
	if (r == 0 && ret->is_number)
		take_own_group(target, ret);
	return r;
}

/* @return bit i: standard stream i is closed; -EBADF with err filled */
static int choose_stdio(struct exec_request *req, int slave, struct pidbox_error *err)
{
	const struct pidbox_exec_spec *s = req->spec;
	int closed = 0;

	for (int i = 0; i < 3; i++) {
		int fd = s->tty ? slave : s->stdio != NULL ? s->stdio[i] : i;
		int flags = fd >= 0 ? fcntl(fd, F_GETFD) : -1;
		/* Of the caller's own it gets what an exec would leave open. */
		bool is_open = flags >= 0 && (s->tty || s->stdio != NULL || !(flags & FD_CLOEXEC));

		if (s->stdio != NULL && fd >= 0 && flags < 0)
			return exec_diagnose(s, EBADF, EXEC_STEP_STDIO, 0, err);
		req->stdio[i] = is_open ? fd : -1;
		closed |= is_open ? 0 : 1 << i;
	}
	return closed;
}

static int no_payload(int r, struct pidbox_error *err)
{
	r = err_set(err, -r, PIDBOX_CODE_NONE, "writing down what is to be run");
	if (r == -E2BIG) {
		err_why(err,
			"arguments and environment exceed 8 MiB, or more than 16384 variables are named; the kernel "
			"takes 6 MiB at most (execve(2))");
		err_fix(err, "pass fewer or shorter ones (xargs)");
	} else {
		err_why(err,
			"it goes into a file in memory, and that cannot be made: RLIMIT_FSIZE, RLIMIT_NOFILE, or no "
			"memory");
		err_fix(err, "raise ulimit -f and ulimit -n, or free memory");
	}
	return r;
}

static int make_request(struct exec_request *req, int slave, struct pidbox_error *err)
{
	const struct pidbox_exec_spec *s = req->spec;
	CLEANUP(cleanup_free) struct user_ids *user = NULL;
	int closed = choose_stdio(req, slave, err);
	int r = closed < 0 ? closed : 0;

	if (r == 0 && s->user != NULL) {
		user = calloc(1, sizeof(*user));
		r = user == NULL ? err_no_memory(err, "looking up the user")
				 : look_user_up(req->target, s->user, user, err);
	}
	if (r < 0)
		return r;
	req->payload = exec_payload_build(s, user, (unsigned)closed, &req->payload_size);
	if (req->payload < 0)
		return no_payload(req->payload, err);
	/* Something open must hold the place of what is closed. */
	for (int i = 0; i < 3; i++)
		if (req->stdio[i] < 0)
			req->stdio[i] = req->payload;
	return 0;
}

static int open_terminal(struct pidbox_exec *exec, int *ret_slave, struct pidbox_error *err)
{
	int r = tty_open_pair(&exec->tty, ret_slave);
	const struct diagnosis *d = r < 0 ? diagnose_find(STEP_OPEN_TTY, -r) : NULL;

	if (r == 0)
		return 0;
	exec->tty = -1;
	r = err_set(err, -r, d != NULL ? d->code : PIDBOX_CODE_TTY, "opening a terminal for the command");
	err_why(err, "%s", d != NULL && d->why != NULL ? d->why : "the kernel gives none");
	err_fix(err, "%s", d != NULL ? d->fix : "run without a terminal of its own (input or output from a pipe)");
	return r;
}

static char **copy_strings(const char *const *list)
{
	size_t n = 0;
	char **copy;

	while (list[n] != NULL)
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (copy[i] == NULL)
			break; /* the record names fewer of them */
	}
	return copy;
}

/* ------------------------------------------------------------ the first word */

static int box_is_dead(struct pidbox_error *err)
{
	int r = err_set(err, ESRCH, PIDBOX_CODE_BOX_DEAD, "starting a process in the box");

	err_why(err, "the box has ended, or its init has been killed");
	err_fix(err, "start a box anew; `pidbox ls` names those that live");
	return r;
}

static int front_is_stopped(pid_t front, struct pidbox_error *err)
{
	int r = err_set(err, ETIMEDOUT, PIDBOX_CODE_NONE, "starting a process in the box");

	err_why(err, "the box's front, PID %d, is stopped (T in ps(1)): nobody hands the command to the box",
		(int)front);
	err_fix(err, "let it go on: kill -CONT %d", (int)front);
	return r;
}

/* All that is there of it is its record. */
static int box_has_ended(const struct pidbox_target *target, struct pidbox_error *err)
{
	int status, sig, r = box_is_dead(err);
	char name[16];

	if (registry_read_kept(&target->entry, &status, &sig, NULL) < 0)
		return r;
	pidbox_signal_name(sig, name);
	if (sig > 0)
		err_why(err, "the box %.100s has ended: %s killed its command", target->address, name);
	else
		err_why(err, "the box %.100s has ended, with exit status %d", target->address, status);
	return r;
}

static int interrupted(struct pidbox_error *err)
{
	int r = err_set(err, EINTR, PIDBOX_CODE_NONE, "starting a process in the box");

	err_why(err, "it hung, and a signal ended the wait: somebody has stopped the box's front, its init or the new "
		     "process, or a file system does not answer");
	err_fix(err, "`pidbox ps` shows which is stopped (T): kill -CONT it");
	return r;
}

static int told(struct pidbox_exec *exec, const struct exec_request *req, const struct control_reply *reply,
		pid_t about, struct pidbox_error *err)
{
	int r;

	switch (reply->type) {
	case CONTROL_STARTED:
		/* A helper of ours is where we are, and has the same number for it (aux). */
		exec->pid = exec->helper.pid > 0 && reply->aux > 0 ? reply->aux : about;
		if (reply->step == EXEC_STEP_CGROUP)
			exec->cgroup_refused = reply->errnum;
		exec->inside_pid = reply->inside_pid;
		exec->exec_us = now_us() - exec->t0_us;
		return 0;
	case CONTROL_FAILED:
		exec->refused = exec->helper.pid == 0 && reply->step == 0 && reply->errnum == EACCES;
		r = exec_diagnose(req->spec, reply->errnum > 0 ? reply->errnum : EPROTO, reply->step, reply->aux, err);
		if (exec->helper.pid > 0)
			enter_explain(req->target, req->spec->only, reply->step, reply->errnum, err);
		return r;
	case CONTROL_ENDED:
		return box_is_dead(err);
	default:
		return 1;
	}
}

static int helper_is_dead(struct pidbox_error *err)
{
	int r = err_set(err, ECHILD, PIDBOX_CODE_NONE, "starting a process in the box");

	err_why(err, "somebody has killed pidbox's own process that enters the namespaces, and so the command");
	err_fix(err, "give the command again");
	return r;
}

/* Nobody has answered, and nobody will. */
static int dropped(const struct pidbox_exec *exec, const struct exec_request *req, struct pidbox_error *err)
{
	struct pollfd init = { .fd = exec->init.pidfd, .events = POLLIN };

	/* An init that has been killed has closed its descriptors before its end can be seen. */
	enum { SETTLE_MS = 100 };

	if (exec->init.pidfd < 0 || poll(&init, 1, SETTLE_MS) > 0)
		return box_is_dead(err);
	if (exec->helper.pid > 0)
		return helper_is_dead(err);
	return exec_diagnose(req->spec, EMFILE, EXEC_STEP_TAKE, 0, err);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

static int wait_for_start(struct pidbox_exec *exec, const struct exec_request *req, struct pidbox_error *err)
{
	const int64_t patience = req->spec->timeout_us > 0 && req->spec->timeout_us < CONTROL_PATIENCE_US
					 ? req->spec->timeout_us
					 : CONTROL_PATIENCE_US;
	int64_t give_up_at = 0, look_at = later(exec->t0_us, patience);
	int r = 1;

	while (r == 1) {
		struct pollfd fds[] = {
			{ .fd = exec->connection, .events = POLLIN },
			{ .fd = give_up_at == 0 ? req->interrupt_fd : -1, .events = POLLIN },
		};
		struct control_reply reply;
		pid_t about, front = 0;
		int64_t left;

		r = exec_receive(exec, &reply, &about);
		if (r == 1) {
			r = told(exec, req, &reply, about, err);
			continue;
		}
		if (r < 0)
			return exec_diagnose(req->spec, EPROTO, EXEC_STEP_TAKE, 0, err);
		if (exec->connection < 0)
			return dropped(exec, req, err);
		r = 1;
		if (give_up_at != 0 && now_us() >= give_up_at)
			return interrupted(err);
		left = (give_up_at != 0 && give_up_at < look_at ? give_up_at : look_at) - now_us();
		if (left <= 0) {
			front = control_stopped_front(exec->connection, &exec->init);
			if (front > 0)
				return front_is_stopped(front, err);
			look_at = later(now_us(), patience);
			continue;
		}
		(void)poll(fds, ARRAY_LEN(fds), (int)(left / 1000 + 1));
		if (give_up_at == 0 && is_readable(req->interrupt_fd))
			give_up_at = later(now_us(), US_PER_S);
	}
	return r;
}

/* ------------------------------------------------------------ the whole */

static struct pidbox_exec *exec_new(const struct exec_request *req)
{
	struct pidbox_exec *exec = calloc(1, sizeof(*exec));
	const struct pidbox_target *target = req->target;
	const struct pidbox_exec_spec *spec = req->spec;

	if (exec == NULL)
		return NULL;
	exec->connection = exec->tty = -1;
	exec->helper = PIDREF_NONE;
	exec->init = target->init;
	exec->init.pidfd = target->init.pidfd >= 0 ? fcntl(target->init.pidfd, F_DUPFD_CLOEXEC, 3) : -1;
	exec->pid_namespace = target->pid_namespace;
	if (exec->init.pid > 0)
		pidref_format(&exec->init, exec->id);
	if (req->entry != NULL)
		memcpy(exec->name, req->entry->name, sizeof(exec->name));
	exec->command = spec->argv != NULL && spec->argv[0] != NULL ? copy_strings(spec->argv) : NULL;
	exec->t0_us = now_us();
	exec->started_realtime_us = clock_us(CLOCK_REALTIME);
	return exec;
}

static int start_by(int (*way)(struct pidbox_exec *, const struct exec_request *, struct pidbox_error *),
		    struct pidbox_exec *exec, struct exec_request *req, struct pidbox_error *err)
{
	int on = 1;
	int r = way(exec, req, err);

	if (r < 0)
		return r;
	if (setsockopt(exec->connection, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		exec->pid = 0; /* its PID is not told then */
	return wait_for_start(exec, req, err);
}

static int start(struct pidbox_exec *exec, struct exec_request *req, struct pidbox_error *err)
{
	bool has_init = req->entry != NULL && !req->target->one_process && req->spec->only == 0;
	int r = has_init ? start_by(exec_by_init, exec, req, err) : -EOPNOTSUPP;

	/*
	 * Namespaces of others; a box without an init (--as-pid1); one whose init is of a release that cannot do it; a
	 * front that cannot know that we are above it: in a user namespace of its own it may not look at us. Whether we
	 * may enter is then the kernel's to say.
	 */
	if (r != -EOPNOTSUPP && !exec->refused)
		return r;
	cleanup_close(&exec->connection);
	exec->connection = -1;
	exec->refused = false;
	return start_by(exec_by_setns, exec, req, err);
}

static int exec_run(const struct pidbox_target *target, const struct pidbox_exec_spec *given, struct pidbox_exec **ret,
		    struct pidbox_error *err)
{
	CLEANUP(cleanup_close) int slave = -1;
	struct exec_request req = { .target = target, .payload = -1, .interrupt_fd = -1 };
	struct pidbox_exec_spec spec;
	struct pidbox_exec *exec;
	int r = take_spec(given, &spec, err);

	if (r == 0)
		r = check_spec(&spec, err);
	if (r < 0)
		return r;
	if (target->has_entry && target->init.pid == 0)
		return box_has_ended(target, err);
	/* Nothing begins in there any more (R9), whoever would start it. */
	if (target->init.pid > 0 && pidref_has_ended(&target->init))
		return box_is_dead(err);
	req.spec = &spec;
	req.entry = target->has_entry && target->live ? &target->entry : NULL;
	exec = exec_new(&req);
	if (exec == NULL)
		return err_no_memory(err, "starting the command");
	req.interrupt_fd = spec.interrupt_fd > 0 ? spec.interrupt_fd : -1;
	if (spec.tty)
		r = open_terminal(exec, &slave, err);
	if (r == 0)
		r = make_request(&req, slave, err);
	if (r == 0)
		r = start(exec, &req, err);
	cleanup_close(&req.payload);
	if (r < 0) {
		pidbox_exec_free(exec);
		return r;
	}
	*ret = exec;
	return 0;
}

/* A thread that is cancelled in the middle would leave what it has opened. */
int pidbox_exec(const struct pidbox_target *target, const struct pidbox_exec_spec *spec, struct pidbox_exec **ret,
		struct pidbox_error *err)
{
	int before, r;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	r = exec_run(target, spec, ret, err);
	(void)pthread_setcancelstate(before, NULL);
	return r;
}

size_t pidbox_exec_record_failed(const struct pidbox_target *target, const struct pidbox_exec_spec *spec,
				 const struct pidbox_error *err, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);
	char id[PIDREF_ID_SIZE] = "";
	struct record rec = {
		.error = err,
		.containment = "pidns",
		.id = id,
		.command = spec != NULL ? (char *const *)(uintptr_t)spec->argv : NULL,
		.started_realtime_us = clock_us(CLOCK_REALTIME),
	};

	if (target != NULL) {
		rec.name = target->has_entry ? target->entry.name : NULL;
		rec.pid_namespace = target->pid_namespace;
		rec.init_pid = target->init.pid;
		if (target->init.pid > 0)
			pidref_format(&target->init, id);
	}
	record_write(&s, &rec);
	return (size_t)sink_end(&s);
}
