/* SPDX-License-Identifier: MIT */
/* pidbox pid: the numbers of a process */
#include "base/sink.h"
#include "cli/args.h"
#include "cli/cli.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_OPEN = 64, MAX_LINE = 65536 };

struct query {
	struct pidbox_translator *translator;
	struct pidbox_target *to; /* NULL: all levels are wanted */
	uint64_t to_namespace;
	bool json, batch;
	/* The boxes of BOX/PID, kept open from line to line. */
	struct known {
		char *name;
		struct pidbox_target *box; /* NULL: there was none when it was looked for last */
		uint64_t pid_namespace;
	} known[MAX_OPEN];
	size_t n_known, next;
};

/* A number, and where it is one. */
struct question {
	struct known *from; /* NULL: in the caller's own namespace */
	pid_t number;
};

struct answer {
	pid_t asked; /* the number in the caller's own namespace; 0: not known */
	struct pidbox_level levels[PIDBOX_LEVELS_MAX];
	size_t n_levels;
	pid_t to;            /* 0: it has none there */
	char container[256]; /* "": in none */
};

/* ------------------------------------------------------------ boxes */

static bool forget(struct known *k)
{
	free(k->name);
	pidbox_close(k->box);
	*k = (struct known){ 0 };
	return true;
}

/* Before more input is waited for: a box that was not there may come to be. */
static void forget_missing(struct query *q)
{
	for (size_t i = 0; i < q->n_known; i++)
		if (q->known[i].box == NULL)
			(void)forget(&q->known[i]);
}

static bool has_ended(const struct pidbox_target *box)
{
	struct pollfd fd = { .fd = pidbox_target_pidfd(box), .events = POLLIN };

	return fd.fd >= 0 && poll(&fd, 1, 0) > 0;
}

/* @return box NULL: there is none, with err filled unless that has been told before */
static struct known *find_box(struct query *q, const char *name, struct pidbox_error *err)
{
	struct pidbox_target_info info;
	struct known *k;

	for (size_t i = 0; i < q->n_known; i++)
		if (q->known[i].name != NULL && strcmp(q->known[i].name, name) == 0)
			return &q->known[i];
	k = &q->known[q->n_known < MAX_OPEN ? q->n_known++ : q->next++ % MAX_OPEN];
	(void)forget(k);
	k->name = strdup(name);
	if (pidbox_open(name, &k->box, err) < 0)
		return k;
	pidbox_target_get_info(k->box, &info);
	if (!info.live) { /* only its record is there */
		pidbox_close(k->box);
		k->box = NULL;
	}
	k->pid_namespace = info.pid_namespace;
	return k;
}

/* ------------------------------------------------------------ one question */

/* A number, nothing else; 0: it is none. */
static pid_t plain_number(const char *text)
{
	long long n = 0;

	for (; *text >= '0' && *text <= '9' && n <= INT32_MAX; text++)
		n = n * 10 + (*text - '0');
	return *text == '\0' && n > 0 && n <= INT32_MAX ? (pid_t)n : 0;
}

/* A box by any other name than a number: its PID 1, or the process that its id names. */
static int number_of_box(const char *text, pid_t *ret, struct pidbox_error *err)
{
	struct pidbox_target_info info;
	struct pidbox_target *box;
	int r = pidbox_open(text, &box, err);

	if (r < 0)
		return r;
	pidbox_target_get_info(box, &info);
	r = info.pid > 0 && !has_ended(box) ? 0 : -ESRCH;
	pidbox_close(box);
	*ret = info.pid;
	return r;
}

/* Why there is none; an empty error: it was told when it was looked for. */
static int no_box(const struct pidbox_error *err)
{
	return err->errnum > 0 ? -err->errnum : err->code != PIDBOX_CODE_NONE ? -EINVAL : -ESRCH;
}

/* @return 0; -ESRCH: gone; another -errno with err filled */
static int understand(struct query *q, const char *text, struct question *ret, struct pidbox_error *err)
{
	const char *slash = strrchr(text, '/');
	char *name;

	ret->from = NULL;
	ret->number = plain_number(slash != NULL ? slash + 1 : text);
	if (ret->number == 0)
		return number_of_box(text, &ret->number, err); /* it says what is wrong with one that cannot be */
	if (slash == NULL)
		return 0;
	name = strndup(text, (size_t)(slash - text));
	if (name == NULL)
		return -ENOMEM;
	ret->from = find_box(q, name, err);
	free(name);
	return ret->from->box != NULL ? 0 : no_box(err);
}

