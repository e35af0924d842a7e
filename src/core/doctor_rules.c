/* SPDX-License-Identifier: MIT */
/*
 * The kernel's rules of PID namespaces (pid_namespaces(7)), each run for real.
 *
 * A rule is a function that plays it in a scout (kern/scout), in a user namespace where the rights take one. Its
 * processes put what they see into the scout's shared memory, so that no rule needs a channel for its results; where
 * one has to wait for another there is a gate, a pipe. Whoever is made ends with his maker at the latest, and what is
 * in a PID namespace with its PID 1. After a clone, so: system calls and sinks only, and no handler of the caller's can
 * run, since all signals are blocked from the start.
 */
#include "core/doctor.h"
#include "core/doctor_play.h"

#include "base/err.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/ns.h"
#include "kern/proc.h"
#include "kern/sig.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

/* ------------------------------------------------------------ the rules */

static void r1(struct play *p)
{
	enum { INSIDE };
	pid_t pid = play_split(p, CLONE_NEWPID);

	if (pid == 0) {
		p->n[INSIDE] = getpid();
		_exit(0);
	}
	if (!play_done(p, pid, "clone(CLONE_NEWPID)", NULL, NULL))
		return;
	play_number(p, "getpid() in the child: ", p->n[INSIDE]);
	play_number(p, "; its parent sees ", pid);
	play_judge(p, p->n[INSIDE] == 1 && pid > 1);
}

/* How many of these namespaces of a child are others than ours. */
static int count_new(pid_t pid)
{
	static const char *const files[] = { "pid", "uts", "ipc", "user" };
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char theirs[48] = "/proc/", ours[32] = "/proc/self/ns/";
		struct stat a, b;
		size_t len = strlen(theirs) + io_decimal(theirs + strlen(theirs), pid);

		memcpy(theirs + len, "/ns/", 5);
		strcpy(theirs + len + 4, files[i]);
		strcat(ours, files[i]);
		n += stat(theirs, &a) == 0 && stat(ours, &b) == 0 && a.st_ino != b.st_ino;
	}
	return n;
}

static int write_uid_map(const struct play *p, pid_t pid, const char *inside)
{
	char path[48] = "/proc/", text[32];
	size_t len = strlen(path) + io_decimal(path + strlen(path), pid), n = strlen(inside);

	strcpy(path + len, "/uid_map");
	memcpy(text, inside, n);
	text[n++] = ' ';
	n += io_decimal(text + n, p->uid);
	memcpy(text + n, " 1", 3);
	return io_write_file(AT_FDCWD, path, text, n + 2);
}

static void r2(struct play *p)
{
	enum { BEFORE, AFTER, WAITED };
	struct gate gate, looked;
	pid_t pid;
	int fresh, r;

	if (!gate_make(&gate) || !gate_make(&looked)) {
		play_not_tried(p, "pipe2");
		return;
	}
	pid = play_split(p, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC);
	if (pid == 0) {
		p->n[BEFORE] = (int)getuid();
		gate_open(&looked);
		p->n[WAITED] = gate_wait(&gate);
		p->n[AFTER] = (int)getuid();
		_exit(0);
	}
	if (pid < 0) {
		play_not_tried(p, "clone(CLONE_NEWUSER|CLONE_NEWPID|CLONE_NEWUTS|CLONE_NEWIPC)");
		return;
	}
	(void)close(looked.fds[1]); /* its end must not be waited for */
	(void)gate_wait(&looked);
	fresh = count_new(pid);
	r = write_uid_map(p, pid, "7");
	gate_open(&gate);
	(void)play_reap(pid);
	if (r < 0) {
		errno = -r;
		play_not_tried(p, "writing the child's uid_map");
		return;
	}
	play_number(p, "one clone made ", fresh);
	play_number(p, " of 4 namespaces new; while the child waited its parent mapped it: uid ", p->n[BEFORE]);
	play_number(p, " became ", p->n[AFTER]);
	play_judge(p, fresh == 4 && p->n[WAITED] && p->n[BEFORE] != 7 && p->n[AFTER] == 7);
}

/* unshare, in a process of its own: from then on all its children are elsewhere. */
static void r3_unshare(struct play *p, int before, int after, int child)
{
	p->n[before] = getpid();
	if (unshare(CLONE_NEWPID) < 0)
		_exit(1);
	p->n[after] = getpid();
	if (play_split(p, 0) == 0) {
		p->n[child] = getpid();
		_exit(0);
	}
	(void)play_reap(-1);
	_exit(0);
}

