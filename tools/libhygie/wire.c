/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as bytes: filling, checking, sending, reading; see wire.h.
 */
#include "libhygie/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_CAPACITY 4096

struct wire_message {
	struct secret *buffer;
	int error; /* first failure while filling */
};

static void put_u16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
	put_u16(bytes, (uint16_t)(value >> 16));
	put_u16(bytes + 2, (uint16_t)value);
}

static uint16_t get_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return (uint32_t)get_u16(bytes) << 16 | get_u16(bytes + 2);
}

static int message_new(size_t capacity, struct wire_message **ret_message)
{
	struct wire_message *message;
	int r;

	message = calloc(1, sizeof(*message));
	if (!message)
		return -ENOMEM;
	r = secret_new(capacity, &message->buffer);
	if (r < 0) {
		free(message);
		return r;
	}
	*ret_message = message;
	return 0;
}

int wire_message_new(uint16_t type, struct wire_message **ret_message)
{
	uint8_t header[WIRE_HEADER_SIZE] = { WIRE_VERSION };
	struct wire_message *message;
	int r;

	r = message_new(FIRST_CAPACITY, &message);
	if (r < 0)
		return r;
	put_u16(header + 2, type);
	r = secret_append(message->buffer, header, sizeof(header));
	if (r < 0) {
		wire_message_free(message);
		return r;
	}
	*ret_message = message;
	return 0;
}

void wire_message_free(struct wire_message *message)
{
	if (!message)
		return;
	secret_free(message->buffer);
	free(message);
}

uint16_t wire_message_type(const struct wire_message *message)
{
	return get_u16(secret_bytes_const(message->buffer) + 2);
}

const uint8_t *wire_message_bytes(const struct wire_message *message, size_t *ret_size)
{
	*ret_size = secret_size(message->buffer);
	return secret_bytes_const(message->buffer);
}

/* Moves the message to a buffer that holds `needed` bytes; the old one is wiped. */
static int message_grow(struct wire_message *message, size_t needed)
{
	struct secret *larger;
	int r;

	if (needed <= secret_capacity(message->buffer))
		return 0;
	if (needed > WIRE_MESSAGE_MAX)
		return -EMSGSIZE;
	r = secret_new(WIRE_MESSAGE_MAX, &larger);
	if (r < 0)
		return r;
	r = secret_append(larger, secret_bytes(message->buffer),
			  secret_size(message->buffer));
	if (r < 0) {
		secret_free(larger);
		return r;
	}
	secret_free(message->buffer);
	message->buffer = larger;
	return 0;
}

static int message_append(struct wire_message *message, uint16_t tag, const void *bytes,
			  size_t size)
{
	uint8_t header[WIRE_FIELD_HEADER_SIZE];
	int r;

	if (size > WIRE_MESSAGE_MAX)
		return -EMSGSIZE;
	r = message_grow(message, secret_size(message->buffer) + sizeof(header) + size);
	if (r < 0)
		return r;
	put_u16(header, tag);
	put_u16(header + 2, (uint16_t)size);
	r = secret_append(message->buffer, header, sizeof(header));
	if (r < 0)
		return r;
	r = secret_append(message->buffer, bytes, size);
	if (r < 0)
		return r;
	put_u32(secret_bytes(message->buffer) + 4,
		(uint32_t)(secret_size(message->buffer) - WIRE_HEADER_SIZE));
	return 0;
}

void wire_add_bytes(struct wire_message *message, uint16_t tag, const void *bytes,
		    size_t size)
{
	if (message->error == 0)
		message->error = message_append(message, tag, bytes, size);
}

void wire_add_string(struct wire_message *message, uint16_t tag, const char *string)
{
	wire_add_bytes(message, tag, string, strlen(string));
}

void wire_add_u32(struct wire_message *message, uint16_t tag, uint32_t value)
{
	uint8_t bytes[4];

	put_u32(bytes, value);
	wire_add_bytes(message, tag, bytes, sizeof(bytes));
}

void wire_add_u64(struct wire_message *message, uint16_t tag, uint64_t value)
{
	uint8_t bytes[8];

	put_u32(bytes, (uint32_t)(value >> 32));
	put_u32(bytes + 4, (uint32_t)value);
	wire_add_bytes(message, tag, bytes, sizeof(bytes));
}

void wire_add_secret(struct wire_message *message, uint16_t tag,
		     const struct secret *secret)
{
	wire_add_bytes(message, tag, secret_bytes_const(secret), secret_size(secret));
}

int wire_message_error(const struct wire_message *message)
{
	return message->error;
}

