/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one card may open: the stores whose envelopes have a key of it among their
 * recipients, what the card has to decrypt for them in a login, and what came of it.
 */
#pragma once

#include "hygied/card.h"
#include "hygied/store_file.h"

#define STORE_PLAN_MAX                                                                   \
	3 /* stores in one login: each costs the card an exchange or three */

struct store_plan;
struct stores;

/*
 * Looks which stores `user`, whose card it is, may open with it now; with a `name`, that store alone. A store that
 * cannot be read is logged and left out. 0 with a plan, also an empty one; -ENOENT when
 * `name` is none that this card opens; -ENOMEM.
 */
int store_plan_new(const struct card *card, const char *user, const char *name,
		   struct store_plan **ret_plan) must_check;

/* Takes NULL; wipes what was not taken. */
void store_plan_free(struct store_plan *plan);

/* For card_login_with(): as many as there are stores. Borrowed. */
const struct card_task *store_plan_tasks(const struct store_plan *plan,
					 size_t *ret_count);

/*
 * In card_login_with()'s callback, after a success and once the user is known to be
 * admitted: opens the envelopes with what the card gave, and carries out what is pending
 * (store_complete). Each is in the audit. The rights are read anew from the files. What is
 * being reencrypted is left alone.
 */
void store_plan_take(struct store_plan *plan, struct card *card, const char *user,
		     const struct stores *stores);

/* Store `index`, as its file says; NULL after the last. Borrowed. */
const struct store *store_plan_store(const struct store_plan *plan, size_t index);

/* Its secret, which is the caller's from now on; NULL where it did not open. */
struct secret *store_plan_secret(struct store_plan *plan, size_t index);

/* Wipes the secrets that were not taken. */
void store_plan_forget(struct store_plan *plan);
