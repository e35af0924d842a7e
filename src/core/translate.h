/* SPDX-License-Identifier: MIT */
/* From a number in one PID namespace to that in another: the inside of struct pidbox_translator. */
#ifndef CORE_TRANSLATE_H
#define CORE_TRANSLATE_H

#include "kern/container.h"
#include "kern/pidns.h"

#include <pidbox-target.h>

enum { TRANSLATE_CACHE = 256 };

struct pidbox_translator {
	int proc; /* a procfs of the caller's own namespace */
	uint64_t own;
	/* Namespaces that have been seen. Their descriptors keep their inode numbers from being used again. */
	struct translate_ns {
		uint64_t inode;
		int ns;     /* -1: the caller's own, which needs none */
		int parent; /* index; -1: it is the caller's own */
	} cache[TRANSLATE_CACHE];
	size_t n;
	int last; /* index of the namespace that pidbox_levels found last; -1 */
};

int translator_begin(struct pidbox_translator *tr, struct pidbox_error *err);
void translator_end(struct pidbox_translator *tr);

/**
 * Numbers between the namespace of a descriptor and the caller's own.
 * @return a PID; -ESRCH; -EACCES
 */
pid_t translate_out(struct pidbox_translator *tr, int ns, pid_t inside);
pid_t translate_in(struct pidbox_translator *tr, int ns, pid_t pid);
/** Hold what has that number, a process or (where the kernel can, 6.9) a thread. @return pidfd or -errno */
int translate_hold(pid_t pid);
/** The numbers of a process, by NSpid. @return how many; -ESRCH; -EACCES: there, but hidden from this user */
int translate_read_pids(struct pidbox_translator *tr, pid_t pid, pid_t ret[PIDNS_LEVELS_MAX]);
/** The id of the container that it is in; "": in none that is known. @return 0; -ESRCH; -EACCES */
int translate_read_container(struct pidbox_translator *tr, pid_t pid, char ret[CONTAINER_ID_SIZE]);

#endif
