/* SPDX-License-Identifier: MIT */
/*
 * pidbox.h - run a command as its own process world.
 *
 * The pattern of use:
 *
 *     struct pidbox_error err;
 *     struct pidbox *box;
 *     struct pidbox_result res;
 *     const char *argv[] = { "make", "-j8", NULL };
 *     struct pidbox_spec spec = { .size = sizeof spec, .argv = argv };
 *
 *     if (pidbox_spawn(&spec, &box, &err) < 0)
 *             ... err.what, err.why, err.fix
 *     pidbox_wait(box, -1, &res);
 *     pidbox_free(box);
 *
 * or, without mirroring any struct (ctypes, Node, Lua), from the options of `pidbox run`:
 *
 *     err = pidbox_error_new();
 *     pidbox_options_parse(argc, argv, &opts, err);      pidbox_error_format() has the words of a failure
 *     pidbox_spawn(pidbox_options_spec(opts), &box, err);
 *     pidbox_options_free(opts);
 *     pidbox_wait(box, -1, NULL);
 *     status = pidbox_exit_status(box, NULL);            pidbox_record() has all the rest, as JSON
 *     pidbox_free(box);
 *     pidbox_error_free(err);
 *
 * Rules that hold for every function:
 * - Failure is a negative errno, with the words for people in *err where there is an err. Parameters named ret_* are
 *   untouched on failure. Nothing prints, exits, aborts or keeps global state.
 * - Every function may be called from any thread; one box is used by one thread at a time. pidbox_spawn and pidbox_plan
 *   read environ, so no other thread may change it meanwhile (setenv(3)) unless spec->envp is given.
 * - Every descriptor that the library makes is CLOEXEC from birth. A descriptor that a function returns belongs to the
 *   box, unless its name says "take".
 * - Durations are microseconds, times are CLOCK_MONOTONIC microseconds unless said otherwise. One that is too long for
 *   the clock is for ever.
 * - Members named reserved_ are zero: designated initialisers see to it. Later versions may give them names, so that no
 *   struct changes its size; struct pidbox_spec may grow at its end, and says how large it is. Structs without them
 *   stay as they are.
 *
 * All of it is there since version 0.1. Manual: pidbox_spawn(3); what the options do is in pidbox-run(1).
 */
#ifndef PIDBOX_H
#define PIDBOX_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PIDBOX_VERSION_MAJOR 0
#define PIDBOX_VERSION_MINOR 1
#define PIDBOX_VERSION_PATCH 0
#define PIDBOX_VERSION       "0.1.0"

#define PIDBOX_API __attribute__((visibility("default")))

/* ---------------------------------------------------------------- statuses and errors */

/** Exit statuses of `run`, `exec`, `wait` and `init` that are pidbox's own. */
enum pidbox_exit {
	PIDBOX_EXIT_LEAK = 123,        /**< --fail-on-leak: something outlived a successful command */
	PIDBOX_EXIT_TIMEOUT = 124,     /**< a time limit ended the box */
	PIDBOX_EXIT_FAILED = 125,      /**< pidbox itself failed: nothing of the command ran */
	PIDBOX_EXIT_CANNOT_EXEC = 126, /**< the command was found but cannot be executed */
	PIDBOX_EXIT_NOT_FOUND = 127,   /**< the command was not found */
};

/** Stable codes of errors. pidbox_code_name() gives the word, for example "PROC_MASKED". */
enum pidbox_code {
	PIDBOX_CODE_NONE,
	PIDBOX_CODE_PROC_MASKED,
	PIDBOX_CODE_USERNS_DISABLED,
	PIDBOX_CODE_USERNS_APPARMOR,
	PIDBOX_CODE_USERNS_SECCOMP,
	PIDBOX_CODE_NEED_USERNS,
	PIDBOX_CODE_NS_LIMIT,
	PIDBOX_CODE_BOX_DEAD,
	PIDBOX_CODE_IDMAP,
	PIDBOX_CODE_TTY,
	PIDBOX_CODE_PID1_IGNORES_SIGNAL,
	PIDBOX_CODE_PROC_LIMIT,
	PIDBOX_CODE_NOT_FOUND,
	PIDBOX_CODE_NO_SUCH_BOX,
	PIDBOX_CODE_NAME_TAKEN,
	PIDBOX_CODE_OWN_NAMESPACE,
	PIDBOX_CODE_STATUS_UNKNOWN,
	PIDBOX_CODE_DENIED,
	PIDBOX_CODE_USAGE,
	PIDBOX_CODE_MAX_
};

