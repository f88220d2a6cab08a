/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which key of a card opens record stores, and how: found at enrolment by having the card
 * try, in the PIN entry of the enrolment. The card gets envelopes that were sealed for
 * it on trial; one that opens is the proof that this card holds the key, too.
 */
#pragma once

#include "hygied/card.h"
#include "hygied/envelope.h"
#include "hygied/registry.h"

struct store_trial;

/*
 * Makes what is to be tried: with the key of a certificate for encryption (keyEncipherment,
 * keyAgreement; PIV 9D) that chains to a CA of the login certificate's scheme, if there is
 * one, and with the login's own RSA key. 0; -ENOMEM, -EPERM, -EIO.
 */
int store_trial_new(const struct card *card, struct store_trial **ret_trial) must_check;

/* Takes NULL. */
void store_trial_free(struct store_trial *trial);

/* The tasks for card_login_with(), at once; borrowed, and there may be none. */
const struct card_task *store_trial_tasks(const struct store_trial *trial,
					  size_t *ret_count);

/*
 * In card_login_with()'s callback: takes what the card gave. 0; -ENOMEM, -EPERM, -EIO: a
 * fault of ours, which says nothing of the card: a weaker way, or none, is not recorded
 * because of it.
 */
int store_trial_take(struct store_trial *trial, struct card *card) must_check;

/*
 * The first that opened, best first: its certificate, borrowed, and wrap. NULL: the card
 * has no key for stores.
 */
const struct certificate *store_trial_result(const struct store_trial *trial,
					     enum envelope_wrap *ret_wrap);
