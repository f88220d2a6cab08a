/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page, and wrappers of what all three programs call: the C library.
 */
#include "fault/fault.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_PATH "/run/hygie-fault"

enum who { WHO_DAEMON = 1, WHO_TOKEN, WHO_MODULE };

struct page {
	_Atomic uint32_t armed;
	_Atomic uint32_t who;
	_Atomic uint32_t turn;  /* the call that fails, from 1 */
	_Atomic uint32_t calls; /* so far */
	_Atomic uint32_t fired;
	char name[64]; /* of the function that failed */
};

static struct page *page;
static uint32_t own;

__attribute__((constructor)) static void page_map(void)
{
	int fd = open(PAGE_PATH, O_RDWR | O_CLOEXEC);
	void *mapped;

	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	(void)close(fd);
	if (mapped == MAP_FAILED)
		return;
#ifdef FAULT_MODULE
	own = WHO_MODULE;
#else
	own = strcmp(program_invocation_short_name, "hygied") == 0 ? WHO_DAEMON
								   : WHO_TOKEN;
#endif
	page = mapped;
}

bool fault_due(const char *name)
{
	if (!page || !page->armed || page->who != own)
		return false;
	if (atomic_fetch_add(&page->calls, 1) + 1 != page->turn)
		return false;
	(void)strncpy(page->name, name, sizeof(page->name) - 1);
	page->fired = 1;
	return true;
}

FAULT(void *, malloc, (size_t size), (size), NULL, ENOMEM)
FAULT(void *, calloc, (size_t count, size_t size), (count, size), NULL, ENOMEM)
FAULT(void *, realloc, (void *old, size_t size), (old, size), NULL, ENOMEM)
FAULT(char *, strdup, (const char *text), (text), NULL, ENOMEM)
FAULT(char *, strndup, (const char *text, size_t size), (text, size), NULL, ENOMEM)
FAULT(void *, mmap,
      (void *address, size_t size, int protection, int flags, int fd, off_t offset),
      (address, size, protection, flags, fd, offset), MAP_FAILED, ENOMEM)
FAULT(int, mlock, (const void *address, size_t size), (address, size), -1, EAGAIN)
FAULT(int, madvise, (void *address, size_t size, int advice), (address, size, advice), -1,
      EINVAL)
FAULT(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1,
      EMFILE)
FAULT(int, socketpair, (int domain, int type, int protocol, int fds[2]),
      (domain, type, protocol, fds), -1, EMFILE)
FAULT(int, connect, (int fd, const struct sockaddr *address, socklen_t size),
      (fd, address, size), -1, ECONNREFUSED)
FAULT(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
      (fd, address, size, flags), -1, EMFILE)
FAULT(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
      (fd, level, name, value, size), -1, ENOBUFS)
FAULT(ssize_t, send, (int fd, const void *bytes, size_t size, int flags),
      (fd, bytes, size, flags), -1, ENOBUFS)
FAULT(ssize_t, recv, (int fd, void *bytes, size_t size, int flags),
      (fd, bytes, size, flags), -1, ENOMEM)
FAULT(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size), -1, EIO)
FAULT(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), -1,
      EIO)
FAULT(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout),
      -1, ENOMEM)
FAULT(int, dup2, (int from, int to), (from, to), -1, EMFILE)
FAULT(int, pipe2, (int fds[2], int flags), (fds, flags), -1, EMFILE)
FAULT(int, eventfd, (unsigned value, int flags), (value, flags), -1, EMFILE)
FAULT(int, fstat, (int fd, struct stat *status), (fd, status), -1, EIO)
FAULT(ssize_t, getrandom, (void *bytes, size_t size, unsigned flags),
      (bytes, size, flags), -1, EIO)
FAULT(int, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit),
      (resource, limit), -1, EPERM)
FAULT(int, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit),
      (resource, limit), -1, EPERM)
FAULT(int, execve, (const char *path, char *const arguments[], char *const environment[]),
      (path, arguments, environment), -1, EACCES)

/* Those with a variable number of arguments: the third is passed on as it came. */
#define FAULT_VARIADIC(name, first_type, second_type)                                    \
	int __real_##name(first_type first, second_type second, ...);                    \
	int __wrap_##name(first_type first, second_type second, ...);                    \
	int __wrap_##name(first_type first, second_type second, ...)                     \
	{                                                                                \
		va_list arguments;                                                       \
		long third;                                                              \
                                                                                         \
		if (fault_due(#name)) {                                                  \
			errno = EMFILE;                                                  \
			return -1;                                                       \
		}                                                                        \
		va_start(arguments, second);                                             \
		third = va_arg(arguments, long);                                         \
		va_end(arguments);                                                       \
		return __real_##name(first, second, third);                              \
	}

FAULT_VARIADIC(open, const char *, int)
FAULT_VARIADIC(fcntl, int, int)
