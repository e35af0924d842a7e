/* SPDX-License-Identifier: MIT */
/*
 * The runtime directory (pidbox(1)): where the boxes of a user can be found. In it is one folder for each PID namespace
 * that fronts live in, named by its inode number: inside a box the same directory is seen, and there PIDs and names
 * mean other things.
 *
 *   PIDBOX_RUNTIME_DIR, else root: /run/pidbox; others: /run/user/UID/pidbox, else /tmp/pidbox-UID
 *     4026531836/          the fronts of one PID namespace
 *       17574:98127        control socket of a live box, by its id
 *       NAME               claim and entry of a named box (entry.h); its front holds flock(LOCK_EX) on it
 *       NAME:exit          the kept record of a detached box (entry.h)
 *
 * A name begins with a letter, an id with a digit, and ':' is in no name: nothing collides.
 */
#ifndef CORE_RUNDIR_H
#define CORE_RUNDIR_H

#include <pidbox.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { RUNDIR_PATH_SIZE = 512 };

/* A folder. */
struct rundir {
	int fd; /* -1: not open */
	uint64_t pid_namespace;
	uid_t uid;
	bool others;   /* there may be other folders beside it */
	bool large;    /* it was full once: the file system goes through all of it, though little is in it now */
	bool searched; /* it is in the directory where names of that user are looked for, by this caller */
	char base[RUNDIR_PATH_SIZE]; /* the directory that the folder is in */
};

#define RUNDIR_NONE ((struct rundir){ .fd = -1 })

/**
 * Open the folder of the caller's own PID namespace in its own runtime directory.
 * @param create  make what is missing
 * @return 0; -ENOENT: there is none; other -errno, with err filled either way
 */
int rundir_open(bool create, struct rundir *ret, struct pidbox_error *err);
/** The same of another user; it is never made. */
int rundir_open_of(uid_t uid, struct rundir *ret, struct pidbox_error *err);
/** Close it. A folder of a PID namespace that will end, or a large one, is taken away by the last one to leave it. */
void rundir_close(struct rundir *dir);
/**
 * Take away what is left in folders that no front is in any more: of PID namespaces that have ended. What could be a
 * front's that begins stays for a minute, what could be a box's in its grace for a day.
 */
void rundir_sweep_others(const struct rundir *dir);
/** The inode number of the caller's own PID namespace; 0: without a /proc nobody knows */
uint64_t rundir_own_namespace(void);

/**
 * Go over the folders of every runtime directory that the caller may see: its own, and as root those of all users. The
 * folder is closed after each call.
 * @param visit  @return 0 to go on
 */
void rundir_walk(int (*visit)(void *context, const struct rundir *dir), void *context);

/** Path of a file in a folder. @return false when it does not fit */
bool rundir_path(const struct rundir *dir, const char *name, char *buf, size_t size);
/** The address of a socket in a directory: by way of its descriptor when the path is too long (unix(7)). */
void rundir_address(int fd, const char *path, const char *name, struct sockaddr_un *ret);

#endif
