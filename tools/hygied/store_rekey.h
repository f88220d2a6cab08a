/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_STORE_RECOVERY, root's: TAG_STORE. A new recovery key for a store, told as
 * in its creation (recovery_note.h). It is pending like a right: it takes the old one's
 * place at the next opening by a holder who may grant, or by the old passphrase.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

void store_rekey_serve(struct hygied *hygied, struct peer *peer,
		       const struct wire_message *request);
