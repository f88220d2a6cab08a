/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire: bytes as they must be, shapes that are refused, limits, and a peer that goes.
 */
#include "libhygie/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define TYPE 0x0102
#define LITERAL(text) (text), sizeof(text) - 1

static void pair_new(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void pair_close(const int fds[2])
{
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void message_has_the_bytes_of_the_format(void **state)
{
	static const char expected[] = "\x01\x00\x01\x02\x00\x00\x00\x1B"
				       "\x00\x10\x00\x03"
				       "bob"
				       "\x00\x05\x00\x04\x01\x02\x03\x04"
				       "\x00\x18\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08";
	cleanup_message struct wire_message *message = NULL;
	const uint8_t *bytes;
	size_t size;

	(void)state;
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	wire_add_string(message, 0x10, "bob");
	wire_add_u32(message, 5, 0x01020304);
	wire_add_u64(message, 0x18, UINT64_C(0x0102030405060708));
	bytes = wire_message_bytes(message, &size);
	assert_int_equal(size, sizeof(expected) - 1);
	assert_memory_equal(bytes, expected, size);
}

static void sent_message_arrives_whole(void **state)
{
	cleanup_message struct wire_message *sent = NULL, *received = NULL;
	cleanup_secret struct secret *pin = NULL, *copy = NULL;
	char string[8];
	uint64_t large;
	uint32_t number;
	int fds[2];

	(void)state;
	pair_new(fds);
	assert_int_equal(secret_new_from("2718", 4, &pin), 0);
	assert_int_equal(wire_message_new(TYPE, &sent), 0);
	wire_add_string(sent, 1, "zoé");
	wire_add_u32(sent, 2, 7);
	wire_add_u64(sent, 3, UINT64_MAX);
	wire_add_secret(sent, 4, pin);
	assert_int_equal(wire_send(fds[0], sent), 0);
	assert_int_equal(wire_receive(fds[1], &received), 0);
	assert_int_equal(wire_message_type(received), TYPE);
	assert_int_equal(wire_get_string(received, 1, string, sizeof(string)), 0);
	assert_string_equal(string, "zoé");
	assert_int_equal(wire_get_u32(received, 2, &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(wire_get_u64(received, 3, &large), 0);
	assert_true(large == UINT64_MAX);
	assert_int_equal(wire_get_secret(received, 4, &copy), 0);
	assert_int_equal(secret_size(copy), 4);
	assert_memory_equal(secret_bytes(copy), "2718", 4);
	pair_close(fds);
}

static void parsing_refuses_every_other_shape(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		int error;
	} samples[] = {
		{ LITERAL(""), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00"), -EBADMSG },
		{ LITERAL("\x00\x00\x01\x02\x00\x00\x00\x00"), -EPROTONOSUPPORT },
		{ LITERAL("\x02\x00\x01\x02\x00\x00\x00\x00"), -EPROTONOSUPPORT },
		{ LITERAL("\x01\x01\x01\x02\x00\x00\x00\x00"), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00\x01"), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00\x00\x00"), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\xFF\xFF\xFF\xFF"), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00\x03\x00\x01\x00"), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00\x04\x00\x01\x00\x01"), -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00\x05\x00\x01\xFF\xFFz"),
		  -EBADMSG },
		{ LITERAL("\x01\x00\x01\x02\x00\x00\x00\x05\x00\x01\x00\x00z"),
		  -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < array_size(samples); i++) {
		struct wire_message *message = NULL;

		assert_int_equal(wire_parse(samples[i].bytes, samples[i].size, &message),
				 samples[i].error);
		assert_null(message);
	}
}

static void every_beginning_of_a_message_is_refused(void **state)
{
	static const char whole[] = "\x01\x00\x01\x02\x00\x00\x00\x0A"
				    "\x00\x01\x00\x02zz"
				    "\x00\x02\x00\x00";
	struct wire_message *message = NULL;

	(void)state;
	for (size_t size = 0; size < sizeof(whole) - 1; size++)
		assert_int_equal(wire_parse(whole, size, &message), -EBADMSG);
	assert_int_equal(wire_parse(whole, sizeof(whole) - 1, &message), 0);
	wire_message_free(message);
}

static void absent_field_is_enoent(void **state)
{
	cleanup_message struct wire_message *message = NULL;
	struct secret *secret = NULL;
	const uint8_t *bytes;
	uint64_t large;
	uint32_t number;
	size_t size;
	char string[4];

	(void)state;
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	wire_add_string(message, 1, "x");
	assert_int_equal(wire_get_bytes(message, 2, &bytes, &size), -ENOENT);
	assert_int_equal(wire_get_string(message, 2, string, sizeof(string)), -ENOENT);
	assert_int_equal(wire_get_u32(message, 2, &number), -ENOENT);
	assert_int_equal(wire_get_u64(message, 2, &large), -ENOENT);
	assert_int_equal(wire_get_secret(message, 2, &secret), -ENOENT);
	assert_null(secret);
}

static void numbers_need_their_size(void **state)
{
	cleanup_message struct wire_message *message = NULL;
	uint64_t large;
	uint32_t number;

	(void)state;
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	wire_add_bytes(message, 1, "123", 3);
	wire_add_u64(message, 2, 1);
	wire_add_u32(message, 3, 1);
	assert_int_equal(wire_get_u32(message, 1, &number), -EBADMSG);
	assert_int_equal(wire_get_u32(message, 2, &number), -EBADMSG);
	assert_int_equal(wire_get_u64(message, 3, &large), -EBADMSG);
}

static void strings_need_utf8_without_nul_and_their_room(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		int error;
	} samples[] = {
		{ LITERAL("abc"), 0 },
		{ LITERAL("abcd"), -E2BIG },
		{ LITERAL("a\0b"), -EBADMSG },
		{ LITERAL("\xE9"), -EBADMSG },
		{ LITERAL("\xC0\x80"), -EBADMSG },
		{ LITERAL("\xED\xA0\x80"), -EBADMSG },
		{ LITERAL(""), 0 },
	};

	(void)state;
	for (size_t i = 0; i < array_size(samples); i++) {
		cleanup_message struct wire_message *message = NULL;
		char string[4] = "old";

		assert_int_equal(wire_message_new(TYPE, &message), 0);
		wire_add_bytes(message, 1, samples[i].bytes, samples[i].size);
		assert_int_equal(wire_get_string(message, 1, string, sizeof(string)),
				 samples[i].error);
		assert_string_equal(string, samples[i].error ? "old" : samples[i].bytes);
	}
}

static void first_of_two_fields_counts_and_both_are_walked(void **state)
{
	cleanup_message struct wire_message *message = NULL;
	struct wire_field field;
	uint32_t number, sum = 0;
	size_t cursor = 0;

	(void)state;
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	wire_add_u32(message, 1, 10);
	wire_add_u32(message, 1, 20);
	assert_int_equal(wire_get_u32(message, 1, &number), 0);
	assert_int_equal(number, 10);
	while (wire_next_field(message, &cursor, &field)) {
		assert_int_equal(wire_field_u32(&field, &number), 0);
		sum += number;
	}
	assert_int_equal(sum, 30);
	assert_false(wire_next_field(message, &cursor, &field));
}

static void largest_message_goes_and_a_byte_more_does_not(void **state)
{
	static const char filler[WIRE_MESSAGE_MAX + 1];
	const size_t most = WIRE_MESSAGE_MAX - WIRE_HEADER_SIZE - WIRE_FIELD_HEADER_SIZE;

	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		cleanup_message struct wire_message *sent = NULL, *received = NULL;
		int fds[2];

		pair_new(fds);
		assert_int_equal(wire_message_new(TYPE, &sent), 0);
		wire_add_bytes(sent, 1, filler, most + extra);
		assert_int_equal(wire_send(fds[0], sent), extra ? -EMSGSIZE : 0);
		assert_int_equal(wire_receive(fds[1], &received), extra ? -EAGAIN : 0);
		pair_close(fds);
	}
}

