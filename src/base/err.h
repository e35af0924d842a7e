/* SPDX-License-Identifier: MIT */
/* Filling the error object. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <pidbox.h>

/** Name of an errno ("EPERM"), "" when unknown. Async-signal-safe. */
const char *err_name(int errnum);

/**
 * Fill an error. A NULL err is fine: the return value says enough then.
 * @param errnum  positive errno; 0 for an error of usage
 * @return -errnum; -EINVAL for 0
 */
int err_set(struct pidbox_error *err, int errnum, enum pidbox_code code, const char *what, ...)
	__attribute__((format(printf, 4, 5)));
/** Add the reason and the remedy to a filled error; either may be NULL. */
void err_why(struct pidbox_error *err, const char *why, ...) __attribute__((format(printf, 2, 3)));
void err_fix(struct pidbox_error *err, const char *fix, ...) __attribute__((format(printf, 2, 3)));
/** The error of an allocation that failed, whole. @return -ENOMEM */
int err_no_memory(struct pidbox_error *err, const char *what);
/**
 * Give an error of usage, whose what is all that was filled, the contract's shape: that becomes the why. Others, and
 * what is there already, stay.
 */
void err_shape_usage(struct pidbox_error *err, const char *what, const char *fix);

#endif
