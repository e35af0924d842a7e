/* SPDX-License-Identifier: MIT */
/*
 * How many boxes a second can be started when several are at a time: width PIDBOX FLOOR [ROUNDS]. Round by round each
 * one in turn, as wide as each X. Row "width": launches a second, X of them at a time.
 */
#include "ways.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { LAUNCHES = 64 }; /* in one measurement, and twice as many as are at a time */

static const int widths[] = { 1, 2, 8, 64 };
static struct way ways[] = { WAYS_FEW };
static struct series rates[LEN(ways)][LEN(widths)];

/* @return launches a second; negative: one of them failed */
static double rate_of(char *const argv[], int width)
{
	int all = LAUNCHES + 2 * width, started = 0, ended = 0, status;
	double from = clock_now_us();
	bool good = true;
	pid_t pid;

	while (ended < all) {
		if (started < all && started - ended < width) {
			if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0) {
				all = started;
				good = false;
			} else {
				started++;
			}
		} else if (waitpid(-1, &status, 0) > 0) {
			ended++;
			good = good && status == 0;
		}
	}
	return good ? all / (clock_now_us() - from) * 1e6 : -1;
}

static void measure(size_t i, size_t width)
{
	double rate = ways[i].missing == NULL ? rate_of(ways[i].argv, widths[width]) : 0;

	if (rate < 0)
		ways[i].missing = "failed in a round";
	else if (rate > 0)
		series_add(&rates[i][width], rate);
}

int main(int argc, char *argv[])
{
	int count = argc > 3 ? atoi(argv[3]) : 20;
	struct way_programs programs;

	if (argc < 3 || count < 1) {
		(void)fprintf(stderr, "usage: width PIDBOX FLOOR [ROUNDS]\n");
		return 2;
	}
	programs = way_programs(argv[1], argv[2]);
	ways_prepare(ways, LEN(ways), &programs);
	for (int round = 0; round < count; round++)
		for (size_t width = 0; width < LEN(widths); width++)
			for (size_t i = 0; i < LEN(ways); i++)
				measure(way_turn(round, i, LEN(ways)), width);
	for (size_t i = 0; i < LEN(ways); i++)
		for (size_t width = 0; width < LEN(widths); width++)
			if (ways[i].missing == NULL)
				series_tell(row_of("width"), ways[i].name, widths[width], "1/s", &rates[i][width]);
			else if (width == 0 && ways[i].missing[0] != '\0')
				tell_missing(row_of("width"), ways[i].name, ways[i].missing);
	return ways[WAYS_FEW_OURS].missing == NULL ? 0 : 1;
}
