/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into hygied: the thread that removes a file called "stall-here" waits before
 * it, as a slow disk would have it wait. It opens the fifo that the environment's
 * HYGIE_STALL names, and goes on when all who write there have closed it. A test
 * instrument: never installed.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void stall(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while (read(fd, &byte, 1) > 0)
		;
	(void)close(fd);
}

int unlinkat(int fd, const char *path, int flags)
{
	static int (*real)(int, const char *, int);
	const char *fifo = getenv("HYGIE_STALL");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "unlinkat");
	if (fifo && strcmp(path, "stall-here") == 0)
		stall(fifo);
	return real(fd, path, flags);
}
