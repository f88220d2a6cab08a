/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a PAM application: it makes the moments long in which another thread or
 * process may come between two calls of pam_hygie.so. The calls themselves are the real
 * ones, with the arguments that they were given.
 *
 *	GAP_SEND=N      before its N-th send() the fifo GAP_TOLD is opened and closed for
 *	                writing, and GAP_GO is read to its end
 *	GAP_PRINT=1     right before and after each of its connect() calls the program
 *	                prints to descriptors 0, 1 and 2
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

static int is_from_module(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && info.dli_fname &&
	       strstr(info.dli_fname, "pam_hygie.so");
}

static void wait_for_the_test(void)
{
	int fd = open(getenv("GAP_TOLD"), O_WRONLY | O_CLOEXEC);
	char byte;

	(void)close(fd);
	fd = open(getenv("GAP_GO"), O_RDONLY | O_CLOEXEC);
	while (read(fd, &byte, 1) > 0)
		;
	(void)close(fd);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	static int calls;
	const char *wanted = getenv("GAP_SEND");

	if (wanted && is_from_module(CALLER) && ++calls == atoi(wanted))
		wait_for_the_test();
	return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

static void print_everywhere(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)syscall(SYS_write, fd, "meanwhile\n", strlen("meanwhile\n"));
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int print = getenv("GAP_PRINT") && is_from_module(CALLER);
	int r, error;

	if (print)
		print_everywhere();
	r = (int)syscall(SYS_connect, fd, address, size);
	error = errno;
	if (print)
		print_everywhere();
	errno = error;
	return r;
}
