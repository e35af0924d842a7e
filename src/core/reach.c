/* SPDX-License-Identifier: MIT */
#include "core/reach.h"

#include "base/err.h"
#include "base/io.h"
#include "base/util.h"
#include "core/box.h"
#include "core/claim.h"
#include "core/control_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reach {
	struct rundir dir;
	struct claim claim;
	struct server server;
	bool bound;    /* the socket's name is in the folder */
	bool recorded; /* the kept record is written */
};

static const char *name_of(const struct pidbox *box)
{
	const struct wire_plan *w = box->plan->wire;

	return w->name != 0 ? plan_text(w, w->name) : NULL;
}

static bool keeps_record(const struct pidbox *box)
{
	return box->plan->reachable == PIDBOX_REACHABLE_KEPT;
}

static struct reach *reach_new(struct pidbox *box)
{
	struct reach *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->dir = RUNDIR_NONE;
	r->claim = CLAIM_NONE;
	r->server = SERVER_NONE;
	box->reach = r;
	return r;
}

/* The last one to leave takes an empty folder away (rundir_close), perhaps just when we have opened it. */
enum { TRIES = 20 };

/* ------------------------------------------------------------ beginning */

int reach_claim(struct pidbox *box, struct pidbox_error *err)
{
	const struct claim_wish wish = {
		.name = name_of(box),
		.replace = box->plan->replace,
		.keep_record = keeps_record(box),
		.interrupt_fd = box->interrupt_fd,
	};
	struct reach *reach = reach_new(box);
	int r = -ENOENT;

	if (reach == NULL)
		return err_no_memory(err, "naming the box");
	for (int i = 0; r == -ENOENT && i < TRIES; i++) {
		rundir_close(&reach->dir);
		r = rundir_open(true, &reach->dir, err);
		if (r < 0)
			return r;
		r = claim_take(&reach->dir, &wish, &reach->claim, err);
	}
	if (r == -ENOENT) {
		(void)err_set(err, ENOENT, PIDBOX_CODE_NONE, "naming the box %s", wish.name);
		err_why(err, "the runtime directory is taken away as often as it is made");
		err_fix(err, "try again, or set PIDBOX_RUNTIME_DIR to a directory of your own");
	}
	if (r == 0)
		box->plan->wire->kept_fd = reach->claim.kept;
	return r;
}

/* An old socket of that id is of a process that has ended: no two have one id. */
static int listen_at(struct reach *reach, const struct pidbox *box)
{
	char path[RUNDIR_PATH_SIZE + 32];
	struct sockaddr_un address;
	int r;

	if (!rundir_path(&reach->dir, "", path, sizeof(path)))
		return -ENAMETOOLONG;
	rundir_address(reach->dir.fd, path, box->id, &address);
	r = server_open(&reach->server, &address);
	if (r == -EADDRINUSE && unlinkat(reach->dir.fd, box->id, 0) == 0)
		r = server_open(&reach->server, &address);
	reach->bound = r == 0;
	return r;
}

static int publish(const struct reach *reach, const struct pidbox *box)
{
	const struct wire_plan *w = box->plan->wire;
	struct entry *e = calloc(1, sizeof(*e));
	char **argv = box_argv(box);
	int r = e != NULL && argv != NULL ? 0 : -ENOMEM;

	if (r == 0 && pidref_parse(box->id, &e->id) < 0)
		r = -ESRCH;
	if (r == 0) {
		e->pid_namespace = box_namespace(box);
		e->started_us = w->started_realtime_us;
		(void)claim_boot_id(e->boot_id);
		(void)snprintf(e->version, sizeof(e->version), "%s", PIDBOX_VERSION);
		entry_set_command(e, argv);
		r = claim_publish(&reach->claim, e);
	}
	free(argv);
	free(e);
	return r;
}

static int cannot_enter(int r, const struct pidbox *box, struct pidbox_error *err)
{
	(void)err_set(err, -r, PIDBOX_CODE_NONE, "making the entry of the box %s",
		      plan_text(box->plan->wire, box->plan->wire->name));
	err_why(err, "%s",
		r == -ENOSPC || r == -EDQUOT   ? "the file system of the runtime directory is full"
		: r == -EMFILE || r == -ENFILE ? "there are no descriptors left (RLIMIT_NOFILE)"
		: r == -ESRCH                  ? "the init has ended: somebody has killed it"
					       : "its socket cannot be made in the runtime directory");
	err_fix(err, "%s",
		r == -EMFILE || r == -ENFILE ? "raise ulimit -n"
		: r == -ESRCH                ? "start the box again"
			      : "set PIDBOX_RUNTIME_DIR to a directory of your own, or leave --name out");
	return r;
}

