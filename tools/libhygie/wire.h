/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one wire format, between clients and hygied and between hygied and hygie-token: a
 * datagram of a SEQPACKET socket is one message.
 *
 *	header	version (1 byte, 1), reserved (1 byte, 0), type (2 bytes), size of what
 *		follows (4 bytes)
 *	field	tag (2 bytes), size (2 bytes), value; repeated to the end exactly
 *
 * All numbers are big-endian. A message is at most WIRE_MESSAGE_MAX bytes, header
 * included. Unknown fields are skipped by whoever reads; unknown types are refused by
 * protocol.h. A message may carry a PIN, so every one lives in a struct secret. This file
 * knows bytes only, no meaning; it pulls in libc alone.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/secret.h"

#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 1
#define WIRE_HEADER_SIZE 8
#define WIRE_FIELD_HEADER_SIZE 4
#define WIRE_MESSAGE_MAX 65536

struct wire_message;

/* An empty message of `type`, to be filled and sent. The caller owns it. */
int wire_message_new(uint16_t type, struct wire_message **ret_message) must_check;
void wire_message_free(struct wire_message *message);
define_cleanup(cleanup_message_function, struct wire_message, wire_message_free)
#define cleanup_message cleanup_with(cleanup_message_function)

	uint16_t wire_message_type(const struct wire_message *message);

/*
 * Filling. A failure (no memory, too long) is kept in the message: every later call does
 * nothing and wire_send returns it, so that a filling sequence needs one check.
 */
void wire_add_bytes(struct wire_message *message, uint16_t tag, const void *bytes,
		    size_t size);
void wire_add_string(struct wire_message *message, uint16_t tag, const char *string);
void wire_add_u32(struct wire_message *message, uint16_t tag, uint32_t value);
void wire_add_u64(struct wire_message *message, uint16_t tag, uint64_t value);
void wire_add_secret(struct wire_message *message, uint16_t tag,
		     const struct secret *secret);

/* 0, or the failure kept while filling. */
int wire_message_error(const struct wire_message *message);

/*
 * Sends one message without waiting. 0; -EAGAIN when the peer's queue is full; -EPIPE or
 * -ECONNRESET when it has gone; the failure kept while filling.
 */
int wire_send(int fd, const struct wire_message *message) must_check;

/*
 * Receives one message without waiting: all of it is checked for shape. 0; -EAGAIN when
 * none is there; -ECONNRESET when the peer has gone; -EMSGSIZE when over
 * WIRE_MESSAGE_MAX; -EPROTONOSUPPORT on another version; -EBADMSG on any other fault of
 * shape.
 */
int wire_receive(int fd, struct wire_message **ret_message) must_check;

/*
 * Builds a received message from bytes in memory, as wire_receive does (fuzzing, tests).
 */
int wire_parse(const void *bytes, size_t size,
	       struct wire_message **ret_message) must_check;

/* The message's bytes as they go over the wire, header included. */
const uint8_t *wire_message_bytes(const struct wire_message *message, size_t *ret_size);

/*
 * Reading: the first field with the tag. -ENOENT when there is none; -EBADMSG when it has
 * the wrong size or, for strings, holds a NUL or a byte that is not UTF-8; -E2BIG when it
 * does not fit in `size` bytes with its terminator. Borrowed pointers live as the
 * message.
 */
int wire_get_bytes(const struct wire_message *message, uint16_t tag,
		   const uint8_t **ret_bytes, size_t *ret_size) must_check;
int wire_get_string(const struct wire_message *message, uint16_t tag, char *ret_string,
		    size_t size) must_check;
int wire_get_u32(const struct wire_message *message, uint16_t tag,
		 uint32_t *ret_value) must_check;
int wire_get_u64(const struct wire_message *message, uint16_t tag,
		 uint64_t *ret_value) must_check;
/* Around a getter whose field may be absent: 0 for -ENOENT, else `r`. */
int wire_optional(int r) must_check;
/* A copy of the field in a secret of its own. Errors as above and as secret_new. */
int wire_get_secret(const struct wire_message *message, uint16_t tag,
		    struct secret **ret_secret) must_check;

/*
 * Walking all fields in order, for repeated ones. Begin with *cursor = 0; false at the
 * end. Strings and numbers found so are read with the two functions below.
 */
struct wire_field {
	uint16_t tag;
	const uint8_t *bytes;
	size_t size;
};
bool wire_next_field(const struct wire_message *message, size_t *cursor,
		     struct wire_field *ret_field);
int wire_field_string(const struct wire_field *field, char *ret_string,
		      size_t size) must_check;
int wire_field_u32(const struct wire_field *field, uint32_t *ret_value) must_check;

/*
 * Whether `size` bytes are valid UTF-8 (RFC 3629: no overlong, no surrogate) without NUL.
 */
bool utf8_is_valid(const void *bytes, size_t size);
