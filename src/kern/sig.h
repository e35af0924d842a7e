/* SPDX-License-Identifier: MIT */
/*
 * sig.h - signals by the kernel's numbers (signal(7)): 1 to 64, real-time ones from 34 on.
 *
 * The C libraries keep the first real-time signals for themselves, glibc 32 and 33, musl 32 to 34, and leave them out
 * of sigfillset and sigprocmask. A process may get them all the same, so sets are 64 bits here, and the calls are raw.
 */
#ifndef KERN_SIG_H
#define KERN_SIG_H

#include "base/sys.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pidbox.h"

/* A kernel signal set. Bit n-1 is signal n. */
typedef uint64_t sigbits;

#define SIGBIT(n)   (UINT64_C(1) << ((n)-1))
#define SIGBITS_ALL (~UINT64_C(0))

enum {
	SIG_MAX = 64,   /* the last signal */
	SIG_RTMIN = 34, /* what "RTMIN" is here, whatever the C library that we are built with says */
	SIG_RTMAX = 64,
};

/* MIPS has 128 signals, and a set on a 32-bit big-endian machine is two swapped words: neither is a sigbits. */
_Static_assert(_NSIG == SIG_MAX + 1, "the kernel's signal set has 64 bits");
_Static_assert(sizeof(long) == 8 || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "sigbits is the kernel's signal set");

/* Block every signal that can be blocked, on the calling thread. Safe after clone. @return 0 or negative errno */
static inline int sig_block_all(sigbits *ret_old)
{
	sigbits all = SIGBITS_ALL;

	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_old, sizeof(all)) < 0 ? -errno : 0;
}

/* Set the blocked signals of the calling thread. Safe after clone. @return 0 or negative errno */
static inline int sig_set_mask(sigbits mask)
{
	return (int)sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

/*
 * A signal from its name in either case, with or without SIG, or from its number: "TERM", "sigterm", "15", "RTMIN+3",
 * "RTMAX-2", "SIG33"; also the other names IOT, CLD and POLL. @return 1-64 or -EINVAL
 */
int sig_parse(const char *s);

/*
 * The name: "SIGTERM", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX"; "SIG33" for what has no name, also for numbers that are no
 * signal. sig_parse reads every signal's name back. No allocation, no stdio, no data that needs relocation: for use in
 * signal handlers and after clone.
 */
void sig_name(int sig, char buf[static 16]);

/*
 * What the kernel discards of pending signals when this one is sent, blocked or not: a stop signal discards a SIGCONT,
 * a SIGCONT the stop signals (prepare_signal in kernel/signal.c; POSIX, System Interfaces 2.4.1).
 */
sigbits sig_discarded_by(int sig);

/*
 * "TERM=QUIT,HUP=": the left one arrives as the right one, nothing at the right drops it (to == 0). KILL and STOP can
 * only stand at the right: nobody can catch them to turn them into something else. A signal can stand at the left once.
 * @return 0 with *ret_n rows in out; -EINVAL; -E2BIG when there are more than max
 */
int sig_parse_map(const char *s, struct pidbox_sigmap *out, size_t max, size_t *ret_n);

#endif
