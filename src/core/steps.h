/* SPDX-License-Identifier: MIT */
/*
 * THE table of steps. A row: operation, the side that does it, its name, the system call ("" where plan.c writes it,
 * with its arguments), what it is for, and the kernel's rule behind it. plan.c decides which rows a box needs and in
 * which order; each side has a function for each of its rows.
 */
#ifndef CORE_STEPS_H
#define CORE_STEPS_H

#include <pidbox.h>

#define STEPS(X)                                                                                                      \
	X(CLAIM, FRONT, "claim", "", "takes the name, so that no other box of this user has it",                      \
	  "flock(2): the lock of a file ends with its holder, however that ends")                                     \
	X(CONNECT, FRONT, "connect", "socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC), pidfd_open(front, 0)",        \
	  "makes the socket between front and init, and a pidfd of the front",                                        \
	  "pidfd_open(2): by it the init sees the front's end, however that comes")                                   \
	X(WITNESS, FRONT, "witness", "clone(CLONE_VM|SIGCHLD)",                                                       \
	  "starts a process in the front's group that sees what the group gets",                                      \
	  "kill(2): a signal does not say whether it went to one process or to its group")                            \
	X(LOAD_INIT, FRONT, "load-init", "", "opens the init, a program of its own",                                  \
	  "execveat(2): what is executed is the open file, whatever its name is by now")                              \
	X(OPEN_TTY, FRONT, "open-tty", "open(\"/dev/ptmx\", O_RDWR|O_NOCTTY), ioctl(TIOCSPTLCK), ioctl(TIOCGPTPEER)", \
	  "opens a terminal of the box's own",                                                                        \
	  "pty(7): the front holds one end; the other is the terminal of the command")                                \
	X(SEND_PLAN, FRONT, "send-plan", "send(init, plan, MSG_DONTWAIT)",                                            \
	  "puts the plan into the socket, where the init will find it",                                               \
	  "unix(7): what has been sent waits there; what finds no room follows after the clone")                      \
	X(CLONE, FRONT, "clone", "", "makes the new process in its new namespaces, PID 1 inside",                     \
	  "R1, R2: one call for all of them; the child is PID 1 inside, its parent sees an ordinary PID")             \
	X(MAP_SELF, CHILD, "map-ids", "", "says which ids outside the ids inside are",                                \
	  "user_namespaces(7): a process may map its own id alone, after giving up setgroups")                        \
	X(RAISE_CAPS, CHILD, "raise-caps", "", "keeps the rights over the new namespaces across the exec",            \
	  "capabilities(7): for an ordinary uid only ambient capabilities survive an exec")                           \
	X(EXEC_INIT, CHILD, "exec-init", "execveat(init, \"\", AT_EMPTY_PATH)",                                       \
	  "becomes the init; the caller's memory stays behind",                                                       \
	  "R6: the first process is the init, orphans become its children")                                           \
	X(MAP_FRONT, FRONT, "map-ids", "", "says which ids outside the ids inside are",                               \
	  "R2: the parent finishes its set-up while the child waits")                                                 \
	X(MAP_HELPER, FRONT, "map-subids", "", "maps the caller's subordinate ids with newuidmap and newgidmap",      \
	  "R2: the parent finishes its set-up while the child waits")                                                 \
	X(ENTRY, FRONT, "entry", "socket(AF_UNIX, SOCK_SEQPACKET), bind(\"PID:INODE\"), listen()",                    \
	  "makes the socket by which others reach the box",                                                           \
	  "unix(7): a socket has a name in the file system, and tells who is at the other end")                       \
	X(GO, FRONT, "go", "send(init, GO)", "lets the init go on", "R2: a message is the checkpoint")                \
	X(CHECKPOINT, INIT, "checkpoint", "recv(front)", "waits until the front has done its part",                   \
	  "R2: a message is the checkpoint")                                                                          \
	X(LOOPBACK, INIT, "loopback", "ioctl(SIOCSIFFLAGS, \"lo\", IFF_UP|IFF_RUNNING)",                              \
	  "brings the loopback device up", "network_namespaces(7): a new one has only lo, and it is down")            \
	X(HOSTNAME, INIT, "hostname", "", "sets the host name", "R5: a host name set inside is not seen outside")     \
	X(PROPAGATION, INIT, "propagation", "", "cuts the ways by which mounts get out",                              \
	  "mount_namespaces(7): a copied mount stays a peer of the outer one until told otherwise")                   \
	X(PROC_PRIVATE, INIT, "proc-private", "mount(NULL, \"/proc\", MS_REC|MS_PRIVATE)",                            \
	  "keeps the new /proc from showing outside",                                                                 \
	  "mount_namespaces(7): what is mounted on a shared mount shows at its peers")                                \
	X(MOUNT_PROC, INIT, "mount-proc", "", "mounts a procfs that shows only what is inside",                       \
	  "R4: ps reads /proc; until a procfs is mounted from inside it shows the outer processes")                   \
	X(HIDE_PROC, INIT, "hide-proc",                                                                               \
	  "mount(\"tmpfs\", \"/proc\", \"tmpfs\", MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC)",                           \
	  "covers /proc with an empty directory", "R4: /proc is a mount like any other")                              \
	X(PID_MAX, INIT, "pid-max", "", "sets the highest PID inside",                                                \
	  "proc_sys_kernel(5): pid_max, per namespace since 6.14")                                                    \
	X(TIME_NS, INIT, "time-ns", "", "makes a time namespace for the command and sets its clocks",                 \
	  "time_namespaces(7): the offsets are fixed when the first process enters")                                  \
	X(FIRST_PID, INIT, "first-pid", "", "sets the PID that comes next",                                           \
	  "proc_sys_kernel(5): ns_last_pid is the last PID given out in this namespace")                              \
	X(HOLD, INIT, "hold", "send(front, READY), recv(front)", "reports that all is ready, and waits",              \
	  "R2: a message is the checkpoint")                                                                          \
	X(IDLE, INIT, "idle", "send(front, IDLE)", "reports that all is ready; there is no command",                  \
	  "R6: the first process is the init, whether anything else begins or not")                                   \
	X(START, INIT, "start", "", "makes the process that becomes the command",                                     \
	  "vfork(2): the init waits until it has been executed; nothing else is in the box yet that could stop it")   \
	X(BECOME, INIT, "become", "", "takes the ids of the process whose namespaces are entered",                    \
	  "user_namespaces(7): as the kernel counts them; inside they are what the namespace's map makes of them")    \
	X(JOIN, INIT, "join", "", "enters namespaces",                                                                \
	  "R3: into a PID namespace setns(2) moves the next children only")                                           \
	X(CGROUP, COMMAND, "cgroup", "", "joins a cgroup", "cgroups(7): 0 in cgroup.procs is the writer itself")      \
	X(ROOT, COMMAND, "root", "", "goes to the root and the directory of the process",                             \
	  "mount_namespaces(7): who enters one is at its root, not at that of a process in it")                       \
	X(BOUND, COMMAND, "bound", "", "gives up for ever what the process could never get",                          \
	  "capabilities(7): the bounding set limits what an exec can give")                                           \
	X(SESSION, COMMAND, "session", "setsid(), ioctl(TIOCSCTTY)", "starts a session on the box's terminal",        \
	  "tty_ioctl(2): only a session leader without a terminal can take one")                                      \
	X(GROUP, COMMAND, "group", "", "leads a process group, which has the foreground",                             \
	  "tcsetpgrp(3): what is typed at a terminal goes to one group")                                              \
	X(LISTEN, COMMAND, "listen", "", "is told that the sockets which were passed are for it",                     \
	  "sd_listen_fds(3): LISTEN_PID is the PID of whom they are for")                                             \
	X(STDIO, COMMAND, "stdio", "dup3() onto 0, 1, 2", "puts the standard streams in place",                       \
	  "dup(2): a copy is open across an exec, also when the original is not")                                     \
	X(USER, COMMAND, "user", "", "becomes the user", "credentials(7): groups first, the uid last")                \
	X(CHDIR, COMMAND, "chdir", "", "goes to the directory",                                                       \
	  "path_resolution(7): the new process looks it up, in the mounts of the box")                                \
	X(DROP_CAPS, COMMAND, "drop-caps", "prctl(PR_CAP_AMBIENT_LOWER), capset(inheritable)",                        \
	  "gives the set-up's rights back",                                                                           \
	  "capabilities(7): the command has no ambient capability that the caller had not")                           \
	X(LIMIT_CAPS, COMMAND, "limit-caps", "", "has no more rights than the process",                               \
	  "user_namespaces(7): who enters one has all capabilities in it")                                            \
	X(FOLLOW, COMMAND, "follow", "", "dies with its parent",                                                      \
	  "prctl(2): PR_SET_PDEATHSIG, which a change of ids clears")                                                 \
	X(CLOSE_FDS, COMMAND, "close-fds", "", "closes what the command is not to have",                              \
	  "execve(2): descriptors stay open across an exec unless they are marked")                                   \
	X(SIGNALS, COMMAND, "signals", "rt_sigprocmask(SIG_SETMASK)", "puts the caller's signal mask back",           \
	  "signal(7): mask and ignored signals survive exec")                                                         \
	X(EXEC, COMMAND, "exec", "", "becomes the command",                                                           \
	  "execve(2): another program in the same process; the PID stays")

