/* SPDX-License-Identifier: MIT */
/* Nothing of the host's memory or environment is in the init, and nobody inside gets at the init. */
#include "lib.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/uio.h>

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

enum { PATTERN = 64 };
static unsigned char *pattern; /* the secret, in the host's heap */

/* Is it in any readable memory of this process? @return 1, 0, -1: its memory cannot be read */
static int find_in(pid_t pid, const void *bytes, size_t size, size_t *ret_read)
{
	char path[64], line[512];
	FILE *maps;
	int mem, found = 0;

	*ret_read = 0;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (mem < 0 || maps == NULL) {
		if (maps != NULL)
			fclose(maps);
		if (mem >= 0)
			close(mem);
		return -1;
	}
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		char *buf;
		ssize_t n;

		if (sscanf(line, "%lx-%lx", &from, &to) != 2 || strstr(line, "[vvar") != NULL ||
		    strstr(line, "[vsys") != NULL)
			continue;
		buf = malloc(to - from);
		n = buf != NULL ? pread(mem, buf, to - from, (off_t)from) : -1;
		if (n > 0) {
			*ret_read += (size_t)n;
			found |= memmem(buf, (size_t)n, bytes, size) != NULL;
		}
		if (buf != NULL) {
			explicit_bzero(buf, to - from);
			free(buf);
		}
	}
	fclose(maps);
	close(mem);
	return found;
}

static void search(const char *words, struct pidbox_spec *spec, const char *visible)
{
	struct pidbox *box = start(spec);
	struct pidbox_info info;
	size_t size;
	int found;

	if (box == NULL)
		return;
	pidbox_get_info(box, &info);
	found = find_in(info.init_pid, pattern, PATTERN, &size);
	if (found < 0) {
		tap_skip(words, "the init's memory cannot be read by this user");
		pidbox_free(box);
		return;
	}
	ok(found == 0 && size > 10000, "%s: the secret of the heap is not in the %zu bytes of the init", words, size);
	ok(find_in(info.init_pid, "HOST_SECRET_VARIABLE", 20, &size) == 0, "%s: nor is the host's environment", words);
	if (visible != NULL)
		ok(find_in(info.init_pid, visible, strlen(visible), &size) == 1, "%s: what was given to it is found",
		   words);
	ok(find_in(getpid(), pattern, PATTERN, &size) == 1, "%s: in the host it is found", words);
	pidbox_free(box);
}

static void memory(void)
{
	const char *argv[] = { "/bin/sleep", "1000", NULL };
	const char *nothing[] = { NULL }, *something[] = { "GIVEN_TO_THE_COMMAND=1", NULL };
	struct pidbox_spec running = SPEC(.argv = argv, .envp = something);
	struct pidbox_spec held = SPEC(.argv = argv, .envp = nothing, .hold = true);
	struct pidbox_spec cleared = SPEC(.argv = argv, .clear_env = true);

	setenv("HOST_SECRET_VARIABLE", "value", 1);
	search("running", &running, "GIVEN_TO_THE_COMMAND=1");
	search("held", &held, NULL);
	search("environment cleared", &cleared, NULL);
	unsetenv("HOST_SECRET_VARIABLE");
}

/* ------------------------------------------------------------ descriptors of the init */

static void descriptors(void)
{
	const char *argv[] = { "/bin/sleep", "1000", NULL };
	int extra[20], report[2];
	struct pidbox_spec spec = SPEC(.argv = argv, .inherit_fds = true);
	int signals = 0, events = 0, sockets = 0, pidfds = 0, pipes = 0, others = 0;
	struct pidbox_info info;
	struct pidbox *box;
	struct dirent *e;
	char path[64];
	DIR *dir;

	for (size_t i = 0; i < LEN(extra); i++)
		extra[i] = open("/dev/null", O_RDWR);
	if (pipe(report) < 0)
		return;
	spec.report_fd = report[1];
	box = start(&spec);
	if (box == NULL)
		return;
	pidbox_get_info(box, &info);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)info.init_pid);
	sleep_us(20 * MS); /* it closes them just after it has told that the command runs */
	dir = opendir(path);
	if (dir == NULL)
		tap_skip("descriptors of the init", "this user cannot list them");
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char target[256] = "";

		if (e->d_name[0] == '.' || readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1) < 0)
			continue;
		if (strstr(target, "signalfd") != NULL)
			signals++;
		else if (strstr(target, "eventpoll") != NULL)
			events++;
		else if (strstr(target, "pidfd") != NULL)
			pidfds++;
		else if (strncmp(target, "socket:", 7) == 0)
			sockets++;
		else if (strncmp(target, "pipe:", 5) == 0 && atoi(e->d_name) == report[1])
			pipes++;
		else {
			others++;
			printf("# also open in the init: %s -> %s\n", e->d_name, target);
		}
	}
	if (dir != NULL) {
		ok(signals == 1 && events == 1 && pidfds == 1 && sockets == 1 && pipes == 1,
		   "the init has its signals (%d), its epoll (%d), the front's pidfd (%d), its socket (%d), the report "
		   "(%d)",
		   signals, events, pidfds, sockets, pipes);
		ok(others == 0, "and nothing else (%d)", others);
		closedir(dir);
	}
	pidbox_free(box);
	for (size_t i = 0; i < LEN(extra); i++)
		close(extra[i]);
	close(report[0]), close(report[1]);
}