/** What went wrong. Caller-allocated; needs no freeing; filled only on failure. */
struct pidbox_error {
	int errnum;            /**< positive errno; 0 when no system call failed (a usage error) */
	enum pidbox_code code; /**< PIDBOX_CODE_NONE when no stable code fits */
	int exit_status;       /**< what a command line should exit with: 125, 126 or 127 */
	char step[32];         /**< name of the step that failed ("mount-proc"), "" outside a plan */
	char what[512];        /**< what was being done */
	char why[1024];        /**< why, with the layer that refused; may be "" */
	char fix[512];         /**< the one thing to do; may be "" */
	uint64_t reserved_[8]; /**< room to grow */
};

/**
 * Allocate an error object, for callers that mirror no struct.
 * @return the caller's, to be freed with pidbox_error_free; NULL when out of memory
 */
PIDBOX_API struct pidbox_error *pidbox_error_new(void);
/** Free an error object; NULL is fine. */
PIDBOX_API void pidbox_error_free(struct pidbox_error *err);
/**
 * Write a filled error in three lines: "pidbox: what: errno [CODE]\n  why: ...\n  fix: ...\n". Control characters of
 * what it quotes become '?'.
 * @param buf  may be NULL when size is 0; always terminated when size > 0
 * @return length of the whole text; more than size-1 when it was cut
 */
PIDBOX_API size_t pidbox_error_format(const struct pidbox_error *err, char *buf, size_t size);
/** The stable word of a code; "" for PIDBOX_CODE_NONE and for what is no code. @return a static string */
PIDBOX_API const char *pidbox_code_name(enum pidbox_code code);

/** The version of the library, "0.1.0"; PIDBOX_VERSION is that of the header. @return a static string */
PIDBOX_API const char *pidbox_version(void);
/** Name of a signal by the kernel's number: "SIGTERM", "SIGRTMIN+3" (signal(7); SIGRTMIN is 34 here). */
PIDBOX_API void pidbox_signal_name(int sig, char buf[16]);
/**
 * Path of the installed init, used where memory files cannot be executed (vm.memfd_noexec, memfd_create(2)).
 * @return a static string
 */
PIDBOX_API const char *pidbox_init_path(void);
/**
 * Become the init alone, as `pidbox init` does: the calling process executes it (execve(2)), with its PID. argv and
 * envp are those of pidbox-init(1); argv[0] chooses its manner.
 * @return only when that failed: -errno, with *err filled
 * @since 0.1
 */
PIDBOX_API int pidbox_become_init(char *const argv[], char *const envp[], struct pidbox_error *err);

/* ---------------------------------------------------------------- what to run */

/** Kinds of namespace (namespaces(7)), as bits. */
enum pidbox_ns {
	PIDBOX_NS_USER = 1 << 0,
	PIDBOX_NS_PID = 1 << 1,
	PIDBOX_NS_MOUNT = 1 << 2,
	PIDBOX_NS_UTS = 1 << 3,
	PIDBOX_NS_IPC = 1 << 4,
	PIDBOX_NS_NET = 1 << 5,
	PIDBOX_NS_CGROUP = 1 << 6,
	PIDBOX_NS_TIME = 1 << 7,
	PIDBOX_NS_ALL = 0xff,
};

