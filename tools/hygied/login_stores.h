/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A login that only opens record stores, in a session that is there: "hygie store open".
 * It is over when they are open, or when it is known that they do not open.
 */
#pragma once

#include "hygied/login_result.h"
#include "libhygie/attributes.h"

/* Is there a session to open them for? HYGIE_OK; else the refusal and its sentence. */
enum hygie_outcome login_stores_admit(const struct login *login,
				      const char **ret_text) must_check;

/* The card has proven itself, and login->plan has the secrets. */
void login_stores_open(struct login *login);

/* Something changed: ends the dialogue when all is known. */
void login_stores_look(struct login *login);