static void failure_while_filling_is_kept(void **state)
{
	static const char filler[WIRE_MESSAGE_MAX + 1];
	cleanup_message struct wire_message *message = NULL;
	int fds[2];

	(void)state;
	pair_new(fds);
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	wire_add_bytes(message, 1, filler, sizeof(filler));
	wire_add_u32(message, 2, 1);
	assert_int_equal(wire_send(fds[0], message), -EMSGSIZE);
	pair_close(fds);
}

static void oversized_datagram_is_refused_and_taken_away(void **state)
{
	static const char filler[WIRE_MESSAGE_MAX + 1];
	struct wire_message *message = NULL;
	int fds[2];

	(void)state;
	pair_new(fds);
	assert_int_equal(send(fds[0], filler, sizeof(filler), 0), sizeof(filler));
	assert_int_equal(wire_receive(fds[1], &message), -EMSGSIZE);
	assert_int_equal(wire_receive(fds[1], &message), -EAGAIN);
	assert_null(message);
	pair_close(fds);
}

static void receiving_never_waits(void **state)
{
	struct wire_message *message = NULL;
	int fds[2];

	(void)state;
	pair_new(fds);
	assert_int_equal(wire_receive(fds[1], &message), -EAGAIN);
	pair_close(fds);
}

static void sending_to_a_full_queue_never_waits(void **state)
{
	cleanup_message struct wire_message *message = NULL;
	int fds[2];
	int r = 0;

	(void)state;
	pair_new(fds);
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = wire_send(fds[0], message);
	assert_int_equal(r, -EAGAIN);
	pair_close(fds);
}

