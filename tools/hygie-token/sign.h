/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One signature over bytes that hygied chose, in whatever way key and token can make it.
 * Nothing is verified here: hygied does that, against the certificate.
 */
#pragma once

#include "hygie-token/key.h"

#define SIGNATURE_MAX 1024 /* bytes: RSA-8192 */

struct signature {
	enum signature_scheme scheme;
	uint8_t bytes[SIGNATURE_MAX];
	size_t size;
};

/* HYGIE_OK, or the failure. `pin` as in key_authenticate. */
enum hygie_outcome key_sign(const struct token *token, const struct key *key,
			    const struct login_operation *operation, struct secret *pin,
			    struct signature *ret_signature, struct failure *failure);

/*
 * Makes libcrypto load what a digest needs while files can still be read: after warm-up
 * the filter refuses that. 0, or -EIO.
 */
int sign_warm_up(void) must_check;
