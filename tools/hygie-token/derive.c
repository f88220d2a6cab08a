/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDH; see derive.h. The module hands out the secret as an object of the session, whose
 * value is read and which is then destroyed.
 */
#include "hygie-token/derive.h"

#define SHARED_MAX 48 /* bytes: P-384 */

static enum hygie_outcome derive_run(const struct token *token, const struct key *key,
				     const struct login_operation *operation,
				     CK_OBJECT_HANDLE *ret_object,
				     struct failure *failure)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG size = (operation->data_size - 1) / 2;
	CK_ATTRIBUTE wanted[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },
		{ CKA_SENSITIVE, &no, sizeof(no) },
		{ CKA_EXTRACTABLE, &yes, sizeof(yes) },
		{ CKA_VALUE_LEN, &size, sizeof(size) },
	};
	uint8_t point[LOGIN_DATA_MAX];
	CK_ECDH1_DERIVE_PARAMS parameters = { CKD_NULL, 0, NULL, operation->data_size,
					      point };
	CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &parameters, sizeof(parameters) };
	CK_RV rv;

	for (size_t i = 0; i < operation->data_size; i++)
		point[i] = operation->data[i];
	rv = token->functions->C_DeriveKey(token->session, &mechanism, key->handle,
					   wanted, array_size(wanted), ret_object);
	return rv == CKR_OK ? HYGIE_OK : failure_pkcs11(failure, "C_DeriveKey", rv);
}

static enum hygie_outcome shared_read(const struct token *token, CK_OBJECT_HANDLE object,
				      size_t size, struct secret **ret_shared,
				      struct failure *failure)
{
	cleanup_secret struct secret *shared = NULL;
	CK_ATTRIBUTE value = { CKA_VALUE, NULL, SHARED_MAX };
	CK_RV rv;
	int r;

	r = secret_new(SHARED_MAX, &shared);
	if (r < 0)
		return failure_errno(failure, "derive", r);
	value.pValue = secret_bytes(shared);
	rv = token->functions->C_GetAttributeValue(token->session, object, &value, 1);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "the derived secret", rv);
	if (value.ulValueLen != size)
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "C_DeriveKey: a secret of %lu bytes",
				   value.ulValueLen);
	secret_set_size(shared, size);
	*ret_shared = shared;
	shared = NULL;
	return HYGIE_OK;
}

enum hygie_outcome key_derive(const struct token *token, const struct key *key,
			      const struct login_operation *operation,
			      struct secret **ret_shared, struct failure *failure)
{
	enum hygie_outcome outcome;
	CK_OBJECT_HANDLE object;

	if (key->type != CKK_EC || !token_has_mechanism(token, CKM_ECDH1_DERIVE))
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "the key cannot derive as asked");
	outcome = derive_run(token, key, operation, &object, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	outcome = shared_read(token, object, (operation->data_size - 1) / 2, ret_shared,
			      failure);
	(void)token->functions->C_DestroyObject(token->session, object);
	return outcome;
}
