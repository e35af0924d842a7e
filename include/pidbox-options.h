/* SPDX-License-Identifier: MIT */
/*
 * pidbox-options.h - the options of `pidbox run`, as an argv, into a spec. Included by pidbox.h; the rules that hold
 * for every function are told there.
 *
 * All of it is there since version 0.1. Manual: pidbox_spawn(3); what the options do is in pidbox-run(1).
 */
#ifndef PIDBOX_OPTIONS_H
#define PIDBOX_OPTIONS_H

#include <pidbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was parsed from options. */
struct pidbox_options;

/** What a command line does itself, as bits: the library does nothing for them. */
enum pidbox_option_flag {
	PIDBOX_OPTION_SUMMARY = 1 << 0,   /**< --summary */
	PIDBOX_OPTION_EXPLAIN = 1 << 1,   /**< --explain */
	PIDBOX_OPTION_DRY_RUN = 1 << 2,   /**< --dry-run */
	PIDBOX_OPTION_HELP = 1 << 3,      /**< --help */
	PIDBOX_OPTION_DETACH = 1 << 5,    /**< --detach */
	PIDBOX_OPTION_FALLBACK = 1 << 6,  /**< --fallback subreaper */
	PIDBOX_OPTION_CLOSE_FDS = 1 << 4, /**< --close-fds; spec->inherit_fds is false either way */
};

/**
 * Parse the options of `pidbox run`, up to the first operand; the rest is the command (pidbox-run(1)).
 * @param argc,argv  the options and the command, without "pidbox run" before them; NULL-terminated; argv and its
 * strings must outlive the options
 * @param ret        the caller's, to be freed with pidbox_options_free
 * @return 0; -EINVAL with code USAGE; -ENOMEM
 */
PIDBOX_API int pidbox_options_parse(int argc, char *const argv[], struct pidbox_options **ret,
				    struct pidbox_error *err);
/** The spec in parsed options, ready for pidbox_spawn; may be changed. @return owned by the options */
PIDBOX_API struct pidbox_spec *pidbox_options_spec(struct pidbox_options *opts);
/** The N of --hold-fd N. The descriptor is the caller's to read: spec->hold is set. @return -EBADF when not given */
PIDBOX_API int pidbox_options_hold_fd(const struct pidbox_options *opts);
/** The N of --events fd:N. The descriptor is the caller's to write. @return -EBADF when not given */
PIDBOX_API int pidbox_options_events_fd(const struct pidbox_options *opts);
/** --report as given: a file, "fd:N" or "-". @return one of the strings of argv; NULL when not given */
PIDBOX_API const char *pidbox_options_report(const struct pidbox_options *opts);
/** --log as given. @return one of the strings of argv; NULL when not given */
PIDBOX_API const char *pidbox_options_log(const struct pidbox_options *opts);
/** Those of enum pidbox_option_flag that were given. @return the bits */
PIDBOX_API uint32_t pidbox_options_flags(const struct pidbox_options *opts);
/** Free parsed options; NULL is fine. A box that was spawned from them needs them no more. */
PIDBOX_API void pidbox_options_free(struct pidbox_options *opts);

/** One row of the table of `run`'s options. Its strings are static. */
struct pidbox_option_row {
	const char *group, *name, *argument, *help; /**< argument NULL: takes none */
	char letter;                                /**< 0: no short form */
	uint64_t reserved_[4];                      /**< room to grow */
};
/**
 * Row number index of the table of `run`'s options, for help texts and completions.
 * @return 0 and *ret, or -ENOENT after the last one
 */
PIDBOX_API int pidbox_option_row(size_t index, struct pidbox_option_row *ret);

#ifdef __cplusplus
}
#endif
#endif
