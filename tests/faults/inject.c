/* SPDX-License-Identifier: MIT */
/*
 * inject [-u UID] [-l LOG-FD] [-w SECONDS] ACTION... -- COMMAND...
 *
 * Runs a front under ptrace, follows what it starts, and interferes at one system call:
 *
 *   --list                                  log every call
 *   --fail ROLE,K,ERRNO,NR                  the K-th call of ROLE fails, when it is NR
 *   --fail-call ROLE,NR,N,ERRNO[,ARG,VALUE] the N-th call NR of ROLE (whose argument ARG is VALUE) fails; N 0: all
 *   --fail-call ROLE,NR,N,ERRNO,pathARG,END the N-th whose argument ARG is a text that ends with END
 *   --first ROLE,NR,N,ERRNO,pathARG,END     another call of that kind fails too: the first one
 *   --kill ROLE,K,TARGET[,MS[,SIG]]         ROLE stands before its K-th call (0: after its exec), MS go by: SIGKILL, or
 *                                           SIG; TARGET may be "group", the front's process group
 *
 * Roles: front; child: what the front cloned with CLONE_NEWPID, init: the same after its exec; command: what the init
 * started, run: the same after its exec; helper: other children of the front (with --detach the front is the caller,
 * and this the front that goes on by itself); other. K, N and NR are decimal.
 *
 * The log has lines "call ROLE K NR", "hit ROLE K NR" ("late" when it was after the command's end), "left ROLE PID" for
 * what was there SECONDS after the front's end (it is killed then), and "front STATUS" as waitpid(2) gave it. Exit
 * status: 0 once the front has run.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum role { FRONT, CHILD, INIT, COMMAND, RUN, HELPER, OTHER, GROUP, N_ROLES };
static const char *const role_names[N_ROLES] = {
	"front", "child", "init", "command", "run", "helper", "other", "group"
};

struct task {
	pid_t pid;
	enum role role;
	bool known;  /* its parent has been heard of it */
	bool held;   /* stopped, and to be let go on when it is known */
	bool newpid; /* is in a clone call with CLONE_NEWPID */
	bool waits;  /* stands at the call of --kill */
	int fail;    /* errno that its present call is to end with */
};

enum { MAX_TASKS = 256 };
static struct task tasks[MAX_TASKS];
static size_t n_tasks;
static long counts[N_ROLES];
static int log_fd = 2;
static pid_t front;
static int front_status;
static bool front_ended, run_ended;

static struct {
	bool list, fail, fail_call, every, kill, done;
	enum role role, target;
	long k, nr, settle_ms;
	int err, arg, sig;
	uint64_t value;
	const char *end;
	int64_t kill_at_ms;
} act = { .arg = -1, .sig = SIGKILL };

/* --first, until it has come */
static struct {
	enum role role;
	long nr;
	int err, arg;
	const char *end;
} first;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n > 0 && write(log_fd, line, (size_t)n) < 0)
		return; /* nobody listens */
}

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ------------------------------------------------------------ registers: the number of a call, and its result */

#if defined(__x86_64__)
static void set_call(pid_t pid, long nr)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0) {
		regs.orig_rax = (unsigned long long)nr;
		(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	}
}

static void set_result(pid_t pid, long result)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0) {
		regs.rax = (unsigned long long)result;
		(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
	}
}
#elif defined(__aarch64__)
static void set_call(pid_t pid, long nr)
{
	int number = (int)nr;
	struct iovec iov = { &number, sizeof(number) };

	(void)ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_SYSTEM_CALL, &iov);
}

static void set_result(pid_t pid, long result)
{
	struct user_regs_struct regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov) == 0) {
		regs.regs[0] = (unsigned long long)result;
		(void)ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &iov);
	}
}
#else
#error "inject.c knows the registers of x86_64 and aarch64"
#endif

/* ------------------------------------------------------------ tasks */

static struct task *find(pid_t pid)
{
	for (size_t i = 0; i < n_tasks; i++)
		if (tasks[i].pid == pid)
			return &tasks[i];
	return NULL;
}

static struct task *get(pid_t pid)
{
	struct task *t = find(pid);

	if (t != NULL)
		return t;
	if (n_tasks == MAX_TASKS)
		die("too many tasks");
	t = &tasks[n_tasks++];
	*t = (struct task){ .pid = pid, .role = OTHER };
	return t;
}

static void forget(struct task *t)
{
	*t = tasks[--n_tasks];
}

static void resume(struct task *t, int sig)
{
	bool watch = t->role != RUN && t->role != OTHER && !front_ended;

	(void)ptrace(watch ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, NULL, (void *)(intptr_t)sig);
}

/* Does the text at an address of the task end so? */
static bool text_ends(pid_t pid, uint64_t address, const char *end)
{
	char text[256] = "";
	struct iovec here = { text, sizeof(text) - 1 }, there = { (void *)(uintptr_t)address, sizeof(text) - 1 };
	size_t len, want = strlen(end);

	/* The text may lie at the end of the memory: then less. */
	for (; there.iov_len > 0; there.iov_len /= 2)
		if (process_vm_readv(pid, &here, 1, &there, 1, 0) > 0)
			break;
	len = strlen(text);
	return len >= want && strcmp(text + len - want, end) == 0;
}

