/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests about login secrets that are answered at once. No card is needed: a secret
 * is made here, sealed to the certificates of the registry, and forgotten.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

/* TAG_USER; REQUEST_NEW: another secret than the one that is there, or put aside. Root. */
void request_secret_enable(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request);

/* TAG_USER: puts his secret aside. Root. */
void request_secret_disable(struct hygied *hygied, struct peer *peer,
			    const struct wire_message *request);

/*
 * As ITEMs: "secret" of each user who has one, and "secret_card" of each of his cards that
 * opens it, or will, or no longer shall. All for root, a user's own for him.
 */
void request_secret_list(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request);
