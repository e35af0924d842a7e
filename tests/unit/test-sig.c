/* SPDX-License-Identifier: MIT */
/* Signals by the kernel's numbers: names both ways, maps, and masks that leave nothing out. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "kern/sig.h"
#include "tap.h"

static void test_parse(void)
{
	static const struct {
		const char *text;
		int sig;
	} rows[] = {
		{ "TERM", SIGTERM },
		{ "SIGTERM", SIGTERM },
		{ "term", SIGTERM },
		{ "sigTerm", SIGTERM },
		{ "HUP", SIGHUP },
		{ "INT", SIGINT },
		{ "QUIT", SIGQUIT },
		{ "KILL", SIGKILL },
		{ "STOP", SIGSTOP },
		{ "CONT", SIGCONT },
		{ "CHLD", SIGCHLD },
		{ "WINCH", SIGWINCH },
		{ "USR1", SIGUSR1 },
		{ "PWR", SIGPWR },
		{ "SYS", SIGSYS },
		{ "VTALRM", SIGVTALRM },
		{ "IOT", SIGABRT },
		{ "SIGIOT", SIGABRT },
		{ "CLD", SIGCHLD },
		{ "sigcld", SIGCHLD },
		{ "POLL", SIGIO },
		{ "IO", SIGIO },
		{ "1", 1 },
		{ "15", 15 },
		{ "009", 9 },
		{ "32", 32 },
		{ "33", 33 },
		{ "34", 34 },
		{ "64", 64 },
		{ "SIG33", 33 },
		{ "sig9", 9 },
		{ "RTMIN", 34 },
		{ "SIGRTMIN", 34 },
		{ "rtmin", 34 },
		{ "RTMIN+0", 34 },
		{ "RTMIN+3", 37 },
		{ "SIGRTMIN+30", 64 },
		{ "RTMAX", 64 },
		{ "SIGRTMAX", 64 },
		{ "RTMAX-0", 64 },
		{ "RTMAX-2", 62 },
		{ "sigrtmax-30", 34 },
#ifdef SIGSTKFLT
		{ "STKFLT", SIGSTKFLT },
#endif
		{ "", -EINVAL },
		{ "SIG", -EINVAL },
		{ "0", -EINVAL },
		{ "65", -EINVAL },
		{ "-1", -EINVAL },
		{ "+1", -EINVAL },
		{ " 1", -EINVAL },
		{ "1 ", -EINVAL },
		{ "9x", -EINVAL },
		{ "4294967305", -EINVAL },
		{ "18446744073709551625", -EINVAL },
		{ "EXIT", -EINVAL },
		{ "TER", -EINVAL },
		{ "TERMS", -EINVAL },
		{ "TERM ", -EINVAL },
		{ " TERM", -EINVAL },
		{ "-TERM", -EINVAL },
		{ "SIGSIGTERM", -EINVAL },
		{ "SIG-TERM", -EINVAL },
		{ "RT", -EINVAL },
		{ "RTMI", -EINVAL },
		{ "RTMIN+", -EINVAL },
		{ "RTMIN+31", -EINVAL },
		{ "RTMIN-1", -EINVAL },
		{ "RTMIN3", -EINVAL },
		{ "RTMIN+-3", -EINVAL },
		{ "RTMIN+ 3", -EINVAL },
		{ "RTMIN+3x", -EINVAL },
		{ "RTMIN+4294967296", -EINVAL },
		{ "RTMAX-", -EINVAL },
		{ "RTMAX-31", -EINVAL },
		{ "RTMAX+0", -EINVAL },
		{ "RTMAX-2-1", -EINVAL },
		{ "SIG0", -EINVAL },
		{ "\xc4\xb0NT", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int sig = sig_parse(rows[i].text);

		ok(sig == rows[i].sig, "\"%s\" is %d (expected %d)", rows[i].text, sig, rows[i].sig);
	}
}

static void test_name(void)
{
	static const struct {
		int sig;
		const char *name;
	} rows[] = {
		{ SIGHUP, "SIGHUP" },
		{ SIGTERM, "SIGTERM" },
		{ SIGABRT, "SIGABRT" },
		{ SIGCHLD, "SIGCHLD" },
		{ SIGIO, "SIGIO" },
		{ SIGVTALRM, "SIGVTALRM" },
		{ SIGSYS, "SIGSYS" },
		{ 32, "SIG32" },
		{ 33, "SIG33" },
		{ 34, "SIGRTMIN" },
		{ 35, "SIGRTMIN+1" },
		{ 37, "SIGRTMIN+3" },
		{ 63, "SIGRTMIN+29" },
		{ 64, "SIGRTMAX" },
		{ 0, "SIG0" },
		{ 65, "SIG65" },
		{ -1, "SIG-1" },
		{ INT_MAX, "SIG2147483647" },
		{ INT_MIN, "SIG-2147483648" },
	};
	char name[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		sig_name(rows[i].sig, name);
		ok(strcmp(name, rows[i].name) == 0, "%d is %s (expected %s)", rows[i].sig, name, rows[i].name);
	}
	for (int sig = 1; sig <= SIG_MAX; sig++) {
		sig_name(sig, name);
		ok(sig_parse(name) == sig && sig_parse(name + 3) == sig, "%s is read back as %d", name, sig);
	}
}

static void test_map(void)
{
	static const struct {
		const char *text;
		size_t max;
		int r;
		size_t n;
		struct pidbox_sigmap rows[3];
	} rows[] = {
		{ "TERM=QUIT", 8, 0, 1, { { SIGTERM, SIGQUIT } } },
		{ "TERM=QUIT,HUP=", 8, 0, 2, { { SIGTERM, SIGQUIT }, { SIGHUP, 0 } } },
		{ "SIGTERM=9,rtmin+3=stop", 2, 0, 2, { { SIGTERM, SIGKILL }, { 37, SIGSTOP } } },
		{ "TERM=TERM", 8, 0, 1, { { SIGTERM, SIGTERM } } },
		{ "INT=TERM,TERM=INT", 8, 0, 2, { { SIGINT, SIGTERM }, { SIGTERM, SIGINT } } },
		{ "64=,32=33", 8, 0, 2, { { 64, 0 }, { 32, 33 } } },
		{ "TERM=QUIT,HUP=", 1, -E2BIG, 0, { { 0 } } },
		{ "TERM=QUIT", 0, -E2BIG, 0, { { 0 } } },
		{ "KILL=TERM", 8, -EINVAL, 0, { { 0 } } },
		{ "9=TERM", 8, -EINVAL, 0, { { 0 } } },
		{ "STOP=", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=QUIT,STOP=TERM", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=QUIT,15=INT", 8, -EINVAL, 0, { { 0 } } },
		{ "ABRT=,IOT=", 8, -EINVAL, 0, { { 0 } } },
		{ "", 8, -EINVAL, 0, { { 0 } } },
		{ ",", 8, -EINVAL, 0, { { 0 } } },
		{ "=", 8, -EINVAL, 0, { { 0 } } },
		{ "=TERM", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM,HUP=", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=QUIT,", 8, -EINVAL, 0, { { 0 } } },
		{ ",TERM=QUIT", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=QUIT,,HUP=", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM==QUIT", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=QUIT=INT", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=QUIT INT", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM = QUIT", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=0", 8, -EINVAL, 0, { { 0 } } },
		{ "0=TERM", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=65", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM:QUIT", 8, -EINVAL, 0, { { 0 } } },
		{ "TERM=00000000000000000000000000000000000003", 8, -EINVAL, 0, { { 0 } } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pidbox_sigmap out[8], before[8];
		size_t n = 99;
		bool same;
		int r;

		memset(out, 0x5a, sizeof(out));
		memset(before, 0x5a, sizeof(before));
		r = sig_parse_map(rows[i].text, out, rows[i].max, &n);
		if (r == 0)
			same = n == rows[i].n && memcmp(out, rows[i].rows, n * sizeof(*out)) == 0;
		else
			same = n == 99 && memcmp(out, before, sizeof(out)) == 0;
		ok(r == rows[i].r && same, "map \"%s\": %d (expected %d)", rows[i].text, r, rows[i].r);
	}
}

/* Every signal once is the longest map that there is. */
static void test_map_full(void)
{
	struct pidbox_sigmap out[64];
	char text[1024] = "";
	size_t n = 0;

	for (int sig = 1; sig <= SIG_MAX; sig++) {
		if (sig != SIGKILL && sig != SIGSTOP)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d=9", sig > 1 ? "," : "", sig);
	}
	ok(sig_parse_map(text, out, 62, &n) == 0 && n == 62 && out[61].from == 64, "map of every signal");
}

