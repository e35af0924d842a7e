/* SPDX-License-Identifier: MIT */
#include "core/child.h"

#include "base/io.h"
#include "base/sys.h"
#include "kern/caps.h"

#include <string.h>

int child_map_self(const char *uids, const char *gids)
{
	int r = io_write_file(AT_FDCWD, "/proc/self/setgroups", "deny", 4);

	if (r == 0)
		r = io_write_file(AT_FDCWD, "/proc/self/uid_map", uids, strlen(uids));
	if (r == 0)
		r = io_write_file(AT_FDCWD, "/proc/self/gid_map", gids, strlen(gids));
	return r;
}

static int step_map_self(struct child_args *a, const struct wire_step *step)
{
	return child_map_self(plan_text(a->plan->wire, step->text), plan_text(a->plan->wire, step->text2));
}

static int step_raise_caps(struct child_args *a, const struct wire_step *step)
{
	(void)a;
	return caps_raise_ambient((uint64_t)step->a);
}

static int open_for_init(struct child_args *a)
{
	if (a->close_others)
		io_close_range(3, ~0u, true);
	for (size_t i = 0; i < a->n_open_fds; i++)
		if (a->open_fds[i] >= 0 && fcntl(a->open_fds[i], F_SETFD, 0) < 0)
			return -errno;
	return 0;
}

static int step_exec_init(struct child_args *a, const struct wire_step *step)
{
	char name[] = "pidbox-init";
	char *argv[] = { name, a->socket_arg, NULL };
	char *envp[] = { NULL };
	int r = open_for_init(a);

	(void)step;
	return r < 0 ? r : sys_execveat(a->init_fd, "", argv, envp, AT_EMPTY_PATH);
}

int child_main(void *arg)
{
	static int (*const run[STEP_MAX_])(struct child_args *, const struct wire_step *) = {
		[STEP_MAP_SELF] = step_map_self,
		[STEP_RAISE_CAPS] = step_raise_caps,
		[STEP_EXEC_INIT] = step_exec_init,
	};
	struct child_args *a = arg;

	for (size_t i = 0; i < a->plan->n_rows; i++) {
		const struct wire_step *step = &a->plan->wire->steps[i];
		int r;

		if (run[step->op] == NULL)
			continue;
		r = run[step->op](a, step);
		if (r < 0) {
			a->failed_row = (int)i;
			a->errnum = -r;
			break;
		}
	}
	_exit(PIDBOX_EXIT_FAILED);
}