static int denied(const char *text, struct pidbox_error *err)
{
	*err = (struct pidbox_error){
		.errnum = EACCES,
		.code = PIDBOX_CODE_DENIED,
		.why = "this user may not see which PID namespace the process is in, or not the process itself "
		       "(hidepid)",
		.fix = "do it as the user that owns it, or as root",
	};
	(void)snprintf(err->what, sizeof(err->what), "translating %.200s", text);
	return -EACCES;
}

static pid_t level_in(const struct answer *a, uint64_t pid_namespace)
{
	for (size_t i = 0; i < a->n_levels; i++)
		if (a->levels[i].pid_namespace == pid_namespace)
			return a->levels[i].pid;
	return 0;
}

static bool same_levels(const struct answer *a, const struct answer *b)
{
	bool same = a->n_levels == b->n_levels;

	for (size_t i = 0; same && i < a->n_levels; i++)
		same = a->levels[i].pid == b->levels[i].pid && a->levels[i].pid_namespace == b->levels[i].pid_namespace;
	return same;
}

/* It is read by the number outside, between two readings of all numbers: those of another process are others. */
static int find_container(struct query *q, struct answer *a)
{
	struct answer again;
	int r = pidbox_container_id(q->translator, a->asked, a->container, sizeof(a->container));

	/* On its way to a terminal. */
	for (char *p = a->container; r == 0 && *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (r == 0)
		r = pidbox_levels(q->translator, a->asked, again.levels, &again.n_levels);
	if (r == 0 && !same_levels(a, &again))
		r = -ESRCH;
	if (r < 0)
		a->container[0] = '\0';
	return r == -ESRCH ? r : 0;
}

/* The levels are read by the number outside. Whose they are, the level that was asked by tells. */
static int find_levels(struct query *q, const struct question *question, struct answer *a)
{
	const struct known *from = question->from;
	pid_t pid = question->number;
	int r = from != NULL ? pidbox_translate(q->translator, from->box, pid, NULL, &pid) : 0;

	if (r < 0)
		return r;
	a->asked = pid;
	r = pidbox_levels(q->translator, pid, a->levels, &a->n_levels);
	if (r == 0 && from != NULL && level_in(a, from->pid_namespace) != question->number)
		r = -ESRCH;
	if (r == 0 && (q->json || !q->batch))
		r = find_container(q, a);
	if (r < 0)
		a->n_levels = 0;
	return r;
}

static int find_answer(struct query *q, const struct question *question, struct answer *a)
{
	const struct known *from = question->from;
	int r = q->to == NULL || q->json ? find_levels(q, question, a) : 0;

	if (r < 0 || q->to == NULL)
		return r;
	if (!q->json)
		return pidbox_translate(q->translator, from != NULL ? from->box : NULL, question->number, q->to,
					&a->to);
	a->to = level_in(a, q->to_namespace);
	return a->to > 0 ? 0 : -ESRCH;
}

/* @return 0; -ESRCH: gone, or not in --to; another -errno with err filled */
static int ask(struct query *q, const char *text, struct answer *a, struct pidbox_error *err)
{
	struct question question;
	int r;

	a->asked = a->to = 0;
	a->n_levels = 0;
	a->container[0] = '\0';
	err->errnum = 0;
	err->code = PIDBOX_CODE_NONE;
	err->what[0] = '\0';
	do {
		r = understand(q, text, &question, err);
		if (r == 0 && question.from == NULL)
			a->asked = question.number;
		if (r == 0)
			r = find_answer(q, &question, a);
		/* It has ended: another one may have its name by now. */
	} while (r == -ESRCH && question.from != NULL && question.from->box != NULL && has_ended(question.from->box) &&
		 forget(question.from));
	return r == -EACCES && err->code == PIDBOX_CODE_NONE ? denied(text, err) : r;
}

/* ------------------------------------------------------------ the answer */

static void put_json(const struct query *q, const struct answer *a)
{
	(void)printf("{\"schema\":1,\"pid\":");
	(void)(a->asked > 0 ? printf("%d", (int)a->asked) : printf("null"));
	(void)printf(",\"levels\":%s", a->n_levels > 0 ? "[" : "null");
	for (size_t i = 0; i < a->n_levels; i++) {
		(void)printf("%s{\"pid_namespace\":", i > 0 ? "," : "");
		if (a->levels[i].pid_namespace > 0)
			(void)printf("%llu", (unsigned long long)a->levels[i].pid_namespace);
		else
			(void)printf("null");
		(void)printf(",\"pid\":%d}", (int)a->levels[i].pid);
	}
	(void)printf("%s,\"container_id\":", a->n_levels > 0 ? "]" : "");
	if (a->container[0] != '\0') {
		char text[6 * sizeof(a->container) + 3];
		struct sink json = SINK_BUF(text, sizeof(text));

		sink_json(&json, a->container, strlen(a->container));
		(void)sink_end(&json);
		(void)fputs(text, stdout);
	} else {
		(void)printf("null");
	}
	if (q->to != NULL)
		(void)(a->to > 0 ? printf(",\"to\":%d", (int)a->to) : printf(",\"to\":null"));
	(void)printf("}\n");
}

static char *put_number(char *to, pid_t n)
{
	char digits[12], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	memcpy(to, p, (size_t)(digits + sizeof(digits) - p));
	return to + (digits + sizeof(digits) - p);
}

/* In a batch one line for each question; printf(3) would take as long as the kernel does. */
static void put_line(const struct answer *a)
{
	char line[PIDBOX_LEVELS_MAX * 12], *p = line;

	for (size_t i = 0; i < a->n_levels; i++) {
		p = put_number(p, a->levels[i].pid);
		*p++ = i + 1 < a->n_levels ? ' ' : '\n';
	}
	(void)fwrite(line, 1, (size_t)(p - line), stdout);
}

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") == strlen(text);
}

