/* SPDX-License-Identifier: MIT */
/* Who a box is to the outside: PID and inode of its init, inode of its PID namespace. */
#include "core/box.h"

#include "base/io.h"
#include "base/util.h"
#include "kern/pidns.h"
#include "kern/pidref.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void identify_process(struct pidbox *box)
{
	struct pidref ref;

	if (pidref_identify(box->init_pid, box->pidfd, &ref) == 0)
		pidref_format(&ref, box->id);
}

static uint64_t namespace_by_pidfd(int pidfd)
{
	CLEANUP(cleanup_close) int ns = pidns_of_pidfd(pidfd);

	return pidns_inode(ns);
}

void box_identify(struct pidbox *box)
{
	if (box->id[0] == '\0')
		identify_process(box);
}

/* By its pidfd where the kernel can: who looks into /proc makes entries of the process there, until it ends. There,
 * though, it is found as long as the init has not been reaped. */
uint64_t box_namespace(const struct pidbox *box)
{
	uint64_t inode = box->pid_namespace;
	char path[48];
	struct stat st;

	if (inode == 0 && !box->reaped)
		inode = namespace_by_pidfd(box->pidfd);
	if (inode == 0 && !box->reaped) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)box->init_pid);
		inode = stat(path, &st) == 0 ? st.st_ino : 0;
	}
	return inode;
}

/* The file alone does not tell: the command may be pidbox, which has the init built in. An exec gives it its own name.
 */
bool box_runs_another(const struct pidbox *box)
{
	char path[48], name[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)box->init_pid);
	if (box->init_file.ino == 0 || stat(path, &st) < 0)
		return false;
	if (st.st_dev != box->init_file.dev || st.st_ino != box->init_file.ino)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)box->init_pid);
	return io_read_file(AT_FDCWD, path, name, sizeof(name)) > 0 && strcmp(name, "pidbox-init\n") != 0;
}

void pidbox_get_info(const struct pidbox *box, struct pidbox_info *ret)
{
	*ret = (struct pidbox_info){
		.init_pid = box->init_pid,
		.command_pid = box->command_pid,
		.pid_namespace = box->pid_namespace,
		.created_us = box->created_us,
		.ready_us = box->ready_us,
		.exec_us = box->exec_us,
		.warnings = box->warnings,
		.containment = "pidns",
		.proc = plan_proc_word(box->plan->proc),
	};
	memcpy(ret->id, box->id, sizeof(ret->id));
}
