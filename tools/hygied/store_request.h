/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests about open stores: letting go of them, telling of them, and the wait of a
 * session that begins until its stores are there. Opening them is a login (login_stores.h).
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"

/* Lets go of TAG_STORE, or of each: root for everybody, others for their own sessions. */
void request_store_close(struct hygied *hygied, struct peer *peer,
			 const struct wire_message *request);

/* The stores as ITEMs. */
void request_store_status(struct hygied *hygied, struct peer *peer,
			  const struct wire_message *request);

/*
 * Of those that are busy, the programs of the peer's own user that keep them so, as
 * ITEMs "store_program".
 */
void store_programs_send(const struct hygied *hygied, struct peer *peer);

/*
 * Finishes the peer with HYGIE_OK once no store is being opened for the session, or after
 * three seconds: a session begins with its records, or without them.
 */
void store_wait(struct hygied *hygied, struct peer *peer, const char *session);