int wire_send(int fd, const struct wire_message *message)
{
	ssize_t n;

	if (message->error < 0)
		return message->error;
	do {
		n = send(fd, secret_bytes_const(message->buffer),
			 secret_size(message->buffer), MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == secret_size(message->buffer) ? 0 : -EIO;
}

/* Whether header and fields fill the message exactly. */
static int message_check(const struct wire_message *message)
{
	const uint8_t *bytes = secret_bytes_const(message->buffer);
	size_t size = secret_size(message->buffer);
	size_t at = WIRE_HEADER_SIZE;

	if (size < WIRE_HEADER_SIZE)
		return -EBADMSG;
	if (bytes[0] != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (bytes[1] != 0 || get_u32(bytes + 4) != size - WIRE_HEADER_SIZE)
		return -EBADMSG;
	while (at < size) {
		size_t length;

		if (size - at < WIRE_FIELD_HEADER_SIZE)
			return -EBADMSG;
		length = get_u16(bytes + at + 2);
		at += WIRE_FIELD_HEADER_SIZE;
		if (length > size - at)
			return -EBADMSG;
		at += length;
	}
	return 0;
}

int wire_parse(const void *bytes, size_t size, struct wire_message **ret_message)
{
	cleanup_message struct wire_message *message = NULL;
	int r;

	if (size > WIRE_MESSAGE_MAX)
		return -EMSGSIZE;
	r = message_new(size, &message);
	if (r < 0)
		return r;
	r = secret_append(message->buffer, bytes, size);
	if (r < 0)
		return r;
	r = message_check(message);
	if (r < 0)
		return r;
	*ret_message = message;
	message = NULL;
	return 0;
}

/* The size of the datagram that waits; 0 means that the peer has gone. */
static ssize_t waiting_size(int fd)
{
	ssize_t n;
	char byte;

	do {
		n = recv(fd, &byte, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Takes a datagram out of the queue without keeping it. */
static void discard(int fd)
{
	char byte;

	(void)recv(fd, &byte, 1, MSG_DONTWAIT);
}

int wire_receive(int fd, struct wire_message **ret_message)
{
	cleanup_message struct wire_message *message = NULL;
	ssize_t size, n;
	int r;

	size = waiting_size(fd);
	if (size < 0)
		return (int)size;
	if (size == 0)
		return -ECONNRESET;
	if (size > WIRE_MESSAGE_MAX) {
		discard(fd);
		return -EMSGSIZE;
	}
	r = message_new((size_t)size, &message);
	if (r < 0)
		return r;
	do {
		n = recv(fd, secret_bytes(message->buffer), (size_t)size, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	secret_set_size(message->buffer, (size_t)n);
	r = message_check(message);
	if (r < 0)
		return r;
	*ret_message = message;
	message = NULL;
	return 0;
}

bool wire_next_field(const struct wire_message *message, size_t *cursor,
		     struct wire_field *ret_field)
{
	const uint8_t *bytes = secret_bytes_const(message->buffer);
	size_t at = *cursor == 0 ? WIRE_HEADER_SIZE : *cursor;

	if (at >= secret_size(message->buffer))
		return false;
	ret_field->tag = get_u16(bytes + at);
	ret_field->size = get_u16(bytes + at + 2);
	ret_field->bytes = bytes + at + WIRE_FIELD_HEADER_SIZE;
	*cursor = at + WIRE_FIELD_HEADER_SIZE + ret_field->size;
	return true;
}

static int find_field(const struct wire_message *message, uint16_t tag,
		      struct wire_field *ret_field)
{
	size_t cursor = 0;

	while (wire_next_field(message, &cursor, ret_field))
		if (ret_field->tag == tag)
			return 0;
	return -ENOENT;
}

int wire_get_bytes(const struct wire_message *message, uint16_t tag,
		   const uint8_t **ret_bytes, size_t *ret_size)
{
	struct wire_field field;
	int r;

	r = find_field(message, tag, &field);
	if (r < 0)
		return r;
	*ret_bytes = field.bytes;
	*ret_size = field.size;
	return 0;
}

int wire_field_string(const struct wire_field *field, char *ret_string, size_t size)
{
	if (!utf8_is_valid(field->bytes, field->size))
		return -EBADMSG;
	if (field->size >= size)
		return -E2BIG;
	memcpy(ret_string, field->bytes, field->size);
	ret_string[field->size] = '\0';
	return 0;
}

int wire_field_u32(const struct wire_field *field, uint32_t *ret_value)
{
	if (field->size != 4)
		return -EBADMSG;
	*ret_value = get_u32(field->bytes);
	return 0;
}

int wire_get_string(const struct wire_message *message, uint16_t tag, char *ret_string,
		    size_t size)
{
	struct wire_field field;
	int r;

	r = find_field(message, tag, &field);
	return r < 0 ? r : wire_field_string(&field, ret_string, size);
}

int wire_get_u32(const struct wire_message *message, uint16_t tag, uint32_t *ret_value)
{
	struct wire_field field;
	int r;

	r = find_field(message, tag, &field);
	return r < 0 ? r : wire_field_u32(&field, ret_value);
}

int wire_get_u64(const struct wire_message *message, uint16_t tag, uint64_t *ret_value)
{
	struct wire_field field;
	int r;

	r = find_field(message, tag, &field);
	if (r < 0)
		return r;
	if (field.size != 8)
		return -EBADMSG;
	*ret_value = (uint64_t)get_u32(field.bytes) << 32 | get_u32(field.bytes + 4);
	return 0;
}

int wire_optional(int r)
{
	return r == -ENOENT ? 0 : r;
}

int wire_get_secret(const struct wire_message *message, uint16_t tag,
		    struct secret **ret_secret)
{
	struct wire_field field;
	int r;

	r = find_field(message, tag, &field);
	return r < 0 ? r : secret_new_from(field.bytes, field.size, ret_secret);
}