#define STEP_ENUM(op, side, name, call, does, rule) STEP_##op,
enum step_op { STEPS(STEP_ENUM) STEP_MAX_ };
#undef STEP_ENUM

struct step_row {
	enum pidbox_side side;
	const char *name;
};
extern const struct step_row step_rows[STEP_MAX_];

/* For people. In a file of its own: the init, which is copied at every start, says nothing of this. */
struct step_words {
	const char *call, *does, *rule;
};
extern const struct step_words step_words[STEP_MAX_];

/* Flags of single steps, in wire_step.flags. */
enum {
	STEP_MAP_DENY_SETGROUPS = 1, /* map-ids: give up setgroups first */
	STEP_CHECKPOINT_SPEAKS = 1,  /* checkpoint: the front waits for a word before it writes the maps */
	STEP_PROC_AUTO = 1,          /* mount-proc: a refusal is a warning */
	STEP_USER_KEEP_GROUPS = 1,   /* user, become: the caller's groups are the user's */
	STEP_SESSION_APART = 1,      /* session: what the group that it leaves has got is not for it */
	STEP_SESSION_TRY = 2,        /* session: without a terminal, if it is another session's */
	STEP_EXEC_SHELL = 1,         /* exec: a file that is no program is a script of sh, as execvp(3) has it */
	STEP_LIMIT_NO_NEW = 1,       /* limit-caps: no_new_privs */
	STEP_LIMIT_NO_AMBIENT = 2,   /* limit-caps: for another user than the process's */
};

#endif
