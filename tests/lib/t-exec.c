/* SPDX-License-Identifier: MIT */
/*
 * What the init does with requests of `pidbox exec`: whom it starts and how, and that nothing a client sends, leaves
 * out or does not read harms it. The requests go to the init directly (front.h); tests/cli/test_exec.py has the whole
 * way.
 */
#include "lib/front.h"

#include <sys/resource.h>
#include <sys/stat.h>

static struct pidbox *box;

static struct pidbox *start_sleeper(bool account)
{
	const char *argv[] = { self_path(), "sleep", NULL };
	const char *env[] = { "PATH=/bin:/usr/bin", "BASE=box", "GONE=yes", NULL };
	struct pidbox_spec spec =
		SPEC(.argv = argv, .envp = env, .chdir = "/", .account = account, .has_grace = true, .grace_us = 0);

	return start(&spec);
}

__attribute__((noreturn)) static int play_sleep(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (;;)
		pause();
}

/* Ignores SIGTERM, with a child in its session but in a group of its own. */
__attribute__((noreturn)) static int play_stubborn(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	signal(SIGTERM, SIG_IGN);
	if (fork() == 0)
		setpgid(0, 0);
	for (;;)
		pause();
}

static int play_flood(int argc, char **argv)
{
	(void)argc;
	for (int i = 0; i < atoi(argv[2]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (int k = 0; k < 100; k++) {
				kill(getppid(), SIGSTOP);
				kill(getppid(), SIGCONT);
			}
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	return 9;
}

static const struct role roles[] = {
	{ "sleep", play_sleep },
	{ "stubborn", play_stubborn },
	{ "flood", play_flood },
};

/* Run a script in the box, its output taken. @return its status as `pidbox exec` would exit; -1: not started */
static int sh(const char *script, char *out, size_t size, const struct pidbox_exec_spec *more)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct pidbox_exec_spec spec = *more;
	struct pidbox_exec *exec;
	struct control_reply reply;
	int pipe_fds[2], stdio[3], r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		abort();
	stdio[0] = 0;
	stdio[1] = pipe_fds[1];
	stdio[2] = 2;
	spec.argv = argv;
	spec.stdio = stdio;
	exec = exec_spec(box, &spec, NULL, &reply);
	close(pipe_fds[1]);
	read_all(pipe_fds[0], out, size);
	close(pipe_fds[0]);
	if (exec == NULL)
		return -1;
	r = pidbox_exec_wait(exec, 10 * 1000 * MS, NULL) == 0 ? pidbox_exec_status(exec, NULL) : -2;
	pidbox_exec_free(exec);
	return r;
}

#define ESPEC(...) ((struct pidbox_exec_spec){ .size = sizeof(struct pidbox_exec_spec), __VA_ARGS__ })

static bool init_lives(void)
{
	char out[16];

	return !readable_within(pidbox_pidfd(box), 0) &&
	       sh("echo fine", out, sizeof(out), &ESPEC(.stop_signal = 0)) == 0 && strcmp(out, "fine\n") == 0;
}

/* A line of our own status, which the box was started with. */
static const char *own_line(const char *key)
{
	static char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL && strncmp(line, key, strlen(key)) != 0)
		continue;
	if (f != NULL)
		fclose(f);
	return line;
}

static void check_identity(void)
{
	const char *set[] = { "ADDED=1", "BASE=exec", "ADDED=2", NULL }, *unset[] = { "GONE", NULL };
	char out[4096];
	int r;

	r = sh("echo $PPID $(cut -d' ' -f6 /proc/$$/stat) $$ $(pwd)", out, sizeof(out), &ESPEC(.stop_signal = 0));
	int ppid = -1, sid = -1, pid = 0;
	char dir[64] = "";

	sscanf(out, "%d %d %d %63s", &ppid, &sid, &pid, dir);
	ok(r == 0 && ppid == 1 && sid == pid && strcmp(dir, "/") == 0,
	   "it is a child of PID 1, leads a session, and is where the box's command began: %s", out);
	r = sh("env | grep -E '^(ADDED|BASE|GONE)=' | sort", out, sizeof(out),
	       &ESPEC(.set_env = set, .unset_env = unset));
	ok(r == 0 && strcmp(out, "ADDED=2\nBASE=exec\n") == 0, "the box's environment, with the changes: %s", out);
	r = sh("ls -l /proc/self/fd | grep -c -- '->'", out, sizeof(out), &ESPEC(.stop_signal = 0));
	ok(atoi(out) == 4, "it has 0, 1, 2 (and what ls has opened): %s", out);
	r = sh("pwd", out, sizeof(out), &ESPEC(.chdir = "proc"));
	ok(r == 0 && strcmp(out, "/proc\n") == 0, "a directory, seen from the box's own: %s", out);
	r = sh("grep -E 'Sig(Blk|Ign)' /proc/self/status", out, sizeof(out), &ESPEC(.stop_signal = 0));
	ok(r == 0 && strstr(out, "SigBlk:\t0000000000000000") != NULL && strstr(out, own_line("SigIgn:")) != NULL,
	   "no signal is blocked, and ignored is what the box was started with (GNU make leaves two so): %s", out);
	ok(sh("exit 7", out, sizeof(out), &ESPEC(.stop_signal = 0)) == 7, "its exit status");
	ok(sh("kill -9 $$", out, sizeof(out), &ESPEC(.stop_signal = 0)) == 128 + 9, "its signal");
}

