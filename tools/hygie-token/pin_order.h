/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ORDER_PIN, read into a struct: change the PIN, or set a new one by the PUK. All of it is
 * checked before the token is touched; the parser does no I/O.
 */
#pragma once

#include "libhygie/protocol.h"
#include "libhygie/secret.h"
#include "libhygie/wire.h"

struct pin_order {
	enum token_operation operation; /* TOKEN_PIN_CHANGE or TOKEN_PIN_UNBLOCK */
	enum token_unblock way;         /* of an unblocking */
	struct secret *old; /* the PIN that holds, or the PUK; NULL: the pin-pad */
	struct secret *new; /* NULL: the pin-pad; both are there, or neither */
};

/*
 * Reads TAG_OPERATION, TAG_UNBLOCK_BY, TAG_PIN and TAG_NEW_PIN, each at most once. -EBADMSG on anything
 * else, or over HYGIE_PIN_MAX; -ENOMEM, -EPERM as secret_new. The caller ends it with
 * pin_order_end, which wipes both.
 */
int pin_order_parse(const struct wire_message *message,
		    struct pin_order *ret_order) must_check;
void pin_order_end(struct pin_order *order);
#define cleanup_pin_order cleanup_with(pin_order_end)
