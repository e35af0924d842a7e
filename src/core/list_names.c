/* SPDX-License-Identifier: MIT */
/* Names of boxes, and boxes that have ended: what the entries of fronts say, where it fits what was seen. */
#include "core/list.h"

#include "base/util.h"
#include "core/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct known {
	struct pidref init;
	size_t row;
};

struct naming {
	struct listing *listing;
	struct known *known; /* rows, in the order of what identifies their PID 1 */
	size_t n;
	bool ended;
	int error;
};

/* In pidfs every process has a number of its own; before that it is PID and start. */
static int compare(const void *a, const void *b)
{
	const struct pidref *x = &((const struct known *)a)->init, *y = &((const struct known *)b)->init;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->inode != 0)
		return 0;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->start_ticks > y->start_ticks) - (x->start_ticks < y->start_ticks);
}

/* A JSON list of texts into texts with a NUL behind each. @return bytes; 0: it is none */
static size_t split_json(const char *json, char *out)
{
	size_t n = 0;
	bool inside = false;

	if (*json++ != '[')
		return 0;
	for (; *json != '\0' && (inside || *json != ']'); json++) {
		if (*json == '"') {
			if (inside)
				out[n++] = '\0';
			inside = !inside;
		} else if (inside && *json == '\\' && json[1] == 'u') {
			char hex[5] = { 0 };

			if (strlen(json) < 6)
				return 0;
			memcpy(hex, json + 2, 4);
			out[n++] = (char)strtol(hex, NULL, 16); /* controls alone are written so */
			json += 5;
		} else if (inside && *json == '\\' && json[1] != '\0') {
			json++;
			out[n++] = (char)(*json == 'n' ? '\n' : *json == 't' ? '\t' : *json);
		} else if (inside) {
			out[n++] = *json;
		}
	}
	return n;
}

/* Where the value of a key begins. The record is one line that pidbox has written, with the command behind the others.
 */
static const char *value_of(const char *record, const char *key)
{
	const char *p = strstr(record, key);

	return p != NULL ? p + strlen(key) : NULL;
}

/* "2026-11-21T20:15:02.123456Z", as sink_time writes it. @return -1: it is none */
static int64_t parse_time(const char *text)
{
	struct tm tm = { 0 };
	int us;

	if (text == NULL || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
				   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us) != 7)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (int64_t)timegm(&tm) * US_PER_S + us;
}

static void read_record(struct pidbox_list *list, const char *record, struct pidbox_list_entry *e)
{
	const char *id = value_of(record, ",\"id\":\""), *command = value_of(record, ",\"command\":");
	size_t len = id != NULL ? strcspn(id, "\"\\") : 0;
	char *words = command != NULL ? malloc(strlen(command) + 1) : NULL;

	if (len < sizeof(e->id)) {
		memcpy(e->id, id != NULL ? id : "", len);
		e->id[len] = '\0';
	}
	e->started_us = parse_time(value_of(record, ",\"started\":\""));
	if (words != NULL) {
		e->command_size = split_json(command, words);
		e->command = e->command_size > 0 ? pool_text(&list->pool, words, e->command_size) : NULL;
	}
	free(words);
}

/* What the caller says to mean it: a name alone is one of his own. The number of a user is never another's, as a name
 * in the user database may be. */
static const char *address_of(struct pidbox_list *list, const struct registry_entry *entry)
{
	char text[REGISTRY_NAME_SIZE + 16];
	int len = entry->uid == geteuid() ? snprintf(text, sizeof(text), "%s", entry->name)
					  : snprintf(text, sizeof(text), "%s@%u", entry->name, entry->uid);

	return pool_text(&list->pool, text, (size_t)len);
}

static int add_ended(struct naming *naming, const struct registry_entry *entry)
{
	struct pidbox_list *list = naming->listing->list;
	struct pidbox_list_entry *e = list_add(list);
	char *record = NULL;
	int status, sig;

	if (e == NULL)
		return -ENOMEM;
	*e = (struct pidbox_list_entry){
		.name = address_of(list, entry),
		.parent = naming->listing->scan.own,
		.depth = 1,
		.uid = entry->uid,
		.user = usernames_get(&list->users, entry->uid),
		.started_us = -1,
		.pidbox = 1,
		.status = PIDBOX_LIST_ENDED,
	};
	if (registry_read_kept(entry, &status, &sig, &record) == 0 && record != NULL)
		read_record(list, record, e);
	free(record);
	return 0;
}

/* It is written by whoever owns the directory: it names only what is seen to be there. */
static int visit(void *context, const struct registry_entry *entry)
{
	struct naming *naming = context;
	struct pidbox_list *list = naming->listing->list;
	const struct known key = { .init = entry->id }, *known;
	bool here = entry->front_namespace == naming->listing->scan.own;
	bool named = here && entry->searched && entry->name[0] != '\0';
	struct pidbox_list_entry *e;

	if (entry->id.pid == 0) {
		if (naming->ended && named)
			naming->error = add_ended(naming, entry);
		return naming->error;
	}
	/* The number of an id without an inode is good in the PID namespace of its front. */
	if (entry->id.inode == 0 && !here)
		return 0;
	known = bsearch(&key, naming->known, naming->n, sizeof(key), compare);
	e = known != NULL ? &list->rows[known->row] : NULL;
	if (e == NULL || e->depth == 0 ||
	    (entry->pid_namespace != 0 && e->pid_namespace != 0 && entry->pid_namespace != e->pid_namespace))
		return 0;
	if (!registry_may_name(entry, known->init.pid))
		return 0;
	e->pidbox = 1;
	if (named && e->name == NULL)
		e->name = address_of(list, entry);
	return 0;
}

int list_names(struct listing *l, bool ended)
{
	struct naming naming = { .listing = l, .ended = ended };

	naming.known = reallocarray(NULL, l->scan.n, sizeof(*naming.known));
	if (naming.known == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < l->scan.n; i++)
		if (l->row_of[i] != SCAN_NONE && l->scan.ns[i].init.pid > 0)
			naming.known[naming.n++] = (struct known){ l->scan.ns[i].init, l->row_of[i] };
	qsort(naming.known, naming.n, sizeof(*naming.known), compare);
	registry_walk(ended, visit, &naming);
	free(naming.known);
	return naming.error;
}
