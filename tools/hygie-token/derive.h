/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ECDH agreement with a point that hygied chose.
 */
#pragma once

#include "hygie-token/key.h"

/*
 * CKM_ECDH1_DERIVE without a KDF (PKCS#11 v3.1, 6.3.18): HYGIE_OK and the x coordinate of
 * the common point, half as long as the operation's, a secret of the caller's; or the
 * failure. PKCS#11 has no way to say the PIN again for it.
 */
enum hygie_outcome key_derive(const struct token *token, const struct key *key,
			      const struct login_operation *operation,
			      struct secret **ret_shared, struct failure *failure);
