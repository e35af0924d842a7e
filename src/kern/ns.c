/* SPDX-License-Identifier: MIT */
#include "kern/ns.h"

#include "base/sys.h"
#include "base/util.h"

#include <pidbox.h>
#include <string.h>

const struct ns_kind ns_kinds[] = {
	{ PIDBOX_NS_USER, CLONE_NEWUSER, "user", "CLONE_NEWUSER", "max_user_namespaces" },
	{ PIDBOX_NS_PID, CLONE_NEWPID, "pid", "CLONE_NEWPID", "max_pid_namespaces" },
	{ PIDBOX_NS_MOUNT, CLONE_NEWNS, "mount", "CLONE_NEWNS", "max_mnt_namespaces" },
	{ PIDBOX_NS_UTS, CLONE_NEWUTS, "uts", "CLONE_NEWUTS", "max_uts_namespaces" },
	{ PIDBOX_NS_IPC, CLONE_NEWIPC, "ipc", "CLONE_NEWIPC", "max_ipc_namespaces" },
	{ PIDBOX_NS_NET, CLONE_NEWNET, "net", "CLONE_NEWNET", "max_net_namespaces" },
	{ PIDBOX_NS_CGROUP, CLONE_NEWCGROUP, "cgroup", "CLONE_NEWCGROUP", "max_cgroup_namespaces" },
	{ PIDBOX_NS_TIME, CLONE_NEWTIME, "time", "CLONE_NEWTIME", "max_time_namespaces" },
};
const size_t ns_kinds_count = ARRAY_LEN(ns_kinds);

uint64_t ns_clone_flags(uint32_t bits)
{
	uint64_t flags = 0;

	for (size_t i = 0; i < ns_kinds_count; i++)
		if (bits & ns_kinds[i].bit)
			flags |= ns_kinds[i].clone_flag;
	return flags;
}

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