static void r3(struct play *p)
{
	enum { BEFORE, AFTER, CHILD, ENTERED };
	struct gate gate = { { -1, -1 } };
	pid_t first, other = play_split(p, 0);
	int ns, was = getpid(), is;

	if (other == 0)
		r3_unshare(p, BEFORE, AFTER, CHILD);
	(void)play_reap(other);
	first = gate_make(&gate) ? play_split(p, CLONE_NEWPID) : -1;
	if (first == 0) {
		(void)gate_wait(&gate); /* a namespace lives as long as its PID 1 */
		_exit(0);
	}
	ns = first < 0 ? -1 : play_namespace_of(first);
	if (ns < 0 || setns(ns, CLONE_NEWPID) < 0) {
		play_not_tried(p, first < 0 ? "clone(CLONE_NEWPID)" : "setns(CLONE_NEWPID)");
		play_end(first);
		return;
	}
	is = getpid();
	other = play_split(p, 0);
	if (other == 0) {
		p->n[ENTERED] = getpid();
		_exit(0);
	}
	(void)play_reap(other);
	gate_open(&gate);
	(void)play_reap(first);
	play_number(p, "unshare: still PID ", p->n[AFTER]);
	play_number(p, ", its next child is ", p->n[CHILD]);
	play_number(p, "; setns: still PID ", is);
	play_number(p, ", its next child is ", p->n[ENTERED]);
	play_judge(p, p->n[BEFORE] > 1 && p->n[AFTER] == p->n[BEFORE] && p->n[CHILD] == 1 && is == was &&
			      p->n[ENTERED] == 2);
}

static void r4(struct play *p)
{
	enum { BEFORE, AFTER, ERRNUM };
	int was = play_proc_self(), is;
	pid_t pid = play_split(p, CLONE_NEWPID | CLONE_NEWNS);

	if (pid == 0) {
		p->n[BEFORE] = play_proc_self();
		if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
		    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
			p->n[ERRNUM] = errno;
		p->n[AFTER] = play_proc_self();
		_exit(0);
	}
	if (!play_done(p, pid, "clone(CLONE_NEWPID|CLONE_NEWNS)", &p->n[ERRNUM], "mounting a procfs"))
		return;
	is = play_proc_self();
	play_number(p, "/proc/self inside: ", p->n[BEFORE]);
	play_number(p, " before a procfs is mounted there, ", p->n[AFTER]);
	play_number(p, " after; outside it is ", is);
	play_put(p, " all the time");
	play_judge(p, p->n[AFTER] == 1 && p->n[BEFORE] != 1 && is == was);
}

static void r5(struct play *p)
{
	enum { ERRNUM, SAME };
	static const char name[] = "pidbox-doctor";
	struct utsname before, after;
	pid_t pid;

	(void)uname(&before);
	pid = play_split(p, CLONE_NEWUTS);
	if (pid == 0) {
		struct utsname inside;

		p->n[ERRNUM] = sethostname(name, strlen(name)) < 0 ? errno : 0;
		(void)uname(&inside);
		p->n[SAME] = strcmp(inside.nodename, name) == 0;
		_exit(0);
	}
	if (!play_done(p, pid, "clone(CLONE_NEWUTS)", &p->n[ERRNUM], "sethostname"))
		return;
	(void)uname(&after);
	play_put(p, p->n[SAME] ? "inside it is \"pidbox-doctor\"; outside it is \""
			       : "inside it is another; outside it is \"");
	play_put(p, after.nodename);
	play_put(p, "\" still");
	play_judge(p, p->n[SAME] && strcmp(before.nodename, after.nodename) == 0);
}

enum { R6_ORPHAN, R6_BEFORE, R6_AFTER, R6_SIGNAL, R6_REAPED };

static void r6_parent(struct play *p, const struct gate *orphaned)
{
	struct gate seen;

	if (!gate_make(&seen))
		_exit(1);
	if (play_split(p, 0) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, 0); /* it is to outlive its parent */
		p->n[R6_ORPHAN] = getpid();
		p->n[R6_BEFORE] = getppid();
		gate_open(&seen);
		(void)close(orphaned->fds[1]); /* PID 1 opens it, or has ended */
		(void)gate_wait(orphaned);
		p->n[R6_AFTER] = getppid();
		_exit(0);
	}
	(void)gate_wait(&seen);
	_exit(0);
}

