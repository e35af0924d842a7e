/* SPDX-License-Identifier: MIT */
/* deny ERRNO CALL[,CALL] -- COMMAND...: a seccomp filter that makes the calls fail, then exec. CALL is a name of the
 * table below or a number; "namespaces" is what container runtimes do: clone3 is ENOSYS; unshare, setns and clone with
 * any CLONE_NEW flag fail with ERRNO. "pidns" is the requests of ioctl(2) that came with Linux 6.11 and later: PIDs
 * between namespaces, and all that is asked of a pidfd. "setns-many" is setns(2) of several kinds at once, as it has
 * been possible since Linux 5.8. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEWFLAGS 0x7e020000u /* all CLONE_NEW* but time, which clone cannot take */
#define NEWIOCTLS                                                                                           \
	0x80000800u /* _IOR and _IOWR (NS_GET_PID_IN_PIDNS), and the type 0xff of pidfds, not NS_GET_PARENT \
		     */

static const struct {
	const char *name;
	int nr;
} calls[] = {
	{ "clone3", 435 },
	{ "close_range", 436 },
	{ "openat2", 437 },
	{ "pidfd_getfd", 438 },
	{ "faccessat2", 439 },
	{ "process_madvise", 440 },
	{ "epoll_pwait2", 441 },
	{ "mount_setattr", 442 },
	{ "process_mrelease", 448 },
	{ "statmount", 457 },
	{ "listmount", 458 },
	{ "open_tree", 428 },
	{ "move_mount", 429 },
	{ "fsopen", 430 },
	{ "pidfd_open", 434 },
	{ "pidfd_send_signal", 424 },
	{ "unshare", SYS_unshare },
	{ "setns", SYS_setns },
	{ "memfd_create", SYS_memfd_create },
	{ "mount", SYS_mount },
	{ "sethostname", SYS_sethostname },
	{ "setgroups", SYS_setgroups },
	{ "splice", SYS_splice },
	{ "socket", SYS_socket },
	{ "sendmsg", SYS_sendmsg },
	{ "execveat", SYS_execveat },
};

static struct sock_filter prog[200];
static unsigned short n;

static void op(struct sock_filter f)
{
	prog[n++] = f;
}

static void fail_call(unsigned nr, int err)
{
	op((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
	op((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err));
}

/* Those whose argument has one of the mask's bits; the last rule there is. */
static void fail_flags(unsigned nr, size_t argument, unsigned mask, int err)
{
	op((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4));
	op((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)argument));
	op((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1));
	op((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err));
	op((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

/* More than one bit: x & (x - 1). */
static void fail_many_flags(unsigned nr, size_t argument, int err)
{
	op((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 6));
	op((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)argument));
	op((struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0));
	op((struct sock_filter)BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1));
	op((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 1));
	op((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err));
	op((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

int main(int argc, char **argv)
{
	if (argc < 5 || strcmp(argv[3], "--"))
		return 99;
	int err = !strcmp(argv[1], "EPERM") ? EPERM : !strcmp(argv[1], "ENOSYS") ? ENOSYS : atoi(argv[1]);
	op((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	for (char *s = strtok(argv[2], ","); s; s = strtok(NULL, ",")) {
		unsigned nr = (unsigned)atoi(s);
		for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
			if (!strcmp(s, calls[i].name))
				nr = (unsigned)calls[i].nr;
		if (!strcmp(s, "pidns")) {
			fail_flags(SYS_ioctl, offsetof(struct seccomp_data, args[1]), NEWIOCTLS, err);
			continue;
		}
		if (!strcmp(s, "setns-many")) {
			fail_many_flags(SYS_setns, offsetof(struct seccomp_data, args[1]), err);
			continue;
		}
		if (strcmp(s, "namespaces")) {
			if (!nr)
				return 98;
			fail_call(nr, err);
			continue;
		}
		fail_call(435, ENOSYS);
		fail_call(SYS_unshare, err);
		fail_call(SYS_setns, err);
		fail_flags(SYS_clone, offsetof(struct seccomp_data, args[0]), NEWFLAGS, err);
	}
	op((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	struct sock_fprog p = { .len = n, .filter = prog };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)) {
		perror("deny: seccomp");
		return 97;
	}
	execvp(argv[4], argv + 4);
	perror("deny: exec");
	return 96;
}
