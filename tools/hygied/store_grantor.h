/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The card of a holder who may grant, in the place of the passphrase on paper: whether it
 * is one, what it has to decrypt in its PIN entry, and what came of it.
 */
#pragma once

#include "hygied/card.h"
#include "hygied/store_unlock.h"
#include "libhygie/outcome.h"
#include "libhygie/text.h"

struct store_grantor;

/*
 * Looks whether the card, which is `user`'s, is one, and what it has to decrypt: the
 * store's envelope, and that of the copy that a reencryption has begun. The result is for
 * the card as it is now. HYGIE_OK; or a refusal with its sentence (NULL: the outcome's
 * own). The caller owns the result.
 */
enum hygie_outcome store_grantor_new(const struct card *card, const char *user,
				     const char *store,
				     struct store_grantor **ret_grantor,
				     const char **ret_text) must_check;

/* Takes NULL. */
void store_grantor_free(struct store_grantor *grantor);

/* For card_login_with(). Borrowed. */
const struct card_task *store_grantor_tasks(const struct store_grantor *grantor,
					    size_t *ret_count);

/*
 * In card_login_with()'s callback, after a success and once the user is known to be
 * admitted: opens the store. The rights are read anew: root may have changed them while
 * the PIN was typed. HYGIE_OK; or a refusal as above, HYGIE_BROKEN_SETUP with ret_error
 * instead of a sentence.
 */
enum hygie_outcome store_grantor_take(struct store_grantor *grantor, struct card *card,
				      struct store_unlocked *ret_unlocked,
				      const char **ret_text,
				      struct file_error *ret_error) must_check;
