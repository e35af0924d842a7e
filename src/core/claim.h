/* SPDX-License-Identifier: MIT */
/*
 * A name of a box, held by its front. What is locked is the file of that name: a front that is gone, however it went,
 * holds it no more. Its box may live on for its grace; the name is that box's until its init has ended.
 */
#ifndef CORE_CLAIM_H
#define CORE_CLAIM_H

#include "core/entry.h"
#include "core/rundir.h"

struct claim {
	int fd;   /* open and locked; -1: no name */
	int kept; /* the file of the record, empty still; -1: none is kept */
	char name[65];
};

#define CLAIM_NONE ((struct claim){ .fd = -1, .kept = -1 })

struct claim_wish {
	const char *name;
	bool replace;     /* end a live box of that name first */
	bool keep_record; /* make a file for the record of this one */
	int interrupt_fd; /* when it is readable, wait no longer for that end; -1 */
};

/**
 * Take a name. The record that was kept of an earlier box of that name is gone then.
 * @return 0; -EEXIST (NAME_TAKEN); -EINTR; other -errno, with err filled
 */
int claim_take(const struct rundir *dir, const struct claim_wish *wish, struct claim *ret, struct pidbox_error *err);
/** Write into it which box it is. @return 0 or -errno */
int claim_publish(const struct claim *claim, const struct entry *entry);
/** Let go of the name: its file is gone, and with drop_record the record's too. */
void claim_release(const struct rundir *dir, struct claim *claim, bool drop_record);

/**
 * Take away what fronts have left that could not do it themselves: sockets and names of boxes that have ended, records
 * that are older than a day.
 * @param but  a socket that is not looked at
 * @param lot  any number: it decides how thorough this is
 */
void claim_sweep(const struct rundir *dir, const char *but, int64_t lot);

/** The boot's id (random(4)). @return length, 0: not to be read */
size_t claim_boot_id(char buf[40]);
/**
 * The init of an entry, when it lives. A number from another boot, or of another process by now, is nobody.
 * @return true and *ret, to be closed
 */
bool claim_live_init(const struct entry *entry, struct pidref *ret);
/** Read the entry in an open file. @return 0; -ENODATA, -EBADMSG, other -errno */
int claim_read(int fd, struct entry *ret);

#endif
