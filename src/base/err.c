/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include "base/sink.h"
#include "base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int err_set(struct pidbox_error *err, int errnum, enum pidbox_code code, const char *what, ...)
{
	va_list ap;

	if (err != NULL) {
		*err = (struct pidbox_error){ .errnum = errnum, .code = code, .exit_status = PIDBOX_EXIT_FAILED };
		va_start(ap, what);
		(void)vsnprintf(err->what, sizeof(err->what), what, ap);
		va_end(ap);
	}
	return errnum > 0 ? -errnum : -EINVAL;
}

void err_why(struct pidbox_error *err, const char *why, ...)
{
	va_list ap;

	if (err == NULL || why == NULL)
		return;
	va_start(ap, why);
	(void)vsnprintf(err->why, sizeof(err->why), why, ap);
	va_end(ap);
}

void err_fix(struct pidbox_error *err, const char *fix, ...)
{
	va_list ap;

	if (err == NULL || fix == NULL)
		return;
	va_start(ap, fix);
	(void)vsnprintf(err->fix, sizeof(err->fix), fix, ap);
	va_end(ap);
}

int err_no_memory(struct pidbox_error *err, const char *what)
{
	int r = err_set(err, ENOMEM, PIDBOX_CODE_NONE, "%s", what);

	err_why(err, "the caller can allocate no more: its memory is used up, or a limit of it is reached");
	err_fix(err, "free memory, or raise the limit (ulimit -v, the cgroup's)");
	return r;
}

void err_shape_usage(struct pidbox_error *err, const char *what, const char *fix)
{
	if (err == NULL || err->code != PIDBOX_CODE_USAGE || err->why[0] != '\0')
		return;
	(void)snprintf(err->why, sizeof(err->why), "%s", err->what);
	(void)snprintf(err->what, sizeof(err->what), "%s", what);
	if (err->fix[0] == '\0')
		(void)snprintf(err->fix, sizeof(err->fix), "%s", fix);
}

struct pidbox_error *pidbox_error_new(void)
{
	return calloc(1, sizeof(struct pidbox_error));
}

void pidbox_error_free(struct pidbox_error *err)
{
	free(err);
}

/* A line of the error: the words may quote a user's bytes, which must not reach a terminal as commands to it. */
static void put_line(struct sink *s, const char *head, const char *text)
{
	sink_str(s, head);
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		sink_bytes(s, c < 0x20 || c == 0x7f ? "?" : p, 1);
	}
}

size_t pidbox_error_format(const struct pidbox_error *err, char *buf, size_t size)
{
	struct sink s = SINK_BUF(buf, size);

	put_line(&s, "pidbox: ", err->what);
	if (err->errnum > 0) {
		/* NS_LIMIT comes with ENOSPC, which strerror would call a full disk. */
		if (err->code == PIDBOX_CODE_NS_LIMIT) {
			put_line(&s, ": ", "limit of namespaces reached");
		} else {
			put_line(&s, ": ", strerror(err->errnum)); /* per thread in musl and in glibc from 2.32 on */
		}
	}
	if (err->code != PIDBOX_CODE_NONE) {
		put_line(&s, " [", pidbox_code_name(err->code));
		sink_str(&s, "]");
	}
	sink_str(&s, "\n");
	if (err->why[0] != '\0') {
		put_line(&s, "  why: ", err->why);
		sink_str(&s, "\n");
	}
	if (err->fix[0] != '\0') {
		put_line(&s, "  fix: ", err->fix);
		sink_str(&s, "\n");
	}
	return (size_t)sink_end(&s);
}
