/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outcomes and names of PKCS#11 return values; see failure.h.
 */
#include "hygie-token/failure.h"

#include "libhygie/error_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RV(name, outcome)                                                                \
	{                                                                                \
		name, #name, outcome                                                     \
	}

static const struct {
	CK_RV rv;
	const char *name;
	enum hygie_outcome outcome;
} return_values[] = {
	RV(CKR_OK, HYGIE_OK),
	RV(CKR_CANCEL, HYGIE_GAVE_UP),
	RV(CKR_FUNCTION_CANCELED, HYGIE_GAVE_UP),
	RV(CKR_PIN_INCORRECT, HYGIE_PIN_WRONG),
	RV(CKR_PIN_INVALID, HYGIE_PIN_MALFORMED),
	RV(CKR_PIN_LEN_RANGE, HYGIE_PIN_MALFORMED),
	RV(CKR_PIN_EXPIRED, HYGIE_PIN_MUST_CHANGE),
	RV(CKR_PIN_LOCKED, HYGIE_PIN_BLOCKED),
	RV(CKR_USER_PIN_NOT_INITIALIZED, HYGIE_PIN_NOT_SET),
	RV(CKR_DEVICE_REMOVED, HYGIE_CARD_REMOVED),
	RV(CKR_TOKEN_NOT_PRESENT, HYGIE_CARD_REMOVED),
	RV(CKR_TOKEN_NOT_RECOGNIZED, HYGIE_CARD_UNREADABLE),
	RV(CKR_HOST_MEMORY, HYGIE_CARD_BROKEN),
	RV(CKR_SLOT_ID_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_GENERAL_ERROR, HYGIE_CARD_BROKEN),
	RV(CKR_FUNCTION_FAILED, HYGIE_CARD_BROKEN),
	RV(CKR_ARGUMENTS_BAD, HYGIE_CARD_BROKEN),
	RV(CKR_NEED_TO_CREATE_THREADS, HYGIE_CARD_BROKEN),
	RV(CKR_CANT_LOCK, HYGIE_CARD_BROKEN),
	RV(CKR_ATTRIBUTE_SENSITIVE, HYGIE_CARD_BROKEN),
	RV(CKR_ATTRIBUTE_TYPE_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_ATTRIBUTE_VALUE_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_DATA_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_DATA_LEN_RANGE, HYGIE_CARD_BROKEN),
	RV(CKR_DEVICE_ERROR, HYGIE_CARD_BROKEN),
	RV(CKR_DEVICE_MEMORY, HYGIE_CARD_BROKEN),
	RV(CKR_ENCRYPTED_DATA_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_ENCRYPTED_DATA_LEN_RANGE, HYGIE_CARD_BROKEN),
	RV(CKR_FUNCTION_NOT_SUPPORTED, HYGIE_CARD_BROKEN),
	RV(CKR_KEY_HANDLE_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_KEY_SIZE_RANGE, HYGIE_CARD_BROKEN),
	RV(CKR_KEY_TYPE_INCONSISTENT, HYGIE_CARD_BROKEN),
	RV(CKR_KEY_FUNCTION_NOT_PERMITTED, HYGIE_CARD_BROKEN),
	RV(CKR_MECHANISM_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_MECHANISM_PARAM_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_OBJECT_HANDLE_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_OPERATION_ACTIVE, HYGIE_CARD_BROKEN),
	RV(CKR_OPERATION_NOT_INITIALIZED, HYGIE_CARD_BROKEN),
	RV(CKR_SESSION_CLOSED, HYGIE_CARD_BROKEN),
	RV(CKR_SESSION_COUNT, HYGIE_CARD_BROKEN),
	RV(CKR_SESSION_HANDLE_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_SESSION_EXISTS, HYGIE_CARD_BROKEN),
	RV(CKR_USER_ALREADY_LOGGED_IN, HYGIE_CARD_BROKEN),
	RV(CKR_USER_NOT_LOGGED_IN, HYGIE_CARD_BROKEN),
	RV(CKR_USER_TYPE_INVALID, HYGIE_CARD_BROKEN),
	RV(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, HYGIE_CARD_BROKEN),
	RV(CKR_USER_TOO_MANY_TYPES, HYGIE_CARD_BROKEN),
	RV(CKR_BUFFER_TOO_SMALL, HYGIE_CARD_BROKEN),
	RV(CKR_CRYPTOKI_NOT_INITIALIZED, HYGIE_CARD_BROKEN),
	RV(CKR_CRYPTOKI_ALREADY_INITIALIZED, HYGIE_CARD_BROKEN),
	RV(CKR_LIBRARY_LOAD_FAILED, HYGIE_CARD_BROKEN),
	RV(CKR_FUNCTION_REJECTED, HYGIE_CARD_BROKEN),
};

const char *rv_name(CK_RV rv)
{
	for (size_t i = 0; i < array_size(return_values); i++)
		if (return_values[i].rv == rv)
			return return_values[i].name;
	return "CKR_?";
}

enum hygie_outcome outcome_of_rv(CK_RV rv)
{
	for (size_t i = 0; i < array_size(return_values); i++)
		if (return_values[i].rv == rv)
			return return_values[i].outcome;
	return HYGIE_CARD_BROKEN;
}

enum hygie_outcome failure_set(struct failure *failure, enum hygie_outcome outcome,
			       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, arguments);
	va_end(arguments);
	failure->outcome = outcome;
	return outcome;
}

enum hygie_outcome failure_pkcs11(struct failure *failure, const char *function, CK_RV rv)
{
	return failure_set(failure, outcome_of_rv(rv), "%s: %s (0x%lx)", function,
			   rv_name(rv), rv);
}

enum hygie_outcome failure_errno(struct failure *failure, const char *what, int error)
{
	return failure_set(failure, HYGIE_FAULT, "%s: %s", what, error_text(-error));
}