static void check_pid(void)
{
	const char *argv[] = { self_path(), "sleep", NULL };
	struct control_reply reply;
	struct pidbox_exec *exec = exec_spec(box, &ESPEC(.argv = argv), NULL, &reply);
	struct pidbox_event ev;
	char state;

	ok(exec != NULL && exec->inside_pid > 1, "it is told its PID inside (%d)", exec != NULL ? exec->inside_pid : 0);
	if (exec == NULL)
		return;
	ok(exec->pid > 1 && parent_of(exec->pid, &state) == box->init_pid,
	   "and its PID outside (%d), a child of the init's", (int)exec->pid);
	ok(pidbox_exec_signal(exec, SIGSTOP) == 0 && readable_within(exec->connection, 5000) &&
		   pidbox_exec_next_event(exec, &ev) == 1 && ev.type == PIDBOX_EVENT_STOPPED && ev.signal == SIGSTOP,
	   "that it has been stopped is told");
	pidbox_exec_signal(exec, SIGTERM);
	pidbox_exec_signal(exec, SIGCONT);
	struct pidbox_result res = { 0 };

	ok(pidbox_exec_wait(exec, 5000 * MS, &res) == 0 && res.signal == SIGTERM &&
		   res.reason == PIDBOX_REASON_KILLED && pidbox_exec_status(exec, &res) == 128 + SIGTERM,
	   "a signal of the client's ends it");
	ok(pidbox_exec_signal(exec, SIGTERM) == -ESRCH, "then there is nothing to send one to");
	pidbox_exec_free(exec);
}

static void check_failures(void)
{
	const char *none[] = { "no-such-program", NULL }, *dir[] = { "/proc", NULL }, *fine[] = { "true", NULL };
	struct control_reply reply;

	ok(exec_spec(box, &ESPEC(.argv = none), NULL, &reply) == NULL && reply.step == EXEC_STEP_EXEC &&
		   reply.errnum == ENOENT,
	   "a program that is not there");
	ok(exec_spec(box, &ESPEC(.argv = dir), NULL, &reply) == NULL && reply.step == EXEC_STEP_EXEC &&
		   reply.errnum == EACCES,
	   "a directory is no program");
	ok(exec_spec(box, &ESPEC(.argv = fine, .chdir = "/none"), NULL, &reply) == NULL &&
		   reply.step == EXEC_STEP_CHDIR && reply.errnum == ENOENT && reply.aux == 2,
	   "a directory that is not there");
}

static bool within(int ms, bool (*condition)(void))
{
	for (int64_t until = now_us() + (int64_t)ms * MS; now_us() < until; sleep_us(2 * MS))
		if (condition())
			return true;
	return false;
}

/* Nothing but the init and its first command is in the box. */
static bool is_quiet(void)
{
	char path[64], text[256];
	ssize_t n;
	int fd, count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", box->init_pid, box->init_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	for (ssize_t i = 0; i < n; i++)
		count += text[i] == ' ';
	return count == 1;
}

