/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up private keys; see key.h.
 */
#include "hygie-token/key.h"

#include "hygie-token/object.h"

#include <string.h>

enum hygie_outcome key_find(const struct token *token, const uint8_t *id, size_t id_size,
			    struct key *ret_key, struct failure *failure)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	uint8_t id_copy[OBJECT_ID_MAX];
	CK_ATTRIBUTE wanted[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_ID, id_copy, id_size },
	};
	struct key key = { 0 };
	enum hygie_outcome outcome;
	size_t count, size;

	memcpy(id_copy, id, id_size);
	outcome = objects_find(token, wanted, array_size(wanted), &key.handle, 1, &count,
			       failure);
	if (outcome != HYGIE_OK)
		return outcome;
	if (count == 0)
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "no private key has the certificate's id");
	if (!object_attribute(token, key.handle, CKA_KEY_TYPE, &key.type,
			      sizeof(key.type), &size) ||
	    size != sizeof(key.type))
		return failure_set(failure, HYGIE_CARD_BROKEN, "the key has no type");
	key.always_authenticate = object_is(token, key.handle, CKA_ALWAYS_AUTHENTICATE);
	*ret_key = key;
	return HYGIE_OK;
}

enum hygie_outcome key_authenticate(const struct token *token, const struct key *key,
				    struct secret *pin, struct failure *failure)
{
	CK_RV rv;

	if (!key->always_authenticate)
		return HYGIE_OK;
	rv = token->functions->C_Login(token->session, CKU_CONTEXT_SPECIFIC,
				       pin ? secret_bytes(pin) : NULL,
				       pin ? secret_size(pin) : 0);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_Login for the key", rv);
	return HYGIE_OK;
}
