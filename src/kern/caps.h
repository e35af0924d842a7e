/* SPDX-License-Identifier: MIT */
/*
 * Capabilities (capabilities(7)), as far as a box's set-up needs them: two 64-bit sets and the ambient one, by the raw
 * calls, because they are used between clone and exec, where a library that allocates must not run.
 */
#ifndef KERN_CAPS_H
#define KERN_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#define CAP_BIT(n)      (UINT64_C(1) << (n))
#define CAPS_KILL       CAP_BIT(5)
#define CAPS_SETGID     CAP_BIT(6)
#define CAPS_SETUID     CAP_BIT(7)
#define CAPS_SETPCAP    CAP_BIT(8)
#define CAPS_NET_ADMIN  CAP_BIT(12)
#define CAPS_SYS_PTRACE CAP_BIT(19)
#define CAPS_SYS_ADMIN  CAP_BIT(21)
#define CAPS_SYS_TIME   CAP_BIT(25)

struct caps {
	uint64_t effective, permitted, inheritable;
};

int caps_get(struct caps *ret);
int caps_set(const struct caps *caps);
/** Make those that are permitted survive exec under an ordinary uid: inheritable, then ambient. @return 0 or -errno */
int caps_raise_ambient(uint64_t set);
/** Ambient capabilities that are set, out of those in `among`. */
uint64_t caps_ambient(uint64_t among);
/** Take the ambient set back to `ambient` and the inheritable set to `inheritable`. */
int caps_drop_ambient(uint64_t ambient, uint64_t inheritable);

#endif
