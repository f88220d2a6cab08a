/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the token and telling about it; see token.h.
 */
#include "hygie-token/token.h"

#include "hygie-token/report.h"
#include "hygie-token/slot.h"
#include "libhygie/printable.h"
#include "libhygie/protocol.h"

#include <string.h>

static uint32_t flags_from_info(const CK_TOKEN_INFO *info)
{
	static const struct {
		CK_FLAGS theirs;
		uint32_t ours;
	} flags[] = {
		{ CKF_USER_PIN_COUNT_LOW, TOKEN_PIN_COUNT_LOW },
		{ CKF_USER_PIN_FINAL_TRY, TOKEN_PIN_FINAL_TRY },
		{ CKF_USER_PIN_LOCKED, TOKEN_PIN_LOCKED },
		{ CKF_USER_PIN_TO_BE_CHANGED, TOKEN_PIN_TO_BE_CHANGED },
		{ CKF_PROTECTED_AUTHENTICATION_PATH, TOKEN_PIN_PAD },
	};
	uint32_t found = 0;

	for (size_t i = 0; i < array_size(flags); i++)
		if (info->flags & flags[i].theirs)
			found |= flags[i].ours;
	if (!(info->flags & CKF_USER_PIN_INITIALIZED))
		found |= TOKEN_PIN_NOT_INITIALIZED;
	if (!(info->flags & CKF_LOGIN_REQUIRED))
		found |= TOKEN_LOGIN_NOT_REQUIRED;
	return found;
}

/* The list of mechanisms; a module that has too many or lies about them offers the first.
 */
static CK_RV mechanisms_list(struct token *token)
{
	CK_ULONG count = MECHANISMS_MAX;
	CK_RV rv;

	rv = token->functions->C_GetMechanismList(token->slot, token->mechanisms, &count);
	if (rv != CKR_OK)
		return rv;
	token->mechanism_count = count < MECHANISMS_MAX ? count : MECHANISMS_MAX;
	return CKR_OK;
}

bool token_has_mechanism(const struct token *token, CK_MECHANISM_TYPE mechanism)
{
	for (size_t i = 0; i < token->mechanism_count; i++)
		if (token->mechanisms[i] == mechanism)
			return true;
	return false;
}

enum hygie_outcome token_open(CK_FUNCTION_LIST *functions,
			      const struct start_order *order, struct token *ret_token,
			      struct failure *failure)
{
	struct token token = { .functions = functions,
			       .pin = order->pin,
			       .is_opensc = order->driver[0] != '\0' };
	enum hygie_outcome outcome;
	CK_RV rv;

	outcome = slot_find(functions, order, &token.slot, failure);
	if (outcome != HYGIE_OK)
		return outcome;
	rv = functions->C_GetTokenInfo(token.slot, &token.info);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_GetTokenInfo", rv);
	if (order->no_pin_pad)
		token.info.flags &= ~(CK_FLAGS)CKF_PROTECTED_AUTHENTICATION_PATH;
	rv = functions->C_OpenSession(token.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
				      NULL, NULL, &token.session);
	if (rv != CKR_OK) /* write-protected: a login needs no more */
		rv = functions->C_OpenSession(token.slot, CKF_SERIAL_SESSION, NULL, NULL,
					      &token.session);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_OpenSession", rv);
	rv = mechanisms_list(&token);
	if (rv != CKR_OK)
		return failure_pkcs11(failure, "C_GetMechanismList", rv);
	pin_rule_narrow(&token.pin, token.info.ulMinPinLen, token.info.ulMaxPinLen);
	*ret_token = token;
	return HYGIE_OK;
}

/* PKCS#11 pads its texts with blanks; some modules with NULs. */
static void text_add(struct wire_message *message, uint16_t tag,
		     const unsigned char *text, size_t size)
{
	char copy[PRINTABLE_SIZE(32)];

	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\0'))
		size--;
	(void)printable_copy(copy, sizeof(copy), text, size);
	wire_add_string(message, tag, copy);
}

enum hygie_outcome token_report(const struct token *token, struct failure *failure)
{
	cleanup_message struct wire_message *message = NULL;
	const CK_TOKEN_INFO *info = &token->info;
	int r;

	r = wire_message_new(WIRE_REPORT_TOKEN, &message);
	if (r < 0)
		return failure_errno(failure, "report token", r);
	text_add(message, TAG_LABEL, info->label, sizeof(info->label));
	text_add(message, TAG_TOKEN_SERIAL, info->serialNumber,
		 sizeof(info->serialNumber));
	text_add(message, TAG_TOKEN_MODEL, info->model, sizeof(info->model));
	text_add(message, TAG_TOKEN_MAKER, info->manufacturerID,
		 sizeof(info->manufacturerID));
	wire_add_u32(message, TAG_TOKEN_FLAGS, flags_from_info(info));
	wire_add_u32(message, TAG_PIN_MIN, token->pin.min);
	wire_add_u32(message, TAG_PIN_MAX, token->pin.max);
	r = report_send(message);
	return r < 0 ? failure_errno(failure, "report token", r) : HYGIE_OK;
}

uint32_t token_flags_again(const struct token *token)
{
	CK_TOKEN_INFO info = { 0 };

	if (token->functions->C_GetTokenInfo(token->slot, &info) != CKR_OK)
		return 0;
	return flags_from_info(&info);
}
