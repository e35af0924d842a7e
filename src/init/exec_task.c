/* SPDX-License-Identifier: MIT */
/*
 * The process that becomes what `pidbox exec` starts: here, not in the init, a client's payload is read, so that
 * nothing in it can hold the init up. It may share the init's memory, see exec_clone.c for what it must not do.
 */
#include "init/init.h"

#include "base/io.h"
#include "core/search.h"
#include "kern/sig.h"

#include <string.h>

/* By read, never by mapping: what a client can still do to its file must not become a SIGBUS here. */
static int read_payload(int fd, size_t size, const struct exec_payload **ret)
{
	char *p = exec_memory(size);
	size_t have = 0;
	int r;

	if (p == NULL)
		return -ENOMEM;
	while (have < size) {
		long n = sys_call(SYS_pread64, fd, p + have, size - have, have);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EBADMSG;
		have += (size_t)n;
	}
	r = exec_payload_check(p, size);
	if (r == 0)
		*ret = (const void *)p;
	return r;
}

/* The next string of a list; *at begins at 0. */
static const char *next_string(const struct exec_payload *p, const struct exec_strings *list, uint32_t *at)
{
	const char *s = (const char *)p + list->offset + *at;

	if (*at >= list->size)
		return NULL;
	*at += (uint32_t)strlen(s) + 1;
	return s;
}

/* ------------------------------------------------------------ what it gets */

static bool is_changed(const struct exec_payload *p, uint32_t from, const char *entry)
{
	const char *change;

	while ((change = next_string(p, &p->env, &from)) != NULL)
		if (env_same_name(change, entry))
			return true;
	return false;
}

/* The box's environment with the client's changes, of which the last one for a name counts. */
static char **merge_env(char *const *base, const struct exec_payload *p)
{
	size_t n_base = 0, n = 0;
	const char *change;
	const char **envp;
	uint32_t at = 0;

	while (base[n_base] != NULL)
		n_base++;
	envp = exec_memory((n_base + p->env.count + 1) * sizeof(*envp));
	if (envp == NULL)
		return NULL;
	for (; *base != NULL; base++)
		if (!is_changed(p, 0, *base))
			envp[n++] = *base;
	while ((change = next_string(p, &p->env, &at)) != NULL)
		if (env_value(change) != NULL && !is_changed(p, at, change))
			envp[n++] = change;
	return (char **)envp;
}

static const char *lookup(char *const *envp, const char *name)
{
	for (; *envp != NULL; envp++)
		if (env_same_name(*envp, name))
			return env_value(*envp);
	return NULL;
}

static char **make_argv(const struct exec_payload *p, char *const *envp)
{
	const char **argv = exec_memory((p->argv.count + 2) * sizeof(*argv));
	const char *shell = lookup(envp, "SHELL"), *arg;
	uint32_t at = 0;

	if (argv == NULL)
		return NULL;
	argv[0] = shell != NULL && shell[0] != '\0' ? shell : "/bin/sh";
	for (size_t n = 0; (arg = next_string(p, &p->argv, &at)) != NULL; n++)
		argv[n] = arg;
	return (char **)argv;
}

static char **make_paths(const char *file, const char *path)
{
	const char *rest = path != NULL ? path : SEARCH_DEFAULT_PATH;
	const char *dir = rest;
	size_t len, n = 2, room = 0, file_len = strlen(file);
	char **paths, *text;

	for (; *dir != '\0'; dir++)
		n += *dir == ':';
	room = (size_t)(dir - rest) + n * (file_len + sizeof("./"));
	paths = exec_memory(n * sizeof(*paths) + room);
	if (paths == NULL)
		return NULL;
	text = (char *)(paths + n);
	n = 0;
	if (search_is_file(file)) {
		paths[n] = memcpy(text, file, file_len + 1);
		return paths;
	}
	while ((dir = search_next(&rest, &len)) != NULL) {
		paths[n++] = memcpy(text, dir, len);
		text[len] = '/';
		memcpy(text + len + 1, file, file_len + 1);
		text += len + file_len + 2;
	}
	return paths;
}

/* ------------------------------------------------------------ the steps */

enum { MAX_STEPS = 8 + WIRE_MAX_STEPS };

static void add_step(struct task *t, struct wire_step *steps, enum step_op op, unsigned flags)
{
	steps[t->n_steps++] = (struct wire_step){ .op = (uint16_t)op, .flags = (uint16_t)flags };
}

/* Those of the plan: in a box what its own command does, in a helper what entering takes. */
static void add_of_plan(struct box *b, struct task *t, struct wire_step *steps, enum step_op op)
{
	for (uint32_t i = 0; i < b->plan->n_steps; i++)
		if (b->plan->steps[i].op == op)
			steps[t->n_steps++] = b->plan->steps[i];
}