static int open_named(struct pidbox *box, struct pidbox_error *err)
{
	int r = listen_at(box->reach, box);

	/* The socket first: who finds the entry finds that, too. */
	if (r == 0)
		r = publish(box->reach, box);
	return r < 0 ? cannot_enter(r, box, err) : 0;
}

static int open_unnamed(struct pidbox *box)
{
	struct reach *reach = reach_new(box);
	int r = reach != NULL ? -ENOENT : -ENOMEM;

	for (int i = 0; r == -ENOENT && i < TRIES; i++) {
		rundir_close(&reach->dir);
		r = rundir_open(true, &reach->dir, NULL);
		if (r < 0)
			break;
		r = listen_at(reach, box);
	}
	if (r < 0)
		reach_free(box);
	return r < 0 ? 1 : 0;
}

int reach_open(struct pidbox *box, struct pidbox_error *err)
{
	int r;

	box_identify(box);
	if (box->reach != NULL)
		r = open_named(box, err);
	else
		r = box->id[0] != '\0' ? open_unnamed(box) : 1;
	if (r == 0) {
		claim_sweep(&box->reach->dir, box->id, box->t0_us + box->created_us);
		rundir_sweep_others(&box->reach->dir);
	}
	return r;
}

/* ------------------------------------------------------------ while it runs */

int reach_event_fd(const struct pidbox *box)
{
	return box->reach != NULL ? server_event_fd(&box->reach->server, box->closed ? -1 : box->socket) : -EBADF;
}

unsigned reach_poll_begin(const struct pidbox *box, struct pollfd *fds)
{
	return box->reach != NULL ? server_poll_begin(&box->reach->server, fds) : 0;
}

bool reach_poll_end(struct pidbox *box, const struct pollfd *fds, unsigned n)
{
	return box->reach != NULL && server_poll_end(&box->reach->server, fds, n);
}

void reach_forget_init(struct pidbox *box)
{
	if (box->reach != NULL)
		server_forget(&box->reach->server, box->socket);
}

void reach_turn(struct pidbox *box)
{
	if (box->reach != NULL)
		server_turn(&box->reach->server, box);
}

int64_t reach_next_deadline(const struct pidbox *box)
{
	return box->reach != NULL ? server_next_deadline(&box->reach->server) : 0;
}

size_t reach_fds(const struct pidbox *box, int *fds, size_t n)
{
	const struct reach *r = box->reach;
	size_t count;

	if (r == NULL)
		return 0;
	count = io_list_open((const int[]){ r->dir.fd, r->claim.fd, r->claim.kept }, 3, fds, n);
	return count + server_fds(&r->server, count < n ? fds + count : NULL, count < n ? (unsigned)(n - count) : 0);
}

/* ------------------------------------------------------------ the end */

static void take_socket_away(const struct pidbox *box)
{
	struct reach *r = box->reach;

	server_stop_listening(&r->server);
	if (r->bound)
		(void)unlinkat(r->dir.fd, box->id, 0);
	r->bound = false;
}

/* Who asks for a status that will be kept is answered to the last; others are told by the end of the connection. */
void reach_withdraw(struct pidbox *box)
{
	if (box->reach == NULL || keeps_record(box) || box->reach->server.listener < 0)
		return;
	server_take_last(&box->reach->server, box);
	take_socket_away(box);
}

static void write_record(struct pidbox *box)
{
	struct reach *r = box->reach;
	size_t size = pidbox_record(box, NULL, 0) + 1;
	char *text = malloc(size + 64);
	int len;

	if (text == NULL || r->recorded)
		goto out;
	len = snprintf(text, 64, "exit %d %d\n", pidbox_exit_status(box, NULL), box->result.signal);
	(void)pidbox_record(box, text + len, size);
	text[(size_t)len + size - 1] = '\n';
	r->recorded = io_write_all(r->claim.kept, text, (size_t)len + size) == 0;
out:
	free(text);
}

void reach_end(struct pidbox *box)
{
	struct reach *r = box->reach;

	if (r == NULL)
		return;
	if (r->claim.kept >= 0)
		write_record(box);
	server_take_last(&r->server, box);
	server_tell_end(&r->server, box);
	take_socket_away(box);
	claim_release(&r->dir, &r->claim, keeps_record(box) && !r->recorded);
	rundir_close(&r->dir);
}

void reach_free(struct pidbox *box)
{
	struct reach *r = box->reach;

	if (r == NULL)
		return;
	/* Its end is held up from outside, but what it will have been is known. */
	if (r->claim.kept >= 0 && box->has_started && (box->has_result || box->held_up))
		write_record(box);
	take_socket_away(box);
	claim_release(&r->dir, &r->claim, keeps_record(box) && !r->recorded);
	server_close(&r->server);
	rundir_close(&r->dir);
	free(r);
	box->reach = NULL;
}