static void check_ends(void)
{
	const char *stubborn[] = { self_path(), "stubborn", NULL };
	struct control_reply reply;
	struct pidbox_result res = { 0 };
	int64_t t0 = now_us();
	struct pidbox_exec *exec =
		exec_spec(box, &ESPEC(.argv = stubborn, .timeout_us = 100 * MS, .has_grace = true, .grace_us = 50 * MS),
			  NULL, &reply);

	ok(exec != NULL && pidbox_exec_wait(exec, 10 * 1000 * MS, &res) == 0 && res.reason == PIDBOX_REASON_TIMEOUT &&
		   res.signal == SIGKILL && pidbox_exec_status(exec, &res) == 124,
	   "a time limit ends it, SIGTERM ignored or not");
	ok(now_us() - t0 >= 150 * MS, "after the grace");
	pidbox_exec_free(exec);
	ok(within(5000, is_quiet), "with the jobs of its session");
	ok(init_lives(), "and not the box");

	exec = exec_spec(box, &ESPEC(.argv = stubborn), NULL, &reply);
	pidbox_exec_free(exec);
	ok(exec != NULL && within(5000, is_quiet), "a client that hangs up ends it, with its session");
}

static void check_box_end(void)
{
	const char *argv[] = { self_path(), "sleep", NULL };
	struct control_reply reply;
	struct pidbox *other = start_sleeper(true);
	struct pidbox_exec *exec = exec_spec(other, &ESPEC(.argv = argv), NULL, &reply);
	struct pidbox_exec *second = exec_spec(other, &ESPEC(.argv = argv), NULL, &reply);
	struct pidbox_result res = { 0 };

	ok(exec != NULL && second != NULL, "two of them run in a box");
	pidbox_kill(other, 0, NULL);
	ok(pidbox_exec_wait(exec, 5000 * MS, &res) == 0 && res.signal == SIGKILL && pidbox_exec_box_ended(exec),
	   "the box's end is its end, and is told");
	pidbox_wait(other, PIDBOX_DEFAULT, &res);
	ok(res.leaked_total == 0, "what runs by exec is no leak (%d)", (int)res.leaked_total);
	pidbox_free(other);
	ok(pidbox_exec_wait(second, 5000 * MS, &res) == 0 && pidbox_exec_box_ended(second), "also to the second");
	pidbox_exec_free(exec);
	pidbox_exec_free(second);

	other = start_sleeper(false);
	exec = exec_spec(other, &ESPEC(.argv = argv), NULL, &reply);
	kill(other->init_pid, SIGKILL);
	ok(exec != NULL && pidbox_exec_wait(exec, 5000 * MS, &res) == 0 && res.signal == SIGKILL &&
		   pidbox_exec_box_ended(exec),
	   "an init that is killed says nothing, and that is told, too");
	pidbox_exec_free(exec);
	pidbox_free(other);
}

static int open_fds_of_init(void)
{
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", box->init_pid);
	dir = opendir(path);
	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		closedir(dir);
	return n; /* 0: this user may not look */
}

/* ------------------------------------------------------------ what no good client sends */

static int payload_of(const void *bytes, size_t size, unsigned seals)
{
	int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || (size > 0 && write(fd, bytes, size) != (ssize_t)size) || fcntl(fd, F_ADD_SEALS, seals) < 0)
		abort();
	return fd;
}

static bool refused(int payload, int errnum)
{
	const int stdio[] = { 0, 1, 2 };
	struct control_reply reply = { 0 };
	struct pidbox_exec *exec = exec_by_hand(box, payload, stdio);
	int word = first_word(exec, &reply);

	pidbox_exec_free(exec);
	close(payload);
	return word == CONTROL_FAILED && reply.step == EXEC_STEP_TAKE && reply.errnum == errnum;
}

