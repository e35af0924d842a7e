/* SPDX-License-Identifier: MIT */
/*
 * pidbox-doctor.h - what works on this machine for this caller, what does not, and which layer refuses. Included by
 * pidbox.h; the rules that hold for every function are told there.
 *
 *     struct pidbox_doctor *doctor;
 *     struct pidbox_check check;
 *
 *     if (pidbox_doctor(0, &doctor, &err) < 0)
 *             ... err.what, err.why, err.fix
 *     for (size_t i = 0; pidbox_doctor_check(doctor, i, &check) == 0; i++)
 *             ... check.name, check.status, check.fix
 *     pidbox_doctor_free(doctor);
 *
 * Everything is tried for real, in children that are thrown away: they have none of the caller's descriptors and leave
 * nothing behind. All of it is there since version 0.1. Manual: pidbox_doctor(3); what is tried is in pidbox-doctor(1).
 */
#ifndef PIDBOX_DOCTOR_H
#define PIDBOX_DOCTOR_H

#include <pidbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was found, with all that it takes in memory. */
struct pidbox_doctor;

/** What pidbox_doctor is to do, as bits. */
enum pidbox_doctor_flag {
	PIDBOX_DOCTOR_SEMANTICS = 1 << 0, /**< also run the kernel's rules of PID namespaces (pid_namespaces(7)) */
};

enum pidbox_check_status {
	PIDBOX_CHECK_WORKS,
	PIDBOX_CHECK_LIMITED, /**< it works, but not for everybody or not all of it, or in an older way */
	PIDBOX_CHECK_REFUSED,
};

/** One thing that was tried. Its strings belong to the doctor. */
struct pidbox_check {
	const char *name; /**< stable: "user namespace" */
	enum pidbox_check_status status;
	enum pidbox_code code; /**< what an error of `pidbox run` would carry; PIDBOX_CODE_NONE: no stable code fits */
	/** Who refuses: "device", "id map", "kernel", "limit", "mount", "namespace", "seccomp",
	 * "security module", "sysctl"; NULL: nobody, or it cannot be told */
	const char *layer;
	const char *why;       /**< of what works: what was seen; NULL: there is no more to say */
	const char *fix;       /**< the one thing to do; NULL: nothing */
	uint64_t reserved_[8]; /**< room to grow */
};

/**
 * Try everything. It takes some twenty short-lived processes, one after the other, and some namespaces of each kind for
 * moments; no file, mount, cgroup or setting is changed.
 * @param flags  PIDBOX_DOCTOR_* bits
 * @param ret    the caller's, to be freed with pidbox_doctor_free
 * @return 0, whatever was found; negative errno with err filled: -EINVAL (USAGE), -ENOMEM
 */
PIDBOX_API int pidbox_doctor(uint32_t flags, struct pidbox_doctor **ret, struct pidbox_error *err);
/** Does a default box work here: `pidbox run COMMAND` without options? */
PIDBOX_API bool pidbox_doctor_default_box(const struct pidbox_doctor *doctor);
/** Check number index, in the order of the manual. @return 0 and *ret, or -ENOENT after the last one */
PIDBOX_API int pidbox_doctor_check(const struct pidbox_doctor *doctor, size_t index, struct pidbox_check *ret);

/** A rule of the kernel's that everything here stands on, played on this kernel. Its strings belong to the doctor. */
struct pidbox_rule {
	const char *rule;     /**< "R1" to "R10" */
	const char *says;     /**< what the rule is */
	int holds;            /**< 1; 0: this kernel, or what emulates it, does otherwise; -1: it could not be played */
	const char *observed; /**< the numbers that were seen, or which call was refused */
	uint64_t reserved_[4]; /**< room to grow */
};
/** Rule number index, with PIDBOX_DOCTOR_SEMANTICS. @return 0 and *ret, or -ENOENT after the last one */
PIDBOX_API int pidbox_doctor_rule(const struct pidbox_doctor *doctor, size_t index, struct pidbox_rule *ret);

/** Free it; NULL is fine. */
PIDBOX_API void pidbox_doctor_free(struct pidbox_doctor *doctor);

/* ---------------------------------------------------------------- AppArmor */

/**
 * The AppArmor profile that lets this one program (/proc/self/exe) make user namespaces where
 * kernel.apparmor_restrict_unprivileged_userns is 1. Nothing is written.
 * @param buf  may be NULL when size is 0; always terminated when size > 0
 * @return length of the whole text; more than size-1 when it was cut; 0: the program has no path that a profile can
 * name
 */
PIDBOX_API size_t pidbox_apparmor_profile(char *buf, size_t size);
/** The file that the profile goes to. @return a static string */
PIDBOX_API const char *pidbox_apparmor_path(void);
/**
 * Load that profile by apparmor_parser(8), and write it to pidbox_apparmor_path, where it is loaded from at the next
 * start. Needs root. The file is replaced as a whole or not at all, and only when it is pidbox's own.
 * @return 1; 0: it was written, but there is no apparmor_parser in PATH to load it now; negative errno with err filled:
 *         -EACCES (DENIED), -ENOENT: there is no /etc/apparmor.d, -EEXIST: a file of somebody else's is there
 */
PIDBOX_API int pidbox_apparmor_install(struct pidbox_error *err);
/**
 * Unload it and remove the file. Needs root.
 * @return 1; 0: there was none; negative errno with err filled, as above
 */
PIDBOX_API int pidbox_apparmor_remove(struct pidbox_error *err);

#ifdef __cplusplus
}
#endif
#endif
