/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record stores that are open, or become so: hears of logins, sessions, cards and
 * keepers, asks store_state.h what to do, does it, and leaves an audit line of each step.
 * What is open outlives hygied: the keepers know, and are asked at the start.
 */
#pragma once

#include "hygied/binding.h"
#include "hygied/cards.h"
#include "hygied/keeper.h"
#include "hygied/store_plan.h"

struct hygied;
struct stores;

/* Asks the keepers that run. `changed` is called after each change. The caller frees it. */
int stores_start(struct hygied *hygied, void (*changed)(void *context), void *context,
		 struct stores **ret_stores) must_check;
/* What is open remains open. Takes NULL; so does every function below. */
void stores_free(struct stores *stores);

/*
 * A card has just proven itself, and `plan` has the secrets, which are taken: the stores
 * are opened for the binding's session or, where `ticket` is given, for a minute for
 * whatever session redeems it.
 */
void stores_open(struct stores *stores, struct store_plan *plan,
		 const struct binding *binding, const char *ticket);

/* The ticket was redeemed for that session; "" for none: it holds no more. */
void stores_redeem(struct stores *stores, const char *ticket, const char *session);

void stores_session_ended(struct stores *stores, const char *session);
void stores_card_changed(struct stores *stores, enum cards_change change,
			 const struct card *card);

/* Whether a store is being opened for that session: more will be known soon. */
bool stores_are_opening(const struct stores *stores, const char *session);

/* What is told of one store. */
struct store_view {
	/* A word: "open", "opening", "closing", "shut", STORE_STATE_REENCRYPTING. */
	const char *state;
	uint64_t since;
	size_t references;                   /* how many sessions hold it */
	const struct keeper_holder *holders; /* while it is busy */
	size_t holder_count;
};

/* What is known of a store; false: it has not been open since hygied began. */
bool stores_look(const struct stores *stores, const char *name,
		 struct store_view *ret_view);

/* The same of each that is known, by number; false after the last. `*ret_name` borrowed. */
bool stores_at(const struct stores *stores, size_t index, const char **ret_name,
	       struct store_view *ret_view);

#define STORE_STATE_REENCRYPTING "reencrypting"

/*
 * Sets a store apart, so that it is opened for nobody until stores_release(). 0; -EBUSY:
 * it is not shut; -EALREADY: it is set apart already; -ENOMEM.
 */
int stores_reserve(struct stores *stores, const char *name) must_check;
void stores_release(struct stores *stores, const char *name);
bool stores_is_reserved(const struct stores *stores, const char *name);

/* Whose sessions hold it, by name, separated by ", "; as many as fit. */
void stores_users(const struct stores *stores, const char *name, char *ret_users,
		  size_t size);

/*
 * Asks that a store (NULL: each) is let go of: by all, or by that user's sessions. Returns
 * how many were held so.
 */
size_t stores_close(struct stores *stores, const char *name, bool all, uid_t uid);
