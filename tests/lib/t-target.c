/* SPDX-License-Identifier: MIT */
/* Boxes that are there already: opened by their addresses, translated, signalled, ended, waited for. */
#include "lib.h"

#include <pthread.h>
#include <stdio.h>

static struct pidbox *start_sleep(struct pidbox_info *info)
{
	static const char *const argv[] = { "sleep", "1000", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);
	struct pidbox_error err = { 0 };
	struct pidbox *box = NULL;

	if (!ok(pidbox_spawn(&spec, &box, &err) == 0, "a box: %s %s", err.what, err.why))
		exit(1);
	pidbox_get_info(box, info);
	return box;
}

static struct pidbox_target *open_box(const char *format, long n)
{
	struct pidbox_error err = { 0 };
	struct pidbox_target *target = NULL;
	char address[64];

	(void)snprintf(address, sizeof(address), format, n);
	if (!ok(pidbox_open(address, &target, &err) == 0, "open %s: %s %s", address, err.what, err.why))
		exit(1);
	return target;
}

static void bad_addresses(const struct pidbox_info *info)
{
	static const struct {
		const char *address;
		int r;
		enum pidbox_code code;
	} rows[] = {
		{ "", -EINVAL, PIDBOX_CODE_USAGE },
		{ "a b", -EINVAL, PIDBOX_CODE_USAGE },
		{ "no-such-box", -ENOENT, PIDBOX_CODE_NO_SUCH_BOX },
		{ "4194304", -ESRCH, PIDBOX_CODE_NO_SUCH_BOX },
		{ "1:99999999999", -ESRCH, PIDBOX_CODE_NO_SUCH_BOX },
		{ "ns:77", -ESRCH, PIDBOX_CODE_NO_SUCH_BOX },
	};
	struct pidbox_target *mark = (struct pidbox_target *)(uintptr_t)0x5a5a, *target = mark;
	struct pidbox_error err = { 0 };
	char inside[64];

	for (size_t i = 0; i < LEN(rows); i++) {
		int r = pidbox_open(rows[i].address, &target, &err);

		ok(r == rows[i].r && err.code == rows[i].code && target == mark && err.what[0] && err.why[0] &&
			   err.fix[0],
		   "\"%s\": %d [%s]", rows[i].address, r, pidbox_code_name(err.code));
		ok(pidbox_open(rows[i].address, &target, NULL) == r, "the same without an error object");
	}
	(void)snprintf(inside, sizeof(inside), "%d/77", (int)info->init_pid);
	ok(pidbox_open(inside, &target, &err) == -ESRCH && target == mark, "nothing has that number inside");
}

static void infos(const struct pidbox_info *box)
{
	struct pidbox_target_info info;
	struct pidbox_target *t = open_box("%ld", box->command_pid);

	pidbox_target_get_info(t, &info);
	ok(info.init_pid == box->init_pid && info.pid == box->command_pid && info.pid_namespace == box->pid_namespace &&
		   strcmp(info.id, box->id) == 0 && !info.one_process && !info.own && info.live && info.name == NULL,
	   "by its command: init %d, process %d, id %s", (int)info.init_pid, (int)info.pid, info.id);
	pidbox_close(t);
	t = open_box("%ld/2", box->init_pid);
	pidbox_target_get_info(t, &info);
	ok(info.one_process && info.inside_pid == 2 && info.pid == box->command_pid, "a process in it");
	ok(fcntl(pidbox_target_pidfd(t), F_GETFD) == FD_CLOEXEC, "its pidfd is closed on exec");
	pidbox_close(t);
	t = open_box("%ld", getpid());
	pidbox_target_get_info(t, &info);
	ok(info.own && info.init_pid == 1 && info.pid == getpid(), "our own namespace is known as that");
	pidbox_close(t);
	pidbox_close(NULL);
}

static void own_is_refused(void)
{
	struct pidbox_target *t = open_box("%ld", getpid());
	struct pidbox_error err = { 0 };
	struct pidbox_ending ending = { .target = t };

	ok(pidbox_target_signal(t, SIGKILL, &err) == -EPERM && err.code == PIDBOX_CODE_OWN_NAMESPACE, "a signal");
	ok(pidbox_end(&ending, 1, 0) == 1 && ending.result == -EPERM && ending.error.code == PIDBOX_CODE_OWN_NAMESPACE,
	   "the end");
	ok(pidbox_target_wait(t, 0, NULL, &err) == -EPERM, "waiting for it");
	pidbox_close(t);
	t = open_box("%ld/1", getpid());
	ok(pidbox_target_signal(t, SIGKILL, &err) == -EPERM && err.code == PIDBOX_CODE_OWN_NAMESPACE, "our PID 1");
	pidbox_close(t);
}

