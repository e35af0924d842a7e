/* SPDX-License-Identifier: MIT */
/*
 * user.h - the user databases, read as files: passwd(5), group(5), subuid(5).
 *
 * The C library's own look-ups are not used: a static or musl build knows no NSS, they keep global state, and the files
 * may be those of another root. What the files do not have (LDAP, systemd's users) is asked of getent(1), which
 * speaks with the system's own C library.
 */
#ifndef KERN_USER_H
#define KERN_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pidbox.h"

#define USER_PASSWD "/etc/passwd"
#define USER_GROUP  "/etc/group"

/* Where to look. A NULL for the whole or for a member means the default. */
struct user_db {
	const char *passwd; /* a file that does not exist is an empty one: many container images have none */
	const char *group;
	const char *getent; /* default: the system's, or none when passwd or group is not the default file */
};

#define USER_GROUPS_MAX 1024

/* Who a process is to be. */
struct user_ids {
	uint32_t uid, gid;
	size_t n_groups;
	bool is_number;                   /* it was U alone, a number that has no entry: nobody knows its group */
	uint32_t groups[USER_GROUPS_MAX]; /* for setgroups(2): gid first, none twice */
};

/*
 * The ids of "U[:G]". What is all digits is an id, never a name, so that no entry can turn a number into another.
 *
 * - U alone: the gid of its entry, and its supplementary groups as initgroups(3) sets them: those of the group file
 *   that list the name, or getent's when the user came from there. An id without an entry runs as under docker: gid 0.
 * - U:G: that gid and no other group. The id U needs no entry then.
 *
 * @return 0; -EINVAL malformed (an empty part, an id above 2^32-2, a control character); -ENOENT no such user or group;
 *         -E2BIG in more than USER_GROUPS_MAX groups; others from reading the files or running getent
 */
int user_lookup(const char *spec, const struct user_db *db, struct user_ids *ret);

/* Give a user these groups; of more than USER_GROUPS_MAX the first ones. */
void user_set_groups(struct user_ids *user, uint32_t gid, const uint32_t *groups, size_t n);

/*
 * The name of a user. May run getent for an id that the file does not have: who asks for many keeps the answers.
 * @return 0; -ENOENT; -ENAMETOOLONG when it does not fit; others from reading the file or running getent
 */
int user_name(uint32_t uid, const struct user_db *db, char *buf, size_t size);

/*
 * The subordinate ids of a user in a file of the form of /etc/subuid: the lines that begin with the id or, when not
 * NULL, the name. `inside` of each is 0. Lines that cannot be are passed over; of more than max the first ones are
 * taken.
 * @return 0 with *ret_n ranges, maybe none; negative errno of reading the file, -ENOENT when there is none
 */
int subid_read(const char *path, uint32_t uid, const char *name, struct pidbox_idrange *ret_ranges, size_t max,
	       size_t *ret_n);

#endif
