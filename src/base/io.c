/* SPDX-License-Identifier: MIT */
#include "base/io.h"

#include "base/sys.h"

#include <sys/resource.h>

int io_write_all(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size > 0) {
		ssize_t n = sys_write(fd, p, size);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int io_write_file(int dirfd, const char *path, const char *text, size_t size)
{
	int fd = sys_openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = sys_write(fd, text, size);
	(void)sys_close(fd);
	return n < 0 ? (int)n : 0;
}

ssize_t io_read_file(int dirfd, const char *path, char *buf, size_t size)
{
	int fd = sys_openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	size_t len = 0;

	if (fd < 0)
		return fd;
	while (len < size - 1 && n != 0) {
		n = sys_read(fd, buf + len, size - 1 - len);
		if (n < 0 && n != -EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	(void)sys_close(fd);
	if (n < 0)
		return n;
	buf[len] = '\0';
	return (ssize_t)len;
}

int io_above_stdio(int fd)
{
	int high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		high = -errno;
	(void)sys_close(fd);
	return high;
}

static void close_one(unsigned fd, bool cloexec)
{
	(void)(cloexec ? sys_call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC) : sys_close((int)fd));
}

/* Those that are open, as /proc lists them. @return false when there is no /proc */
static bool close_listed(unsigned first, unsigned last, bool cloexec)
{
	char buf[1024] __attribute__((aligned(8)));
	int dir = sys_openat(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), n;

	if (dir < 0)
		return false;
	while ((n = sys_getdents64(dir, buf, sizeof(buf))) > 0) {
		for (int at = 0; at < n;) {
			const struct sys_dirent64 *entry = (const void *)(buf + at);
			unsigned fd = 0;

			for (const char *p = entry->name; *p >= '0' && *p <= '9'; p++)
				fd = fd * 10 + (unsigned)(*p - '0');
			if (entry->name[0] != '.' && fd >= first && fd <= last && fd != (unsigned)dir)
				close_one(fd, cloexec);
			at += entry->reclen;
		}
	}
	(void)sys_close(dir);
	return n == 0;
}

/* Marking a range came with Linux 5.11. Trying each number up to the limit, a million in many containers, is the last
 * resort: it takes a second. */
void io_close_range(unsigned first, unsigned last, bool cloexec)
{
	const unsigned most = 1u << 20; /* fs.nr_open's default */
	struct rlimit lim;

	if (sys_close_range(first, last, cloexec ? SYS_CLOSE_RANGE_CLOEXEC : 0) == 0)
		return;
	if (close_listed(first, last, cloexec))
		return;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_max > most)
		lim.rlim_max = most;
	for (unsigned fd = first; fd <= last && fd < lim.rlim_max; fd++)
		close_one(fd, cloexec);
}

size_t io_decimal(char *buf, long long n)
{
	char rev[20];
	size_t len = 0, out = 0;
	unsigned long long u = n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n;

	do
		rev[len++] = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	if (n < 0)
		buf[out++] = '-';
	while (len > 0)
		buf[out++] = rev[--len];
	return out;
}

size_t io_list_open(const int *own, size_t n_own, int *fds, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n_own; i++) {
		if (own[i] < 0)
			continue;
		if (count < n)
			fds[count] = own[i];
		count++;
	}
	return count;
}
