/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects on the token: finding handles and reading attributes, within bounds that the
 * module cannot move.
 */
#pragma once

#include "hygie-token/token.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Handles of the objects that match `wanted`, at most `max`. HYGIE_OK, or the failure.
 * What is beyond `max` is not looked at, so that 10,000 objects cost no more than a few.
 */
enum hygie_outcome objects_find(const struct token *token, CK_ATTRIBUTE *wanted,
				size_t wanted_count, CK_OBJECT_HANDLE *ret_handles,
				size_t max, size_t *ret_count, struct failure *failure);

/*
 * One attribute into `bytes`. False when it has none, is larger than `size`, or the
 * module contradicts itself.
 */
bool object_attribute(const struct token *token, CK_OBJECT_HANDLE object,
		      CK_ATTRIBUTE_TYPE type, void *ret_bytes, size_t size,
		      size_t *ret_size);

/* A CK_BBOOL attribute; false too when the object has none. */
bool object_is(const struct token *token, CK_OBJECT_HANDLE object,
	       CK_ATTRIBUTE_TYPE type);
