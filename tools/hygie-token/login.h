/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one login of a helper's life: PIN, operations, report. After it the process ends,
 * whatever came of it; that is the caller's (helper_exit).
 */
#pragma once

#include "hygie-token/login_order.h"
#include "hygie-token/token.h"

/*
 * Whether the PIN can be this token's, before the token is asked: HYGIE_OK, or
 * HYGIE_PIN_MALFORMED. NULL only where the token has a pin-pad.
 */
enum hygie_outcome login_pin_check(const struct token *token, const struct secret *pin,
				   struct failure *failure);

/* One C_Login, nothing else; NULL at a pin-pad. */
CK_RV login_enter(const struct token *token, CK_USER_TYPE user, struct secret *pin);

/* What a C_Login as the user that was refused came to; after a wrong PIN the token is
 * asked for its flags again. */
enum hygie_outcome login_refused(const struct token *token, CK_RV rv,
				 struct failure *failure);

/* Lets the card go; login.c says why so. */
void login_leave(const struct token *token);

/*
 * Exactly one C_Login with the order's PIN, never a second try, and none at all when the
 * PIN cannot be this token's. Then the operations in order, then REPORT_DONE. The PIN is
 * wiped as soon as no key needs it again. HYGIE_OK, or the failure.
 */
enum hygie_outcome login_run(const struct token *token, struct login_order *order,
			     struct failure *failure);