static void test_mask(void)
{
	sigbits unblockable = SIGBIT(SIGKILL) | SIGBIT(SIGSTOP);
	sigbits old = 0, now = 0, start = SIGBIT(SIGUSR1) | SIGBIT(64);

	ok(SIGBIT(1) == 1 && SIGBIT(64) == UINT64_C(1) << 63, "bit n-1 is signal n");
	ok(sig_set_mask(start) == 0, "set a mask");
	ok(sig_block_all(&old) == 0 && old == start, "block all, and get the mask from before");
	ok(sig_block_all(&now) == 0 && now == (SIGBITS_ALL & ~unblockable), "32 to 34 are blocked too: %016llx",
	   (unsigned long long)now);
	ok(sig_set_mask(0) == 0 && sig_block_all(NULL) == 0 && sig_block_all(&now) == 0 && now != 0,
	   "the old mask need not be asked for");
	ok(sig_set_mask(0) == 0, "set it empty");
}

static void test_discarded(void)
{
	const sigbits stops = SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU);

	for (int sig = 1; sig <= SIG_MAX; sig++) {
		sigbits want = sig == SIGCONT ? stops : stops & SIGBIT(sig) ? SIGBIT(SIGCONT) : 0;

		ok(sig_discarded_by(sig) == want, "what signal %d discards", sig);
	}
	/* The kernel's word for it: both pending, the earlier one is not. */
	for (int sig = SIGTSTP; sig <= SIGTTOU; sig++) {
		sigbits pending = 0, old;

		(void)sig_block_all(&old);
		(void)raise(SIGCONT);
		(void)raise(sig);
		(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
		ok(!(pending & sig_discarded_by(sig)) && (pending & SIGBIT(sig)), "signal %d discards SIGCONT", sig);
		(void)raise(SIGCONT);
		(void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
		ok(!(pending & sig_discarded_by(SIGCONT)), "SIGCONT discards signal %d", sig);
		(void)sig_set_mask(old);
	}
}

int main(void)
{
	test_parse();
	test_discarded();
	test_name();
	test_map();
	test_map_full();
	test_mask();
	return tap_end();
}
