/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's rules are played with (doctor_rules.c): processes that share what they see, gates, words. It is
 * used after a clone, so: system calls and sinks only.
 */
#ifndef CORE_DOCTOR_PLAY_H
#define CORE_DOCTOR_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { NOT_TRIED = -1, BROKEN, HOLDS };

/* What the processes of a rule share. */
struct play {
	uint32_t uid, gid;
	bool maps; /* the scout is in a user namespace of its own, whose maps it has to write */
	int levels, levels_errnum;
	int scout;          /* its pidfd */
	volatile int n[16]; /* what they see, by the rule's own names */
	int holds;
	char seen[512];
	size_t len;
};

/** Words for what was seen: a text, a text and a number. */
void play_put(struct play *p, const char *text);
void play_number(struct play *p, const char *before, int64_t n);
void play_judge(struct play *p, bool holds);
/** It could not be played: errno is that of the call. */
void play_not_tried(struct play *p, const char *call);

/** A process is held until another one lets it pass. */
struct gate {
	int fds[2];
};
bool gate_make(struct gate *g);
void gate_open(const struct gate *g);
/** @return false: nobody can open it any more */
bool gate_wait(const struct gate *g);

/** As fork(2), with CLONE_NEW* flags; the child ends with its parent (PR_SET_PDEATHSIG). @return -1 with errno */
pid_t play_split(const struct play *p, uint64_t flags);
/** Do nothing until one is killed, or the scout has ended. */
void play_rest(const struct play *p) __attribute__((noreturn));
/** Wait for a child; -1: for any. @return its status as of waitpid(2); -1: that is not to be had */
int play_reap(pid_t pid);
/** Kill a child that nothing is to be left of, and wait for it. */
void play_end(pid_t pid);
bool play_was_killed(int status, int sig);
/**
 * Wait for a child that plays alone.
 * @param pid     as play_split gave it
 * @param flags   that it was made with, in words
 * @param errnum  where it puts what the call failed with that it was made for, 0 when that worked; NULL: there is none
 * @return false: it was not played, which has been put down
 */
bool play_done(struct play *p, pid_t pid, const char *flags, const volatile int *errnum, const char *call);
/** The PID namespace of a child. @return descriptor; -1 with errno */
int play_namespace_of(pid_t pid);
/** Who /proc says that the caller is. @return 0: nobody */
int play_proc_self(void);

#endif