/* One a line, each with its namespace, the last with the container; both can be given to a verb as a box. */
static void put_levels(const struct answer *a)
{
	for (size_t i = 0; i < a->n_levels; i++) {
		const struct pidbox_level *l = &a->levels[i];

		if (l->pid_namespace > 0)
			(void)printf("%-7d ns:%llu", (int)l->pid, (unsigned long long)l->pid_namespace);
		else
			(void)printf("%-7d -", (int)l->pid);
		if (i + 1 == a->n_levels && a->container[0] != '\0')
			(void)printf("  %s%s", is_hex(a->container) ? "id:" : "", a->container);
		(void)putchar('\n');
	}
}

static void put_answer(const struct query *q, const struct answer *a, int r)
{
	if (q->json)
		put_json(q, a);
	else if (r < 0)
		(void)puts("gone");
	else if (q->to != NULL)
		(void)printf("%d\n", (int)a->to);
	else if (q->batch)
		put_line(a);
	else
		put_levels(a);
}

static int ask_one(struct query *q, const char *text)
{
	struct pidbox_error err;
	struct answer a;
	int r = ask(q, text, &a, &err), status;

	if (r < 0 && err.what[0] != '\0') {
		out_error(&err);
		return PIDBOX_EXIT_FAILED;
	}
	put_answer(q, &a, r);
	status = finish_output();
	return status != 0 ? status : r < 0;
}

/* ------------------------------------------------------------ the batch */

/* An answer for each line, whatever is in it: the reader counts. @return was there a number? */
static bool ask_line(struct query *q, char *line, size_t len)
{
	struct pidbox_error err = { 0 };
	struct answer a;
	int r = -EINVAL;

	a.asked = a.to = 0;
	a.n_levels = 0;
	a.container[0] = '\0';
	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL && line[len - 1] != '\0')
		len--;
	line[len] = '\0';
	while (*line == ' ' || *line == '\t')
		line++, len--;
	if (memchr(line, '\0', len) == NULL)
		r = ask(q, line, &a, &err);
	if (r < 0 && r != -ESRCH && err.code != PIDBOX_CODE_NO_SUCH_BOX)
		out_note("pidbox: pid: \"%.100s\": %s\n", line,
			 err.code == PIDBOX_CODE_USAGE || err.what[0] == '\0' ? "neither PID nor BOX/PID" : err.why);
	put_answer(q, &a, r);
	return r == 0;
}

