/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of ORDER_PIN; see pin_order.h.
 */
#include "hygie-token/pin_order.h"

#include <errno.h>

void pin_order_end(struct pin_order *order)
{
	secret_free(order->old);
	secret_free(order->new);
	*order = (struct pin_order){ .old = NULL };
}

static int secret_take(const struct wire_field *field, struct secret **ret_secret)
{
	if (*ret_secret || field->size > HYGIE_PIN_MAX)
		return -EBADMSG;
	return secret_new_from(field->bytes, field->size, ret_secret);
}

static int operation_take(const struct wire_field *field, struct pin_order *order)
{
	uint32_t number;

	if (order->operation || wire_field_u32(field, &number) < 0 ||
	    (number != TOKEN_PIN_CHANGE && number != TOKEN_PIN_UNBLOCK))
		return -EBADMSG;
	order->operation = (enum token_operation)number;
	return 0;
}

static int way_take(const struct wire_field *field, struct pin_order *order)
{
	uint32_t number;

	if (order->way || wire_field_u32(field, &number) < 0 ||
	    number < UNBLOCK_BY_SET_PIN || number > UNBLOCK_BY_PREFIX)
		return -EBADMSG;
	order->way = (enum token_unblock)number;
	return 0;
}

static int field_parse(const struct wire_field *field, struct pin_order *order)
{
	switch (field->tag) {
	case TAG_OPERATION:
		return operation_take(field, order);
	case TAG_UNBLOCK_BY:
		return way_take(field, order);
	case TAG_PIN:
		return secret_take(field, &order->old);
	case TAG_NEW_PIN:
		return secret_take(field, &order->new);
	default:
		return 0;
	}
}

int pin_order_parse(const struct wire_message *message, struct pin_order *ret_order)
{
	cleanup_pin_order struct pin_order order = { .old = NULL };
	struct wire_field field;
	size_t cursor = 0;
	int r;

	while (wire_next_field(message, &cursor, &field)) {
		r = field_parse(&field, &order);
		if (r < 0)
			return r;
	}
	/* One secret of two would leave the other to the module's fancy. */
	if (!order.operation || !order.old != !order.new ||
	    (order.operation == TOKEN_PIN_UNBLOCK) != (order.way != 0))
		return -EBADMSG;
	*ret_order = order;
	order = (struct pin_order){ .old = NULL };
	return 0;
}
