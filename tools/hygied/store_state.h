/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether one store should be open: a machine of states that counts who holds it. It
 * touches nothing and reads no clock.
 *
 *	SHUT -> (proven) -> OPENING -> OPEN -> (nobody holds it) -> CLOSING -> SHUT
 *
 * A reference is a session and the card that proved itself for it. It goes when the
 * session ends, when its card has been out for the grace, when it is asked to; a login
 * that has no session yet holds by its ticket, for a minute. With the last one the store
 * closes; while it is still busy, a new proof keeps it open.
 */
#pragma once

#include "hygied/keeper.h"
#include "libhygie/attributes.h"
#include "libhygie/protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_REFERENCES_MAX 22 /* they fit into a keeper's note */

enum store_phase { STORE_SHUT = 0, STORE_OPENING, STORE_OPEN, STORE_CLOSING };

/* What is to be done. MOUNT: by KEEPER_OPEN, which takes back a CLOSE as well. */
enum store_act { STORE_NOTHING = 0, STORE_MOUNT, STORE_CLOSE };

struct store_reference {
	char session[HYGIE_SESSION_MAX]; /* or a ticket: STORE_TICKET and its beginning */
	uint8_t card[HYGIE_KEY_ID_SIZE]; /* SHA-256 of the authentication key's SPKI */
	uid_t uid;
	/* Microseconds of boot time when it goes; 0: it stays. */
	uint64_t due; /* a ticket that nobody redeems */
	uint64_t out; /* its card is out, and the grace over; 0: it is in */
};

#define STORE_TICKET ':' /* no session's id has one */

struct store_state {
	enum store_phase phase;
	size_t count;
	struct store_reference references[STORE_REFERENCES_MAX];
};

/*
 * A card has proven itself and given the secret: for the session, or for a ticket until
 * `reference->due`. Takes the place of the same session's and card's reference. STORE_MOUNT
 * also when the store is open: a pending close is taken back.
 */
enum store_act store_state_prove(struct store_state *state,
				 const struct store_reference *reference) must_check;

/* The ticket has become a session. */
void store_state_adopt(struct store_state *state, const char *ticket,
		       const char *session);

/* The session has ended, or the ticket is void. */
enum store_act store_state_end(struct store_state *state, const char *session) must_check;

/* A card is out (until it is back, its references go at `due`, not 0), or back. */
void store_state_card_out(struct store_state *state,
			  const uint8_t card[HYGIE_KEY_ID_SIZE], uint64_t due);
void store_state_card_in(struct store_state *state,
			 const uint8_t card[HYGIE_KEY_ID_SIZE]);

/* It is `now`. */
enum store_act store_state_due(struct store_state *state, uint64_t now) must_check;
/* When it is due next; 0: not at all. */
uint64_t store_state_next(const struct store_state *state);

/*
 * It was asked to close: that user's references go, or all. With `all` the keeper is told
 * so whatever is thought of it, unless it is shut.
 */
enum store_act store_state_close(struct store_state *state, bool all,
				 uid_t uid) must_check;

/*
 * The keeper says that nobody used it for `idle`: all references go, and who wants it again
 * proves himself again. Not while the last proof is younger than that (`age`, in the same
 * unit): then it was on its way when a card proved itself, which is a use.
 */
enum store_act store_state_idle(struct store_state *state, uint64_t age,
				uint64_t idle) must_check;

/* The keeper says OPENED, CLOSED, BUSY; or is GONE or ABSENT. */
enum store_act store_state_said(struct store_state *state,
				enum keeper_event_kind said) must_check;

/*
 * What was to open does not, and its references go; `lives`: since the keeper is still
 * closing it, so its key is not gone yet.
 */
enum store_act store_state_failed(struct store_state *state, bool lives) must_check;

/*
 * The keeper says what it is in, after it was asked: because the connection was lost
 * meanwhile, or it did not take an order. Who holds the store still does. `can_mount`: the
 * secret is at hand.
 */
enum store_act store_state_told(struct store_state *state, enum store_phase phase,
				bool can_mount) must_check;

/* The references as bytes for the keeper's note, at most HYGIE_NOTE_MAX; their size. */
size_t store_state_write(const struct store_state *state, char note[HYGIE_NOTE_MAX]);
/* And back, after a restart: all of them or, when it makes no sense, -EBADMSG. */
int store_state_read(struct store_state *state, const void *note, size_t size) must_check;