static void check_payloads(void)
{
	static char text[8192] __attribute__((aligned(16)));
	struct exec_payload *p = (void *)text;
	const struct exec_payload good = {
		.magic = EXEC_MAGIC,
		.version = EXEC_VERSION,
		.stop_signal = 15,
		.argv = { sizeof(good), 5, 1 },
	};
	const size_t size = sizeof(good) + 5;
	bool all = true;

	memcpy(text + sizeof(good), "true", 5);
	*p = good;
	ok(!refused(payload_of(text, size, 15), EBADMSG), "a good one is taken");
	for (unsigned seals = 0; seals < 15; seals++)
		all &= refused(payload_of(text, size, seals), EBADMSG);
	ok(all, "not one that can still be changed");
	all = true;
	for (size_t n = 0; n < size; n++)
		all &= refused(payload_of(text, n, 15), EBADMSG);
	ok(all, "not one that is cut off, wherever");
	p->version = 2;
	ok(refused(payload_of(text, size, 15), EOPNOTSUPP), "not one of another version");
	*p = good;
	p->flags = 1u << 31;
	ok(refused(payload_of(text, size, 15), EOPNOTSUPP), "not one with a flag that is not known");
	ok(refused(open("/dev/zero", O_RDONLY), EBADMSG), "not a device");
	ok(refused(open("/etc/passwd", O_RDONLY), EBADMSG), "not a file");
	ok(refused(socket(AF_UNIX, SOCK_STREAM, 0), EBADMSG), "not a socket");
	*p = good;
	int big = payload_of(text, size, 0);

	if (ftruncate(big, CONTROL_MAX_PAYLOAD + 1) < 0 || fcntl(big, F_ADD_SEALS, 15) < 0)
		abort();
	ok(refused(big, EBADMSG), "not a huge one");
	srand(1);
	for (int i = 0; i < 300; i++) {
		const int stdio[] = { 0, 1, 2 };
		struct pidbox_exec *exec;
		struct control_reply reply;
		int fd;

		*p = good;
		p->flags = (uint32_t)rand() & EXEC_FLAGS_KNOWN & ~(uint32_t)EXEC_TTY;
		for (int k = 0; k < 3; k++) {
			size_t at = 12 + (size_t)rand() % (sizeof(good) - 12) / 4 * 4;
			uint32_t values[] = {
				0, 1, (uint32_t)rand(), UINT32_MAX, size, size - 1, sizeof(good), 1u << 31
			};

			memcpy(text + at, &values[rand() % 8], 4);
		}
		p->timeout_us = 100 * MS;
		fd = payload_of(text, size, 15);
		exec = exec_by_hand(box, fd, stdio);
		close(fd);
		all &= first_word(exec, &reply) > 0;
		pidbox_exec_free(exec);
	}
	ok(all && init_lives(), "numbers that are wrong in any place are answered, and harm nothing");
}

static void check_descriptors(void)
{
	const int own[] = { 0, 1, 2, 0, 1, 2, 0, 1, 2 };
	struct pidbox_exec_spec spec = ESPEC(.stop_signal = 0);
	const char *argv[] = { "true", NULL };
	size_t size;
	int pair[2], payload;

	spec.argv = argv;
	for (size_t n = 0; n <= 9; n++) {
		if (hand_on(box, own, n) < 0)
			abort();
	}
	ok(init_lives(), "too few and too many descriptors, and such as are no connection");
	payload = exec_payload_build(&spec, NULL, 0, &size);
	for (int i = 0; i < 200; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		const int fds[] = { pair[1], payload, 0, 1, 2 };

		if (i % 2 == 0)
			close(pair[0]);
		hand_on(box, fds, 5);
		close(pair[1]);
		if (i % 2 != 0)
			close(pair[0]);
	}
	close(payload);
	ok(init_lives() && within(5000, is_quiet), "clients that have hung up already");
}

static void check_messages(void)
{
	const char *argv[] = { self_path(), "sleep", NULL };
	struct control_reply reply;
	struct pidbox_exec *exec = exec_spec(box, &ESPEC(.argv = argv), NULL, &reply);
	struct control_request request = { .magic = CONTROL_MAGIC, .version = 1, .type = CONTROL_SIGNAL };
	const int bad[] = { 0, -1, 65, 1 << 30, INT32_MIN };
	char junk[4096] = { 1 };

	if (exec == NULL)
		abort();
	for (size_t i = 0; i < LEN(bad); i++) {
		request.signal = bad[i];
		send(exec->connection, &request, sizeof(request), MSG_NOSIGNAL);
	}
	for (size_t i = 1; i < sizeof(request); i++)
		send(exec->connection, &request, i, MSG_NOSIGNAL);
	request.magic = 0;
	request.signal = SIGKILL;
	send(exec->connection, &request, sizeof(request), MSG_NOSIGNAL);
	for (int i = 0; i < 200; i++)
		send(exec->connection, junk, sizeof(junk), MSG_NOSIGNAL);
	for (int i = 0; i < 200; i++)
		send_with_fds(exec->connection, junk, 100, bad + 0, 0);
	const int extra[] = { 0, 1, 2, 0, 1, 2 };

	for (int i = 0; i < 50; i++)
		send_with_fds(exec->connection, &request, sizeof(request), extra, LEN(extra));
	ok(init_lives() && pidbox_exec_wait(exec, 0, NULL) == -ETIMEDOUT,
	   "messages that make no sense are passed over");
	pidbox_exec_free(exec);
	ok(within(5000, is_quiet), "and the connection works still");
}