/** Propagation of mounts (mount_namespaces(7)). */
enum pidbox_propagation {
	PIDBOX_PROPAGATION_SLAVE, /**< default: later outer mounts show inside, none goes out */
	PIDBOX_PROPAGATION_PRIVATE,
	PIDBOX_PROPAGATION_SHARED,
	PIDBOX_PROPAGATION_UNCHANGED,
};

/** Identity inside a user namespace (user_namespaces(7)). */
enum pidbox_map {
	PIDBOX_MAP_DEFAULT, /**< as PIDBOX_MAP_ME, and asks for no user namespace by itself */
	PIDBOX_MAP_ME,      /**< the same ids inside */
	PIDBOX_MAP_ROOT,    /**< the caller is root inside */
	PIDBOX_MAP_AUTO,    /**< the caller is root inside, the subordinate ids follow from 1 on */
	PIDBOX_MAP_EXACT,   /**< uid_maps and gid_maps */
};

/** One line of /proc/PID/uid_map. */
struct pidbox_idrange {
	uint32_t inside, outside, count;
};

/** What /proc shows inside (proc(5)). */
enum pidbox_proc {
	PIDBOX_PROC_FRESH, /**< default: a new procfs; a refusal is an error */
	PIDBOX_PROC_AUTO,  /**< fresh, else the caller's, with a warning */
	PIDBOX_PROC_KEEP,  /**< the caller's: outer PIDs in it */
	PIDBOX_PROC_NONE,  /**< an empty directory */
};

/** What happens when the command has ended and other processes run on. */
enum pidbox_on_exit {
	PIDBOX_ON_EXIT_KILL, /**< default: SIGKILL them */
	PIDBOX_ON_EXIT_TERM, /**< SIGTERM and, after the grace, SIGKILL */
	PIDBOX_ON_EXIT_WAIT, /**< wait until the box is empty */
};

/** Offset of one clock (time_namespaces(7)). */
struct pidbox_time_offset {
	int64_t seconds;
	uint32_t nanoseconds; /**< 0-999999999, added to seconds */
};

/** Signal `from` arrives as `to`; to == 0 drops it. Numbers are the kernel's (RTMIN is 34 here). */
struct pidbox_sigmap {
	uint8_t from, to;
};

/** Can others find a box, and give it orders? Their requests are served while the caller takes events. */
enum pidbox_reachable {
	PIDBOX_UNREACHABLE,
	PIDBOX_REACHABLE,      /**< it has a control socket, for the caller's user and root; a name is taken first */
	PIDBOX_REACHABLE_KEPT, /**< and by its name its record is kept after its end, a day at most */
};

#define PIDBOX_DEFAULT INT64_C(-1) /**< "as documented" for durations */

struct pidbox; /* a running box */

/**
 * What the caller wants. Zero every member that is not used (designated initialisers do); set size.
 * The library copies what it needs before it returns: nothing has to outlive the call.
 */
struct pidbox_spec {
	size_t size; /**< sizeof(struct pidbox_spec): lets the struct grow */

	const char *const *argv;      /**< the command, NULL-terminated; NULL: $SHELL, else /bin/sh */
	const char *argv0;            /**< argv[0] that the command sees; NULL: argv[0] */
	const char *const *envp;      /**< base environment, NULL: the caller's */
	bool clear_env;               /**< start from nothing but keep_env and set_env */
	const char *const *set_env;   /**< "K=V", or "K" to keep K under clear_env; NULL-terminated; may be NULL */
	const char *const *unset_env; /**< names; NULL-terminated; may be NULL */
	const char *chdir;            /**< directory inside; NULL: the caller's */
	const char *user;             /**< "U[:G]", names or numbers; NULL: the caller's */

	uint32_t unshare;     /**< PIDBOX_NS_* that are new besides the default ones */
	uint32_t share;       /**< PIDBOX_NS_UTS, _IPC, _MOUNT: the caller's */
	const char *hostname; /**< 1 to 64 bytes (HOST_NAME_MAX); NULL: the caller's */
	enum pidbox_propagation propagation;
	enum pidbox_map map;
	const struct pidbox_idrange *uid_maps; /**< with PIDBOX_MAP_EXACT */
	size_t n_uid_maps;
	const struct pidbox_idrange *gid_maps;
	size_t n_gid_maps;
	enum pidbox_proc proc;
	const char *proc_hidepid; /**< "off", "noaccess", "invisible", "ptraceable" or 0, 1, 2, 4 */
	bool proc_subset_pid;

