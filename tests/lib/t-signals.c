/* SPDX-License-Identifier: MIT */
/* A host with handlers, blocked signals, and its own ideas of SIGCHLD. */
#include "lib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/utsname.h>

static atomic_int in_host, elsewhere;
static pid_t host;

static void handler(int sig)
{
	(void)sig;
	if ((pid_t)syscall(SYS_getpid) == host)
		atomic_fetch_add(&in_host, 1);
	else
		atomic_fetch_add(&elsewhere, 1); /* in the library's child: PID 1, or some other number */
}

static void set(int sig, void (*to)(int))
{
	struct sigaction act = { .sa_handler = to, .sa_flags = SA_RESTART };

	sigaction(sig, &act, NULL);
}

/* ------------------------------------------------------------ what the command gets */

static int role_signals(int argc, char **argv)
{
	char text[8192], *line;
	int fd = open("/proc/self/status", O_RDONLY);

	(void)argc, (void)argv;
	read_all(fd, text, sizeof(text));
	for (line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0 ||
		    strncmp(line, "SigCgt:", 7) == 0)
			printf("%s ", strchr(line, '\t') + 1);
	return 0;
}

static uint64_t mask_now(void)
{
	uint64_t mask = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	return mask;
}

/* Ignored here, by the kernel's word: our own caller may have left us some (make's posix_spawn ignores 32 and 33). */
static unsigned long ignored_now(void)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY);

	read_all(fd, text, sizeof(text));
	close(fd);
	return strtoul(strchr(strstr(text, "SigIgn:"), '\t') + 1, NULL, 16);
}

static void dispositions(void)
{
	const char *argv[] = { self_path(), "signals", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);
	const uint64_t other = UINT64_C(1) << (SIGQUIT - 1) | UINT64_C(1) << 63;
	const unsigned long two = (1ul << (SIGPIPE - 1)) | (1ul << (SIGCHLD - 1));
	unsigned long blocked = 0, ignored = 0, caught = 1;
	uint64_t before;
	char text[256];
	sigset_t set_of;

	set(SIGUSR1, handler);
	set(SIGPIPE, SIG_IGN);
	set(SIGCHLD, SIG_IGN);
	sigemptyset(&set_of);
	sigaddset(&set_of, SIGUSR2);
	sigaddset(&set_of, SIGRTMAX);
	pthread_sigmask(SIG_BLOCK, &set_of, NULL);
	before = mask_now();
	ok(run_output(&spec, text, sizeof(text)) == 0 && sscanf(text, "%lx %lx %lx", &blocked, &ignored, &caught) == 3,
	   "the command tells its signals: %s", text);
	ok(blocked == before, "blocked as in the calling thread: %lx, here %lx", blocked, (unsigned long)before);
	ok(ignored == ignored_now() && (ignored & two) == two, "SIGPIPE and SIGCHLD ignored as here: %lx, here %lx",
	   ignored, ignored_now());
	ok(caught == 0, "nothing is caught: %lx", caught);
	ok(mask_now() == before, "our own mask is as before");
	spec.signal_mask = &other;
	run_output(&spec, text, sizeof(text));
	ok(sscanf(text, "%lx", &blocked) == 1 && blocked == other, "a mask that was asked for: %lx", blocked);
	pthread_sigmask(SIG_UNBLOCK, &set_of, NULL);
	set(SIGPIPE, SIG_DFL);
	set(SIGCHLD, SIG_DFL);
}

/* A thread that blocks what another does not. */
static void *thread_with_mask(void *arg)
{
	const char *argv[] = { self_path(), "signals", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);
	unsigned long blocked = 0;
	char text[256];
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	run_output(&spec, text, sizeof(text));
	*(bool *)arg = sscanf(text, "%lx", &blocked) == 1 && blocked == mask_now();
	return NULL;
}

static void from_a_thread(void)
{
	pthread_t thread;
	bool same = false;

	pthread_create(&thread, NULL, thread_with_mask, &same);
	pthread_join(thread, NULL);
	ok(same, "spawned by a thread that blocks everything: the command has that thread's mask");
}