/* ------------------------------------------------------------ actions */

static void kill_target(void)
{
	act.done = true;
	if (act.target == GROUP)
		(void)kill(-front, act.sig);
	for (size_t i = 0; i < n_tasks; i++)
		if (tasks[i].role == act.target || (act.target == INIT && tasks[i].role == CHILD))
			(void)kill(tasks[i].pid, act.sig);
	for (size_t i = 0; i < n_tasks; i++) {
		if (tasks[i].waits) {
			tasks[i].waits = false;
			resume(&tasks[i], 0);
		}
	}
}

/* @return true when the task is to stay where it is */
static bool maybe_kill(struct task *t, long k)
{
	if (!act.kill || act.done || act.kill_at_ms != 0 || t->role != act.role || k != act.k)
		return false;
	say("%s %s %ld -1\n", run_ended ? "late" : "hit", role_names[t->role], k);
	t->waits = true;
	act.kill_at_ms = now_ms() + act.settle_ms;
	if (act.settle_ms == 0)
		kill_target();
	return true;
}

static bool is_first(const struct task *t, const struct __ptrace_syscall_info *info)
{
	return first.end != NULL && t->role == first.role && (long)info->entry.nr == first.nr &&
	       text_ends(t->pid, info->entry.args[first.arg], first.end);
}

static void fail(struct task *t, long k, long nr, int err)
{
	say("hit %s %ld %ld\n", role_names[t->role], k, nr);
	t->fail = err;
	set_call(t->pid, -1);
}

static bool to_fail(const struct task *t, long k, const struct __ptrace_syscall_info *info)
{
	if (act.done || t->role != act.role)
		return false;
	if (act.fail)
		return k == act.k && (long)info->entry.nr == act.nr;
	if (!act.fail_call || (long)info->entry.nr != act.nr)
		return false;
	if (act.end != NULL && !text_ends(t->pid, info->entry.args[act.arg], act.end))
		return false;
	if (act.end == NULL && act.arg >= 0 && info->entry.args[act.arg] != act.value)
		return false;
	return act.every || --act.k == 0;
}

/* @return true when the task is to stay where it is */
static bool entry(struct task *t, const struct __ptrace_syscall_info *info)
{
	long k = ++counts[t->role];
	long nr = (long)info->entry.nr;

	if (act.list)
		say("call %s %ld %ld\n", role_names[t->role], k, nr);
	t->newpid = nr == SYS_clone && (info->entry.args[0] & CLONE_NEWPID);
	if (maybe_kill(t, k))
		return true;
	if (is_first(t, info)) {
		first.end = NULL;
		fail(t, k, nr, first.err);
	} else if (to_fail(t, k, info)) {
		act.done = !act.every;
		fail(t, k, nr, act.err);
	}
	return false;
}

static void syscall_stop(struct task *t)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0) {
		resume(t, 0);
		return;
	}
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && entry(t, &info))
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->fail != 0) {
		set_result(t->pid, -t->fail);
		t->fail = 0;
	}
	resume(t, 0);
}

static enum role role_of_child(const struct task *parent)
{
	switch (parent->role) {
	case FRONT:
		return parent->newpid ? CHILD : HELPER;
	case HELPER: /* the front of --detach */
		return parent->newpid ? CHILD : OTHER;
	case INIT:
		return COMMAND;
	default:
		return OTHER;
	}
}

static void new_child(struct task *parent)
{
	enum role role = role_of_child(parent);
	unsigned long pid = 0;
	struct task *t;

	if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) < 0)
		return;
	t = get((pid_t)pid);
	t->role = role;
	t->known = true;
	if (t->held) {
		t->held = false;
		resume(t, 0);
	}
}

/* @return true when the task is to stay where it is */
static bool executed(struct task *t)
{
	if (t->role == CHILD)
		t->role = INIT;
	else if (t->role == COMMAND || t->role == INIT) /* INIT: --as-pid1 */
		t->role = RUN;
	return maybe_kill(t, 0);
}

static void stopped(struct task *t, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE: {
		pid_t pid = t->pid;

		new_child(t);
		resume(get(pid), 0);
		return;
	}
	case PTRACE_EVENT_EXEC:
		if (!executed(t))
			resume(t, 0);
		return;
	case PTRACE_EVENT_STOP:
		if (!t->known)
			t->held = true;
		else if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)
			(void)ptrace(PTRACE_LISTEN, t->pid, NULL, NULL);
		else
			resume(t, 0);
		return;
	default:
		if (sig == (SIGTRAP | 0x80))
			syscall_stop(t);
		else
			resume(t, sig);
	}
}