	/** The command itself is PID 1. No init watches the caller then: the box ends with the *thread* that spawned it
	 * (PR_SET_PDEATHSIG, prctl(2)). */
	bool as_pid1;
	enum pidbox_on_exit on_exit;
	int stop_signal;     /**< 0: SIGTERM */
	bool has_grace;      /**< grace_us was given (else 10 s, and 0 when the caller is gone) */
	int64_t grace_us;    /**< from the stop signal to SIGKILL */
	int64_t timeout_us;  /**< 0: no limit */
	int64_t cpu_time_us; /**< 0: no limit; CPU time of all processes together */
	const struct pidbox_sigmap *signal_map;
	size_t n_signal_map;
	uint32_t first_pid; /**< PID of the command; 0: 2 */
	uint32_t pid_max;   /**< 0: the kernel's */
	bool has_monotonic, has_boottime;
	struct pidbox_time_offset monotonic, boottime;

	const int *stdio; /**< three descriptors that become 0, 1, 2; NULL: the caller's; -1: closed */
	bool inherit_fds; /**< descriptors above 2 that are not CLOEXEC are inherited (`pidbox run` without --close-fds)
			   */
	const int *keep_fds; /**< kept open, CLOEXEC or not; 64 at most */
	size_t n_keep_fds;
	bool sigchld_ignored; /**< the command starts with SIGCHLD ignored, though the caller does not (any more) */
	bool tty;             /**< a terminal of its own for 0, 1, 2: pidbox_tty_fd() is the master; not with stdio */
	const uint64_t
		*signal_mask; /**< blocked signals of the command, bit n-1 for signal n; NULL: the calling thread's */

	bool hold;    /**< a checkpoint: pidbox_spawn returns when all is ready; pidbox_release starts the command */
	bool account; /**< find leaks and count resources at the end (a record wants it) */
	bool has_leak_grace;   /**< leak_grace_us was given (else 100 ms) */
	int64_t leak_grace_us; /**< how long what outlives the command may go on before it is a leak */
	bool fail_on_leak;     /**< see pidbox_exit_status */
	int report_fd;         /**< > 0: the init writes the record there when the caller is gone; not inherited */
	const char *name;      /**< appears in the record; see reachable */
	bool timing;           /**< measure every step */
	/** Called by pidbox_spawn in its own thread as soon as PID 1 exists; may be NULL. It must not free the box. */
	void (*on_created)(void *context, const struct pidbox *box);
	void *context;
	/** > 0: when this becomes readable while the box is set up, and a second later that has not come to its end (a
	 * file system that hangs, somebody who has stopped a process of it), pidbox_spawn and pidbox_release give up
	 * with -EINTR. A signalfd(2) of what may end the caller is meant. Not inherited. */
	int interrupt_fd;
	bool front_forwards; /**< the caller forwards its signals with pidbox_forward, see there (`pidbox run` does);
			      * the number of the PID namespace is then looked up for on_created and names alone */
	uint8_t reachable;   /**< enum pidbox_reachable. With a name a failure to be so is one of pidbox_spawn */
	bool replace;        /**< end a live box of that name first, as it wants to be ended */
	bool idle;           /**< no command: the init alone, until it is ended */
};

/* ---------------------------------------------------------------- the plan */

struct pidbox_plan;

/** Who does a step. */
enum pidbox_side {
	PIDBOX_SIDE_FRONT,   /**< the caller, outside */
	PIDBOX_SIDE_CHILD,   /**< the new process before it executes the init */
	PIDBOX_SIDE_INIT,    /**< the init, PID 1 inside */
	PIDBOX_SIDE_COMMAND, /**< the process that becomes the command */
};

