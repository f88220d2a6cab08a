/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WIRE_REQUEST_LOCK: sessions of logind's are told to lock, whether a card opened them or
 * not, and are seen to: everybody's (REQUEST_ALL, root only), those of TAG_USER (root, or
 * the user himself), or the peer's own.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

void request_lock(struct hygied *hygied, struct peer *peer,
		  const struct wire_message *request);
