/* SPDX-License-Identifier: MIT */
/*
 * Three tiny programs in one, to be linked statically:
 *
 * - floor [-1] [-n] [-c] [-u] COMMAND [ARG...]: a box around the command by the shortest way, see floor.h; with the
 *   command as PID 1; with a network, cgroup or user namespace of its own.
 * - floor-init HOW COMMAND [ARG...]: its PID 1.
 * - floor-true: a command that does nothing.
 */
#include "floor.h"

#include <net/if.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ------------------------------------------------------------ PID 1 */

static void seen(int sig)
{
	(void)sig;
}

static void bring_up_loopback(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		_exit(125);
	(void)close(fd);
}

static void become(char *argv[])
{
	sigset_t none;

	(void)prctl(47 /* PR_CAP_AMBIENT */, 4 /* CLEAR_ALL */, 0, 0, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execv(argv[0], argv);
	_exit(127);
}

/* With a handler for each signal, so that one which comes during the fork is before it or after it, and not lost. */
static pid_t start(char *argv[], const sigset_t *all)
{
	struct sigaction act = { .sa_handler = seen, .sa_mask = *all, .sa_flags = SA_RESTART };
	sigset_t faults;
	pid_t pid;

	(void)sigemptyset(&faults);
	for (int sig = 1; sig < 65; sig++) {
		if (sig == SIGILL || sig == SIGTRAP || sig == SIGBUS || sig == SIGFPE || sig == SIGSEGV ||
		    sig == SIGSYS || sig == SIGKILL || sig == SIGSTOP || (sig >= 32 && sig < 35))
			(void)sigaddset(&faults, sig);
		else
			(void)sigaction(sig, &act, NULL);
	}
	(void)sigprocmask(SIG_SETMASK, &faults, NULL);
	pid = vfork();
	if (pid == 0) {
		(void)sigprocmask(SIG_SETMASK, all, NULL);
		become(argv);
	}
	(void)sigprocmask(SIG_SETMASK, all, NULL);
	return pid;
}

/* What it waits by: signals, the socket, the front. */
static int prepare_wait(int socket, int front, const sigset_t *all)
{
	int signals = signalfd(-1, all, SFD_CLOEXEC | SFD_NONBLOCK), fd = epoll_create1(EPOLL_CLOEXEC);
	int fds[] = { signals, socket, front };

	for (int i = 0; i < 3; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = fds[i] };

		if (epoll_ctl(fd, EPOLL_CTL_ADD, fds[i], &ev) < 0)
			_exit(125);
	}
	return fd;
}

static int init_main(char *argv[])
{
	struct pollfd gone = { .events = POLLIN };
	struct floor_message m = { .ended = false };
	struct epoll_event events[16];
	struct signalfd_siginfo info[16];
	int socket = atoi(argv[1] + 1), events_fd;
	const char *how = strrchr(argv[1], ',') + 1;
	pid_t command, pid;
	sigset_t all;

	gone.fd = atoi(strchr(argv[1], ',') + 1);
	(void)sigfillset(&all);
	(void)fcntl(socket, F_SETFD, FD_CLOEXEC);
	(void)fcntl(gone.fd, F_SETFD, FD_CLOEXEC);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&gone, 1, 0) != 0)
		return 125;
	if (*how == 'u' && recv(socket, &m, 1, 0) != 1)
		return 125;
	if (*how == 'n')
		bring_up_loopback();
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return 125;
	if (*how == '1')
		become(argv + 2);
	events_fd = prepare_wait(socket, gone.fd, &all);
	(void)prctl(PR_SET_DUMPABLE, 0);
	command = start(argv + 2, &all);
	(void)prctl(PR_SET_PDEATHSIG, 0);
	if (command < 0 || send(socket, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return 125;
	(void)syscall(SYS_close_range, 0, 2, 0);
	while ((pid = wait4(-1, &m.status, WNOHANG, &m.usage)) !=
	       command) { /* it may have ended before its signal was blocked */
		if (pid > 0 || epoll_wait(events_fd, events, 16, -1) <= 0)
			continue;
		/* The front has ended, or its end of the socket: all inside ends with us. */
		if (events[0].data.fd == gone.fd || read(events[0].data.fd, info, sizeof(info)) == 0)
			return 125;
	}
	(void)getrusage(RUSAGE_CHILDREN, &m.usage);
	m.status = status_of(m.status);
	m.ended = true;
	(void)send(socket, &m, sizeof(m), MSG_NOSIGNAL);
	return 0;
}

/* ------------------------------------------------------------ the front */

/* A socket by which others reach the box. */
static int listen_at(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)strcpy(name.sun_path, path);
	return fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 8) < 0 ? -1 : fd;
}

