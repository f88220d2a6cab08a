/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into hygied: kills it at a call between the card's answer to a login (the
 * helper's DONE) and the keeper's OPENED. The file ARMED holds the number of that call,
 * 0 for none; how many there were is written to COUNT. A test instrument: never installed.
 */
#include "libhygie/protocol.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARMED "/run/hygie/kill-at"
#define COUNT "/run/hygie/kill-count"

static long wanted, count;
static bool counts;

static void begin(void)
{
	char text[16] = "";
	int fd = open(ARMED, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	counts = read(fd, text, sizeof(text) - 1) > 0;
	(void)close(fd);
	(void)unlink(ARMED);
	wanted = strtol(text, NULL, 10);
	count = 0;
}

static void end(void)
{
	FILE *file = fopen(COUNT ".new", "we");

	counts = false;
	if (!file)
		abort();
	(void)fprintf(file, "%ld\n", count);
	(void)fclose(file);
	if (rename(COUNT ".new", COUNT) < 0)
		abort();
}

static void step(void)
{
	if (counts && ++count == wanted)
		(void)raise(SIGKILL);
}

static void look_at(const unsigned char *message, ssize_t size)
{
	unsigned type = size >= 8 ? (unsigned)message[2] << 8 | message[3] : 0;

	if (type == WIRE_REPORT_DONE)
		begin();
	else if (counts && type == WIRE_KEEPER_OPENED)
		end();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
	ssize_t got = REAL(recv)(fd, buffer, size, flags);

	if (!(flags & MSG_PEEK))
		look_at(buffer, got);
	step();
	return got;
}

ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
	step();
	return REAL(send)(fd, buffer, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	step();
	return REAL(sendmsg)(fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	step();
	return REAL(recvmsg)(fd, message, flags);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	step();
	return REAL(connect)(fd, address, size);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	step();
	return REAL(epoll_wait)(fd, events, max, timeout);
}
