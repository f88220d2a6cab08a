/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private key on the token and the right to use it once.
 */
#pragma once

#include "hygie-token/login_order.h"
#include "hygie-token/token.h"

struct key {
	CK_OBJECT_HANDLE handle;
	CK_KEY_TYPE type;
	bool always_authenticate; /* wants the PIN again for each use */
};

/* Finds the key by its CKA_ID; for a session that is logged in. HYGIE_OK, or the failure.
 */
enum hygie_outcome key_find(const struct token *token, const uint8_t *id, size_t id_size,
			    struct key *ret_key, struct failure *failure);

/*
 * Between C_…Init and the operation: says the PIN again where the key demands it. `pin`
 * is the one that the token has just accepted, or NULL for the pin-pad.
 */
enum hygie_outcome key_authenticate(const struct token *token, const struct key *key,
				    struct secret *pin, struct failure *failure);
