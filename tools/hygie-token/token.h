/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The token that the order names: its slot, one session, what it says of
 * itself, and what it can do. Everything that a login needs and that costs the card an
 * APDU is fetched here, before the PIN is known.
 */
#pragma once

#include "hygie-token/failure.h"
#include "hygie-token/start_order.h"

#define MECHANISMS_MAX 256

struct token {
	CK_FUNCTION_LIST *functions;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE
	session; /* read-write where the token lets us: PINs change so */
	bool is_opensc;
	CK_TOKEN_INFO info;
	struct pin_rule pin; /* the profile's, narrowed by the token's */
	CK_MECHANISM_TYPE mechanisms[MECHANISMS_MAX];
	size_t mechanism_count;
};

/* Finds slot and token, opens the session. HYGIE_OK, or the failure. */
enum hygie_outcome token_open(CK_FUNCTION_LIST *functions,
			      const struct start_order *order, struct token *ret_token,
			      struct failure *failure);

/* Sends REPORT_TOKEN. HYGIE_OK, or the failure. */
enum hygie_outcome token_report(const struct token *token, struct failure *failure);

/* Whether the token listed the mechanism. Costs nothing. */
bool token_has_mechanism(const struct token *token, CK_MECHANISM_TYPE mechanism);

/* Asks the token again after a refused PIN; 0 when it does not answer. enum token_flag.
 */
uint32_t token_flags_again(const struct token *token);
