/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

/* Raw calls: libc's sets leave signals 32 to 34 out, and its sigaction refuses them. */
int signals_open(uint64_t *ret_mask)
{
	uint64_t all = ~UINT64_C(0);
	long fd;

	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_mask, sizeof(all)) < 0)
		return -errno;
	fd = syscall(SYS_signalfd4, -1, &all, sizeof(all), SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : (int)fd;
}

static bool ignored(int sig)
{
	struct sigaction act;

	return sigaction(sig, NULL, &act) == 0 && act.sa_handler == SIG_IGN;
}

int signals_open_fatal(uint64_t mask)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	uint64_t set = 0;
	long fd;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!ignored(ends[i]) && !(mask & BIT(ends[i])))
			set |= BIT(ends[i]);
	fd = syscall(SYS_signalfd4, -1, &set, sizeof(set), SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : (int)fd;
}

void signals_die_of(int sig)
{
	const uint64_t by_default[4] = { 0 }; /* the kernel's sigaction: SIG_DFL, no flags, no mask */
	struct rlimit none = { 0, 0 };
	uint64_t bit = BIT(sig);

	/* Not dumpable, as well: a core_pattern that pipes does not heed the limit (core(5)). */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof(bit));
	(void)kill(getpid(), sig);
	(void)syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, sizeof(bit));
	_exit(128 + sig); /* we are PID 1 ourselves */
}

/* A write of ours to where nobody reads, or over RLIMIT_FSIZE: its error has told us. */
bool signals_of_own_write(const struct signalfd_siginfo *info)
{
	return (info->ssi_signo == SIGPIPE || info->ssi_signo == SIGXFSZ) && info->ssi_pid == (uint32_t)getpid();
}

int signals_fatal_pending(int fd, bool *ret_stop)
{
	const uint64_t harmless = BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH);
	const uint64_t stops = BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU);
	struct signalfd_siginfo info;

	*ret_stop = false;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		uint64_t bit = BIT(info.ssi_signo);

		if (signals_of_own_write(&info))
			continue;
		if (bit & stops)
			*ret_stop = true;
		else if (!(bit & harmless) && !ignored((int)info.ssi_signo))
			return (int)info.ssi_signo;
	}
	return 0;
}
