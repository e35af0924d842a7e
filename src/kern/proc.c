/* SPDX-License-Identifier: MIT */
#include "kern/proc.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"

#include <stdlib.h>
#include <string.h>

int proc_open_detached(void)
{
	int fs = sys_fsopen("proc", 1 /* FSOPEN_CLOEXEC */);
	int fd;

	if (fs < 0)
		return fs;
	fd = sys_fsconfig(fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (fd == 0)
		fd = sys_fsmount(fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	(void)close(fs);
	return fd;
}

static void path_of(char *path, pid_t pid, const char *file)
{
	size_t len = io_decimal(path, pid);

	path[len++] = '/';
	strcpy(path + len, file);
}

/* After the name, which may hold anything, even a bracket, the fields are numbers with one space between. */
int proc_parse_stat(const char *text, long ticks_per_s, struct proc_stat *ret)
{
	const char *p = strrchr(text, ')');
	long long field[23] = { 0 };
	long long ticks = 0, us;
	char state;

	if (p == NULL || p[1] != ' ' || p[2] == '\0' || ticks_per_s <= 0)
		return -EBADMSG;
	state = p[2];
	p += 3;
	for (int i = 4; i <= 22; i++) {
		char *end;

		field[i] = strtoll(p, &end, 10);
		if (end == p)
			return -EBADMSG;
		p = end;
	}
	for (int i = 14; i <= 17; i++) /* utime, stime, cutime, cstime */
		if (__builtin_add_overflow(ticks, field[i], &ticks))
			return -EBADMSG;
	if (__builtin_mul_overflow(ticks, US_PER_S / ticks_per_s, &us))
		return -EBADMSG;
	ret->state = state;
	ret->parent = (pid_t)field[4];
	ret->cpu_us = us;
	ret->start_ticks = (uint64_t)field[22];
	return 0;
}

int proc_read_stat(int root, pid_t pid, struct proc_stat *ret)
{
	char path[40], text[1024];
	ssize_t n;

	path_of(path, pid, "stat");
	n = io_read_file(root, path, text, sizeof(text));
	return n < 0 ? (int)n : proc_parse_stat(text, sysconf(_SC_CLK_TCK), ret);
}

ssize_t proc_read_cmdline(int root, pid_t pid, char *buf, size_t size)
{
	char path[40];

	path_of(path, pid, "cmdline");
	return io_read_file(root, path, buf, size);
}

int proc_parse_pids(const char *status, pid_t ret[PROC_PIDS_MAX])
{
	const char *p = strstr(status, "\nNSpid:");
	pid_t pids[PROC_PIDS_MAX];
	int n = 0;

	if (p == NULL)
		return -EBADMSG;
	p += strlen("\nNSpid:");
	while (*p != '\n' && *p != '\0') {
		char *end;
		long pid = strtol(p, &end, 10);

		if (end == p || pid <= 0 || pid > INT32_MAX || n == PROC_PIDS_MAX)
			return -EBADMSG;
		pids[n++] = (pid_t)pid;
		p = end;
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
	if (!it->open) {
		it->dir = openat(it->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (it->dir < 0)
			return -errno;
		it->open = true;
	}
	for (;;) {
		const struct sys_dirent64 *entry;
		pid_t pid;

		if (it->at >= it->len) {
			it->len = sys_getdents64(it->dir, it->buf, sizeof(it->buf));
			it->at = 0;
			if (it->len <= 0) {
				(void)close(it->dir);
				it->open = false;
				return (pid_t)it->len;
			}
		}
		entry = (const void *)(it->buf + it->at);
		it->at += entry->reclen;
		pid = pid_of_name(entry->name);
		if (pid > 0)
			return pid;
	}
}
