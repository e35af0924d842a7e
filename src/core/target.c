/* SPDX-License-Identifier: MIT */
/*
 * From an address to a box. A number is turned into a pidfd once; all that is read by the number afterwards counts only
 * when the pidfd says that it is still that process's (pidref_verify).
 */
#include "core/target.h"

#include "base/err.h"
#include "base/sys.h"
#include "base/util.h"
#include "core/enter.h"
#include "core/front.h"
#include "core/translate.h"
#include "kern/container.h"
#include "kern/proc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct finder {
	const struct address *address;
	struct pidbox_target *target;
	struct pidbox_translator tr;
	struct pidbox_error *err;
};

/* ------------------------------------------------------------ errors */

static int no_such_box(const struct finder *f, const char *why)
{
	int r = err_set(f->err, ESRCH, PIDBOX_CODE_NO_SUCH_BOX, "looking for the box %s", f->target->address);

	err_why(f->err, "%s", why);
	err_fix(f->err, "`pidbox ls` shows the boxes that there are");
	return r;
}

static int denied(const struct finder *f, const char *why)
{
	int r = err_set(f->err, EACCES, PIDBOX_CODE_DENIED, "looking at %s", f->target->address);

	err_why(f->err, "%s", why);
	enter_fix_right(f->err, geteuid(), "CAP_SYS_PTRACE",
			"do it as that user, or as root (in a container: with CAP_SYS_PTRACE)");
	return r;
}

/* Of what read a process. */
static int cannot_see(const struct finder *f, int r)
{
	if (r == -ESRCH || r == -ENOENT)
		return no_such_box(f, "no process has that number (any more)");
	if (r == -EACCES || r == -EPERM)
		return denied(f, "the process is another user's, or protects itself: the kernel does not show this "
				 "user which PID namespace it is in");
	r = err_set(f->err, -r, PIDBOX_CODE_NONE, "looking at %s", f->target->address);
	err_why(f->err, "%s",
		r == -EMFILE || r == -ENFILE ? "there are no descriptors left"
					     : "the kernel does not show the process");
	err_fix(f->err, "%s", r == -EMFILE ? "raise the limit of descriptors (ulimit -n)" : "try again");
	return r;
}

/* ------------------------------------------------------------ the namespace and its init */

/*
 * Take hold of what has a number in the target's namespace. It had the number before the pidfd and has it after, so it
 * is what the pidfd holds.
 */
static int hold_inside(struct finder *f, pid_t inside, struct pidref *ret)
{
	const struct pidref *known = &f->target->process;
	struct pidref ref;
	pid_t pid = translate_out(&f->tr, f->target->ns, inside);
	int r = pid < 0 ? pid : known->pid == pid ? pidref_dup(known, &ref) : pidref_open(pid, &ref);

	if (r < 0)
		return r;
	if (translate_out(&f->tr, f->target->ns, inside) != pid || pidref_verify(&ref) < 0) {
		pidref_close(&ref);
		return -ESRCH;
	}
	*ret = ref;
	return 0;
}

static int find_init(struct finder *f)
{
	struct pidbox_target *t = f->target;
	int r;

	if (t->own)
		r = pidref_open(1, &t->init);
	else
		r = hold_inside(f, 1, &t->init);
	if (r == -ESRCH && !t->own && pidns_pid_from(t->ns, 1) == -ENOTTY && !pidref_has_ended(&t->process))
		return denied(f, "the kernel (before 6.11) shows which process its PID 1 is only to who may trace it "
				 "(ptrace(2))");
	/* When PID 1 has ended nothing begins in there any more (R9); what is left waits to be reaped. */
	if (r == -ESRCH && !t->own)
		return no_such_box(f, "its PID 1 has ended: the box is no more");
	if (r < 0 && r != -ESRCH)
		return cannot_see(f, r);
	t->live = r == 0 && !pidref_has_ended(&t->init);
	return 0;
}

/* By way of another process in it, which this user may look at. @return descriptor; -1 */
static int ns_of_hidden_init(const struct finder *f, const struct pidref *init)
{
	struct proc_iter it = { .root = f->tr.proc };
	int found = -1;
	pid_t pid;

	while ((pid = proc_next(&it)) > 0) {
		uint64_t inode = found < 0 ? pidns_inode_of(f->tr.proc, pid) : 0; /* to its end, which closes it */
		int ns = inode != 0 && inode != f->tr.own ? pidns_open(f->tr.proc, pid) : -1;

		if (ns >= 0 && pidns_pid_from(ns, 1) == init->pid && pidref_verify(init) == 0)
			found = ns;
		else
			cleanup_close(&ns);
	}
	return found;
}

