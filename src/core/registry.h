/* SPDX-License-Identifier: MIT */
/*
 * What fronts have written into the runtime directories (rundir.h), for those who look for boxes. Nothing found there
 * is trusted: an entry counts when its init lives under that id, or its record is whole.
 */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include "core/entry.h"
#include "core/rundir.h"

#include <pidbox.h>
#include <stdbool.h>

enum { REGISTRY_NAME_SIZE = 65, REGISTRY_PATH_SIZE = RUNDIR_PATH_SIZE + 128 };

struct registry_entry {
	char name[REGISTRY_NAME_SIZE]; /* "": it has none */
	struct pidref id;         /* its init: the number is the front's for it, pidfd is -1; pid 0: it has ended */
	uint64_t pid_namespace;   /* the box's; 0: not known */
	uint64_t front_namespace; /* the PID namespace that its front lives in */
	uid_t uid;                /* whose it is */
	bool searched;            /* it is where names of that user are looked for; found by them are those of our own
				   * PID namespace (registry_find) */
	char socket[REGISTRY_PATH_SIZE]; /* "": it has ended */
	char kept[REGISTRY_PATH_SIZE];   /* where its record is, or will be; "": none is kept */
};

/**
 * The box with a name, of a front in the caller's own PID namespace. A box that is just beginning or ending is waited
 * for, a second at most.
 * @param user  a name or a number, as in NAME@USER; NULL: the caller
 * @return 0 and *ret: it lives (id.pid > 0), or it has ended and its record is kept, or was to be; negative errno with
 * err filled: -ENOENT (NO_SUCH_BOX), -EACCES (DENIED)
 */
int registry_find(const char *name, const char *user, struct registry_entry *ret, struct pidbox_error *err);
/**
 * The entry of a live box.
 * @param init           with a pidfd, and the number by which the caller sees it
 * @param pid_namespace  the box's, 0: not known
 * @return 0 and *ret; -ENOENT: it has none, or not one that the caller may see
 */
int registry_find_id(const struct pidref *init, uint64_t pid_namespace, struct registry_entry *ret);
/**
 * Go over all entries that the caller may see: those of its own boxes, and as root those of all users; also those of
 * fronts in other PID namespaces. They are as they are written: whether an init lives is the caller's to see, by
 * pidref_same (the number is the front's) and pid_namespace.
 * @param ended  also boxes that have ended and whose record is kept: they come with id.pid 0, and each costs reading it
 * @param visit  @return 0 to go on
 */
void registry_walk(bool ended, int (*visit)(void *context, const struct registry_entry *entry), void *context);
/**
 * May this entry name the box with that init? A user writes into his directory what he likes: what another user than
 * root and the caller has written counts for what his front, or he himself, runs.
 * @param init  its number as the caller sees it; whoever holds it verifies it
 */
bool registry_may_name(const struct registry_entry *entry, pid_t init);
/**
 * The record of a box that has ended.
 * @param ret_status  what `pidbox wait` exits with; ret_signal: 0: none
 * @param ret_record  the JSON, to be freed; may be NULL
 * @return 0; -ENODATA: it has not ended, or ended without one; other -errno
 */
int registry_read_kept(const struct registry_entry *entry, int *ret_status, int *ret_signal, char **ret_record);

#endif
