/* SPDX-License-Identifier: Apache-2.0 */
/* err - what went wrong, as the one line the host will show. */
#include "guest-init/err.h"

#include <asm/errno.h>

#include "guest-init/str.h"

/* clang-format off */
static const struct {
	int code;
	const char *words;
} words[] = {
	{ EPERM, "Operation not permitted" },
	{ ENOENT, "No such file or directory" },
	{ ESRCH, "No such process" },
	{ EINTR, "Interrupted system call" },
	{ EIO, "Input/output error" },
	{ ENXIO, "No such device or address" },
	{ E2BIG, "Argument list too long" },
	{ ENOEXEC, "Exec format error" },
	{ EBADF, "Bad file descriptor" },
	{ ECHILD, "No child processes" },
	{ EAGAIN, "Resource temporarily unavailable" },
	{ ENOMEM, "Cannot allocate memory" },
	{ EACCES, "Permission denied" },
	{ EFAULT, "Bad address" },
	{ ENOTBLK, "Block device required" },
	{ EBUSY, "Device or resource busy" },
	{ EEXIST, "File exists" },
	{ EXDEV, "Invalid cross-device link" },
	{ ENODEV, "No such device" },
	{ ENOTDIR, "Not a directory" },
	{ EISDIR, "Is a directory" },
	{ EINVAL, "Invalid argument" },
	{ ENFILE, "Too many open files in system" },
	{ EMFILE, "Too many open files" },
	{ ENOTTY, "Inappropriate ioctl for device" },
	{ ETXTBSY, "Text file busy" },
	{ EFBIG, "File too large" },
	{ ENOSPC, "No space left on device" },
	{ ESPIPE, "Illegal seek" },
	{ EROFS, "Read-only file system" },
	{ EMLINK, "Too many links" },
	{ EPIPE, "Broken pipe" },
	{ ERANGE, "Numerical result out of range" },
	{ ENAMETOOLONG, "File name too long" },
	{ ENOSYS, "Function not implemented" },
	{ ENOTEMPTY, "Directory not empty" },
	{ ELOOP, "Too many levels of symbolic links" },
	{ ENODATA, "No data available" },
	{ EPROTO, "Protocol error" },
	{ EOVERFLOW, "Value too large for defined data type" },
	{ ELIBBAD, "Accessing a corrupted shared library" },
	{ EUSERS, "Too many users" },
	{ EOPNOTSUPP, "Operation not supported" },
	{ EADDRINUSE, "Address already in use" },
	{ ENETUNREACH, "Network is unreachable" },
	{ ECONNRESET, "Connection reset by peer" },
	{ ENOTCONN, "Transport endpoint is not connected" },
	{ ETIMEDOUT, "Connection timed out" },
	{ ECONNREFUSED, "Connection refused" },
	{ EHOSTUNREACH, "No route to host" },
	{ ESTALE, "Stale file handle" },
	{ EDQUOT, "Disk quota exceeded" },
	{ ECANCELED, "Operation canceled" },
};
/* clang-format on */

const char *err_words(int code)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].code == code)
			return words[i].words;
	return NULL;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	va_start(ap, fmt);
	str_vfmt(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -code;
}

int err_sys(struct err *e, long rc, const char *fmt, ...)
{
	const char *w = err_words((int)-rc);
	char tail[48];
	size_t n, room;
	va_list ap;

	if (w != NULL)
		str_fmt(tail, sizeof(tail), ": %s", w);
	else
		str_fmt(tail, sizeof(tail), ": Unknown error %ld", -rc);
	/* A long path must not push out the words that engines look for. */
	room = sizeof(e->text) - str_len(tail);
	va_start(ap, fmt);
	n = str_vfmt(e->text, room, fmt, ap);
	va_end(ap);
	str_fmt(e->text + n, sizeof(e->text) - n, "%s", tail);
	e->code = (int)-rc;
	return (int)rc;
}
