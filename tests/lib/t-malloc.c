/* SPDX-License-Identifier: MIT */
/*
 * Every allocation fails once. The allocator's names are defined here, before libc's, so that what libc allocates for
 * the library (vasprintf) fails as well, which a wrapper of the linker's would not reach.
 */
#include "lib.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static int countdown; /* fails when it reaches 0 */
static bool armed, from_then_on, hit;

static bool fails(void)
{
	if (!armed)
		return false;
	if (countdown > 0 && --countdown > 0)
		return false;
	if (hit && !from_then_on)
		return false;
	hit = true;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return fails() ? NULL : __libc_realloc(p, bytes);
}

/* ------------------------------------------------------------ what is tried */

struct scenario {
	const char *words;
	struct pidbox_spec spec;
	const char *options[16];
	int status;
};

/* @return 0, or the negative errno of what failed first; *ret_problem when it was not clean */
static int attempt(const struct scenario *s, int n, const char **ret_problem)
{
	struct pidbox_options *opts = NULL;
	struct pidbox *sentinel = (void *)(uintptr_t)0xdead, *box = sentinel;
	struct pidbox_error err = { 0 };
	struct pidbox_result res = { 0 };
	const struct pidbox_spec *spec = &s->spec;
	char record[4096];
	int argc = 0, r = 0;

	while (s->options[argc] != NULL)
		argc++;
	countdown = n;
	hit = false;
	armed = true;
	if (argc > 0) {
		r = pidbox_options_parse(argc, (char *const *)(uintptr_t)s->options, &opts, &err);
		spec = r == 0 ? pidbox_options_spec(opts) : NULL;
	}
	if (r == 0)
		r = pidbox_spawn(spec, &box, &err);
	if (r == 0) {
		int w = pidbox_wait(box, PIDBOX_DEFAULT, &res);

		pidbox_record(box, record, sizeof(record));
		if (w != 0 || pidbox_exit_status(box, &res) != s->status)
			*ret_problem = "started, but the result is wrong";
		else if (res.leaked_total < (int64_t)res.n_leaked)
			*ret_problem = "more leaks named than there are";
		pidbox_free(box);
	}
	pidbox_options_free(opts);
	armed = false;
	if (r < 0 && r != -ENOMEM)
		*ret_problem = "failed with another error than ENOMEM";
	else if (r < 0 && (err.errnum != ENOMEM || err.what[0] == '\0' || err.why[0] == '\0' || err.fix[0] == '\0'))
		*ret_problem = "failed without words";
	else if (r < 0 && box != sentinel)
		*ret_problem = "failed, but *ret was set";
	return r;
}

static void each_allocation(void *arg)
{
	const struct scenario *s = arg;
	int fds = count_fds(), bad = 0, clean = 0, n;
	const char *first = NULL;

	for (n = 1; n < 2000; n++) {
		const char *problem = NULL;
		int r;

		alarm(20);
		r = attempt(s, n, &problem);
		alarm(0);
		if (!hit)
			break; /* it does not allocate that often */
		if (count_fds() != fds)
			problem = "descriptors are left";
		if (count_children() != 0) {
			problem = "a process is left";
			all_gone_within(1000);
		}
		clean += problem == NULL;
		if (problem != NULL && bad++ < 10)
			printf("# %s, allocation %d%s: %s (%d)\n", s->words, n, from_then_on ? " and all after it" : "",
			       problem, r);
		if (first == NULL)
			first = problem;
	}
	ok(bad == 0 && clean > 0 && n < 2000, "%s, each of %d allocations%s fails: %d clean answers, %d not%s%s",
	   s->words, n - 1, from_then_on ? " and all after it" : "", clean, bad, first != NULL ? ": " : "",
	   first != NULL ? first : "");
}

int main(void)
{
	static const char *const truth[] = { "/bin/true", NULL }, *const path[] = { "true", "1", "2", NULL };
	static const char *const leaky[] = { "/bin/sh", "-c", "for i in 1 2 3 4 5; do sleep 1000 & done; exit 3",
					     NULL };
	static const char *const env[] = { "A=1", "B=2", "PATH=/usr/bin:/bin", NULL };
	static const struct scenario scenarios[] = {
		{ "a plain box", SPEC(.argv = truth), { NULL }, 0 },
		{ "much in it",
		  SPEC(.argv = path, .set_env = env, .hostname = "host", .chdir = "/", .name = "name", .timing = true,
		       .map = PIDBOX_MAP_ROOT, .unshare = PIDBOX_NS_NET | PIDBOX_NS_CGROUP),
		  { NULL },
		  0 },
		{ "leaks", SPEC(.argv = leaky, .account = true, .has_leak_grace = true), { NULL }, 3 },
		{ "a terminal", SPEC(.argv = truth, .tty = true), { NULL }, 0 },
		{ "the command is PID 1", SPEC(.argv = truth, .as_pid1 = true), { NULL }, 0 },
		{ "parsed options",
		  SPEC(.argv = NULL),
		  { "--hostname", "h", "-e", "A=1", "-e", "B", "--unset-env", "C", "--signal-map",
		    "TERM=QUIT,HUP=", "--timeout", "9s", "--", "/bin/true", NULL },
		  0 },
	};

	become_subreaper();
	setvbuf(stdout, NULL, _IOLBF, 4096);
	for (int all = 0; all < 2; all++) {
		from_then_on = all;
		for (size_t i = 0; i < LEN(scenarios); i++) {
			struct scenario s = scenarios[i];

			if (in_child(each_allocation, &s) != 0)
				printf("# that was: %s\n", s.words);
		}
	}
	return tap_end();
}
