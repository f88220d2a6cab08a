/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_STORE_CREATE, root's: makes a record store. TAG_STORE, TAG_GROUP; TAG_MOUNT
 * and TAG_CIPHER where not by default; TAG_MEMBERs. First the recovery key goes to the
 * person (an ITEM "recovery": TAG_STORE, TAG_SECRET the passphrase, TAG_LOCKED_KEY), who
 * shows that it was noted; only then is anything made. The store is made beside its
 * place and renamed: it is there whole, or not at all.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

void store_create_serve(struct hygied *hygied, struct peer *peer,
			const struct wire_message *request);