static void r6_init(struct play *p)
{
	struct gate orphaned;
	siginfo_t info;
	pid_t parent;

	if (!gate_make(&orphaned))
		_exit(1);
	parent = play_split(p, 0);
	if (parent == 0)
		r6_parent(p, &orphaned);
	(void)play_reap(parent);
	(void)sys_take_pending(SIGBIT(SIGCHLD), &info); /* the parent's */
	gate_open(&orphaned);
	p->n[R6_REAPED] = (int)waitpid(-1, NULL, 0);
	if (sys_take_pending(SIGBIT(SIGCHLD), &info) == SIGCHLD)
		p->n[R6_SIGNAL] = info.si_pid;
	_exit(0);
}

static void r6(struct play *p)
{
	pid_t pid = play_split(p, CLONE_NEWPID);

	if (pid == 0)
		r6_init(p);
	if (!play_done(p, pid, "clone(CLONE_NEWPID)", NULL, NULL))
		return;
	play_number(p, "orphan ", p->n[R6_ORPHAN]);
	play_number(p, ": its parent was ", p->n[R6_BEFORE]);
	play_number(p, ", then ", p->n[R6_AFTER]);
	play_number(p, "; PID 1 got SIGCHLD from ", p->n[R6_SIGNAL]);
	play_number(p, " and reaped ", p->n[R6_REAPED]);
	play_judge(p, p->n[R6_ORPHAN] > 1 && p->n[R6_BEFORE] > 1 && p->n[R6_AFTER] == 1 &&
			      p->n[R6_SIGNAL] == p->n[R6_ORPHAN] && p->n[R6_REAPED] == p->n[R6_ORPHAN]);
}

enum { R7_SENT, R7_THERE, R7_HANDLED, R7_PENDING, R7_OUTSIDE };

static struct play *handled_for; /* of the one process that handles a signal; a copy of the caller's memory */

static void count_signal(int sig)
{
	(void)sig;
	handled_for->n[R7_HANDLED]++;
}

