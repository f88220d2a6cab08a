/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ORDER_LOGIN, read into a struct: the PIN and what to do once the token took it. All of
 * it is checked before the token is touched; the parser does no I/O.
 */
#pragma once

#include "libhygie/protocol.h"
#include "libhygie/secret.h"
#include "libhygie/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGIN_OPERATIONS_MAX 8
#define LOGIN_DATA_MAX 4096 /* bytes to sign, to decrypt or to derive from */
#define OBJECT_ID_MAX 64    /* bytes of a CKA_ID */

struct login_operation {
	enum token_operation operation;
	uint8_t object_id[OBJECT_ID_MAX];
	size_t object_id_size;
	uint8_t data[LOGIN_DATA_MAX];
	size_t data_size;
	uint32_t oaep_hash; /* 0: PKCS#1 v1.5; 1: SHA-1; 256: SHA-256 */
};

struct login_order {
	struct secret *pin; /* NULL: the reader's pin-pad */
	struct login_operation operations[LOGIN_OPERATIONS_MAX];
	size_t operation_count;
	/* Microseconds of CLOCK_MONOTONIC: what may fail begins before; 0: at any time. */
	uint64_t begin_by;
	bool ask_again; /* at a pin-pad, also for what may fail */
};

/*
 * Reads the order: TAG_PIN at most once and first, then at least one group, each
 * TAG_OPERATION, TAG_OBJECT_ID, TAG_DATA and, where it is RSA-OAEP, TAG_OAEP_HASH; for
 * TOKEN_DERIVE the data is an uncompressed point of P-256 or P-384.
 * -EBADMSG on anything else that it knows but did not expect there; -ENOMEM, -EPERM as
 * secret_new. The caller frees it with login_order_free, which wipes the PIN.
 */
int login_order_parse(const struct wire_message *message,
		      struct login_order **ret_order) must_check;
void login_order_free(struct login_order *order);

/* Wipes the PIN now. */
void login_order_forget_pin(struct login_order *order);

define_cleanup(cleanup_login_order_function, struct login_order, login_order_free)
#define cleanup_login_order cleanup_with(cleanup_login_order_function)
