/* SPDX-License-Identifier: MIT */
#include "init/alone.h"

#include "base/io.h"
#include "base/util.h"
#include "core/record.h"
#include "core/search.h"
#include "kern/pidref.h"
#include "kern/sig.h"

#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* What stands behind the plan in its memory: tables of pointers, then the files to try. */
struct layout {
	size_t n_argv, n_envp, n_paths, path_bytes;
};
enum { NUMBER_SIZE = 48 }; /* "LISTEN_PID=" and a PID */

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static const char *path_of(char *const *envp)
{
	const char *path = SEARCH_DEFAULT_PATH;

	for (; *envp != NULL; envp++)
		if (env_same_name(*envp, "PATH") && env_value(*envp) != NULL)
			path = env_value(*envp);
	return path;
}

static struct layout measure(const struct alone *a, char *const *envp)
{
	struct layout l = { .n_argv = count(a->argv), .n_envp = count(envp) };
	const char *rest = path_of(envp);
	size_t len;

	if (l.n_argv == 0 || search_is_file(a->argv[0])) {
		l.n_paths = 1;
		return l;
	}
	while (search_next(&rest, &len) != NULL) {
		l.n_paths++;
		l.path_bytes += len + 1 + strlen(a->argv[0]) + 1;
	}
	return l;
}

/* With a place before it, see STEP_EXEC_SHELL. @return where the next table begins */
static char **put_table(struct wire_plan *p, char **at, uint32_t *ret_offset, char *const *list, size_t n)
{
	*ret_offset = (uint32_t)((char *)at - (char *)p);
	memcpy(at, list, n * sizeof(*at));
	at[n] = NULL;
	return at + n + 1;
}

static void put_paths(struct wire_plan *p, char **at, const struct alone *a, const struct layout *l, char *const *envp)
{
	char *text = (char *)(at + l->n_paths + 1);
	const char *rest = path_of(envp), *dir;
	size_t len, file = strlen(a->argv[0]) + 1;

	p->paths = (uint32_t)((char *)at - (char *)p);
	if (l->path_bytes == 0) {
		at[0] = a->argv[0];
		return;
	}
	while ((dir = search_next(&rest, &len)) != NULL) {
		*at++ = text;
		memcpy(text, dir, len);
		text[len] = '/';
		memcpy(text + len + 1, a->argv[0], file);
		text += len + 1 + file;
	}
}

static void put_step(struct wire_plan *p, enum step_op op, uint16_t flags)
{
	p->steps[p->n_steps++] = (struct wire_step){ .op = (uint16_t)op, .flags = flags };
}

/* Sockets that were passed to us (sd_listen_fds(3)) are for the command: the PID becomes its own. */
static void put_listen(struct wire_plan *p)
{
	char *entry = (char *)p + p->size - NUMBER_SIZE, **envp = (char **)(void *)((char *)p + p->envp);
	size_t len = strlen("LISTEN_PID=");

	memcpy(entry, "LISTEN_PID=", len);
	entry[len + io_decimal(entry + len, getpid())] = '\0';
	for (; *envp != NULL; envp++) {
		if (strcmp(*envp, entry) != 0)
			continue;
		*envp = entry;
		put_step(p, STEP_LISTEN, 0);
		p->steps[p->n_steps - 1].text = (uint32_t)(entry + len - (char *)p);
	}
}

static void put_steps(struct wire_plan *p, const struct alone *a)
{
	if (a->argv == NULL) {
		put_step(p, STEP_IDLE, 0);
		return;
	}
	put_step(p, STEP_START, 0);
	if (a->placement == PLACE_SESSION)
		put_step(p, STEP_SESSION, STEP_SESSION_TRY);
	else if (a->placement == PLACE_OWN_GROUP)
		put_step(p, STEP_GROUP, 0);
	put_listen(p);
	put_step(p, STEP_SIGNALS, 0);
	put_step(p, STEP_EXEC, a->manner == MANNER_OWN ? 0 : STEP_EXEC_SHELL);
}

static uint32_t flags_of(const struct alone *a)
{
	return (a->report != NULL ? WIRE_ACCOUNT : 0u) | (a->to_group ? WIRE_TO_GROUP : 0u) |
	       (a->has_grace ? WIRE_HAS_GRACE : 0u) | (getpid() != 1 && a->manner == MANNER_OWN ? WIRE_SUBREAPER : 0u);
}

/* @return NULL when there is no memory */
static struct wire_plan *make_plan(const struct alone *a, char *const *envp, sigbits mask)
{
	struct layout l = measure(a, envp);
	size_t size = sizeof(struct wire_plan) + (1 + l.n_argv + l.n_envp + l.n_paths + 3) * sizeof(char *) +
		      l.path_bytes + NUMBER_SIZE;
	struct wire_plan *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char **at;

