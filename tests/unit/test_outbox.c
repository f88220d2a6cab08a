/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a slow peer has no room for waits, in order and within a limit.
 */
#include "hygied/outbox.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int link_ends[2];

static int connect_ends(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			  link_ends);
}

static int close_ends(void **state)
{
	(void)state;
	(void)close(link_ends[0]);
	(void)close(link_ends[1]);
	return 0;
}

static struct wire_message *numbered(uint32_t number)
{
	struct wire_message *message;

	assert_int_equal(wire_message_new(0x0205, &message), 0);
	wire_add_u32(message, 1, number);
	return message;
}

static void add(struct outbox *outbox, uint32_t number)
{
	struct wire_message *message = numbered(number);

	assert_int_equal(outbox_add(outbox, message), 0);
	wire_message_free(message);
}

static void take(uint32_t number)
{
	struct wire_message *message;
	uint32_t found;

	assert_int_equal(wire_receive(link_ends[1], &message), 0);
	assert_int_equal(wire_get_u32(message, 1, &found), 0);
	assert_int_equal(found, number);
	wire_message_free(message);
}

static void messages_go_out_whole_and_in_order(void **state)
{
	struct outbox outbox = { .first = NULL };

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		add(&outbox, i);
	assert_int_equal(outbox_flush(&outbox, link_ends[0]), 0);
	assert_null(outbox.first);
	assert_int_equal(outbox.size, 0);
	for (uint32_t i = 0; i < 3; i++)
		take(i);
	add(&outbox, 7);
	assert_int_equal(outbox_flush(&outbox, link_ends[0]), 0);
	take(7);
}

static void what_the_socket_has_no_room_for_stays(void **state)
{
	struct outbox outbox = { .first = NULL };
	const uint32_t many = 2000;
	uint32_t taken = 0;

	(void)state;
	for (uint32_t i = 0; i < many; i++)
		add(&outbox, i);
	assert_int_equal(outbox_flush(&outbox, link_ends[0]), -EAGAIN);
	assert_non_null(outbox.first);
	while (taken < many) {
		int r = outbox_flush(&outbox, link_ends[0]);

		assert_true(r == 0 || r == -EAGAIN);
		take(taken++);
	}
	assert_null(outbox.first);
}

static void limit_is_kept(void **state)
{
	struct outbox outbox = { .first = NULL };
	struct wire_message *message = numbered(1);
	uint8_t block[60000] = { 0 };
	int r;

	(void)state;
	wire_add_bytes(message, 2, block, sizeof(block));
	do {
		r = outbox_add(&outbox, message);
	} while (r == 0);
	assert_int_equal(r, -ENOBUFS);
	assert_true(outbox.size <= OUTBOX_MAX &&
		    outbox.size > OUTBOX_MAX - 2 * sizeof(block));
	outbox_clear(&outbox);
	assert_int_equal(outbox.size, 0);
	assert_int_equal(outbox_add(&outbox, message), 0);
	outbox_clear(&outbox);
	wire_message_free(message);
}

static void message_that_could_not_be_filled_is_not_kept(void **state)
{
	struct outbox outbox = { .first = NULL };
	struct wire_message *message = numbered(1);
	static const uint8_t block[WIRE_MESSAGE_MAX];

	(void)state;
	wire_add_bytes(message, 2, block, sizeof(block));
	assert_int_equal(outbox_add(&outbox, message), -EMSGSIZE);
	assert_null(outbox.first);
	wire_message_free(message);
}

static void peer_that_has_gone_is_told(void **state)
{
	struct outbox outbox = { .first = NULL };

	(void)state;
	add(&outbox, 1);
	assert_int_equal(shutdown(link_ends[1], SHUT_RDWR), 0);
	assert_int_equal(outbox_flush(&outbox, link_ends[0]), -EPIPE);
	outbox_clear(&outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_go_out_whole_and_in_order,
						connect_ends, close_ends),
		cmocka_unit_test_setup_teardown(what_the_socket_has_no_room_for_stays,
						connect_ends, close_ends),
		cmocka_unit_test(limit_is_kept),
		cmocka_unit_test(message_that_could_not_be_filled_is_not_kept),
		cmocka_unit_test_setup_teardown(peer_that_has_gone_is_told, connect_ends,
						close_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
