/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that are answered at once: status, enrolled cards, revocation.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

/* Readers, cards in them, and the state of the service, as ITEMs. */
void request_status(struct hygied *hygied, struct peer *peer,
		    const struct wire_message *request);

/* Enrolments as ITEMs: all for root, a user's own for him. */
void request_cards(struct hygied *hygied, struct peer *peer,
		   const struct wire_message *request);

/* Revokes by TAG_CARD_ID or TAG_USER; root only. */
void request_revoke(struct hygied *hygied, struct peer *peer,
		    const struct wire_message *request);

/* What the requests have in common. */

/* All ITEMs of a status, as far as the peer may see them. */
void request_send_status(struct hygied *hygied, struct peer *peer);

/*
 * Whether the peer is root. Else it is refused and finished, and `event` is in the audit:
 * that somebody asked is for the auditor to see.
 */
bool request_admit_root(struct peer *peer, const char *event);

/* An ITEM of that kind, for the caller to fill, send and free. NULL without memory. */
struct wire_message *request_new_item(const char *kind);
