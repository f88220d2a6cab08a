/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to and from QEMU's reader; see vscard.h. */
#include "card/vscard.h"

#include <stdint.h>
#include <string.h>

#define HEAD_LEN 12
#define VERSION 2
#define READER 0 /* there is one on a connection */

enum vscard_type {
	VSCARD_INIT = 1,
	VSCARD_READER_ADD = 3,
	VSCARD_ATR = 5,
	VSCARD_CARD_REMOVE = 6,
	VSCARD_APDU = 7,
};

static void add_u32(struct bytes *bytes, uint32_t value)
{
	bytes_add_u16(bytes, value >> 16);
	bytes_add_u16(bytes, value & 0xffff);
}

static uint32_t read_u32(const uint8_t *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 |
	       (uint32_t)data[2] << 8 | data[3];
}

static void add_message(struct bytes *unsent, enum vscard_type type, const void *data,
			size_t len)
{
	add_u32(unsent, type);
	add_u32(unsent, READER);
	add_u32(unsent, (uint32_t)len);
	bytes_add(unsent, data, len);
}

static void introduce(struct connection *connection)
{
	static const char reader[] = "piv-card";
	static const char magic[4] = { 'V', 'S', 'C', 'D' };
	cleanup_bytes struct bytes init = { 0 };

	bytes_add(&init, magic, sizeof(magic));
	add_u32(&init, VERSION);
	add_u32(&init, 0); /* no capabilities */
	add_message(&connection->unsent, VSCARD_INIT, init.data, init.len);
	add_message(&connection->unsent, VSCARD_READER_ADD, reader, sizeof(reader));
	connection->introduced = true;
}

static int vscard_put_in(struct connection *connection, const struct bytes *atr)
{
	if (!connection->introduced)
		introduce(connection);
	add_message(&connection->unsent, VSCARD_ATR, atr->data, atr->len);
	return connection_flush(connection);
}

/* A command that waits for its answer fails in the guest. */
static void vscard_pull(struct connection *connection, bool commanded)
{
	(void)commanded;
	if (!connection->introduced) {
		connection_close(connection);
		return;
	}
	add_message(&connection->unsent, VSCARD_CARD_REMOVE, NULL, 0);
	if (connection_flush(connection) < 0)
		connection_close(connection);
}

static bool vscard_take(struct connection *connection, enum driver_order *ret_order,
			struct bytes *ret_command)
{
	const struct bytes *in = &connection->received;
	size_t len;

	if (in->len < HEAD_LEN)
		return false;
	len = read_u32(in->data + 8);
	if (in->len - HEAD_LEN < len)
		return false;
	*ret_order = DRIVER_NOTHING;
	if (read_u32(in->data) == VSCARD_APDU && len > 0) {
		*ret_order = DRIVER_COMMAND;
		bytes_add(ret_command, in->data + HEAD_LEN, len);
	}
	bytes_drop(&connection->received, HEAD_LEN + len);
	return true;
}

static int vscard_answer(struct connection *connection, const struct bytes *answer)
{
	add_message(&connection->unsent, VSCARD_APDU, answer->data, answer->len);
	return connection_flush(connection);
}

/*
 * QEMU 7.2: after an answer that is one whole USB packet (64 bytes: a head of 10, the data,
 * a status word) the guest gets an empty one, which it takes for the answer to the next
 * command.
 */
#define AVOIDED (64 - 10 - 2)

const struct driver vscard_driver = {
	.avoided = AVOIDED,
	.put_in = vscard_put_in,
	.pull = vscard_pull,
	.take = vscard_take,
	.answer = vscard_answer,
};