/** One step in words. Strings belong to the plan or the box. */
struct pidbox_step {
	enum pidbox_side side;
	const char *name; /**< stable: "mount-proc" */
	const char *call; /**< the system call with its arguments */
	const char *does; /**< what it is for, one sentence */
	const char *rule; /**< the kernel's rule behind it; may be "" */
	int64_t took_us;  /**< -1: not measured, or not done */
	int errnum;       /**< positive errno of a step that failed and was not fatal; 0 */
	bool done;
	uint64_t reserved_[4]; /**< room to grow */
};

/**
 * Turn a spec into steps. Reads the caller's identity (ids, capabilities, subordinate ids), changes nothing.
 * @param ret  the caller's, to be freed with pidbox_plan_free
 * @return 0; negative errno with err filled: -EINVAL (USAGE), -ENOENT (an unknown user), -ENOMEM
 */
PIDBOX_API int pidbox_plan(const struct pidbox_spec *spec, struct pidbox_plan **ret, struct pidbox_error *err);
/** Step number index. Its strings belong to the plan. @return 0 and *ret, or -ENOENT after the last one */
PIDBOX_API int pidbox_plan_step(const struct pidbox_plan *plan, size_t index, struct pidbox_step *ret);
/** Free a plan; NULL is fine. */
PIDBOX_API void pidbox_plan_free(struct pidbox_plan *plan);

/* ---------------------------------------------------------------- a running box */

/**
 * Start a box (clone(2), pid_namespaces(7)). Returns when the command has been executed (with spec->hold: when
 * everything but that is ready). Safe in threaded programs; costs the same whatever the caller's memory and threads. On
 * failure nothing is left. The box ends when the calling process ends, however that happens.
 * @param spec  is not needed after the call, nor is anything it points to; its environ is read, see above
 * @param ret   the caller's, to be freed with pidbox_free, which ends the box
 * @return 0; negative errno with err filled: -EINVAL (USAGE), -ENOENT (NOT_FOUND), -EPERM, -ENOSPC (NS_LIMIT),
 *         -EAGAIN (PROC_LIMIT), -EEXIST (NAME_TAKEN), -EPROTO (somebody killed the init) and what a step can fail with
 */
PIDBOX_API int pidbox_spawn(const struct pidbox_spec *spec, struct pidbox **ret, struct pidbox_error *err);

/**
 * Start the command of a box that was spawned with spec->hold. Returns when it has been executed. May wait for an init
 * that somebody has stopped.
 * @return 0; -EALREADY when the box is not held, which changes nothing; negative errno as pidbox_spawn, and then the
 * box has ended and is to be freed still. err is filled
 */
PIDBOX_API int pidbox_release(struct pidbox *box, struct pidbox_error *err);

/** The pidfd of the init: readable when the box has ended (pidfd_open(2)). @return owned by the box */
PIDBOX_API int pidbox_pidfd(const struct pidbox *box);
/**
 * A descriptor that is readable when pidbox_next_event may have something. What the library has read already, or says
 * by itself, does not make it readable: pidbox_timeout_us is 0 then, so ask for both before each poll(2).
 * @return owned by the box; -EMFILE and others of epoll_create1(2), when it is made with the first call; -EBADF once
 * the other end is closed, with as_pid1 from the start of the command on, unless it is reachable
 */
PIDBOX_API int pidbox_event_fd(const struct pidbox *box);
/** The terminal's master end with spec->tty (pty(7)). @return owned by the box; -EBADF without a terminal */
PIDBOX_API int pidbox_tty_fd(const struct pidbox *box);

/**
 * Every descriptor that the box owns, for callers that close all others (close_range(2)).
 * @param fds  room for n
 * @return how many there are; at most n are stored
 */
PIDBOX_API size_t pidbox_fds(const struct pidbox *box, int *fds, size_t n);