/* Which box it is tells the name: where sockets are by custom, or else in /tmp. */
static int listen_for(int init_pidfd, char *path, size_t size)
{
	struct stat st;
	int fd;

	if (fstat(init_pidfd, &st) < 0)
		return -1;
	if (geteuid() == 0)
		(void)snprintf(path, size, "/run/floor-%d:%lu", getpid(), (unsigned long)st.st_ino);
	else
		(void)snprintf(path, size, "/run/user/%u/floor-%d:%lu", geteuid(), getpid(), (unsigned long)st.st_ino);
	fd = listen_at(path);
	if (fd >= 0)
		return fd;
	(void)snprintf(path, size, "/tmp/floor-%d:%lu", getpid(), (unsigned long)st.st_ino);
	return listen_at(path);
}

/* A pipe of the caller's is to be at its end when the command has closed it. */
static void let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)dup2(null, 0);
	(void)dup2(null, 1);
	(void)close(null);
}

struct witness {
	int socket;
	pid_t pid;
};

/*
 * A command that is PID 1 is in the group of the front, and no init is. A process of the group that has every signal
 * blocked can tell whether a signal came to all of it: then the command has it, and the front does not pass it on.
 */
static int start_witness(struct witness *ret)
{
	int pair[2];
	char question;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	ret->pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (ret->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)syscall(SYS_close_range, 0, pair[1] - 1, 0);
		(void)syscall(SYS_close_range, pair[1] + 1, ~0u, 0);
		while (recv(pair[1], &question, 1, 0) == 1)
			;
		_exit(0);
	}
	(void)close(pair[1]);
	ret->socket = pair[0];
	return ret->pid < 0 ? -1 : 0;
}

static void end_witness(const struct witness *w)
{
	(void)close(w->socket);
	(void)kill(w->pid, SIGKILL);
	(void)waitpid(w->pid, NULL, 0);
}

static int front_main(char *argv[], char how, int kinds, bool user)
{
	static char init[] = "floor-init";
	struct floor_start s;
	struct witness witness = { .socket = -1 };
	int signals, others, status;
	pid_t pid;
	char path[64];
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	argv[0] = init;
	floor_prepare(&s, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), argv);
	s.user |= user;
	s.map_front &= s.user;
	s.kinds = kinds;
	argv[1] = s.said;
	if (floor_connect(&s, s.map_front ? 'u' : how) < 0 || (how == '1' && start_witness(&witness) < 0))
		return 125;
	pid = floor_clone(&s);
	if (pid < 0 || (s.map_front && floor_map_child(&s, pid) < 0))
		return 125;
	others = listen_for(s.init_pidfd, path, sizeof(path));
	if (others < 0)
		return 125;
	let_go();
	status = floor_wait(&s, signals, others);
	if (how == '1')
		end_witness(&witness);
	(void)unlink(path);
	return status;
}

int main(int argc, char *argv[])
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
	char *words[64] = { NULL };
	bool user = false;
	int kinds = 0, at = 1;
	char how = '-';

	if (strcmp(name, "floor-true") == 0)
		return 0;
	if (strcmp(name, "floor-init") == 0)
		return argc < 3 ? 125 : init_main(argv);
	for (; at < argc && argv[at][0] == '-'; at++) {
		how = argv[at][1] == '1' || argv[at][1] == 'n' ? argv[at][1] : how;
		kinds |= argv[at][1] == 'n' ? CLONE_NEWNET : argv[at][1] == 'c' ? CLONE_NEWCGROUP : 0;
		user |= argv[at][1] == 'u';
	}
	if (at >= argc || argc - at > 60)
		return 125;
	memcpy(words + 2, argv + at, (size_t)(argc - at) * sizeof(*words));
	return front_main(words, how, kinds, user);
}
