/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection: who is at the other end, what may be said now, and the dialogue that
 * serves its one request. The kernel says who the peer is (SO_PEERCRED, at connect).
 */
#pragma once

#include "libhygie/outcome.h"
#include "libhygie/protocol.h"
#include "libhygie/secret.h"
#include "libhygie/text.h"
#include "libhygie/wire.h"

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct card;
struct hygied;
struct peer;
enum cards_change;

/* How a running request hears of the world. Each may call peer_finish. */
struct dialogue {
	/*
	 * The answer to the open prompt; taken over. NULL function: prompts are never
	 * made.
	 */
	void (*answer)(void *self, struct secret *answer);
	/*
	 * What it comes to that the answer is too long for a PIN, and stays with the peer,
	 * which has ended it for that. NULL function: to HYGIE_GAVE_UP.
	 */
	enum hygie_outcome (*unfit)(const void *self);
	/* A card came, changed or is leaving. May be NULL. */
	void (*card_changed)(void *self, enum cards_change change, struct card *card);
	/* What is known of a session is another now. May be NULL. */
	void (*sessions_changed)(void *self);
	void (*free)(void *self);
};

/* What a peer's request and end mean to the server. */
struct peer_callbacks {
	void (*request)(void *context, struct peer *peer,
			const struct wire_message *request);
	void (*gone)(void *context, struct peer *peer); /* frees it with peer_free */
};

/*
 * Takes over the connection `fd` of `uid`; the request must come within five seconds. The
 * caller owns the result.
 */
int peer_new(sd_event *loop, int fd, uid_t uid, const struct peer_callbacks *callbacks,
	     void *context, struct peer **ret_peer) must_check;
void peer_free(struct peer *peer);

/*
 * Closes a connection so that the other end still reads what was said to it last. For one
 * that never became a peer; peer_free does the same.
 */
void peer_close(int fd);

uid_t peer_uid(const struct peer *peer);
/* The connection, for asking logind about its other end. It remains the peer's. */
int peer_fd(const struct peer *peer);

/*
 * Hands the request to a dialogue, which lives as long as the peer. One that was there
 * before (a second one at most) hears nothing more, and lives as long.
 */
void peer_set_dialogue(struct peer *peer, const struct dialogue *dialogue, void *self);
/* Tells the dialogue, if one runs. */
void peer_card_changed(struct peer *peer, enum cards_change change, struct card *card);
void peer_sessions_changed(struct peer *peer);

/* Says a sentence (WIRE_INFO, WIRE_WARNING, WIRE_PROGRESS). */
void peer_say(struct peer *peer, enum wire_type type, enum hygie_text text,
	      const char *const arguments[], size_t count);
/* Asks; one prompt at a time. `flags`: enum prompt_flag. */
void peer_ask(struct peer *peer, unsigned flags, enum hygie_text text,
	      const char *const arguments[], size_t count);
/* Sends an ITEM or RESULT that the caller filled. */
void peer_send(struct peer *peer, const struct wire_message *message);

/*
 * Ends the dialogue with an outcome and its sentence (NULL: the outcome's own). English
 * is the key of its translation: a sentence is a constant, marked with N_().
 */
void peer_finish(struct peer *peer, enum hygie_outcome outcome, const char *text);
/* The same with a sentence that has arguments. */
void peer_finish_text(struct peer *peer, enum hygie_outcome outcome, enum hygie_text text,
		      const char *const arguments[], size_t count);
/* Ends it with a WIRE_RESULT that the caller filled. */
void peer_finish_with(struct peer *peer, const struct wire_message *result);
/* Of one that ended the dialogue by itself: HYGIE_GAVE_UP, or what unfit() said. */
enum hygie_outcome peer_given_up(const struct peer *peer);
/* Whether the result was sent: nothing more will be. */
bool peer_is_finished(const struct peer *peer);
