/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_STORE_REENCRYPT, root's: TAG_STORE; TAG_FLAGS: REQUEST_ABANDON,
 * REQUEST_DISCARD, REQUEST_CARD; TAG_USER and TAG_READER as in a login. Gives a store a new
 * secret and a new master key: opens it by the passphrase on paper, or by the card of a
 * holder who may grant (login_reencrypt.h), makes a store that is to take its place, and shows the client both,
 * unencrypted, at places that root alone can enter (ITEM "copy": TAG_FILE is the old one's,
 * TAG_MOUNT the new one's, TAG_CIPHER where that one is stored). The client copies and
 * compares, then answers TEXT_STORE_COPY by "FILES BYTES"; then they change places.
 *
 * While it runs the store is opened for nobody, and its rights are not changed. Whatever
 * ends it, the store is the old one or the new one; the same request goes on.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"
#include "hygied/store_unlock.h"

#define STORE_REENCRYPT_EVENT "store-reencrypt" /* in the audit */

void store_reencrypt_serve(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request);

/*
 * A card of `user`'s has opened the store for that request: it goes on as after the
 * passphrase, or finishes the peer.
 */
void store_reencrypt_unlocked(struct hygied *hygied, struct peer *peer, const char *user,
			      const struct store_unlocked *unlocked);