static void take(pid_t pid, int status)
{
	struct task *t = get(pid);

	if (WIFSTOPPED(status)) {
		stopped(t, status);
		return;
	}
	if (pid == front) {
		front_ended = true;
		front_status = status;
	}
	run_ended |= t->role == RUN;
	forget(t);
}

/* ------------------------------------------------------------ the loop */

static void run(int64_t patience_ms)
{
	sigset_t chld;
	int64_t until = 0;

	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	for (;;) {
		struct timespec tick = { .tv_nsec = 2000000 };
		int status;
		pid_t pid;

		while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
			take(pid, status);
		if (pid < 0 && errno == ECHILD)
			return;
		if (act.kill_at_ms != 0 && !act.done && now_ms() >= act.kill_at_ms)
			kill_target();
		if (front_ended && until == 0)
			until = now_ms() + patience_ms;
		if (until != 0 && now_ms() >= until)
			return;
		if (act.kill_at_ms == 0 || act.done)
			tick.tv_nsec = 20000000;
		(void)sigtimedwait(&chld, NULL, &tick);
	}
}

static void end_what_is_left(void)
{
	for (size_t i = 0; i < n_tasks; i++) {
		say("left %s %d\n", role_names[tasks[i].role], (int)tasks[i].pid);
		(void)kill(tasks[i].pid, SIGKILL);
	}
}

static pid_t start(char **argv, long uid)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC;
	sigset_t none;
	int gate[2];
	char c = 0;
	pid_t pid;

	if (pipe2(gate, O_CLOEXEC) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0) {
		(void)close(gate[1]);
		if (read(gate[0], &c, 1) != 1)
			_exit(98);
		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		(void)setpgid(0, 0);
		if (uid >= 0) {
			gid_t gid = (gid_t)uid;

			if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
			    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
				_exit(97);
			(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		}
		if (log_fd > 2)
			(void)close(log_fd);
		(void)execv(argv[0], argv);
		_exit(96);
	}
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) < 0)
		die("ptrace");
	(void)close(gate[0]);
	*get(pid) = (struct task){ .pid = pid, .role = FRONT, .known = true };
	if (write(gate[1], &c, 1) != 1)
		die("write");
	(void)close(gate[1]);
	return pid;
}

/* ------------------------------------------------------------ arguments */

static enum role role_of(const char *word)
{
	for (int i = 0; i < N_ROLES; i++)
		if (strcmp(role_names[i], word) == 0)
			return (enum role)i;
	fprintf(stderr, "inject: no role %s\n", word);
	exit(99);
}

/* @return number of words */
static int split(char *text, char *words[8])
{
	int n = 0;

	for (char *p = strtok(text, ","); p != NULL && n < 8; p = strtok(NULL, ","))
		words[n++] = p;
	return n;
}

static void take_action(const char *name, char *value)
{
	char *w[8] = { NULL };
	int n = split(value, w);

	if (n < 3)
		die("inject: an action is incomplete");
	if (strcmp(name, "--first") == 0 && n > 5) {
		first.role = role_of(w[0]);
		first.nr = atol(w[1]);
		first.err = atoi(w[3]);
		first.arg = atoi(w[4] + 4);
		first.end = w[5];
		return;
	}
	act.role = role_of(w[0]);
	if (strcmp(name, "--kill") == 0) {
		act.kill = true;
		act.k = atol(w[1]);
		act.target = role_of(w[2]);
		act.settle_ms = n > 3 ? atol(w[3]) : 0;
		act.sig = n > 4 ? atoi(w[4]) : SIGKILL;
	} else if (strcmp(name, "--fail") == 0 && n > 3) {
		act.fail = true;
		act.k = atol(w[1]);
		act.err = atoi(w[2]);
		act.nr = atol(w[3]);
	} else if (n > 3) {
		act.fail_call = true;
		act.nr = atol(w[1]);
		act.k = atol(w[2]);
		act.every = act.k == 0;
		act.err = atoi(w[3]);
		act.end = n > 5 && strncmp(w[4], "path", 4) == 0 ? w[5] : NULL;
		act.arg = n > 5 ? atoi(w[4] + (act.end != NULL ? 4 : 0)) : -1;
		act.value = n > 5 ? strtoull(w[5], NULL, 0) : 0;
	}
}

int main(int argc, char **argv)
{
	int64_t patience_ms = 5000;
	long uid = -1;
	sigset_t chld;
	int i = 1;

	for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--list") == 0)
			act.list = true;
		else if (strcmp(argv[i], "-u") == 0)
			uid = atol(argv[++i]);
		else if (strcmp(argv[i], "-l") == 0)
			log_fd = atoi(argv[++i]);
		else if (strcmp(argv[i], "-w") == 0)
			patience_ms = atol(argv[++i]) * 1000;
		else
			take_action(argv[i], argv[i + 1]), i++;
	}
	if (i + 1 >= argc)
		die("inject: no command");
	(void)sigemptyset(&chld);
	(void)sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, NULL);
	front = start(argv + i + 1, uid);
	run(patience_ms);
	end_what_is_left();
	say("front %d\n", front_status);
	return 0;
}