/* ------------------------------------------------------------ from inside */

/* Everything that could get at PID 1; a line for each that works. */
static int role_attack(int argc, char **argv)
{
	int tries = argc > 2 ? atoi(argv[2]) : 1;
	bool got[6] = { false };
	static const char *const names[] = { "ptrace",      "pidfd_getfd", "process_vm_readv",
					     "/proc/1/mem", "/proc/1/fd",  "/proc/1/environ" };

	/* At once, and again: the init may close the door only after the command has been started. */
	for (int i = 0; i < tries; i++) {
		int pidfd = open_pidfd(1), fd;
		char byte;
		struct iovec to = { &byte, 1 }, from = { (void *)(uintptr_t)0x400000, 1 };
		DIR *dir;

		for (int n = 0; n < 16; n++)
			got[1] |= (fd = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0)) >= 0;
		close(pidfd);
		if (ptrace(PTRACE_SEIZE, 1, 0, 0) == 0) {
			got[0] = true;
			ptrace(PTRACE_INTERRUPT, 1, 0, 0);
			waitpid(1, NULL, __WALL);
			ptrace(PTRACE_DETACH, 1, 0, 0);
		}
		got[2] |= process_vm_readv(1, &to, 1, &from, 1, 0) == 1;
		got[3] |= (fd = open("/proc/1/mem", O_RDONLY)) >= 0;
		dir = opendir("/proc/1/fd");
		got[4] |= dir != NULL;
		got[5] |= (fd = open("/proc/1/environ", O_RDONLY)) >= 0;
		if (dir != NULL)
			closedir(dir);
	}
	for (size_t i = 0; i < LEN(names); i++)
		if (got[i])
			printf("%s ", names[i]);
	return 0;
}

static void attacks(void)
{
	const char *argv[] = { self_path(), "attack", "300", NULL };
	char user[32], text[512];
	struct pidbox_spec spec = SPEC(.argv = argv);
	int worked = 0, status = 0;

	if (getuid() == 0) {
		snprintf(user, sizeof(user), "%d:%d", 54321, 54321);
		spec.user = user;
	}
	for (int i = 0; i < 30; i++) {
		status |= run_output(&spec, text, sizeof(text));
		if (text[0] != '\0' && worked++ == 0)
			printf("# got through: %s\n", text);
	}
	ok(status == 0 && worked == 0,
	   "an ordinary user inside gets nothing from PID 1 (%d of 30 boxes gave in, status %d)", worked, status);
}

/* ------------------------------------------------------------ the file of the init */

static int role_overwrite(int argc, char **argv)
{
	int fd = open("/proc/1/exe", O_RDONLY), seals;
	char path[64];

	(void)argc, (void)argv;
	if (open("/proc/1/exe", O_WRONLY) >= 0 || open("/proc/1/exe", O_RDWR) >= 0 || truncate("/proc/1/exe", 0) == 0)
		printf("opened for writing ");
	if (fd < 0) {
		printf("unreadable");
		return 0;
	}
	seals = fcntl(fd, F_GET_SEALS);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (open(path, O_RDWR) >= 0 || ftruncate(fd, 0) == 0 || write(fd, "x", 1) == 1)
		printf("changed ");
	printf("seals %x", (unsigned)seals);
	return 0;
}

static void image(void)
{
	const char *argv[] = { self_path(), "overwrite", NULL };
	struct pidbox_spec spec = SPEC(.argv = argv);
	char text[512];
	int status = run_output(&spec, text, sizeof(text));

	if (strcmp(text, "unreadable") == 0 && getuid() != 0)
		tap_skip("the init's file", "this user cannot open it, which is fine");
	else
		ok(status == 0 && strstr(text, "opened") == NULL && strstr(text, "seals f") != NULL,
		   "the init's file cannot be written: %s", text);
	ok(run_sh("exit 3") == 3, "the next box is unharmed");
}

int main(int argc, char **argv)
{
	static const struct role roles[] = { { "attack", role_attack }, { "overwrite", role_overwrite } };
	int r = play_role(roles, LEN(roles), argc, argv), fds;

	if (r >= 0)
		return r;
	pattern = malloc(PATTERN);
	if (pattern == NULL || getrandom(pattern, PATTERN, 0) != PATTERN)
		return 1;
	become_subreaper();
	fds = count_fds();
	memory();
	descriptors();
	attacks();
	image();
	nothing_left(fds, "all boxes");
	return tap_end();
}