/* The namespace cannot be opened. Its numbers may be seen all the same, and tell of two that need no more. */
static int by_numbers(struct finder *f, int denial)
{
	struct pidbox_target *t = f->target;
	pid_t pids[PIDNS_LEVELS_MAX];
	int n = translate_read_pids(&f->tr, t->process.pid, pids);

	if (n < 0 || pidref_verify(&t->process) < 0)
		return cannot_see(f, n < 0 ? n : -ESRCH);
	if (n == 1) {
		t->own = true;
		t->pid_namespace = f->tr.own;
		return find_init(f);
	}
	if (pids[n - 1] != 1)
		return cannot_see(f, denial);
	n = pidref_dup(&t->process, &t->init);
	if (n < 0)
		return cannot_see(f, n);
	t->live = !pidref_has_ended(&t->init);
	t->ns = ns_of_hidden_init(f, &t->init);
	if (t->ns >= 0)
		t->pid_namespace = pidns_inode(t->ns);
	return 0;
}

/* The box that the process is in which the target holds. */
static int by_held_process(struct finder *f)
{
	struct pidbox_target *t = f->target;
	int ns = pidns_open(f->tr.proc, t->process.pid);

	if (pidref_verify(&t->process) < 0) {
		cleanup_close(&ns);
		return cannot_see(f, -ESRCH);
	}
	if (ns < 0)
		return ns == -EACCES || ns == -EPERM ? by_numbers(f, ns) : cannot_see(f, ns);
	t->ns = ns;
	t->pid_namespace = pidns_inode(ns);
	t->own = t->pid_namespace == f->tr.own;
	return find_init(f);
}

/* ------------------------------------------------------------ the kinds of address */

static int by_pid(struct finder *f)
{
	struct pidbox_target *t = f->target;
	struct pidref init;
	int r = pidref_open(f->address->id.pid, &t->process);

	if (r < 0)
		return cannot_see(f, r);
	/* The PID of a front names the box that it leads. */
	if (front_leads(f->tr.proc, &t->process, &init)) {
		pidref_close(&t->process);
		t->process = init;
	}
	return by_held_process(f);
}

/* Is this the record of the box that had the id? In strings of JSON every quote has a backslash. */
static int is_record_of(void *context, const struct registry_entry *entry)
{
	struct finder *f = context;
	char id[PIDREF_ID_SIZE], member[PIDREF_ID_SIZE + 8], *record;
	int status, sig;
	bool found;

	if (entry->id.pid != 0 || entry->kept[0] == '\0' || registry_read_kept(entry, &status, &sig, &record) < 0)
		return 0;
	pidref_format(&f->address->id, id);
	(void)snprintf(member, sizeof(member), "\"id\":\"%s\"", id);
	found = strstr(record, member) != NULL;
	free(record);
	if (!found)
		return 0;
	f->target->entry = *entry;
	f->target->has_entry = true;
	return 1;
}

/* Nothing lives under that id. Its record may be kept. */
static int by_kept_id(struct finder *f)
{
	pidref_close(&f->target->process);
	registry_walk(true, is_record_of, f);
	return f->target->has_entry ? 0 : no_such_box(f, "it has ended: its id is never used again, its PID may be");
}

static int by_id(struct finder *f)
{
	const struct pidref *id = &f->address->id;
	struct pidbox_target *t = f->target;
	struct pidref init;
	int r = pidref_open(id->pid, &t->process);

	/* By the mark that was given, whichever of the two this kernel prefers. */
	if (r == 0 && id->start_ticks != 0 && t->process.start_ticks == 0)
		r = pidref_read_start(&t->process);
	if (r < 0 && r != -ESRCH)
		return cannot_see(f, r);
	if (r < 0 || !pidref_same(id, &t->process))
		return by_kept_id(f);
	if (front_leads(f->tr.proc, &t->process, &init)) {
		pid_t pids[PIDNS_LEVELS_MAX];
		int n = translate_read_pids(&f->tr, t->process.pid, pids);

		/* A PID 1 that is a front at the same time: its id is that of the box that it is in. */
		if (n > 0 && pids[n - 1] == 1) {
			pidref_close(&init);
		} else {
			pidref_close(&t->process);
			t->process = init;
		}
	}
	return by_held_process(f);
}

