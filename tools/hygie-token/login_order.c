/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of ORDER_LOGIN; see login_order.h.
 */
#include "hygie-token/login_order.h"

#include <errno.h>
#include <string.h>

enum {
	POINT_SIZE_P256 = 65, /* bytes */
	POINT_SIZE_P384 = 97,
	POINT_UNCOMPRESSED = 4, /* its first byte */
};

void login_order_forget_pin(struct login_order *order)
{
	secret_free(order->pin);
	order->pin = NULL;
}

void login_order_free(struct login_order *order)
{
	if (!order)
		return;
	login_order_forget_pin(order);
	free(order);
}

static int pin_take(struct login_order *order, const struct wire_field *field)
{
	if (order->pin || order->operation_count > 0 || field->size > HYGIE_PIN_MAX)
		return -EBADMSG;
	return secret_new_from(field->bytes, field->size, &order->pin);
}

static int operation_begin(struct login_order *order, const struct wire_field *field)
{
	uint32_t number;

	if (order->operation_count >= LOGIN_OPERATIONS_MAX ||
	    wire_field_u32(field, &number) < 0)
		return -EBADMSG;
	if (number != TOKEN_SIGN && number != TOKEN_DECRYPT && number != TOKEN_DERIVE)
		return -EBADMSG;
	order->operations[order->operation_count++].operation =
		(enum token_operation)number;
	return 0;
}

/* The group that is being filled; NULL before the first. */
static struct login_operation *operation_open(struct login_order *order)
{
	return order->operation_count > 0 ? &order->operations[order->operation_count - 1]
					  : NULL;
}

/* Bytes that come exactly once in a group and are not empty. */
static int bytes_take(const struct wire_field *field, uint8_t *bytes, size_t size,
		      size_t *used)
{
	if (*used > 0 || field->size == 0 || field->size > size)
		return -EBADMSG;
	memcpy(bytes, field->bytes, field->size);
	*used = field->size;
	return 0;
}

static int oaep_hash_take(struct login_operation *operation,
			  const struct wire_field *field)
{
	uint32_t hash;

	if (operation->operation != TOKEN_DECRYPT || operation->oaep_hash != 0 ||
	    wire_field_u32(field, &hash) < 0 || (hash != 1 && hash != 256))
		return -EBADMSG;
	operation->oaep_hash = hash;
	return 0;
}

static int flag_take(const struct wire_field *field, bool *ret_flag)
{
	uint32_t number;

	if (wire_field_u32(field, &number) < 0)
		return -EBADMSG;
	*ret_flag = number != 0;
	return 0;
}

static int field_parse(struct login_order *order, const struct wire_field *field)
{
	struct login_operation *open = operation_open(order);

	switch (field->tag) {
	case TAG_PIN:
		return pin_take(order, field);
	case TAG_OPERATION:
		return operation_begin(order, field);
	case TAG_OBJECT_ID:
		return open ? bytes_take(field, open->object_id, sizeof(open->object_id),
					 &open->object_id_size)
			    : -EBADMSG;
	case TAG_DATA:
		return open ? bytes_take(field, open->data, sizeof(open->data),
					 &open->data_size)
			    : -EBADMSG;
	case TAG_ASK_AGAIN:
		return flag_take(field, &order->ask_again);
	case TAG_OAEP_HASH:
		return open ? oaep_hash_take(open, field) : -EBADMSG;
	default:
		return 0;
	}
}

/* An uncompressed point (SEC 1, 2.3.3) of a curve that hygied uses. */
static bool data_is_point(const struct login_operation *operation)
{
	return (operation->data_size == POINT_SIZE_P256 ||
		operation->data_size == POINT_SIZE_P384) &&
	       operation->data[0] == POINT_UNCOMPRESSED;
}

static bool operation_is_complete(const struct login_operation *operation)
{
	return operation->object_id_size > 0 && operation->data_size > 0 &&
	       (operation->operation != TOKEN_DERIVE || data_is_point(operation));
}

static bool order_is_complete(const struct login_order *order)
{
	for (size_t i = 0; i < order->operation_count; i++)
		if (!operation_is_complete(&order->operations[i]))
			return false;
	return order->operation_count > 0;
}

int login_order_parse(const struct wire_message *message, struct login_order **ret_order)
{
	cleanup_login_order struct login_order *order = NULL;
	struct wire_field field;
	size_t cursor = 0;
	int r;

	order = calloc(1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	while (wire_next_field(message, &cursor, &field)) {
		r = field_parse(order, &field);
		if (r < 0)
			return r;
	}
	r = wire_optional(wire_get_u64(message, TAG_BEGIN_BY, &order->begin_by));
	if (r < 0 || !order_is_complete(order))
		return -EBADMSG;
	*ret_order = order;
	order = NULL;
	return 0;
}