	if (p == MAP_FAILED)
		return NULL;
	*p = (struct wire_plan){
		.version = WIRE_VERSION,
		.size = (uint32_t)size,
		.flags = flags_of(a),
		.front_pidfd = -1,
		.report_fd = -1,
		.kept_fd = -1,
		.tty_fd = -1,
		.proc_fd = -1,
		.stdio = { 0, 1, 2 },
		.signal_mask = mask,
		.on_exit = a->on_exit,
		.stop_signal = a->stop_signal,
		.grace_us = a->grace_us,
		.timeout_us = a->timeout_us,
		.leak_grace_us = US_PER_S / 10,
		.started_realtime_us = clock_us(CLOCK_REALTIME),
		.proc_word = "keep",
	};
	memcpy(p->signal_map, a->signal_map, sizeof(p->signal_map));
	at = put_table(p, (char **)(void *)(p + 1) + 1, &p->argv, a->argv, l.n_argv);
	at = put_table(p, at, &p->envp, envp, l.n_envp);
	if (a->argv != NULL)
		put_paths(p, at, a, &l, envp);
	put_steps(p, a);
	return p;
}

/* ------------------------------------------------------------ the start */

static void give_up(const struct alone *a, int status, const char *what, int errnum) __attribute__((noreturn));
static void give_up(const struct alone *a, int status, const char *what, int errnum)
{
	alone_say_errno(a, what, errnum);
	_exit(status);
}

static int own_failure(const struct alone *a)
{
	return a->manner == MANNER_OWN ? PIDBOX_EXIT_FAILED : 1;
}

/* As other verbs know us. */
static void identify(struct box *b)
{
	struct pidref ref;
	struct stat st;
	uint64_t pidfs = 0;

	b->ident.init_pid = getpid();
	if (stat("/proc/self/ns/pid", &st) == 0)
		b->ident.pid_namespace = st.st_ino;
	if (pidref_look(getpid(), &pidfs, &ref) == 0)
		pidref_format(&ref, b->ident.id);
}

