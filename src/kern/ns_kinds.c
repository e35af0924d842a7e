/* SPDX-License-Identifier: MIT */
#include "kern/ns_kinds.h"

#include "base/sys.h"
#include "base/util.h"

#include <pidbox.h>
#include <sched.h>

const struct ns_kind ns_kinds[] = {
	{ PIDBOX_NS_USER, CLONE_NEWUSER, "user", "CLONE_NEWUSER", "user", "max_user_namespaces" },
	{ PIDBOX_NS_PID, CLONE_NEWPID, "pid", "CLONE_NEWPID", "pid", "max_pid_namespaces" },
	{ PIDBOX_NS_MOUNT, CLONE_NEWNS, "mount", "CLONE_NEWNS", "mnt", "max_mnt_namespaces" },
	{ PIDBOX_NS_UTS, CLONE_NEWUTS, "uts", "CLONE_NEWUTS", "uts", "max_uts_namespaces" },
	{ PIDBOX_NS_IPC, CLONE_NEWIPC, "ipc", "CLONE_NEWIPC", "ipc", "max_ipc_namespaces" },
	{ PIDBOX_NS_NET, CLONE_NEWNET, "net", "CLONE_NEWNET", "net", "max_net_namespaces" },
	{ PIDBOX_NS_CGROUP, CLONE_NEWCGROUP, "cgroup", "CLONE_NEWCGROUP", "cgroup", "max_cgroup_namespaces" },
	{ PIDBOX_NS_TIME, CLONE_NEWTIME, "time", "CLONE_NEWTIME", "time", "max_time_namespaces" },
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
