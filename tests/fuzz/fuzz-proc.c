/* SPDX-License-Identifier: MIT */
/* What is parsed of a procfs: stat, status, cgroup, mountinfo. Nothing is touched on failure, nothing is read past the
 * end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/container.h"
#include "kern/mnt.h"
#include "kern/proc.h"
#include "fuzz.h"

static void fuzz_stat(const char *text)
{
	static const long ticks[] = { 100, 250, 1000, 1, 0, -1, 1000000 };
	struct proc_stat stat, was;

	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		int r;

		memset(&stat, 0x5a, sizeof(stat));
		was = stat;
		r = proc_parse_stat(text, ticks[i], &stat);
		CHECK(r == 0 || r == -EBADMSG);
		CHECK(r == 0 || memcmp(&stat, &was, sizeof(stat)) == 0);
		CHECK(r < 0 || (strchr(text, ')') != NULL && stat.state != '\0'));
	}
}

static void fuzz_mountinfo(const char *text, size_t size)
{
	char *masks = malloc(64), small[2] = { 'x', 'x' };
	struct mnt_line line;
	size_t n, lines = 1;
	char path[32];

	CHECK(masks);
	memset(masks, 0x5a, 64);
	n = mnt_proc_masks(text, masks, 64);
	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	CHECK(n <= lines && strnlen(masks, 64) < 64 && (n > 0) == (masks[0] != '\0'));
	CHECK(mnt_proc_masks(text, small, 1) == n && small[0] == '\0' && small[1] == 'x');
	free(masks);
	for (const char *at = text; mnt_next(&at, &line);) {
		bool whole;

		CHECK(at <= text + size && line.type + line.type_len <= at && line.root + line.root_len < line.point);
		whole = mnt_unescape(line.point, line.point_len, path, sizeof(path));
		CHECK(!whole || strnlen(path, sizeof(path)) < sizeof(path));
	}
}

static void fuzz_status(const char *text)
{
	struct proc_status *status = malloc(sizeof(*status)), was;
	int r;

	CHECK(status);
	memset(status, 0x5a, sizeof(*status));
	memcpy(&was, status, sizeof(was));
	r = proc_parse_status(text, status);
	CHECK(r == 0 || (r == -EBADMSG && memcmp(status, &was, sizeof(was)) == 0));
	CHECK(r < 0 || (status->n_pids > 0 && status->n_pids <= PROC_PIDS_MAX && status->parent >= 0));
	free(status);
}

static void fuzz_cgroup(const char *text)
{
	struct container *c = malloc(sizeof(*c));

	CHECK(c);
	memset(c, 0x5a, sizeof(*c));
	container_parse(text, c);
	CHECK(strnlen(c->id, sizeof(c->id)) < sizeof(c->id) && strnlen(c->pod, sizeof(c->pod)) < sizeof(c->pod));
	CHECK(strnlen(c->path, sizeof(c->path)) < sizeof(c->path) && (c->path[0] == '\0' || c->path[0] == '/'));
	CHECK(c->runtime == NULL || c->id[0] != '\0');
	CHECK(c->id[0] == '\0' || c->path[0] == '/');
	free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The second half may have what a random text never has. */
	static const char *const heads[] = {
		"",
		"7 (x) S 1 2 3 4 5 6 7 8 9 10 ",
		"Name:\tx\nNSpid:\t",
		"36 35 98:0 / /proc/",
		"36 35 98:0 / /p rw - proc ",
		"Name:\tx\nPPid:\t3\nUid:\t1\t",
		"0::/machine.slice/libpod-9ec39b91f3d70e1beff50a308f77067065ea6be0d91a337837505"
		"6cd4422cf3d.scope/",
		"1:name=systemd:/kubepods-besteffort-pod74ba62da_1a3d_11e7_bb11_080027cb0e22."
	};
	const char *head = size > 0 ? heads[data[0] % (sizeof(heads) / sizeof(heads[0]))] : "";
	size_t len = strlen(head) + (size > 0 ? size - 1 : 0);
	char *text = malloc(len + 1);
	pid_t pid;

	CHECK(text);
	memcpy(text, head, strlen(head));
	if (size > 1)
		memcpy(text + strlen(head), data + 1, size - 1);
	text[len] = '\0';
	fuzz_stat(text);
	fuzz_status(text);
	fuzz_cgroup(text);
	pid = proc_parse_innermost_pid(text);
	CHECK(pid > 0 || pid == -EBADMSG);
	CHECK(pid < 0 || strstr(text, "\nNSpid:") != NULL);
	fuzz_mountinfo(text, strlen(text));
	free(text);
	return 0;
}
