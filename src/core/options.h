/* SPDX-License-Identifier: MIT */
/* THE table of `run`'s options. */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <pidbox.h>

struct pidbox_options {
	struct pidbox_spec spec;
	int hold_fd, events_fd; /* -EBADF: not given */
	const char *report, *log;
	bool detach;
	bool fallback;
	bool summary, explain, dry_run, help, close_fds;

	/* what the spec points into */
	const char **set_env, **unset_env;
	size_t n_set_env, n_unset_env;
	struct pidbox_idrange *uid_maps, *gid_maps;
	struct pidbox_sigmap *signal_map;
	int *keep_fds;

	/* while they are read */
	bool has_on_exit, has_map;
	uint32_t unshare_all; /* PIDBOX_NS_ALL with --unshare all, else 0 */
	struct pidbox_error *err;
};

struct option {
	const char *group;
	char letter;
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
	size_t flag; /* offset of a bool in struct pidbox_options that it sets */
	size_t text; /* offset of a const char * that it sets */
	int (*set)(struct pidbox_options *s, const char *value); /* or this; @return 0 or -errno with s->err filled */
};

extern const struct option option_table[];
extern const size_t option_table_count;

/** What another tool's option is called here, NULL when nothing is known about it. */
const char *option_elsewhere(const char *name);

#endif