/** Who a running box is. */
struct pidbox_info {
	pid_t init_pid;                        /**< as the caller sees it */
	pid_t command_pid;                     /**< 0: not started, or not known */
	uint64_t pid_namespace;                /**< inode number; 0: not known */
	char id[48];                           /**< "PID:INODE", stable */
	int64_t created_us, ready_us, exec_us; /**< since the call of pidbox_spawn; -1: not yet */
	const char *containment;               /**< "pidns" */
	const char *proc;                      /**< "fresh", "keep" or "none": what it became */
	uint64_t warnings;                     /**< steps that failed and were done without: see pidbox_get_step */
	uint64_t reserved_[7];                 /**< room to grow */
};
/** What is known of a box by now; static strings. Works after its end, too. */
PIDBOX_API void pidbox_get_info(const struct pidbox *box, struct pidbox_info *ret);
/**
 * Step number index as it was done, with its time when spec->timing. Its strings belong to the box.
 * @return 0 and *ret, or -ENOENT after the last one
 */
PIDBOX_API int pidbox_get_step(const struct pidbox *box, size_t index, struct pidbox_step *ret);

enum pidbox_event_type {
	PIDBOX_EVENT_NONE,    /**< handled inside the library, nothing for the caller */
	PIDBOX_EVENT_STOPPED, /**< the command was stopped; signal says by what */
	PIDBOX_EVENT_RESULT,  /**< the box is ending; pidbox_wait waits for that and gives the result */
	PIDBOX_EVENT_ECHO,    /**< see pidbox_forward; answer with pidbox_echo */
	PIDBOX_EVENT_LOST,    /**< --as-pid1: the command has no handler for signal, and the kernel drops it (R7) */
};
/** Something that happened. */
struct pidbox_event {
	enum pidbox_event_type type;
	int signal;
	int32_t number;        /**< with PIDBOX_EVENT_ECHO */
	bool from_kernel;      /**< with PIDBOX_EVENT_ECHO */
	uint64_t reserved_[4]; /**< room to grow */
};
/**
 * Take the next event without blocking.
 * @return 1 and *ret; 0 when there is none; -EPROTO: what the init said makes no sense
 */
PIDBOX_API int pidbox_next_event(struct pidbox *box, struct pidbox_event *ret);

/**
 * How long a caller that polls may sleep before it calls pidbox_next_event all the same (with as_pid1 that keeps the
 * limits). It changes with every call that takes the box.
 * @return microseconds; 0: there is an event now; -1: for ever
 */
PIDBOX_API int64_t pidbox_timeout_us(const struct pidbox *box);

enum { PIDBOX_POLL_MAX = 16 };
/**
 * poll(2) for a caller that has a few descriptors to look after beside the box: it returns, too, when there may be
 * something for pidbox_next_event, without one more descriptor (pidbox_event_fd is for loops of another kind) and
 * with pidbox_timeout_us heeded.
 * @param fds         the caller's own, as poll(2) has them; their revents are filled
 * @param n           PIDBOX_POLL_MAX at most
 * @param timeout_us  microseconds; negative: for ever
 * @return 1: call pidbox_next_event; 0: not for the box; -EINVAL: too many; -errno of poll(2)
 */
PIDBOX_API int pidbox_poll(struct pidbox *box, struct pollfd *fds, size_t n, int64_t timeout_us);

/**
 * Send a signal to the command; spec->signal_map applies (signal(7); with as_pid1 the kernel drops what PID 1 has no
 * handler for, pid_namespaces(7), and PIDBOX_EVENT_LOST tells). Returns at once.
 * @param sig  1 to 64, the kernel's number
 * @return 0; -ESRCH when the box has ended; -EAGAIN when there is no room: somebody has stopped the init; -EINVAL
 */
PIDBOX_API int pidbox_signal(struct pidbox *box, int sig);

