/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that are answered at once: status, enrolled cards, revocation, sessions.
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

/*
 * Redeems a ticket for a logind session; root only, as PAM sessions are opened by root.
 */
void request_open_session(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request);
void request_close_session(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request);
