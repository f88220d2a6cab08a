/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The login secret in a dialogue: who is given it. A login for root's programs, at the
 * services of [secret]; and the person himself, who asks for nothing else ("hygie secret
 * show").
 */
#pragma once

#include "hygied/login_result.h"
#include "libhygie/attributes.h"

/* Of "show": whether the peer has one. HYGIE_OK; else the refusal and its sentence. */
enum hygie_outcome login_secret_admit(const struct login *login,
				      const char **ret_text) must_check;

/*
 * Before the PIN goes to the card: fills login->secret_plan where the peer will be given
 * the secret. 0; -EACCES: "show" by a card that does not open it; -ENOMEM.
 */
int login_secret_plan(struct login *login) must_check;

/*
 * The card has proven itself and is the user's: takes what task `index` gave into
 * login->secret. Says so where it did not open.
 */
void login_secret_take(struct login *login, size_t index);

/*
 * A card was enrolled whose key for stores is that: says so if the user has a secret that
 * does not open with it yet.
 */
void login_secret_hint(const struct login *login,
		       const uint8_t store_key_id[HYGIE_KEY_ID_SIZE]);

/* Adds it to a login's result, and wipes it. */
void login_secret_add(struct login *login, struct wire_message *result);

/* Ends "show". */
void login_secret_send(struct login *login);

/* Forgets plan and secret. */
void login_secret_forget(struct login *login);
