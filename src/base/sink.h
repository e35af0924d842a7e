/* SPDX-License-Identifier: MIT */
/* A place to put text without malloc and stdio: a caller's buffer, or a descriptor behind a small buffer. */
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include <stddef.h>
#include <stdint.h>

enum { SINK_PATIENCE_MS = 2000 };

struct sink {
	char *buf;
	size_t size; /* of buf */
	size_t len;  /* bytes put; without a descriptor it may pass size: then the text was cut */
	int fd;      /* >= 0: buf, of at most PIPE_BUF bytes, is flushed there when full; len counts what is in buf */
	int patience_ms; /* how long to wait for room: -1 for ever */
	int error;       /* first -errno of a flush; -EAGAIN: there was no room for so long */
};

#define SINK_BUF(b, s)   ((struct sink){ .buf = (b), .size = (s), .fd = -1 })
#define SINK_FD(b, s, f) ((struct sink){ .buf = (b), .size = (s), .fd = (f), .patience_ms = SINK_PATIENCE_MS })
/* A reader of what somebody has asked for, a pager say, takes its time. */
#define SINK_STDOUT(b, s) ((struct sink){ .buf = (b), .size = (s), .fd = 1, .patience_ms = -1 })

void sink_bytes(struct sink *s, const char *text, size_t len);
void sink_str(struct sink *s, const char *text);
void sink_num(struct sink *s, int64_t n);
/** Zero-padded decimal of exactly width digits. */
void sink_num_padded(struct sink *s, int64_t n, unsigned width);
/** A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void sink_json(struct sink *s, const char *text, size_t len);
/** A time as JSON has it, "2026-11-21T20:15:02.123456Z" with its quotes (RFC 3339), without libc's time zones. */
void sink_time(struct sink *s, int64_t realtime_us);
/** A command as a JSON list: its arguments, each with its NUL. */
void sink_arguments(struct sink *s, const char *command, size_t size);
/** Flush or terminate. @return length of the text without a descriptor; 0 or -errno with one */
int64_t sink_end(struct sink *s);

#endif