/* A signal would end this process: MSG_NOSIGNAL is what keeps it alive. */
static void peer_that_went_is_an_error_and_no_signal(void **state)
{
	cleanup_message struct wire_message *message = NULL;
	struct wire_message *received = NULL;
	int fds[2];

	(void)state;
	pair_new(fds);
	(void)close(fds[1]);
	assert_int_equal(wire_message_new(TYPE, &message), 0);
	assert_int_equal(wire_send(fds[0], message), -EPIPE);
	assert_int_equal(wire_receive(fds[0], &received), -ECONNRESET);
	(void)close(fds[0]);
}

static void utf8_is_that_of_the_standard(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool valid;
	} samples[] = {
		{ LITERAL(""), true },
		{ LITERAL("az\x7F"), true },
		{ LITERAL("\0"), false },
		{ LITERAL("\x80"), false },
		{ LITERAL("\xC2\x80\xDF\xBF"), true },
		{ LITERAL("\xC1\xBF"), false },
		{ LITERAL("\xC2"), false },
		{ LITERAL("\xC2z"), false },
		{ LITERAL("\xE0\xA0\x80\xEF\xBF\xBF"), true },
		{ LITERAL("\xE0\x9F\xBF"), false },
		{ LITERAL("\xED\x9F\xBF\xEE\x80\x80"), true },
		{ LITERAL("\xED\xA0\x80"), false },
		{ LITERAL("\xE2\x82"), false },
		{ LITERAL("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), true },
		{ LITERAL("\xF0\x8F\xBF\xBF"), false },
		{ LITERAL("\xF4\x90\x80\x80"), false },
		{ LITERAL("\xF5\x80\x80\x80"), false },
		{ LITERAL("\xF0\x9F\x98"), false },
		{ LITERAL("\xFF"), false },
	};

	(void)state;
	for (size_t i = 0; i < array_size(samples); i++)
		assert_int_equal(utf8_is_valid(samples[i].bytes, samples[i].size),
				 samples[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_has_the_bytes_of_the_format),
		cmocka_unit_test(sent_message_arrives_whole),
		cmocka_unit_test(parsing_refuses_every_other_shape),
		cmocka_unit_test(every_beginning_of_a_message_is_refused),
		cmocka_unit_test(absent_field_is_enoent),
		cmocka_unit_test(numbers_need_their_size),
		cmocka_unit_test(strings_need_utf8_without_nul_and_their_room),
		cmocka_unit_test(first_of_two_fields_counts_and_both_are_walked),
		cmocka_unit_test(largest_message_goes_and_a_byte_more_does_not),
		cmocka_unit_test(failure_while_filling_is_kept),
		cmocka_unit_test(oversized_datagram_is_refused_and_taken_away),
		cmocka_unit_test(receiving_never_waits),
		cmocka_unit_test(sending_to_a_full_queue_never_waits),
		cmocka_unit_test(peer_that_went_is_an_error_and_no_signal),
		cmocka_unit_test(utf8_is_that_of_the_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