/** A signal that the caller got and passes on. */
struct pidbox_origin {
	pid_t pid;             /**< sender, 0: not known */
	uid_t uid;             /**< the sender's real uid; not looked at when pid is 0 */
	bool queued;           /**< it was sent with a value (sigqueue(3)) */
	bool from_kernel;      /**< the terminal sent it (SI_KERNEL), not a process */
	int64_t value;         /**< with queued: what it carries, the bits of union sigval (sigqueue(3)) */
	uint64_t reserved_[4]; /**< room to grow */
};
/**
 * Pass on a signal that the caller itself received, with spec->front_forwards: the caller, the init and at first the
 * command share a process group. A signal that was sent to the whole group has reached the command already; the init,
 * which got it too, is the witness, and then it is not sent again. The caller must block every signal that it
 * passes on, and take it by signalfd(2) or sigwaitinfo(2). When the init got one that the caller did not pass on
 * (PIDBOX_EVENT_ECHO), the caller takes its own pending signals, passes them on, and then calls pidbox_echo.
 * It asks the init, for a second at most when somebody has stopped that, and keeps the events that come before the
 * answer: look for them after it (pidbox_event_fd).
 * @param sig     1 to 64, the kernel's number
 * @param origin  what signalfd(2) or siginfo_t said of it
 * @return 0; -ESRCH when the box has ended; -EAGAIN as pidbox_signal; -EINVAL
 */
PIDBOX_API int pidbox_forward(struct pidbox *box, int sig, const struct pidbox_origin *origin);
/**
 * Answer PIDBOX_EVENT_ECHO, when everything that the caller had got of that signal has been passed on: what the init
 * got alone it passes on then. Without an answer the command does not get that signal.
 * @param event  as it came
 * @return 0; -ESRCH when the box has ended; -EAGAIN as pidbox_signal
 */
PIDBOX_API int pidbox_echo(struct pidbox *box, const struct pidbox_event *event);

/**
 * End the box: the stop signal to the command, after the grace SIGKILL of everything. Returns at once; pidbox_wait
 * waits for the end. Of several calls the earliest end holds.
 * @param grace_us  PIDBOX_DEFAULT: the box's own; 0: SIGKILL at once
 * @param origin    pid and uid of who wants it, for the record; NULL: the caller
 * @return 0; -ESRCH when the box has ended; -EAGAIN when there is no room: somebody has stopped the init (pidbox_free
 *         ends such a box, too)
 */
PIDBOX_API int pidbox_kill(struct pidbox *box, int64_t grace_us, const struct pidbox_origin *origin);

/** Why a box has ended. */
enum pidbox_reason {
	PIDBOX_REASON_EXITED,      /**< the command exited */
	PIDBOX_REASON_SIGNALED,    /**< the command died of a signal */
	PIDBOX_REASON_TIMEOUT,     /**< spec->timeout_us */
	PIDBOX_REASON_CPU_TIME,    /**< spec->cpu_time_us */
	PIDBOX_REASON_OOM,         /**< the kernel killed the command for want of memory */
	PIDBOX_REASON_KILLED,      /**< pidbox_kill, a signal that was passed on, or SIGKILL of the init from outside */
	PIDBOX_REASON_PARENT_GONE, /**< the caller was gone; only in a record of the init's */
	PIDBOX_REASON_SETUP_FAILED, /**< only in pidbox_record_failed */
};

/** A process that had outlived the command. Strings belong to the box. */
struct pidbox_leak {
	pid_t pid; /**< as the caller sees it; 0: not known */
	pid_t inside_pid;
	int64_t age_us;
	const char *command; /**< its arguments, each with its NUL */
	size_t command_size;
	uint64_t reserved_[4]; /**< room to grow */
};