/* It is told of a hundred stops and reads none of it. */
static void check_deaf_client(void)
{
	const char *argv[] = { self_path(), "flood", "20", NULL };
	struct control_reply reply;
	struct pidbox_exec *exec = exec_spec(box, &ESPEC(.argv = argv), NULL, &reply);
	struct pidbox_result res = { 0 };

	ok(exec != NULL && within(60000, is_quiet), "the command of a client that does not read comes to its end");
	ok(init_lives(), "and the init goes on");
	ok(pidbox_exec_wait(exec, 5000 * MS, &res) == 0 && res.exit_code == 9, "whose word waits for the client");
	pidbox_exec_free(exec);
}

/* ------------------------------------------------------------ many */

static int fds_before;

static bool has_fds_as_before(void)
{
	return open_fds_of_init() == fds_before;
}

static void check_many(void)
{
	enum { AT_ONCE = 1000, ONE_BY_ONE = 1000 };
	static struct pidbox_exec *execs[AT_ONCE];
	const char *sleeper[] = { self_path(), "sleep", NULL }, *quick[] = { "true", NULL };
	struct pidbox_exec_spec spec = ESPEC(.argv = sleeper);
	const int own[] = { 0, 1, 2 };
	struct rlimit more;
	size_t size;
	int payload, good = 0;

	fds_before = open_fds_of_init();
	getrlimit(RLIMIT_NOFILE, &more);
	more.rlim_cur = more.rlim_max < 4096 ? more.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &more);
	payload = exec_payload_build(&spec, NULL, 0, &size);
	for (int i = 0; i < AT_ONCE; i++)
		execs[i] = exec_by_hand(box, payload, own);
	close(payload);
	for (int i = 0; i < AT_ONCE; i++) {
		struct control_reply reply;

		good += first_word(execs[i], &reply) == CONTROL_STARTED;
	}
	ok(good == AT_ONCE, "a thousand at once (%d)", good);
	ok(init_lives(), "and one more");
	for (int i = 0; i < AT_ONCE; i++)
		pidbox_exec_free(execs[i]);
	ok(within(60000, is_quiet), "all end when their clients hang up");
	good = 0;
	spec.argv = quick;
	for (int i = 0; i < ONE_BY_ONE; i++) {
		struct control_reply reply;
		struct pidbox_exec *exec = exec_spec(box, &spec, NULL, &reply);

		good += exec != NULL && pidbox_exec_wait(exec, 30000 * MS, NULL) == 0 && exec->result.exit_code == 0;
		pidbox_exec_free(exec);
	}
	ok(good == ONE_BY_ONE, "a thousand one after the other (%d)", good);
	ok(within(5000, is_quiet) && within(5000, has_fds_as_before),
	   "the init has as many descriptors as before (%d, %d)", fds_before, open_fds_of_init());
}

/* Somebody inside takes the init's descriptors away. */
static void check_no_descriptors(void)
{
	struct pidbox *kept = box;
	struct control_reply reply;
	const char *argv[] = { "true", NULL };
	struct rlimit none = { 0, 0 };
	struct pidbox_exec *exec;

	box = start_sleeper(false);
	if (prlimit(box->init_pid, RLIMIT_NOFILE, &none, NULL) < 0) {
		tap_skip("an init without descriptors", "this user may not change its limit");
	} else {
		size_t size;
		const int own[] = { 0, 1, 2 };
		int payload = exec_payload_build(&ESPEC(.argv = argv), NULL, 0, &size);
		int word;

		exec = exec_by_hand(box, payload, own);
		close(payload);
		word = first_word(exec, &reply);
		ok(word == -1 || (word == CONTROL_FAILED && reply.errnum == EMFILE),
		   "an init without descriptors refuses (%d)", word);
		pidbox_exec_free(exec);
		ok(!readable_within(pidbox_pidfd(box), 100), "and lives");
	}
	pidbox_free(box);
	box = kept;
}

int main(int argc, char **argv)
{
	int role = play_role(roles, LEN(roles), argc, argv);

	if (role >= 0)
		return role;
	box = start_sleeper(false);
	if (box == NULL)
		return 1;
	check_identity();
	check_pid();
	check_failures();
	check_ends();
	check_box_end();
	check_payloads();
	check_descriptors();
	check_messages();
	check_deaf_client();
	check_no_descriptors();
	check_many();
	pidbox_free(box);
	return tap_end();
}
