/* SPDX-License-Identifier: MIT */
/* How a box is written: NAME, NAME@USER, PID, PID:INODE, PID@STARTTICKS, ns:N, id:HEXPREFIX; each with /PID. Pure. */
#ifndef CORE_ADDRESS_H
#define CORE_ADDRESS_H

#include "kern/pidref.h"

#include <pidbox.h>

enum address_kind {
	ADDRESS_NAME,      /* name, and user when it is somebody else's */
	ADDRESS_PID,       /* id.pid: any process in it, or its front */
	ADDRESS_ID,        /* id: a process that can be no other */
	ADDRESS_NAMESPACE, /* pid_namespace */
	ADDRESS_CONTAINER, /* container */
};

enum { ADDRESS_NAME_SIZE = 65, ADDRESS_USER_SIZE = 257, ADDRESS_CONTAINER_SIZE = 65 };

struct address {
	enum address_kind kind;
	struct pidref id; /* opened is nothing */
	uint64_t pid_namespace;
	pid_t inside_pid; /* of BOX/PID; 0: the whole box */
	char name[ADDRESS_NAME_SIZE];
	char user[ADDRESS_USER_SIZE];           /* "": the caller */
	char container[ADDRESS_CONTAINER_SIZE]; /* in small letters */
};

/** @return 0 and *ret; -EINVAL with err (code USAGE) filled */
int address_parse(const char *text, struct address *ret, struct pidbox_error *err);
/** Can these bytes be the name of a box? */
bool address_is_name(const char *text, size_t len);
/** Why a text is no name of a box, in words. */
void address_why_no_name(const char *text, char ret[64]);

#endif
