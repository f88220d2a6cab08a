/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into hygie or hygied: sends it a signal at a call that changes files, or says
 * something to somebody. The file that the environment's HYGIE_HALT names holds "CALL
 * SIGNAL"; it is taken away when it is read, and the calls are counted from then on (CALL
 * 0: none is the one). How many there were is in the file of that name with ".count". A
 * test instrument: never installed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static long wanted = -1, count;
static int how;

/* By the kernel alone: the functions below are ours. */
static long ask(const char *path, char *text, size_t size)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), n;

	if (fd < 0)
		return -1;
	n = syscall(SYS_read, fd, text, size);
	(void)syscall(SYS_close, fd);
	(void)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	return n;
}

static void tell(const char *path)
{
	char name[256], text[32];
	long fd;

	(void)snprintf(name, sizeof(name), "%s.count", path);
	fd = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)snprintf(text, sizeof(text), "%-20ld\n", count);
	(void)syscall(SYS_pwrite64, fd, text, strlen(text), 0);
	(void)syscall(SYS_close, fd);
}

static void step(void)
{
	const char *path = getenv("HYGIE_HALT");
	char text[32] = "";

	if (path && ask(path, text, sizeof(text) - 1) > 0) {
		char *end;

		wanted = strtol(text, &end, 10);
		how = (int)strtol(end, NULL, 10);
		count = 0;
	}
	if (!path || wanted < 0)
		return;
	count++;
	tell(path);
	if (count == wanted)
		(void)raise(how);
}

#define HALT(type, name, parameters, arguments)                                          \
	type name parameters                                                             \
	{                                                                                \
		static type(*real) parameters;                                           \
		if (!real)                                                               \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                       \
		step();                                                                  \
		return real arguments;                                                   \
	}

HALT(int, mkdir, (const char *path, mode_t mode), (path, mode))
HALT(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
HALT(int, mknodat, (int fd, const char *path, mode_t mode, dev_t device),
     (fd, path, mode, device))
HALT(int, unlink, (const char *path), (path))
HALT(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
HALT(int, rename, (const char *from, const char *to), (from, to))
HALT(int, renameat2,
     (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags))
HALT(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags))
HALT(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path))
HALT(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
HALT(int, fchmod, (int fd, mode_t mode), (fd, mode))
HALT(int, ftruncate, (int fd, off_t size), (fd, size))
HALT(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
HALT(int, fsetxattr,
     (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
HALT(int, fsync, (int fd), (fd))
HALT(int, syncfs, (int fd), (fd))
HALT(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
HALT(ssize_t, send, (int fd, const void *bytes, size_t size, int flags),
     (fd, bytes, size, flags))

/* The mode is there only where a file may be made. */
int openat(int fd, const char *path, int flags, ...)
{
	static int (*real)(int, const char *, int, ...);
	mode_t mode = 0;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "openat");
	if (flags & (O_CREAT | O_TMPFILE)) {
		va_list arguments;

		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
		step();
	}
	return real(fd, path, flags, mode);
}
