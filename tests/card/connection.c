/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to and from the reader; see connection.h. */
#include "card/connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int connection_connect(struct connection *connection, const struct sockaddr_in *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1;
	int r;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno
										: 0;
	if (r < 0 && r != -EINPROGRESS) {
		close(fd);
		return r;
	}
	connection->fd = fd;
	connection->connecting = r < 0;
	connection->introduced = false;
	bytes_clear(&connection->received);
	bytes_clear(&connection->unsent);
	return 0;
}

void connection_close(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	connection->connecting = false;
	bytes_clear(&connection->received);
	bytes_clear(&connection->unsent);
}

void connection_free(struct connection *connection)
{
	connection_close(connection);
	bytes_free(&connection->received);
	bytes_free(&connection->unsent);
}

short connection_events(const struct connection *connection)
{
	if (connection->connecting)
		return POLLOUT;
	return (short)(POLLIN | (connection->unsent.len ? POLLOUT : 0));
}

static int connection_finish_connect(struct connection *connection)
{
	int fault = 0;
	socklen_t len = sizeof(fault);

	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &fault, &len) < 0)
		return -errno;
	connection->connecting = fault != 0;
	return -fault;
}

int connection_flush(struct connection *connection)
{
	ssize_t sent;

	if (connection->unsent.len == 0)
		return 0;
	sent = send(connection->fd, connection->unsent.data, connection->unsent.len,
		    MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	bytes_drop(&connection->unsent, (size_t)sent);
	return 0;
}

static int connection_receive(struct connection *connection)
{
	uint8_t chunk[4096];
	const int one = 1;
	ssize_t got = recv(connection->fd, chunk, sizeof(chunk), 0);

	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (got == 0)
		return -EPIPE;
	/* The driver writes length and data apart: without this each APDU waits 40 ms. */
	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	bytes_add(&connection->received, chunk, (size_t)got);
	return 0;
}

int connection_process(struct connection *connection, short revents)
{
	int r;

	if (connection->connecting)
		return revents ? connection_finish_connect(connection) : 0;
	r = connection_flush(connection);
	if (r == 0 && (revents & (POLLIN | POLLHUP | POLLERR)))
		r = connection_receive(connection);
	return r;
}
