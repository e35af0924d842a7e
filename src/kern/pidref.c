/* SPDX-License-Identifier: MIT */
#include "kern/pidref.h"

#include "base/io.h"
#include "base/sys.h"
#include "base/util.h"
#include "kern/pidns.h"
#include "kern/proc.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PIDFS_MAGIC 0x50494446 /* since Linux 6.9 a pidfd's inode number is the process's own, never used again */

static int read_start(pid_t pid, uint64_t *ret)
{
	CLEANUP(cleanup_close) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct proc_stat stat;
	int r = proc < 0 ? -errno : proc_read_stat(proc, pid, &stat);

	if (r == 0)
		*ret = stat.start_ticks;
	return r == -ENOENT ? -ESRCH : r;
}

/* All pidfds are on one device; with *pidfs not 0 that is known to be pidfs. */
static int identify(pid_t pid, int pidfd, uint64_t *pidfs, struct pidref *ret)
{
	struct pidref ref = { .pid = pid, .pidfd = -1 };
	struct statfs fs;
	struct stat st;
	int r = 0;

	if (fstat(pidfd, &st) < 0)
		return -errno;
	if (*pidfs != st.st_dev && fstatfs(pidfd, &fs) == 0 && fs.f_type == PIDFS_MAGIC)
		*pidfs = st.st_dev;
	if (*pidfs == st.st_dev)
		ref.inode = st.st_ino;
	else
		r = read_start(pid, &ref.start_ticks);
	if (r == 0)
		*ret = ref;
	return r;
}

int pidref_identify(pid_t pid, int pidfd, struct pidref *ret)
{
	uint64_t pidfs = 0;

	return identify(pid, pidfd, &pidfs, ret);
}

static int open_known(pid_t pid, uint64_t *pidfs, struct pidref *ret)
{
	struct pidref ref;
	int fd = pid > 0 ? sys_pidfd_open(pid, 0) : -ESRCH;
	int r;

	/* EINVAL, from 6.9 ENOENT: the number is a thread's that does not lead its process. */
	if (fd < 0)
		return fd == -EINVAL || fd == -ENOENT ? -ESRCH : fd;
	r = identify(pid, fd, pidfs, &ref);
	ref.pidfd = fd;
	/* The inode is the pidfd's own; the start was read by the number. */
	if (r == 0 && ref.inode == 0)
		r = pidref_verify(&ref);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	*ret = ref;
	return 0;
}

int pidref_open(pid_t pid, struct pidref *ret)
{
	uint64_t pidfs = 0;

	return open_known(pid, &pidfs, ret);
}

int pidref_look(pid_t pid, uint64_t *pidfs, struct pidref *ret)
{
	struct pidref ref;
	int r = open_known(pid, pidfs, &ref);

	if (r < 0)
		return r;
	cleanup_close(&ref.pidfd);
	*ret = ref;
	return 0;
}

int pidref_dup(const struct pidref *ref, struct pidref *ret)
{
	int fd = fcntl(ref->pidfd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	*ret = *ref;
	ret->pidfd = fd;
	return 0;
}

int pidref_read_start(struct pidref *ref)
{
	uint64_t start;
	int r = read_start(ref->pid, &start);

	if (r == 0)
		r = pidref_verify(ref);
	if (r == 0)
		ref->start_ticks = start;
	return r;
}

pid_t pidref_parent(const struct pidref *ref)
{
	struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_PID };
	CLEANUP(cleanup_close) int proc = -1;
	struct proc_stat stat;
	int r;

	if (sys_pidfd_get_info(ref->pidfd, &info) == 0)
		return info.mask & SYS_PIDFD_INFO_PID ? (pid_t)info.ppid : -ESRCH;
	proc = pidns_open_proc();
	r = proc < 0 ? proc : proc_read_stat(proc, ref->pid, &stat);
	if (r == 0)
		r = pidref_verify(ref);
	return r == 0 ? stat.parent : r == -ENOENT ? -ESRCH : r;
}

int64_t pidref_age_us(const struct pidref *ref)
{
	struct pidref copy = *ref;

	if (pidref_read_start(&copy) < 0)
		return INT64_MAX;
	return clock_us(CLOCK_BOOTTIME) - (int64_t)copy.start_ticks * (US_PER_S / sysconf(_SC_CLK_TCK));
}

void pidref_close(struct pidref *ref)
{
	cleanup_close(&ref->pidfd);
	*ref = PIDREF_NONE;
}

int pidref_verify(const struct pidref *ref)
{
	/* Signal 0 finds a zombie still, whose number nobody else can have; it may be refused, but then it is there. */
	int r = sys_pidfd_send_signal(ref->pidfd, 0, NULL);

	return r == -ESRCH ? -ESRCH : 0;
}

bool pidref_has_ended(const struct pidref *ref)
{
	struct pollfd fd = { .fd = ref->pidfd, .events = POLLIN };

	return ref->pidfd < 0 || poll(&fd, 1, 0) > 0;
}

void pidref_format(const struct pidref *ref, char buf[PIDREF_ID_SIZE])
{
	size_t len = io_decimal(buf, ref->pid);

	buf[len++] = ref->inode != 0 ? ':' : '@';
	len += io_decimal(buf + len, (long long)(ref->inode != 0 ? ref->inode : ref->start_ticks));
	buf[len] = '\0';
}

/* Digits alone, and no leading zero: there is one way to write an id. */
static const char *parse_number(const char *text, uint64_t most, uint64_t *ret)
{
	uint64_t n = 0;

	if (*text < '1' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n) ||
		    n > most)
			return NULL;
	*ret = n;
	return text;
}

int pidref_parse(const char *text, struct pidref *ret)
{
	struct pidref ref = PIDREF_NONE;
	uint64_t pid, mark;
	const char *sep = parse_number(text, INT32_MAX, &pid);
	const char *end;

	if (sep == NULL || (*sep != ':' && *sep != '@'))
		return -EINVAL;
	end = parse_number(sep + 1, INT64_MAX, &mark);
	if (end == NULL || *end != '\0')
		return -EINVAL;
	ref.pid = (pid_t)pid;
	if (*sep == ':')
		ref.inode = mark;
	else
		ref.start_ticks = mark;
	*ret = ref;
	return 0;
}

bool pidref_same(const struct pidref *a, const struct pidref *b)
{
	if (a->inode != 0 && b->inode != 0)
		return a->inode == b->inode;
	return a->pid == b->pid && a->start_ticks != 0 && a->start_ticks == b->start_ticks;
}

int pidref_signal(const struct pidref *ref, int sig)
{
	return sys_pidfd_send_signal(ref->pidfd, sig, NULL);
}