static struct wire_step *step_of_plan(struct box *b, enum step_op op)
{
	for (uint32_t i = 0; i < b->plan->n_steps; i++)
		if (b->plan->steps[i].op == op)
			return &b->plan->steps[i];
	return NULL;
}

/* The client's, or the box's. Who becomes what the init is keeps its groups: setgroups may be denied. */
static void add_user(struct box *b, struct task *t, struct wire_step *steps, const struct exec_payload *p)
{
	struct wire_step *limit = step_of_plan(b, STEP_LIMIT_CAPS);

	if (!(p->flags & EXEC_USER)) {
		add_of_plan(b, t, steps, STEP_USER);
		return;
	}
	if (limit != NULL)
		limit->flags |= STEP_LIMIT_NO_AMBIENT;
	t->uid = p->uid;
	t->gid = p->gid;
	t->n_groups = p->n_groups;
	t->groups = (const void *)((const char *)p + p->groups);
	add_step(t, steps, STEP_USER, p->uid == geteuid() && p->gid == getegid() ? STEP_USER_KEEP_GROUPS : 0);
}

static void set_stdio(struct task *t, const struct exec_payload *p, const int *fds)
{
	static const uint32_t closed[] = { EXEC_CLOSED_0, EXEC_CLOSED_1, EXEC_CLOSED_2 };

	for (int i = 0; i < 3; i++)
		t->stdio[i] = p->flags & closed[i] ? -1 : fds[2 + i];
	t->terminal = p->flags & EXEC_TTY ? fds[2] : -1;
}

static void set_directory(struct task *t, const struct exec_payload *p)
{
	const char *own = p->chdir.size > 0 ? (const char *)p + p->chdir.offset : NULL;

	if (own != NULL && own[0] == '/')
		t->chdir[0] = NULL; /* the box's may be gone */
	t->chdir[1] = own;
}

static int32_t step_number(enum step_op op)
{
	static const uint8_t numbers[STEP_MAX_] = {
		[STEP_SESSION] = EXEC_STEP_SESSION,     [STEP_STDIO] = EXEC_STEP_STDIO,
		[STEP_USER] = EXEC_STEP_USER,           [STEP_CHDIR] = EXEC_STEP_CHDIR,
		[STEP_DROP_CAPS] = EXEC_STEP_DROP_CAPS, [STEP_CLOSE_FDS] = EXEC_STEP_CLOSE_FDS,
		[STEP_SIGNALS] = EXEC_STEP_SIGNALS,     [STEP_EXEC] = EXEC_STEP_EXEC,
		[STEP_CGROUP] = EXEC_STEP_CGROUP,       [STEP_ROOT] = EXEC_STEP_ROOT,
		[STEP_BOUND] = EXEC_STEP_DROP_CAPS,     [STEP_LIMIT_CAPS] = EXEC_STEP_DROP_CAPS,
		[STEP_FOLLOW] = EXEC_STEP_START,
	};

	return numbers[op];
}

static struct exec_failure cannot_take(int r)
{
	return (struct exec_failure){ .errnum = -r, .step = EXEC_STEP_TAKE };
}

struct exec_failure exec_become(struct box *b, const int *fds, size_t payload_size)
{
	struct wire_step steps[MAX_STEPS];
	const struct exec_payload *p = NULL;
	struct failure failure;
	struct task t;
	int r = read_payload(fds[1], payload_size, &p);

	if (r < 0)
		return cannot_take(r);
	task_of_plan(b, &t);
	t.steps = steps;
	t.n_steps = t.n_keep = 0;
	t.envp = merge_env(t.envp, p);
	t.argv = t.envp != NULL ? make_argv(p, t.envp) : NULL;
	t.paths = t.argv != NULL ? make_paths(t.argv[0], lookup(t.envp, "PATH")) : NULL;
	if (t.paths == NULL)
		return cannot_take(-ENOMEM);
	set_stdio(&t, p, fds);
	set_directory(&t, p);
	add_of_plan(b, &t, steps, STEP_CGROUP);
	add_of_plan(b, &t, steps, STEP_ROOT);
	add_step(&t, steps, STEP_SESSION, STEP_SESSION_APART);
	add_step(&t, steps, STEP_STDIO, 0);
	add_of_plan(b, &t, steps, STEP_BOUND);
	add_user(b, &t, steps, p);
	add_step(&t, steps, STEP_CHDIR, 0);
	add_of_plan(b, &t, steps, STEP_DROP_CAPS);
	add_of_plan(b, &t, steps, STEP_LIMIT_CAPS);
	add_of_plan(b, &t, steps, STEP_FOLLOW);
	add_step(&t, steps, STEP_CLOSE_FDS, 0);
	add_step(&t, steps, STEP_SIGNALS, 0);
	add_step(&t, steps, STEP_EXEC, 0);
	failure = task_run(b, &t);
	return (struct exec_failure){
		.errnum = failure.errnum,
		.step = step_number((enum step_op)steps[failure.step].op),
		.aux = failure.aux,
	};
}
