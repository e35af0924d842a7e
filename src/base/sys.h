/* SPDX-License-Identifier: MIT */
/*
 * System calls that one of the C libraries we build with lacks, or wraps in a way that is wrong after clone. Each has
 * its real name behind sys_, takes what the kernel takes, and returns -errno. A kernel without the call: -ENOSYS.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stddef.h>
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

/* As the kernel has it (linux/stat.h): not every C library does. */
struct sys_statx {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t unused[4];
	uint64_t inode, size, blocks, attributes_mask, times[8];
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t room[14];
};
_Static_assert(sizeof(struct sys_statx) == 256 && offsetof(struct sys_statx, dev_major) == 136, "statx(2)");

#define SYS_STATX_INODE      0x100u
#define SYS_STATX_DONT_SYNC  0x4000 /* AT_STATX_DONT_SYNC */
#define SYS_STATX_MOUNT_ROOT 0x2000 /* an attribute, since Linux 5.8 */

static inline int sys_statx(int fd, const char *path, int flags, unsigned mask, struct sys_statx *ret)
{
	return sys_ret(syscall(SYS_statx, fd, path, flags, mask, ret));
}

/*
 * A system call that leaves errno alone, and returns -errno itself: of a process that shares another's memory while
 * both run (src/init/exec_clone.c) libc's calls would write into the other's errno. SYS_LEAVES_ERRNO 0: this machine's
 * way into the kernel is not known here (syscall(2) lists them), and it is libc's.
 */
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
#define SYS_LEAVES_ERRNO 1
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
#define SYS_LEAVES_ERRNO 1
	register long x8 __asm__("x8") = nr, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
			 x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
#else
#define SYS_LEAVES_ERRNO 0
	long r = syscall(nr, a, b, c, d, e, f);

	return r == -1 ? -errno : r;
#endif
}

/* With as many arguments as the call has; each is a number or a pointer, and goes as a long. */
#define SYS_CALL_(nr, a, b, c, d, e, f, ...) \
	sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys_call(...) SYS_CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/*
 * The next four as libc has them are cancellation points (pthreads(7)): in a child that shares the memory of a thread
 * somebody has cancelled, they would end it in the middle, by running that thread's clean-up.
 */
static inline int sys_openat(int dirfd, const char *path, int flags)
{
	return (int)sys_call(SYS_openat, dirfd, path, flags, 0);
}

static inline ssize_t sys_read(int fd, void *buf, size_t size)
{
	return sys_call(SYS_read, fd, buf, size);
}

static inline ssize_t sys_write(int fd, const void *buf, size_t size)
{
	return sys_call(SYS_write, fd, buf, size);
}

static inline int sys_close(int fd)
{
	return (int)sys_call(SYS_close, fd);
}

/* struct open_how of linux/openat2.h; Linux 5.6. */
static inline int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t resolve)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = { flags, 0, resolve };

	return (int)sys_call(SYS_openat2, dirfd, path, &how, sizeof(how));
}

static inline int sys_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)sys_call(SYS_pidfd_open, pid, flags); /* always CLOEXEC */
}

static inline int sys_pidfd_send_signal(int pidfd, int sig, siginfo_t *info)
{
	return (int)sys_call(SYS_pidfd_send_signal, pidfd, sig, info, 0);
}

/* What is known of the process of a pidfd: struct pidfd_info of linux/pidfd.h as it was first (PIDFD_INFO_SIZE_VER0).
 */
struct sys_pidfd_info {
	uint64_t mask; /* what is asked for, then what there is */
	uint64_t cgroupid;
	uint32_t pid, tgid, ppid; /* as the caller sees them; ppid 0: it is outside of what he sees */
	uint32_t ids[8];
	int32_t exit_code; /* a status as wait(2) gives it, of one that has been reaped, by whomever */
};
#define SYS_PIDFD_GET_INFO  _IOWR(0xff, 11, struct sys_pidfd_info) /* Linux 6.13 */
#define SYS_PIDFD_INFO_PID  (1u << 0)
#define SYS_PIDFD_INFO_EXIT (1u << 3) /* Linux 6.15 */

static inline int sys_pidfd_get_info(int pidfd, struct sys_pidfd_info *info)
{
	return (int)sys_call(SYS_ioctl, pidfd, SYS_PIDFD_GET_INFO, info); /* musl's ioctl takes an int */
}

/* The user namespace, or the PID namespace, that this one was made in. By the raw call, as above. @return descriptor */
static inline int sys_ns_parent(int ns)
{
	return sys_ret(syscall(SYS_ioctl, ns, _IO(0xb7, 0x2), NULL)); /* NS_GET_PARENT of linux/nsfs.h */
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)sys_call(SYS_close_range, first, last, flags);
}

static inline int sys_execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)sys_call(SYS_execveat, dirfd, path, argv, envp, flags);
}

static inline int sys_memfd_create(const char *name, unsigned flags)
{
	return (int)sys_call(SYS_memfd_create, name, flags);
}

/* A descriptor that reads siginfo of the blocked signals in mask; 8 bytes are the kernel's set, whatever libc's is. */
static inline int sys_signalfd(const uint64_t *mask, int flags)
{
	return (int)sys_call(SYS_signalfd4, -1, mask, 8, flags);
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
	return (int)sys_call(SYS_getdents64, fd, buf, size);
}

/* Take one pending signal of the set, without waiting. @return its number, -EAGAIN */
static inline int sys_take_pending(uint64_t set, siginfo_t *info)
{
	const struct timespec now = { 0, 0 };

	return (int)sys_call(SYS_rt_sigtimedwait, &set, info, &now, sizeof(set));
}

static inline int sys_rt_sigqueueinfo(pid_t pid, int sig, siginfo_t *info)
{
	return (int)sys_call(SYS_rt_sigqueueinfo, pid, sig, info);
}

/* The new mount API (5.2): a procfs of one's own that is attached nowhere. */
static inline int sys_fsopen(const char *type, unsigned flags)
{
	return (int)sys_call(SYS_fsopen, type, flags);
}

static inline int sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return (int)sys_call(SYS_fsconfig, fd, cmd, key, value, aux);
}

static inline int sys_fsmount(int fd, unsigned flags, unsigned attrs)
{
	return (int)sys_call(SYS_fsmount, fd, flags, attrs);
}

#endif