static int cannot_read(void)
{
	struct pidbox_error err = {
		.errnum = errno,
		.what = "reading standard input",
		.why = "the lines after this have no answer",
		.fix = "give one PID or BOX/PID a line on standard input",
	};

	out_error(&err);
	return PIDBOX_EXIT_FAILED;
}

static int ask_lines(struct query *q)
{
	static char buf[MAX_LINE + 1] LIES_BEHIND, out[MAX_LINE] LIES_BEHIND;
	size_t len = 0;
	bool all = true, too_long = false;
	int status;

	(void)setvbuf(stdout, out, _IOFBF, sizeof(out));
	for (;;) {
		ssize_t n;
		char *line = buf, *end;

		/* What has been asked is answered before more is waited for. */
		status = finish_output();
		if (status != 0)
			return status;
		forget_missing(q);
		n = read(STDIN_FILENO, buf + len, MAX_LINE - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_read();
		if (n == 0)
			break;
		len += (size_t)n;
		for (; (end = memchr(line, '\n', len)) != NULL; line = end + 1) {
			size_t used = (size_t)(end - line);

			if (!ask_line(q, line, too_long ? 0 : used))
				all = false;
			too_long = false;
			len -= used + 1;
		}
		memmove(buf, line, len);
		if (len == MAX_LINE) {
			too_long = true;
			len = 0;
		}
	}
	if ((len > 0 || too_long) && !ask_line(q, buf, too_long ? 0 : len))
		all = false;
	status = finish_output();
	return status != 0 ? status : !all;
}

/* ------------------------------------------------------------ the command line */

static int open_to(struct query *q, const char *to, struct pidbox_error *err)
{
	struct pidbox_target_info info;
	int r = pidbox_open(to, &q->to, err);

	if (r < 0)
		return r;
	pidbox_target_get_info(q->to, &info);
	q->to_namespace = info.pid_namespace;
	if (!info.one_process)
		return 0;
	*err = (struct pidbox_error){
		.code = PIDBOX_CODE_USAGE,
		.what = "reading the options of pidbox pid",
		.fix = "give the box alone, without the PID behind the \"/\"",
	};
	(void)snprintf(err->why, sizeof(err->why), "--to %.200s names a process, not a box", to);
	return -EINVAL;
}

int cmd_pid(int argc, char **argv)
{
	const char *to = NULL;
	struct query q = { 0 };
	const struct args_option options[] = {
		{ .name = "to", .argument = "BOX", .help = "only the number that it has in BOX", .text = &to },
		{ .name = "json", .help = "as JSON; with - one object a line", .flag = &q.json },
	};
	const struct args args = {
		.verb = "pid",
		.operands = "PID|BOX/PID|-",
		.least = 1,
		.most = 1,
		.mixed = true,
		.about = "Translate a PID: every number that the process (or thread) has, the caller's own namespace "
			 "first, the\n"
			 "process's own last. - reads one a line and answers each in a line: its numbers, or gone.",
		.more = "Exit status: 0; 1 when it, or one of many, is gone; 125 error. See pidbox-pid(1).",
		.options = options,
		.n_options = sizeof(options) / sizeof(options[0]),
	};
	struct pidbox_error err = { 0 };
	int at, status;

	if (!args_parse(&args, argc, argv, &at))
		return at;
	q.batch = strcmp(argv[at], "-") == 0;
	/* When it is closed, what is opened next would be read instead. */
	if (q.batch && fcntl(STDIN_FILENO, F_GETFD) < 0)
		return cannot_read();
	if (pidbox_translator_new(&q.translator, &err) < 0 || (to != NULL && open_to(&q, to, &err) < 0)) {
		out_error(&err);
		status = PIDBOX_EXIT_FAILED;
	} else {
		status = q.batch ? ask_lines(&q) : ask_one(&q, argv[at]);
	}
	for (size_t i = 0; i < q.n_known; i++)
		(void)forget(&q.known[i]);
	pidbox_close(q.to);
	pidbox_translator_free(q.translator);
	return status;
}
