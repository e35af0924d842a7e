/* SPDX-License-Identifier: MIT */
/* The doctor in hosts of all kinds: with threads, with children of their own, with signals ignored, not dumpable. */
#include "lib.h"

#include <pthread.h>

static bool is(const struct pidbox_doctor *doctor, const char *name, enum pidbox_check_status status)
{
	struct pidbox_check check;

	for (size_t i = 0; pidbox_doctor_check(doctor, i, &check) == 0; i++)
		if (strcmp(check.name, name) == 0)
			return check.status == status;
	return false;
}

static bool rules_hold(const struct pidbox_doctor *doctor)
{
	struct pidbox_rule rule;
	size_t n = 0;

	while (pidbox_doctor_rule(doctor, n, &rule) == 0 && rule.holds == 1)
		n++;
	return n == 10;
}

/* @return is all well? */
static bool examine(uint32_t flags)
{
	struct pidbox_doctor *doctor = NULL;
	struct pidbox_error err = { 0 };
	bool well;

	if (pidbox_doctor(flags, &doctor, &err) < 0)
		return false;
	well = pidbox_doctor_default_box(doctor) && is(doctor, "default box", PIDBOX_CHECK_WORKS) &&
	       is(doctor, "user namespace", PIDBOX_CHECK_WORKS) && is(doctor, "processes", PIDBOX_CHECK_WORKS) &&
	       (flags == 0 || rules_hold(doctor));
	pidbox_doctor_free(doctor);
	return well;
}

static void *examine_in_thread(void *ret)
{
	*(bool *)ret = examine(PIDBOX_DOCTOR_SEMANTICS);
	return NULL;
}

static void two_at_once(void)
{
	bool well[2] = { false, false };
	pthread_t threads[2];

	for (size_t i = 0; i < LEN(threads); i++)
		pthread_create(&threads[i], NULL, examine_in_thread, &well[i]);
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_join(threads[i], NULL);
	ok(well[0] && well[1], "two threads at once");
}

static volatile sig_atomic_t ran;

static void run_in_host(int sig)
{
	(void)sig;
	ran++;
}

/* A copy of the host that ran its handlers would do its work twice. */
static void handlers(void)
{
	const struct sigaction act = { .sa_handler = run_in_host };
	const int signals[] = { SIGTERM, SIGUSR1, SIGUSR2, SIGBUS };

	for (size_t i = 0; i < LEN(signals); i++)
		sigaction(signals[i], &act, NULL);
	ok(examine(PIDBOX_DOCTOR_SEMANTICS) && ran == 0, "a host with handlers: %d ran", (int)ran);
	for (size_t i = 0; i < LEN(signals); i++)
		signal(signals[i], SIG_DFL);
}

static void children(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(7);
	ok(examine(0), "a host with a child that has ended");
	ok(waitpid(-1, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "which is the host's to wait for");
	signal(SIGCHLD, SIG_IGN);
	ok(examine(PIDBOX_DOCTOR_SEMANTICS), "a host that ignores SIGCHLD");
	signal(SIGCHLD, SIG_DFL);
}

static void not_dumpable(void)
{
	struct pidbox_doctor *doctor = NULL;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	ok(examine(0), "a host that is not dumpable");
	ok(pidbox_doctor(PIDBOX_DOCTOR_SEMANTICS, &doctor, NULL) == 0, "and the rules");
	if (getuid() == 0)
		ok(rules_hold(doctor), "they hold");
	pidbox_doctor_free(doctor);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void edges(void)
{
	struct pidbox_doctor *doctor = NULL;
	struct pidbox_error err = { 0 };
	struct pidbox_check check = { .name = "mine" };
	struct pidbox_rule rule;
	char text[4096], cut[8];
	size_t n = 0, len;

	ok(pidbox_doctor(1u << 31, &doctor, &err) == -EINVAL && err.code == PIDBOX_CODE_USAGE && doctor == NULL,
	   "a flag");
	ok(pidbox_doctor(0, &doctor, &err) == 0, "no flags");
	while (pidbox_doctor_check(doctor, n, &check) == 0 && check.name != NULL)
		n++;
	check.name = "mine";
	ok(n > 20 && pidbox_doctor_check(doctor, n, &check) == -ENOENT && strcmp(check.name, "mine") == 0, "%zu checks",
	   n);
	ok(pidbox_doctor_rule(doctor, 0, &rule) == -ENOENT, "no rules");
	pidbox_doctor_free(doctor);
	pidbox_doctor_free(NULL);
	len = pidbox_apparmor_profile(text, sizeof(text));
	ok(len == strlen(text) && strstr(text, self_path()) != NULL, "the profile names this program");
	ok(pidbox_apparmor_profile(NULL, 0) == len && pidbox_apparmor_profile(cut, sizeof(cut)) == len &&
		   strlen(cut) == sizeof(cut) - 1,
	   "its length, and a cut one");
}

int main(void)
{
	int fds;

	become_subreaper();
	fds = count_fds();
	ok(examine(0), "a plain host");
	ok(examine(PIDBOX_DOCTOR_SEMANTICS), "with the rules");
	two_at_once();
	handlers();
	children();
	not_dumpable();
	edges();
	nothing_left(fds, "all of it");
	return tap_end();
}
