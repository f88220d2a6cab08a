/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to and from the vpcd driver; see vpcd.h. */
#include "card/vpcd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int vpcd_connect(struct vpcd *vpcd, const struct sockaddr_in *address)
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
	vpcd->fd = fd;
	vpcd->connecting = r < 0;
	bytes_clear(&vpcd->received);
	bytes_clear(&vpcd->unsent);
	return 0;
}

void vpcd_close(struct vpcd *vpcd)
{
	if (vpcd->fd >= 0)
		close(vpcd->fd);
	vpcd->fd = -1;
	vpcd->connecting = false;
	bytes_clear(&vpcd->received);
	bytes_clear(&vpcd->unsent);
}

/* The driver fails only if the connection is reset between an answer's length and its
 * data. */
void vpcd_break_off(struct vpcd *vpcd)
{
	const struct linger at_once = { .l_onoff = 1 };

	if (vpcd->fd >= 0) {
		(void)send(vpcd->fd, "\0\2", 2, MSG_NOSIGNAL);
		(void)setsockopt(vpcd->fd, SOL_SOCKET, SO_LINGER, &at_once,
				 sizeof(at_once));
	}
	vpcd_close(vpcd);
}

void vpcd_free(struct vpcd *vpcd)
{
	vpcd_close(vpcd);
	bytes_free(&vpcd->received);
	bytes_free(&vpcd->unsent);
}

short vpcd_events(const struct vpcd *vpcd)
{
	if (vpcd->connecting)
		return POLLOUT;
	return (short)(POLLIN | (vpcd->unsent.len ? POLLOUT : 0));
}

static int vpcd_finish_connect(struct vpcd *vpcd)
{
	int fault = 0;
	socklen_t len = sizeof(fault);

	if (getsockopt(vpcd->fd, SOL_SOCKET, SO_ERROR, &fault, &len) < 0)
		return -errno;
	vpcd->connecting = fault != 0;
	return -fault;
}

static int vpcd_flush(struct vpcd *vpcd)
{
	ssize_t sent;

	if (vpcd->unsent.len == 0)
		return 0;
	sent = send(vpcd->fd, vpcd->unsent.data, vpcd->unsent.len, MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	bytes_drop(&vpcd->unsent, (size_t)sent);
	return 0;
}

static int vpcd_receive(struct vpcd *vpcd)
{
	uint8_t chunk[4096];
	const int one = 1;
	ssize_t got = recv(vpcd->fd, chunk, sizeof(chunk), 0);

	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (got == 0)
		return -EPIPE;
	/* The driver writes length and data apart: without this each APDU waits 40 ms. */
	(void)setsockopt(vpcd->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	bytes_add(&vpcd->received, chunk, (size_t)got);
	return 0;
}

int vpcd_process(struct vpcd *vpcd, short revents)
{
	int r;

	if (vpcd->connecting)
		return revents ? vpcd_finish_connect(vpcd) : 0;
	r = vpcd_flush(vpcd);
	if (r == 0 && (revents & (POLLIN | POLLHUP | POLLERR)))
		r = vpcd_receive(vpcd);
	return r;
}

bool vpcd_take_frame(struct vpcd *vpcd, struct bytes *ret_frame)
{
	const struct bytes *in = &vpcd->received;
	size_t len;

	if (in->len < 2)
		return false;
	len = (size_t)in->data[0] << 8 | in->data[1];
	if (in->len < 2 + len)
		return false;
	bytes_add(ret_frame, in->data + 2, len);
	bytes_drop(&vpcd->received, 2 + len);
	return true;
}

int vpcd_send_frame(struct vpcd *vpcd, const struct bytes *frame)
{
	if (frame->len > 0xffff)
		return -EMSGSIZE;
	bytes_add_u16(&vpcd->unsent, (unsigned)frame->len);
	bytes_add(&vpcd->unsent, frame->data, frame->len);
	return vpcd_flush(vpcd);
}
