/* SPDX-License-Identifier: MIT */
/*
 * System calls that one of the C libraries we build with lacks, or wraps in a way that is wrong after clone. Each has
 * its real name behind sys_, takes what the kernel takes, and returns -errno. A kernel without the call: -ENOSYS.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The raw calls here are those of 64-bit Linux. On 32-bit machines some are those of the first days (setgroups and
 * setresuid with ids of 16 bits), and s390x has the arguments of clone in another order (clone(2)).
 */
#if !defined(__linux__) || !defined(__LP64__) || defined(__s390x__)
#error "pidbox is for 64-bit Linux, and not for s390x"
#endif

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_fsopen
#define SYS_fsopen   430
#define SYS_fsconfig 431
#define SYS_fsmount  432
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define SYS_RESOLVE_NO_MAGICLINKS 0x02u
#define SYS_RESOLVE_IN_ROOT       0x10u
#define SYS_RESOLVE_CACHED        0x20u /* Linux 5.12 */
#define SYS_CLOSE_RANGE_CLOEXEC   4u    /* Linux 5.11 */
#define SYS_MFD_CLOEXEC           1u
#define SYS_MFD_ALLOW_SEALING     2u
#define SYS_MFD_NOEXEC_SEAL       0x8u  /* Linux 6.3 */
#define SYS_MFD_EXEC              0x10u /* Linux 6.3 */
#define SYS_FSCONFIG_SET_FD       5u
#define SYS_FSCONFIG_CMD_CREATE   6u

static inline int sys_ret(long r)
{
	return r < 0 ? -errno : (int)r;
}

/*
 * The next four as libc has them are cancellation points (pthreads(7)): in a child that shares the memory of a thread
 * somebody has cancelled, they would end it in the middle, by running that thread's clean-up.
 */
static inline int sys_openat(int dirfd, const char *path, int flags)
{
	return sys_ret(syscall(SYS_openat, dirfd, path, flags, 0));
}

static inline ssize_t sys_read(int fd, void *buf, size_t size)
{
	long n = syscall(SYS_read, fd, buf, size);

	return n < 0 ? -errno : n;
}

static inline ssize_t sys_write(int fd, const void *buf, size_t size)
{
	long n = syscall(SYS_write, fd, buf, size);

	return n < 0 ? -errno : n;
}

static inline int sys_close(int fd)
{
	return sys_ret(syscall(SYS_close, fd));
}

/* struct open_how of linux/openat2.h; Linux 5.6. */
static inline int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = { flags, 0, resolve };

	return sys_ret(syscall(SYS_openat2, dirfd, path, &how, sizeof(how)));
}

static inline int sys_pidfd_open(pid_t pid, unsigned flags)
{
	return sys_ret(syscall(SYS_pidfd_open, pid, flags)); /* always CLOEXEC */
}

static inline int sys_pidfd_send_signal(int pidfd, int sig, siginfo_t *info)
{
	return sys_ret(syscall(SYS_pidfd_send_signal, pidfd, sig, info, 0));
}

/* What is known of the process of a pidfd: struct pidfd_info of linux/pidfd.h as it was first (PIDFD_INFO_SIZE_VER0).
 */
struct sys_pidfd_info {
	uint64_t mask; /* what is asked for, then what there is */
	uint64_t cgroupid;
	uint32_t ids[11];
	int32_t exit_code; /* a status as wait(2) gives it, of one that has been reaped, by whomever */
};
#define SYS_PIDFD_GET_INFO  _IOWR(0xff, 11, struct sys_pidfd_info) /* Linux 6.13 */
#define SYS_PIDFD_INFO_EXIT (1u << 3)                              /* Linux 6.15 */

static inline int sys_pidfd_get_info(int pidfd, struct sys_pidfd_info *info)
{
	return sys_ret(syscall(SYS_ioctl, pidfd, SYS_PIDFD_GET_INFO, info)); /* musl's ioctl takes an int */
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return sys_ret(syscall(SYS_close_range, first, last, flags));
}

static inline int sys_execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return sys_ret(syscall(SYS_execveat, dirfd, path, argv, envp, flags));
}

static inline int sys_memfd_create(const char *name, unsigned flags)
{
	return sys_ret(syscall(SYS_memfd_create, name, flags));
}

/* A descriptor that reads siginfo of the blocked signals in mask; 8 bytes are the kernel's set, whatever libc's is. */
static inline int sys_signalfd(const uint64_t *mask, int flags)
{
	return sys_ret(syscall(SYS_signalfd4, -1, mask, 8, flags));
}

/* What getdents64(2) gives; readdir would allocate. */
struct sys_dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* @return bytes of entries, 0 at the end, -errno */
static inline int sys_getdents64(int fd, void *buf, size_t size)
{
	return sys_ret(syscall(SYS_getdents64, fd, buf, size));
}

/* Take one pending signal of the set, without waiting. @return its number, -EAGAIN */
static inline int sys_take_pending(uint64_t set, siginfo_t *info)
{
	const struct timespec now = { 0, 0 };

	return sys_ret(syscall(SYS_rt_sigtimedwait, &set, info, &now, sizeof(set)));
}

static inline int sys_rt_sigqueueinfo(pid_t pid, int sig, siginfo_t *info)
{
	return sys_ret(syscall(SYS_rt_sigqueueinfo, pid, sig, info));
}

/* The new mount API (5.2): a procfs of one's own that is attached nowhere. */
static inline int sys_fsopen(const char *type, unsigned flags)
{
	return sys_ret(syscall(SYS_fsopen, type, flags));
}

static inline int sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return sys_ret(syscall(SYS_fsconfig, fd, cmd, key, value, aux));
}

static inline int sys_fsmount(int fd, unsigned flags, unsigned attrs)
{
	return sys_ret(syscall(SYS_fsmount, fd, flags, attrs));
}

#endif