/* Signals with no handler, with one, and blocked: SIGTERM, SIGUSR1, SIGUSR2. */
static void r7_init(struct play *p, const struct gate *up, const struct gate *down)
{
	const struct sigaction handle = { .sa_handler = count_signal };
	sigbits pending = 0;
	pid_t sender;

	handled_for = p;
	(void)signal(SIGTERM, SIG_DFL);
	(void)sigaction(SIGUSR1, &handle, NULL);
	(void)sig_set_mask(SIGBITS_ALL & ~SIGBIT(SIGTERM) & ~SIGBIT(SIGUSR1));
	sender = play_split(p, 0);
	if (sender == 0) {
		static const int signals[] = { SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2 };

		for (size_t i = 0; i < ARRAY_LEN(signals); i++)
			p->n[R7_SENT] += kill(1, signals[i]) == 0;
		p->n[R7_THERE] = kill(1, 0) == 0;
		_exit(0);
	}
	(void)play_reap(sender);
	(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
	p->n[R7_PENDING] = (pending & SIGBIT(SIGUSR2)) != 0;
	gate_open(up);
	(void)gate_wait(down); /* SIGTERM from outside came before */
	p->n[R7_OUTSIDE] = 1;
	gate_open(up);
	(void)gate_wait(down); /* for SIGKILL */
	_exit(0);
}

/*
 * A page beyond the end of its file: a fault that the kernel logs nothing about. It must not leave a core either, for
 * whoever collects those.
 */
static void fault(void)
{
	int fd = sys_memfd_create("pidbox-doctor", SYS_MFD_CLOEXEC);
	volatile char *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

	(void)prctl(PR_SET_DUMPABLE, 0);
	if (page != MAP_FAILED)
		(void)*page;
	_exit(0);
}

static void r7(struct play *p)
{
	struct gate up, down;
	pid_t pid = gate_make(&up) && gate_make(&down) ? play_split(p, CLONE_NEWPID) : -1, faulty;
	int killed, faulted;

	if (pid == 0)
		r7_init(p, &up, &down);
	if (pid < 0) {
		play_not_tried(p, "clone(CLONE_NEWPID)");
		return;
	}
	(void)close(up.fds[1]); /* the end of PID 1 must not be waited for */
	(void)gate_wait(&up);
	(void)kill(pid, SIGTERM);
	gate_open(&down);
	(void)gate_wait(&up);
	(void)kill(pid, SIGKILL);
	killed = play_reap(pid);
	faulty = play_split(p, CLONE_NEWPID);
	if (faulty == 0)
		fault();
	faulted = play_reap(faulty);
	play_number(
		p,
		"kill(1, ...) from inside with SIGKILL, SIGSTOP, SIGTERM (no handler), SIGUSR1 (a handler), SIGUSR2 "
		"(blocked): ",
		p->n[R7_SENT]);
	play_put(p, p->n[R7_THERE] ? " sent, PID 1 still there" : " sent, PID 1 gone");
	play_number(p, "; handled ", p->n[R7_HANDLED]);
	play_number(p, ", pending ", p->n[R7_PENDING]);
	play_put(p, p->n[R7_OUTSIDE] ? "; from outside: SIGTERM sent, still there; "
				     : "; from outside: SIGTERM sent, gone; ");
	play_put(p, play_was_killed(killed, SIGKILL) ? "SIGKILL ended it; " : "SIGKILL did not end it; ");
	play_put(p, play_was_killed(faulted, SIGBUS) ? "a fault of its own (SIGBUS) ended another"
						     : "a fault of its own did not end another");
	play_judge(p, p->n[R7_SENT] == 5 && p->n[R7_THERE] && p->n[R7_HANDLED] == 1 && p->n[R7_PENDING] &&
			      p->n[R7_OUTSIDE] && play_was_killed(killed, SIGKILL) && play_was_killed(faulted, SIGBUS));
}

/* PID 1 and two more, of which one leads a session; they hold the writing end of alive. */
static void r8_init(struct play *p, const struct gate *alive, const struct gate *up)
{
	enum { OTHERS };

	for (int i = 0; i < 2; i++)
		if (play_split(p, 0) == 0) {
			if (i == 1)
				(void)setsid();
			(void)prctl(PR_SET_PDEATHSIG, 0); /* it is the kernel that is to end them, not this */
			p->n[OTHERS + i] = getpid();
			gate_open(up);
			play_rest(p);
		}
	(void)close(alive->fds[1]);
	play_rest(p);
}

static void r8(struct play *p)
{
	struct gate alive, up;
	pid_t pid = gate_make(&alive) && gate_make(&up) ? play_split(p, CLONE_NEWPID) : -1, entered;
	siginfo_t info = { 0 };
	bool held, all_gone;
	int ns, status;

	if (pid == 0)
		r8_init(p, &alive, &up);
	ns = pid < 0 ? -1 : play_namespace_of(pid);
	if (ns < 0 || setns(ns, CLONE_NEWPID) < 0) {
		play_not_tried(p, pid < 0 ? "clone(CLONE_NEWPID)" : "setns(CLONE_NEWPID)");
		play_end(pid);
		return;
	}
	(void)close(alive.fds[1]);
	for (int i = 0; i < 2; i++)
		(void)gate_wait(&up);
	entered = play_split(p, 0);
	if (entered == 0)
		play_rest(p);
	(void)kill(pid, SIGKILL);
	all_gone = !gate_wait(&alive);
	/* Who has entered is ended, too; he stays a zombie for us to reap, and holds PID 1's end up as long. */
	(void)waitid(P_PID, (id_t)entered, &info, WEXITED | WNOWAIT);
	info.si_pid = 0;
	held = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
	(void)play_reap(entered);
	status = play_reap(pid);
	play_number(p, "SIGKILL to PID 1 (", pid);
	play_number(p, " outside): ", p->n[0]);
	play_number(p, " and ", p->n[1]);
	play_put(p, all_gone ? " ended with it; " : " did not end; ");
	play_number(p, held ? "its end was not reported until " : "its end was reported before ", entered);
	play_put(p, ", which had entered by setns, was reaped");
	play_judge(p, all_gone && held && play_was_killed(status, SIGKILL));
}

static void r9(struct play *p)
{
	pid_t first, second;
	int errnum;

	if (unshare(CLONE_NEWPID) < 0) {
		play_not_tried(p, "unshare(CLONE_NEWPID)");
		return;
	}
	first = play_split(p, 0);
	if (first == 0)
		_exit(0);
	(void)play_reap(first);
	second = play_split(p, 0);
	errnum = second < 0 ? errno : 0;
	if (second == 0)
		_exit(0);
	if (second > 0)
		(void)play_reap(second);
	play_number(p, "PID 1 (", first);
	play_put(p, " outside) has ended; the next fork there: ");
	play_put(p, errnum != 0 ? err_name(errnum) : "a process");
	play_judge(p, first > 0 && errnum == ENOMEM);
}

/* The /proc that is there is the outer one: "NSpid:" has a number for each level from that one on (proc_pid_status(5)).
 */
static void r10_deepest(struct play *p)
{
	char status[4096];
	pid_t pids[PROC_PIDS_MAX];
	int n = io_read_file(AT_FDCWD, "/proc/self/status", status, sizeof(status)) > 0 ? proc_parse_pids(status, pids)
											: 0;

	for (int i = 0; i < n && i < (int)ARRAY_LEN(p->n) - 1; i++)
		p->n[1 + i] = pids[i];
	p->n[0] = n;
	_exit(0);
}

static void r10_level(struct play *p, int below)
{
	pid_t pid = play_split(p, CLONE_NEWPID);

	if (pid == 0) {
		if (below == 1)
			r10_deepest(p);
		r10_level(p, below - 1);
		_exit(0);
	}
	if (pid < 0)
		p->n[0] = -errno;
	else
		(void)play_reap(pid);
}

static void r10(struct play *p)
{
	enum { BELOW = 3 };
	const volatile int *last;

	r10_level(p, BELOW);
	if (p->n[0] <= 0) {
		errno = p->n[0] < 0 ? -p->n[0] : ENOENT;
		play_not_tried(p, p->n[0] < 0 ? "clone(CLONE_NEWPID)" : "reading /proc/self/status");
		return;
	}
	last = &p->n[p->n[0]];
	play_number(p, "a process ", BELOW);
	play_put(p, " levels below has the PIDs");
	for (int i = 1; i <= p->n[0]; i++)
		play_number(p, " ", p->n[i]);
	play_number(p, "; ", p->levels);
	play_put(p, " levels could be nested below this one, then ");
	play_put(p, err_name(p->levels_errnum));
	play_judge(p, p->n[0] > BELOW && last[0] == 1 && last[-1] == 2 && last[-2] == 3 && p->levels_errnum != 0);
}

/* ------------------------------------------------------------ the table */

static const struct {
	const char *name, *says;
	void (*run)(struct play *p);
} rules[] = {
	{ "R1", "clone with CLONE_NEWPID gives the child PID 1; its parent sees an ordinary PID", r1 },
	{ "R2", "PID, UTS and IPC namespaces combine in one call; the child can be held until the parent is ready",
	  r2 },
	{ "R3", "unshare and setns on a PID namespace do not move the caller, only its next children", r3 },
	{ "R4", "until a procfs is mounted from inside, /proc shows the outer processes", r4 },
	{ "R5", "a host name set inside is not seen outside", r5 },
	{ "R6", "the first process is the init: orphans become its children", r6 },
	{ "R7",
	  "PID 1 gets only signals that it has a handler for or blocks; from inside SIGKILL and SIGSTOP do nothing",
	  r7 },
	{ "R8",
	  "when PID 1 ends, the kernel kills every process of the namespace; its end is reported when all are reaped",
	  r8 },
	{ "R9", "after the end of PID 1, fork in that namespace fails with ENOMEM", r9 },
	{ "R10", "namespaces nest, 32 deep; a process has one PID at each level", r10 },
};

struct scene {
	struct play play;
	void (*run)(struct play *p);
};

static void enter(void *found)
{
	struct scene *s = found;
	int r = s->play.maps ? doctor_map_ids(s->play.uid, s->play.gid) : 0;

	s->play.scout = sys_pidfd_open(getpid(), 0);
	if (r == 0) {
		s->run(&s->play);
		return;
	}
	errno = -r;
	play_not_tried(&s->play, "mapping the user into a new user namespace");
}

void doctor_run_rules(struct pidbox_doctor *d)
{
	uint32_t kinds = doctor_with_rights(d, 0);

	_Static_assert(ARRAY_LEN(rules) == DOCTOR_RULES, "one place for each");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct scene s = {
			.play = { .uid = geteuid(),
				  .gid = getegid(),
				  .maps = kinds & PIDBOX_NS_USER,
				  .holds = NOT_TRIED,
				  .levels = d->levels,
				  .levels_errnum = d->levels_errnum },
			.run = rules[i].run,
		};
		int r = doctor_send(d, kinds, enter, &s, sizeof(s));

		if (r < 0) {
			errno = -r;
			play_not_tried(&s.play, r == -ETIMEDOUT ? "it did not come to its end" : "clone");
		}
		if (s.play.seen[0] == '\0') /* as by a seccomp filter that kills */
			play_put(&s.play, "its process was ended before it had seen anything");
		d->rules[i] = (struct pidbox_rule){
			.rule = rules[i].name,
			.says = rules[i].says,
			.holds = s.play.holds,
			.observed = doctor_keep(d, s.play.seen),
		};
	}
	d->n_rules = ARRAY_LEN(rules);
}
