/* SPDX-License-Identifier: MIT */
/* Names of errors, apart from err.c, so that the init gets them without the formatting. */
#include "base/err.h"
#include "base/util.h"

#include <errno.h>

#define E(name) [name] = #name
static const char *const errno_names[] = {
	E(EPERM),         E(ENOENT),          E(ESRCH),        E(EINTR),        E(EIO),
	E(ENXIO),         E(E2BIG),           E(ENOEXEC),      E(EBADF),        E(ECHILD),
	E(EAGAIN),        E(ENOMEM),          E(EACCES),       E(EFAULT),       E(ENOTBLK),
	E(EBUSY),         E(EEXIST),          E(EXDEV),        E(ENODEV),       E(ENOTDIR),
	E(EISDIR),        E(EINVAL),          E(ENFILE),       E(EMFILE),       E(ENOTTY),
	E(ETXTBSY),       E(EFBIG),           E(ENOSPC),       E(ESPIPE),       E(EROFS),
	E(EMLINK),        E(EPIPE),           E(EDOM),         E(ERANGE),       E(EDEADLK),
	E(ENAMETOOLONG),  E(ENOLCK),          E(ENOSYS),       E(ENOTEMPTY),    E(ELOOP),
	E(EOVERFLOW),     E(EILSEQ),          E(EUSERS),       E(ENOTSOCK),     E(EMSGSIZE),
	E(EPROTO),        E(EPROTONOSUPPORT), E(EOPNOTSUPP),   E(EAFNOSUPPORT), E(EADDRINUSE),
	E(EADDRNOTAVAIL), E(ENETDOWN),        E(ENETUNREACH),  E(ECONNRESET),   E(ENOBUFS),
	E(ENOTCONN),      E(ETIMEDOUT),       E(ECONNREFUSED), E(EALREADY),     E(EINPROGRESS),
	E(ESTALE),        E(EDQUOT),          E(ECANCELED),    E(ELIBBAD),      E(ELIBACC),
	E(ENOKEY),        E(EREMOTE),         E(EBADFD),       E(ECONNABORTED), E(ENODATA),
	E(EBADMSG),       E(ENOMEDIUM),       E(EMEDIUMTYPE),
};
#undef E

const char *err_name(int errnum)
{
	if (errnum <= 0 || (size_t)errnum >= ARRAY_LEN(errno_names) || errno_names[errnum] == NULL)
		return "";
	return errno_names[errnum];
}

static const char *const code_names[PIDBOX_CODE_MAX_] = {
	[PIDBOX_CODE_NONE] = "",
	[PIDBOX_CODE_PROC_MASKED] = "PROC_MASKED",
	[PIDBOX_CODE_USERNS_DISABLED] = "USERNS_DISABLED",
	[PIDBOX_CODE_USERNS_APPARMOR] = "USERNS_APPARMOR",
	[PIDBOX_CODE_USERNS_SECCOMP] = "USERNS_SECCOMP",
	[PIDBOX_CODE_NEED_USERNS] = "NEED_USERNS",
	[PIDBOX_CODE_NS_LIMIT] = "NS_LIMIT",
	[PIDBOX_CODE_BOX_DEAD] = "BOX_DEAD",
	[PIDBOX_CODE_IDMAP] = "IDMAP",
	[PIDBOX_CODE_TTY] = "TTY",
	[PIDBOX_CODE_PID1_IGNORES_SIGNAL] = "PID1_IGNORES_SIGNAL",
	[PIDBOX_CODE_PROC_LIMIT] = "PROC_LIMIT",
	[PIDBOX_CODE_NOT_FOUND] = "NOT_FOUND",
	[PIDBOX_CODE_NO_SUCH_BOX] = "NO_SUCH_BOX",
	[PIDBOX_CODE_NAME_TAKEN] = "NAME_TAKEN",
	[PIDBOX_CODE_OWN_NAMESPACE] = "OWN_NAMESPACE",
	[PIDBOX_CODE_STATUS_UNKNOWN] = "STATUS_UNKNOWN",
	[PIDBOX_CODE_DENIED] = "DENIED",
	[PIDBOX_CODE_USAGE] = "USAGE",
};

const char *pidbox_code_name(enum pidbox_code code)
{
	return (unsigned)code < PIDBOX_CODE_MAX_ ? code_names[code] : "";
}
