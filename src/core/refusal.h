/* SPDX-License-Identifier: MIT */
/* Which layer refuses new namespaces: sysctl, LSM, seccomp, a limit, a missing capability. Everything reads, or tries
 * out in a child. */
#ifndef CORE_REFUSAL_H
#define CORE_REFUSAL_H

#include <pidbox.h>

/** After EPERM and its kin: code, why and fix, when a layer can be named. */
void refusal_of_namespaces(bool user_namespace, struct pidbox_error *err);
/*
 * The layers one by one, whether anything was refused already or not. Each fills code, why and fix when it would.
 * AppArmor lets the clone of a user namespace succeed and refuses what follows.
 */
bool refusal_by_sysctl(struct pidbox_error *err);
bool refusal_by_apparmor(struct pidbox_error *err);
bool refusal_by_confinement(struct pidbox_error *err);
bool refusal_by_ids(struct pidbox_error *err);
bool refusal_by_seccomp(struct pidbox_error *err);
bool refusal_by_chroot(struct pidbox_error *err);
/** The AppArmor profile that confines the caller, as what refused, for want of some text. No code. */
bool refusal_by_profile(const char *lacks, struct pidbox_error *err);
/** After ENOSPC: which limit of these PIDBOX_NS_* kinds, and in which user namespace, as far as that can be known. */
void refusal_by_limit(uint32_t kinds, struct pidbox_error *err);

#endif
