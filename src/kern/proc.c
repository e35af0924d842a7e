/* SPDX-License-Identifier: MIT */
#include "kern/proc.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"

#include <string.h>
#include <sys/auxv.h>
#include <time.h>

int proc_open_detached_of(int pidns)
{
	int fs = sys_fsopen("proc", 1 /* FSOPEN_CLOEXEC */);
	int fd = 0;

	if (fs < 0)
		return fs;
	if (pidns >= 0)
		fd = sys_fsconfig(fs, SYS_FSCONFIG_SET_FD, "pidns", NULL, pidns);
	if (fd == 0)
		fd = sys_fsconfig(fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (fd == 0)
		fd = sys_fsmount(fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	(void)close(fs);
	return fd;
}

int proc_open_detached(void)
{
	return proc_open_detached_of(-1);
}

ssize_t proc_read_file(int root, const char *path, char *buf, size_t size)
{
	int fd = sys_openat(root, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = sys_read(fd, buf, size - 1);
	while (n == -EINTR);
	(void)sys_close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static void path_of(char *path, pid_t pid, const char *file)
{
	size_t len = io_decimal(path, pid);

	path[len++] = '/';
	memcpy(path + len, file, strlen(file) + 1);
}

static void take_name(const char *from, const char *to, struct proc_stat *ret)
{
	size_t len = (size_t)(to - from) < sizeof(ret->name) ? (size_t)(to - from) : sizeof(ret->name) - 1;

	memcpy(ret->name, from, len);
	ret->name[len] = '\0';
}

ssize_t proc_read_file_of(int root, pid_t pid, const char *file, char *buf, size_t size)
{
	char path[40];

	path_of(path, pid, file);
	return proc_read_file(root, path, buf, size);
}

/*
 * A number as the kernel writes it, after blanks: strtoull(3) without what only people write, which is 2 KiB of the
 * init. One that is too large is the largest. @return behind it; NULL: there is none
 */
static const char *number_at(const char *p, unsigned base, uint64_t *ret)
{
	const char *first;
	uint64_t n = 0;
	bool minus;

	while (*p == ' ' || *p == '\t')
		p++;
	minus = *p == '-';
	for (first = p += minus;; p++) {
		unsigned digit = (unsigned)(*p >= 'a' ? *p - 'a' + 10 : *p - '0');

		if (digit >= base)
			break;
		n = n >> 60 ? UINT64_MAX : n * base + digit;
	}
	*ret = minus ? 0 - n : n;
	return p > first ? p : NULL;
}

/* After the name, which may hold anything, even a bracket, the fields are numbers with one space between. */
int proc_parse_stat(const char *text, long ticks_per_s, struct proc_stat *ret)
{
	const char *name = strchr(text, '('), *end_of_name = strrchr(text, ')'), *p = end_of_name;
	long long field[25] = { 0 };
	long long ticks = 0, us, own_us;
	char state;

	if (name == NULL || p == NULL || p < name || p[1] != ' ' || p[2] == '\0' || ticks_per_s <= 0)
		return -EBADMSG;
	state = p[2];
	p += 3;
	for (int i = 4; i <= 24; i++) {
		uint64_t n;
		const char *end = number_at(p, 10, &n);

		if (end == NULL && i <= 22)
			return -EBADMSG;
		field[i] = end != NULL ? (long long)n : 0;
		p = end != NULL ? end : p;
	}
	for (int i = 14; i <= 17; i++) /* utime, stime, cutime, cstime */
		if (__builtin_add_overflow(ticks, field[i], &ticks))
			return -EBADMSG;
	if (__builtin_mul_overflow(ticks, US_PER_S / ticks_per_s, &us) ||
	    __builtin_add_overflow(field[14], field[15], &ticks) ||
	    __builtin_mul_overflow(ticks, US_PER_S / ticks_per_s, &own_us))
		return -EBADMSG;
	take_name(name + 1, end_of_name, ret);
	ret->state = state;
	ret->parent = (pid_t)field[4];
	ret->cpu_us = us;
	ret->own_cpu_us = own_us;
	ret->start_ticks = (uint64_t)field[22];
	ret->threads = (uint32_t)field[20];
	ret->rss_pages = field[24] > 0 ? (uint64_t)field[24] : 0;
	return 0;
}

int proc_read_stat(int root, pid_t pid, struct proc_stat *ret)
{
	char text[1024];
	ssize_t n = proc_read_file_of(root, pid, "stat", text, sizeof(text));

	return n < 0 ? (int)n : proc_parse_stat(text, (long)getauxval(AT_CLKTCK), ret);
}

int proc_read_stat_of(int process, struct proc_stat *ret)
{
	char text[1024];
	ssize_t n = proc_read_file(process, "stat", text, sizeof(text));

	return n < 0 ? (int)n : proc_parse_stat(text, (long)getauxval(AT_CLKTCK), ret);
}

int proc_open(int root, pid_t pid)
{
	char path[24];

	path[io_decimal(path, pid)] = '\0';
	return sys_ret(openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int proc_read_details(int process, struct proc_details *ret)
{
	char text[16384]; /* the list of groups comes before NSpid */
	int r = proc_read_stat_of(process, &ret->stat);
	ssize_t n;

	if (r < 0)
		return r;
	n = proc_read_file(process, "status", text, sizeof(text));
	if (n < 0)
		return (int)n;
	return proc_parse_status(text, &ret->status);
}

int proc_read_status(int root, pid_t pid, char *buf, size_t size, struct proc_status *ret)
{
	ssize_t n = proc_read_file_of(root, pid, "status", buf, size);

	return n < 0 ? (int)n : proc_parse_status(buf, ret);
}

ssize_t proc_read_cmdline(int root, pid_t pid, char *buf, size_t size)
{
	return proc_read_file_of(root, pid, "cmdline", buf, size);
}

const char *proc_line(const char *text, const char *key)
{
	const size_t len = strlen(key);

	for (const char *p = strchr(text, '\n'); p != NULL; p = strchr(p + 1, '\n'))
		if (strncmp(p + 1, key, len) == 0)
			return p + 1 + len;
	return NULL;
}

int proc_parse_pids(const char *status, pid_t ret[PROC_PIDS_MAX])
{
	const char *p = proc_line(status, "NSpid:");
	pid_t pids[PROC_PIDS_MAX];
	int n = 0;

	if (p == NULL)
		return -EBADMSG;
	while (*p != '\n' && *p != '\0') {
		uint64_t pid;

		p = number_at(p, 10, &pid);
		if (p == NULL || pid == 0 || pid > INT32_MAX || n == PROC_PIDS_MAX)
			return -EBADMSG;
		pids[n++] = (pid_t)pid;
	}
	if (n == 0)
		return -EBADMSG;
	memcpy(ret, pids, (size_t)n * sizeof(pids[0]));
	return n;
}

pid_t proc_parse_innermost_pid(const char *status)
{
	pid_t pids[PROC_PIDS_MAX];
	int n = proc_parse_pids(status, pids);

	return n > 0 ? pids[n - 1] : -EBADMSG;
}

/* The number in a column of a line "Key:\tN\tN...". */
static int status_number(const char *text, const char *key, int column, uint64_t *ret)
{
	const char *p = proc_line(text, key);

	for (; p != NULL && column >= 0; column--)
		p = number_at(p, 10, ret);
	return p != NULL ? 0 : -EBADMSG;
}

int proc_parse_status(const char *text, struct proc_status *ret)
{
	struct proc_status status = { 0 };
	uint64_t parent, uid;

	status.n_pids = proc_parse_pids(text, status.pids);
	if (status.n_pids < 0 || status_number(text, "PPid:", 0, &parent) < 0 || parent > INT32_MAX ||
	    status_number(text, "Uid:", 1, &uid) < 0 || uid > UINT32_MAX)
		return -EBADMSG;
	status.parent = (pid_t)parent;
	status.uid = (uint32_t)uid;
	*ret = status;
	return 0;
}

static uint64_t mask_in(const char *status, const char *key)
{
	const char *p = proc_line(status, key);
	uint64_t mask = 0;

	if (p != NULL)
		(void)number_at(p, 16, &mask);
	return mask;
}

int proc_parse_signals(const char *text, struct proc_signals *ret)
{
	const char *state = proc_line(text, "State:\t");

	if (state == NULL || proc_line(text, "SigCgt:") == NULL)
		return -EBADMSG;
	*ret = (struct proc_signals){
		.pending = mask_in(text, "ShdPnd:"),
		.blocked = mask_in(text, "SigBlk:"),
		.ignored = mask_in(text, "SigIgn:"),
		.caught = mask_in(text, "SigCgt:"),
		.state = *state,
	};
	return 0;
}

int proc_read_signals(int root, pid_t pid, struct proc_signals *ret)
{
	char status[4096];
	ssize_t n = proc_read_file_of(root, pid, "status", status, sizeof(status));

	return n < 0 ? (int)n : proc_parse_signals(status, ret);
}

/* With a prefix or a suffix of the compiler's. */
static bool names_sigtimedwait(const char *where)
{
	const char name[] = "sigtimedwait";

	for (; *where != '\0'; where++)
		if (strncmp(where, name, strlen(name)) == 0)
			return true;
	return false;
}

enum where { NOBODY_KNOWS, IN_SIGTIMEDWAIT, ELSEWHERE };

/*
 * Where a process sleeps: by the name of the kernel's function, or where that is "0" by the number of the system call
 * (proc_pid_wchan(5), proc_pid_syscall(5)). The name is "0" while the process runs, since Linux 6.12 for a moment after
 * it has gone to sleep (delayed dequeue), before 5.16 where the kernel has no frame pointers, and for who may not know.
 */
static enum where where_it_is(int root, pid_t pid)
{
	char text[256];
	uint64_t nr;

	if (proc_read_file_of(root, pid, "wchan", text, sizeof(text)) <= 0)
		return NOBODY_KNOWS;
	if (strcmp(text, "0") != 0)
		return names_sigtimedwait(text) ? IN_SIGTIMEDWAIT : ELSEWHERE;
	if (proc_read_file_of(root, pid, "syscall", text, sizeof(text)) <= 0 || number_at(text, 10, &nr) == NULL)
		return NOBODY_KNOWS;
	return nr == SYS_rt_sigtimedwait ? IN_SIGTIMEDWAIT : ELSEWHERE;
}

/*
 * What a process waits for in sigtimedwait(2) comes, but is not in the mask of what it blocks (real_blocked in
 * kernel/signal.c): where it sleeps must be known, too. Between two looks it may have woken: it takes some that agree.
 */
bool proc_drops_signal(int root, pid_t pid, int sig)
{
	enum { LOOKS = 12, AGREE = 3, US_APART = 500 };
	const struct timespec apart = { .tv_nsec = US_APART * 1000 };
	int seen = 0;

	if (sig == SIGKILL || sig == SIGSTOP || sig == SIGCONT)
		return false;
	for (int i = 0; i < LOOKS && seen < AGREE; i++) {
		struct proc_signals s;
		enum where where;

		if (i > 0)
			(void)nanosleep(&apart, NULL);
		if (proc_read_signals(root, pid, &s) < 0 || ((s.caught | s.blocked) >> (sig - 1) & 1))
			return false;
		where = where_it_is(root, pid);
		if (where == IN_SIGTIMEDWAIT)
			return false;
		seen += s.state != 'S' || where == ELSEWHERE;
	}
	return seen == AGREE;
}

static pid_t pid_of_name(const char *name)
{
	long pid = 0;

	if (*name < '1' || *name > '9')
		return 0;
	for (; *name >= '0' && *name <= '9' && pid < INT32_MAX / 10; name++)
		pid = pid * 10 + (*name - '0');
	return *name == '\0' ? (pid_t)pid : 0;
}

pid_t proc_next(struct proc_iter *it)
{
	const struct sys_dirent64 *entry;

	if (!it->open) {
		it->dir.fd = openat(it->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (it->dir.fd < 0)
			return -errno;
		it->open = true;
	}
	while ((entry = dir_next(&it->dir)) != NULL) {
		pid_t pid = pid_of_name(entry->name);

		if (pid > 0)
			return pid;
	}
	(void)close(it->dir.fd);
	it->open = false;
	return (pid_t)it->dir.len;
}