/* A file, or as `pidbox run --fallback` has it, "fd:N" that is open already. */
static int open_report(const struct alone *a)
{
	int fd;

	if (strncmp(a->report, "fd:", 3) == 0) {
		fd = init_descriptor(a->report + 3);
		fd = fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd; /* EBADF for -1, too */
	} else {
		fd = io_above_stdio(open(a->report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
	}
	if (fd < 0)
		give_up(a, own_failure(a), "opening the report", errno);
	return fd;
}

static void become_reaper(const struct alone *a)
{
	int already = 0;

	if (getpid() == 1)
		return;
	if (a->subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		give_up(a, own_failure(a), "becoming a subreaper", errno);
	(void)prctl(PR_GET_CHILD_SUBREAPER, &already);
	if (already == 0)
		alone_say_not_pid1(a);
}

int alone_kept(const struct alone *a, int fd)
{
	return a->manner == MANNER_OWN || a->verbosity > 1 || a->warn_reaped ? fd : -1;
}

/* A closed one may be somebody else's by the time there is something to say. */
static int if_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

/* What the real one does to its command: nothing blocked, nothing ignored. */
static void be_plain_as_dumb_init(struct box *b, sigbits *mask)
{
	*mask = 0;
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	b->chld_ignored = false;
}

static void prepare(struct box *b, struct alone *a, char **envp, sigbits mask)
{
	int tty;

	a->err = if_open(STDERR_FILENO);
	a->out = a->manner == MANNER_TINI ? if_open(STDOUT_FILENO) : -1; /* nobody else says anything there */
	become_reaper(a);
	if (a->parent_death != 0 && prctl(PR_SET_PDEATHSIG, a->parent_death) < 0)
		give_up(a, own_failure(a), "asking for a signal at the parent's end", errno);
	if (a->manner == MANNER_DUMB_INIT)
		be_plain_as_dumb_init(b, &mask);
	if (a->manner == MANNER_CATATONIT) /* which has them blocked itself, and does not let them go before the exec */
		mask |= ALONE_STOPS;
	tty = alone_open_terminal(a);
	/* A group of its own would be in the background of that terminal, and stopped when it reads. */
	if (a->manner == MANNER_OWN && a->placement == PLACE_OWN_GROUP && tty < 0 && alone_has_terminal())
		a->placement = PLACE_SAME_GROUP;
	b->plan = make_plan(a, envp, mask);
	if (b->plan == NULL)
		give_up(a, own_failure(a), "taking memory for the plan", ENOMEM);
	if (a->report != NULL) {
		b->plan->report_fd = open_report(a);
		identify(b);
	}
	if (rest_prepare(b) < 0)
		alone_say_blind(a);
	b->plan->tty_fd = tty;
	if (a->placement == PLACE_SESSION)
		alone_leave_terminal(a);
}

/*
 * Most of the program was for the start. What of it is mapped, the file's pages, counts as memory of ours when nobody
 * else runs it; what is needed again comes back by itself. Only the segment that is executed: it has no data. And the
 * stack below us, where the start has been.
 */
static void let_go_of_the_start(void)
{
	enum { STACK = 64 * 1024, BELOW = 2048 }; /* more than this function, and less than the start, has used */
	const ElfW(Phdr) *header = (const void *)getauxval(AT_PHDR);
	const size_t n = getauxval(AT_PHNUM), page = getauxval(AT_PAGESZ);
	uintptr_t base = 0;

	for (size_t i = 0; i < n; i++)
		if (header[i].p_type == PT_PHDR)
			base = (uintptr_t)header - header[i].p_vaddr;
	for (size_t i = 0; i < n; i++) {
		uintptr_t start = base + header[i].p_vaddr, end = start + header[i].p_filesz;

		if (header[i].p_type == PT_LOAD && !(header[i].p_flags & PF_W))
			(void)madvise((void *)(start / page * page),
				      (end - start / page * page + page - 1) / page * page, MADV_DONTNEED);
	}
	base = ((uintptr_t)__builtin_frame_address(0) - BELOW) / page * page;
	(void)madvise((void *)(base - STACK), STACK, MADV_DONTNEED);
}

void alone_run(struct box *b, int argc, char **argv, char **envp, sigbits mask)
{
	static struct alone alone = {
		/* not all 0: it lies in the page of struct box */
		.verbosity = 1,       .on_exit = PIDBOX_ON_EXIT_KILL, .stop_signal = SIGTERM, .grace_us = 10 * US_PER_S,
		.out = STDOUT_FILENO, .err = STDERR_FILENO,
	};
	struct alone *a = &alone;
	int status = alone_read_options(a, argc, argv, envp);
	int r = 0;

	if (status != ALONE_GO_ON)
		_exit(status);
	(void)prctl(PR_SET_NAME, a->name); /* a memory file has another one */
	b->alone = a;
	b->front_gone = true; /* there never was one */
	prepare(b, a, envp, mask);
	for (uint32_t i = 0; i < b->plan->n_steps && r == 0; i++) {
		if (step_rows[b->plan->steps[i].op].side != PIDBOX_SIDE_INIT)
			continue;
		r = inside_step(b, i);
		if (r < 0)
			alone_failed(b, i, -r);
	}
	a->command = b->command;
	a->command_pidfd = -1;
	b->ident.command_pid = b->command;
	a->in_foreground = b->plan->tty_fd >= 0 && a->placement == PLACE_OWN_GROUP;
	(void)sig_set_mask(a->taken);
	a->out = alone_kept(a, a->out);
	a->err = alone_kept(a, a->err);
	alone_say_spawned(a);
	alone_watch(b);
	let_go_of_the_start();
	loop_run(b);
}

/* ------------------------------------------------------------ the end */

static int remapped(const struct alone *a, int status)
{
	return a->remap[status / 64] & (UINT64_C(1) << status % 64) ? 0 : status;
}

static int exec_status(const struct alone *a, int errnum)
{
	if (a->manner == MANNER_DUMB_INIT)
		return 2;
	if (a->manner == MANNER_CATATONIT)
		return 1;
	if (errnum == ENOENT)
		return PIDBOX_EXIT_NOT_FOUND;
	return a->manner == MANNER_OWN || errnum == EACCES ? PIDBOX_EXIT_CANNOT_EXEC : 1;
}

void alone_failed(struct box *b, uint32_t step, int errnum)
{
	struct alone *a = b->alone;
	int r;

	if (b->plan->steps[step].op != STEP_EXEC)
		give_up(a, own_failure(a), "starting the command", errnum);
	alone_return_terminal(b);
	alone_say_exec_failed(a, errnum);
	r = report_not_started(b, errnum);
	if (r < 0)
		alone_say_no_report(a, -r);
	_exit(a->manner == MANNER_TINI ? remapped(a, exec_status(a, errnum)) : exec_status(a, errnum));
}

int alone_status(const struct box *b)
{
	const struct alone *a = b->alone;
	int status = record_exit_status(&b->result, false);

	if (a->manner == MANNER_CATATONIT && a->pause)
		return 0;

	/* The rest of the session: it need not be ours to end, but is asked to, by what it would have got. */
	if (a->manner == MANNER_DUMB_INIT && a->command > 0 && a->signal_map[SIGTERM] != 0)
		(void)kill(a->to_group ? -a->command : a->command, a->signal_map[SIGTERM]);
	alone_return_terminal(b);
	alone_say_ended(a, status);
	return b->result.reason == PIDBOX_REASON_TIMEOUT ? status : remapped(a, status);
}
