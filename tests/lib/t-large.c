/* SPDX-License-Identifier: MIT */
/* Plans of many packets: a hundred thousand arguments, an environment of a megabyte; and what is over the limit. */
#include "lib.h"

#include <sys/resource.h>

extern char **environ;

/* Number and sum of the arguments and of the environment. */
static int role_count(int argc, char **argv)
{
	unsigned long sum = 0, bytes = 0, n = 0;

	for (int i = 2; i < argc; i++)
		sum = sum * 31 + strtoul(argv[i], NULL, 10);
	for (char **e = environ; *e != NULL; e++, n++)
		bytes += strlen(*e) + 1;
	printf("%d %lu %lu %lu", argc, sum, n, bytes);
	return 0;
}

static void count(const char *words, const char *const *argv, const char *const *envp)
{
	struct pidbox_spec spec = SPEC(.argv = argv, .envp = envp);
	unsigned long expected[4] = { 0 }, seen[4] = { 0 };
	int64_t from = now_us();
	char text[256];
	int status = run_output(&spec, text, sizeof(text));

	for (size_t i = 0; argv[i] != NULL; i++, expected[0]++)
		if (i >= 2)
			expected[1] = expected[1] * 31 + strtoul(argv[i], NULL, 10);
	for (; envp[expected[2]] != NULL; expected[2]++)
		expected[3] += strlen(envp[expected[2]]) + 1;
	sscanf(text, "%lu %lu %lu %lu", &seen[0], &seen[1], &seen[2], &seen[3]);
	ok(status == 0 && memcmp(seen, expected, sizeof(seen)) == 0,
	   "%s: status %d, %lu arguments, %lu variables of %lu bytes, %lld ms", words, status, seen[0], seen[2],
	   seen[3], (long long)(now_us() - from) / 1000);
}

static char **many_args(int n)
{
	char **argv = calloc((size_t)n + 3, sizeof(*argv));

	argv[0] = strdup(self_path());
	argv[1] = strdup("count");
	for (int i = 0; i < n; i++)
		if (asprintf(&argv[i + 2], "%d", i) < 0)
			abort();
	return argv;
}

/* Entries of `size` bytes each. */
static char **big_env(int n, int size)
{
	char **envp = calloc((size_t)n + 1, sizeof(*envp));

	for (int i = 0; i < n; i++)
		if (asprintf(&envp[i], "VAR_%06d=%0*d", i, size - 12, i) < 0)
			abort();
	return envp;
}

static void over(const char *words, const char *const *argv, const char *const *envp, int fds)
{
	struct pidbox_spec spec = SPEC(.argv = argv, .envp = envp);
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;
	int r = pidbox_spawn(&spec, &box, &err);

	ok(r == -E2BIG && err.errnum == E2BIG && box == NULL, "%s: %d, %s", words, r, err.what);
	ok(err.exit_status == PIDBOX_EXIT_FAILED || err.exit_status == PIDBOX_EXIT_CANNOT_EXEC, "%s: status %d", words,
	   err.exit_status);
	ok(err.why[0] != '\0', "%s: why: %s", words, err.why);
	pidbox_free(box);
	nothing_left(fds, words);
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "count", role_count } };
	const char *no_env[] = { NULL }, *plain[] = { NULL, "count", NULL }, *truth[] = { "/bin/true", NULL };
	char **args, **env, **small, *huge;
	struct rlimit stack;
	int r = play_role(roles, LEN(roles), argc, argv), fds;

	if (r >= 0)
		return r;
	if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < 64 << 20) { /* a quarter is for arguments */
		stack.rlim_cur = stack.rlim_max < 64 << 20 ? stack.rlim_max : 64 << 20;
		setrlimit(RLIMIT_STACK, &stack);
	}
	plain[0] = self_path();
	become_subreaper();
	fds = count_fds();
	args = many_args(100000);
	env = big_env(1024, 1024);
	small = big_env(20000, 40);
	count("100,000 arguments", (const char *const *)args, no_env);
	count("an environment of 1 MiB", plain, (const char *const *)env);
	count("20,000 variables", plain, (const char *const *)small);
	stack.rlim_cur = 8 << 20;
	if (stack.rlim_max >= 64 << 20) {
		count("both", (const char *const *)args, (const char *const *)env);
		setrlimit(RLIMIT_STACK, &stack);
		over("arguments over the limit", (const char *const *)many_args(400000), no_env, fds);
	}
	over("an environment over the limit", truth, (const char *const *)big_env(4096, 1024), fds);
	huge = malloc(300000);
	memset(huge, 'x', 299999);
	huge[299999] = '\0';
	over("one argument over the limit", (const char *const[]){ "/bin/true", huge, NULL }, no_env, fds);
	nothing_left(fds, "all of it");
	return tap_end();
}