/* ------------------------------------------------------------ a signal to the host's process group */

/* Waits for SIGUSR1, asks PID 1 for SIGUSR2, which comes back as the last one, and exits with the number of SIGUSR1. */
static int role_count(int argc, char **argv)
{
	int count = 0, sig = 0;
	sigset_t both;

	(void)argc, (void)argv;
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGUSR2);
	sigprocmask(SIG_BLOCK, &both, NULL);
	puts("ready");
	fflush(stdout);
	while (sig != SIGUSR2 && sigwait(&both, &sig) == 0)
		if (sig == SIGUSR1 && count++ == 0)
			kill(1, SIGUSR2);
	return count;
}

static void group(void)
{
	const char *argv[] = { self_path(), "count", NULL };
	int out[2], stdio[3] = { 0, -1, 2 };
	struct pidbox_spec spec = SPEC(.argv = argv, .stdio = stdio);
	struct pidbox_result res;
	struct pidbox *box;
	char text[16];

	if (pipe2(out, O_CLOEXEC) < 0)
		return;
	stdio[1] = out[1];
	box = start(&spec);
	set(SIGUSR1, SIG_IGN);
	close(out[1]);
	ok(box != NULL && read(out[0], text, sizeof(text)) > 0, "the command is there");
	kill(0, SIGUSR1);
	ok(pidbox_wait(box, PIDBOX_DEFAULT, &res) == 0 && res.exit_code == 1,
	   "a signal to the host's group reaches the command once: %d", res.exit_code);
	pidbox_free(box);
	close(out[0]);
	set(SIGUSR1, SIG_DFL);
}

/* ------------------------------------------------------------ handlers */

static atomic_bool stop;

/* Signals that do nothing by default, to the whole process group: what the library's child is a member of. */
static void *bombard(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		kill(0, SIGURG);
		kill(0, SIGWINCH);
		kill(0, SIGCONT);
		sleep_us(20);
	}
	return NULL;
}

static void handlers(void)
{
	const char *argv[] = { "/bin/true", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);
	pthread_t thread;
	int good = 0;

	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGSEGV && sig != SIGBUS && sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU)
			set(sig, handler);
	pthread_create(&thread, NULL, bombard, NULL);
	for (int i = 0; i < 200; i++)
		good += run(&spec, NULL) == 0;
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	ok(good == 200, "200 boxes under a rain of signals: %d ended as they should", good);
	ok(atomic_load(&in_host) > 0 && atomic_load(&elsewhere) == 0,
	   "handlers ran %d times in the host, %d times elsewhere", atomic_load(&in_host), atomic_load(&elsewhere));
	for (int sig = 1; sig <= 64; sig++)
		set(sig, SIG_DFL);
}

/* ------------------------------------------------------------ SIGCHLD */

static atomic_int stolen;
static int pid_max_works; /* what a spawn with pid_max gives while SIGCHLD is as it should be */

static void thief(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		atomic_fetch_add(&stolen, 1);
	errno = saved;
}

static void *thief_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		if (waitpid(-1, NULL, __WALL) > 0)
			atomic_fetch_add(&stolen, 1);
		else
			sleep_us(50);
	return NULL;
}

static void results(const char *words, int n)
{
	const char *argv[] = { "/bin/sh", "-c", "exit 6", NULL };
	const char *killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
	const char *missing[] = { "/no/such/command", NULL };
	const char *sleeper[] = { "/bin/sleep", "1000", NULL };
	int good = 0;

	for (int i = 0; i < n; i++) {
		struct pidbox_spec spec = SPEC(.argv = argv), dies = SPEC(.argv = killed);
		struct pidbox_spec fails = SPEC(.argv = missing), runs = SPEC(.argv = sleeper);
		struct pidbox_error err = { 0 };
		struct pidbox *box = NULL;

		good += run(&spec, NULL) == 6;
		good += run(&dies, NULL) == 128 + SIGKILL;
		good += pidbox_spawn(&fails, &box, &err) == -ENOENT && err.exit_status == PIDBOX_EXIT_NOT_FOUND;
		box = start(&runs);
		good += box != NULL && pidbox_wait(box, 0, &(struct pidbox_result){ 0 }) == -ETIMEDOUT;
		pidbox_free(box);
	}
	ok(good == 4 * n, "%s: %d of %d results as expected", words, good, 4 * n);
}

