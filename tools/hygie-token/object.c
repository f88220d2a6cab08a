/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles and attributes; see object.h.
 */
#include "hygie-token/object.h"

enum hygie_outcome objects_find(const struct token *token, CK_ATTRIBUTE *wanted,
				size_t wanted_count, CK_OBJECT_HANDLE *ret_handles,
				size_t max, size_t *ret_count, struct failure *failure)
{
	CK_FUNCTION_LIST *functions = token->functions;
	CK_ULONG found = 0;
	CK_RV rv;

	rv = functions->C_FindObjectsInit(token->session, wanted, wanted_count);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_FindObjectsInit", rv);
	rv = functions->C_FindObjects(token->session, ret_handles, max, &found);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_FindObjects", rv);
	if (found > max)
		return failure_set(failure, HYGIE_CARD_BROKEN,
				   "C_FindObjects: more handles than there is room for");
	rv = functions->C_FindObjectsFinal(token->session);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_FindObjectsFinal", rv);
	*ret_count = found;
	return HYGIE_OK;
}

bool object_attribute(const struct token *token, CK_OBJECT_HANDLE object,
		      CK_ATTRIBUTE_TYPE type, void *ret_bytes, size_t size,
		      size_t *ret_size)
{
	CK_ATTRIBUTE attribute = { type, ret_bytes, size };
	CK_RV rv;

	rv = token->functions->C_GetAttributeValue(token->session, object, &attribute, 1);
	if (rv != CKR_OK || attribute.ulValueLen > size)
		return false;
	*ret_size = attribute.ulValueLen;
	return true;
}

bool object_is(const struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
	CK_BBOOL value = CK_FALSE;
	size_t size;

	return object_attribute(token, object, type, &value, sizeof(value), &size) &&
	       size == sizeof(value) && value != CK_FALSE;
}
