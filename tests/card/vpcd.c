/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to and from the vpcd driver; see vpcd.h. */
#include "card/vpcd.h"

#include <errno.h>
#include <sys/socket.h>

enum vpcd_control {
	VPCD_POWER_OFF = 0,
	VPCD_POWER_ON = 1,
	VPCD_RESET = 2,
	VPCD_ATR = 4, /* to be answered by a frame; asked every 400 ms */
};

/* Nothing is said: being connected is enough. */
static int vpcd_put_in(struct connection *connection, const struct bytes *atr)
{
	(void)connection;
	(void)atr;
	return 0;
}

/*
 * The driver fails only if the connection is reset between an answer's length and its
 * data. An orderly end while it waits for the answer to an APDU it would report to its
 * client as a success with an empty answer, which no reader does.
 */
static void vpcd_break_off(struct connection *connection)
{
	const struct linger at_once = { .l_onoff = 1 };

	if (connection->fd < 0)
		return;
	(void)send(connection->fd, "\0\2", 2, MSG_NOSIGNAL);
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once,
			 sizeof(at_once));
}

static void vpcd_pull(struct connection *connection, bool commanded)
{
	if (commanded)
		vpcd_break_off(connection);
	connection_close(connection);
}

static enum driver_order vpcd_order(unsigned control)
{
	switch (control) {
	case VPCD_POWER_OFF:
		return DRIVER_POWER_OFF;
	case VPCD_POWER_ON:
		return DRIVER_POWER_ON;
	case VPCD_RESET:
		return DRIVER_RESET;
	case VPCD_ATR:
		return DRIVER_ASK_ATR;
	default:
		return DRIVER_NOTHING;
	}
}

static bool vpcd_take(struct connection *connection, enum driver_order *ret_order,
		      struct bytes *ret_command)
{
	const struct bytes *in = &connection->received;
	size_t len;

	if (in->len < 2)
		return false;
	len = (size_t)in->data[0] << 8 | in->data[1];
	if (in->len < 2 + len)
		return false;
	if (len > 1) {
		*ret_order = DRIVER_COMMAND;
		bytes_add(ret_command, in->data + 2, len);
	} else {
		*ret_order = len == 1 ? vpcd_order(in->data[2]) : DRIVER_NOTHING;
	}
	bytes_drop(&connection->received, 2 + len);
	return true;
}

/* Length and data in one write. */
static int vpcd_answer(struct connection *connection, const struct bytes *answer)
{
	if (answer->len > 0xffff)
		return -EMSGSIZE;
	bytes_add_u16(&connection->unsent, (unsigned)answer->len);
	bytes_add(&connection->unsent, answer->data, answer->len);
	return connection_flush(connection);
}

const struct driver vpcd_driver = {
	.asks = true,
	.tells_power = true,
	.put_in = vpcd_put_in,
	.pull = vpcd_pull,
	.take = vpcd_take,
	.answer = vpcd_answer,
};