/* Does the kernel remember how a process ended that somebody else has reaped (PIDFD_INFO_EXIT, Linux 6.15)? */
static bool kernel_remembers(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 15));
}

/* Without an init of ours the status comes from the process itself, which somebody else may take. */
static void as_pid1_results(const char *words)
{
	const char *argv[] = { "/bin/sh", "-c", "exit 6", NULL };
	const char *sleeper[] = { "/bin/sleep", "1000", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .as_pid1 = true);
	struct pidbox_spec runs = SPEC(.argv = sleeper, .as_pid1 = true);
	bool known = kernel_remembers();
	struct pidbox_result res = { 0 };
	int good = 0, n = 20;
	struct pidbox *box;

	for (int i = 0; i < n; i++) {
		int status = run(&spec, &res);

		/* One that reaps in another thread may come too late, and then it is known everywhere. */
		good += status == 6 || (!known && status == PIDBOX_EXIT_FAILED && res.exit_code == -1);
	}
	ok(good == n, "%s, the command is PID 1: %d of %d results as expected (last code %d)", words, good, n,
	   res.exit_code);
	box = start(&runs);
	ok(box != NULL && kill(info_of(box).init_pid, SIGKILL) == 0 && pidbox_wait(box, 5000 * MS, &res) == 0,
	   "%s, the command is PID 1 and killed: the wait ends", words);
	ok(res.signal == (known ? SIGKILL : res.signal) && (res.signal != 0 || res.exit_code == -1),
	   "signal %d, code %d", res.signal, res.exit_code);
	good = pidbox_exit_status(box, &res);
	ok(good == (res.signal != 0 ? 128 + SIGKILL : PIDBOX_EXIT_FAILED), "status %d", good);
	pidbox_free(box);
}

/* What is found out in children of the library's own. */
static void probes(const char *words)
{
	const char *argv[] = { "/bin/true", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .pid_max = 400);
	int good = 0, n = 10;

	for (int i = 0; i < n; i++) {
		struct pidbox_error err = { 0 };
		struct pidbox *box = NULL;
		int r = pidbox_spawn(&spec, &box, &err);

		good += r == pid_max_works;
		pidbox_free(box);
	}
	ok(good == n, "%s: pid_max, %d of %d times as without that (%d)", words, good, n, pid_max_works);
}

static void learn_pid_max(void)
{
	const char *argv[] = { "/bin/true", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv, .pid_max = 400);
	struct pidbox *box = NULL;

	pid_max_works = pidbox_spawn(&spec, &box, NULL);
	pidbox_free(box);
}

static void all_results(const char *words)
{
	results(words, 20);
	as_pid1_results(words);
	probes(words);
}

static void sigchld(void)
{
	pthread_t thread;

	learn_pid_max();
	set(SIGCHLD, SIG_IGN);
	all_results("SIGCHLD ignored");
	set(SIGCHLD, thief);
	all_results("a SIGCHLD handler that reaps everything");
	ok(atomic_load(&stolen) > 0, "it took %d children", atomic_load(&stolen));
	set(SIGCHLD, SIG_DFL);
	atomic_store(&stop, false);
	pthread_create(&thread, NULL, thief_thread, NULL);
	all_results("a thread that reaps everything");
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "signals", role_signals }, { "count", role_count } };
	int r = play_role(roles, LEN(roles), argc, argv), fds;

	if (r >= 0)
		return r;
	setsid();
	host = getpid();
	become_subreaper();
	fds = count_fds();
	dispositions();
	group();
	from_a_thread();
	handlers();
	sigchld();
	nothing_left(fds, "all boxes");
	return tap_end();
}
