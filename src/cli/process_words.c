/* SPDX-License-Identifier: MIT */
#include "cli/process_words.h"

#include "cli/cli.h"

#include <string.h>

static void number(struct sink *s, const char *key, int64_t value)
{
	sink_str(s, key);
	sink_num(s, value);
}

void process_json(struct sink *s, const struct pidbox_process *p)
{
	const char state[] = { p->state, '\0' };

	number(s, "{\"pid\":", p->pid);
	number(s, ",\"inside_pid\":", p->inside_pid);
	number(s, ",\"parent_inside_pid\":", p->parent_inside_pid);
	number(s, ",\"uid\":", p->uid);
	sink_str(s, ",\"user\":");
	if (p->user != NULL)
		sink_json(s, p->user, strlen(p->user));
	else
		sink_str(s, "null");
	sink_str(s, ",\"state\":");
	sink_json(s, state, strlen(state));
	number(s, ",\"threads\":", p->threads);
	number(s, ",\"rss_kib\":", p->rss_kib);
	number(s, ",\"cpu_us\":", p->cpu_us);
	sink_str(s, ",\"started\":");
	sink_time(s, p->started_us);
	sink_str(s, ",\"command\":");
	sink_arguments(s, p->command, p->command_size);
	sink_str(s, "}");
}

void processes_note(bool own, uint64_t unseen)
{
	if (unseen > 0 && own)
		out_note("pidbox: %llu processes of other users could not be looked at\n", (unsigned long long)unseen);
	else if (unseen > 0)
		out_note("pidbox: there may be more in the box: in which boxes the processes of other users are could "
			 "not be looked at\n");
}
