/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One card and its user's login secret: what the card has to decrypt for it in a login, and
 * what came of it. Whatever does not open is no secret, and no fault of the login.
 */
#pragma once

#include "hygied/card.h"
#include "hygied/registry.h"

struct secret_plan;

/*
 * Looks what `user` has under `home` (SECRET_HOME), and for which key of the card. 0 with a
 * plan, also where it will not open; -ENOENT: he has none; -ENOMEM.
 */
int secret_plan_new(const char *home, struct registry *registry, const struct card *card,
		    const char *user, struct secret_plan **ret_plan) must_check;

/* Takes NULL. */
void secret_plan_free(struct secret_plan *plan);

/* For card_login_with(); borrowed. NULL: the card cannot open it. */
const struct card_task *secret_plan_task(const struct secret_plan *plan);

/*
 * In card_login_with()'s callback, after a success and once the user is known to be
 * admitted: opens the envelope with what the card gave (NULL: nothing), and seals it anew
 * where the user's cards are others by now. Both are in the audit. Returns the secret,
 * which is the caller's, or NULL.
 */
struct secret *secret_plan_take(struct secret_plan *plan, struct registry *registry,
				const struct secret *given) must_check;
