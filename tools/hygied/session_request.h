/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of PAM's session functions, and what status says of sessions.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

/*
 * Redeems a ticket and binds the logind session that is named, if one is, to the card;
 * root only, as PAM sessions are opened by root.
 */
void request_open_session(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request);

/* The session ends: so does its binding. Root only. */
void request_close_session(struct hygied *hygied, struct peer *peer,
			   const struct wire_message *request);

/* The bound sessions as ITEMs: all for root, a user's own for him. */
void session_items_send(const struct hygied *hygied, struct peer *peer);