static void numbers(const struct pidbox_info *box)
{
	struct pidbox_target *t = open_box("%ld", box->init_pid);
	struct pidbox_level levels[PIDBOX_LEVELS_MAX];
	struct pidbox_translator *tr = NULL;
	size_t n = 77;
	pid_t pid = 77;

	ok(pidbox_translator_new(&tr, NULL) == 0, "a translator");
	ok(pidbox_translate(tr, t, 2, NULL, &pid) == 0 && pid == box->command_pid, "inside to outside");
	ok(pidbox_translate(tr, NULL, box->command_pid, t, &pid) == 0 && pid == 2, "outside to inside");
	ok(pidbox_translate(tr, t, 2, t, &pid) == 0 && pid == 2, "inside to inside");
	ok(pidbox_translate(tr, NULL, getpid(), NULL, &pid) == 0 && pid == getpid(), "outside to outside");
	pid = 77;
	ok(pidbox_translate(tr, t, 77, NULL, &pid) == -ESRCH && pid == 77, "nothing has that number");
	ok(pidbox_translate(tr, NULL, getpid(), t, &pid) == -ESRCH && pid == 77, "we are not in there");
	ok(pidbox_translate(tr, NULL, 0, t, &pid) == -ESRCH && pid == 77, "no number");
	ok(pidbox_levels(tr, 4194304, levels, &n) == -ESRCH && n == 77, "a number that nothing can have");
	ok(pidbox_levels(tr, box->command_pid, levels, &n) == 0 && n == 2 && levels[0].pid == box->command_pid &&
		   levels[1].pid == 2 && levels[1].pid_namespace == box->pid_namespace,
	   "every number");
	pidbox_translator_free(tr);
	pidbox_translator_free(NULL);
	pidbox_close(t);
}

static void *in_a_thread(void *context)
{
	const struct pidbox_info *box = context;
	char address[32];
	uintptr_t bad = 0;

	(void)snprintf(address, sizeof(address), "%d", (int)box->init_pid);
	for (int i = 0; i < 50; i++) {
		struct pidbox_translator *tr = NULL;
		struct pidbox_target *t = NULL;
		pid_t pid = 0;

		if (pidbox_open(address, &t, NULL) < 0 || pidbox_translator_new(&tr, NULL) < 0 ||
		    pidbox_translate(tr, t, 2, NULL, &pid) < 0 || pid != box->command_pid)
			bad++;
		pidbox_translator_free(tr);
		pidbox_close(t);
	}
	return (void *)bad;
}

static void threads(struct pidbox_info *box)
{
	pthread_t all[8];
	void *bad;

	for (size_t i = 0; i < LEN(all); i++)
		if (pthread_create(&all[i], NULL, in_a_thread, box) != 0)
			abort();
	for (size_t i = 0; i < LEN(all); i++) {
		pthread_join(all[i], &bad);
		ok(bad == NULL, "thread %zu", i);
	}
}

/* It ends the box, does not reap it, and does not say how its command ended: its own host knows that. */
static void ends(struct pidbox *box, const struct pidbox_info *info)
{
	struct pidbox_info second_info;
	struct pidbox *second = start_sleep(&second_info);
	struct pidbox_ending list[] = { { .target = open_box("%ld", info->init_pid) },
					{ .target = open_box("%ld", second_info.init_pid) },
					{ .target = open_box("%ld", getpid()) } };
	struct pidbox_target_status status = { .exit_status = 77 };
	struct pidbox_result res;
	struct pidbox_error err = { 0 };

	ok(pidbox_target_wait(list[0].target, 1000, &status, &err) == -ETIMEDOUT && status.exit_status == 77,
	   "it has not ended");
	ok(pidbox_target_signal(list[0].target, 65, &err) == -EINVAL, "no signal");
	ok(pidbox_end(list, LEN(list), 5000 * MS) == 1 && list[0].result == 0 && list[1].result == 0 &&
		   list[2].error.code == PIDBOX_CODE_OWN_NAMESPACE,
	   "two of three: %d %d %d", list[0].result, list[1].result, list[2].result);
	ok(pidbox_target_wait(list[0].target, PIDBOX_DEFAULT, &status, &err) == -ENODATA &&
		   err.code == PIDBOX_CODE_STATUS_UNKNOWN && status.exit_status == 77,
	   "how its command ended is its host's to know");
	ok(pidbox_wait(box, -1, &res) == 0 && res.signal == SIGTERM, "the host knows: signal %d", res.signal);
	ok(pidbox_wait(second, -1, &res) == 0 && res.signal == SIGTERM, "of the other, too");
	ok(pidbox_end(list, 2, 0) == 2 && list[0].result == -ESRCH && list[1].result == -ESRCH,
	   "they have ended already");
	ok(pidbox_target_signal(list[0].target, SIGTERM, &err) == -ESRCH, "nothing is there to be signalled");
	for (size_t i = 0; i < LEN(list); i++)
		pidbox_close(list[i].target);
	pidbox_free(second);
}

int main(void)
{
	struct pidbox_info info;
	struct pidbox *box = start_sleep(&info);
	int fds = count_fds();

	bad_addresses(&info);
	infos(&info);
	own_is_refused();
	numbers(&info);
	threads(&info);
	ok(count_fds() == fds, "no descriptor is left: %d of %d", count_fds(), fds);
	ends(box, &info);
	pidbox_free(box);
	return tap_end();
}
