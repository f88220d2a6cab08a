/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_STORE_RECOVER, root's: TAG_STORE. Asks for the passphrase on paper, opens
 * the envelope by the recovery key and carries out what is pending: the way back when no
 * card is left that may grant. The store itself is not mounted.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

void store_recover_serve(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request);