static int by_namespace(struct finder *f)
{
	struct pidbox_target *t = f->target;
	struct proc_iter it = { .root = f->tr.proc };
	unsigned unseen = 0;
	pid_t pid;

	if (f->address->pid_namespace == f->tr.own) {
		t->own = true;
		t->pid_namespace = f->tr.own;
		t->ns = sys_openat(AT_FDCWD, "/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		return find_init(f);
	}
	while ((pid = proc_next(&it)) > 0) {
		uint64_t inode;

		if (t->ns >= 0)
			continue; /* to its end, which closes it */
		errno = 0;
		inode = pidns_inode_of(f->tr.proc, pid);
		if (inode == f->address->pid_namespace) {
			t->ns = pidns_open(f->tr.proc, pid);
			if (t->ns >= 0 && pidns_inode(t->ns) != inode) {
				cleanup_close(&t->ns);
				t->ns = -1;
			}
		} else if (inode == 0 && errno == EACCES) {
			unseen++;
		}
	}
	if (t->ns < 0)
		return no_such_box(
			f, unseen > 0 ? "no process is in that PID namespace, of those that this user may look at"
				      : "no process is in that PID namespace");
	t->pid_namespace = f->address->pid_namespace;
	return find_init(f);
}

static int by_name_now(struct finder *f)
{
	const struct address *a = f->address;
	struct pidbox_target *t = f->target;
	int r = registry_find(a->name, a->user[0] != '\0' ? a->user : NULL, &t->entry, f->err);

	if (r < 0)
		return r;
	t->has_entry = true;
	if (t->entry.id.pid == 0) {
		t->pid_namespace = t->entry.pid_namespace;
		return 0; /* it has ended, and its record is kept */
	}
	r = pidref_open(t->entry.id.pid, &t->process);
	if (r == 0 && t->entry.id.start_ticks != 0 && t->process.start_ticks == 0)
		r = pidref_read_start(&t->process);
	if (r < 0 && r != -ESRCH)
		return cannot_see(f, r);
	if (r < 0 || !pidref_same(&t->entry.id, &t->process))
		return no_such_box(f, "it has just ended");
	if (!registry_may_name(&t->entry, t->process.pid))
		return no_such_box(f, "what that user has under that name is no box of his");
	if (pidref_verify(&t->process) < 0)
		return no_such_box(f, "it has just ended");
	return by_held_process(f);
}

/* One that ends between two looks is found again as what has ended, with its record. */
static int by_name(struct finder *f)
{
	enum { TRIES = 3 };
	struct pidbox_target *t = f->target;
	int r = by_name_now(f);

	for (int i = 1; i < TRIES && r == -ESRCH; i++) {
		pidref_close(&t->process);
		pidref_close(&t->init);
		cleanup_close(&t->ns);
		t->ns = -1;
		t->live = t->has_entry = false;
		r = by_name_now(f);
	}
	return r;
}

struct candidates {
	char id[CONTAINER_ID_SIZE];         /* the first that was found */
	char others[4 * CONTAINER_ID_SIZE]; /* ", ID" of different ones */
	pid_t pid;                          /* of the first, in the outermost namespace that it has processes in */
	int levels;
	uint64_t ns, other_ns; /* that one, and a different one as far out; 0: none */
};

static void consider(struct finder *f, struct candidates *c, pid_t pid)
{
	pid_t pids[PIDNS_LEVELS_MAX];
	char id[CONTAINER_ID_SIZE];
	uint64_t ns;
	int n;

	if (translate_read_container(&f->tr, pid, id) < 0 ||
	    strncmp(id, f->address->container, strlen(f->address->container)) != 0)
		return;
	if (c->id[0] == '\0')
		strcpy(c->id, id);
	if (strcmp(c->id, id) != 0) {
		size_t len = strlen(c->others);

		if (strstr(c->others, id) == NULL)
			(void)snprintf(c->others + len, sizeof(c->others) - len, ", %s", id);
		return;
	}
	/* A box inside of the container is not it. */
	n = translate_read_pids(&f->tr, pid, pids);
	if (n <= 0 || (c->pid != 0 && n > c->levels))
		return;
	ns = pidns_inode_of(f->tr.proc, pid);
	if (c->pid == 0 || n < c->levels) {
		c->pid = pid;
		c->levels = n;
		c->ns = ns;
		c->other_ns = 0;
	} else if (ns != 0 && ns != c->ns) {
		c->other_ns = ns;
	}
}

static int by_container(struct finder *f)
{
	struct proc_iter it = { .root = f->tr.proc };
	struct candidates c = { .pid = 0 };
	pid_t pid;
	int r;

	while ((pid = proc_next(&it)) > 0)
		consider(f, &c, pid);
	if (c.others[0] != '\0') {
		r = err_set(f->err, ENOTUNIQ, PIDBOX_CODE_NO_SUCH_BOX, "looking for the box %s", f->target->address);
		err_why(f->err, "several containers begin so: %s%s", c.id, c.others);
		err_fix(f->err, "give more digits of its id");
		return r;
	}
	/* Who may make a cgroup may call it as he likes. */
	if (c.other_ns != 0) {
		r = err_set(f->err, ENOTUNIQ, PIDBOX_CODE_NO_SUCH_BOX, "looking for the box %s", f->target->address);
		err_why(f->err, "two PID namespaces call themselves that container: ns:%llu and ns:%llu",
			(unsigned long long)c.ns, (unsigned long long)c.other_ns);
		err_fix(f->err, "name the right one by its number (`pidbox ls` shows both)");
		return r;
	}
	if (c.pid == 0)
		return no_such_box(f, "no process is in a container whose id begins so");
	r = pidref_open(c.pid, &f->target->process);
	return r < 0 ? cannot_see(f, r) : by_held_process(f);
}

static int (*const by_kind[])(struct finder *) = {
	[ADDRESS_NAME] = by_name,
	[ADDRESS_PID] = by_pid,
	[ADDRESS_ID] = by_id,
	[ADDRESS_NAMESPACE] = by_namespace,
	[ADDRESS_CONTAINER] = by_container,
};

/* ------------------------------------------------------------ opening and closing */

/* BOX/PID. */
static int find_process(struct finder *f)
{
	struct pidbox_target *t = f->target;
	struct pidref process;
	int r;

	if (t->init.pid == 0 && t->has_entry)
		return no_such_box(f, "the box has ended");
	if (t->ns < 0 && !t->own)
		return cannot_see(f, -EACCES);
	r = t->own ? pidref_open(f->address->inside_pid, &process) : hold_inside(f, f->address->inside_pid, &process);
	if (r == -ESRCH)
		return no_such_box(f, "no process in that box has that number (a thread is none)");
	if (r < 0)
		return cannot_see(f, r);
	pidref_close(&t->process);
	t->process = process;
	t->one_process = true;
	t->inside_pid = f->address->inside_pid;
	return 0;
}

static int find(struct finder *f)
{
	struct pidbox_target *t = f->target;
	int r = by_kind[f->address->kind](f);

	if (r < 0)
		return r;
	if (!t->has_entry && t->live && !t->own)
		t->has_entry = target_find_entry(t);
	if (t->has_entry && t->pid_namespace == 0)
		t->pid_namespace = t->entry.pid_namespace;
	if (f->address->inside_pid > 0)
		return find_process(f);
	if (t->process.pid > 0 || t->init.pid <= 0)
		return 0;
	r = pidref_dup(&t->init, &t->process);
	return r < 0 ? cannot_see(f, r) : 0;
}

int pidbox_open(const char *address, struct pidbox_target **ret, struct pidbox_error *err)
{
	struct address parsed;
	struct finder f = { .address = &parsed, .err = err };
	int r = address_parse(address, &parsed, err);

	if (r < 0)
		return r;
	f.target = calloc(1, sizeof(*f.target));
	if (f.target == NULL)
		return err_no_memory(err, "opening a box");
	f.target->init = f.target->process = PIDREF_NONE;
	f.target->ns = f.target->waiting = -1;
	f.target->address = strdup(address);
	if (f.target->address == NULL) {
		pidbox_close(f.target);
		return err_no_memory(err, "opening a box");
	}
	r = translator_begin(&f.tr, err);
	if (r == 0) {
		r = find(&f);
		translator_end(&f.tr);
	}
	if (r < 0) {
		pidbox_close(f.target);
		return r;
	}
	*ret = f.target;
	return 0;
}

void pidbox_close(struct pidbox_target *target)
{
	if (target == NULL)
		return;
	pidref_close(&target->process);
	pidref_close(&target->init);
	cleanup_close(&target->ns);
	cleanup_close(&target->waiting);
	free(target->record);
	free(target->address);
	free(target);
}

void pidbox_target_get_info(const struct pidbox_target *target, struct pidbox_target_info *ret)
{
	*ret = (struct pidbox_target_info){
		.init_pid = target->init.pid,
		.pid = target->process.pid,
		.inside_pid = target->inside_pid,
		.pid_namespace = target->pid_namespace,
		.one_process = target->one_process,
		.own = target->own,
		.live = target->live,
		.name = target->has_entry && target->entry.name[0] != '\0' ? target->entry.name : NULL,
		.pidbox = target->has_entry && target->live,
	};
	if (target->init.pid > 0)
		pidref_format(&target->init, ret->id);
}

int pidbox_target_pidfd(const struct pidbox_target *target)
{
	int pidfd = target_ref(target)->pidfd;

	return pidfd >= 0 ? pidfd : -EBADF;
}
