/* SPDX-License-Identifier: MIT */
#include "kern/ns.h"

#include "base/sys.h"
#include "base/util.h"

#include <pidbox.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#ifndef NS_GET_TGID_FROM_PIDNS
#define NS_GET_TGID_FROM_PIDNS _IOR(0xb7, 0x7, int)
#endif

static uint32_t kind_of_word(const char *word, size_t len)
{
	if (len == 3 && strncmp(word, "all", 3) == 0)
		return PIDBOX_NS_ALL;
	if (len == 3 && strncmp(word, "mnt", 3) == 0) /* the name that /proc/PID/ns has */
		return PIDBOX_NS_MOUNT;
	for (size_t i = 0; i < ns_kinds_count; i++)
		if (strlen(ns_kinds[i].word) == len && strncmp(ns_kinds[i].word, word, len) == 0)
			return ns_kinds[i].bit;
	return 0;
}

int ns_parse_list(const char *list, uint32_t *ret, const char **ret_bad)
{
	uint32_t bits = 0;

	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		uint32_t bit = kind_of_word(p, len);

		if (bit == 0) {
			if (ret_bad != NULL)
				*ret_bad = p;
			return -EINVAL;
		}
		bits |= bit;
		p += len;
		if (*p == '\0')
			break;
	}
	*ret = bits;
	return 0;
}

/* The kernel translates a PID of that namespace into one of ours; of PID 1 too, as long as it is there. */
static bool init_has_ended(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ended = fd >= 0 && syscall(SYS_ioctl, fd, NS_GET_TGID_FROM_PIDNS, 1) < 0 && errno == ESRCH;

	if (fd >= 0)
		(void)close(fd);
	return ended;
}

enum ns_children ns_children(const char *kind)
{
	char own[32], children[64];
	struct stat a, b;

	(void)snprintf(own, sizeof(own), "/proc/self/ns/%.16s", kind);
	(void)snprintf(children, sizeof(children), "/proc/self/ns/%.16s_for_children", kind);
	if (stat(own, &a) < 0)
		return NS_CHILDREN_HERE;
	/* pid_namespaces(7): the link leads nowhere until the first process has begun. */
	if (stat(children, &b) < 0)
		return errno == ENOENT ? NS_CHILDREN_FIRST : NS_CHILDREN_HERE;
	if (a.st_ino == b.st_ino)
		return NS_CHILDREN_HERE;
	return init_has_ended(children) ? NS_CHILDREN_DEAD : NS_CHILDREN_OTHER;
}

bool ns_user_is_initial(void)
{
	const ino_t first = 0xEFFFFFFDu; /* PROC_USER_INIT_INO, include/linux/proc_ns.h */
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == first;
}
