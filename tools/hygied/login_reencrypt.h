/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A login by which a holder who may grant has a store reencrypted: he is asked for his PIN
 * as for any, and what his card gives goes on to store_reencrypt.h.
 */
#pragma once

#include "hygied/login_result.h"

/*
 * Whether the chosen card is one, now, and what it has to decrypt: login->grantor. To be
 * asked before the PIN is, and again when it goes to the card. HYGIE_OK; else the refusal
 * and its sentence (NULL: the outcome's own).
 */
enum hygie_outcome login_reencrypt_plan(struct login *login,
					const char **ret_text) must_check;

/* The card has proven itself: the reencryption goes on, or the dialogue is finished. */
void login_reencrypt_take(struct login *login);
