/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One RSA decryption of what hygied wrapped for this card.
 */
#pragma once

#include "hygie-token/key.h"

/*
 * PKCS#1 v1.5, or OAEP with the operation's hash (also for MGF1, no label). HYGIE_OK and
 * a secret of the caller's, or the failure. `pin` as in key_authenticate.
 *
 * A ciphertext that the module does not decrypt is no failure: it gives a random content
 * key, so that whoever makes ciphertexts learns from no answer whether the padding was
 * good (Bleichenbacher, Manger). A module that says clearly that the card has gone is
 * believed.
 */
enum hygie_outcome key_decrypt(const struct token *token, const struct key *key,
			       const struct login_operation *operation,
			       struct secret *pin, struct secret **ret_plain,
			       struct failure *failure);
