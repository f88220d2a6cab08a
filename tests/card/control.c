/* SPDX-License-Identifier: Apache-2.0 */
/* The clients of the control socket; see control.h. */
#include "card/control.h"

#include "card/orders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_LEN 4096

int control_open(struct control *control, const char *path, struct reader *reader,
		 const struct piv_defaults *defaults)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	*control = (struct control){ .reader = reader, .defaults = defaults };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (control->fd < 0)
		return -errno;
	(void)unlink(path);
	if (bind(control->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(control->fd, CONTROL_CLIENTS) < 0)
		return -errno;
	return 0;
}

static void client_close(struct control_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	bytes_free(&client->received);
	bytes_free(&client->unsent);
	*client = (struct control_client){ .fd = -1 };
}

void control_close(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		client_close(&control->clients[i]);
	close(control->fd);
}

size_t control_poll(const struct control *control, struct pollfd *polls)
{
	polls[0] = (struct pollfd){ .fd = control->fd, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct control_client *client = &control->clients[i];

		polls[1 + i] = (struct pollfd){ .fd = client->fd, .events = POLLIN };
		if (client->unsent.len)
			polls[1 + i].events |= POLLOUT;
	}
	return 1 + CONTROL_CLIENTS;
}

static void control_accept(struct control *control)
{
	int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd >= 0)
			continue;
		control->clients[i].fd = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void client_flush(struct control_client *client)
{
	ssize_t sent;

	if (client->fd < 0 || client->unsent.len == 0)
		return;
	sent = send(client->fd, client->unsent.data, client->unsent.len, MSG_NOSIGNAL);
	if (sent > 0)
		bytes_drop(&client->unsent, (size_t)sent);
	else if (sent < 0 && errno != EAGAIN)
		client_close(client);
}

static void client_receive(struct control_client *client)
{
	char chunk[1024];
	ssize_t got = recv(client->fd, chunk, sizeof(chunk), 0);

	if (got > 0)
		bytes_add(&client->received, chunk, (size_t)got);
	else if (got == 0 || errno != EAGAIN)
		client_close(client);
	if (client->received.len > LINE_MAX_LEN)
		client_close(client);
}

/* One order at a time: the next line stays unread while the client waits. */
static void client_orders(struct control *control, struct control_client *client)
{
	char line[LINE_MAX_LEN + 1];

	while (client->fd >= 0 && client->wait.what == WAIT_NOTHING &&
	       client->received.len) {
		const struct bytes *in = &client->received;
		const uint8_t *end = memchr(in->data, '\n', in->len);
		size_t len;

		if (!end)
			return;
		len = (size_t)(end - in->data);
		memcpy(line, in->data, len);
		line[len] = 0;
		bytes_drop(&client->received, len + 1);
		order_perform(control, line, &client->wait, &client->unsent);
	}
}

void control_process(struct control *control, const struct pollfd *polls)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0 &&
		    (polls[1 + i].revents & (POLLIN | POLLHUP | POLLERR)))
			client_receive(client);
		client_orders(control, client);
		client_flush(client);
	}
	if (polls[0].revents & POLLIN)
		control_accept(control);
}

void control_wake(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd < 0 || client->wait.what == WAIT_NOTHING)
			continue;
		if (!order_waited(control->reader, &client->wait, &client->unsent))
			continue;
		client->wait.what = WAIT_NOTHING;
		client_orders(control, client);
		client_flush(client);
	}
}

uint64_t control_due_us(const struct control *control)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		const struct wait *wait = &control->clients[i].wait;

		if (wait->what != WAIT_NOTHING && wait->until_us < due)
			due = wait->until_us;
	}
	return due;
}
