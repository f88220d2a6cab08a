/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a dialogue that opens a store's envelope by the passphrase on paper: asks
 * for it, and again when it is mistyped, and carries out what is pending.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"
#include "hygied/store_unlock.h"

struct store_passphrase {
	const struct hygied *hygied;
	struct peer *peer;
	const char *event; /* as it is audited */
	char name[STORE_NAME_MAX + 1];
	unsigned tries;
};

void store_passphrase_ask(const struct store_passphrase *asking);

/*
 * What was typed. True: it opened. False: it was asked again, or the dialogue is finished,
 * with its audit.
 */
bool store_passphrase_take(struct store_passphrase *asking, const struct secret *typed,
			   struct store_unlocked *ret_unlocked) must_check;