/** How it ended. */
struct pidbox_result {
	enum pidbox_reason reason;
	int exit_code; /**< -1: it did not exit, or (as_pid1) somebody else reaped it before Linux 6.15 and nobody knows
			*/
	int signal;    /**< 0: no signal */
	bool core_dumped;
	int oom_killed;       /**< 1: the kernel killed a process of its cgroup for want of memory; 0; -1: not known */
	int ended_by_signal;  /**< 0: nobody asked for the end */
	pid_t ended_by_pid;   /**< 0: not known */
	int64_t ended_by_uid; /**< -1: not known */
	int64_t wall_us;      /**< from pidbox_spawn to the end */
	/** getrusage(2) of all that ran; -1: not known, because somebody else reaped, or (without spec.account)
	 * something was killed at the end */
	int64_t user_us, sys_us, max_rss_kib;
	int64_t reaped;                   /**< orphans that the init reaped while the box ran; -1: not known */
	const struct pidbox_leak *leaked; /**< belongs to the box */
	size_t n_leaked;
	int64_t leaked_total; /**< may be more than n_leaked, when there were too many to name; -1: nobody has looked */
	uint64_t reserved_[8]; /**< room to grow */
};

/**
 * Wait until the box has ended and everything of it is gone. Takes the events that come meanwhile.
 * @param timeout_us  PIDBOX_DEFAULT: for ever; 0: do not wait
 * @param ret  may be NULL: pidbox_exit_status and pidbox_record tell it too
 * @return 0 and *ret, also when it is called again; -ETIMEDOUT; -EBUSY when the box is ending but a process that
 * entered from outside (setns(2)) or a tracer has held that up for ten seconds (pid_namespaces(7)): *ret is filled with
 * what is known then, and the wait may be repeated
 */
PIDBOX_API int pidbox_wait(struct pidbox *box, int64_t timeout_us, struct pidbox_result *ret);
/**
 * Who holds the end of a box up, after pidbox_wait gave -EBUSY: processes that are in its PID namespace still, with
 * their state (proc(5)) and their parent, one a line.
 * @param buf  may be NULL when size is 0; always terminated when size > 0
 * @return how many they are
 */
PIDBOX_API size_t pidbox_holdouts(const struct pidbox *box, char *buf, size_t size);
/**
 * The exit status of `pidbox run` for a result (pidbox-run(1)): the command's own, 128+n for signal n, or one of enum
 * pidbox_exit: 125 also when nobody knows how a PID 1 ended.
 * @param res  NULL: what pidbox_wait gave last
 * @return 0 to 255
 */
PIDBOX_API int pidbox_exit_status(const struct pidbox *box, const struct pidbox_result *res);
/**
 * The record of a box that has ended as one line of JSON, the one of --report (pidbox-run(1)).
 * @param buf  may be NULL when size is 0; always terminated when size > 0
 * @return length of the whole text; more than size-1 when it was cut
 */
PIDBOX_API size_t pidbox_record(const struct pidbox *box, char *buf, size_t size);
/**
 * The record of a box that never came to be.
 * @param spec,err  as pidbox_spawn took and filled them; spec may be NULL
 * @param buf,size  as pidbox_record
 * @return as pidbox_record
 */
PIDBOX_API size_t pidbox_record_failed(const struct pidbox_spec *spec, const struct pidbox_error *err, char *buf,
				       size_t size);
/**
 * The same with what is known of a box that was there and ended before its command was executed.
 * @param info     what pidbox_get_info gave last, in spec->on_created for example; NULL: there was no PID 1
 * @param wall_us  microseconds from the call of pidbox_spawn to the failure
 * @return as pidbox_record
 */
PIDBOX_API size_t pidbox_record_unstarted(const struct pidbox_spec *spec, const struct pidbox_error *err,
					  const struct pidbox_info *info, int64_t wall_us, char *buf, size_t size);
/**
 * End the box with SIGKILL when it still runs, wait for its end (for ten seconds, when something holds that up; not at
 * all when pidbox_wait has done so), close and free everything that the box owns. NULL is fine.
 */
PIDBOX_API void pidbox_free(struct pidbox *box);

#ifdef __cplusplus
}
#endif

#include <pidbox-doctor.h>
#include <pidbox-exec.h>
#include <pidbox-list.h>
#include <pidbox-options.h>
#include <pidbox-processes.h>
#include <pidbox-target.h>
#endif
