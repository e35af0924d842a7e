/* SPDX-License-Identifier: MIT */
/* What pidbox_exec asks for, as the sealed memory file that goes to whoever starts it. */
#include "core/exec.h"

#include "base/util.h"
#include "core/blob.h"
#include "kern/memfile.h"

#include <errno.h>
#include <string.h>

static struct exec_strings add_strings(struct blob *b, const char *const *list)
{
	struct exec_strings s = { .offset = (uint32_t)b->len };

	for (; list != NULL && *list != NULL; list++, s.count++)
		(void)blob_str(b, *list);
	s.size = (uint32_t)b->len - s.offset;
	return s;
}

/* Names to unset first: what is set after all counts. */
static struct exec_strings add_env(struct blob *b, const struct pidbox_exec_spec *spec)
{
	struct exec_strings s = add_strings(b, spec->unset_env);
	struct exec_strings set = add_strings(b, spec->set_env);

	s.size += set.size;
	s.count += set.count;
	return s;
}

static uint32_t flags_of(const struct pidbox_exec_spec *spec, const struct user_ids *user, unsigned closed)
{
	return (spec->tty ? EXEC_TTY : 0u) | (user != NULL ? EXEC_USER : 0u) | (spec->has_grace ? EXEC_HAS_GRACE : 0u) |
	       (closed & 1 ? EXEC_CLOSED_0 : 0u) | (closed & 2 ? EXEC_CLOSED_1 : 0u) |
	       (closed & 4 ? EXEC_CLOSED_2 : 0u);
}

static void fill(struct blob *b, const struct pidbox_exec_spec *spec, const struct user_ids *user, unsigned closed)
{
	const char *const chdir[] = { spec->chdir, NULL };
	struct exec_payload p = {
		.magic = EXEC_MAGIC,
		.version = EXEC_VERSION,
		.flags = flags_of(spec, user, closed),
		.stop_signal = spec->stop_signal > 0 ? spec->stop_signal : SIGTERM,
		.grace_us = spec->has_grace ? spec->grace_us : 10 * US_PER_S,
		.timeout_us = spec->timeout_us,
	};

	(void)blob_add(b, NULL, sizeof(p));
	if (user != NULL) {
		p.uid = user->uid;
		p.gid = user->gid;
		p.n_groups = (uint32_t)user->n_groups;
		p.groups = blob_ids(b, user->groups, user->n_groups);
	}
	p.argv = add_strings(b, spec->argv);
	p.env = add_env(b, spec);
	p.chdir = add_strings(b, chdir);
	if (b->error == 0)
		memcpy(b->data, &p, sizeof(p));
}

int exec_payload_build(const struct pidbox_exec_spec *spec, const struct user_ids *user, unsigned closed,
		       size_t *ret_size)
{
	struct blob b = { .first = 256 }; /* mostly it is a few words: more would be memory mapped for it alone */
	int r;

	fill(&b, spec, user, closed);
	r = b.error != 0 ? b.error : exec_payload_check(b.data, b.len) < 0 ? -E2BIG : 0;
	if (r == 0)
		r = memfile_make("pidbox-exec", false, b.data, b.len);
	if (r >= 0)
		*ret_size = b.len;
	free(b.data);
	return r;
}
