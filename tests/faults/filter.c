/* SPDX-License-Identifier: MIT */
/*
 * filter [-u UID] NR:ERRNO[:ARG:MASK]... -- COMMAND...
 *
 * Executes COMMAND under a seccomp filter in which the system call NR fails with ERRNO; with ARG (0-5) and MASK only
 * when the low word of that argument has one of the mask's bits. What an old kernel or a container's profile does.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

enum { MAX_RULES = 32 };
static struct sock_filter code[1 + 5 * MAX_RULES + 1];
static unsigned short n;

static void put(unsigned short op, unsigned char yes, unsigned char no, unsigned k)
{
	code[n++] = (struct sock_filter){ .code = op, .jt = yes, .jf = no, .k = k };
}

static void load(size_t offset)
{
	put(BPF_LD | BPF_W | BPF_ABS, 0, 0, (unsigned)offset);
}

static void rule(const char *text)
{
	unsigned nr, err, arg, mask;
	int got = sscanf(text, "%u:%u:%u:%i", &nr, &err, &arg, (int *)&mask);

	if (got != 2 && got != 4) {
		fprintf(stderr, "filter: %s is no rule\n", text);
		exit(99);
	}
	load(offsetof(struct seccomp_data, nr));
	put(BPF_JMP | BPF_JEQ | BPF_K, 0, got == 4 ? 3 : 1, nr);
	if (got == 4) {
		load(offsetof(struct seccomp_data, args) + 8 * arg); /* little-endian: the low word */
		put(BPF_JMP | BPF_JSET | BPF_K, 0, 1, mask);
	}
	put(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | err);
}

int main(int argc, char **argv)
{
	struct sock_fprog prog = { .filter = code };
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "-u") == 0) {
		uid_t id = (uid_t)atol(argv[2]);

		if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
			return 97;
		i = 3;
	}
	for (; i < argc && strcmp(argv[i], "--") != 0 && n < 5 * MAX_RULES; i++)
		rule(argv[i]);
	if (i + 1 >= argc)
		return 99;
	put(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	prog.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("filter");
		return 98;
	}
	(void)execv(argv[i + 1], argv + i + 1);
	return 96;
}
