/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches over the sessions that cards opened: hears of cards (cards.h) and of logind
 * (logind.h), asks removal.h what to do, does it, and leaves an audit line of each step.
 * It knows what the files of the bindings say, also after a restart.
 */
#pragma once

#include "hygied/binding.h"
#include "hygied/cards.h"
#include "hygied/removal.h"

struct guard;
struct hygied;

/* What is told of a guarded session. */
struct guard_view {
	enum removal_phase phase;
	enum removal_action action; /* what happens when the card is taken out */
	bool card_in, locked;
	unsigned left; /* milliseconds of the grace that are left */
};

/*
 * Takes over the sessions that the files name: their cards have a moment to show
 * themselves. `changed` is called after each change. The caller owns the result, and
 * frees it before hygied's cards.
 */
int guard_start(struct hygied *hygied, void (*changed)(void *context), void *context,
		struct guard **ret_guard) must_check;
void guard_free(struct guard *guard);

/* The cards' listener: a card changed, or is leaving. */
void guard_card_changed(struct guard *guard, enum cards_change change,
			const struct card *card);

/* The session's card has just proven itself: from now on it is watched, or again. */
void guard_bind(struct guard *guard, const struct binding *binding);

/* The session was closed, or ended. */
void guard_release(struct guard *guard, const char *session);

/*
 * Locks it now, whether a card opened it or not, and sees to it as for a removal. False
 * for one that nothing can cover (a text terminal).
 */
bool guard_lock(struct guard *guard, const char *session);

/* Whether the session is watched; then what there is to tell. */
bool guard_look(const struct guard *guard, const char *session,
		struct guard_view *ret_view);

/*
 * A program that locks this session's screen (hygie session-lock) came, or is gone: with
 * one, a session of a text terminal is locked like a graphical one.
 */
void guard_locker_came(struct guard *guard, const char *session);
void guard_locker_left(struct guard *guard, const char *session);
